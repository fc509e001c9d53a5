//! exp, ln and tanh of many numbers at once: branch-free polynomials that the compiler turns into vector code, and
//! that give the same bits on every CPU with fused multiply-add.

use super::simd::Simd;

/// Added and taken off, rounds a number below 2^22 to the nearest integer.
const MAGIC: f32 = 12_582_912.0;

/// The larger part of ln 2, exact in few bits, so that multiples of it are exact.
const LN2_HIGH: f32 = 0.693_145_75;
/// What that lacks.
const LN2_LOW: f32 = 1.428_606_8e-6;

/// `e^x`: `2^n * e^r` with `|r| <= ln(2) / 2`, where `e^r` is a Taylor polynomial.
///
/// # Ranges
/// Within 2 ulp for x from -87 to 88; clamped to that range outside it. NaN gives NaN.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = s.fma1(x, std::f32::consts::LOG2_E, MAGIC);
    let n = shifted - MAGIC;
    let r = s.fma1(n, -LN2_LOW, s.fma1(n, -LN2_HIGH, x));
    let mut p = 1.0 / 5040.0;
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = s.fma1(p, r, c);
    }
    // The low bits of `shifted` are n; moved into the exponent they make 2^n.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    p * power
}

/// `ln x`: of a mantissa m from sqrt(1/2) to sqrt(2) as `2 artanh((m - 1) / (m + 1))`, plus its power of two.
///
/// # Ranges
/// Within 3 ulp (near 1: 1e-7 of the true value) for normal positive x.
#[inline(always)]
pub(crate) fn ln<S: Simd>(s: S, x: f32) -> f32 {
    let bits = x.to_bits();
    // Subtracting the bits of sqrt(1/2) makes the exponent field count from there.
    let n = (bits.wrapping_sub(0x3f35_04f3) as i32) >> 23;
    let m = f32::from_bits(bits.wrapping_sub((n as u32) << 23));
    let t = (m - 1.0) / (m + 1.0);
    let t2 = t * t;
    let mut p = 2.0 / 9.0;
    for c in [2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0] {
        p = s.fma1(p, t2, c);
    }
    let n = n as f32;
    // 2t + t^3 p, the small terms first.
    let low = s.fma1(t * t2, p, n * LN2_LOW);
    s.fma1(n, LN2_HIGH, s.fma1(2.0, t, low))
}

/// `tanh x`: near 0 a polynomial in x, else `1 - 2 / (e^2x + 1)`.
///
/// # Ranges
/// Within 4 ulp everywhere. NaN gives NaN.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(s: S, x: f32) -> f32 {
    let a = x.abs();
    let x2 = x * x;
    let mut p = TANH[0];
    for c in &TANH[1..] {
        p = s.fma1(p, x2, *c);
    }
    let small = s.fma1(x * x2, p, x);
    let a9 = if a > 10.0 { 10.0 } else { a };
    let large = 1.0 - 2.0 / (exp(s, 2.0 * a9) + 1.0);
    if a < 0.625 { small } else { large.copysign(x) }
}

/// `(tanh x - x) / x^3` as a polynomial in x^2, highest power first: least squares at Chebyshev nodes over
/// |x| below 0.625, relative error below 1e-9.
const TANH: [f32; 6] =
    [2.295_841_3e-3, -8.346_98e-3, 2.176_996e-2, -5.395_940_6e-2, 1.333_330_4e-1, -3.333_333_3e-1];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float::simd::{Isa, Kernel};

    #[derive(Clone, Copy, Debug)]
    enum Function {
        Exp,
        Ln,
        Tanh,
    }

    struct Each<'a>(Function, &'a [f32]);

    impl Kernel for Each<'_> {
        type Output = Vec<f32>;
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> Vec<f32> {
            let mut y = self.1.to_vec();
            for y in &mut y {
                *y = match self.0 {
                    Function::Exp => exp(s, *y),
                    Function::Ln => ln(s, *y),
                    Function::Tanh => tanh(s, *y),
                };
            }
            y
        }
    }

    fn ulps(y: f32, exact: f64) -> f64 {
        let ulp = f64::from((exact as f32).abs().next_up() - (exact as f32).abs());
        (f64::from(y) - exact).abs() / ulp
    }

    #[test]
    fn functions_agree_with_libm_and_on_every_set() {
        type Exact = fn(f64) -> f64;
        let cases: [(Function, f32, f32, Exact, f64); 5] = [
            (Function::Exp, -87.0, 88.0, libm::exp, 2.0),
            (Function::Ln, 1e-30, 0.7, libm::log, 3.0),
            (Function::Ln, 1.5, 1e30, libm::log, 3.0),
            (Function::Tanh, -12.0, 12.0, libm::tanh, 4.0),
            (Function::Tanh, -0.7, 0.7, libm::tanh, 4.0),
        ];
        for (function, low, high, exact, most) in cases {
            let x: Vec<f32> = (0..20_001).map(|i| low + (high - low) * i as f32 / 20_000.0).collect();
            let all: Vec<Vec<f32>> = Isa::all().into_iter().map(|isa| isa.run(Each(function, &x))).collect();
            for y in &all[..all.len() - 1] {
                assert_eq!(y, &all[0], "{function:?}");
            }
            for y in &all {
                for (&x, &y) in x.iter().zip(y) {
                    let off = ulps(y, exact(x.into()));
                    assert!(off <= most, "{function:?} {x}: {y} is {off} ulp off");
                }
            }
        }
        let x: Vec<f32> = (0..1000).map(|i| 0.7 + i as f32 / 1000.0).collect();
        for (&x, y) in x.iter().zip(Isa::best().run(Each(Function::Ln, &x))) {
            assert!((f64::from(y) - libm::log(x.into())).abs() < 1e-7, "{x}: {y}");
        }
    }

    #[test]
    fn ends_saturate_and_nan_stays() {
        let y = Isa::best().run(Each(Function::Exp, &[-1e30, 1e30, f32::NAN, 0.0]));
        assert!(y[0] < 1e-37 && y[1].is_finite() && y[2].is_nan() && y[3] == 1.0, "{y:?}");
        let y = Isa::best().run(Each(Function::Tanh, &[-1e30, 1e30, f32::NAN, 0.0]));
        assert!(y[0] == -1.0 && y[1] == 1.0 && y[2].is_nan() && y[3] == 0.0, "{y:?}");
    }
}
