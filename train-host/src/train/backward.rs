//! The gradient of a step's inputs from that of its output.

use zipnet::ir::Shape;

use crate::float::conv::Conv;
use crate::float::depthwise::{DepthMap, Depthwise};
use crate::float::gather::{Gather, Group, Map, Quad, Run, Start, fours};
use crate::float::lanes::{LANES, Lanes};
use crate::float::moves;
use crate::float::plan::{Depth, Numbers, Plan, Step, Work};
use crate::float::pointwise::Function;
use crate::float::simd::Isa;
use crate::float::taps::Patch;

use super::dropout::DropOut;
use super::pullback::{Accumulate, AvgPoolBack, Derive, MaxPoolBack, Part, SoftmaxBack, Unshuffle};

/// What a plan needs to run backward.
#[derive(Clone, Debug)]
pub(crate) struct Backward {
    /// What each step needs.
    pub(crate) steps: Vec<Back>,
    /// The buffer that takes the gradient of each slot; of one without gradient, [`usize::MAX`].
    pub(crate) buffers: Vec<usize>,
    /// Elements of each buffer. Slots whose gradients are not needed at the same time share one.
    pub(crate) lens: Vec<usize>,
}

/// What a step needs to run backward.
#[derive(Clone, Debug)]
pub(crate) struct Back {
    /// Whether the loss depends on the step's output at all.
    pub(crate) live: bool,
    /// For each input, what is to be done about its gradient.
    pub(crate) inputs: Vec<Input>,
    /// When the gradient of the step's weights is found.
    pub(crate) learns: Learns,
    /// Of a convolution whose input's gradient is wanted.
    pub(crate) map: BackMap,
}

/// What is to be done about the gradient of an input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    /// No weight lies before it.
    Unwanted,
    /// It takes over the buffer of the output's gradient, which is turned in place.
    Same,
    /// This step is the first, running backward, to write it.
    First,
    /// Another step has written its share.
    Add,
}

/// When the gradient of a step's weights is found. Where a weight sees many pixels, a group's share is found while
/// its tensors are still near; where few, over all groups at once, with a single sum over the lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Learns {
    /// Group by group.
    Early,
    /// When all groups have run.
    Late,
    /// It has no weights, or those of a batch norm.
    Never,
}

/// Pixels from which on a weight's gradient is found group by group.
const MANY_PIXELS: usize = 32;

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

impl Backward {
    /// What every step of a plan needs to run backward from slot `loss`.
    pub(crate) fn new(plan: &Plan, loss: usize) -> Self {
        let mut wanted = vec![false; plan.slots.len()];
        for step in &plan.steps {
            let here = step.work.has_weights() || step.inputs.iter().any(|&i| wanted[i]);
            wanted[step.output] |= here;
        }
        let mut this =
            Self { steps: Vec::new(), buffers: vec![usize::MAX; plan.slots.len()], lens: Vec::new() };
        let mut free = Vec::new();
        this.buffer(loss, plan, &mut free);
        for step in plan.steps.iter().rev() {
            let own = this.buffers[step.output];
            let live = own != usize::MAX && wanted[step.output];
            let distinct = step.inputs.iter().all(|i| step.inputs.iter().filter(|j| i == *j).count() == 1);
            let mut handed_on = false;
            let mut inputs = Vec::new();
            for &i in &step.inputs {
                inputs.push(if !live || !wanted[i] {
                    Input::Unwanted
                } else if i == step.output {
                    handed_on = true;
                    Input::Same
                } else if this.buffers[i] != usize::MAX {
                    Input::Add
                } else if step.work.turns_in_place() && distinct && !handed_on {
                    handed_on = true;
                    this.buffers[i] = own;
                    Input::Same
                } else {
                    this.buffer(i, plan, &mut free);
                    Input::First
                });
            }
            let learns = step.work.learns();
            if live && !handed_on && learns != Learns::Late {
                free.push(own);
            }
            let map = BackMap::new(step, inputs[0]);
            this.steps.push(Back { live, inputs, learns, map });
        }
        this.steps.reverse();
        this
    }

    /// Gives a slot a buffer.
    fn buffer(&mut self, slot: usize, plan: &Plan, free: &mut Vec<usize>) {
        let len = plan.slots[slot].len;
        let at = free.iter().rposition(|&b| self.lens[b] == len).map(|at| free.remove(at));
        self.buffers[slot] = at.unwrap_or_else(|| {
            self.lens.push(len);
            self.lens.len() - 1
        });
    }
}

impl BackMap {
    fn new(step: &Step, input: Input) -> Self {
        match &step.work {
            _ if input == Input::Unwanted => BackMap::None,
            Work::Conv(conv) => {
                BackMap::Conv(Box::new(conv_map(conv)), conv.span * conv.groups > conv.x.c.into())
            }
            Work::Depthwise(conv) => BackMap::Depth(Box::new(depth_map(conv))),
            Work::MaxPool(_) | Work::AvgPool(_) | Work::Add { .. } | Work::Concat(_) => BackMap::None,
            Work::Shuffle { .. } | Work::Apply(_) | Work::Softmax(_) => BackMap::None,
            Work::BatchNorm { .. } | Work::Frame(_) | Work::Dropout { .. } => BackMap::None,
        }
    }
}

fn conv_map(conv: &Conv) -> Map {
    let [rows, columns] = &conv.window;
    let taps = rows.kernel * columns.kernel;
    let (channels, each) = (usize::from(conv.x.c), conv.each());
    let quads = conv.span.div_ceil(4);
    Map {
        patches: Patch::backward(rows, columns),
        source: conv.y.c.into(),
        dest: channels,
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
        patches: Patch::backward(&conv.rows, &conv.columns),
        source: conv.y.c.into(),
        dest: conv.x.c.into(),
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
    /// Gradients.
    pub(crate) gradients: &'a mut [Vec<Lanes>],
    /// The buffer of each slot's gradient.
    pub(crate) buffers: &'a [usize],
    /// Keys of the step's dropout.
    pub(crate) keys: [u32; LANES],
}

impl View<'_> {
    fn gradient(&mut self, slot: usize) -> &mut [Lanes] {
        &mut self.gradients[self.buffers[slot]]
    }
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
        mut view: View<'_>,
    ) {
        let mut g = std::mem::take(&mut view.gradients[view.buffers[self.output]]);
        let y = &view.values[self.writes][..];
        if self.work.has_relu() && !matches!(self.work, Work::BatchNorm { .. }) {
            isa.run(Derive { function: Function::Relu, y, g: &mut g });
        }
        match &self.work {
            Work::Conv(_) => {
                if let BackMap::Conv(map, overlap) = &back.map {
                    let dest = view.gradient(self.inputs[0]);
                    let first = back.inputs[0] == Input::First;
                    if *overlap && first {
                        dest.fill(Lanes::ZERO);
                    }
                    let start = if *overlap || !first { Start::Held } else { Start::Zero };
                    isa.run(Gather { map, weights: &rows[self.node], start, relu: false, source: &g, dest });
                }
            }
            Work::Depthwise(_) => {
                if let BackMap::Depth(map) = &back.map {
                    let dest = view.gradient(self.inputs[0]);
                    let start = if back.inputs[0] == Input::First { Start::Zero } else { Start::Held };
                    let weights = &numbers[self.node].weights;
                    isa.run(Depthwise { map, weights, start, relu: false, source: &g, dest });
                }
            }
            Work::MaxPool(map) => {
                let x = &view.values[self.reads[0]];
                if let Some(dest) = self.summed(back, &mut view) {
                    isa.run(MaxPoolBack { map, x, y, g: &g, dest });
                }
            }
            Work::AvgPool(map) => {
                if back.inputs[0] != Input::Unwanted {
                    let add = back.inputs[0] == Input::Add;
                    isa.run(AvgPoolBack { map, g: &g, add, dest: view.gradient(self.inputs[0]) });
                }
            }
            Work::Softmax(channels) => {
                if let Some(dest) = self.summed(back, &mut view) {
                    isa.run(SoftmaxBack { channels: *channels, y, g: &g, dest });
                }
            }
            Work::Shuffle { groups, channels } => match back.inputs[0] {
                Input::Unwanted => {}
                Input::Add => {
                    let dest = view.gradient(self.inputs[0]);
                    isa.run(Unshuffle { groups: *groups, channels: *channels, g: &g, dest });
                }
                Input::First | Input::Same => {
                    moves::shuffle(channels / groups, *channels, &g, view.gradient(self.inputs[0]));
                }
            },
            Work::Concat(parts) => {
                let all = parts.iter().sum();
                let mut first = 0;
                for (i, &channels) in parts.iter().enumerate() {
                    self.hand_on(isa, back, &mut view, i, Part { g: &g, all, first, channels });
                    first += channels;
                }
            }
            Work::Apply(function) => {
                isa.run(Derive { function: *function, y, g: &mut g });
                self.hand_on(isa, back, &mut view, 0, Part::whole(&g));
            }
            Work::Dropout { rate, .. } => {
                isa.run(DropOut { keys: &view.keys, rate: *rate, elements: &mut g });
                self.hand_on(isa, back, &mut view, 0, Part::whole(&g));
            }
            Work::Add { .. } => {
                self.hand_on(isa, back, &mut view, 0, Part::whole(&g));
                self.hand_on(isa, back, &mut view, 1, Part::whole(&g));
            }
            Work::BatchNorm { .. } => {}
            Work::Frame(_) => {} // of the net's input, whose gradient nobody wants
        }
        view.gradients[view.buffers[self.output]] = g;
    }

    /// The gradient of the first input to be added to, unless it is unwanted.
    pub(super) fn summed<'v>(&self, back: &Back, view: &'v mut View<'_>) -> Option<&'v mut [Lanes]> {
        let dest = view.gradient(self.inputs[0]);
        match back.inputs[0] {
            Input::Unwanted => return None,
            Input::First | Input::Same => dest.fill(Lanes::ZERO),
            Input::Add => {}
        }
        Some(dest)
    }

    /// Gives an input its part of a gradient.
    pub(super) fn hand_on(&self, isa: Isa, back: &Back, view: &mut View<'_>, input: usize, part: Part<'_>) {
        let add = match back.inputs[input] {
            Input::Unwanted | Input::Same => return,
            Input::First => false,
            Input::Add => true,
        };
        isa.run(Accumulate { part, add, dest: view.gradient(self.inputs[input]) });
    }
}

impl Work {
    /// Whether the step has something to learn.
    pub(crate) fn has_weights(&self) -> bool {
        match self {
            Work::Conv(_) | Work::Depthwise(_) | Work::BatchNorm { .. } => true,
            Work::MaxPool(_) | Work::AvgPool(_) | Work::Add { .. } | Work::Concat(_) => false,
            Work::Shuffle { .. } | Work::Apply(_) | Work::Softmax(_) => false,
            Work::Frame(_) | Work::Dropout { .. } => false,
        }
    }

    fn learns(&self) -> Learns {
        let by_pixels = |y: Shape| {
            if usize::from(y.h) * usize::from(y.w) >= MANY_PIXELS { Learns::Early } else { Learns::Late }
        };
        match self {
            Work::Conv(conv) => by_pixels(conv.y),
            Work::Depthwise(conv) => by_pixels(conv.y),
            Work::MaxPool(_) | Work::AvgPool(_) | Work::Add { .. } | Work::Concat(_) => Learns::Never,
            Work::Shuffle { .. } | Work::Apply(_) | Work::Softmax(_) => Learns::Never,
            Work::BatchNorm { .. } | Work::Frame(_) | Work::Dropout { .. } => Learns::Never,
        }
    }

    /// Whether the output's gradient can be turned into that of an input where it lies.
    fn turns_in_place(&self) -> bool {
        match self {
            Work::BatchNorm { .. } | Work::Apply(_) | Work::Dropout { .. } | Work::Add { .. } => true,
            Work::Conv(_) | Work::Depthwise(_) | Work::MaxPool(_) | Work::AvgPool(_) => false,
            Work::Concat(_) | Work::Shuffle { .. } | Work::Softmax(_) | Work::Frame(_) => false,
        }
    }
}
