//! Convolution, plain and grouped. The windows of four neighbouring outputs are runs of the ring; they are copied together,
//! two in a word, and each unit is a sum of products over them. This asks for nothing of the window, so it takes every
//! convolution there is.

use crate::arch::halves::Block;
use crate::arch::{Isa, run};
use crate::ir::{Bias, Conv2d, Halves, IntData, Ring};
use crate::kernels::Flow;
use crate::kernels::ring::{Pixels, Rows};

/// Convolution of `x` into `y`, weights packed as [`Halves`](crate::ir::Packing::Halves).
#[inline(never)]
pub(crate) fn conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, flow: &mut Flow<'_>) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, zero), (y, _)) = (flow.x, flow.y);
    let halves = Halves::new(conv);
    let [units, channels, span] = [conv.units, x.c, conv.span].map(usize::from);
    let [kernel, stride, dilation] = [conv.window.kernel, conv.window.stride, conv.window.dilation];
    let [rows, columns] = kernel.map(usize::from);
    let [row_step, column_step] = stride.map(usize::from);
    let [row_dilation, column_dilation] = dilation.map(usize::from);
    let group_step = channels.checked_div(halves.groups).unwrap_or(0);
    // Whether a kernel row is one run.
    let whole = halves.groups == 1 && span == channels && column_dilation == 1;
    let bias_step = if conv.bias == Bias::Unit { units } else { 0 };
    let Some((words, kept)) = scratch.split_at_mut_checked(halves.words()) else { return };
    let mut image = Rows::new(Ring::new(&conv.window, x), zero, kept);
    let mut pixels = Pixels::new([y.h, y.w].map(usize::from));
    let mut pixel = 0;
    while let Some((four, count)) = pixels.four() {
        image.fill(isa, flow.input(), four[3].0 * row_step + (rows - 1) * row_dilation + 1);
        for group in 0..halves.groups {
            let source = image.data(flow.input());
            let channel = group * group_step;
            let mut at = 0;
            for ky in 0..rows {
                let places = four.map(|(oy, ox)| {
                    image.at(oy * row_step + ky * row_dilation) + ox * column_step * channels
                });
                if whole {
                    isa.lay_four(source, &places, columns * channels, words, at);
                    at += columns * channels;
                    continue;
                }
                for kx in 0..columns {
                    // Channels of a group from `channel` on, then after wrapping round.
                    let head = span.min(channels - channel);
                    let first = kx * column_dilation * channels;
                    let from = places.map(|place| place + first + channel);
                    isa.lay_four(source, &from, head, words, at);
                    isa.lay_four(source, &places.map(|place| place + first), span - head, words, at + head);
                    at += span;
                }
            }
            let first = group * halves.units;
            let block = Block {
                weights: run(data.weights, group * halves.weights(), halves.weights()),
                requant: run(data.requant, first, halves.units),
                bias: data.bias.get(pixel * bias_step + first..).unwrap_or_default(),
                bias_step,
                units: halves.units,
                pairs: halves.pairs,
                pixels: count,
                y_step: units,
                store: flow.store(data.clamp),
            };
            let y = flow.output().get_mut(pixel * units + first..).unwrap_or_default();
            isa.halves(&block, words, y);
        }
        pixel += count;
    }
}
