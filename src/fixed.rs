//! What an int8 number means: requantise, round, saturate. Plain integers in, plain integers out, all `const`.
//!
//! A fixed-point number "Qi.f" is an i32 with `i` integer and `f = 31 - i` fractional bits: its value is
//! `raw * 2^-f`. The arithmetic, rounding included, is that of gemmlowp (`fixedpoint/fixedpoint.h`) and of
//! TensorFlow Lite with double rounding (`tensorflow/lite/kernels/internal/common.h`), which the reference kernels
//! of TensorFlow Lite Micro are built on; outputs are equal to theirs bit for bit.

/// Product of two Q0.31 numbers, `round(a * b / 2^31)`.
///
/// # Ranges
/// Any; `i32::MIN * i32::MIN`, whose product is the one that does not fit, gives `i32::MAX`.
///
/// # Rounding
/// To nearest, ties towards positive infinity. gemmlowp's `SaturatingRoundingDoublingHighMul` says the same by a
/// nudge that depends on the sign before a division that truncates.
#[inline]
pub const fn multiply_high(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN { i32::MAX } else { multiply_high_wrapping(a, b) }
}

/// [`multiply_high`] of numbers that are not both `i32::MIN`.
#[inline]
const fn multiply_high_wrapping(a: i32, b: i32) -> i32 {
    ((a as i64 * b as i64 + (1 << 30)) >> 31) as i32
}

/// `round(x / 2^exponent)`; gemmlowp's `RoundingDivideByPOT`.
///
/// # Ranges
/// `exponent` from 0 to 31.
///
/// # Rounding
/// To nearest, ties away from zero.
#[inline]
pub const fn divide_by_power(x: i32, exponent: u32) -> i32 {
    let exponent = exponent & 31;
    if exponent == 0 {
        return x;
    }
    // Ties away from zero are ties upwards once a negative number is lowered by 1, the least of which has no tie.
    let lowered = x.saturating_add(x >> 31);
    (lowered >> exponent) + ((lowered >> (exponent - 1)) & 1)
}

/// `x * 2^exponent`, held within i32; gemmlowp's `SaturatingRoundingMultiplyByPOT` for a positive exponent.
///
/// # Ranges
/// `exponent` from 0 to 31.
#[inline]
pub const fn multiply_by_power(x: i32, exponent: u32) -> i32 {
    let wide = (x as i64) << (exponent & 31);
    if wide > i32::MAX as i64 {
        i32::MAX
    } else if wide < i32::MIN as i64 {
        i32::MIN
    } else {
        wide as i32
    }
}

/// From the scale of an accumulator to that of an output: `acc * multiplier * 2^(shift - 31)`.
/// TensorFlow Lite's `MultiplyByQuantizedMultiplier`.
///
/// # Ranges
/// `multiplier` 0 or from `2^30` up, `shift` from -31 to 30, as [`Requant`](crate::ir::Requant) tells. With a
/// positive shift `acc * 2^shift` must fit i32; it wraps where it does not.
///
/// # Rounding
/// Twice: the product to nearest with ties towards positive infinity ([`multiply_high`]), then the right shift to
/// nearest with ties away from zero ([`divide_by_power`]).
#[inline]
pub const fn requantise(acc: i32, multiplier: i32, shift: i32) -> i32 {
    if shift > 0 {
        multiply_high_wrapping(acc.wrapping_shl(shift as u32), multiplier)
    } else {
        divide_by_power(multiply_high_wrapping(acc, multiplier), shift.wrapping_neg() as u32)
    }
}

/// `value + zero` held between `low` and `high`: the last step of every operator.
///
/// # Ranges
/// `value + zero` saturates at the ends of i32; `low <= high`.
#[inline]
pub const fn narrow(value: i32, zero: i8, low: i8, high: i8) -> i8 {
    let shifted = value.saturating_add(zero as i32);
    if shifted < low as i32 {
        low
    } else if shifted > high as i32 {
        high
    } else {
        shifted as i8
    }
}

/// `sum / count` of int8 values; TensorFlow Lite's average pool.
///
/// # Ranges
/// `|sum| + count / 2` must fit u32. A count of 0 gives 0.
///
/// # Rounding
/// To nearest, ties away from zero.
#[inline]
pub const fn mean(sum: i32, count: u32) -> i32 {
    let nearest = match sum.unsigned_abs().wrapping_add(count / 2).checked_div(count) {
        Some(quotient) => quotient as i32,
        None => 0,
    };
    if sum < 0 { -nearest } else { nearest }
}

/// The greatest distance from zero that stays meaningful when an int8 difference is brought to Q`integer_bits`
/// by a factor of shift `shift`: `floor((2^integer_bits - 1) * 2^(31 - integer_bits) / 2^shift)`.
/// TensorFlow Lite's `CalculateInputRadius` for 31 bits.
///
/// # Ranges
/// `integer_bits` from 1 to 30; a negative shift counts as 0.
pub const fn input_radius(integer_bits: u32, shift: i32) -> i32 {
    let shift = if shift < 0 { 0 } else { shift };
    let greatest = ((1i64 << (integer_bits & 31)) - 1) << (31u32.saturating_sub(integer_bits));
    (greatest >> (shift & 63)) as i32
}

/// Number of integer bits of the argument of [`exp_on_negatives`].
pub const EXP_INTEGER_BITS: u32 = 5;

/// `exp(a)` for `a <= 0`, from Q5.26 to Q0.31; gemmlowp's `exp_on_negative_values`.
///
/// `a` is split into a part in `[-1/4, 0)`, whose exponential is a Taylor polynomial, and a multiple of 1/4, each of
/// whose bits multiplies by a constant: `exp(-1/4)`, `exp(-1/2)`, up to `exp(-16)`.
///
/// # Ranges
/// `a` from `i32::MIN` (-32) to 0. `exp(0)` is `i32::MAX`, the greatest value below 1.
///
/// # Rounding
/// As [`multiply_high`] in each product. The polynomial stays within 3e-7 of the real exponential.
#[inline(never)]
pub const fn exp_on_negatives(a: i32) -> i32 {
    exp_of::<EXP_INTEGER_BITS>(a)
}

/// [`exp_on_negatives`] of a number with any count of integer bits up to 5: more bits reach further below 0.
#[inline(always)]
const fn exp_of<const INTEGER_BITS: u32>(a: i32) -> i32 {
    let quarter = 1 << (31 - INTEGER_BITS - 2);
    // exp(-2^n) in Q0.31, n = -2 to 4.
    const STEPS: [i32; 7] = [1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242];
    if a == 0 {
        return i32::MAX;
    }
    let part = (a & (quarter - 1)).wrapping_sub(quarter);
    let rest = part.wrapping_sub(a);
    let mut result = exp_on_quarter(multiply_by_power(part, INTEGER_BITS));
    let mut steps: &[i32] = &STEPS;
    let mut bit: i32 = quarter;
    while let [step, others @ ..] = steps {
        if rest & bit != 0 {
            result = multiply_high(result, *step);
        }
        bit = bit.wrapping_shl(1);
        steps = others;
    }
    result
}

/// `exp(a)` for `-1/4 <= a < 0`, Q0.31 to Q0.31: the polynomial of degree 4 about -1/8.
const fn exp_on_quarter(a: i32) -> i32 {
    const EXP_OF_CENTRE: i32 = 1895147668; // exp(-1/8)
    const THIRD: i32 = 715827883;
    let x = a.wrapping_add(1 << 28);
    let x2 = multiply_high(x, x);
    let x3 = multiply_high(x2, x);
    let x4 = multiply_high(x2, x2);
    // x^4 / 24 + x^3 / 6 + x^2 / 2 = ((x^4 / 4 + x^3) / 3 + x^2) / 2
    let cubic = multiply_high(divide_by_power(x4, 2).wrapping_add(x3), THIRD);
    let tail = divide_by_power(cubic.wrapping_add(x2), 1);
    EXP_OF_CENTRE.wrapping_add(multiply_high(EXP_OF_CENTRE, x.wrapping_add(tail)))
}

/// `2 / (1 + a)` for a Q0.31 `a` in `[0, 1)`, as Q2.29: three steps of Newton and Raphson from `48/17 - 32/17 d`
/// with `d = (1 + a) / 2`.
const fn two_over_one_plus(a: i32) -> i32 {
    const FORTY_EIGHT_17THS: i32 = 1515870810; // Q2.29
    const MINUS_THIRTY_TWO_17THS: i32 = -1010580540;
    const ONE: i32 = 1 << 29;
    let half = ((a as i64 + i32::MAX as i64 + 1) >> 1) as i32;
    let mut x = FORTY_EIGHT_17THS.wrapping_add(multiply_high(half, MINUS_THIRTY_TWO_17THS));
    let mut step = 0;
    while step < 3 {
        let error = ONE.wrapping_sub(multiply_high(half, x));
        x = x.wrapping_add(multiply_by_power(multiply_high(x, error), 2));
        step += 1;
    }
    x
}

/// `1 / (1 + a)`, Q0.31 to Q0.31; gemmlowp's `one_over_one_plus_x_for_x_in_0_1`.
///
/// # Ranges
/// `a` from 0 up; the result from 1/2 up.
pub const fn one_over_one_plus(a: i32) -> i32 {
    multiply_by_power(two_over_one_plus(a), 1)
}

/// `tanh(a)`, Q4.27 to Q0.31; gemmlowp's `tanh`.
///
/// `tanh(-n) = -(1 - e) / (1 + e)` with `e = exp(-2 n)`; doubling is reading the Q4.27 number as Q5.26.
///
/// # Ranges
/// Any `a`.
pub const fn tanh(a: i32) -> i32 {
    if a == 0 {
        return 0;
    }
    let negative = if a < 0 { a } else { -a };
    let e = exp_on_negatives(negative);
    let t = multiply_by_power(two_over_one_plus(e).wrapping_sub(1 << 29), 2);
    if a < 0 { t.wrapping_neg() } else { t }
}

/// `1 / (1 + exp(-a))`, Q4.27 to Q0.31; gemmlowp's `logistic`.
///
/// # Ranges
/// Any `a`.
pub const fn logistic(a: i32) -> i32 {
    if a == 0 {
        return 1 << 30;
    }
    let positive = one_over_one_plus(exp_of::<4>(if a < 0 { a } else { -a }));
    if a < 0 { i32::MAX - positive } else { positive }
}

/// The int8 tanh of every int8 input, -128 first; TensorFlow Lite Micro's int8 `Tanh`, to be built on the host.
///
/// The output has scale 1/128 and zero point 0. `multiplier` and `shift` are the input's scale times `2^27` as a
/// [`Requant`](crate::ir::Requant); `radius` is `input_radius(4, shift)`: at that distance from the input's zero
/// point `zero` the output is -128 or 127.
///
/// # Rounding
/// That of [`requantise`], of [`tanh`], and a last [`divide_by_power`] by 24.
pub const fn tanh_table(multiplier: i32, shift: i32, radius: i32, zero: i8) -> [i8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let input = i as i32 - 128 - zero as i32;
        table[i] = if input <= -radius {
            i8::MIN
        } else if input >= radius {
            i8::MAX
        } else {
            let output = divide_by_power(tanh(requantise(input, multiplier, shift)), 24);
            narrow(output, 0, i8::MIN, i8::MAX)
        };
        i += 1;
    }
    table
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ir::Requant;
    use proptest::prelude::*;
    use std::prelude::v1::*;

    /// The definition of [`requantise`] in exact fractions.
    pub(crate) fn requantise_exactly(acc: i64, q: Requant) -> i64 {
        let (left, right) = (q.shift.max(0), (-q.shift).max(0));
        let product = (i128::from(acc) << left) * i128::from(q.multiplier);
        let doubled_high = (2 * product + (1 << 31)).div_euclid(1 << 32); // half up
        nearest_away(doubled_high, 1 << right) as i64
    }

    /// `n / d` to nearest, ties away from zero.
    fn nearest_away(n: i128, d: i128) -> i128 {
        n.signum() * ((2 * n.abs() + d) / (2 * d))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..Default::default() })]

        #[test]
        fn requantise_is_two_exact_roundings(
            acc in prop_oneof![any::<i32>(), -70_000..70_000i32],
            mantissa in prop_oneof![Just(0), Just(1 << 30), Just(i32::MAX), (1 << 30)..=i32::MAX],
            shift in -31..=30i32,
        ) {
            let acc = acc >> shift.max(0); // so that acc * 2^shift fits, as the contract asks
            let q = Requant::new(mantissa, shift);
            prop_assert_eq!(i64::from(requantise(acc, mantissa, shift)), requantise_exactly(acc.into(), q));
        }

        #[test]
        fn powers_of_two_round_and_saturate(x in any::<i32>(), exponent in 0..=31u32) {
            let divided = nearest_away(x.into(), 1 << exponent);
            prop_assert_eq!(i128::from(divide_by_power(x, exponent)), divided);
            let multiplied = (i128::from(x) << exponent).clamp(i32::MIN.into(), i32::MAX.into());
            prop_assert_eq!(i128::from(multiply_by_power(x, exponent)), multiplied);
        }

        #[test]
        fn a_mean_rounds_to_nearest_away_from_zero(sum in -(1 << 24)..(1 << 24), count in 1..=1u32 << 16) {
            prop_assert_eq!(i128::from(mean(sum, count)), nearest_away(sum.into(), count.into()));
        }

        #[test]
        fn transcendentals_are_near_the_real_ones(a in any::<i32>()) {
            let real = |raw: i32, fraction: i32| f64::from(raw) * 2f64.powi(-fraction);
            let negative = if a > 0 { a.wrapping_neg() } else { a };
            let exp = real(exp_on_negatives(negative), 31);
            prop_assert!((exp - real(negative, 26).exp())  .abs() < 3e-7, "exp {}", exp);
            let t = real(tanh(a), 31);
            prop_assert!((t - real(a, 27).tanh()).abs() < 4e-7, "tanh {}", t);
            let l = real(logistic(a), 31);
            prop_assert!((l - 1.0 / (1.0 + (-real(a, 27)).exp())).abs() < 4e-7, "logistic {}", l);
            let positive = a & i32::MAX;
            let inverse = real(one_over_one_plus(positive), 31);
            prop_assert!((inverse - 1.0 / (1.0 + real(positive, 31))).abs() < 4e-9, "1 / (1 + x) {}", inverse);
        }
    }

    #[test]
    fn the_product_that_does_not_fit_saturates() {
        assert_eq!(multiply_high(i32::MIN, i32::MIN), i32::MAX);
        assert_eq!(multiply_high(i32::MIN, i32::MAX), i32::MIN + 1);
        assert_eq!(multiply_high(1 << 30, 1), 1); // 0.5 up
        assert_eq!(multiply_high(-1 << 30, 1), 0); // -0.5 up
        assert_eq!(mean(5, 0), 0);
    }

    #[test]
    fn the_radius_is_the_real_formula_rounded_down() {
        for shift in 0..=31 {
            for bits in 1..=10 {
                let real = f64::from((1 << bits) - 1) * 2f64.powi(31 - bits as i32 - shift);
                assert_eq!(f64::from(input_radius(bits, shift)), real.floor());
            }
        }
    }

    #[test]
    fn a_tanh_table_is_near_tanh_and_saturates() {
        // Input scale 1/32: times 2^27 is 2^22, a mantissa of 2^30 and a shift of 23.
        let table = tanh_table(1 << 30, 23, input_radius(4, 23), 10);
        for (i, &y) in table.iter().enumerate() {
            let real = (i as f64 - 128.0 - 10.0) / 32.0;
            let want = (real.tanh() * 128.0).round().clamp(-128.0, 127.0);
            assert!((f64::from(y) - want).abs() <= 1.0, "tanh {real} gave {y}");
        }
        let steep = tanh_table(1 << 30, 28, input_radius(4, 28), 0); // scale 1
        assert_eq!((steep[0], steep[128], steep[255]), (-128, 0, 127));
    }
}
