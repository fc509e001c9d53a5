//! Reals at the doors of a net: what a sensor measures becomes int8, and scores become probabilities. The net itself
//! never sees a float.
//!
//! Scale and zero point come from the table: [`Engine::INPUT`](crate::Engine::INPUT) and
//! [`Engine::OUTPUT`](crate::Engine::OUTPUT), whose `meta` says `real = scale * (q - zero)`.

use crate::WrongLength;
use crate::ir::IntTensor;
use micromath::F32Ext;

/// The int8 nearest to a real.
///
/// # Ranges
/// Saturates at -128 and 127; not a number gives the zero point.
///
/// # Rounding
/// To nearest, ties away from zero.
pub fn quantise(real: f32, tensor: &IntTensor) -> i8 {
    let steps = F32Ext::round(real / tensor.scale) as i32;
    steps.saturating_add(tensor.zero.into()).clamp(i8::MIN.into(), i8::MAX.into()) as i8
}

/// The real that an int8 stands for.
pub fn dequantise(q: i8, tensor: &IntTensor) -> f32 {
    tensor.scale * (f32::from(q) - f32::from(tensor.zero))
}

/// [`quantise`] for a whole input, as [`Engine::input_mut`](crate::Engine::input_mut) gives it.
///
/// # Errors
/// When the slices differ in length.
pub fn quantise_all(reals: &[f32], tensor: &IntTensor, to: &mut [i8]) -> Result<(), WrongLength> {
    WrongLength::check(to.len(), reals.len())?;
    to.iter_mut().zip(reals).for_each(|(to, &real)| *to = quantise(real, tensor));
    Ok(())
}

/// [`dequantise`] for a whole output.
///
/// # Errors
/// When the slices differ in length.
pub fn dequantise_all(from: &[i8], tensor: &IntTensor, to: &mut [f32]) -> Result<(), WrongLength> {
    WrongLength::check(to.len(), from.len())?;
    to.iter_mut().zip(from).for_each(|(to, &q)| *to = dequantise(q, tensor));
    Ok(())
}

/// Probabilities from scores that have not been through a softmax: `exp(x - max) / sum`.
///
/// # Rounding
/// The exponential is micromath's; a probability is within 0.001 of the exact one.
///
/// # Errors
/// When the slices differ in length.
pub fn softmax(scores: &[i8], tensor: &IntTensor, to: &mut [f32]) -> Result<(), WrongLength> {
    WrongLength::check(to.len(), scores.len())?;
    let max = scores.iter().copied().max().unwrap_or_default();
    let mut sum = 0.0;
    for (to, &q) in to.iter_mut().zip(scores) {
        *to = F32Ext::exp(tensor.scale * (f32::from(q) - f32::from(max)));
        sum += *to;
    }
    to.iter_mut().for_each(|to| *to /= sum);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::prelude::v1::*;

    const TENSOR: IntTensor = IntTensor { scale: 0.125, zero: -3, offset: 0 };

    #[test]
    fn every_int8_survives_the_way_there_and_back() {
        let all: Vec<i8> = (i8::MIN..=i8::MAX).collect();
        let (mut reals, mut back) = (vec![0.0; 256], vec![0; 256]);
        dequantise_all(&all, &TENSOR, &mut reals).unwrap();
        assert_eq!((reals[0], reals[255]), (-15.625, 16.25));
        quantise_all(&reals, &TENSOR, &mut back).unwrap();
        assert_eq!(back, all);
        assert_eq!(
            quantise_all(&reals, &TENSOR, &mut back[1..]),
            Err(WrongLength { expected: 255, given: 256 })
        );
    }

    #[test]
    fn ties_go_away_from_zero_and_the_far_saturates() {
        let q = |real| quantise(real, &TENSOR);
        assert_eq!((q(0.0625), q(-0.0625), q(0.06), q(-0.06)), (-2, -4, -3, -3));
        assert_eq!((q(1e30), q(-1e30), q(f32::INFINITY), q(f32::NAN)), (127, -128, 127, -3));
    }

    #[test]
    fn probabilities_are_near_the_exact_ones() {
        for seed in 0..1000u32 {
            let score = |i: u32| (seed.wrapping_mul(2_654_435_761u32.rotate_left(3 * i)) >> 24) as i8;
            let scores: Vec<i8> = (0..10).map(score).collect();
            let mut got = [0.0; 10];
            softmax(&scores, &TENSOR, &mut got).unwrap();
            let exp = |&q: &i8| (f64::from(q) * 0.125).exp();
            let sum: f64 = scores.iter().map(exp).sum();
            for (q, got) in scores.iter().zip(got) {
                let want = exp(q) / sum;
                assert!((f64::from(got) - want).abs() < 0.001, "{got} for {want}");
            }
        }
    }
}
