//! Activations that stand alone, element by element and in place.
//!
//! ```text
//! relu, relu6: y = narrow(requantise(x - zx, q)), with 0 (and 6) as ends of the clamp
//! tanh:        y = table[x]
//! ```
//!
//! Most activations never come here: quantising folds them into the clamp of the operator before.
//!
//! Tricks:
//! 1. A function of one int8 is a table of 256.

use crate::arch::{Isa, Store};
use crate::ir::Requant;

/// Clamped and requantised from zero point `zero`; `relu` and `relu6` differ in `store.clamp` only.
pub(crate) fn relu<I: Isa>(isa: I, requant: &[Requant], zero: i8, store: Store, y: &mut [i8]) {
    let &[requant] = requant else { return };
    for y in y {
        let acc = i32::from(*y) - i32::from(zero);
        isa.store(&[acc], &[requant], store, core::slice::from_mut(y));
    }
}

/// Looked up; `table` holds the output of each input from -128 to 127.
pub(crate) fn tanh(table: &[i8], y: &mut [i8]) {
    let Ok(table) = <&[i8; 256]>::try_from(table) else { return };
    for y in y {
        *y = table[usize::from(*y as u8 ^ 0x80)];
    }
}
