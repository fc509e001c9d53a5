//! Addition in one linear form, where both factors are multiples of 256: two multiplications, 13 instructions.

use crate::arch::packed::{self, Linear};
use core::arch::naked_asm;

/// See [`Isa::add_linear`](crate::arch::Isa::add_linear).
#[inline(never)]
pub(super) fn linear(y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
    // SAFETY: both hold so many elements.
    packed::add_by(y, x, linear, |y, x, count, words| unsafe { asm(y, x, count, words) });
}

/// # Safety
/// `y` and `x` hold `count` elements, one at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(y: *mut i8, x: *const i8, count: usize, words: &[i32; 3]) {
    naked_asm!(
        "push {{r4-r7, lr}}",
        "ldmia r3!, {{r5-r7}}",
        "mov r12, r7",
        "adds r2, r2, r0",
        "mov lr, r2",
        "subs r1, r1, r0",
        "movs r7, #0",
        "1:",
        "ldrsb r3, [r0, r7]",
        "ldrsb r4, [r0, r1]",
        "muls r3, r5, r3",
        "muls r4, r6, r4",
        "adds r3, r3, r4",
        "add r3, r12",
        "asrs r3, r3, #21",
        "sxtb r4, r3",
        "cmp r4, r3",
        "bne 3f",
        "2:",
        "strb r3, [r0]",
        "adds r0, #1",
        "cmp r0, lr",
        "bne 1b",
        "pop {{r4-r7, pc}}",
        "3:",
        "asrs r3, r3, #31",
        "movs r4, #127",
        "eors r3, r4",
        "b 2b",
    )
}
