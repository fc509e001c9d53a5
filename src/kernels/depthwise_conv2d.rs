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
//! 1. Blocks of eight neighbouring channels, whose inputs and weights lie side by side: the accumulators stay in
//!    registers over all taps, and no weight is read twice for a pixel.
//! 2. With a multiplier above 1 a block stays within one input channel, so that its eight inputs are one value.
//! 3. The last, short block is filled with zeros, so that there is one kind of block.

use super::{Axis, Input, Output, biases, lanes};
use crate::arch::{Isa, LANES, run};
use crate::ir::{Bias, DepthwiseConv2d, IntData};

/// Depthwise convolution of `x` into `y`.
///
/// # Shapes
/// `y` is `op.output(x)`; `data` as [`IntData`] tells.
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
            let out = y.next(channels);
            let (mut n, mut end) = (0, together);
            let mut input = 0;
            while n < channels {
                let live = LANES.min(end - n);
                let mut acc: [i32; LANES] = biases(data.bias, first_bias + n);
                let mut weight = n;
                for ky in 0..rows.kernel {
                    let row = row_taps.place(ky, rows.dilation);
                    for kx in 0..columns.kernel {
                        let w = lanes(data.weights, weight, live);
                        weight += channels;
                        let values = match (row, column_taps.place(kx, columns.dilation)) {
                            (Some(row), Some(column)) if multiplier == 1 => {
                                lanes(x.data, x.at(row, column) + n, live)
                            }
                            (Some(row), Some(column)) => {
                                [x.data.get(x.at(row, column) + input).copied().unwrap_or(0); LANES]
                            }
                            _ => [x.zero; LANES],
                        };
                        isa.tap(&mut acc, &values, &w);
                    }
                }
                let to = out.get_mut(n..).unwrap_or_default();
                isa.store(&acc, run(data.requant, n, live), store, to);
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
