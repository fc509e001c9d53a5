//! The range of each channel of each tensor, over all inputs the net could ever be given.

use zipnet::fixed::{narrow, requantise};
use zipnet::ir::{Axis, Bias, Int, Op, Requant};

use super::clamp;
use crate::Result;
use crate::graph::{Net, NetNode};

/// Least and greatest value, both taken or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Range {
    pub(super) low: i8,
    pub(super) high: i8,
}

impl Range {
    const FULL: Self = Self { low: i8::MIN, high: i8::MAX };

    /// The one value it holds, if it is but one.
    pub(super) fn constant(self) -> Option<i8> {
        (self.low == self.high).then_some(self.low)
    }

    fn with(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    fn of(value: i8) -> Self {
        Self { low: value, high: value }
    }
}

/// For every tensor, the range of each channel.
pub(super) fn ranges(net: &Net<Int>) -> Result<Vec<Vec<Range>>> {
    let mut ranges: Vec<Vec<Range>> =
        net.tensors.iter().map(|t| vec![Range::FULL; t.shape.c.into()]).collect();
    for node in &net.nodes {
        let x = &ranges[node.inputs[0].at()];
        let made = match &node.op {
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) => weighted(net, node, x),
            Op::MaxPool2d(_) | Op::AvgPool2d(_) => {
                let clamp = node.store.clamp;
                let within = |q: i8| q.clamp(clamp.low, clamp.high);
                x.iter().map(|r| Range { low: within(r.low), high: within(r.high) }).collect()
            }
            Op::Relu
            | Op::Relu6
            | Op::ReluN1To1
            | Op::Requantize
            | Op::Tanh
            | Op::Logistic
            | Op::HardSwish
            | Op::LeakyRelu => {
                let [from, to] = [node.inputs[0], node.output].map(|id| net.tensors[id.at()].meta);
                let table = clamp::table(node, from, to)?;
                let at = |q: i8| (i16::from(q) + 128) as usize;
                x.iter()
                    .filter_map(|r| {
                        table[at(r.low)..=at(r.high)].iter().copied().map(Range::of).reduce(Range::with)
                    })
                    .collect()
            }
            Op::Reshape { .. } => {
                let channels = ranges[node.output.at()].len();
                if channels.is_multiple_of(x.len()) {
                    x.iter().copied().cycle().take(channels).collect()
                } else {
                    vec![all(x); channels]
                }
            }
            Op::ChannelShuffle { groups } => {
                let groups = usize::from(*groups);
                let each = x.len() / groups;
                (0..x.len()).map(|c| x[c % groups * each + c / groups]).collect()
            }
            Op::Concat { axis: Axis::Channels } => {
                node.inputs.iter().flat_map(|id| ranges[id.at()].iter().copied()).collect()
            }
            Op::Concat { .. } => {
                let with = |c| node.inputs.iter().map(|id| ranges[id.at()][c]).reduce(Range::with);
                (0..x.len()).filter_map(with).collect()
            }
            Op::ResizeNearest { .. } => x.clone(),
            Op::Add(_) | Op::Sub(_) | Op::Mul(_) => {
                let clamp = node.store.clamp;
                vec![Range { low: clamp.low, high: clamp.high }; ranges[node.output.at()].len()]
            }
            Op::Slice(_) | Op::Transpose { .. } => vec![all(x); ranges[node.output.at()].len()],
            Op::Pad(_) | Op::Mean { .. } | Op::Softmax | Op::Prelu { .. } | Op::BatchNorm => {
                vec![Range::FULL; ranges[node.output.at()].len()]
            }
        };
        ranges[node.output.at()] = made;
    }
    Ok(ranges)
}

fn all(ranges: &[Range]) -> Range {
    ranges.iter().copied().reduce(Range::with).unwrap_or(Range::FULL)
}

/// The outputs of an operator with weights. Each tap contributes its least or its greatest product; a tap that may lie
/// on the border, that of the zero point too.
fn weighted(net: &Net<Int>, node: &NetNode<Int>, x: &[Range]) -> Vec<Range> {
    let (shape, zero) = (net.shape(node.output), net.tensors[node.inputs[0].at()].meta.zero);
    let units = usize::from(shape.c);
    let borders = super::channels::has_border(&node.op);
    (0..units)
        .map(|unit| {
            let (mut low, mut high) = (0i64, 0i64);
            for (at, channel) in
                super::channels::taps(&node.op, x.len(), units, node.store.weights.len(), unit)
            {
                let mut range = x[channel];
                if borders {
                    range = range.with(Range::of(zero));
                }
                let products =
                    [range.low, range.high].map(|q| i64::from(node.store.weights[at]) * i64::from(q));
                low += products[0].min(products[1]);
                high += products[0].max(products[1]);
            }
            let biases = match node.op.bias() {
                Bias::Unit => node.store.bias.iter().skip(unit).step_by(units).copied().collect(),
                Bias::Channel | Bias::None => vec![node.store.bias[unit]],
            };
            let output = |acc: i64| {
                // In range: exporters prove that no sum of products leaves i32.
                let Requant { multiplier, shift } = node.store.factor(unit);
                let (zero, clamp) = (net.tensors[node.output.at()].meta.zero, node.store.clamp);
                narrow(requantise(acc as i32, multiplier, shift), zero, clamp.low, clamp.high)
            };
            biases
                .iter()
                .map(|&bias| Range {
                    low: output(low + i64::from(bias)),
                    high: output(high + i64::from(bias)),
                })
                .reduce(Range::with)
                .unwrap_or(Range::FULL)
        })
        .collect()
}
