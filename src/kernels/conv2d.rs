//! Convolution, plain and grouped.
//!
//! ```text
//! y[oy][ox][n] = narrow(requantise(b[n] + sum over ky, kx, j of w[n][ky][kx][j] * x[iy][ix][c(g, j)]))
//! iy = oy * stride + ky * dilation - top,  ix = ox * stride + kx * dilation - left
//! c(g, j) = (g * (channels / groups) + j) mod channels,  g = n / (units / groups),  j < span
//! ```
//!
//! The input's zero point is in the bias already, so elements are multiplied as they are stored, and a tap on the
//! border reads the zero point.
//!
//! Tricks:
//! 1. Blocks of two neighbouring pixels and four output channels: each weight loaded serves two products, each
//!    input four.
//! 2. Where the window reads all channels of adjacent columns (one group, no dilation), a whole kernel row is one
//!    contiguous run.
//! 3. The border costs no memory and no branch inside a run: what a run on the border would add is the zero point
//!    times the sum of its weights.
//! 4. A group that wraps round after the last channel is two runs.

use super::{Axis, Input, Output, Taps, biases};
use crate::arch::{Isa, QUAD, Store, run};
use crate::ir::{Bias, Conv2d, IntData};

/// Convolution of `x` into `y`.
///
/// # Shapes
/// `y` is `op.output(x)`; `data` as [`IntData`] tells.
pub(crate) fn conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, x: Input<'_>, mut y: Output<'_>) {
    let [units, channels, span] = [conv.units, x.shape.c, conv.span].map(usize::from);
    let (rows, columns) = (Axis::rows(&conv.window, x.shape), Axis::columns(&conv.window, x.shape));
    let job = Job {
        x,
        data,
        store: y.store(data.clamp),
        rows,
        columns,
        units,
        per_group: units.checked_div(conv.groups.into()).unwrap_or(0),
        group_step: channels.checked_div(conv.groups.into()).unwrap_or(0),
        span,
        whole_rows: conv.groups == 1 && span == channels && columns.dilation == 1,
        unit_bias: conv.bias == Bias::Unit,
    };
    let width = usize::from(y.shape.w);
    for oy in 0..usize::from(y.shape.h) {
        let taps = rows.taps(oy);
        let mut ox = 0;
        while ox + 1 < width {
            let out = [y.next(units), y.next(units)];
            job.pixels(isa, oy * width + ox, taps, [columns.taps(ox), columns.taps(ox + 1)], out);
            ox += 2;
        }
        if ox < width {
            job.pixels(isa, oy * width + ox, taps, [columns.taps(ox)], [y.next(units)]);
        }
    }
}

/// What stays the same for all pixels.
struct Job<'a> {
    x: Input<'a>,
    data: &'a IntData<'a>,
    store: Store,
    rows: Axis,
    columns: Axis,
    units: usize,
    per_group: usize,
    group_step: usize,
    span: usize,
    whole_rows: bool,
    unit_bias: bool,
}

type Quad<'a> = [&'a [i8]; QUAD];

impl Job<'_> {
    /// All output channels of `P` neighbouring pixels, the first of which is number `pixel`.
    fn pixels<const P: usize>(
        &self,
        isa: impl Isa,
        pixel: usize,
        rows: Taps,
        columns: [Taps; P],
        mut y: [&mut [i8]; P],
    ) {
        let k = self.rows.kernel * self.columns.kernel * self.span;
        let (mut unit, mut channel) = (0, 0);
        while unit < self.units {
            let end = unit + self.per_group.max(1);
            while unit < end {
                let w = isa.quad(self.data.weights, k, unit, end - 1);
                let mut acc = [[0; QUAD]; P];
                for (p, acc) in acc.iter_mut().enumerate() {
                    let first = if self.unit_bias { (pixel + p) * self.units } else { 0 };
                    *acc = biases(self.data.bias, first + unit);
                }
                if self.whole_rows {
                    self.dot_rows(isa, &mut acc, &w, rows, columns);
                } else {
                    self.dot_taps(isa, &mut acc, &w, rows, columns, channel);
                }
                let requant = run(self.data.requant, unit, QUAD.min(end - unit));
                for (acc, y) in acc.iter().zip(&mut y) {
                    isa.store(acc, requant, self.store, y.get_mut(unit..).unwrap_or_default());
                }
                unit = (unit + QUAD).min(end);
            }
            channel += self.group_step;
        }
    }

    /// A run a kernel row.
    #[inline(always)]
    fn dot_rows<const P: usize>(
        &self,
        isa: impl Isa,
        acc: &mut [[i32; QUAD]; P],
        w: &Quad<'_>,
        rows: Taps,
        columns: [Taps; P],
    ) {
        let (kernel, c) = (self.columns.kernel, self.span);
        let inside = columns.iter().all(|taps| taps.whole(kernel));
        for ky in 0..self.rows.kernel {
            let from = ky * kernel * c;
            let Some(row) = rows.place(ky, self.rows.dilation) else {
                acc.iter_mut().for_each(|acc| isa.border(acc, self.x.zero, w, from, kernel * c));
                continue;
            };
            if inside {
                let x = columns.map(|taps| run(self.x.data, self.x.at(row, taps.at), kernel * c));
                isa.dot(acc, x, w, from);
                continue;
            }
            for (acc, taps) in acc.iter_mut().zip(columns) {
                let x = run(self.x.data, self.x.at(row, taps.at), (taps.end - taps.first) * c);
                isa.border(acc, self.x.zero, w, from, taps.first * c);
                isa.dot(core::array::from_mut(acc), [x], w, from + taps.first * c);
                isa.border(acc, self.x.zero, w, from + taps.end * c, (kernel - taps.end) * c);
            }
        }
    }

    /// One or two runs a tap, from `channel` on.
    #[inline(always)]
    fn dot_taps<const P: usize>(
        &self,
        isa: impl Isa,
        acc: &mut [[i32; QUAD]; P],
        w: &Quad<'_>,
        rows: Taps,
        columns: [Taps; P],
        channel: usize,
    ) {
        let head = self.span.min(usize::from(self.x.shape.c) - channel);
        let mut from = 0;
        for ky in 0..self.rows.kernel {
            let row = rows.place(ky, self.rows.dilation);
            for kx in 0..self.columns.kernel {
                for (acc, taps) in acc.iter_mut().zip(columns) {
                    let (Some(row), Some(column)) = (row, taps.place(kx, self.columns.dilation)) else {
                        isa.border(acc, self.x.zero, w, from, self.span);
                        continue;
                    };
                    let at = self.x.at(row, column);
                    let acc = core::array::from_mut(acc);
                    isa.dot(acc, [run(self.x.data, at + channel, head)], w, from);
                    isa.dot(acc, [run(self.x.data, at, self.span - head)], w, from + head);
                }
                from += self.span;
            }
        }
    }
}
