//! Mean over whole axes.
//!
//! ```text
//! y = narrow(requantise(sum of (x - zx), q))     between different scales or zero points
//! y = clamp(sum of x / number of x)              where both agree, truncated towards zero
//! ```
//!
//! The factor `q` holds input scale / output scale and the division by the number of elements; the division is done
//! on the mantissa alone, which may fall below 2^30. Not the arithmetic of average pooling, which rounds to nearest.
//! Source: TensorFlow Lite Micro, `EvalIntegerMean` (`micro/kernels/reduce_common.cc`), which calls `Mean` where the
//! scales agree and `QuantizedMeanOrSum` where not (`kernels/internal/reference/reduce.h`).
//!
//! # Rounding
//! With a factor, twice, as [`requantise`]; without, towards zero.

use super::{Input, Output};
use crate::fixed::requantise;
use crate::ir::IntData;

/// Mean of `x` over the chosen axes, into `y`.
///
/// # Ranges
/// At most 2^23 elements in a mean, so that 255 times their number fits.
#[inline(never)]
pub(crate) fn mean(axes: [bool; 3], data: &IntData<'_>, x: Input<'_>, y: Output<'_>) {
    let [h, w, c] = [x.shape.h, x.shape.w, x.shape.c].map(usize::from);
    // Along a reduced axis the sum runs over all elements from the first; along the others over the one.
    let of = |whole: bool, extent: usize| if whole { extent } else { 1 };
    let [whole_rows, whole_columns, whole_channels] = axes;
    let [rows, columns, channels] = [of(whole_rows, h), of(whole_columns, w), of(whole_channels, c)];
    let count = (rows * columns * channels) as i32;
    let store = y.store(data.clamp);
    let mut outputs = y.data.iter_mut();
    for oy in (0..h).step_by(rows.max(1)) {
        for ox in (0..w).step_by(columns.max(1)) {
            for oc in (0..c).step_by(channels.max(1)) {
                let mut sum = 0i32;
                for iy in oy..oy + rows {
                    for ix in ox..ox + columns {
                        let run = crate::arch::run(x.data, x.at(iy, ix) + oc, channels);
                        sum = run.iter().fold(sum, |sum, &x| sum.wrapping_add(x.into()));
                    }
                }
                let Some(y) = outputs.next() else { return };
                *y = match data.requant {
                    &[q] => {
                        let sum = sum.wrapping_sub(count.wrapping_mul(x.zero.into()));
                        store.narrow(requantise(sum, q.multiplier, q.shift))
                    }
                    _ => {
                        let mean = sum.checked_div(count).unwrap_or(0);
                        store.narrow(mean.wrapping_sub(store.zero.into()))
                    }
                };
            }
        }
    }
}
