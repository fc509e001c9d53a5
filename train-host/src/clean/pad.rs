//! Padding into the windows after it.
//!
//! A convolution's border reads the zero point. Padding by that very value, along rows and columns alone, is therefore
//! a wider border.

use zipnet::ir::{Int, Op, Padding, Window};

use super::{redirect, sweep};
use crate::graph::Net;

/// Folds each padding whose readers can all take it.
pub(super) fn fold(net: &mut Net<Int>) -> Vec<String> {
    let mut notes = Vec::new();
    while let Some((i, windows)) = (0..net.nodes.len()).find_map(|i| Some((i, windows(net, i)?))) {
        for (reader, wider) in windows {
            if let Op::Conv2d(zipnet::ir::Conv2d { window, .. })
            | Op::DepthwiseConv2d(zipnet::ir::DepthwiseConv2d { window, .. }) = &mut net.nodes[reader].op
            {
                *window = wider;
            }
            let (pad, into) = (&net.nodes[i], &net.nodes[reader]);
            let bytes = net.shape(pad.output).len();
            notes.push(format!(
                "{} went into the border of {}: {bytes} bytes of activations",
                pad.name, into.name
            ));
        }
        let (from, to) = (net.nodes[i].output, net.nodes[i].inputs[0]);
        redirect(net, from, to);
        sweep(net);
    }
    notes
}

/// The readers of padding node `i` with the windows that take it in, if all of them can.
fn windows(net: &Net<Int>, i: usize) -> Option<Vec<(usize, Window)>> {
    let node = &net.nodes[i];
    let Op::Pad(pad) = node.op else { return None };
    let meta = net.tensors[node.inputs[0].at()].meta;
    if pad.before[2] != 0
        || pad.after[2] != 0
        || node.store.bias != [i32::from(meta.zero)]
        || node.output == net.output
    {
        return None;
    }
    let x = net.shape(node.inputs[0]);
    net.readers(node.output)
        .map(|reader| {
            let window = super::window(&net.nodes[reader].op)?;
            let Padding { top, bottom, left, right } = window.padding;
            let wider = window.padding(Padding {
                top: top.checked_add(pad.before[0])?,
                bottom: bottom.checked_add(pad.after[0])?,
                left: left.checked_add(pad.before[1])?,
                right: right.checked_add(pad.after[1])?,
            });
            let y = net.shape(net.nodes[reader].output);
            (wider.output(x.h, x.w) == Some([y.h, y.w])).then_some((reader, wider))
        })
        .collect()
}
