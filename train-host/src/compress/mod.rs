//! Makes a trained float net smaller: convolutions split into groups with a channel shuffle between them, whole channels
//! taken away.
//!
//! Each rewrite gives a net of the same inputs and outputs, its weights taken from the old ones as far as they go. It no
//! longer computes quite the same: training it on, with the old net as its teacher
//! ([`distil`](crate::train::distil)), makes up for that.

mod channels;
mod group;

use serde::Serialize;
use zipnet::ir::{Float, Op};

pub use self::group::Unit;
use crate::graph::Net;
use crate::{Error, Result};

/// What to make of a net.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regroup {
    /// Groups of each convolution that can be split.
    pub groups: u16,
    /// Whether a channel shuffle goes between consecutive grouped convolutions.
    pub shuffle: bool,
    /// Factor of the channels of every layer inside the net.
    pub width: f64,
    /// What becomes of a convolution whose window is more than one pixel.
    pub unit: Unit,
}

/// A rewritten net, and what became of each of the old one's operators with weights.
#[derive(Clone, Debug)]
pub struct Rewritten {
    /// The net, not yet trained on.
    pub net: Net<Float>,
    /// A line for each operator with weights, in the old net's order.
    pub changes: Vec<Change>,
}

/// What became of an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its name.
    pub layer: String,
    /// Its operator and shape: `conv2d 3x3, 48 to 72`.
    pub was: String,
    /// What it became; none where it was left.
    pub became: Option<String>,
    /// Why it was left, or why only part of it changed.
    pub why: Option<String>,
}

/// Splits every convolution that can be split into groups.
///
/// # Errors
/// Where the groups or the width are out of range.
pub fn regroup(net: &Net<Float>, to: &Regroup, seed: u64) -> Result<Rewritten> {
    if to.groups == 0 {
        return Err(Error::new("groups is 0; it must be at least 1"));
    }
    if !(to.width.is_finite() && (0.05..=20.0).contains(&to.width)) {
        return Err(Error::new(format!("width is {}; it must be from 0.05 to 20", to.width)));
    }
    let mut wide = net.clone();
    if to.width != 1.0 {
        let (layers, _) = channels::layers(net);
        // A whole number of channels to each group, so that width does not keep a layer from being split.
        let groups = usize::from(to.groups);
        let count = |n: usize| ((n as f64 * to.width / groups as f64).round() as usize).max(1) * groups;
        let counts: Vec<usize> = layers.iter().map(|layer| count(layer.channels())).collect();
        wide = channels::resize(net, &layers, &counts)?;
    }
    let mut made = group::split(&wide, to, seed)?;
    for (change, node) in made.changes.iter_mut().zip(weighted(net)) {
        change.was = describe(net, node);
    }
    Ok(made)
}

/// Takes a share of the channels of every layer inside the net: those of least magnitude.
///
/// # Errors
/// Where the share is out of range.
pub fn prune(net: &Net<Float>, share: f64) -> Result<Rewritten> {
    if !(0.0..1.0).contains(&share) {
        return Err(Error::new(format!("the share of channels is {share}; it must be from 0 to below 1")));
    }
    let (layers, kept) = channels::layers(net);
    let left = |n: usize| ((n as f64 * (1.0 - share)).round() as usize).max(1);
    let counts: Vec<usize> = layers.iter().map(|layer| left(layer.channels())).collect();
    let made = channels::resize(net, &layers, &counts)?;
    let changes = weighted(net).zip(weighted(&made)).map(|(old, new)| {
        let (was, is) = (describe(net, old), describe(&made, new));
        let why = kept.iter().find(|(name, _)| *name == old.name).map(|(_, why)| (*why).to_owned());
        Change { layer: old.name.clone(), became: (was != is).then_some(is), was, why }
    });
    Ok(Rewritten { changes: changes.collect(), net: made })
}

/// Operators with weights, but for batch norms.
fn weighted(net: &Net<Float>) -> impl Iterator<Item = &crate::graph::NetNode<Float>> {
    net.nodes.iter().filter(|node| node.op.weights(net.shape(node.inputs[0])) > 0)
}

/// An operator in words: `conv2d 3x3, 48 to 72`.
fn describe(net: &Net<Float>, node: &crate::graph::NetNode<Float>) -> String {
    let (x, y) = (net.shape(node.inputs[0]), net.shape(node.output));
    let window = match &node.op {
        Op::Conv2d(conv) => conv.window,
        Op::DepthwiseConv2d(conv) => conv.window,
        _ => return format!("{}, {} to {}", node.op.name(), x.len(), y.len()),
    };
    let [rows, columns] = window.kernel;
    let groups = match &node.op {
        Op::Conv2d(conv) if conv.groups > 1 => format!(" in {} groups", conv.groups),
        _ => String::new(),
    };
    format!("{} {rows}x{columns}, {} to {}{groups}", node.op.name(), x.c, y.c)
}
