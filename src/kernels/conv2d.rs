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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Op, Packing, Scratch, Shape};
    use crate::kernels::oracle::{Numbers, element, finish, hold, on_every_isa, outputs, taps, windows};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    fn oracle(conv: &Conv2d, w: &[i8], bias: &[i32], data: &IntData<'_>, x: Input<'_>, y: &mut Output<'_>) {
        let (store, shape) = (y.store(data.clamp), y.shape);
        let [units, groups, span, c] = [conv.units, conv.groups, conv.span, x.shape.c].map(usize::from);
        for (i, (oy, ox, n)) in outputs(shape).enumerate() {
            let group = n / (units / groups);
            let mut acc = i64::from(bias[if conv.bias == Bias::Unit { i } else { n }]);
            for (tap, (ky, kx)) in taps(&conv.window).enumerate() {
                for j in 0..span {
                    let channel = (group * (c / groups) + j) % c;
                    if let Some(q) = element(&x, &conv.window, (oy, ox), (ky, kx), channel) {
                        let weight = w[(n * conv.window.taps() + tap) * span + j];
                        acc += (q - i64::from(x.zero)) * i64::from(weight);
                    }
                }
            }
            y.data[i] = finish(acc, data.requant[n], store);
        }
    }

    /// Any convolution that a small image allows.
    fn convs() -> impl Strategy<Value = (Conv2d, Shape, u64)> {
        let groups = prop_oneof![
            3 => (Just(1u16), 1..=17u16, 1..=9u16, Just(0u16)),
            2 => (1..=4u16, 1..=5u16, 1..=5u16, any::<u16>())
        ];
        (windows(3), groups, any::<bool>(), any::<u64>()).prop_map(
            |((window, h, w), (groups, each, units, wider), unit, seed)| {
                let c = groups * each;
                let span = each + wider % (c - each + 1);
                let bias = if unit { Bias::Unit } else { Bias::Channel };
                let conv = Conv2d { units: groups * units, window, groups, span, bias };
                (conv, Shape::new(h, w, c), seed)
            },
        )
    }

    fn equals_the_oracle<I: Isa>(isa: I) {
        hold(512, convs(), |(conv, shape, seed)| {
            let mut numbers = Numbers(seed);
            let out = Op::Conv2d(conv).output(&[shape]).unwrap();
            let x = numbers.int8s(shape.len());
            let (zero, out_zero) = (numbers.int8(), numbers.int8());
            let w = numbers.weights(Op::Conv2d(conv).weights(shape));
            let bias = numbers.biases(conv.bias.len(out));
            let requant = numbers.requants(conv.units.into());
            let k = w.len() / usize::from(conv.units);
            let folded: Vec<i32> = bias
                .iter()
                .enumerate()
                .map(|(i, b)| {
                    let n = i % usize::from(conv.units);
                    b - w[n * k..(n + 1) * k].iter().map(|&w| i32::from(w) * i32::from(zero)).sum::<i32>()
                })
                .collect();
            let data = IntData {
                weights: &w,
                bias: &folded,
                requant: &requant,
                clamp: numbers.clamp(),
                scratch: Scratch::default(),
                packing: Packing::Plain,
            };
            let input = Input { shape, zero, data: &x };
            let (mut got, mut want) = (vec![55; out.len()], vec![0; out.len()]);
            conv2d(isa, &conv, &data, input, Output { shape: out, zero: out_zero, data: &mut got });
            let mut y = Output { shape: out, zero: out_zero, data: &mut want };
            oracle(&conv, &w, &bias, &data, input, &mut y);
            prop_assert_eq!(got, want);
            Ok(())
        });
    }

    #[test]
    fn on_every_isa_conv2d_equals_the_oracle() {
        on_every_isa!(equals_the_oracle);
    }
}
