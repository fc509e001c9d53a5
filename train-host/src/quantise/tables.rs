//! What an operator looks up instead of computing: the output of each int8 input, the row of each output row.
//!
//! A function of one int8 is 256 numbers, so the host computes them once, in the integer arithmetic of TensorFlow Lite
//! Micro's reference kernels, roundings included, and the engine has one kernel for all such operators.

use zipnet::fixed::{self, divide_by_power, narrow, requantise};
use zipnet::ir::Requant;

use super::factors::{Scale, requant};
use crate::{Error, Result};

/// Outputs of the inputs -128 to 127.
pub type Table = [i8; 256];

/// Integer bits of the argument of a logistic and of a tanh.
const INTEGER_BITS: u32 = 4;

impl Scale {
    /// What a logistic writes: 0 to just below 1 in steps of 1/256.
    pub const LOGISTIC: Self = Self::SOFTMAX;
}

/// A table of a function of `q - zero`.
fn table(input: Scale, f: impl Fn(i32) -> i8) -> Table {
    std::array::from_fn(|i| f(i as i32 - 128 - i32::from(input.zero)))
}

/// `1 / (1 + exp(-x))`; the output's scale is [`Scale::LOGISTIC`]. `CalculateArithmeticOpDataLogistic`
/// (`micro/kernels/logistic_common.cc`), `Logistic` (`kernels/internal/reference/integer_ops/logistic.h`).
///
/// # Rounding
/// Twice on the way to the function's argument, in each product within it, and once when its 31 bits become 8: to
/// nearest, ties away from zero.
///
/// # Errors
/// Where the input's scale is no number above 0.
pub fn logistic(input: Scale) -> Result<Table> {
    let (factor, radius) = argument(input.scale)?;
    Ok(table(input, |x| {
        if x <= -radius {
            i8::MIN
        } else if x >= radius {
            i8::MAX
        } else {
            let argument = requantise(x, factor.multiplier, factor.shift);
            narrow(divide_by_power(fixed::logistic(argument), 23), -128, i8::MIN, i8::MAX)
        }
    }))
}

/// The output of a tanh; its scale is [`Scale::TANH`]. `TanhPrepare` (`micro/kernels/tanh.cc`). With a step of 8 or
/// more every input from the zero point down gives -128, every other 127.
///
/// # Errors
/// Where the input's scale is no number above 0.
pub fn tanh(input: Scale) -> Result<Table> {
    let (factor, radius) = argument(input.scale)?;
    Ok(fixed::tanh_table(factor.multiplier, factor.shift, radius, input.zero))
}

/// The factor from a difference of inputs to Q4.27, and how far from the zero point the function saturates.
fn argument(scale: f32) -> Result<(Requant, i32)> {
    let factor = f64::from(scale) * f64::from(1 << (31 - INTEGER_BITS));
    if factor >= f64::from(1 << 30) {
        return Ok((Requant::default(), 0));
    }
    let factor = requant(factor)?;
    Ok((factor, fixed::input_radius(INTEGER_BITS, factor.shift)))
}

/// `x` where it is positive, `alpha * x` elsewhere, for any alpha. `CalculateOpDataLeakyRelu`
/// (`micro/kernels/leaky_relu_common.cc`), whose factors are products and quotients in f64; `QuantizeLeakyRelu`
/// (`kernels/internal/reference/leaky_relu.h`).
///
/// # Rounding
/// Twice: the product, then the right shift.
///
/// # Errors
/// Where a factor between the scales is out of range or no number.
pub fn leaky_relu(input: Scale, alpha: f32, output: Scale) -> Result<Table> {
    let identity = requant(f64::from(input.scale) / f64::from(output.scale))?;
    let slope = f64::from(input.scale) * f64::from(alpha) / f64::from(output.scale);
    let magnitude = requant(slope.abs())?;
    let sign = if slope < 0.0 { -1 } else { 1 };
    Ok(table(input, |x| {
        let scaled = if x >= 0 {
            requantise(x, identity.multiplier, identity.shift)
        } else {
            requantise(x, sign * magnitude.multiplier, magnitude.shift)
        };
        narrow(scaled, output.zero, i8::MIN, i8::MAX)
    }))
}

/// `x * min(max(x + 3, 0), 6) / 6` in 16 bits. `HardSwishPrepare` (`micro/kernels/hard_swish_common.cc`), `HardSwish`
/// (`kernels/internal/reference/hard_swish.h`).
///
/// # Rounding
/// Products by a factor to nearest, ties away from zero; the product of the two halves towards zero; right shifts to
/// nearest, ties away from zero.
///
/// # Errors
/// Where a factor between the scales is out of range or no number.
pub fn hard_swish(input: Scale, output: Scale) -> Result<Table> {
    let fine = f64::from(input.scale) / 128.0;
    let to_output = requant(fine / f64::from(output.scale))?;
    let to_slope = requant(fine / (3.0 / 32768.0))?;
    if to_output.shift > 0 {
        return Err(Error::new(format!(
            "an output scale of {:e} is too fine for a hard swish of {:e}",
            output.scale, input.scale
        )));
    }
    let halved = |factor: Requant| ((i64::from(factor.multiplier) + (1 << 15)) >> 16).min(32767) as i16;
    Ok(table(input, |x| {
        let fine = (x << 7) as i16;
        // min(max(x, -3), 3) / 3 as Q0.15, saturating on the last bit of a left shift only.
        let left = to_slope.shift.max(0);
        let mut slope = saturate(i64::from(fine) << (left - 1).max(0));
        slope = multiply_high(slope, halved(to_slope));
        if left > 0 {
            slope = saturate(2 * i64::from(slope));
        }
        slope = divide(slope, (-to_slope.shift).max(0));
        let slope = ((i32::from(slope) + (1 << 15)) >> 1) as i16;
        let scaled = multiply_high(fine, halved(to_output));
        let product = (i32::from(slope) * i32::from(scaled) / (1 << 15)) as i16;
        let shifted = divide(product, -to_output.shift).wrapping_add(output.zero.into());
        shifted.clamp(i8::MIN.into(), i8::MAX.into()) as i8
    }))
}

fn saturate(x: i64) -> i16 {
    x.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// gemmlowp's `SaturatingRoundingDoublingHighMul` of 16 bits; `b` is not negative.
fn multiply_high(a: i16, b: i16) -> i16 {
    let product = i32::from(a) * i32::from(b);
    let nudge = if product >= 0 { 1 << 14 } else { 1 - (1 << 14) };
    ((product + nudge) / (1 << 15)) as i16
}

/// gemmlowp's `RoundingDivideByPOT` of 16 bits. From 16 on its mask no longer holds the bits shifted out; what it then
/// gives is kept.
fn divide(x: i16, exponent: i32) -> i16 {
    let mask = ((1i64 << exponent) - 1) as i16;
    let (rest, threshold) = (x & mask, (mask >> 1) + i16::from(x < 0));
    (i32::from(x) >> exponent) as i16 + i16::from(rest > threshold)
}

/// Which element along an axis of `input` each of `output` elements takes when resized to the nearest.
/// `GetNearestNeighbor` (`kernels/internal/reference/resize_nearest_neighbor.h`), in f32 as there.
pub fn nearest(input: u16, output: u16, align_corners: bool, half_pixel_centers: bool) -> Vec<i32> {
    let scale = if align_corners && output > 1 {
        f32::from(input - 1) / f32::from(output - 1)
    } else {
        f32::from(input) / f32::from(output)
    };
    let offset = if half_pixel_centers { 0.5 } else { 0.0 };
    let element = |i: u16| {
        let place = (f32::from(i) + offset) * scale;
        let place = if align_corners { place.round() } else { place.floor() };
        (place as i32).min(i32::from(input) - 1)
    };
    (0..output).map(element).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tanh_table_is_near_the_tanh() {
        for input in [Scale::over(-3.0, 3.0), Scale::over(-0.5, 6.0), Scale { scale: 0.002, zero: 77 }] {
            for (q, &y) in (-128..=127).zip(&tanh(input).expect("table")) {
                let real = f64::from(input.real(q as i8)).tanh();
                let error = (Scale::TANH.real(y) - real as f32).abs();
                assert!(error <= 1.01 / 128.0 && (error <= 0.51 / 128.0 || y == 127), "{input:?} {q} {y}");
            }
        }
        let steep = tanh(Scale { scale: 9.0, zero: 3 }).expect("table");
        assert!((-128..=127).zip(steep).all(|(q, y)| y == if q <= 3 { -128 } else { 127 }));
        assert!(tanh(Scale { scale: f32::NAN, zero: 0 }).is_err());
    }

    /// Holds a table against the real function: no output is off by more than `steps`.
    fn near(input: Scale, output: Scale, table: Table, steps: f64, f: impl Fn(f64) -> f64) {
        for (q, &y) in (-128..=127).zip(&table) {
            let real = f(f64::from(input.real(q as i8))) / f64::from(output.scale) + f64::from(output.zero);
            let error = (f64::from(y) - real.clamp(-128.0, 127.0)).abs();
            assert!(error <= steps, "{input:?}: {y} for {q}, which is {real}");
        }
    }

    #[test]
    fn a_logistic_table_is_near_the_logistic() {
        for input in [Scale::over(-6.0, 6.0), Scale::over(-0.5, 9.0), Scale { scale: 0.002, zero: 77 }] {
            near(input, Scale::LOGISTIC, logistic(input).expect("table"), 0.51, |x| 1.0 / (1.0 + (-x).exp()));
        }
        let steep = logistic(Scale { scale: 9.0, zero: 3 }).expect("table");
        assert!((-128..=127).zip(steep).all(|(q, y)| y == if q <= 3 { -128 } else { 127 }));
        assert!(logistic(Scale { scale: -1.0, zero: 0 }).is_err());
    }

    #[test]
    fn a_leaky_relu_table_is_near_the_leaky_relu() {
        for (alpha, low) in [(0.1, -0.4), (-0.5, -0.1), (1.5, -6.0)] {
            let (input, output) = (Scale::over(-4.0, 3.0), Scale::over(low, 3.0));
            let table = leaky_relu(input, alpha, output).expect("table");
            // The product is rounded to whole steps of half the output's or finer, then once more.
            near(input, output, table, 0.76, |x| if x > 0.0 { x } else { x * f64::from(alpha) });
        }
        assert!(leaky_relu(Scale::TANH, f32::NAN, Scale::TANH).is_err());
    }

    #[test]
    fn a_hard_swish_table_is_near_the_hard_swish() {
        for (low, high) in [(-4.0, 4.0), (-40.0, 30.0), (-0.5, 0.7)] {
            let (input, output) = (Scale::over(low, high), Scale::over(-0.4, high));
            let table = hard_swish(input, output).expect("table");
            near(input, output, table, 2.0, |x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0);
        }
        assert!(hard_swish(Scale { scale: 1.0, zero: 0 }, Scale { scale: 1e-3, zero: 0 }).is_err());
    }

    #[test]
    fn a_map_stays_within_its_input_and_ascends() {
        for (input, output) in [(1, 1), (3, 7), (7, 3), (5, 5), (65535, 9), (9, 65535), (1, 4)] {
            for (corners, centres) in [(false, false), (true, false), (false, true), (true, true)] {
                let map = nearest(input, output, corners, centres);
                assert_eq!(map.len(), usize::from(output));
                assert!(map.is_sorted() && map.iter().all(|i| (0..i32::from(input)).contains(i)));
                assert!(!corners || centres || output == 1 || map.last() == Some(&(i32::from(input) - 1)));
            }
        }
        assert_eq!(nearest(3, 6, false, false), [0, 0, 1, 1, 2, 2]);
    }
}
