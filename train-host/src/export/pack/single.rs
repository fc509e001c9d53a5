//! Convolutions of a single channel that are faster as depthwise ones, of as many outputs a channel as they have units: such read
//! rows that lie joined for all units, and copy no windows together.

use zipnet::ir::{Bias, Conv2d, Int, Joined, Op, Packing, Shape, Taps};

use super::WORTH;
use super::depthwise::of_three;
use crate::clean;
use crate::graph::Net;

/// Makes each such convolution, from node `first` on, the depthwise one that it is, where that is worth a kernel or the net has it
/// anyway.
pub(super) fn rewrite(net: &mut Net<Int>, first: usize) {
    let has = |net: &Net<Int>, three: bool| {
        net.nodes.iter().any(|node| {
            let Op::DepthwiseConv2d(conv) = &node.op else { return false };
            !three || Joined::is_three(conv, net.shape(node.inputs[0]))
        })
    };
    for i in first..net.nodes.len() {
        let (node, x) = (&net.nodes[i], net.shape(net.nodes[i].inputs[0]));
        let Op::Conv2d(conv) = node.op else { continue };
        let plain = node.store.packing == Packing::Plain && node.store.bits == 8;
        if x.c == 1
            && plain
            && let Some(saved) = saved(&conv, x)
            && (WORTH * saved as u64 > net.macs() || has(net, conv.units > 1))
        {
            clean::depthwise(&mut net.nodes[i], conv);
        }
    }
}

/// About how many cycles a convolution of one channel takes less as a depthwise one; `None` where it takes more.
fn saved(conv: &Conv2d, x: Shape) -> Option<usize> {
    let [height, width] = conv.window.output(x.h, x.w)?.map(usize::from);
    let (taps, outputs) = (conv.window.taps(), height * width);
    if taps == 1 || conv.bias == Bias::Unit {
        return None;
    }
    let copied = Taps::new(conv, x)?;
    let copied = copied.cycles(copied.enough(copied.least() + Taps::ROOM)?);
    let depthwise = clean::as_depthwise(conv);
    let cycles = if conv.units == 1 {
        1500 + 3 * x.len() + outputs * (22 + 8 * taps.div_ceil(2))
    } else if Joined::is_three(&depthwise, x) {
        // All units read what is joined once, which of a channel is about a seventh.
        1500 + 20 * outputs + of_three(&depthwise, x, conv.units.into()) * 6 / 7
    } else {
        return None;
    };
    copied.checked_sub(cycles)
}
