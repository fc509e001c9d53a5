//! Makes an int8 net smaller without changing one byte of any output.
//!
//! Each pass takes nodes or channels away where it can prove that nothing changes: padding goes into the window of the
//! convolution after it (`pad`), an activation into the clamp of the operator before it (`clamp`), a resizing into the one
//! after it (`resize`), channels that are constant or that nobody weighs into the biases after them (`channels`, by what
//! `range` proves). Convolutions that are left and are something simpler become that (`simpler`).

mod channels;
mod clamp;
mod pad;
mod range;
mod resize;
mod simpler;
#[cfg(test)]
mod tests;

pub(crate) use simpler::{as_depthwise, depthwise};
use zipnet::ir::{Int, Op, TensorId, Window};

use crate::Result;
use crate::graph::Net;

/// Runs every pass until none finds more, and says in a line each what went and what that saved. Offsets in the arena
/// are void afterwards.
///
/// # Errors
/// Where a folded bias would not fit i32; the net is then as far as it got.
pub fn clean(net: &mut Net<Int>) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    sweep(net);
    loop {
        let before = notes.len();
        notes.extend(pad::fold(net));
        notes.extend(clamp::fold(net)?);
        notes.extend(resize::fold(net));
        notes.extend(channels::remove(net)?);
        if notes.len() == before {
            simpler::rewrite(net);
            return Ok(notes);
        }
    }
}

/// The window of a convolution, whose border reads the zero point.
const fn window(op: &Op) -> Option<Window> {
    if let Op::Conv2d(conv) = op {
        Some(conv.window)
    } else if let Op::DepthwiseConv2d(conv) = op {
        Some(conv.window)
    } else {
        None
    }
}

/// Lets every reader of a tensor read another.
fn redirect(net: &mut Net<Int>, from: TensorId, to: TensorId) {
    for id in net.nodes.iter_mut().flat_map(|node| &mut node.inputs) {
        if *id == from {
            *id = to;
        }
    }
    if net.output == from {
        net.output = to;
    }
}

/// Drops nodes whose output nobody reads, and tensors that nobody writes.
fn sweep(net: &mut Net<Int>) {
    while let Some(i) =
        net.nodes.iter().position(|n| n.output != net.output && net.readers(n.output).next().is_none())
    {
        net.nodes.remove(i);
    }
    let mut ids = vec![None; net.tensors.len()];
    let mut tensors = Vec::new();
    for id in std::iter::once(net.input).chain(net.nodes.iter().map(|node| node.output)) {
        ids[id.at()] = Some(TensorId(tensors.len() as u16)); // no more than before
        tensors.push(net.tensors[id.at()]);
    }
    let renamed = |id: TensorId| ids[id.at()].unwrap_or(id); // a read tensor is written
    for node in &mut net.nodes {
        node.inputs.iter_mut().for_each(|id| *id = renamed(*id));
        node.output = renamed(node.output);
    }
    (net.input, net.output) = (renamed(net.input), renamed(net.output));
    net.tensors = tensors;
}
