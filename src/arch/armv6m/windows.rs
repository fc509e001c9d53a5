//! Depthwise windows of four pixels, channel by channel: a weight serves four products, 15 instructions a tap.

use super::frame::{clamp, enter, finish, leave, product, slots};
use crate::arch::halves::{self, Windows};
use core::arch::naked_asm;

/// Taps of a turn of the inner loop.
const TURN: usize = 3;
/// Bytes of code of a tap.
const STEP: usize = 30;

/// See [`Isa::four_windows`](crate::arch::Isa::four_windows).
#[inline(never)]
pub(super) fn four_windows(windows: &Windows<'_>, x: &[i8], taps: &[[usize; 4]], y: &mut [i8]) {
    let &Windows { channels, pixels, store, .. } = windows;
    let Some(last) = taps.len().checked_sub(1) else { return };
    let furthest = taps.as_flattened().iter().fold(0, |furthest, &place| place.max(furthest));
    let there = windows.fits(x.len(), furthest, taps.len(), y.len());
    if !there || channels == 0 {
        return halves::four_windows(windows, x, taps, y);
    }
    let (first, ends) = (x.as_ptr() as usize, taps.as_ptr_range());
    let words = [
        ends.start as usize,
        ends.end as usize,
        (TURN - 1 - last % TURN) * STEP,
        (windows.weights.as_ptr() as usize).wrapping_sub(first),
        first,
        first + channels,
        channels,
        windows.requant.as_ptr() as usize,
        windows.bias.as_ptr() as usize,
        0,
        y.as_mut_ptr() as usize,
        channels,
        4 * pixels,
        (2 * i32::from(store.zero) + 1) as usize,
        i32::from(store.clamp.low) as usize,
        i32::from(store.clamp.high) as usize,
        0,
        0,
    ];
    // SAFETY: from every place on there are as many elements as channels; weights, factors and biases are as many as the
    // function reads, the outputs as many as it writes.
    unsafe { asm(&words) }
}

macro_rules! step {
    () => {
        "ldrsb r5, [r6, r4]
        add r6, lr
        ldmia r7!, {{r0-r3}}
        ldrsb r0, [r0, r4]
        ldrsb r1, [r1, r4]
        ldrsb r2, [r2, r4]
        ldrsb r3, [r3, r4]
        muls r0, r5, r0
        muls r1, r5, r1
        muls r2, r5, r2
        muls r3, r5, r3
        add r8, r0
        add r9, r1
        add r10, r2
        add r11, r3\n"
    };
}

/// Words: 0 and 1 first and end of the places, 2 bytes of code that the first turn leaves out, then where it is entered, 3
/// weights less the elements, 4 elements of the channel, 5 those of the one after the last, 6 channels, 8 biases, the others
/// as [`finish`] says.
///
/// # Safety
/// The words hold that, of the lengths that follow from them, and there is one at least of all that is counted.
#[unsafe(naked)]
unsafe extern "C" fn asm(words: &[usize; 18]) {
    naked_asm!(
        enter!(),
        slots!(),
        "ldr r0, [sp, #4*2]",
        "adr r1, 5f",
        "adds r0, r0, r1",
        "adds r0, #1", // an address of Thumb code is odd
        "str r0, [sp, #4*2]",
        "1:",
        "ldr r0, [sp, #4*8]",
        "ldmia r0!, {{r1}}",
        "str r0, [sp, #4*8]",
        "mov r8, r1",
        "mov r9, r1",
        "mov r10, r1",
        "mov r11, r1",
        "ldr r7, [sp, #4*0]",
        "ldr r0, [sp, #4*1]",
        "mov r12, r0",
        "ldr r6, [sp, #4*3]",
        "ldr r4, [sp, #4*4]",
        "ldr r0, [sp, #4*6]",
        "mov lr, r0",
        "ldr r0, [sp, #4*2]",
        "bx r0",
        ".p2align 2",
        "5:",
        step!(),
        step!(),
        step!(),
        "cmp r7, r12",
        "bne 5b",
        "mov r0, r8",
        "mov r1, r9",
        "mov r2, r10",
        "mov r3, r11",
        "add r5, sp, #4*18",
        "stmia r5!, {{r0-r3}}",
        finish!(),
        "ldr r0, [sp, #4*4]",
        "adds r0, #1",
        "str r0, [sp, #4*4]",
        "ldr r1, [sp, #4*5]",
        "cmp r0, r1",
        "beq 6f",
        "b 1b",
        "6:",
        "add sp, #88",
        leave!(),
    )
}
