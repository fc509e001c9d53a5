//! Softmax over the channels of each pixel.
//!
//! ```text
//! y[c] = exp(s * (x[c] - max)) / sum over j of exp(s * (x[j] - max)),  scale 1/256, zero point -128
//! ```
//!
//! `s * (x - max)` is Q5.26 by `requant`, whose factor is the input's scale times 2^26; each exponential is Q0.31,
//! their sum Q12.19. The reciprocal of the sum is taken of its mantissa in `[1, 2)`. Differences so far below the
//! maximum that they would leave Q5.26 count as no probability at all. Source: TensorFlow Lite,
//! `tensorflow/lite/kernels/internal/reference/softmax.h`.
//!
//! Tricks:
//! 1. Two passes, each computing the exponentials anew: no memory for them.

use super::{Input, Output};
use crate::fixed::{
    EXP_INTEGER_BITS, divide_by_power, exp_on_negatives, input_radius, multiply_high, narrow,
    one_over_one_plus, requantise,
};
use crate::ir::Requant;

/// Integer bits of the sum of exponentials.
const SUM_INTEGER_BITS: u32 = 12;

/// Softmax of each pixel of `x` into `y`.
///
/// # Ranges
/// At most 4,095 channels, so that the sum fits.
#[inline(never)]
pub(crate) fn softmax(requant: &[Requant], x: Input<'_>, y: Output<'_>) {
    let &[Requant { multiplier, shift }] = requant else { return };
    let channels = usize::from(x.shape.c);
    let least = -input_radius(EXP_INTEGER_BITS, shift);
    let (mut x, mut y) = (x.data, y.data);
    while let (Some(from), Some(to)) = (x.split_off(..channels), y.split_off_mut(..channels)) {
        let Some(&max) = from.iter().max() else { return };
        // Q0.31, or nothing when the difference is too great.
        let exp = |x: i8| {
            let difference = i32::from(x) - i32::from(max);
            (difference >= least).then(|| exp_on_negatives(requantise(difference, multiplier, shift)))
        };
        let mut sum = 0u32;
        for &x in from {
            sum = sum.wrapping_add(exp(x).map_or(0, |e| divide_by_power(e, SUM_INTEGER_BITS)) as u32);
        }
        let headroom = sum.leading_zeros();
        let mantissa = sum.wrapping_shl(headroom).wrapping_sub(1 << 31) as i32;
        let reciprocal = one_over_one_plus(mantissa);
        // 31 fractional bits down to 8, and as many more as the sum has bits above its unit.
        let exponent = (SUM_INTEGER_BITS + 31 - 8).wrapping_sub(headroom);
        for (y, &x) in to.iter_mut().zip(from) {
            *y = exp(x).map_or(i8::MIN, |e| {
                let share = multiply_high(reciprocal, e);
                let share = if exponent > 31 { 0 } else { divide_by_power(share, exponent) };
                narrow(share, i8::MIN, i8::MIN, i8::MAX)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Shape;
    use crate::kernels::oracle::{Numbers, hold};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    /// The factor of an input of scale `scale`: `scale * 2^26`, scale from 2^-16 to 2.
    fn factors() -> impl Strategy<Value = (Requant, f64)> {
        ((1 << 30)..=i32::MAX, 11..=27i32).prop_map(|(multiplier, shift)| {
            (Requant { multiplier, shift }, f64::from(multiplier) * 2f64.powi(shift - 31 - 26))
        })
    }

    #[test]
    fn shares_are_within_a_step_of_the_real_ones() {
        hold(512, (factors(), 1..=20u16, 1..=3u16, any::<u64>()), |((requant, scale), c, w, seed)| {
            let shape = Shape::new(1, w, c);
            let x = Numbers(seed).int8s(shape.len());
            let mut got = vec![55; shape.len()];
            softmax(
                &[requant],
                Input { shape, zero: 0, data: &x },
                Output { shape, zero: -128, data: &mut got },
            );
            for (x, got) in x.chunks(c.into()).zip(got.chunks(c.into())) {
                let exp = |&x: &i8| (scale * f64::from(x)).exp();
                let sum: f64 = x.iter().map(exp).sum();
                for (x, &got) in x.iter().zip(got) {
                    let want = (256.0 * exp(x) / sum - 128.0).clamp(-128.0, 127.0);
                    prop_assert!((f64::from(got) - want).abs() < 0.51 + 1e-3, "{} for {}", got, want);
                }
            }
            Ok(())
        });
    }

    #[test]
    fn as_many_channels_as_fit_share_alike() {
        let shape = Shape::flat(4095);
        let (x, mut y) = (vec![0; 4095], vec![55; 4095]);
        let requant = [Requant { multiplier: 1 << 30, shift: 20 }];
        softmax(&requant, Input { shape, zero: 0, data: &x }, Output { shape, zero: -128, data: &mut y });
        assert!(y.iter().all(|&y| y == -128));
    }
}
