//! Two resizings in a row are one.
//!
//! The second takes pixels of the first, which took pixels of the input: its map leads through the other's. Repeating rows
//! and then columns is thus one enlargement, and what lay between needs no memory.

use zipnet::ir::{Int, Op};

use super::{redirect, sweep};
use crate::graph::{Net, NetNode};

/// Folds each resizing into the only reader of its output, where that is another.
pub(super) fn fold(net: &mut Net<Int>) -> Vec<String> {
    let mut notes = Vec::new();
    while let Some((first, second)) = (0..net.nodes.len()).find_map(|i| Some((before(net, i)?, i))) {
        let (one, other) = (&net.nodes[first], &net.nodes[second]);
        let bytes = net.shape(one.output).len();
        notes.push(format!("{} went into the map of {}: {bytes} bytes of activations", one.name, other.name));
        let (taken, takes) = (maps(one), maps(other));
        let through = |axis: usize| takes[axis].iter().map(move |&i| taken[axis][i as usize]); // checked
        let map = through(0).chain(through(1)).collect();
        let (from, to) = (one.output, one.inputs[0]);
        net.nodes[second].store.bias = map;
        redirect(net, from, to);
        sweep(net);
    }
    notes
}

/// The resizing whose output resizing `i` alone reads.
fn before(net: &Net<Int>, i: usize) -> Option<usize> {
    let is_resizing = |i: usize| matches!(net.nodes[i].op, Op::ResizeNearest { .. });
    let x = net.nodes[i].inputs[0];
    let first = net.producer(x).filter(|&first| is_resizing(i) && is_resizing(first))?;
    (net.output != x && net.readers(x).count() == 1).then_some(first)
}

/// The rows that a resizing takes, and the columns.
fn maps(node: &NetNode<Int>) -> [&[i32]; 2] {
    let rows = if let Op::ResizeNearest { height, .. } = node.op { usize::from(height) } else { 0 };
    let (rows, columns) = node.store.bias.split_at(rows);
    [rows, columns]
}
