//! Convolution, plain and grouped, by windows copied together.
//!
//! Two pixels at a time: what their windows see is widened to int16 and interleaved word by word, border and all, so
//! that one pointer serves both. A pixel pair is then a matrix times two vectors, four units a time. This asks for
//! nothing of the window, so it takes every convolution there is; a 1x1 is a window of one run.

use super::activate;
use crate::arch::packed::Quads;
use crate::arch::{Isa, run};
use crate::ir::{Bias, Conv2d, IntData};
use crate::kernels::{Axis, Input, Output, Taps};

/// Convolution of `x` into `y`, weights packed as [`DspPatch`](crate::ir::Packing::DspPatch).
#[inline(never)]
pub(crate) fn conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    x: Input<'_>,
    mut y: Output<'_>,
    scratch: &mut [i8],
) {
    let [channels, span, groups] = [x.shape.c, conv.span, conv.groups].map(usize::from);
    let per_group = usize::from(conv.units).checked_div(groups).unwrap_or(0);
    let (rows, columns) = (Axis::rows(&conv.window, x.shape), Axis::columns(&conv.window, x.shape));
    let whole = groups == 1 && span == channels && columns.dilation == 1;
    let window = Patches { x, rows, columns, span, whole };
    let elements = rows.kernel * columns.kernel * span;
    let pairs = elements.div_ceil(2);
    let Some(patch) = scratch.get_mut(..8 * pairs) else { return };
    if elements % 2 == 1 {
        // What an odd last element lacks is multiplied by a zero.
        isa.widen_lane(&[0], patch, elements, 0);
        isa.widen_lane(&[0], patch, elements, 1);
    }
    let (quads, zero) = (per_group.div_ceil(4), y.zero);
    let all = groups * quads;
    let (width, pixels) = (usize::from(y.shape.w), usize::from(y.shape.h) * usize::from(y.shape.w));
    let mut place = Place { oy: 0, ox: 0 };
    let mut pixel = 0;
    while pixel < pixels {
        let first = (rows.taps(place.oy), columns.taps(place.ox));
        place.step(width);
        let both = pixel + 1 < pixels;
        let second = (rows.taps(place.oy), columns.taps(place.ox));
        place.step(width);
        let (y_first, y_second) =
            (y.next(per_group * groups), y.next(if both { per_group * groups } else { 0 }));
        let bias = [pixel, pixel + usize::from(both)].map(|pixel| {
            let from = if conv.bias == Bias::Unit { 4 * all * pixel } else { 0 };
            run(data.bias, from, 4 * all)
        });
        let (mut left, mut right) = (&mut *y_first, &mut *y_second);
        for group in 0..groups {
            let channel = group * channels.checked_div(groups).unwrap_or(0);
            window.gather(isa, first, channel, patch, 0);
            if both {
                window.gather(isa, second, channel, patch, 1);
            }
            let from = |quad: usize| {
                let left = all.saturating_sub(quad);
                Quads {
                    weights: run(data.weights, 8 * pairs * quad, 8 * pairs * left),
                    requant: run(data.requant, 4 * quad, 4 * left),
                    bias: bias.map(|bias| run(bias, 4 * quad, 4 * left)),
                    pairs,
                    zero,
                }
            };
            let most = per_group & !3;
            let mut next = |count: usize| {
                let y = left.split_off_mut(..count).unwrap_or_default();
                (y, both.then(|| right.split_off_mut(..count).unwrap_or_default()))
            };
            let (y, second) = next(most);
            isa.quads(&from(group * quads), &[patch], y, second);
            if most < per_group {
                let (mut y, mut second) = ([0; 4], [0; 4]);
                isa.quads(&from(group * quads + most / 4), &[patch], &mut y, Some(&mut second));
                let (to, to_second) = next(per_group - most);
                to.iter_mut().zip(y).for_each(|(to, y)| *to = y);
                to_second.into_iter().flatten().zip(second).for_each(|(to, y)| *to = y);
            }
        }
        activate(isa, y_first, data.clamp);
        activate(isa, y_second, data.clamp);
        pixel += 2;
    }
}

/// A pixel of the output.
struct Place {
    oy: usize,
    ox: usize,
}

impl Place {
    /// The next one.
    #[inline(always)]
    fn step(&mut self, width: usize) {
        self.ox += 1;
        if self.ox == width {
            (self.oy, self.ox) = (self.oy + 1, 0);
        }
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
