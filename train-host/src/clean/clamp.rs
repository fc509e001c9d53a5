//! Activations into the clamps before them.
//!
//! An operator of one input that does nothing but clamp, which is found out by trying all 256 inputs, narrows the clamp
//! of the operator that writes its input, where nobody else reads that. One that does nothing at all just goes.

use zipnet::ir::{Clamp, Int, IntTensor, Op, Shape};

use super::{redirect, sweep};
use crate::Result;
use crate::graph::{Net, NetNode};

/// Folds every such operator.
pub(super) fn fold(net: &mut Net<Int>) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let mut i = 0;
    while i < net.nodes.len() {
        match clamp_of(net, &net.nodes[i])? {
            Some(clamp) if absorb(net, i, clamp) => {
                let node = &net.nodes[i];
                notes.push(format!("{} went into the clamp before it", node.name));
                let (from, to) = (node.output, node.inputs[0]);
                net.tensors[to.at()].meta = net.tensors[from.at()].meta;
                redirect(net, from, to);
                sweep(net);
            }
            _ => i += 1,
        }
    }
    Ok(notes)
}

/// The clamp that a node comes to, if it does nothing else and its input and output mean the same.
fn clamp_of(net: &Net<Int>, node: &NetNode<Int>) -> Result<Option<Clamp>> {
    if !matches!(node.op, Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::Requantize) {
        return Ok(None);
    }
    let [x, y] = [node.inputs[0], node.output].map(|id| net.tensors[id.at()].meta);
    if x.zero != y.zero || x.scale != y.scale {
        return Ok(None);
    }
    let table = table(node, x, y)?;
    let clamp = Clamp::new(table[0], table[255]);
    let only = (i8::MIN..=i8::MAX).zip(table).all(|(x, y)| y == x.clamp(clamp.low, clamp.high));
    Ok(only.then_some(clamp))
}

/// What an operator of one input, element by element, makes of each int8, -128 first.
pub(super) fn table(node: &NetNode<Int>, x: IntTensor, y: IntTensor) -> Result<Vec<i8>> {
    let at = |meta: IntTensor, offset| IntTensor { offset, ..meta };
    let mut net = Net::new("table", Shape::flat(256), at(x, 0));
    let input = net.input;
    net.push(&node.name, node.op, &[input], at(y, 256), node.store.clone())?;
    net.run(&(i8::MIN..=i8::MAX).collect::<Vec<_>>())
}

/// Narrows the clamp of the operator before node `i`; false where there is none, or others read what it writes.
fn absorb(net: &mut Net<Int>, i: usize, clamp: Clamp) -> bool {
    let x = net.nodes[i].inputs[0];
    if clamp == Clamp::FULL {
        return net.output != net.nodes[i].output || net.producer(x).is_some();
    }
    if net.readers(x).count() != 1 || net.output == x {
        return false;
    }
    let Some(before) = net.producer(x) else { return false };
    let before = &mut net.nodes[before];
    let has_clamp = matches!(
        before.op,
        Op::Conv2d(_)
            | Op::DepthwiseConv2d(_)
            | Op::Dense(_)
            | Op::MaxPool2d(_)
            | Op::AvgPool2d(_)
            | Op::Add(_)
            | Op::Sub(_)
            | Op::Mul(_)
            | Op::Relu
            | Op::Relu6
            | Op::ReluN1To1
            | Op::Requantize
    );
    if has_clamp {
        let old = before.store.clamp;
        let within = |q: i8| q.clamp(clamp.low, clamp.high);
        before.store.clamp = Clamp::new(within(old.low), within(old.high));
    }
    has_clamp
}
