//! Transforms of convolution by minimal filtering in both directions. The arithmetic is told at its portable
//! counterpart, whose names for numbers are used here too.
//!
//! Sums of two int16 a word wrap in either half alone, so what is between a transform's ends may.

use super::frame::{enter, keep, leave, take};
use crate::ir::Squares;
use core::arch::naked_asm;

/// `B d` of `r4` to `r9`, to `r1` and every `$step` bytes behind `$at`: 26 cycles.
macro_rules! lower {
    ($at:literal, $step:literal) => {
        concat!(
            "ssub16 r10, r8, r6\n", // d4 - d2
            "ssub16 r11, r7, r5\n", // d3 - d1
            "ssub16 r9, r9, r7\n",  // d5 - d3
            "ssub16 r4, r4, r6\n",
            "sadd16 r4, r4, r4\n",
            "sadd16 r4, r4, r4\n",
            "sadd16 r4, r4, r10\n", // v0
            "sadd16 r6, r6, r6\n",
            "sadd16 r6, r6, r6\n",
            "ssub16 r8, r8, r6\n", // d4 - 4 d2
            "sadd16 r5, r5, r5\n",
            "sadd16 r5, r5, r5\n",
            "ssub16 r7, r7, r5\n", // d3 - 4 d1
            "sadd16 r5, r8, r7\n", // v1
            "ssub16 r6, r8, r7\n", // v2
            "sadd16 r11, r11, r11\n",
            "sadd16 r7, r10, r11\n", // v3
            "ssub16 r8, r10, r11\n", // v4
            "sadd16 r11, r11, r11\n",
            "ssub16 r9, r9, r11\n", // v5
            "str r4, [r1, #",
            $at,
            "]\n",
            "str r5, [r1, #",
            $at,
            "+",
            $step,
            "]\n",
            "str r6, [r1, #",
            $at,
            "+2*",
            $step,
            "]\n",
            "str r7, [r1, #",
            $at,
            "+3*",
            $step,
            "]\n",
            "str r8, [r1, #",
            $at,
            "+4*",
            $step,
            "]\n",
            "str r9, [r1, #",
            $at,
            "+5*",
            $step,
            "]\n",
        )
    };
}

/// See [`Isa::lower_columns`](crate::arch::Isa::lower_columns).
#[inline(never)]
pub(super) fn lower_columns(rows: &[i8], pitch: usize, channels: usize, columns: usize, to: &mut [i8]) {
    let Some(last) = columns.checked_sub(1) else { return };
    if rows.len() < 5 * pitch + last * channels + 4 || to.len() < 48 * columns {
        return;
    }
    // SAFETY: a word in each of six rows is there for each column, and twelve to write.
    unsafe { columns_asm(rows.as_ptr(), to.as_mut_ptr(), pitch, columns, channels) }
}

/// Two channels of six rows, of bytes 0 and 2 or 1 and 3 of the words at `r0` and every `r2` bytes.
macro_rules! column {
    ($bytes:literal, $at:literal) => {
        concat!(
            "add r12, r0, r2\n",
            "ldr r4, [r0]\n",
            "ldr r5, [r0, r2]\n",
            "ldr r6, [r0, r2, lsl #1]\n",
            "ldr r7, [r12, r2, lsl #1]\n",
            "ldr r8, [r0, r2, lsl #2]\n",
            "ldr r9, [r12, r2, lsl #2]\n",
            "sxtb16 r4, r4",
            $bytes,
            "\n",
            "sxtb16 r5, r5",
            $bytes,
            "\n",
            "sxtb16 r6, r6",
            $bytes,
            "\n",
            "sxtb16 r7, r7",
            $bytes,
            "\n",
            "sxtb16 r8, r8",
            $bytes,
            "\n",
            "sxtb16 r9, r9",
            $bytes,
            "\n",
            lower!($at, "8"),
        )
    };
}

/// # Safety
/// Six rows every `pitch` bytes hold `columns` words every `channels` bytes, one at least; `to` has twelve for each.
#[unsafe(naked)]
unsafe extern "C" fn columns_asm(
    rows: *const i8,
    to: *mut i8,
    pitch: usize,
    columns: usize,
    channels: usize,
) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldr lr, [sp, #36]",
        "1:",
        column!("", "0"),
        column!(", ror #8", "4"),
        "add r0, r0, lr",
        "add r1, #48",
        "subs r3, #1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
    )
}

/// See [`Isa::lower_rows`](crate::arch::Isa::lower_rows).
#[inline(never)]
pub(super) fn lower_rows(columns: &[i8], count: usize, to: &mut [i8]) {
    if count == 0 || count > 4 || columns.len() < 48 * (4 * count + 2) {
        return;
    }
    if to.len() + 16 < 32 * Squares::POINTS + 4 * count {
        return;
    }
    // SAFETY: six columns every four are there for each square, and a word for each point, pair and square.
    unsafe { rows_asm(columns.as_ptr(), to.as_mut_ptr(), count) }
}

/// A row of six columns, of either pair of channels.
macro_rules! row {
    ($from:literal, $to:literal) => {
        concat!(
            "ldr r4, [r0, #",
            $from,
            "]\n",
            "ldr r5, [r0, #",
            $from,
            "+48]\n",
            "ldr r6, [r0, #",
            $from,
            "+96]\n",
            "ldr r7, [r0, #",
            $from,
            "+144]\n",
            "ldr r8, [r0, #",
            $from,
            "+192]\n",
            "ldr r9, [r0, #",
            $from,
            "+240]\n",
            lower!($to, "16"),
        )
    };
}

/// # Safety
/// `columns` holds 48 bytes for each of `4 * count + 2` columns; `to` takes 72 words every 16 bytes, and so on behind those
/// for each of up to four squares.
#[unsafe(naked)]
unsafe extern "C" fn rows_asm(columns: *const i8, to: *mut i8, count: usize) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "1:",
        "add r3, r0, #48",
        "2:",
        row!("0", "0"),
        row!("4", "576"),
        "add r0, #8",
        "add r1, #96",
        "cmp r0, r3",
        "bne 2b",
        "add r0, #144",
        "sub r1, #572",
        "subs r2, #1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
    )
}

/// See [`Isa::lower_filters`](crate::arch::Isa::lower_filters).
#[inline(never)]
pub(super) fn lower_filters(pairs: usize, weights: &[i8], to: &mut [i8]) {
    if pairs == 0 || pairs % 2 == 1 {
        return;
    }
    if weights.len() < 36 * pairs || to.len() < 8 * Squares::POINTS * pairs {
        return;
    }
    // One group of four channels and one unit a turn, and where the next one lies.
    let words = [weights.as_ptr() as usize, to.as_mut_ptr() as usize, pairs, 4, 0, 0, 0, 0];
    // SAFETY: nine words a turn are there to read, as many turns as pairs, and 72 to write.
    unsafe { filters_asm(&words) }
}

/// `G g` of a row of three, to `r1` and on, `$at` behind: 15 cycles.
macro_rules! taps {
    ($a:literal, $b:literal, $c:literal, $at:literal, $row:literal) => {
        concat!(
            "str ",
            $a,
            ", [r1, #",
            $at,
            "+",
            $row,
            "]\n",
            "sadd16 r11, ",
            $a,
            ", ",
            $c,
            "\n",
            "sadd16 r12, r11, ",
            $b,
            "\n",
            "ssub16 lr, r11, ",
            $b,
            "\n",
            "str r12, [r1, #",
            $at,
            "+",
            $row,
            "+8]\n",
            "str lr, [r1, #",
            $at,
            "+",
            $row,
            "+16]\n",
            "sadd16 r11, ",
            $c,
            ", ",
            $c,
            "\n",
            "sadd16 r12, ",
            $b,
            ", ",
            $b,
            "\n",
            "sadd16 r11, r11, r11\n",
            "sadd16 r11, r11, ",
            $a,
            "\n",
            "sadd16 lr, r11, r12\n",
            "ssub16 r11, r11, r12\n",
            "str lr, [r1, #",
            $at,
            "+",
            $row,
            "+24]\n",
            "str r11, [r1, #",
            $at,
            "+",
            $row,
            "+32]\n",
            "str ",
            $c,
            ", [r1, #",
            $at,
            "+",
            $row,
            "+40]\n",
        )
    };
}

/// Three sums or differences: `$op $to, $to, $with`.
macro_rules! three {
    ($op:literal, $a:literal, $b:literal, $c:literal, $x:literal, $y:literal, $z:literal) => {
        concat!(
            $op, " ", $a, ", ", $a, ", ", $x, "\n", $op, " ", $b, ", ", $b, ", ", $y, "\n", $op, " ", $c,
            ", ", $c, ", ", $z, "\n",
        )
    };
}

/// The filter in bytes 0 and 2 or 1 and 3 of the words at `r0`.
macro_rules! filter {
    ($bytes:literal, $at:literal) => {
        concat!(
            "ldr r2, [r0]\n",
            "ldr r3, [r0, #4]\n",
            "ldr r4, [r0, #8]\n",
            "ldr r5, [r0, #12]\n",
            "ldr r6, [r0, #16]\n",
            "ldr r7, [r0, #20]\n",
            "ldr r8, [r0, #24]\n",
            "ldr r9, [r0, #28]\n",
            "ldr r10, [r0, #32]\n",
            "sxtb16 r2, r2",
            $bytes,
            "\nsxtb16 r3, r3",
            $bytes,
            "\nsxtb16 r4, r4",
            $bytes,
            "\nsxtb16 r5, r5",
            $bytes,
            "\nsxtb16 r6, r6",
            $bytes,
            "\nsxtb16 r7, r7",
            $bytes,
            "\nsxtb16 r8, r8",
            $bytes,
            "\nsxtb16 r9, r9",
            $bytes,
            "\nsxtb16 r10, r10",
            $bytes,
            "\n",
            taps!("r2", "r3", "r4", $at, "0"),
            taps!("r8", "r9", "r10", $at, "240"),
            // e = g0 + g2 for g0, f = e + 3 g2 for g2
            three!("sadd16", "r2", "r3", "r4", "r8", "r9", "r10"),
            "sadd16 r11, r8, r8\n",
            "sadd16 r12, r9, r9\n",
            "sadd16 lr, r10, r10\n",
            three!("sadd16", "r8", "r9", "r10", "r11", "r12", "lr"),
            three!("sadd16", "r8", "r9", "r10", "r2", "r3", "r4"),
            // e + g1, e - g1, f + 2 g1, f - 2 g1
            three!("sadd16", "r2", "r3", "r4", "r5", "r6", "r7"),
            taps!("r2", "r3", "r4", $at, "48"),
            three!("sadd16", "r5", "r6", "r7", "r5", "r6", "r7"),
            three!("ssub16", "r2", "r3", "r4", "r5", "r6", "r7"),
            taps!("r2", "r3", "r4", $at, "96"),
            three!("sadd16", "r8", "r9", "r10", "r5", "r6", "r7"),
            taps!("r8", "r9", "r10", $at, "144"),
            three!("sadd16", "r5", "r6", "r7", "r5", "r6", "r7"),
            three!("ssub16", "r8", "r9", "r10", "r5", "r6", "r7"),
            taps!("r8", "r9", "r10", $at, "192"),
        )
    };
}

/// Slots: 0 weights, 1 place of their transform, 2 turns left, 3 bytes to the place of the next turn: to the other unit, or
/// to the next pairs.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn filters_asm(words: &[usize; 8]) {
    naked_asm!(
        enter!(8),
        take!("r0", 0),
        take!("r1", 1),
        "1:",
        filter!("", "0"),
        filter!(", ror #8", "288"),
        take!("r2", 3),
        take!("r3", 2),
        "add r0, #36",
        "add r1, r1, r2",
        "rsb r2, r2, #576",
        keep!(3, "r2"),
        "subs r3, #1",
        keep!(2, "r3"),
        "bne 1b",
        leave!(8),
    )
}
