//! The gradient of a step's inputs from that of its output.

use crate::float::conv::Conv;
use crate::float::depthwise::{DepthMap, Depthwise};
use crate::float::gather::{Gather, Group, Map, Quad, Run, Start, fours};
use crate::float::lanes::{LANES, Lanes};
use crate::float::moves;
use crate::float::plan::{Depth, Numbers, Plan, Step, Work};
use crate::float::simd::Isa;
use crate::float::taps::Columns;

use super::dropout::DropOut;
use super::pullback::{Accumulate, AvgPoolBack, Derive, MaskBy, MaxPoolBack, SoftmaxBack, Unshuffle};

/// What a step needs to run backward.
#[derive(Clone, Debug)]
pub(crate) struct Back {
    /// Whether the loss depends on the step's output at all.
    pub(crate) live: bool,
    /// For each input, whether its gradient is wanted, and whether this step is the first to write it.
    pub(crate) inputs: Vec<Input>,
    /// Of a convolution whose input's gradient is wanted.
    pub(crate) map: BackMap,
}

/// What is to be done about the gradient of an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    /// No weight lies before it.
    Unwanted,
    /// This step is the first, running backward, to write it.
    First,
    /// Another step has written its share.
    Add,
}

/// The map of a convolution run backward.
#[derive(Clone, Debug)]
pub(crate) enum BackMap {
    /// Not needed.
    None,
    /// Of a convolution; whether groups overlap, so that several write the same element.
    Conv(Box<Map>, bool),
    /// Of a depthwise convolution.
    Depth(Box<DepthMap>),
}

/// What every step of a plan needs to run backward from slot `loss`.
pub(crate) fn backs(plan: &Plan, loss: usize) -> Vec<Back> {
    let mut wanted = vec![false; plan.slots.len()];
    for step in &plan.steps {
        let here = step.work.has_weights() || step.inputs.iter().any(|&i| wanted[i]);
        wanted[step.output] |= here;
    }
    let mut written = vec![false; plan.slots.len()];
    written[loss] = true;
    let mut backs: Vec<Back> = plan
        .steps
        .iter()
        .rev()
        .map(|step| {
            let live = written[step.output] && wanted[step.output];
            let mut input = |&i: &usize| {
                if !live || !wanted[i] {
                    Input::Unwanted
                } else if std::mem::replace(&mut written[i], true) && i != step.output {
                    Input::Add
                } else {
                    Input::First
                }
            };
            let inputs: Vec<Input> = step.inputs.iter().map(&mut input).collect();
            let map = match &step.work {
                Work::Conv(conv) if inputs[0] != Input::Unwanted => {
                    BackMap::Conv(Box::new(conv_map(conv)), conv.span * conv.groups > conv.x.c.into())
                }
                Work::Depthwise(conv) if inputs[0] != Input::Unwanted => {
                    BackMap::Depth(Box::new(depth_map(conv)))
                }
                _ => BackMap::None,
            };
            Back { live, inputs, map }
        })
        .collect();
    backs.reverse();
    backs
}

fn conv_map(conv: &Conv) -> Map {
    let [rows, columns] = &conv.window;
    let taps = rows.kernel * columns.kernel;
    let (channels, each) = (usize::from(conv.x.c), conv.each());
    let quads = conv.span.div_ceil(4);
    Map {
        rows: rows.backward(),
        columns: Columns::group(&columns.backward(), columns.stride, 1),
        row_taps: columns.kernel,
        source: [conv.y.w.into(), conv.y.c.into()],
        dest: [conv.x.w.into(), channels],
        groups: (0..conv.groups)
            .map(|g| Group {
                base: g * each * taps * quads,
                dest: fours((0..conv.span).map(|k| (g * (channels / conv.groups) + k) % channels).collect()),
                runs: vec![Run { channel: g * each, len: each, first: 0 }],
            })
            .collect(),
        quad_step: 1,
        tap_step: quads,
        channel_step: taps * quads,
    }
}

fn depth_map(conv: &Depth) -> DepthMap {
    DepthMap {
        rows: conv.rows.backward(),
        columns: Columns::group(&conv.columns.backward(), conv.columns.stride, 1),
        row_taps: conv.columns.kernel,
        source: [conv.y.w.into(), conv.y.c.into()],
        dest: [conv.x.w.into(), conv.x.c.into()],
        inner: conv.multiplier,
        outer: 1,
    }
}

/// Quads that hold the weights of a unit for running backward: those of a tap, filled up to a multiple of 4 with the last.
pub(crate) fn unit_quads(conv: &Conv) -> usize {
    conv.fan_in() / conv.span * conv.span.div_ceil(4)
}

/// Weights `[units][taps][span]`, those of each tap filled up to a multiple of 4 with the last.
pub(crate) fn pack_rows(conv: &Conv, weights: &[f32], quads: &mut [Quad]) {
    let each = conv.span.div_ceil(4);
    for (tap, quads) in weights.chunks_exact(conv.span).zip(quads.chunks_exact_mut(each)) {
        for (w, quad) in tap.chunks(4).zip(quads) {
            match w {
                [a, b, c, d] => *quad = [*a, *b, *c, *d],
                _ => *quad = [0, 1, 2, 3].map(|j: usize| w[j.min(w.len() - 1)]),
            }
        }
    }
}

/// A group of samples as a step sees it.
pub(crate) struct View<'a> {
    /// Values of each slot.
    pub(crate) values: &'a [Vec<Lanes>],
    /// Gradients of each slot.
    pub(crate) gradients: &'a mut [Vec<Lanes>],
    /// Keys of the step's dropout.
    pub(crate) keys: [u32; LANES],
}

impl Step {
    /// Adds to the gradients of the inputs what follows from that of the output. A relu that is part of the step is
    /// taken through first, so that the output's gradient is then that of the step's sum. A batch norm is not done
    /// here: it needs the whole batch.
    pub(crate) fn backward(
        &self,
        isa: Isa,
        back: &Back,
        numbers: &[Numbers],
        rows: &[Vec<Quad>],
        view: View<'_>,
    ) {
        let View { values, gradients, keys } = view;
        let mut g = std::mem::take(&mut gradients[self.output]);
        let y = &values[self.output][..];
        match &self.work {
            Work::Conv(conv) => {
                if conv.relu {
                    isa.run(MaskBy(y, &mut g));
                }
                if let BackMap::Conv(map, overlap) = &back.map {
                    let dest = &mut gradients[self.inputs[0]][..];
                    let first = back.inputs[0] == Input::First;
                    if *overlap && first {
                        dest.fill(Lanes::ZERO);
                    }
                    let start = if *overlap || !first { Start::Held } else { Start::Zero };
                    isa.run(Gather { map, weights: &rows[self.node], start, relu: false, source: &g, dest });
                }
            }
            Work::Depthwise(conv) => {
                if conv.relu {
                    isa.run(MaskBy(y, &mut g));
                }
                if let BackMap::Depth(map) = &back.map {
                    let dest = &mut gradients[self.inputs[0]][..];
                    let start = if back.inputs[0] == Input::First { Start::Zero } else { Start::Held };
                    let weights = &numbers[self.node].weights;
                    isa.run(Depthwise { map, weights, start, relu: false, source: &g, dest });
                }
            }
            Work::BatchNorm { .. } => {}
            Work::MaxPool(map) => {
                if let Some(dest) = summed(gradients, self.inputs[0], back.inputs[0]) {
                    isa.run(MaxPoolBack { map, x: &values[self.inputs[0]], y, g: &g, dest });
                }
            }
            Work::AvgPool(map) => {
                if let Some(dest) = summed(gradients, self.inputs[0], back.inputs[0]) {
                    isa.run(AvgPoolBack { map, g: &g, dest });
                }
            }
            Work::Add => {
                for (&slot, &input) in self.inputs.iter().zip(&back.inputs) {
                    if input != Input::Unwanted {
                        let (add, dest) = (input == Input::Add, &mut gradients[slot][..]);
                        isa.run(Accumulate { g: &g, all: 1, first: 0, channels: 1, add, dest });
                    }
                }
            }
            Work::Concat(parts) => {
                let all = parts.iter().sum();
                let mut first = 0;
                for ((&slot, &input), &channels) in self.inputs.iter().zip(&back.inputs).zip(parts) {
                    if input != Input::Unwanted {
                        let (add, dest) = (input == Input::Add, &mut gradients[slot][..]);
                        isa.run(Accumulate { g: &g, all, first, channels, add, dest });
                    }
                    first += channels;
                }
            }
            Work::Shuffle { groups, channels } => {
                let dest = &mut gradients[self.inputs[0]][..];
                match back.inputs[0] {
                    Input::Unwanted => {}
                    Input::First => moves::shuffle(channels / groups, *channels, &g, dest),
                    Input::Add => isa.run(Unshuffle { groups: *groups, channels: *channels, g: &g, dest }),
                }
            }
            Work::Apply(function) => {
                if let Some(dest) = summed(gradients, self.inputs[0], back.inputs[0]) {
                    isa.run(Derive { function: *function, y, g: &g, dest });
                }
            }
            Work::Softmax(channels) => {
                if let Some(dest) = summed(gradients, self.inputs[0], back.inputs[0]) {
                    isa.run(SoftmaxBack { channels: *channels, y, g: &g, dest });
                }
            }
            Work::Frame(_) => {} // of the net's input, whose gradient nobody wants
            Work::Dropout { rate, .. } => {
                if back.inputs[0] != Input::Unwanted {
                    isa.run(DropOut { keys: &keys, rate: *rate, elements: &mut g });
                    if self.inputs[0] != self.output {
                        let (add, dest) = (back.inputs[0] == Input::Add, &mut gradients[self.inputs[0]][..]);
                        isa.run(Accumulate { g: &g, all: 1, first: 0, channels: 1, add, dest });
                    }
                }
            }
        }
        gradients[self.output] = g;
    }
}

/// The gradient of an input to be added to, unless it is unwanted.
fn summed(gradients: &mut [Vec<Lanes>], slot: usize, input: Input) -> Option<&mut [Lanes]> {
    let dest = &mut gradients[slot][..];
    match input {
        Input::Unwanted => return None,
        Input::First => dest.fill(Lanes::ZERO),
        Input::Add => {}
    }
    Some(dest)
}

impl Work {
    /// Whether the step has something to learn.
    pub(crate) fn has_weights(&self) -> bool {
        match self {
            Work::Conv(_) | Work::Depthwise(_) | Work::BatchNorm { .. } => true,
            Work::MaxPool(_) | Work::AvgPool(_) | Work::Add | Work::Concat(_) | Work::Shuffle { .. } => false,
            Work::Apply(_) | Work::Softmax(_) | Work::Frame(_) | Work::Dropout { .. } => false,
        }
    }
}
