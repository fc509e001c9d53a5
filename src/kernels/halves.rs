//! Convolution four pixels at a time, two in a word. What it computes is told at its namesake, the arithmetic at
//! [`Halves`].
//!
//! The windows of four neighbouring outputs are copied together, border and all, two in a word; then each unit is a sum of
//! products over them. This asks for nothing of the window, so it takes every convolution there is.

use super::packed::Patches;
use super::{Axis, Flow};
use crate::arch::halves::Block;
use crate::arch::{Isa, run};
use crate::ir::{Bias, Conv2d, Halves, IntData};

/// Convolution of `x` into `y`, weights packed as [`Halves`](crate::ir::Packing::Halves).
#[inline(never)]
pub(crate) fn halves_conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    mut flow: Flow<'_>,
    scratch: &mut [i8],
) {
    let ((x, _), (y, _)) = (flow.x, flow.y);
    let halves = Halves::new(conv);
    let [units, channels, span] = [conv.units, x.c, conv.span].map(usize::from);
    let (rows, columns) = (Axis::rows(&conv.window, x), Axis::columns(&conv.window, x));
    let whole = halves.groups == 1 && span == channels && columns.dilation == 1;
    let bias_step = if conv.bias == Bias::Unit { units } else { 0 };
    let (width, end) = (usize::from(y.w), usize::from(y.h) * usize::from(y.w));
    let group_step = channels.checked_div(halves.groups).unwrap_or(0);
    let (mut oy, mut ox, mut pixel) = (0, 0, 0);
    while pixel < end {
        let pixels = Halves::PIXELS.min(end - pixel);
        let mut next = (oy, ox);
        for group in 0..halves.groups {
            next = (oy, ox);
            let windows = Patches { x: flow.input(), rows, columns, span, whole };
            for i in 0..pixels {
                let taps = (rows.taps(next.0), columns.taps(next.1));
                windows.gather(taps, group * group_step, |x, at| isa.lay_pixel(x, scratch, at, i));
                next.1 += 1;
                if next.1 == width {
                    next = (next.0 + 1, 0);
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
                pixels,
                y_step: units,
                store: flow.store(data.clamp),
            };
            let y = flow.output().get_mut(pixel * units + first..).unwrap_or_default();
            isa.halves(&block, scratch, y);
        }
        (oy, ox) = next;
        pixel += pixels;
    }
}
