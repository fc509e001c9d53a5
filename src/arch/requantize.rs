//! Functions of one int8, requantisation among them, for any CPU.
//!
//! Tricks:
//! 1. A function of one int8 is a table of 256, made where there are enough elements to look up.
//! 2. Elements go to the block that stores accumulators, some at once.

use super::{Isa, Store};
use crate::ir::Requant;

/// Elements from which on a table pays: making one takes as long as 256 of them.
const MANY: usize = 384;

/// Accumulators that are stored at once.
const BLOCK: usize = 16;

/// See [`Isa::requantize`].
#[inline(always)]
pub(super) fn requantize<I: Isa>(isa: I, y: &mut [i8], zero: i8, requant: Requant, store: Store) {
    if y.len() < MANY { each(isa, y, zero, requant, store) } else { by_table(isa, y, zero, requant, store) }
}

#[inline(never)]
fn each<I: Isa>(isa: I, y: &mut [i8], zero: i8, requant: Requant, store: Store) {
    let mut acc = [0; BLOCK];
    for y in y.chunks_mut(BLOCK) {
        acc.iter_mut().zip(&*y).for_each(|(acc, &y)| *acc = i32::from(y) - i32::from(zero));
        isa.store(&acc, &[requant; BLOCK], store, y);
    }
}

/// In a frame of its own, for the table.
#[inline(never)]
fn by_table<I: Isa>(isa: I, y: &mut [i8], zero: i8, requant: Requant, store: Store) {
    let mut table = [0; 256];
    table.iter_mut().zip(i8::MIN..=i8::MAX).for_each(|(y, x)| *y = x);
    each(isa, &mut table, zero, requant, store);
    look_up(&table, y);
}

/// See [`Isa::look_up`].
#[inline(always)]
pub(super) fn look_up(table: &[i8; 256], y: &mut [i8]) {
    for y in y {
        *y = table[usize::from(*y as u8 ^ 0x80)];
    }
}
