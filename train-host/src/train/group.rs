//! A group of samples on its way through a net in training.

use super::augment::Augmenter;
use super::backward::{Input, Learns, View};
use super::batch_norm::{Gate, InputGradient, Measure, Moments, Sums};
use super::distil::Blended;
use super::dropout::{DropOut, keys};
use super::loss::{Score, Tally};
use super::model::Model;
use super::pullback::{Accumulate, Part};
use super::qat::Scratch;
use super::weight_gradient::{Biases, ConvWeights, DepthWeights, Sight};
use crate::float::lanes::{LANES, Lanes, put};
use crate::float::plan::{Numbers, Step, Work};

/// A group of samples: values and gradients of every tensor.
pub(crate) struct Group {
    /// The batch's index of the first sample.
    pub(crate) first: usize,
    /// Samples; those of the first lanes.
    pub(crate) count: usize,
    pub(crate) labels: [u16; LANES],
    /// Values, in the places of [`Plan`](crate::float::plan::Plan).
    pub(crate) values: Vec<Vec<Lanes>>,
    /// Gradients, in the buffers of [`Backward`](super::backward::Backward).
    pub(crate) gradients: Vec<Vec<Lanes>>,
    /// The group's share of the gradients of each node's weights and biases, where it is found early.
    pub(crate) shares: Vec<[Vec<f32>; 2]>,
    /// Of the batch norm that the groups meet for.
    pub(crate) moments: Vec<Moments>,
    pub(crate) sums: Vec<[f32; 2]>,
    scratch: Vec<Lanes>,
    pub(crate) tally: Tally,
    /// The slot that takes the samples.
    input: usize,
    /// Distorts samples.
    augmenter: Option<Augmenter>,
    /// The samples, back to back.
    samples: Vec<f32>,
    /// What the teacher makes of them, where there is one.
    asked: Vec<Vec<Lanes>>,
    /// What running as an int8 net takes besides.
    whole: Scratch,
}

impl Group {
    /// Memory for a model's groups.
    pub(crate) fn new(model: &Model) -> Self {
        let channels = model.norms.iter().map(Vec::len).max().unwrap_or(0);
        Self {
            first: 0,
            count: 0,
            labels: [0; LANES],
            values: model.plan.memory(),
            gradients: model.backward.lens.iter().map(|&len| vec![Lanes::ZERO; len]).collect(),
            shares: model.early_shares(),
            moments: vec![Moments::default(); channels],
            sums: vec![[0.0; 2]; channels],
            scratch: vec![Lanes::ZERO; 2 * channels],
            tally: Tally::default(),
            input: model.plan.input,
            augmenter: None,
            samples: vec![0.0; LANES * model.input_len()],
            asked: model.teacher.as_ref().map(|teacher| teacher.memory()).unwrap_or_default(),
            whole: Scratch::default(),
        }
    }

    /// The same, with distortions.
    pub(crate) fn with(mut self, augmenter: Option<&Augmenter>) -> Self {
        self.augmenter = augmenter.cloned();
        self
    }

    /// Takes its samples: for each, `sample` gives its input, its label, and how far the run is and the number to
    /// draw from where it is to be distorted ([`Augmenter::apply`]).
    pub(crate) fn take<'s>(&mut self, sample: impl Fn(usize) -> (&'s [f32], u16, Option<(f32, u64)>)) {
        let into = &mut self.values[self.input];
        for (lane, row) in self.samples.chunks_exact_mut(into.len()).take(self.count).enumerate() {
            let (input, label, distort) = sample(self.first + lane);
            self.labels[lane] = label;
            match (distort, &mut self.augmenter) {
                (Some((progress, seed)), Some(augmenter)) => augmenter.apply(progress, seed, input, row),
                _ => row.copy_from_slice(input),
            }
        }
        put(&self.samples, into);
    }

    /// Asks the teacher, if there is one, about the samples as they were taken.
    pub(crate) fn ask(&mut self, model: &Model) {
        if let Some(teacher) = &model.teacher {
            teacher.ask(model.isa, &self.samples, &mut self.asked);
        }
    }

    /// Turns the samples into steps of the int8 net's input, where the model runs as one.
    pub(crate) fn enter(&mut self, model: &Model) {
        if let Some(aware) = &model.aware {
            aware.enter(model.isa, &mut self.values[self.input]);
        }
    }

    /// Steps of a turn forward, then the moments that the next needs.
    pub(crate) fn forward(&mut self, model: &Model, turn: usize, step: u64) {
        let next = model.turns[turn + 1];
        for at in model.turns[turn]..next {
            self.step_forward(model, &model.plan.steps[at], step);
        }
        if let Some(Step { work: Work::BatchNorm { channels, .. }, reads, .. }) = model.plan.steps.get(next) {
            model.isa.run(Measure {
                count: self.count,
                x: &self.values[reads[0]],
                moments: &mut self.moments[..*channels],
            });
        }
    }

    /// A step as the net will be used.
    pub(super) fn compute(&mut self, model: &Model, what: &Step) {
        match &model.aware {
            None => what.forward(model.isa, &model.numbers, &mut self.values),
            Some(aware) => {
                aware.forward(model.isa, what, &model.numbers, &mut self.values, &mut self.whole);
            }
        }
    }

    fn step_forward(&mut self, model: &Model, what: &Step, step: u64) {
        self.compute(model, what);
        if let Work::Dropout { rate, index } = what.work {
            let keys = keys(model.seed, step, index, self.first);
            model.isa.run(DropOut { keys: &keys, rate, elements: &mut self.values[what.writes] });
        }
    }

    /// Loss and its gradient, in a batch of so many samples.
    pub(crate) fn score(&mut self, model: &Model, batch: usize) {
        if let Some(aware) = &model.aware {
            aware.leave(model.isa, &self.values[model.outputs], &mut self.whole);
        }
        self.tally = model.isa.run(Score {
            loss: model.loss,
            smoothing: model.smoothing,
            batch,
            count: self.count,
            labels: &self.labels,
            outputs: outputs(model, &self.values, &self.whole),
            gradient: &mut self.gradients[model.backward.buffers[model.outputs]],
        });
    }

    /// Blends the imitation of the teacher, if there is one, into the loss and its gradient.
    pub(crate) fn imitate(&mut self, model: &Model, batch: usize) {
        if let Some(teacher) = &model.teacher {
            let on = Blended {
                batch,
                count: self.count,
                outputs: outputs(model, &self.values, &self.whole),
                gradient: &mut self.gradients[model.backward.buffers[model.outputs]],
            };
            self.tally.loss = teacher.blend(model.isa, &self.asked, self.tally.loss, on);
        }
    }

    /// All steps as the net will be used, and the loss.
    pub(crate) fn infer(&mut self, model: &Model) {
        for what in &model.plan.steps {
            self.compute(model, what);
        }
        self.score(model, self.count.max(1));
    }

    /// Values in a channel of the batch norm at a step.
    pub(crate) fn moments_count(&self, model: &Model, at: usize) -> f64 {
        let step = &model.plan.steps[at];
        let pixels = model.plan.slots[step.output].len / model.norms[step.node].len();
        (pixels * self.count) as f64
    }

    /// The batch norm after a turn, the steps of the turn, and the sums for the batch norm that begins it.
    pub(crate) fn backward(&mut self, model: &Model, turn: usize, step: u64) {
        let (begin, end) = (model.turns[turn], model.turns[turn + 1]);
        let backs = &model.backward.steps;
        if end < model.plan.steps.len() && backs[end].live {
            self.norm_backward(model, end);
        }
        for at in (begin..end).rev().filter(|&at| backs[at].live) {
            let (what, back) = (&model.plan.steps[at], &backs[at]);
            if let Work::BatchNorm { channels, relu, .. } = what.work {
                let Numbers { scale, shift, .. } = &model.numbers[what.node];
                model.isa.run(Sums {
                    norms: &model.norms[what.node],
                    x: &self.values[what.reads[0]],
                    gate: relu.then_some(Gate { scale, shift }),
                    g: &self.gradients[model.backward.buffers[what.output]],
                    scratch: &mut self.scratch,
                    sums: &mut self.sums[..channels],
                });
                continue;
            }
            let keys = match what.work {
                Work::Dropout { index, .. } => keys(model.seed, step, index, self.first),
                _ => [0; LANES],
            };
            let (values, gradients) = (&self.values, &mut self.gradients);
            let view = View { values, gradients, buffers: &model.backward.buffers, keys };
            match &model.aware {
                None => what.backward(model.isa, back, &model.numbers, &model.rows, view),
                Some(aware) => aware.backward(model.isa, what, back, &model.rows, view),
            }
            if back.learns == Learns::Early {
                for &again in &model.again[at] {
                    model.plan.steps[again].forward(model.isa, &model.numbers, &mut self.values);
                }
                self.learn_early(model, what);
            }
        }
    }

    /// The group's share of the gradients of a step's weights and biases.
    fn learn_early(&mut self, model: &Model, what: &Step) {
        let x = &self.values[what.reads[0]];
        let g = &self.gradients[model.backward.buffers[what.output]];
        let sights = &[Sight { x, g }];
        let [weights, bias] = &mut self.shares[what.node];
        match &what.work {
            Work::Conv(conv) => {
                for (unit, units) in conv.fours() {
                    let gradient = &mut weights[unit * conv.fan_in()..][..units * conv.fan_in()];
                    model.isa.run(ConvWeights { conv, sights, unit, gradient });
                }
            }
            Work::Depthwise(conv) => {
                let row_len = conv.columns.kernel * usize::from(conv.y.c);
                for (row, gradient) in weights.chunks_exact_mut(row_len).enumerate() {
                    model.isa.run(DepthWeights { conv, sights, row, gradient });
                }
            }
            Work::MaxPool(_) | Work::AvgPool(_) | Work::Add { .. } | Work::Concat(_) => {}
            Work::Shuffle { .. } | Work::Apply(_) | Work::Softmax(_) => {}
            Work::BatchNorm { .. } | Work::Frame(_) | Work::Dropout { .. } => {}
        }
        model.isa.run(Biases { sights, gradient: bias });
    }

    /// The gradient of a batch norm's input.
    fn norm_backward(&mut self, model: &Model, at: usize) {
        let (what, back) = (&model.plan.steps[at], &model.backward.steps[at]);
        if back.inputs[0] == Input::Unwanted {
            return;
        }
        let buffers = &model.backward.buffers;
        let mut g = std::mem::take(&mut self.gradients[buffers[what.output]]);
        let Numbers { scale, shift, .. } = &model.numbers[what.node];
        model.isa.run(InputGradient {
            factors: &model.factors[what.node],
            count: self.count,
            gate: what.work.has_relu().then_some(Gate { scale, shift }),
            x: &self.values[what.reads[0]],
            g: &mut g,
        });
        if back.inputs[0] != Input::Same {
            let dest = &mut self.gradients[buffers[what.inputs[0]]][..];
            let add = back.inputs[0] == Input::Add;
            model.isa.run(Accumulate { part: Part::whole(&g), add, dest });
        }
        self.gradients[buffers[what.output]] = g;
    }
}

/// The outputs that the loss reads, as real numbers.
fn outputs<'a>(model: &Model, values: &'a [Vec<Lanes>], whole: &'a Scratch) -> &'a [Lanes] {
    if model.aware.is_some() { &whole.real } else { &values[model.outputs] }
}
