//! A group of samples on its way through a net in training.

use super::augment::Augmenter;
use super::backward::View;
use super::batch_norm::{InputGradient, Measure, Moments, Sums};
use super::dropout::{DropOut, keys};
use super::loss::{Score, Tally};
use super::model::Model;
use crate::float::lanes::{LANES, Lanes, put};
use crate::float::plan::{Step, Work};

/// A group of samples: values and gradients of every tensor.
pub(crate) struct Group {
    /// The batch's index of the first sample.
    pub(crate) first: usize,
    /// Samples; those of the first lanes.
    pub(crate) count: usize,
    pub(crate) labels: [u16; LANES],
    pub(crate) values: Vec<Vec<Lanes>>,
    pub(crate) gradients: Vec<Vec<Lanes>>,
    /// Of the batch norm that the groups meet for.
    pub(crate) moments: Vec<Moments>,
    pub(crate) sums: Vec<[f32; 2]>,
    pub(crate) tally: Tally,
    /// The slot that takes the samples.
    input: usize,
    /// Distorts samples.
    augmenter: Option<Augmenter>,
    /// The samples, back to back.
    samples: Vec<f32>,
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
            gradients: model.plan.slots.iter().map(|slot| vec![Lanes::ZERO; slot.len]).collect(),
            moments: vec![Moments::default(); channels],
            sums: vec![[0.0; 2]; channels],
            tally: Tally::default(),
            input: model.plan.input,
            augmenter: None,
            samples: vec![0.0; LANES * model.input_len()],
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

    /// Steps of a turn forward, then the moments that the next needs.
    pub(crate) fn forward(&mut self, model: &Model, turn: usize, step: u64) {
        let next = model.turns[turn + 1];
        for at in model.turns[turn]..next {
            self.step_forward(model, &model.plan.steps[at], step);
        }
        if let Some(Step { work: Work::BatchNorm { channels, .. }, inputs, .. }) = model.plan.steps.get(next)
        {
            model.isa.run(Measure {
                count: self.count,
                x: &self.values[inputs[0]],
                moments: &mut self.moments[..*channels],
            });
        }
    }

    fn step_forward(&mut self, model: &Model, what: &Step, step: u64) {
        what.forward(model.isa, &model.numbers, &mut self.values);
        if let Work::Dropout { rate, index } = what.work {
            let keys = keys(model.seed, step, index, self.first);
            model.isa.run(DropOut { keys: &keys, rate, elements: &mut self.values[what.output] });
        }
    }

    /// Loss and its gradient, in a batch of so many samples.
    pub(crate) fn score(&mut self, model: &Model, batch: usize) {
        self.tally = model.isa.run(Score {
            loss: model.loss,
            smoothing: model.smoothing,
            batch,
            count: self.count,
            labels: &self.labels,
            outputs: &self.values[model.outputs],
            gradient: &mut self.gradients[model.outputs],
        });
    }

    /// All steps as the net will be used, and the loss.
    pub(crate) fn infer(&mut self, model: &Model) {
        for what in &model.plan.steps {
            what.forward(model.isa, &model.numbers, &mut self.values);
        }
        self.score(model, self.count.max(1));
    }

    /// Values in a channel of the batch norm at a step.
    pub(crate) fn moments_count(&self, model: &Model, at: usize) -> f64 {
        let step = &model.plan.steps[at];
        let pixels = self.values[step.output].len() / model.norms[step.node].len();
        (pixels * self.count) as f64
    }

    /// The batch norm after a turn, the steps of the turn, and the sums for the batch norm that begins it.
    pub(crate) fn backward(&mut self, model: &Model, turn: usize, step: u64) {
        let (begin, end) = (model.turns[turn], model.turns[turn + 1]);
        if end < model.plan.steps.len() && model.backs[end].live {
            self.norm_backward(model, end);
        }
        for at in (begin..end).rev().filter(|&at| model.backs[at].live) {
            let what = &model.plan.steps[at];
            let keys = match what.work {
                Work::Dropout { index, .. } => keys(model.seed, step, index, self.first),
                _ => [0; LANES],
            };
            let view = View { values: &self.values, gradients: &mut self.gradients, keys };
            what.backward(model.isa, &model.backs[at], &model.numbers, &model.rows, view);
            if let Work::BatchNorm { channels, relu } = what.work {
                model.isa.run(Sums {
                    norms: &model.norms[what.node],
                    x: &self.values[what.inputs[0]],
                    relu: relu.then_some(&self.values[what.output]),
                    g: &mut self.gradients[what.output],
                    sums: &mut self.sums[..channels],
                });
            }
        }
    }

    fn norm_backward(&mut self, model: &Model, at: usize) {
        let (what, back) = (&model.plan.steps[at], &model.backs[at]);
        let input = back.inputs[0];
        if input == super::backward::Input::Unwanted {
            return;
        }
        let mut dest = std::mem::take(&mut self.gradients[what.inputs[0]]);
        model.isa.run(InputGradient {
            factors: &model.factors[what.node],
            count: self.count,
            x: &self.values[what.inputs[0]],
            g: &self.gradients[what.output],
            add: input == super::backward::Input::Add,
            dest: &mut dest,
        });
        self.gradients[what.inputs[0]] = dest;
    }
}
