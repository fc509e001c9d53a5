//! Convolutions that are something simpler.
//!
//! In groups of one channel each a convolution is a depthwise one, whose kernels need not enter a group for each channel;
//! the weights `[unit][tap]` become `[tap][unit]`. One of a single tap that makes many units of each channel stays, or
//! becomes, a convolution in groups, which computes several units together; its weights are the same in both orders. One
//! whose window is the whole image is a dense layer, with the weights it has.

use zipnet::ir::{Bias, Conv2d, Dense, DepthwiseConv2d, Int, Op, Padding, Shape, Window};

use crate::graph::{Net, NetNode};

/// Units of a channel from which on those of a single tap are computed together.
const MANY: u16 = 4;

/// Makes each such convolution what it is.
pub(super) fn rewrite(net: &mut Net<Int>) {
    for i in 0..net.nodes.len() {
        let x = net.shape(net.nodes[i].inputs[0]);
        let node = &mut net.nodes[i];
        if let Op::DepthwiseConv2d(DepthwiseConv2d { multiplier, window, bias }) = node.op
            && is_many(&window, multiplier)
        {
            let units = multiplier * x.c;
            node.op = Op::Conv2d(Conv2d { units, window, groups: x.c, span: 1, bias });
            continue;
        }
        let Op::Conv2d(conv) = node.op else { continue };
        if conv.groups > 1 && conv.groups == x.c && conv.span == 1 {
            if !is_many(&conv.window, conv.units / conv.groups) {
                depthwise(node, conv);
            }
        } else if conv.groups == 1 && is_whole(&conv, x) {
            let bias = if conv.bias == Bias::None { Bias::None } else { Bias::Channel };
            node.op = Op::Dense(Dense { units: conv.units, bias });
        }
    }
}

fn is_many(window: &Window, multiplier: u16) -> bool {
    window.taps() == 1 && multiplier >= MANY
}

/// Makes a convolution in groups of one channel each a depthwise one.
pub(crate) fn depthwise(node: &mut NetNode<Int>, conv: Conv2d) {
    let (units, taps) = (usize::from(conv.units), conv.window.taps());
    let plain = &node.store.weights;
    node.store.weights = (0..taps * units).map(|at| plain[at % units * taps + at / units]).collect();
    node.op = Op::DepthwiseConv2d(as_depthwise(&conv));
}

/// The depthwise convolution that one in groups of one channel each is.
pub(crate) const fn as_depthwise(conv: &Conv2d) -> DepthwiseConv2d {
    DepthwiseConv2d { multiplier: conv.units / conv.groups, window: conv.window, bias: conv.bias }
}

/// Whether the one output sees each element of the image once, in order.
fn is_whole(conv: &Conv2d, x: Shape) -> bool {
    let window = &conv.window;
    window.kernel == [x.h, x.w]
        && window.padding == Padding::NONE
        && (x.h == 1 || window.dilation[0] == 1)
        && (x.w == 1 || window.dilation[1] == 1)
}
