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
