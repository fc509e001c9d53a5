//! What stays as it is while an int8 net trains: scales, zero points, factors, clamps.

use zipnet::ir::{Int, IntTensor, Op, Requant};

use crate::float::plan::Plan;
use crate::graph::{Net, NetNode};
use crate::quantise::{Quantised, Scale};
use crate::{Error, Result};

/// The range of an output, in steps from its zero point.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct End {
    /// Zero point.
    pub(crate) zero: i32,
    /// Least int8.
    pub(crate) low: i32,
    /// Greatest int8.
    pub(crate) high: i32,
}

impl End {
    /// `value + zero` held between the ends, as steps from the zero point; [`narrow`](zipnet::fixed::narrow) without
    /// its saturation, for the values that [`requantise`](zipnet::fixed::requantise) can give end far from it.
    #[inline(always)]
    pub(crate) fn narrow(&self, value: i32) -> f32 {
        (value.saturating_add(self.zero).clamp(self.low, self.high) - self.zero) as f32
    }

    /// The ends in steps from the zero point.
    pub(crate) fn steps(&self) -> [f32; 2] {
        [self.low, self.high].map(|q| (q - self.zero) as f32)
    }
}

/// How what an operator sums up, or reads, becomes the steps that it writes.
#[derive(Clone, Debug)]
pub(crate) enum Finish {
    /// Sums of products, each channel by its factor.
    Weighted(Vec<Requant>, End),
    /// Two inputs, each by its factor, and their sum by a third.
    Sum([Requant; 3], End),
    /// The greatest of a window.
    Greatest(End),
    /// The mean of a window.
    Mean(End),
    /// The input by a factor.
    Rescale(Requant, End),
    /// Looked up; steps for each input from -128 on, and the input's zero point.
    Table(Vec<f32>, i32),
    /// Softmax by its factor.
    Softmax(Requant),
    /// Moved as it is.
    Moved,
}

/// The weights of an operator.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    /// Real value of a step of the input.
    pub(crate) input: f32,
    /// Real value of a step of the weights of each channel.
    pub(crate) scales: Vec<f32>,
    /// The greatest weight in steps; the least is its negative.
    pub(crate) levels: f32,
    /// The greatest distance of an input from its zero point, in steps.
    pub(crate) reach: f32,
}

impl Weights {
    /// Real value of a step of the accumulators of a channel.
    pub(crate) fn step(&self, channel: usize) -> f64 {
        f64::from(self.input) * f64::from(self.scales[channel])
    }
}

/// An operator.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// How its output comes about.
    pub(crate) finish: Finish,
    /// The ends of the clamp, in steps from the zero point, where outputs may be cut.
    pub(crate) cut: Option<[f32; 2]>,
    /// Real value of a step of the output.
    pub(crate) scale: f32,
    /// Its weights, where it has any.
    pub(crate) weights: Option<Weights>,
}

/// The net.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    /// What a step of the net's input is worth.
    pub(crate) input: Scale,
    /// What is taken off a sample before it becomes steps.
    pub(crate) origin: f32,
    /// One for each node.
    pub(crate) nodes: Vec<Node>,
}

impl Grid {
    /// The grid of a quantised net over samples less `origin`.
    ///
    /// # Errors
    /// Names the operator whose sums no number of parts keeps exact.
    pub(crate) fn new(start: &Quantised, origin: f32) -> Result<Self> {
        let net = &start.net;
        let nodes = net.nodes.iter().zip(&start.scales).map(|(node, scales)| {
            node_of(net, node, scales)
                .map_err(|e| Error::new(format!("layer {:?} ({}): {e}", node.name, node.op.name())))
        });
        Ok(Self {
            input: grid(net.tensors[net.input.at()].meta),
            origin,
            nodes: nodes.collect::<Result<_>>()?,
        })
    }

    /// Real value of a step of a slot.
    pub(crate) fn scale_of(&self, plan: &Plan, slot: usize) -> f32 {
        let writer = plan.steps.iter().rev().find(|step| step.output == slot);
        writer.map_or(self.input.scale, |step| self.nodes[step.node].scale)
    }
}

fn grid(meta: IntTensor) -> Scale {
    Scale { scale: meta.scale, zero: meta.zero }
}

fn node_of(net: &Net<Int>, node: &NetNode<Int>, scales: &[f32]) -> Result<Node> {
    let meta = |id: zipnet::ir::TensorId| net.tensors[id.at()].meta;
    let (x, y) = (meta(node.inputs[0]), meta(node.output));
    let clamp = node.store.clamp;
    let end = End { zero: y.zero.into(), low: clamp.low.into(), high: clamp.high.into() };
    let whole = (clamp.low, clamp.high) == (i8::MIN, i8::MAX);
    let ends = Some(end.steps());
    let no_factor = || Error::new("the int8 form lacks a factor");
    let requant = || node.store.requant.first().copied().ok_or_else(no_factor);
    let (finish, cut) = match &node.op {
        Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) => {
            (Finish::Weighted(node.store.requant.clone(), end), ends)
        }
        Op::Add(_) => {
            let &[a, b, sum] = &node.store.requant[..] else { return Err(no_factor()) };
            (Finish::Sum([a, b, sum], end), ends)
        }
        // Of pools without an activation no output lies beyond their inputs.
        Op::MaxPool2d(_) => (Finish::Greatest(end), ends.filter(|_| !whole)),
        Op::AvgPool2d(_) => (Finish::Mean(end), ends.filter(|_| !whole)),
        Op::Relu | Op::Relu6 => (Finish::Rescale(requant()?, end), ends),
        Op::Tanh => {
            let steps = node.store.weights.iter().map(|&q| (i32::from(q) - end.zero) as f32);
            (Finish::Table(steps.collect(), x.zero.into()), None)
        }
        Op::Softmax => (Finish::Softmax(requant()?), None),
        Op::Concat { .. } | Op::ChannelShuffle { .. } | Op::Reshape { .. } => (Finish::Moved, None),
        Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } | Op::ReluN1To1 | Op::LeakyRelu => {
            return Err(no_float_form());
        }
        Op::HardSwish | Op::Logistic | Op::Requantize | Op::BatchNorm => return Err(no_float_form()),
        Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => {
            return Err(no_float_form());
        }
    };
    let zero = i32::from(x.zero);
    let reach = (127 - zero).max(zero + 128) as f32;
    let levels = if node.store.bits == 4 { 7.0 } else { 127.0 };
    let weights =
        (!scales.is_empty()).then(|| Weights { input: x.scale, scales: scales.to_vec(), levels, reach });
    Ok(Node { finish, cut, scale: y.scale, weights })
}

fn no_float_form() -> Error {
    Error::new(zipnet::ir::Fault::NotFloat)
}
