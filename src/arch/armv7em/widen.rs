//! Elements to int16, in natural order: `SXTB16` gives bytes 0 and 2, and 1 and 3, of a word; `PKHBT` and `PKHTB` put
//! them in order. Eight elements a turn.

use crate::arch::packed;
use core::arch::naked_asm;

/// See [`Isa::widen_lane`](crate::arch::Isa::widen_lane).
#[inline(never)]
pub(super) fn lane(x: &[i8], to: &mut [i8], at: usize, lane: usize) {
    // An odd first element by itself, so that the others begin a word.
    let odd = at % 2;
    let Some((head, x)) = x.split_at_checked(odd) else { return };
    packed::widen_lane(head, to, at, lane);
    let at = at + odd;
    let turns = x.len() / 8;
    let from = at / 2 * 8 + 4 * lane;
    if let Some(to) = to.get_mut(from..)
        && to.len() + 4 >= 32 * turns
        && lane < 2
        && turns > 0
    {
        // SAFETY: eight bytes a turn are there to read, and 28 to write, 32 from turn to turn.
        unsafe { lane_asm(x.as_ptr(), to.as_mut_ptr(), turns) }
        packed::widen_lane(x.get(8 * turns..).unwrap_or_default(), to, 8 * turns, 0);
    } else {
        packed::widen_lane(x, to, at, lane);
    }
}

/// See [`Isa::widen_pixels`](crate::arch::Isa::widen_pixels).
#[inline(never)]
pub(super) fn pixels(x: &[i8], channels: usize, to: &mut [i8], pitch: usize) {
    let count = x.len().checked_div(channels).unwrap_or(0);
    let there = to.len() >= count.saturating_sub(1) / 2 * pitch + 4 * channels;
    if count > 0 && there && channels.is_multiple_of(8) {
        // SAFETY: the pixels follow each other; either pixel of every pair has words for its channels.
        unsafe { pixels_asm(x.as_ptr(), to.as_mut_ptr(), channels / 8, count, pitch) }
        return;
    }
    for (i, x) in x.chunks_exact(channels.max(1)).enumerate() {
        lane(x, to.get_mut(i / 2 * pitch..).unwrap_or_default(), 0, i % 2);
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

/// A function that widens eight elements at `r0` to words at `r1`, so many bytes apart, `r2` times, once at least.
macro_rules! widen {
    ($apart:literal) => {
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
            concat!("str r4, [r1, #", $apart, "]"),
            concat!("str r7, [r1, #2*", $apart, "]"),
            concat!("str r8, [r1, #3*", $apart, "]"),
            "add r0, #8",
            concat!("add r1, #4*", $apart),
            "subs r2, #1",
            "bne 1b",
            "pop {{r4-r9, pc}}",
        )
    };
}

/// # Safety
/// `8 * turns * pixels` bytes at `x` can be read, one each at least; `turns` times four words be written at `to + 4 * (i
/// % 2) + pitch * (i / 2)` for each pixel `i`, 8 bytes apart.
#[unsafe(naked)]
unsafe extern "C" fn pixels_asm(x: *const i8, to: *mut i8, turns: usize, pixels: usize, pitch: usize) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldr r11, [sp, #36]",
        "sub r11, #4",
        "mov r10, #4", // to the other pixel of the pair, or to the next pair
        "1:",
        "mov r12, r1",
        "mov lr, r2",
        "2:",
        "ldr r5, [r0]",
        "ldr r9, [r0, #4]",
        "sxtb16 r4, r5",
        "sxtb16 r5, r5, ror #8",
        "sxtb16 r8, r9",
        "sxtb16 r9, r9, ror #8",
        "pkhbt r6, r4, r5, lsl #16",
        "pkhtb r4, r5, r4, asr #16",
        "pkhbt r7, r8, r9, lsl #16",
        "pkhtb r8, r9, r8, asr #16",
        "str r6, [r12]",
        "str r4, [r12, #8]",
        "str r7, [r12, #16]",
        "str r8, [r12, #24]",
        "add r0, #8",
        "add r12, #32",
        "subs lr, #1",
        "bne 2b",
        "add r1, r1, r10",
        "mov r4, r10",
        "mov r10, r11",
        "mov r11, r4",
        "subs r3, #1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
    )
}

/// # Safety
/// `8 * turns` bytes at `x` can be read, words at `to`, `to + 8` and so on up to `to + 32 * turns - 8` be written.
#[unsafe(naked)]
unsafe extern "C" fn lane_asm(x: *const i8, to: *mut i8, turns: usize) {
    widen!(8)
}

/// # Safety
/// `8 * turns` bytes at `x` can be read, `16 * turns` at `to` be written.
#[unsafe(naked)]
unsafe extern "C" fn run_asm(x: *const i8, to: *mut i8, turns: usize) {
    widen!(4)
}
