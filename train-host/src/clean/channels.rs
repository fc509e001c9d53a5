//! Channels that go: those whose value never changes, and those that every reader weighs with 0.
//!
//! A channel of a tensor may be tied to channels of others: what a depthwise convolution, a pool or an activation makes
//! of it goes with it. Tied channels form a set that goes as a whole or not at all. It goes if each convolution and
//! dense layer that reads one of them either has only weights of 0 for it or can be told its constant value: times the
//! sum of its weights that is added to the bias, which is exact where no tap of it can lie on the border, or where the
//! value is what the border reads.

use std::collections::BTreeMap;

use zipnet::ir::{Int, Op, Padding, TensorId};

use super::range::{Range, ranges};
use crate::graph::Net;
use crate::ties::Ties;
use crate::{Error, Result};

/// Takes away every channel that can go.
pub(super) fn remove(net: &mut Net<Int>) -> Result<Vec<String>> {
    let ranges = ranges(net)?;
    let keep = keep(net, &ranges);
    if keep.iter().flatten().all(|&keep| keep) {
        return Ok(Vec::new());
    }
    let (macs, bytes) = (net.macs(), net.weight_bytes());
    let mut notes = Vec::new();
    for node in net.nodes.iter().filter(|node| node.op.weights(net.shape(node.inputs[0])) > 0) {
        let gone = keep[node.output.at()].iter().filter(|&&keep| !keep).count();
        if gone > 0 {
            let of = keep[node.output.at()].len();
            notes.push(format!(
                "{gone} of {of} channels of {} went: constant, or weighed by nobody",
                node.name
            ));
        }
    }
    apply(net, &ranges, &keep)?;
    notes.push(format!(
        "that saves {} multiplications and {} weight bytes",
        macs - net.macs(),
        bytes - net.weight_bytes()
    ));
    Ok(notes)
}

/// Weights that make output channel `unit`, each with the input channel it reads.
pub(super) fn taps(
    op: &Op,
    channels: usize,
    units: usize,
    weights: usize,
    unit: usize,
) -> impl Iterator<Item = (usize, usize)> {
    let each = weights / units;
    // A depthwise unit's weights lie a row of units apart; another's side by side.
    let (multiplier, span, start) = if let Op::DepthwiseConv2d(conv) = op {
        (Some(usize::from(conv.multiplier)), 1, 0)
    } else if let Op::Conv2d(conv) = op {
        let groups = usize::from(conv.groups);
        (None, usize::from(conv.span), unit / (units / groups) * (channels / groups))
    } else {
        (None, channels, 0)
    };
    (0..each).map(move |i| match multiplier {
        Some(multiplier) => (i * units + unit, unit / multiplier),
        None => (unit * each + i, (start + i % span) % channels),
    })
}

/// Whether a tap may lie on the border.
pub(super) fn has_border(op: &Op) -> bool {
    super::window(op).is_some_and(|window| window.padding != Padding::NONE)
}

/// Whether an operator sums over its input channels, so that each of them can go by itself.
fn absorbs(op: &Op) -> bool {
    if let Op::Conv2d(conv) = op { conv.groups == 1 } else { matches!(op, Op::Dense(_)) }
}

/// For every tensor, which channels stay.
fn keep(net: &Net<Int>, ranges: &[Vec<Range>]) -> Vec<Vec<bool>> {
    let mut ties = Ties::new(net);
    ties.block(net.input, "the caller writes it");
    ties.block(net.output, "the caller reads it");
    for node in &net.nodes {
        let (x, y) = (node.inputs[0], node.output);
        let (channels, made) = (usize::from(net.shape(x).c), usize::from(net.shape(y).c));
        let mut block = || ties.hold(node, "an operator needs them all");
        match &node.op {
            Op::Dense(_) => {}
            Op::Conv2d(conv) => {
                if conv.groups != 1 {
                    block();
                }
            }
            Op::DepthwiseConv2d(conv) => {
                let multiplier = usize::from(conv.multiplier);
                (0..made).for_each(|c| ties.tie((x, c / multiplier), (y, c)));
            }
            Op::MaxPool2d(_)
            | Op::AvgPool2d(_)
            | Op::Relu
            | Op::Relu6
            | Op::ReluN1To1
            | Op::Requantize
            | Op::Tanh
            | Op::Logistic
            | Op::HardSwish
            | Op::LeakyRelu
            | Op::ResizeNearest { .. } => {
                (0..made).for_each(|c| ties.tie((x, c), (y, c)));
            }
            Op::Reshape { .. } => {
                if made.is_multiple_of(channels) && net.shape(y).len() == made {
                    (0..made).for_each(|c| ties.tie((x, c % channels), (y, c)));
                } else {
                    block();
                }
            }
            Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Concat { .. } | Op::ChannelShuffle { .. } => block(),
            Op::Prelu { .. } | Op::Softmax | Op::Mean { .. } | Op::Pad(_) | Op::Slice(_) => block(),
            Op::Transpose { .. } | Op::BatchNorm => block(),
        }
    }
    for node in net.nodes.iter().filter(|node| absorbs(&node.op)) {
        let x = node.inputs[0];
        for (channel, &range) in ranges[x.at()].iter().enumerate() {
            if !told(net, node, channel, range) {
                ties.block_one((x, channel), "no bias can take its place");
            }
        }
    }
    let mut stays: BTreeMap<usize, bool> = BTreeMap::new();
    for channel in ties.channels() {
        *stays.entry(ties.root(channel)).or_default() |= ties.blocked(channel).is_some();
    }
    // A tensor keeps at least one channel.
    loop {
        let mut keep = vec![Vec::new(); net.tensors.len()];
        for channel in ties.channels() {
            keep[channel.0.at()].push(stays[&ties.root(channel)]);
        }
        match keep.iter().position(|keep| !keep.contains(&true)) {
            Some(t) => {
                stays.insert(ties.root((TensorId(t as u16), 0)), true); // as many tensors as a net may have
            }
            None => return keep,
        }
    }
}

/// Whether a reader's bias can take the place of a channel.
fn told(net: &Net<Int>, node: &crate::graph::NetNode<Int>, channel: usize, range: Range) -> bool {
    let zero = net.tensors[node.inputs[0].at()].meta.zero;
    let exact = range.constant().is_some_and(|value| !has_border(&node.op) || value == zero);
    exact || weights_of(net, node, channel).all(|at| node.store.weights[at] == 0)
}

/// The weights by which an operator that absorbs reads a channel.
fn weights_of<'a>(
    net: &'a Net<Int>,
    node: &'a crate::graph::NetNode<Int>,
    channel: usize,
) -> impl Iterator<Item = usize> + use<'a> {
    let channels = usize::from(net.shape(node.inputs[0]).c);
    (channel..node.store.weights.len()).step_by(channels)
}

/// Takes the channels that do not stay out of every tensor and every node.
fn apply(net: &mut Net<Int>, ranges: &[Vec<Range>], keep: &[Vec<bool>]) -> Result<()> {
    for i in 0..net.nodes.len() {
        let (x, y) = (net.nodes[i].inputs[0], net.nodes[i].output);
        let (kept_in, kept_out) = (&keep[x.at()], &keep[y.at()]);
        let (channels, units) = (kept_in.len(), kept_out.len());
        let count = |kept: &[bool]| kept.iter().filter(|&&kept| kept).count() as u16; // not more than before
        let node = &mut net.nodes[i];
        if absorbs(&node.op) {
            let mut added = vec![0i64; units];
            let each = node.store.weights.len() / units;
            for (at, &w) in node.store.weights.iter().enumerate() {
                let channel = at % channels;
                if !kept_in[channel] {
                    let value = ranges[x.at()][channel].constant().unwrap_or(0); // else weighed by 0
                    added[at / each] += i64::from(w) * i64::from(value);
                }
            }
            for (at, bias) in node.store.bias.iter_mut().enumerate() {
                let sum = i64::from(*bias) + added[at % units];
                *bias = i32::try_from(sum)
                    .map_err(|_| Error::new(format!("{}: a bias of {sum} exceeds i32", node.name)))?;
            }
            let mut at = 0..;
            node.store
                .weights
                .retain(|_| at.next().is_some_and(|at: usize| kept_out[at / each] && kept_in[at % channels]));
            retain(&mut node.store.bias, kept_out);
            retain(&mut node.store.requant, kept_out);
            if let Op::Conv2d(conv) = &mut node.op {
                (conv.units, conv.span) = (count(kept_out), count(kept_in));
            } else if let Op::Dense(dense) = &mut node.op {
                dense.units = count(kept_out);
            }
        } else if let Op::DepthwiseConv2d(_) = node.op {
            retain(&mut node.store.weights, kept_out);
            retain(&mut node.store.bias, kept_out);
            retain(&mut node.store.requant, kept_out);
        } else if let Op::Reshape { shape } = &mut node.op
            && kept_out.contains(&false)
        {
            shape.c = count(kept_out);
        }
    }
    for (tensor, kept) in net.tensors.iter_mut().zip(keep) {
        tensor.shape.c = kept.iter().filter(|&&kept| kept).count() as u16; // not more than before
    }
    Ok(())
}

/// Keeps the elements of the channels that stay; the last axis is the channels.
fn retain<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut stays = keep.iter().cycle();
    values.retain(|_| stays.next().is_some_and(|&keep| keep));
}
