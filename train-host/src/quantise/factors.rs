//! The integers of an int8 operator from the scales around it, as TensorFlow Lite prepares them.
//!
//! Each function follows the source it names to the last bit, so that a net quantised here and one imported from a
//! `.tflite` file run on the same numbers. Whether a quotient of scales is taken in f32 or f64 has changed between
//! releases of TensorFlow Lite Micro and can change an output; the release that made the goldens (`tests/golden/README.md`)
//! was asked by inputs that tell: f64 in every factor, f32 in the bounds of an activation. Nothing here knows a network.

use zipnet::ir::{Clamp, Requant};

use crate::{Error, Result};

/// An activation that the operator before it applies by its clamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Activation {
    /// None.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `min(max(x, -1), 1)`.
    ReluN1To1,
}

/// What one int8 step of a tensor is worth, and which int8 stands for 0: `real = scale * (q - zero)`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scale {
    /// Real value of one step; above 0.
    pub scale: f32,
    /// The int8 that stands for 0.
    pub zero: i8,
}

impl Scale {
    /// What a softmax writes: 0 to just below 1 in steps of 1/256.
    pub const SOFTMAX: Self = Self { scale: 1.0 / 256.0, zero: -128 };
    /// What a tanh writes: -1 to just below 1 in steps of 1/128.
    pub const TANH: Self = Self { scale: 1.0 / 128.0, zero: 0 };

    /// The grid of 256 steps over a range. TensorFlow Lite's converter makes them so: the range is widened to hold 0,
    /// which becomes one of the steps.
    ///
    /// # Ranges
    /// `low < high`, both finite.
    pub fn over(low: f32, high: f32) -> Self {
        let (low, high) = (f64::from(low.min(0.0)), f64::from(high.max(0.0)));
        let step = (high - low) / 255.0;
        let zero = (-128.0 - low / step).round().clamp(-128.0, 127.0);
        Self { scale: step as f32, zero: zero as i8 }
    }

    /// The int8 nearest to a real value.
    ///
    /// # Rounding
    /// Ties away from zero before the zero point is added; saturates.
    pub fn int8(self, real: f32) -> i8 {
        let q = (f64::from(real) / f64::from(self.scale)).round() + f64::from(self.zero);
        q.clamp(-128.0, 127.0) as i8
    }

    /// The real value of an int8.
    pub fn real(self, q: i8) -> f32 {
        self.scale * (f32::from(q) - f32::from(self.zero))
    }
}

/// A factor as mantissa and power of two. TensorFlow Lite's `QuantizeMultiplier` (`kernels/internal/quantization_util.cc`).
///
/// # Ranges
/// From 0 to below `2^30`; below `2^-32` all bits would be shifted out, and it becomes 0.
///
/// # Rounding
/// The mantissa to nearest, ties away from zero.
///
/// # Errors
/// Where the factor is out of range or no number.
pub fn requant(factor: f64) -> Result<Requant> {
    if factor == 0.0 {
        return Ok(Requant::default());
    }
    if !(factor > 0.0 && factor < f64::from(1 << 30)) {
        return Err(Error::new(format!("a factor of {factor:e} between scales is not from 0 to below 2^30")));
    }
    let (fraction, mut shift) = libm::frexp(factor);
    let mut mantissa = (fraction * f64::from(1u32 << 31)).round() as i64;
    if mantissa == 1 << 31 {
        (mantissa, shift) = (1 << 30, shift + 1);
    }
    if shift < -31 {
        return Ok(Requant::default());
    }
    if shift > 30 {
        return Err(Error::new(format!("a factor of {factor:e} between scales rounds to 2^30")));
    }
    Ok(Requant::new(mantissa as i32, shift))
}

/// Accumulator to output of a convolution or a dense layer: `PopulateConvolutionQuantizationParams` and
/// `GetQuantizedConvolutionMultipler` (`kernels/kernel_util.cc`), in f64 for weights of one scale as for those of many.
///
/// # Errors
/// As [`requant`].
pub fn weighted(input: f32, weights: f32, output: f32) -> Result<Requant> {
    requant(f64::from(input) * f64::from(weights) / f64::from(output))
}

/// Bits by which an addition raises its inputs before it brings them to one scale.
const ADD_SHIFT: u32 = 20;

/// The factors of an addition or a subtraction: of input `a`, of input `b`, of the sum. TensorFlow Lite Micro's
/// `CalculateOpDataAdd` (`micro/kernels/add_common.cc`) and `CalculateOpDataSub` (`sub_common.cc`), in f64.
///
/// # Errors
/// Where the output's scale is finer than the inputs' by a factor of `2^19` or more.
pub fn add(a: f32, b: f32, output: f32) -> Result<[Requant; 3]> {
    let twice = 2.0 * f64::from(a.max(b));
    let sum = twice / (f64::from(1 << ADD_SHIFT) * f64::from(output));
    if sum.is_nan() || sum >= 1.0 {
        return Err(Error::new(format!(
            "an output scale of {output:e} is too fine for inputs of {a:e} and {b:e}"
        )));
    }
    Ok([requant(f64::from(a) / twice)?, requant(f64::from(b) / twice)?, requant(sum)?])
}

/// Product of the operands to output: `CalculateOpDataMul` (`micro/kernels/mul_common.cc`), in f64.
///
/// # Errors
/// As [`requant`].
pub fn mul(a: f32, b: f32, output: f32) -> Result<Requant> {
    requant(f64::from(a) * f64::from(b) / f64::from(output))
}

/// Difference from the greatest input to the argument of the exponential, with 26 fractional bits:
/// `PreprocessSoftmaxScaling` (`kernels/internal/quantization_util.cc`).
///
/// A factor of `2^30` or more, where each int8 step divides by `e^16` or more, is given as the greatest one below: no
/// output differs, as what `e^-16` adds is below the last bit of the sum.
///
/// # Errors
/// Where `beta * input` is at most `2^-26`.
pub fn softmax(input: f32, beta: f32) -> Result<Requant> {
    let factor = f64::from(beta) * f64::from(input) * f64::from(1 << 26);
    if factor.is_nan() || factor <= 1.0 {
        return Err(Error::new(format!("an input scale of {input:e} is too fine for a softmax")));
    }
    if factor >= f64::from(1 << 30) { Ok(Requant::new(i32::MAX, 30)) } else { requant(factor) }
}

/// Input to output of an operator that only rescales, in f64: a QUANTIZE from int8 to int8, `PrepareQuantizeReference`
/// (`micro/kernels/quantize_common.cc`); a relu that stands by itself, `CalculateReluOpData`
/// (`micro/kernels/activations_common.cc`). TensorFlow Lite Micro's own relu6 has no factor: it clamps in the input's
/// integers ([`clamp`] with the input's scale), whatever the output's scale.
///
/// # Errors
/// As [`requant`].
pub fn requantize(input: f32, output: f32) -> Result<Requant> {
    requant(f64::from(input) / f64::from(output))
}

/// Input to output of a RELU_N1_TO_1, which TensorFlow Lite Micro lacks: as LiteRT prepares every relu, with the quotient
/// in f32 (`ReluPrepare`, `kernels/activations.cc`).
///
/// # Errors
/// As [`requant`].
pub fn relu_n1_to_1(input: f32, output: f32) -> Result<Requant> {
    requant(f64::from(input / output))
}

/// Input to output of a mean of `count` elements: `PrepareMeanOrSum` (`micro/kernels/reduce_common.cc`), and
/// `QuantizedMeanOrSum` (`kernels/internal/reference/reduce.h`), which divides the mantissa by `count` and drops what is
/// left over, so that it may fall below `2^30`.
///
/// # Ranges
/// `count` from 1.
///
/// # Errors
/// As [`requant`].
pub fn mean(input: f32, output: f32, count: u32) -> Result<Requant> {
    let Requant { multiplier, shift } = requant(f64::from(input) / f64::from(output))?;
    let bits = (count.max(1).ilog2() as i32).min(31 + shift);
    let mantissa = (i64::from(multiplier) << bits) / i64::from(count.max(1));
    Ok(Requant::new(mantissa as i32, shift - bits))
}

/// The factors of a prelu: of an input, of the product of an input and its alpha. `CalculatePreluParams`
/// (`micro/kernels/prelu_common.cc`), in f64.
///
/// # Errors
/// As [`requant`].
pub fn prelu(input: f32, alpha: f32, output: f32) -> Result<[Requant; 2]> {
    Ok([requantize(input, output)?, mul(input, alpha, output)?])
}

/// Least and greatest output of an activation: `CalculateActivationRangeQuantized` (`kernels/kernel_util.cc`).
///
/// # Rounding
/// A bound to the nearest step in f32, ties away from zero.
pub fn clamp(activation: Activation, output: Scale) -> Clamp {
    let step = |real: f32| {
        let q = (real / output.scale).round() as i32; // saturates
        q.saturating_add(i32::from(output.zero)).clamp(-128, 127) as i8
    };
    match activation {
        Activation::None => Clamp::FULL,
        Activation::Relu => Clamp::new(step(0.0), i8::MAX),
        Activation::Relu6 => Clamp::new(step(0.0), step(6.0)),
        Activation::ReluN1To1 => Clamp::new(step(-1.0), step(1.0)),
    }
}

/// A bias with the input's zero point folded in: `bias - zero * sum` over the weights that make the output.
///
/// # Errors
/// Where the result does not fit i32.
pub fn folded_bias(bias: i64, zero: i8, weights: impl Iterator<Item = i8>) -> Result<i32> {
    let sum: i64 = weights.map(i64::from).sum();
    let folded = bias - i64::from(zero) * sum;
    i32::try_from(folded)
        .map_err(|_| Error::new(format!("a bias of {folded} steps of the accumulator exceeds i32")))
}

/// Proves that no input can make an accumulator overflow: for every output, `|bias| + 128 * sum(|weights|)` and its
/// product with the power of two by which requantising shifts left stay below `2^31`. That bounds the sum of any
/// subset of the terms, so that kernels may add in any order.
///
/// # Errors
/// Where the bound is exceeded.
pub fn prove_accumulator(bias: i32, weights: impl Iterator<Item = i8>, factor: Requant) -> Result<()> {
    let sum: u64 = weights.map(|w| u64::from(w.unsigned_abs())).sum();
    let most = u64::from(bias.unsigned_abs()) + 128 * sum;
    let shift = factor.shift.max(0) as u32;
    if most < (1 << 31) >> shift {
        return Ok(());
    }
    Err(Error::new(format!(
        "accumulators reach {most}, times 2^{shift} before they are scaled, beyond the 31 bits there are"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(r: Requant) -> f64 {
        f64::from(r.multiplier) * libm::exp2(f64::from(r.shift - 31))
    }

    #[test]
    fn a_factor_keeps_31_bits() {
        for factor in [1e-9, 0.000_123, 0.3, 0.5, 0.999, 1.0, 1.5, 777.0, 1e9] {
            let r = requant(factor).expect("in range");
            assert!(r.is_legal(), "{r:?}");
            assert!((value(r) / factor - 1.0).abs() <= 1.0 / f64::from(1u32 << 31), "{factor} {r:?}");
        }
    }

    #[test]
    fn a_factor_at_the_ends() {
        assert_eq!(requant(0.0).expect("0"), Requant::new(0, 0));
        assert_eq!(requant(1.0).expect("1"), Requant::new(1 << 30, 1));
        // A mantissa that rounds up to 2^31 becomes 2^30 at the next power.
        assert_eq!(requant(1.0 - f64::EPSILON).expect("1"), Requant::new(1 << 30, 1));
        assert_eq!(requant(libm::exp2(-32.0)).expect("2^-32"), Requant::new(1 << 30, -31));
        assert_eq!(requant(libm::exp2(-33.0)).expect("2^-33"), Requant::new(0, 0));
        assert_eq!(requant(f64::MIN_POSITIVE / 8.0).expect("subnormal"), Requant::new(0, 0));
        assert_eq!(requant(libm::exp2(29.0)).expect("2^29"), Requant::new(1 << 30, 30));
        for bad in [-1.0, f64::NAN, f64::INFINITY, libm::exp2(30.0), libm::exp2(30.0) - 1e-7] {
            assert!(requant(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mean_divides_its_mantissa() {
        for count in [1, 2, 3, 49, 1 << 20, (1 << 20) + 1] {
            for scales in [(0.3, 0.1), (1.0, 1.0), (1e-4, 0.7)] {
                let r = mean(scales.0, scales.1, count).expect("fits");
                let want = f64::from(scales.0) / f64::from(scales.1) / f64::from(count);
                assert!(r.multiplier > 1 << 28 && r.shift >= -31, "{r:?}");
                assert!((value(r) / want - 1.0).abs() <= 1e-8, "{scales:?} {count} {r:?}");
            }
        }
        // The shift ends at -31: the rest of the division costs bits of the mantissa.
        assert_eq!(mean(1.0, 1.0, 1 << 22).expect("fits").shift, -21);
        assert_eq!(mean(1e-9, 1.0, 1 << 22).expect("fits").shift, -31);
    }

    #[test]
    fn products_and_slopes_multiply_scales() {
        assert_eq!(mul(0.5, 0.25, 0.5).expect("fits"), Requant::new(1 << 30, -1));
        let [positive, negative] = prelu(0.5, 0.25, 0.5).expect("fits");
        assert_eq!((positive, negative), (Requant::new(1 << 30, 1), Requant::new(1 << 30, -1)));
        assert!(mul(1.0, 1.0, 0.0).is_err() && requantize(f32::NAN, 1.0).is_err());
    }

    #[test]
    fn an_addition_of_equal_scales_halves_its_inputs() {
        let [a, b, sum] = add(0.5, 0.5, 0.5).expect("fits");
        assert_eq!((a, b), (Requant::new(1 << 30, 0), Requant::new(1 << 30, 0)));
        assert_eq!(value(sum), libm::exp2(-19.0));
        assert!(add(1.0, 1e-3, 1.9e-6).is_err());
        assert!(add(1.0, 1e-3, 2.0e-6).is_ok());
    }

    #[test]
    fn a_clamp_holds_the_activation() {
        let y = Scale { scale: 0.05, zero: -28 };
        assert_eq!(clamp(Activation::None, y), Clamp::FULL);
        assert_eq!(clamp(Activation::Relu, y), Clamp::new(-28, 127));
        assert_eq!(clamp(Activation::Relu6, y), Clamp::new(-28, 92));
        assert_eq!(clamp(Activation::ReluN1To1, y), Clamp::new(-48, -8));
        // 6 is 92.4999991 steps, which f32 takes for 92.5; so does TensorFlow Lite Micro.
        assert_eq!(
            clamp(Activation::Relu6, Scale { scale: 0.064_864_87, zero: -128 }),
            Clamp::new(-128, -35)
        );
        // 6 lies beyond the greatest int8; a scale so fine that the step does not fit i32.
        assert_eq!(clamp(Activation::Relu6, Scale { scale: 0.01, zero: -128 }), Clamp::new(-128, 127));
        assert_eq!(clamp(Activation::Relu6, Scale { scale: 1e-12, zero: 0 }), Clamp::new(0, 127));
    }

    #[test]
    fn a_grid_holds_its_range_and_zero() {
        for (low, high) in [(0.0, 2.0), (-1.0, 1.0), (-3.0, 0.0), (-0.1, 7.3), (0.5, 1.5), (-2.0, -1.0)] {
            let s = Scale::over(low, high);
            assert_eq!(s.real(s.zero), 0.0);
            for x in [low, high, (low + high) / 2.0] {
                assert!((s.real(s.int8(x)) - x).abs() <= 1.001 * s.scale, "{low} {high} {x} {s:?}");
            }
        }
        assert_eq!(Scale::over(0.0, 2.0), Scale { scale: 2.0 / 255.0, zero: -128 });
    }

    #[test]
    fn a_softmax_factor_ends_below_two_to_the_thirty() {
        assert_eq!(softmax(1.0, 1.0).expect("fits"), Requant::new(1 << 30, 27));
        assert_eq!(softmax(16.0, 1.0).expect("fits"), Requant::new(i32::MAX, 30));
        assert_eq!(softmax(1e6, 1.0).expect("fits"), Requant::new(i32::MAX, 30));
        assert!(softmax(1e-8, 1.0).is_err());
    }

    #[test]
    fn an_accumulator_that_could_overflow_is_refused() {
        let weights = || std::iter::repeat_n(127i8, 1000);
        assert!(prove_accumulator(0, weights(), Requant::new(1 << 30, 0)).is_ok());
        assert!(prove_accumulator(i32::MAX, weights(), Requant::new(1 << 30, 0)).is_err());
        assert!(prove_accumulator(i32::MIN, [].into_iter(), Requant::new(1 << 30, 0)).is_err());
        assert!(prove_accumulator(0, weights(), Requant::new(1 << 30, 7)).is_ok());
        assert!(prove_accumulator(0, weights(), Requant::new(1 << 30, 8)).is_err());
    }

    #[test]
    fn a_folded_bias_that_does_not_fit_is_refused() {
        assert_eq!(folded_bias(100, -3, [5, -6, 127].into_iter()).expect("fits"), 100 + 3 * 126);
        assert!(folded_bias(i64::from(i32::MAX), -1, [1].into_iter()).is_err());
    }
}
