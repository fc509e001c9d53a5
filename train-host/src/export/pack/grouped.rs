//! Depthwise convolutions as convolutions in groups of one channel.
//!
//! They are the same. Packings of depthwise kernels are for one output a channel, and for so many taps; what they leave out
//! finds a packing as a convolution. The weights `[tap][unit]` become `[unit][tap]`. Where a row of a window over all channels
//! is short, all are one group, with weights of 0 where a unit does not look: it is one run, which takes less time than
//! runs of single elements.

use zipnet::ir::{Conv2d, DepthwiseConv2d, Int, Op, Packing, Shape};

use crate::graph::Net;

/// The most elements of such a row.
const SHORT: usize = 16;

/// Makes a convolution of every depthwise one in plain order that `stays` says no to, told its image and the bits of a weight.
pub(super) fn rewrite(net: &mut Net<Int>, stays: impl Fn(&DepthwiseConv2d, Shape, u8) -> bool) {
    for i in 0..net.nodes.len() {
        let x = net.shape(net.nodes[i].inputs[0]);
        let node = &mut net.nodes[i];
        let Op::DepthwiseConv2d(conv) = node.op else { continue };
        if node.store.packing != Packing::Plain || stays(&conv, x, node.store.bits) {
            continue;
        }
        let DepthwiseConv2d { multiplier, window, bias } = conv;
        let (units, taps, c) = (multiplier * x.c, window.taps(), usize::from(x.c));
        let short = usize::from(window.kernel[1]) * c <= SHORT;
        let (groups, span) = if short { (1, x.c) } else { (x.c, 1) };
        node.op = Op::Conv2d(Conv2d { units, window, groups, span, bias });
        let plain = &node.store.weights;
        let mut weights = Vec::with_capacity(usize::from(units) * taps * usize::from(span));
        for unit in 0..usize::from(units) {
            let channel = unit / usize::from(multiplier);
            for tap in 0..taps {
                let of = |seen: u16| {
                    if short && usize::from(seen) != channel {
                        0
                    } else {
                        plain[tap * usize::from(units) + unit]
                    }
                };
                weights.extend((0..span).map(of));
            }
        }
        node.store.weights = weights;
    }
}

#[cfg(test)]
mod tests {
    use zipnet::ir::{Bias, IntTensor, Requant, Window};

    use super::*;
    use crate::export::{Target, pack};
    use crate::graph::IntStore;

    #[test]
    fn weights_of_four_bits_stay_as_few() {
        let meta = IntTensor { scale: 1.0, zero: 0, offset: 0 };
        let window = Window::new(3, 3);
        let conv = DepthwiseConv2d { multiplier: 6, window, bias: Bias::Channel };
        for (bits, weight_bytes) in [(8, 4 * 216), (4, 108)] {
            let mut net = Net::<Int>::new("one", Shape::new(6, 6, 4), meta);
            let (input, op) = (net.input, Op::DepthwiseConv2d(conv));
            let store = IntStore {
                weights: (0..216).map(|i| (i % 16 - 8) as i8).collect(),
                bias: vec![1; 24],
                requant: vec![Requant::new(1 << 30, -6); 24],
                bits,
                ..IntStore::default()
            };
            net.push("conv", op, &[input], meta, store).expect("shapes meet");
            pack(&mut net, Target::CortexM55, None).expect("packs");
            let node = &net.nodes[0];
            assert_eq!(matches!(node.op, Op::DepthwiseConv2d(_)), bits == 4, "{bits}");
            assert!(node.store.weights.len() >= weight_bytes && node.store.weights.len() < 2 * weight_bytes);
        }
    }
}
