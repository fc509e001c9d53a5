//! Convolution of each channel by itself.
//!
//! ```text
//! y[oy][ox][n] = narrow(requantise(b[n] + sum over ky, kx of w[ky][kx][n] * x[iy][ix][n / multiplier]))
//! iy = oy * stride + ky * dilation - top,  ix = ox * stride + kx * dilation - left
//! ```
//!
//! The input's zero point is in the bias already; a tap on the border reads the zero point.
//!
//! Tricks:
//! 1. Blocks of neighbouring channels, whose inputs and weights lie side by side: a tap is a run of products, and a window
//!    some of them at once.
//! 2. With a multiplier above 1 a block stays within one input channel, so that its inputs are one value.
//! 3. A border tap is a run of zero points.

use super::{Axis, Input, Output, Taps};
use crate::arch::{Isa, LANES, run};
use crate::ir::{Bias, DepthwiseConv2d, IntData};

/// Depthwise convolution of `x` into `y`.
///
/// # Shapes
/// `y` is `op.output(x)`; `data` as [`IntData`] tells.
#[inline(never)]
pub(crate) fn depthwise_conv2d<I: Isa>(
    isa: I,
    conv: &DepthwiseConv2d,
    data: &IntData<'_>,
    x: Input<'_>,
    mut y: Output<'_>,
) {
    let [channels, multiplier] = [y.shape.c, conv.multiplier].map(usize::from);
    let (rows, columns) = (Axis::rows(&conv.window, x.shape), Axis::columns(&conv.window, x.shape));
    let store = y.store(data.clamp);
    // Channels that may share a block: all of them, or those of one input channel.
    let together = if multiplier == 1 { channels } else { multiplier };
    let mut first_bias = 0;
    for oy in 0..y.shape.h {
        let row_taps = rows.taps(oy.into());
        for ox in 0..y.shape.w {
            let column_taps = columns.taps(ox.into());
            let (mut n, mut end, mut input) = (0, together, 0);
            while n < channels {
                let live = LANES.min(end - n);
                let mut acc = [0; LANES];
                let acc = acc.get_mut(..live).unwrap_or_default();
                acc.iter_mut().zip(run(data.bias, first_bias + n, live)).for_each(|(acc, &bias)| *acc = bias);
                let window = Of { x, rows: (rows, row_taps), columns: (columns, column_taps), channels };
                let weights = data.weights.get(n..).unwrap_or_default();
                if multiplier == 1 {
                    window.sum(isa, acc, weights, n);
                } else {
                    window.sum_repeated(isa, acc, weights, input);
                }
                isa.store(acc, run(data.requant, n, live), store, y.next(live));
                n += live;
                if n == end {
                    end += together;
                    input += 1;
                }
            }
            if conv.bias == Bias::Unit {
                first_bias += channels;
            }
        }
    }
}

/// Taps that are summed at once.
const TAPS: usize = 16;

/// A window at a pixel of the output.
struct Of<'a> {
    x: Input<'a>,
    rows: (Axis, Taps),
    columns: (Axis, Taps),
    /// Channels of the output.
    channels: usize,
}

impl Of<'_> {
    /// The first channel of what each tap reads, `None` on the border.
    #[inline(always)]
    fn places(&self, mut see: impl FnMut(Option<usize>)) {
        let ((rows, row_taps), (columns, column_taps)) = (self.rows, self.columns);
        for ky in 0..rows.kernel {
            let row = row_taps.place(ky, rows.dilation);
            for kx in 0..columns.kernel {
                let place = row.zip(column_taps.place(kx, columns.dilation));
                see(place.map(|(row, column)| self.x.at(row, column)));
            }
        }
    }

    /// Adds the taps for as many channels as `acc` has, from `first` on; `w` is the first one's weight on.
    #[inline(always)]
    fn sum(&self, isa: impl Isa, acc: &mut [i32], mut w: &[i8], first: usize) {
        let border = [self.x.zero; LANES];
        let mut taps = [&[][..]; TAPS];
        let mut count = 0;
        self.places(|place| {
            if count == TAPS {
                isa.window(acc, &taps, w, self.channels);
                w = w.get(TAPS * self.channels..).unwrap_or_default();
                count = 0;
            }
            if let Some(tap) = taps.get_mut(count) {
                *tap = match place {
                    Some(at) => run(self.x.data, at + first, acc.len()),
                    None => run(&border, 0, acc.len()),
                };
            }
            count += 1;
        });
        isa.window(acc, run(&taps, 0, count), w, self.channels);
    }

    /// The same for outputs that all read channel `input`.
    #[inline(always)]
    fn sum_repeated(&self, isa: impl Isa, acc: &mut [i32], mut w: &[i8], input: usize) {
        self.places(|place| {
            let value = place.map_or(Some(&self.x.zero), |at| self.x.data.get(at + input));
            let same = [value.copied().unwrap_or_default(); LANES];
            isa.tap(acc, run(&same, 0, acc.len()), run(w, 0, acc.len()));
            w = w.get(self.channels..).unwrap_or_default();
        });
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ir::{Op, Packing, Scratch, Shape};
    use crate::kernels::oracle::{Numbers, element, finish, hold, on_every_isa, outputs, taps, windows};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    /// Any depthwise convolution that a small image allows.
    pub(crate) fn convs() -> impl Strategy<Value = (DepthwiseConv2d, Shape, u64)> {
        let multipliers = prop_oneof![2 => Just(1u16), 1 => 2..=17u16];
        (windows(3), 1..=17u16, multipliers, any::<bool>(), any::<u64>()).prop_map(
            |((window, h, w), c, multiplier, unit, seed)| {
                let bias = if unit { Bias::Unit } else { Bias::Channel };
                (DepthwiseConv2d { multiplier, window, bias }, Shape::new(h, w, c), seed)
            },
        )
    }

    fn equals_the_oracle<I: Isa>(isa: I) {
        hold(512, convs(), |(conv, shape, seed)| {
            let mut numbers = Numbers(seed);
            let out = Op::DepthwiseConv2d(conv).output(&[shape]).unwrap();
            let channels = usize::from(out.c);
            let (zero, out_zero) = (numbers.int8(), numbers.int8());
            let x = Input { shape, zero, data: &numbers.int8s(shape.len()) };
            let w = numbers.weights(conv.window.taps() * channels);
            let bias = numbers.biases(conv.bias.len(out));
            let of = |tap: usize, n: usize| i32::from(w[tap * channels + n]);
            let fold = |(i, b): (usize, &i32)| {
                b - (0..conv.window.taps()).map(|t| of(t, i % channels) * i32::from(zero)).sum::<i32>()
            };
            let data = IntData {
                weights: &w,
                bias: &bias.iter().enumerate().map(fold).collect::<Vec<_>>(),
                requant: &(0..channels).map(|_| numbers.requant()).collect::<Vec<_>>(),
                clamp: numbers.clamp(),
                scratch: Scratch::default(),
                packing: Packing::Plain,
            };
            let mut got = vec![55; out.len()];
            let y = Output { shape: out, zero: out_zero, data: &mut got };
            let store = y.store(data.clamp);
            depthwise_conv2d(isa, &conv, &data, x, y);
            for (i, (oy, ox, n)) in outputs(out).enumerate() {
                let mut acc = i64::from(bias[if conv.bias == Bias::Unit { i } else { n }]);
                for (tap, place) in taps(&conv.window).enumerate() {
                    let c = n / usize::from(conv.multiplier);
                    if let Some(q) = element(&x, &conv.window, (oy, ox), place, c) {
                        acc += (q - i64::from(zero)) * i64::from(of(tap, n));
                    }
                }
                prop_assert_eq!(got[i], finish(acc, data.requant[n], store), "at {:?}", (oy, ox, n));
            }
            Ok(())
        });
    }

    #[test]
    fn on_every_isa_depthwise_conv2d_equals_the_oracle() {
        on_every_isa!(equals_the_oracle);
    }
}
