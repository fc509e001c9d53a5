//! Convolution by a 1x1 kernel.
//!
//! Some pixels at a time are widened to int16 as they lie and interleaved word by word, two by two; four units and two
//! pixels a time they are a matrix times vectors.

use super::{activate, factors, quads, shared};
use crate::arch::Isa;
use crate::arch::packed::{Lines, Quads, Runs};
use crate::ir::{Bias, Chunk, Conv2d, IntData};
use crate::kernels::Flow;

/// Convolution of `x` into `y`, weights packed as [`DspPoint`](crate::ir::Packing::DspPoint).
#[inline(never)]
pub(crate) fn point_conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, flow: &mut Flow<'_>) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, _), (y, zero)) = (flow.x, flow.y);
    let [units, channels] = [conv.units, x.c].map(usize::from);
    let [below, right] = conv.window.stride.map(usize::from);
    let chunk = Chunk::new(conv, conv.span, scratch.len());
    let Some(pixels) = scratch.get_mut(..chunk.scratch()) else { return };
    if channels % 2 == 1 {
        pixels.fill(0); // the last element has a neighbour whose weight is 0
    }
    let quad: [_; 4] = shared(data.requant);
    let (requant, requant_step) = factors(data.requant, 0, &quad);
    let padded = 4 * units.div_ceil(4);
    let pair = 8 * chunk.pairs;
    let mut some = Quads {
        weights: data.weights,
        requant,
        requant_step,
        bias: data.bias,
        bias_step: if conv.bias == Bias::Unit { padded } else { 0 },
        count: units / 4,
        pixels: 0,
        pairs: chunk.pairs,
        x_from: 0,
        x_step: pair,
        y_step: units,
        zero,
    };
    // At stride 1 all pixels are one row.
    let all = usize::from(y.h) * usize::from(y.w);
    let width = if conv.window.is_point() { all } else { y.w.into() };
    let (mut oy, mut ox, mut first) = (0, 0, 0);
    while first < all && chunk.pixels > 0 {
        some.pixels = chunk.pixels.min(all - first);
        let input = flow.input();
        let mut i = 0;
        while i < some.pixels {
            let count = (width - ox).min(some.pixels - i);
            let x = input.data.get(input.at(oy * below, ox * right)..).unwrap_or_default();
            let to = pixels.get_mut(i / 2 * pair..).unwrap_or_default();
            let lines = Lines { x, len: channels, step: right * channels, count };
            isa.widen_pixels(&lines, to, pair, 0, i % 2);
            (i, ox) = (i + count, ox + count);
            if ox == width {
                (oy, ox) = (oy + 1, 0);
            }
        }
        some.bias = data.bias.get(first * some.bias_step..).unwrap_or_default();
        let to = flow.output().get_mut(first * units..).unwrap_or_default();
        quads(isa, &some, Runs::one(pixels), to, units);
        first += some.pixels;
    }
    activate(isa, flow.output(), data.clamp);
}
