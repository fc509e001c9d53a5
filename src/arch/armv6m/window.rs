//! Taps of a depthwise window: two channels at a time, their sums in registers, 10 instructions a tap.

use super::frame::{enter, leave};
use core::arch::naked_asm;

/// Taps of a turn of the inner loop.
const TURN: usize = 4;
/// Bytes of code of a tap.
const STEP: usize = 20;

/// See [`Isa::window`](crate::arch::Isa::window).
#[inline(never)]
pub(super) fn window(acc: &mut [i32], taps: &[&[i8]], w: &[i8], step: usize) {
    let channels = acc.len();
    let Some(last) = taps.len().checked_sub(1) else { return };
    let there = taps.iter().all(|tap| tap.len() >= channels) && w.len() >= last * step + channels;
    if !there || channels == 0 {
        return;
    }
    let ends = taps.as_ptr_range();
    let words = [
        ends.start as usize,
        ends.end as usize,
        (TURN - 1 - last % TURN) * STEP,
        w.as_ptr() as usize,
        step,
        channels,
    ];
    // SAFETY: every tap and its weights are as long as there are channels; slices are an address and a length, eight bytes.
    unsafe { asm(&words, acc.as_mut_ptr()) }
}

macro_rules! step {
    () => {
        "ldmia r0!, {{r2, r3}}
        ldrsb r3, [r2, r5]
        ldrsb r4, [r1, r5]
        muls r3, r4, r3
        adds r7, r7, r3
        ldrsb r3, [r2, r6]
        ldrsb r4, [r1, r6]
        muls r3, r4, r3
        add r8, r3
        add r1, r9\n"
    };
}

/// Words: first and end of the taps, bytes of code that the first turn leaves out, weights, bytes from a tap's to the next,
/// channels.
///
/// # Safety
/// The words hold that, and `acc` as many accumulators as there are channels, all of them one at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(words: &[usize; 6], acc: *mut i32) {
    naked_asm!(
        enter!(),
        "ldmia r0!, {{r2-r7}}",
        "mov r12, r2",
        "mov r10, r3",
        "mov r9, r6",
        "mov r11, r7",
        "mov lr, r1",
        "adr r3, 5f",
        "adds r4, r4, r3",
        "adds r4, #1", // an address of Thumb code is odd
        "push {{r4, r5}}",
        "movs r5, #0",
        "1:",
        // the second channel, which of a last odd one is the first
        "adds r6, r5, #1",
        "cmp r6, r11",
        "bne 2f",
        "mov r6, r5",
        "2:",
        "mov r0, lr",
        "lsls r1, r5, #2",
        "ldr r7, [r0, r1]",
        "lsls r1, r6, #2",
        "ldr r1, [r0, r1]",
        "mov r8, r1",
        "ldr r1, [sp, #4]",
        "ldr r2, [sp]",
        "mov r0, r12",
        "bx r2",
        ".p2align 2",
        "5:",
        step!(),
        step!(),
        step!(),
        step!(),
        "cmp r0, r10",
        "bne 5b",
        "mov r0, lr",
        "lsls r1, r5, #2",
        "str r7, [r0, r1]",
        "mov r2, r8",
        "lsls r1, r6, #2",
        "str r2, [r0, r1]",
        "adds r5, #2",
        "cmp r5, r11",
        "blt 1b",
        "add sp, #8",
        leave!(),
    )
}
