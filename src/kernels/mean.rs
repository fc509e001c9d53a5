//! Mean over whole axes.
//!
//! ```text
//! y = narrow(requantise(sum of (x - zx), q))
//! ```
//!
//! The factor `q` is input scale / output scale / number of elements. The division by the number is done on the
//! mantissa alone, which may fall below 2^30. Not the arithmetic of average pooling, which divides exactly and rounds
//! once. Source: TensorFlow Lite Micro, `EvalMeanHelper` (`micro/kernels/reduce_common.cc`) and `QuantizedMeanOrSum`
//! (`kernels/internal/reference/reduce.h`), which it calls for equal scales as for different ones.
//!
//! # Rounding
//! Twice, as [`requantise`]: the product, then the right shift.

use super::{Input, Output};
use crate::fixed::requantise;
use crate::ir::IntData;

/// Mean of `x` over the chosen axes, into `y`.
///
/// # Ranges
/// At most 2^23 elements in a mean, so that 255 times their number fits.
#[inline(never)]
pub(crate) fn mean(axes: [bool; 3], data: &IntData<'_>, x: Input<'_>, y: Output<'_>) {
    let &[q] = data.requant else { return };
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
                let sum = sum.wrapping_sub(count.wrapping_mul(x.zero.into()));
                *y = store.narrow(requantise(sum, q.multiplier, q.shift));
            }
        }
    }
}
