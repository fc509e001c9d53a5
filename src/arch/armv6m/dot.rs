//! Four rows of weights times a vector: one element serves four products, 14 instructions.

use super::frame::{enter, leave};
use crate::arch::{QUAD, exact};
use core::arch::naked_asm;

/// Steps of a turn of the loop.
const TURN: usize = 4;
/// Bytes of code of a step.
const STEP: usize = 28;

/// See [`Isa::dot`](crate::arch::Isa::dot).
#[inline(never)]
pub(super) fn dot(acc: &mut [i32; QUAD], x: &[i8], w: &[&[i8]; QUAD], from: usize) {
    let [Some(w0), Some(w1), Some(w2), Some(w3)] = w.map(|w| exact(w, from, x.len())) else { return };
    let Some(last) = x.len().checked_sub(1) else { return };
    let first = x.as_ptr() as usize;
    let rows = [w0, w1, w2, w3].map(|w| (w.as_ptr() as usize).wrapping_sub(first));
    // SAFETY: the vector and the rows have as many elements.
    unsafe { asm(x.as_ptr_range().end, &rows, acc, (TURN - 1 - last % TURN) * STEP, first) }
}

macro_rules! step {
    () => {
        "ldrsb r0, [r2, r3]
        ldrsb r1, [r2, r4]
        muls r1, r0, r1
        add r8, r1
        ldrsb r1, [r2, r5]
        muls r1, r0, r1
        add r9, r1
        ldrsb r1, [r2, r6]
        muls r1, r0, r1
        add r10, r1
        ldrsb r1, [r2, r7]
        muls r1, r0, r1
        add r11, r1
        adds r2, #1\n"
    };
}

/// # Safety
/// `rows` are addresses less that of the vector, which begins at `first`, before `end`; `skip` bytes of code are left out of
/// the first turn.
#[unsafe(naked)]
unsafe extern "C" fn asm(
    end: *const i8,
    rows: &[usize; QUAD],
    acc: &mut [i32; QUAD],
    skip: usize,
    first: usize,
) {
    naked_asm!(
        enter!(),
        "mov r12, r0",
        "ldmia r2!, {{r4-r7}}",
        "subs r2, #16",
        "push {{r2}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "ldmia r1!, {{r4-r7}}",
        "adr r0, 5f",
        "adds r0, r0, r3",
        "adds r0, #1", // an address of Thumb code is odd
        "ldr r2, [sp, #40]",
        "movs r3, #0",
        "bx r0",
        ".p2align 2",
        "5:",
        step!(),
        step!(),
        step!(),
        step!(),
        "cmp r2, r12",
        "bne 5b",
        "pop {{r2}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "stmia r2!, {{r4-r7}}",
        leave!(),
    )
}
