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
//! 1. A function of one int8 is a table of 256. That of a requantisation is made here, where there are enough elements
//!    to look up.

use crate::arch::{Isa, Store};
use crate::ir::Requant;

/// Requantised from zero point `zero` and clamped, or, without a factor, clamped as it is; the operators differ in `store.clamp` only. TensorFlow Lite:
/// `Requantize` (`kernels/internal/reference/requantize.h`), `ReluQuantized` (`micro/kernels/activations.cc`). Its `Relu6Quantized` has no factor, whatever the scales.
///
/// # Rounding
/// Twice: the product, then the right shift.
pub(crate) fn requantize<I: Isa>(isa: I, requant: &[Requant], zero: i8, store: Store, y: &mut [i8]) {
    let &[requant] = requant else {
        let (low, high) = (store.clamp.low, store.clamp.high);
        return y.iter_mut().for_each(|y| *y = (*y).min(high).max(low));
    };
    if y.len() < MANY { each(isa, requant, zero, store, y) } else { by_table(isa, requant, zero, store, y) }
}

/// Elements from which on a table pays: making one takes as long as 256 of them.
const MANY: usize = 384;

fn each<I: Isa>(isa: I, requant: Requant, zero: i8, store: Store, y: &mut [i8]) {
    for y in y {
        let acc = i32::from(*y) - i32::from(zero);
        isa.store(&[acc], &[requant], store, core::slice::from_mut(y));
    }
}

/// In a frame of its own, for the table.
#[inline(never)]
fn by_table<I: Isa>(isa: I, requant: Requant, zero: i8, store: Store, y: &mut [i8]) {
    let mut table = [0; 256];
    table.iter_mut().zip(i8::MIN..=i8::MAX).for_each(|(y, x)| *y = x);
    each(isa, requant, zero, store, &mut table);
    look_up(&table, y);
}

/// Looked up; `table` holds the output of each input from -128 to 127.
pub(crate) fn look_up(table: &[i8], y: &mut [i8]) {
    let Ok(table) = <&[i8; 256]>::try_from(table) else { return };
    for y in y {
        *y = table[usize::from(*y as u8 ^ 0x80)];
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

    #[test]
    fn every_input_is_looked_up() {
        let table = tanh_table(1 << 30, 23, input_radius(4, 23), 10);
        let mut y: Vec<i8> = (i8::MIN..=i8::MAX).rev().collect();
        look_up(&table, &mut y);
        assert!(y.iter().rev().eq(&table));
        look_up(&table[1..], &mut y);
        assert!(y.iter().rev().eq(&table), "a short table changes nothing");
    }
}
