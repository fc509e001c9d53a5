//! Runs of bytes: single ones four a turn, 4.5 cycles each; one, two or three words in 9, 11 or 13 cycles; other short ones word
//! by word, 2 cycles a byte, where the last word overlaps the one before; others 16 bytes a turn, 14 cycles.

use crate::arch::runs::EvenRuns;
use core::arch::naked_asm;

/// Bytes of a run that is copied 16 at a time.
const LONG: usize = 16;

/// See [`Isa::copy_runs`](crate::arch::Isa::copy_runs).
#[inline(never)]
pub(super) fn copy_runs(x: &[i8], y: &mut [i8], runs: &EvenRuns) {
    if !runs.lie_within(x.len(), y.len()) {
        return;
    }
    let &EvenRuns { len, count, steps: [from, to] } = runs;
    // Of long runs all bytes are passed, of shorter ones whole words, of the shortest and of a few words none.
    let passed = match len {
        0..4 | 4 | 8 | 12 => 0,
        5..LONG => len & !3,
        _ => len,
    };
    let tail = len.wrapping_sub(passed).wrapping_sub(4);
    let words = [count, from.wrapping_sub(passed), to.wrapping_sub(passed), passed / 4, tail];
    let (x, y) = (x.as_ptr(), y.as_mut_ptr());
    // SAFETY: all runs lie within `x` and `y`.
    unsafe {
        match len {
            1 => ones(x, y, &words),
            2 => twos(x, y, &words),
            3 => threes(x, y, &words),
            LONG.. => many(x, y, &[count, words[1], words[2], len, 0]),
            4 => fours(x, y, &words),
            8 => eights(x, y, &words),
            12 => twelves(x, y, &words),
            _ => more(x, y, &words),
        }
    }
}

/// `$prepare` once, `$copy` each run, `$done` runs a turn.
macro_rules! turns {
    ($($copy:expr),*) => {
        naked_asm!(
            "push {{r4-r8, lr}}",
            "ldm r2, {{r3-r7}}",
            "1:",
            $($copy,)*
            "add r0, r4",
            "add r1, r5",
            "subs r3, #1",
            "bne 1b",
            "pop {{r4-r8, pc}}",
        )
    };
}

/// Words, as all of these take them: how many runs; bytes from behind a run's last whole word, or from where it begins if it
/// has none, to the next run in `x` and in `y`; whole words of a run; from behind them to its last four bytes.
///
/// # Safety
/// There is one run at least, all of them lie in `x` and `y` and are as long as the function says.
#[unsafe(naked)]
unsafe extern "C" fn ones(x: *const i8, y: *mut i8, words: &[usize; 5]) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r2, {{r3-r5}}",
        "add r6, r4, r4, lsl #1",
        "add r7, r5, r5, lsl #1",
        "subs r3, #4",
        "blo 2f",
        "1:",
        "ldrb r8, [r0]",
        "ldrb r9, [r0, r4]",
        "ldrb r10, [r0, r4, lsl #1]",
        "ldrb r11, [r0, r6]",
        "strb r8, [r1]",
        "strb r9, [r1, r5]",
        "strb r10, [r1, r5, lsl #1]",
        "strb r11, [r1, r7]",
        "add r0, r0, r4, lsl #2",
        "add r1, r1, r5, lsl #2",
        "subs r3, #4",
        "bhs 1b",
        "2:",
        "adds r3, #4",
        "beq 4f",
        "3:",
        "ldrb r8, [r0]",
        "strb r8, [r1]",
        "add r0, r4",
        "add r1, r5",
        "subs r3, #1",
        "bne 3b",
        "4:",
        "pop {{r4-r11, pc}}",
    )
}

/// # Safety
/// As [`ones`].
#[unsafe(naked)]
unsafe extern "C" fn twos(x: *const i8, y: *mut i8, words: &[usize; 5]) {
    turns!("ldrh r8, [r0]", "strh r8, [r1]")
}

/// # Safety
/// As [`ones`].
#[unsafe(naked)]
unsafe extern "C" fn threes(x: *const i8, y: *mut i8, words: &[usize; 5]) {
    turns!("ldrh r8, [r0]", "ldrb r12, [r0, #2]", "strh r8, [r1]", "strb r12, [r1, #2]")
}

/// # Safety
/// As [`ones`].
#[unsafe(naked)]
unsafe extern "C" fn fours(x: *const i8, y: *mut i8, words: &[usize; 5]) {
    turns!("ldr r8, [r0]", "str r8, [r1]")
}

/// # Safety
/// As [`ones`].
#[unsafe(naked)]
unsafe extern "C" fn eights(x: *const i8, y: *mut i8, words: &[usize; 5]) {
    turns!("ldr r8, [r0]", "ldr r12, [r0, #4]", "str r8, [r1]", "str r12, [r1, #4]")
}

/// # Safety
/// As [`ones`].
#[unsafe(naked)]
unsafe extern "C" fn twelves(x: *const i8, y: *mut i8, words: &[usize; 5]) {
    turns!(
        "ldr r8, [r0]",
        "ldr r12, [r0, #4]",
        "ldr lr, [r0, #8]",
        "str r8, [r1]",
        "str r12, [r1, #4]",
        "str lr, [r1, #8]"
    )
}

/// # Safety
/// As [`ones`]; runs are one word at least.
#[unsafe(naked)]
unsafe extern "C" fn more(x: *const i8, y: *mut i8, words: &[usize; 5]) {
    turns!(
        "mov r12, r6",
        "2:",
        "ldr r8, [r0], #4",
        "str r8, [r1], #4",
        "subs r12, #1",
        "bne 2b",
        "ldr r8, [r0, r7]",
        "str r8, [r1, r7]"
    )
}

/// Words: how many runs; bytes from behind a run to the next in `x` and in `y`; bytes of a run.
///
/// # Safety
/// As [`ones`]; runs are of 16 bytes at least.
#[unsafe(naked)]
unsafe extern "C" fn many(x: *const i8, y: *mut i8, words: &[usize; 5]) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r2, {{r3, r8, r9, r11}}",
        "1:",
        "sub r12, r11, #16",
        "2:",
        "ldr r4, [r0]",
        "ldr r5, [r0, #4]",
        "ldr r6, [r0, #8]",
        "ldr r7, [r0, #12]",
        "add r0, #16",
        "subs r12, #16",
        "str r4, [r1]",
        "str r5, [r1, #4]",
        "str r6, [r1, #8]",
        "str r7, [r1, #12]",
        "add r1, #16",
        "bhs 2b",
        "cmn r12, #16",
        "bne 4f",
        "3:",
        "add r0, r0, r8",
        "add r1, r1, r9",
        "subs r3, #1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
        "4:",
        // bits 3 and 2 of what is left, as carry and sign
        "lsls r10, r12, #29",
        "bcc 5f",
        "ldr r4, [r0]",
        "ldr r5, [r0, #4]",
        "add r0, #8",
        "str r4, [r1]",
        "str r5, [r1, #4]",
        "add r1, #8",
        "5:",
        "bpl 6f",
        "ldr r4, [r0]",
        "add r0, #4",
        "str r4, [r1]",
        "add r1, #4",
        "6:",
        // bits 1 and 0
        "lsls r10, r12, #31",
        "bcc 7f",
        "ldrh r4, [r0]",
        "add r0, #2",
        "strh r4, [r1]",
        "add r1, #2",
        "7:",
        "bpl 3b",
        "ldrb r4, [r0]",
        "add r0, #1",
        "strb r4, [r1]",
        "add r1, #1",
        "b 3b",
    )
}
