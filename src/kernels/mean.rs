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
//!
//! Tricks:
//! 1. Where channels remain, blocks of them lie side by side: a tap is a run, as in pooling.

use super::{Input, Output};
use crate::arch::{Isa, LANES, run};
use crate::fixed::requantise;
use crate::ir::IntData;

/// Mean of `x` over the chosen axes, into `y`.
///
/// # Ranges
/// At most 2^23 elements in a mean, so that 255 times their number fits.
#[inline(never)]
pub(crate) fn mean<I: Isa>(isa: I, axes: [bool; 3], data: &IntData<'_>, x: Input<'_>, mut y: Output<'_>) {
    let &[q] = data.requant else { return };
    let [h, w, c] = [x.shape.h, x.shape.w, x.shape.c].map(usize::from);
    // Along a reduced axis the sum runs over all elements from the first; along the others over the one.
    let of = |whole: bool, extent: usize| if whole { extent } else { 1 };
    let [whole_rows, whole_columns, whole_channels] = axes;
    let [rows, columns] = [of(whole_rows, h), of(whole_columns, w)];
    let count = (rows * columns * of(whole_channels, c)) as i32;
    let store = y.store(data.clamp);
    let finish = |sum: i32| {
        let sum = sum.wrapping_sub(count.wrapping_mul(x.zero.into()));
        store.narrow(requantise(sum, q.multiplier, q.shift))
    };
    let mut acc = [0; LANES];
    for oy in (0..h).step_by(rows.max(1)) {
        for ox in (0..w).step_by(columns.max(1)) {
            let rows = oy..oy + rows;
            if whole_channels {
                let row = |iy| run(x.data, x.at(iy, ox), columns * c).iter();
                let sum = rows.flat_map(row).fold(0i32, |sum, &x| sum.wrapping_add(x.into()));
                y.next(1).iter_mut().for_each(|y| *y = finish(sum));
                continue;
            }
            for from in (0..c).step_by(LANES) {
                let acc = acc.get_mut(..LANES.min(c - from)).unwrap_or_default();
                acc.fill(0);
                for iy in rows.clone() {
                    isa.sum_row(acc, x.data.get(x.at(iy, ox) + from..).unwrap_or_default(), c, columns);
                }
                y.next(acc.len()).iter_mut().zip(acc).for_each(|(y, acc)| *y = finish(*acc));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Op, Requant};
    use crate::kernels::oracle::{Numbers, finish, hold, on_every_isa, outputs, place, shapes};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    fn equals_the_oracle<I: Isa>(isa: I) {
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
            mean(isa, axes, &data, input, y);
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
    #[test]
    fn on_every_isa_a_mean_equals_the_oracle() {
        on_every_isa!(equals_the_oracle);
    }
}
