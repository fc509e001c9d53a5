//! Weights in the order that a CPU reads, node by node, where it can be proved that the bytes stay the same.
//!
//! A node that a packing does not fit keeps the plain order, which every engine runs too.

mod add;
mod depthwise;
mod dual;
mod fours;

use clap::ValueEnum;
use zipnet::ir::{Int, Op, Operands, Packing, Scratch};

use crate::Result;
use crate::graph::{IntStore, Net};
use crate::plan::plan;

/// The CPU that a table is made for. Every table gives the same bytes on every CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Target {
    /// Any CPU: weights in plain order.
    #[default]
    Portable,
    /// Cortex-M0, M0+ and M3: weights in plain order, which serves them best.
    CortexM0,
    /// Cortex-M4, M7, M33 and others with DSP instructions: weights packed for dual multiplications.
    CortexM4,
}

/// Packs every node of a net for `target` that can be packed, and places its tensors anew. Gives the bytes of arena.
///
/// # Errors
/// As [`plan`].
pub fn pack(net: &mut Net<Int>, target: Target) -> Result<usize> {
    if target == Target::CortexM4 {
        for i in 0..net.nodes.len() {
            if net.nodes[i].store.packing == Packing::Plain
                && let Some(store) = packed(net, i)
            {
                net.nodes[i].store = store;
            }
        }
    }
    plan(net)
}

/// The net as hosts run it fastest. Such a packing lives in memory only: no table holds it.
///
/// # Errors
/// As [`plan`].
pub fn for_host(net: &Net<Int>) -> Result<Net<Int>> {
    let mut net = net.clone();
    for i in 0..net.nodes.len() {
        if net.nodes[i].store.packing == Packing::Plain
            && let Some(store) = by_fours(&net, i).and_then(|store| with_scratch(&net, i, store))
        {
            net.nodes[i].store = store;
        }
    }
    plan(&mut net)?;
    Ok(net)
}

/// A node's numbers packed for dot-product instructions.
fn by_fours(net: &Net<Int>, i: usize) -> Option<IntStore> {
    let node = &net.nodes[i];
    let x = net.shape(node.inputs[0]);
    match &node.op {
        Op::Conv2d(conv) => fours::conv2d(conv, x, &node.store),
        Op::DepthwiseConv2d(conv) => fours::depthwise(conv, x, &node.store),
        Op::Dense(dense) => Some(fours::dense(dense, x, &node.store)),
        Op::Add(Operands::Equal) => add::linear(zeros(net, i), &node.store, 256),
        _ => None,
    }
}

/// A node's packed numbers with the scratch they ask for.
fn with_scratch(net: &Net<Int>, i: usize, store: IntStore) -> Option<IntStore> {
    let node = &net.nodes[i];
    let lengths = store.packing.lengths(&node.op, net.shape(node.inputs[0]), net.shape(node.output))?;
    Some(IntStore { scratch: Scratch { offset: 0, len: lengths.scratch as u32 }, ..store })
}

/// Zero points of both operands of an addition, and of the sum.
fn zeros(net: &Net<Int>, i: usize) -> [i8; 3] {
    let node = &net.nodes[i];
    [node.inputs[0], node.inputs[1], node.output].map(|id| net.tensors[id.at()].meta.zero)
}

/// A node's numbers packed for the DSP instructions.
fn packed(net: &Net<Int>, i: usize) -> Option<IntStore> {
    let node = &net.nodes[i];
    let x = net.shape(node.inputs[0]);
    let store = match &node.op {
        Op::Conv2d(conv) => dual::quads(conv, x, &node.store)?,
        Op::DepthwiseConv2d(conv) => depthwise::records(conv, x, &node.store)?,
        Op::Dense(dense) => dual::eights(dense, &node.store)?,
        Op::Add(Operands::Equal) => add::linear(zeros(net, i), &node.store, 1)?,
        _ => return None,
    };
    with_scratch(net, i, store)
}
