//! Runs of bytes. Single ones sixteen a turn, 3.4 cycles each, where they lie side by side in `x`, else four a turn, 4.7; of two and
//! three bytes two runs a turn, 6 and 8 cycles a run; a word in 9. Up to 15 bytes are words, of which the last one overlaps
//! the one before where they are no multiple of 4: 15 cycles for two words and 5 for each more. Others go 16 bytes a turn,
//! 14 cycles.

use crate::arch::runs::EvenRuns;
use core::arch::naked_asm;

/// See [`Isa::copy_runs`](crate::arch::Isa::copy_runs).
#[inline(never)]
pub(super) fn copy_runs(x: &[i8], y: &mut [i8], runs: &EvenRuns) {
    if !runs.lie_within(x.len(), y.len()) {
        return;
    }
    let (x, y) = (x.as_ptr(), y.as_mut_ptr());
    // SAFETY: all runs lie within `x` and `y`.
    unsafe {
        match (runs.len, runs.steps[0]) {
            (1, 1) => row(x, y, runs),
            (1, _) => ones(x, y, runs),
            (2, _) => twos(x, y, runs),
            (3, _) => threes(x, y, runs),
            (4, _) => fours(x, y, runs),
            (..16, _) => more(x, y, runs),
            _ => many(x, y, runs),
        }
    }
}

/// `$both` for each two runs, with two bytes more than the steps in `r6` and `r7`, and `$one` for one that is left.
macro_rules! two_a_turn {
    ([$($both:expr),*], [$($one:expr),*]) => {
        naked_asm!(
            "push {{r4-r8, lr}}",
            "ldm r2, {{r2-r5}}",
            "add r6, r4, #2",
            "add r7, r5, #2",
            "subs r3, #2",
            "blo 2f",
            "1:",
            $($both,)*
            "add r0, r0, r4, lsl #1",
            "add r1, r1, r5, lsl #1",
            "subs r3, #2",
            "bhs 1b",
            "2:",
            "adds r3, #2",
            "beq 3f",
            $($one,)*
            "3:",
            "pop {{r4-r8, pc}}",
        )
    };
}

/// As all of these: the runs in `r2` to `r5` are their length, how many they are, and the steps in `x` and in `y`.
///
/// # Safety
/// There is one run at least, all of them lie in `x` and `y` and are as long as the function says.
#[unsafe(naked)]
unsafe extern "C" fn ones(x: *const i8, y: *mut i8, runs: &EvenRuns) {
    naked_asm!(
        "push {{r4-r8, lr}}",
        "ldm r2, {{r2-r5}}",
        "add r6, r4, r4, lsl #1",
        "add r7, r5, r5, lsl #1",
        "subs r3, #4",
        "blo 2f",
        "1:",
        "ldrb r2, [r0]",
        "ldrb r8, [r0, r4]",
        "ldrb r12, [r0, r4, lsl #1]",
        "ldrb lr, [r0, r6]",
        "strb r2, [r1]",
        "strb r8, [r1, r5]",
        "strb r12, [r1, r5, lsl #1]",
        "strb lr, [r1, r7]",
        "add r0, r0, r4, lsl #2",
        "add r1, r1, r5, lsl #2",
        "subs r3, #4",
        "bhs 1b",
        "2:",
        "adds r3, #4",
        "beq 4f",
        "3:",
        "ldrb r2, [r0]",
        "strb r2, [r1]",
        "add r0, r4",
        "add r1, r5",
        "subs r3, #1",
        "bne 3b",
        "4:",
        "pop {{r4-r8, pc}}",
    )
}

/// The four bytes of a word to `r1` on.
macro_rules! scatter {
    ($word:literal) => {
        concat!(
            "strb ",
            $word,
            ", [r1]\n",
            "lsr r12, ",
            $word,
            ", #8\n",
            "strb r12, [r1, r5]\n",
            "lsr r12, ",
            $word,
            ", #16\n",
            "strb r12, [r1, r5, lsl #1]\n",
            "lsr r12, ",
            $word,
            ", #24\n",
            "strb r12, [r1, r7]\n",
            "add r1, r1, r5, lsl #2\n",
        )
    };
}

/// # Safety
/// As [`ones`]; they lie side by side in `x`.
#[unsafe(naked)]
unsafe extern "C" fn row(x: *const i8, y: *mut i8, runs: &EvenRuns) {
    naked_asm!(
        "push {{r4-r7, lr}}",
        "ldm r2, {{r2-r5}}",
        "add r7, r5, r5, lsl #1",
        "subs r3, #16",
        "blo 2f",
        "1:",
        "ldr r2, [r0]",
        "ldr r4, [r0, #4]",
        "ldr r6, [r0, #8]",
        "ldr lr, [r0, #12]",
        "adds r0, #16",
        scatter!("r2"),
        scatter!("r4"),
        scatter!("r6"),
        scatter!("lr"),
        "subs r3, #16",
        "bhs 1b",
        "2:",
        "adds r3, #12",
        "bmi 4f",
        "3:",
        "ldr r2, [r0], #4",
        scatter!("r2"),
        "subs r3, #4",
        "bpl 3b",
        "4:",
        "adds r3, #4",
        "beq 6f",
        "5:",
        "ldrb r2, [r0], #1",
        "strb r2, [r1]",
        "add r1, r5",
        "subs r3, #1",
        "bne 5b",
        "6:",
        "pop {{r4-r7, pc}}",
    )
}

/// # Safety
/// As [`ones`].
#[unsafe(naked)]
unsafe extern "C" fn twos(x: *const i8, y: *mut i8, runs: &EvenRuns) {
    two_a_turn!(
        ["ldrh r2, [r0]", "ldrh r8, [r0, r4]", "strh r2, [r1]", "strh r8, [r1, r5]"],
        ["ldrh r2, [r0]", "strh r2, [r1]"]
    )
}

/// # Safety
/// As [`ones`].
#[unsafe(naked)]
unsafe extern "C" fn threes(x: *const i8, y: *mut i8, runs: &EvenRuns) {
    two_a_turn!(
        [
            "ldrh r2, [r0]",
            "ldrb r8, [r0, #2]",
            "ldrh r12, [r0, r4]",
            "ldrb lr, [r0, r6]",
            "strh r2, [r1]",
            "strb r8, [r1, #2]",
            "strh r12, [r1, r5]",
            "strb lr, [r1, r7]"
        ],
        ["ldrh r2, [r0]", "ldrb r8, [r0, #2]", "strh r2, [r1]", "strb r8, [r1, #2]"]
    )
}

/// # Safety
/// As [`ones`].
#[unsafe(naked)]
unsafe extern "C" fn fours(x: *const i8, y: *mut i8, runs: &EvenRuns) {
    naked_asm!(
        "push {{r4, r5}}",
        "ldm r2, {{r2-r5}}",
        "1:",
        "ldr r2, [r0]",
        "str r2, [r1]",
        "add r0, r4",
        "add r1, r5",
        "subs r3, #1",
        "bne 1b",
        "pop {{r4, r5}}",
        "bx lr",
    )
}

/// # Safety
/// As [`ones`]; runs are of 5 to 15 bytes.
#[unsafe(naked)]
unsafe extern "C" fn more(x: *const i8, y: *mut i8, runs: &EvenRuns) {
    naked_asm!(
        "push {{r4-r8, lr}}",
        "ldm r2, {{r2-r5}}",
        // where the last word begins, and the last one between it and the first
        "subs r6, r2, #4",
        "subs r7, r2, #5",
        "bic r7, r7, #3",
        "1:",
        "ldr r2, [r0]",
        "ldr r8, [r0, r6]",
        "str r2, [r1]",
        "str r8, [r1, r6]",
        "movs r2, r7",
        "beq 3f",
        "2:",
        "ldr r8, [r0, r2]",
        "str r8, [r1, r2]",
        "subs r2, #4",
        "bne 2b",
        "3:",
        "add r0, r4",
        "add r1, r5",
        "subs r3, #1",
        "bne 1b",
        "pop {{r4-r8, pc}}",
    )
}

/// # Safety
/// As [`ones`]; runs are of 16 bytes at least.
#[unsafe(naked)]
unsafe extern "C" fn many(x: *const i8, y: *mut i8, runs: &EvenRuns) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r2, {{r2, r3, r8, r9}}",
        "sub r8, r8, r2",
        "sub r9, r9, r2",
        "1:",
        "sub r12, r2, #16",
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
