//! Products of int8 element by element, two a turn, 13.5 cycles each.
//!
//! They are requantised as [`super::requantize`] does it, by `SMMLAR` and a shift, for the twice a product of two differences of
//! int8 stays within 18 bits.

use crate::arch::{Store, multiply as portable};
use crate::ir::{Clamp, Requant};
use core::arch::naked_asm;

/// Most places to shift by: products stay within a word, and so does the zero point.
const MOST: i32 = 22;

/// See [`Isa::multiply`](crate::arch::Isa::multiply).
#[inline(never)]
pub(super) fn multiply(y: &mut [i8], x: &[i8], step: usize, zeros: [i8; 2], requant: Requant, store: Store) {
    let right = -requant.shift;
    let there = if step == 1 { x.len() } else { x.len().min(1) * y.len() };
    let turns = if step < 2 && matches!(right, 1..=MOST) { y.len().min(there) / 2 } else { 0 };
    if let Some(last) = turns.checked_sub(1) {
        let [y_zero, x_zero] = zeros.map(i32::from);
        let nearest = (1 << (right - 1)) + (i32::from(store.zero) << right);
        let words = [-2 * y_zero, requant.multiplier, nearest, right, x_zero, step as i32];
        // SAFETY: there are two elements a turn in `y`, and as many steps of 1 in `x`, or one of 0.
        unsafe { asm(y.as_mut_ptr(), x.as_ptr(), last + 1, &words) }
        if store.clamp != Clamp::FULL {
            super::clamp::clamp(y.get_mut(..2 * turns).unwrap_or_default(), store.clamp);
        }
    }
    let rest = y.get_mut(2 * turns..).unwrap_or_default();
    portable::multiply(rest, x.get(2 * turns * step..).unwrap_or_default(), step, zeros, requant, store);
}

/// Words: twice the zero point of `y`, its sign turned; the multiplier; what is added to the product; what the sum is shifted by, one
/// place at least; the zero point of `x`; its step.
///
/// # Safety
/// `y` holds `turns` times two elements, one turn at least, and `x` as many as it is stepped to.
#[unsafe(naked)]
unsafe extern "C" fn asm(y: *mut i8, x: *const i8, turns: usize, words: &[i32; 6]) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r3, {{r3-r8}}",
        "1:",
        "ldrsb r9, [r0]",
        "ldrsb r10, [r0, #1]",
        "ldrsb r11, [r1]",
        "ldrsb r12, [r1, r8]",
        "add r1, r1, r8, lsl #1",
        "add r9, r3, r9, lsl #1",
        "add r10, r3, r10, lsl #1",
        "sub r11, r11, r7",
        "sub r12, r12, r7",
        "mul r9, r9, r11",
        "mul r10, r10, r12",
        "add r11, r5, r9, asr #31",
        "add r12, r5, r10, asr #31",
        "smmlar r9, r9, r4, r11",
        "smmlar r10, r10, r4, r12",
        "asr r9, r9, r6",
        "asr r10, r10, r6",
        "ssat r9, #8, r9",
        "ssat r10, #8, r10",
        "strb r9, [r0]",
        "strb r10, [r0, #1]",
        "add r0, #2",
        "subs r2, #1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
    )
}
