//! Convolutions that look at each channel by itself.
//!
//! In groups of one channel a convolution is a depthwise one, whose kernels need not enter a group for each channel. The
//! weights `[unit][tap]` become `[tap][unit]`.

use zipnet::ir::{DepthwiseConv2d, Int, Op};

use crate::graph::Net;

/// Makes each such convolution depthwise.
pub(super) fn separate(net: &mut Net<Int>) {
    for i in 0..net.nodes.len() {
        let x = net.shape(net.nodes[i].inputs[0]);
        let node = &mut net.nodes[i];
        let Op::Conv2d(conv) = node.op else { continue };
        if conv.groups == 1 || conv.groups != x.c || conv.span != 1 {
            continue;
        }
        let (units, taps) = (usize::from(conv.units), conv.window.taps());
        let plain = &node.store.weights;
        node.store.weights = (0..taps * units).map(|at| plain[at % units * taps + at / units]).collect();
        let multiplier = conv.units / conv.groups;
        node.op = Op::DepthwiseConv2d(DepthwiseConv2d { multiplier, window: conv.window, bias: conv.bias });
    }
}
