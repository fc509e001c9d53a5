//! Weights in the order that a CPU reads, node by node, where it can be proved that the bytes stay the same.
//!
//! A node that a packing does not fit keeps the plain order, which every engine runs too.

mod add;
mod depthwise;
mod dual;
mod winograd;

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

/// A node's numbers packed for the DSP instructions.
fn packed(net: &Net<Int>, i: usize) -> Option<IntStore> {
    let node = &net.nodes[i];
    let (x, y) = (net.shape(node.inputs[0]), net.shape(node.output));
    let mut store = match &node.op {
        Op::Conv2d(conv) => match winograd::filters(conv, x, &node.store) {
            Some(store) => store,
            None => dual::quads(conv, x, &node.store)?,
        },
        Op::DepthwiseConv2d(conv) => depthwise::records(conv, x, &node.store)?,
        Op::Dense(dense) => dual::eights(dense, &node.store)?,
        Op::Add(Operands::Equal) => {
            let zero = |id| net.tensors[usize::from(id)].meta.zero;
            let zeros = [zero(node.inputs[0].0), zero(node.inputs[1].0), zero(node.output.0)];
            add::linear(zeros, &node.store)?
        }
        _ => return None,
    };
    let lengths = store.packing.lengths(&node.op, x, y)?;
    let len = store.scratch.len.max(lengths.scratch as u32);
    store.scratch = Scratch { offset: 0, len };
    Some(store)
}
