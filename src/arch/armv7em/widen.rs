//! Elements to int16, in natural order: `SXTB16` gives bytes 0 and 2, and 1 and 3, of a word; `PKHBT` and `PKHTB` put
//! them in order. Eight elements a turn.

use crate::arch::packed::{self, Lines};
use core::arch::naked_asm;

/// See [`Isa::widen_pixels`](crate::arch::Isa::widen_pixels).
#[inline(always)]
pub(super) fn pixels(of: &Lines<'_>, to: &mut [i8], pitch: usize, lane: usize) {
    let (last, next) = (of.count.saturating_sub(1), if lane == 0 { 4 } else { pitch.wrapping_sub(4) });
    let end = (last + lane) / 2 * pitch + of.len.div_ceil(2) * 8;
    if lane < 2 && pitch.is_multiple_of(4) {
        lines(of, to, [4 * lane, end], [next, pitch]);
    }
}

/// See [`Isa::widen_runs`](crate::arch::Isa::widen_runs).
#[inline(always)]
pub(super) fn runs(of: &Lines<'_>, to: &mut [i8], at: usize, apart: usize, lane: usize) {
    // Runs an odd distance apart begin in either half of a word, in turns.
    let (even, odd) = (4 * apart, 2 * (apart % 2));
    let next = if at.is_multiple_of(2) { even - odd } else { even + odd };
    if lane < 2 {
        let end = (at + of.count.saturating_sub(1) * apart + of.len).div_ceil(2) * 8;
        lines(of, to, [at / 2 * 8 + at % 2 * 2 + 4 * lane, end], [next, 2 * even]);
    }
}

/// Widens runs to `to`, which they touch up to `end`, the first one from `place` on.
#[inline(never)]
fn lines(lines: &Lines<'_>, to: &mut [i8], [place, end]: [usize; 2], [next, both]: [usize; 2]) {
    let &Lines { x, len, step, count } = lines;
    let Some(last) = count.checked_sub(1) else { return };
    let aligned = (to.as_ptr() as usize).is_multiple_of(4);
    if len > 0 && x.len() >= last * step + len && to.len() >= end && aligned {
        let (x, to) = (x.as_ptr(), to.as_mut_ptr().wrapping_add(place));
        // SAFETY: `x` holds the elements of all runs, `to` a halfword for each; its address is a multiple of 4.
        unsafe {
            match len {
                1 => one(x, to, count, step, next, both),
                3 => three(x, to, count, step, next, both),
                2 if (place | next).is_multiple_of(4) => two(x, to, count, step, next, both),
                4 if (place | next).is_multiple_of(4) => four(x, to, count, step, next, both),
                _ => asm(x, to, len, count, step.wrapping_sub(len), next, both),
            }
        }
    }
}

/// See [`Isa::fill`](crate::arch::Isa::fill).
#[inline(always)]
pub(super) fn fill(word: [i8; 4], to: &mut [i8]) {
    let words = to.len() / 4;
    if words > 0 {
        // SAFETY: so many words are there to be written.
        unsafe { fill_asm(u32::from_le_bytes(word.map(|byte| byte as u8)), to.as_mut_ptr(), words) }
    }
}

/// See [`Isa::widen`](crate::arch::Isa::widen).
#[inline(never)]
pub(super) fn run(x: &[i8], to: &mut [i8]) {
    let turns = x.len() / 8;
    if to.len() < 16 * turns || turns == 0 {
        return packed::widen(x, to);
    }
    // SAFETY: eight bytes a turn are there to read, 16 to write.
    unsafe { run_asm(x.as_ptr(), to.as_mut_ptr(), turns) }
    let (Some(x), Some(to)) = (x.get(8 * turns..), to.get_mut(16 * turns..)) else { return };
    packed::widen(x, to);
}

/// Widens runs of `len` elements, `gap` bytes between two. Bit 1 of where a run goes tells whether its first element is the
/// second of its word; the place of the next one is `next` further, then `both - next`, and so on in turns.
///
/// # Safety
/// The elements can be read, the places written, and there is one run and one element at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(
    x: *const i8,
    to: *mut i8,
    len: usize,
    count: usize,
    gap: usize,
    next: usize,
    both: usize,
) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldr r10, [sp, #36]",
        "ldr r11, [sp, #40]",
        "ldr r7, [sp, #44]",
        "1:",
        "mov r12, r1",
        "tst r12, #2",
        "bne 8f",
        "subs lr, r2, #8",
        "blt 4f",
        "3:",
        "ldr r5, [r0]",
        "ldr r9, [r0, #4]",
        "sxtb16 r4, r5",
        "sxtb16 r5, r5, ror #8",
        "sxtb16 r8, r9",
        "sxtb16 r9, r9, ror #8",
        "pkhbt r6, r4, r5, lsl #16",
        "pkhtb r4, r5, r4, asr #16",
        "str r6, [r12]",
        "str r4, [r12, #8]",
        "pkhbt r6, r8, r9, lsl #16",
        "pkhtb r8, r9, r8, asr #16",
        "str r6, [r12, #16]",
        "str r8, [r12, #24]",
        "add r0, #8",
        "add r12, #32",
        "subs lr, #8",
        "bge 3b",
        "lsls r8, lr, #29",
        "beq 7f",
        // the last one to seven: bits 2 and 1 of their number as carry and sign
        "4:",
        "lsls r8, lr, #30",
        "bcc 5f",
        "ldr r5, [r0], #4",
        "sxtb16 r4, r5",
        "sxtb16 r5, r5, ror #8",
        "pkhbt r6, r4, r5, lsl #16",
        "pkhtb r4, r5, r4, asr #16",
        "str r6, [r12]",
        "str r4, [r12, #8]",
        "add r12, #16",
        "5:",
        "bpl 6f",
        "ldrsb r4, [r0]",
        "ldrsb r5, [r0, #1]",
        "add r0, #2",
        "pkhbt r4, r4, r5, lsl #16",
        "str r4, [r12], #8",
        "6:",
        "lsls r8, lr, #31",
        "itt ne",
        "ldrsbne r4, [r0], #1",
        "strhne r4, [r12]",
        "7:",
        "add r0, r0, r10",
        "add r1, r1, r11",
        "rsb r11, r11, r7",
        "subs r3, #1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
        // an odd first element
        "8:",
        "ldrsb r4, [r0], #1",
        "strh r4, [r12]",
        "add r12, #6",
        "subs lr, r2, #9",
        "bge 3b",
        "b 4b",
    )
}

/// Widens runs so short that each of them is a turn: `$run` from `r0` to `r1`. Places are as those of [`asm`].
macro_rules! short {
    ([$($run:literal),*]) => {
        naked_asm!(
            "push {{r4-r6, lr}}",
            "ldr r4, [sp, #16]",
            "ldr r5, [sp, #20]",
            "1:",
            $($run,)*
            "add r0, r0, r3",
            "add r1, r1, r4",
            "rsb r4, r4, r5",
            "subs r2, #1",
            "bne 1b",
            "pop {{r4-r6, pc}}",
        )
    };
}

/// Runs of one element, `step` bytes from one to the next.
///
/// # Safety
/// As [`asm`].
#[unsafe(naked)]
unsafe extern "C" fn one(x: *const i8, to: *mut i8, count: usize, step: usize, next: usize, both: usize) {
    short!(["ldrsb r6, [r0]", "strh r6, [r1]"])
}

/// Runs of two elements, the first of which is the first of its word.
///
/// # Safety
/// As [`asm`].
#[unsafe(naked)]
unsafe extern "C" fn two(x: *const i8, to: *mut i8, count: usize, step: usize, next: usize, both: usize) {
    short!(["ldrsb r6, [r0]", "ldrsb r12, [r0, #1]", "pkhbt r6, r6, r12, lsl #16", "str r6, [r1]"])
}

/// Runs of three elements.
///
/// # Safety
/// As [`asm`].
#[unsafe(naked)]
unsafe extern "C" fn three(x: *const i8, to: *mut i8, count: usize, step: usize, next: usize, both: usize) {
    short!([
        "ldrsb r6, [r0]",
        "ldrsb r12, [r0, #1]",
        "ldrsb lr, [r0, #2]",
        "tst r1, #2",
        "ittt eq",
        "pkhbteq r6, r6, r12, lsl #16",
        "streq r6, [r1]",
        "strheq lr, [r1, #8]",
        "ittt ne",
        "strhne r6, [r1]",
        "pkhbtne r12, r12, lr, lsl #16",
        "strne r12, [r1, #6]"
    ])
}

/// Runs of four elements, the first of which is the first of its word.
///
/// # Safety
/// As [`asm`].
#[unsafe(naked)]
unsafe extern "C" fn four(x: *const i8, to: *mut i8, count: usize, step: usize, next: usize, both: usize) {
    short!([
        "ldr r6, [r0]",
        "sxtb16 r12, r6",
        "sxtb16 r6, r6, ror #8",
        "pkhbt lr, r12, r6, lsl #16",
        "pkhtb r6, r6, r12, asr #16",
        "str lr, [r1]",
        "str r6, [r1, #8]"
    ])
}

/// # Safety
/// `8 * turns` bytes at `x` can be read, `16 * turns` at `to` be written.
#[unsafe(naked)]
unsafe extern "C" fn run_asm(x: *const i8, to: *mut i8, turns: usize) {
    naked_asm!(
        "push {{r4-r9, lr}}",
        "1:",
        "ldr r5, [r0]",
        "ldr r9, [r0, #4]",
        "sxtb16 r4, r5",
        "sxtb16 r5, r5, ror #8",
        "sxtb16 r8, r9",
        "sxtb16 r9, r9, ror #8",
        "pkhbt r3, r4, r5, lsl #16",
        "pkhtb r4, r5, r4, asr #16",
        "pkhbt r7, r8, r9, lsl #16",
        "pkhtb r8, r9, r8, asr #16",
        "str r3, [r1]",
        "str r4, [r1, #4]",
        "str r7, [r1, #8]",
        "str r8, [r1, #12]",
        "add r0, #8",
        "add r1, #16",
        "subs r2, #1",
        "bne 1b",
        "pop {{r4-r9, pc}}",
    )
}

/// # Safety
/// `words` words can be written, one at least.
#[unsafe(naked)]
unsafe extern "C" fn fill_asm(word: u32, to: *mut i8, words: usize) {
    naked_asm!(
        // up to three words, then four a turn
        "ands r3, r2, #3",
        "beq 2f",
        "1:",
        "str r0, [r1], #4",
        "subs r3, #1",
        "bne 1b",
        "2:",
        "lsrs r2, r2, #2",
        "beq 4f",
        "3:",
        "str r0, [r1]",
        "str r0, [r1, #4]",
        "str r0, [r1, #8]",
        "str r0, [r1, #12]",
        "add r1, #16",
        "subs r2, #1",
        "bne 3b",
        "4:",
        "bx lr",
    )
}
