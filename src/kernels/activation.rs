//! Activations that stand alone, element by element and in place.
//!
//! ```text
//! requantize, relu, relu6, relu_n1_to_1: y = narrow(requantise(x - zx, q)), with the ends of the clamp
//! leaky_relu, hard_swish, logistic, tanh: y = table[x]
//! ```
//!
//! Most activations never come here: quantising folds them into the clamp of the operator before.
//!
//! Tricks:
//! 1. One run over the tensor, whatever its shape.

use crate::arch::{Isa, Store};
use crate::ir::Requant;

/// Requantised from zero point `zero` and clamped, or, without a factor, clamped as it is; the operators differ in `store.clamp` only. TensorFlow Lite:
/// `Requantize` (`kernels/internal/reference/requantize.h`), `ReluQuantized` (`micro/kernels/activations.cc`). Its `Relu6Quantized` has no factor, whatever the scales.
///
/// # Rounding
/// Twice: the product, then the right shift.
pub(crate) fn requantize<I: Isa>(isa: I, requant: &[Requant], zero: i8, store: Store, y: &mut [i8]) {
    match requant {
        &[requant] => isa.requantize(y, zero, requant, store),
        _ => isa.clamp(y, store.clamp),
    }
}

/// Looked up; `table` holds the output of each input from -128 to 127.
pub(crate) fn look_up<I: Isa>(isa: I, table: &[i8], y: &mut [i8]) {
    if let Ok(table) = table.try_into() {
        isa.look_up(table, y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed::{input_radius, tanh_table};
    use crate::kernels::oracle::{Numbers, finish, hold, on_every_isa};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    fn equals_the_oracle<I: Isa>(isa: I) {
        hold(256, any::<u64>(), |seed| {
            let mut numbers = Numbers(seed);
            // Few elements and many, which take two ways.
            let all: Vec<i8> = (i8::MIN..=i8::MAX).cycle().take([256, 999][seed as usize % 2]).collect();
            let (zero, requant) = (numbers.int8(), numbers.requant());
            let store = Store { zero: numbers.int8(), clamp: numbers.clamp() };
            let mut got = all.clone();
            requantize(isa, &[requant], zero, store, &mut got);
            for (&x, &y) in all.iter().zip(&got) {
                prop_assert_eq!(y, finish(i64::from(x) - i64::from(zero), requant, store));
            }
            let mut clamped = all.clone();
            requantize(isa, &[], zero, store, &mut clamped);
            let clamp = store.clamp;
            prop_assert!(clamped.iter().zip(&all).all(|(&y, &x)| y == x.clamp(clamp.low, clamp.high)));
            Ok(())
        });
    }

    #[test]
    fn on_every_isa_requantize_equals_the_oracle() {
        on_every_isa!(equals_the_oracle);
    }

    fn every_input_is_looked_up<I: Isa>(isa: I) {
        let table = tanh_table(1 << 30, 23, input_radius(4, 23), 10);
        let mut y: Vec<i8> = (i8::MIN..=i8::MAX).rev().collect();
        look_up(isa, &table, &mut y);
        assert!(y.iter().rev().eq(&table));
        look_up(isa, &table[1..], &mut y);
        assert!(y.iter().rev().eq(&table), "a short table changes nothing");
    }

    #[test]
    fn on_every_isa_every_input_is_looked_up() {
        on_every_isa!(every_input_is_looked_up);
    }
}
