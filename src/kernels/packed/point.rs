//! Convolution by a 1x1 kernel.
//!
//! Some pixels at a time are widened to int16 as they lie and interleaved word by word, two by two; four units and two
//! pixels a time they are a matrix times vectors.

use super::{activate, factors, quads, shared};
use crate::arch::packed::{Quads, Runs};
use crate::arch::{Isa, run};
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
    pixels.fill(0); // an odd last element has a neighbour whose weight is 0
    let quad: [_; 4] = shared(data.requant);
    let (requant, requant_step) = factors(data.requant, 0, &quad);
    let all = 4 * units.div_ceil(4);
    let pair = 8 * chunk.pairs;
    let mut some = Quads {
        weights: data.weights,
        requant,
        requant_step,
        bias: data.bias,
        bias_step: if conv.bias == Bias::Unit { all } else { 0 },
        count: units / 4,
        pixels: 0,
        pairs: chunk.pairs,
        x_from: 0,
        x_step: pair,
        y_step: units,
        zero,
    };
    let (width, mut left) = (usize::from(y.w), usize::from(y.h) * usize::from(y.w));
    let (mut oy, mut ox, mut first) = (0, 0, 0);
    while left > 0 && chunk.pixels > 0 {
        some.pixels = chunk.pixels.min(left);
        let input = flow.input();
        if conv.window.is_point() {
            let x = run(input.data, first * channels, some.pixels * channels);
            isa.widen_pixels(x, channels, pixels, pair);
        } else {
            for i in 0..some.pixels {
                let x = run(input.data, input.at(oy * below, ox * right), channels);
                isa.widen_lane(x, pixels.get_mut(i / 2 * pair..).unwrap_or_default(), 0, i % 2);
                ox += 1;
                if ox == width {
                    (oy, ox) = (oy + 1, 0);
                }
            }
        }
        some.bias = data.bias.get(first * some.bias_step..).unwrap_or_default();
        let to = flow.output().get_mut(first * units..).unwrap_or_default();
        quads(isa, &some, Runs::one(pixels), to, units);
        (first, left) = (first + some.pixels, left - some.pixels);
    }
    activate(isa, flow.output(), data.clamp);
}
