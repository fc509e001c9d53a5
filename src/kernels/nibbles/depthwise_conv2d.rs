//! Convolution of each channel by itself.
//!
//! The weights of some channels at a time are unpacked, once for all pixels; then a tap is a run of products.

use super::weight;
use crate::arch::{Isa, LANES, run};
use crate::ir::{Bias, DepthwiseConv2d, IntData, Nibbles};
use crate::kernels::{Axis, Input, Output, Taps};

const _: () = assert!(Nibbles::CHANNELS <= LANES);

/// Depthwise convolution of `x` into `y`, weights packed as [`NibblesDepthwise`](crate::ir::Packing::NibblesDepthwise).
#[inline(never)]
pub(crate) fn depthwise_conv2d<I: Isa>(
    isa: I,
    conv: &DepthwiseConv2d,
    data: &IntData<'_>,
    x: Input<'_>,
    y: Output<'_>,
    scratch: &mut [i8],
) {
    let [channels, multiplier] = [y.shape.c, conv.multiplier].map(usize::from);
    let (rows, columns) = (Axis::rows(&conv.window, x.shape), Axis::columns(&conv.window, x.shape));
    let (taps, store) = (rows.kernel * columns.kernel, y.store(data.clamp));
    let bias_step = if conv.bias == Bias::Unit { channels } else { 0 };
    let (mut n, mut input) = (0, 0);
    while n < channels {
        // Channels that may share a block: all of them, or those of one input channel.
        let end = if multiplier == 1 { channels } else { (input + 1) * multiplier };
        let live = Nibbles::CHANNELS.min(end - n);
        let Some(weights) = scratch.get_mut(..taps * live) else { return };
        for (tap, to) in weights.chunks_exact_mut(live.max(1)).enumerate() {
            to.iter_mut().enumerate().for_each(|(i, to)| *to = weight(data.weights, tap * channels + n + i));
        }
        let from = if multiplier == 1 { n } else { input };
        let block = Block { x, rows, columns, from, one: multiplier > 1, weights };
        let (mut bias, mut at) = (n, n);
        for oy in 0..y.shape.h.into() {
            let row_taps = rows.taps(oy);
            for ox in 0..y.shape.w.into() {
                let mut acc = [0; LANES];
                let acc = acc.get_mut(..live).unwrap_or_default();
                acc.iter_mut().zip(run(data.bias, bias, live)).for_each(|(acc, &bias)| *acc = bias);
                block.sum(isa, row_taps, columns.taps(ox), acc);
                let y = y.data.get_mut(at..).and_then(|y| y.get_mut(..live)).unwrap_or_default();
                isa.store(acc, run(data.requant, n, live), store, y);
                (bias, at) = (bias + bias_step, at + channels);
            }
        }
        n += live;
        if n == end {
            input += 1;
        }
    }
}

/// Some channels, their weights unpacked.
struct Block<'a> {
    x: Input<'a>,
    rows: Axis,
    columns: Axis,
    /// The first input channel.
    from: usize,
    /// Whether all read that one.
    one: bool,
    /// `[tap][channel]`.
    weights: &'a [i8],
}

impl Block<'_> {
    /// Adds the products of a window.
    #[inline(always)]
    fn sum(&self, isa: impl Isa, row_taps: Taps, column_taps: Taps, acc: &mut [i32]) {
        let live = acc.len();
        let mut at = 0;
        for ky in 0..self.rows.kernel {
            let row = row_taps.place(ky, self.rows.dilation);
            for kx in 0..self.columns.kernel {
                let w = run(self.weights, at, live);
                at += live;
                match row.zip(column_taps.place(kx, self.columns.dilation)) {
                    Some((row, column)) if !self.one => {
                        isa.tap(acc, run(self.x.data, self.x.at(row, column) + self.from, live), w);
                    }
                    Some((row, column)) => {
                        let value = self.x.data.get(self.x.at(row, column) + self.from).copied();
                        isa.tap(acc, run(&[value.unwrap_or_default(); LANES], 0, live), w);
                    }
                    None => isa.tap(acc, run(&[self.x.zero; LANES], 0, live), w),
                }
            }
        }
    }
}
