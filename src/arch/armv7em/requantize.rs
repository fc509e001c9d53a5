//! Requantisation of int8 to int8, four elements a turn, 8.5 cycles each.
//!
//! With `a = 2 (x - zx) 2^left` and the multiplier `m`, `SMMLAR` gives `h + round(a m / 2^32)`, which is `h` plus the rounded
//! product. With `h = 2^(e - 1) + zy 2^e`, less 1 where `a` is negative, a shift by `e` then rounds to nearest, ties away from
//! zero: where a negative `a` gives a product of 0, the 1 makes no difference for `e >= 1`.

use crate::arch::Store;
use crate::ir::{Clamp, Requant};
use core::arch::naked_asm;

/// Most places to shift by: differences of int8 stay within a word, and so does the zero point.
const MOST: i32 = 22;

/// See [`Isa::requantize`](crate::arch::Isa::requantize).
#[inline(never)]
pub(super) fn requantize(y: &mut [i8], zero: i8, requant: Requant, store: Store) {
    let Requant { multiplier, shift } = requant;
    let (left, right) = (shift.max(0), (-shift).max(0));
    if left > MOST {
        // No difference but none leaves int8 anything between its ends, and products wrap as those of any CPU.
        let one = |y: i8| crate::fixed::requantise(i32::from(y) - i32::from(zero), multiplier, shift);
        return y.iter_mut().for_each(|y| *y = store.narrow(one(*y)));
    }
    if right > MOST {
        return y.fill(store.narrow(0));
    }
    let half = if right > 0 { 1 << (right - 1) } else { 0 };
    let factor = 2 << left;
    let nearest = half + (i32::from(store.zero) << right);
    let words = [factor, -i32::from(zero) * factor, multiplier, nearest, right];
    let (fours, rest) = y.as_chunks_mut::<4>();
    let mut last = [0; 4];
    last.iter_mut().zip(&*rest).for_each(|(to, &y)| *to = y);
    // SAFETY: there are four elements a turn, one turn at least.
    unsafe {
        let asm = if right > 0 { shifted } else { whole };
        if !fours.is_empty() {
            asm(fours.as_mut_ptr(), fours.len(), &words);
        }
        if !rest.is_empty() {
            asm(&mut last, 1, &words);
        }
    }
    rest.iter_mut().zip(last).for_each(|(y, last)| *y = last);
    if store.clamp != Clamp::FULL {
        super::clamp::clamp(y, store.clamp);
    }
}

macro_rules! fours {
    ($($finish:expr),*) => {
        naked_asm!(
            "push {{r4-r11, lr}}",
            "ldm r2, {{r3-r7}}",
            "1:",
            "ldrsb r8, [r0]",
            "ldrsb r9, [r0, #1]",
            "ldrsb r10, [r0, #2]",
            "ldrsb r11, [r0, #3]",
            "mla r8, r8, r3, r4",
            "mla r9, r9, r3, r4",
            "mla r10, r10, r3, r4",
            "mla r11, r11, r3, r4",
            $($finish,)*
            "ssat r8, #8, r8",
            "ssat r9, #8, r9",
            "ssat r10, #8, r10",
            "ssat r11, #8, r11",
            "strb r8, [r0]",
            "strb r9, [r0, #1]",
            "strb r10, [r0, #2]",
            "strb r11, [r0, #3]",
            "add r0, #4",
            "subs r1, #1",
            "bne 1b",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// # Safety
/// `y` holds `turns` times four elements, one turn at least. Words: what inputs are multiplied by, what is added to that, the
/// multiplier, what is added to the product, and what the sum is shifted by, one place at least.
#[unsafe(naked)]
unsafe extern "C" fn shifted(y: *mut [i8; 4], turns: usize, words: &[i32; 5]) {
    fours!(
        "add r12, r6, r8, asr #31",
        "add lr, r6, r9, asr #31",
        "smmlar r8, r8, r5, r12",
        "smmlar r9, r9, r5, lr",
        "add r12, r6, r10, asr #31",
        "add lr, r6, r11, asr #31",
        "smmlar r10, r10, r5, r12",
        "smmlar r11, r11, r5, lr",
        "asr r8, r8, r7",
        "asr r9, r9, r7",
        "asr r10, r10, r7",
        "asr r11, r11, r7"
    )
}

/// # Safety
/// As [`shifted`], without a shift.
#[unsafe(naked)]
unsafe extern "C" fn whole(y: *mut [i8; 4], turns: usize, words: &[i32; 5]) {
    fours!(
        "smmlar r8, r8, r5, r6",
        "smmlar r9, r9, r5, r6",
        "smmlar r10, r10, r5, r6",
        "smmlar r11, r11, r5, r6"
    )
}
