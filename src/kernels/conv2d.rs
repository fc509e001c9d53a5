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
//! 1. Where a window is one contiguous run of the input (1x1, or one row of taps, with all channels), it is read in
//!    place; a small one ([`PATCH`]) is copied together on the stack, border and all. Either way a pixel is a matrix
//!    times a vector, four units at a time.
//! 2. A larger window is summed run by run. Where it reads all channels of adjacent columns a whole kernel row is
//!    one run, else a tap is.
//! 3. What a tap on the border would add is the zero point times the sum of its weights.
//! 4. A group that wraps round after the last channel is two runs.

use super::window::Windows;
use super::{Input, Output, Taps};
use crate::arch::{Isa, Matrix, QUAD, first, run};
use crate::ir::{Bias, Conv2d, IntData};
use core::ops::Range;

/// Elements of the largest window that is copied together.
const PATCH: usize = 256;

/// Convolution of `x` into `y`.
///
/// # Shapes
/// `y` is `op.output(x)`; `data` as [`IntData`] tells.
#[inline(never)]
pub(crate) fn conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, x: Input<'_>, mut y: Output<'_>) {
    let [units, channels] = [conv.units, x.shape.c].map(usize::from);
    let windows = Windows::new(conv, x);
    let Windows { rows, columns, .. } = windows;
    let k = windows.len();
    let job = Job {
        windows,
        matrix: Matrix::new(data, k, y.store(data.clamp)),
        units,
        per_group: units.checked_div(conv.groups.into()).unwrap_or(0),
        group_step: channels.checked_div(conv.groups.into()).unwrap_or(0),
    };
    let width = usize::from(y.shape.w);
    let bias = |pixel: usize| match conv.bias {
        Bias::Unit => run(data.bias, pixel * units, units),
        Bias::Channel | Bias::None => data.bias,
    };
    for oy in 0..usize::from(y.shape.h) {
        let rows = rows.taps(oy);
        for ox in 0..width {
            let pixel = Pixel { rows, columns: columns.taps(ox), bias: bias(oy * width + ox) };
            job.pixel(isa, pixel, y.next(units));
        }
    }
}

/// What stays the same for all pixels.
struct Job<'a> {
    windows: Windows<'a>,
    matrix: Matrix<'a>,
    units: usize,
    per_group: usize,
    group_step: usize,
}

/// A pixel of the output: what it sees and its biases.
#[derive(Clone, Copy)]
struct Pixel<'a> {
    rows: Taps,
    columns: Taps,
    bias: &'a [i32],
}

impl Job<'_> {
    /// All output channels of a pixel.
    #[inline(never)]
    fn pixel(&self, isa: impl Isa, pixel: Pixel<'_>, y: &mut [i8]) {
        let Pixel { rows, columns, bias } = pixel;
        if let Some(x) = self.windows.in_place(rows, columns) {
            return isa.units(&self.matrix, 0..self.units, x, bias, y);
        }
        let (mut unit, mut channel) = (0, 0);
        while unit < self.units {
            let units = unit..unit + self.per_group.max(1);
            unit = units.end;
            if self.matrix.k <= PATCH {
                let mut patch = [0; PATCH];
                let to = patch.get_mut(..self.matrix.k).unwrap_or_default();
                self.windows.gather(rows, columns, channel, to);
                isa.units(&self.matrix, units, run(&patch, 0, self.matrix.k), bias, y);
            } else {
                self.sum(isa, units, channel, pixel, y);
            }
            channel += self.group_step;
        }
    }

    /// As [`Isa::units`], run by run, for the group that reads from `channel` on.
    #[inline(always)]
    fn sum(&self, isa: impl Isa, units: Range<usize>, channel: usize, pixel: Pixel<'_>, y: &mut [i8]) {
        let Pixel { rows, columns, bias } = pixel;
        let windows = &self.windows;
        let whole = windows.whole_rows && columns.whole(windows.columns.kernel);
        let len = windows.columns.kernel * windows.span;
        let mut unit = units.start;
        while unit < units.end {
            let Some(w) = isa.quad(&self.matrix, unit, units.end - 1) else { return };
            let mut acc = first(bias, unit);
            for ky in 0..windows.rows.kernel {
                let row = rows.place(ky, windows.rows.dilation);
                if let (Some(row), true) = (row, whole) {
                    let x = run(windows.x.data, windows.x.at(row, columns.at), len);
                    isa.dot(&mut acc, x, &w, ky * len);
                } else {
                    self.sum_taps(isa, &mut acc, &w, ky * len, (row, columns), channel);
                }
            }
            isa.finish(&self.matrix, unit, units.end, &acc, y);
            unit += QUAD;
        }
    }

    /// A kernel row tap by tap. Its weights start at `from`; `row` is where it reads, if not on the border.
    #[inline(never)]
    fn sum_taps(
        &self,
        isa: impl Isa,
        acc: &mut [i32; QUAD],
        w: &[&[i8]; QUAD],
        mut from: usize,
        (row, columns): (Option<usize>, Taps),
        channel: usize,
    ) {
        let windows = &self.windows;
        for kx in 0..windows.columns.kernel {
            match row.zip(columns.place(kx, windows.columns.dilation)) {
                Some((row, column)) => {
                    let at = windows.x.at(row, column);
                    for (part, len) in windows.parts(channel) {
                        isa.dot(acc, run(windows.x.data, at + part, len), w, from);
                        from += len;
                    }
                }
                None => {
                    isa.border(acc, windows.x.zero, w, from, windows.span);
                    from += windows.span;
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ir::{Op, Packing, Scratch, Shape};
    use crate::kernels::oracle::{
        Numbers, element, factor, finish, hold, on_every_isa, outputs, taps, windows,
    };
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
            y.data[i] = finish(acc, factor(data, n), store);
        }
    }

    /// Any convolution that a small image allows.
    pub(crate) fn convs() -> impl Strategy<Value = (Conv2d, Shape, u64)> {
        let groups = prop_oneof![
            3 => (Just(1u16), prop_oneof![1..=17u16, 18..=40u16], 1..=9u16, Just(0u16)),
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
        hold(1024, convs(), |(conv, shape, seed)| {
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
            let y = Output { shape: out, zero: out_zero, data: &mut got };
            conv2d(isa, &conv, &data, input, y);
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
