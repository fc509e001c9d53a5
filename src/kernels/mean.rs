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
//! 2. Where they do not, each row of taps is one run. That and fewer than four channels are a kernel of their own, for nets
//!    that have such.

use super::{Input, Output};
use crate::arch::{Isa, LANES, Store};
use crate::fixed::requantise;
use crate::ir::{IntData, Requant};

/// Mean of `x` over the chosen axes, channels not among them, into `y`.
///
/// # Ranges
/// At most 2^23 elements in a mean, so that 255 times their number fits.
#[inline(never)]
pub(crate) fn mean<I: Isa>(isa: I, axes: [bool; 3], data: &IntData<'_>, x: Input<'_>, mut y: Output<'_>) {
    let Some(means) = Means::new(axes, data, &x, &y) else { return };
    let mut acc = [0; LANES];
    means.each(|from| {
        for block in (0..means.channels).step_by(LANES) {
            let acc = acc.get_mut(..LANES.min(means.channels - block)).unwrap_or_default();
            isa.sum_window(acc, x.data.get(from + block..).unwrap_or_default(), means.taps, means.steps);
            means.store(acc, &mut y);
        }
    });
}

/// The same over channels too, or of fewer than four.
#[inline(never)]
pub(crate) fn thin_mean<I: Isa>(
    isa: I,
    axes: [bool; 3],
    data: &IntData<'_>,
    x: Input<'_>,
    mut y: Output<'_>,
) {
    let Some(means) = Means::new(axes, data, &x, &y) else { return };
    let mut acc = [0; 3];
    means.each(|from| {
        let acc = acc.get_mut(..means.channels).unwrap_or_default();
        isa.sum_thin(acc, x.data.get(from..).unwrap_or_default(), means.taps, means.steps);
        means.store(acc, &mut y);
    });
}

/// Which elements are summed, and what is made of sums.
struct Means {
    /// Rows and columns of the input, and how many of either a sum runs over.
    extents: [usize; 2],
    whole: [usize; 2],
    /// Channels of the output.
    channels: usize,
    /// Rows and columns of taps; elements from a row of them to the next, from one to the next in a row.
    taps: [usize; 2],
    steps: [usize; 2],
    /// Elements of a row and of a pixel of the input.
    lengths: [usize; 2],
    /// What as many zero points add to a sum.
    zero: i32,
    requant: Requant,
    store: Store,
}

impl Means {
    #[inline(always)]
    fn new(
        [rows, columns, channels]: [bool; 3],
        data: &IntData<'_>,
        x: &Input<'_>,
        y: &Output<'_>,
    ) -> Option<Self> {
        let &[requant] = data.requant else { return None };
        let (h, w, c) = (usize::from(x.shape.h), usize::from(x.shape.w), usize::from(x.shape.c));
        let whole = [if rows { h } else { 1 }, if columns { w } else { 1 }];
        // A row of taps over channels too is a run of single elements.
        let (kept, taps, step) = if channels { (1, [whole[0], whole[1] * c], 1) } else { (c, whole, c) };
        let count = (taps[0] * taps[1]) as i32;
        Some(Self {
            extents: [h, w],
            whole,
            channels: kept,
            taps,
            steps: [w * c, step],
            lengths: [w * c, c],
            zero: count.wrapping_mul(x.zero.into()),
            requant,
            store: y.store(data.clamp),
        })
    }

    /// Where the elements of each mean begin.
    #[inline(always)]
    fn each(&self, mut make: impl FnMut(usize)) {
        let ([h, w], [rows, columns]) = (self.extents, self.whole);
        for oy in (0..h).step_by(rows.max(1)) {
            for ox in (0..w).step_by(columns.max(1)) {
                make(oy * self.lengths[0] + ox * self.lengths[1]);
            }
        }
    }

    /// The means of sums, as the next outputs.
    #[inline(always)]
    fn store(&self, acc: &[i32], y: &mut Output<'_>) {
        for (y, &sum) in y.next(acc.len()).iter_mut().zip(acc) {
            let sum = requantise(sum.wrapping_sub(self.zero), self.requant.multiplier, self.requant.shift);
            *y = self.store.narrow(sum);
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
            if axes[2] || shape.c < 4 {
                thin_mean(isa, axes, &data, input, y);
            } else {
                mean(isa, axes, &data, input, y);
            }
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
