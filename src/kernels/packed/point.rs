//! Convolution by a 1x1 kernel.
//!
//! Some pixels at a time, group by group, are widened to int16 as they lie and interleaved word by word, two by two; four units and two
//! pixels a time they are a matrix times vectors.

use super::{activate_all, factors, quads, shared};
use crate::arch::Isa;
use crate::arch::packed::{Lines, Quads, Runs};
use crate::ir::{Bias, Bunches, Chunk, Conv2d, IntData};
use crate::kernels::Flow;

/// Convolution of `x` into `y`, weights packed as [`DspPoint`](crate::ir::Packing::DspPoint). `rests` tells how many units
/// there may be behind quads.
#[inline(never)]
pub(crate) fn point_conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
    rests: u8,
) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, _), (y, zero)) = (flow.x, flow.y);
    let [units, channels] = [conv.units, x.c].map(usize::from);
    let [below, right] = conv.window.stride.map(usize::from);
    let chunk = Chunk::new(conv, x.c, scratch.len());
    let len = chunk.elements;
    let groups = usize::from(conv.groups).checked_div(chunk.merged).unwrap_or(0);
    let Some(pixels) = scratch.get_mut(..chunk.scratch()) else { return };
    if len % 2 == 1 {
        pixels.fill(0); // the last element has a neighbour whose weight is 0
    }
    let per_group = units.checked_div(groups).unwrap_or(0);
    let each = Bunches::quads(per_group).units();
    let quad: [_; 4] = shared(data.requant);
    let pair = 8 * chunk.pairs;
    let mut some = Quads {
        weights: data.weights,
        requant: data.requant,
        requant_step: 0,
        bias: data.bias,
        bias_step: if conv.bias == Bias::Unit { groups * each } else { 0 },
        count: per_group / 4,
        pixels: 0,
        pairs: chunk.pairs,
        x_from: 0,
        x_step: pair,
        y_step: units,
        row_steps: [0; 2],
        zero,
    };
    // At stride 1 all pixels are one row.
    let all = usize::from(y.h) * usize::from(y.w);
    let width = if conv.window.is_point() { all } else { y.w.into() };
    let (mut from, mut first) = ((0, 0), 0);
    while first < all && chunk.pixels > 0 {
        some.pixels = chunk.pixels.min(all - first);
        let mut next = from;
        for group in 0..groups {
            let input = flow.input();
            let mut i = 0;
            next = from;
            while i < some.pixels {
                let (oy, ox) = next;
                let count = (width - ox).min(some.pixels - i);
                let at = input.at(oy * below, ox * right) + group * len;
                let x = input.data.get(at..).unwrap_or_default();
                let to = pixels.get_mut(i / 2 * pair..).unwrap_or_default();
                isa.widen_pixels(&Lines { x, len, step: right * channels, count }, to, pair, i % 2);
                i += count;
                next = if ox + count == width { (oy + 1, 0) } else { (oy, ox + count) };
            }
            (some.requant, some.requant_step) = factors(data.requant, group * each, &quad);
            some.weights = data.weights.get(group * each * 2 * chunk.pairs..).unwrap_or_default();
            some.bias = data.bias.get(first * some.bias_step + group * each..).unwrap_or_default();
            let to = flow.output().get_mut(first * units + group * per_group..).unwrap_or_default();
            quads::<I, false>(isa, &some, (1, Runs::one(pixels)), to, per_group, rests);
        }
        (from, first) = (next, first + some.pixels);
    }
    activate_all(isa, flow, data.clamp);
}
