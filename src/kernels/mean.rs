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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Op, Requant};
    use crate::kernels::oracle::{Numbers, finish, hold, outputs, place, shapes};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    #[test]
    fn a_mean_equals_the_oracle() {
        hold(512, (shapes(), 1..8u8, any::<u64>()), |(shape, which, seed)| {
            let (mut numbers, axes) = (Numbers(seed), [which & 1 != 0, which & 2 != 0, which & 4 != 0]);
            let out = Op::Mean { axes }.output(&[shape]).unwrap();
            let x = numbers.int8s(shape.len());
            // A mantissa that was divided lies below 2^30.
            let q = Requant::new(1 + (numbers.next() & 0x3fff_ffff) as i32, 2 - numbers.below(8) as i32);
            let data = IntData { requant: &[q], clamp: numbers.clamp(), ..IntData::NONE };
            let mut got = vec![55; out.len()];
            let input = Input { shape, zero: numbers.int8(), data: &x };
            let y = Output { shape: out, zero: numbers.int8(), data: &mut got };
            let store = y.store(data.clamp);
            mean(axes, &data, input, y);
            let mut sums = vec![0i64; out.len()];
            for (i, at) in outputs(shape).enumerate() {
                sums[place(out, at)] += i64::from(x[i]) - i64::from(input.zero);
            }
            for (got, sum) in got.iter().zip(sums) {
                prop_assert_eq!(*got, finish(sum, q, store));
            }
            Ok(())
        });
    }
}
