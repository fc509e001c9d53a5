//! Convolution, plain and grouped, by windows copied together.
//!
//! Some pixels at a time: what their windows see is widened to int16 and interleaved word by word for each two of them,
//! border and all. They are then a matrix times vectors, four units and two pixels a time. This asks for nothing of the
//! window, so it takes every convolution there is.

use super::{activate, factors, quads, shared};
use crate::arch::packed::Quads;
use crate::arch::{Isa, run};
use crate::ir::{Bias, Chunk, Conv2d, IntData};
use crate::kernels::{Axis, Flow, Input, Taps};

/// Convolution of `x` into `y`, weights packed as [`DspPatch`](crate::ir::Packing::DspPatch).
#[inline(never)]
pub(crate) fn conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    mut flow: Flow<'_>,
    scratch: &mut [i8],
) {
    let ((x, _), (y, zero)) = (flow.x, flow.y);
    let [units, channels, span, groups] = [conv.units, x.c, conv.span, conv.groups].map(usize::from);
    let (rows, columns) = (Axis::rows(&conv.window, x), Axis::columns(&conv.window, x));
    let whole = groups == 1 && span == channels && columns.dilation == 1;
    let chunk = Chunk::new(conv, scratch.len());
    if chunk.pixels == 0 {
        return;
    }
    let Some(patches) = scratch.get_mut(..chunk.scratch()) else { return };
    patches.fill(0); // an odd last element has a neighbour whose weight is 0
    let per_group = units.checked_div(groups).unwrap_or(0);
    let each = per_group.div_ceil(4);
    let all = 4 * groups * each;
    let bias_step = if conv.bias == Bias::Unit { all } else { 0 };
    let (width, end) = (usize::from(y.w), usize::from(y.h) * usize::from(y.w));
    let patch = 8 * chunk.pairs;
    let quad: [_; 4] = shared(data.requant);
    let (mut oy, mut ox, mut pixel) = (0, 0, 0);
    while pixel < end {
        let pixels = chunk.pixels.min(end - pixel);
        let bias = run(data.bias, pixel * bias_step, if bias_step == 0 { all } else { pixels * all });
        let (mut next, mut weights, mut first) = ((oy, ox), 0, 0);
        for group in 0..groups {
            next = (oy, ox);
            let channel = group * channels.checked_div(groups).unwrap_or(0);
            let window = Patches { x: flow.input(), rows, columns, span, whole };
            for i in 0..pixels {
                let to = patches.get_mut(i / 2 * patch..).unwrap_or_default();
                window.gather(isa, (rows.taps(next.0), columns.taps(next.1)), channel, to, i % 2);
                next.1 += 1;
                if next.1 == width {
                    next = (next.0 + 1, 0);
                }
            }
            let (requant, requant_step) = factors(data.requant, first, &quad);
            let of_group = Quads {
                weights: run(data.weights, weights, patch * each),
                requant,
                requant_step,
                bias: bias.get(first..).unwrap_or_default(),
                bias_step,
                count: per_group / 4,
                pixels,
                pairs: chunk.pairs,
                x_from: 0,
                x_step: patch,
                y_step: units,
                zero,
            };
            let y = flow.output().get_mut(pixel * units + group * per_group..).unwrap_or_default();
            quads(isa, &of_group, &[patches], y, per_group);
            (weights, first) = (weights + patch * each, first + 4 * each);
        }
        (oy, ox) = next;
        let y = flow.output().get_mut(pixel * units..).unwrap_or_default();
        activate(isa, y.get_mut(..pixels * units).unwrap_or_default(), data.clamp);
        pixel += pixels;
    }
}

/// What stays the same for all windows.
struct Patches<'a> {
    x: Input<'a>,
    rows: Axis,
    columns: Axis,
    span: usize,
    /// Whether a kernel row inside the image is one run.
    whole: bool,
}

impl Patches<'_> {
    /// Widens what a window reads, for the group from `channel` on, in the order of the weights.
    #[inline(never)]
    fn gather<I: Isa>(
        &self,
        isa: I,
        (rows, columns): (Taps, Taps),
        channel: usize,
        to: &mut [i8],
        lane: usize,
    ) {
        let mut at = 0;
        for ky in 0..self.rows.kernel {
            match rows.place(ky, self.rows.dilation) {
                Some(row) if self.whole => {
                    let before = columns.first * self.span;
                    let len = (columns.end - columns.first) * self.span;
                    let after = (self.columns.kernel - columns.end) * self.span;
                    self.border(isa, before, to, at, lane);
                    isa.widen_lane(run(self.x.data, self.x.at(row, columns.at), len), to, at + before, lane);
                    self.border(isa, after, to, at + before + len, lane);
                    at += before + len + after;
                }
                Some(row) => {
                    let head = self.span.min(usize::from(self.x.shape.c) - channel);
                    for kx in 0..self.columns.kernel {
                        match columns.place(kx, self.columns.dilation) {
                            Some(column) => {
                                let from = self.x.at(row, column);
                                isa.widen_lane(run(self.x.data, from + channel, head), to, at, lane);
                                let tail = run(self.x.data, from, self.span - head);
                                isa.widen_lane(tail, to, at + head, lane);
                            }
                            None => self.border(isa, self.span, to, at, lane),
                        }
                        at += self.span;
                    }
                }
                None => {
                    self.border(isa, self.columns.kernel * self.span, to, at, lane);
                    at += self.columns.kernel * self.span;
                }
            }
        }
    }

    /// As many zero points.
    fn border<I: Isa>(&self, isa: I, mut count: usize, to: &mut [i8], mut at: usize, lane: usize) {
        const MOST: usize = 32;
        while count > 0 {
            let len = count.min(MOST);
            isa.widen_lane(run(&[self.x.zero; MOST], 0, len), to, at, lane);
            (count, at) = (count - len, at + len);
        }
    }
}
