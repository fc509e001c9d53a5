//! Two rows joined for depthwise convolution: `PKHBT` and `PKHTB` bring the bytes of both together, `SXTB16` widens
//! them. 35 cycles for four channels of two rows and columns; the one to three that are left go one by one.

use crate::arch::packed::Joins;
use core::arch::naked_asm;

/// See [`Isa::join_rows`](crate::arch::Isa::join_rows).
#[inline(never)]
pub(super) fn join_rows(joins: &Joins<'_>, to: &mut [i8]) {
    let &Joins { rows: [upper, lower], steps: [first, second], channels, columns, count, below, pitch, row } =
        joins;
    if channels == 0 || columns == 0 || count == 0 {
        return;
    }
    let (groups, rest) = (channels / 4, channels % 4);
    let (down, across) = ((count - 1) * below, columns - 1);
    let there = upper.len() >= down + across * first + channels
        && lower.len() >= down + across * second + channels
        && to.len() >= (count - 1) * row + (channels - 1) * pitch + 4 * columns;
    if !there {
        return;
    }
    let (upper, lower, to) = (upper.as_ptr(), lower.as_ptr(), to.as_mut_ptr());
    if groups > 0 {
        // A last column by itself is not passed.
        let twos = columns & !1;
        let mut words = [
            columns,
            pitch,
            first,
            second,
            4usize.wrapping_sub(twos * first),
            4usize.wrapping_sub(twos * second),
            (4 * pitch).wrapping_sub(4 * twos),
            groups,
            groups,
            below.wrapping_sub(4 * groups),
            row.wrapping_sub(4 * groups * pitch),
            count,
        ];
        // SAFETY: either row of each pair has four bytes a group in every column, and there is a word for each in every channel.
        unsafe { asm(upper, lower, to, &mut words) }
    }
    if rest > 0 {
        let at = 4 * groups;
        let words = [
            rest,
            columns,
            pitch,
            first,
            second,
            count,
            below.wrapping_sub(columns * first),
            below.wrapping_sub(columns * second),
            row.wrapping_sub(4 * columns),
        ];
        // SAFETY: likewise a byte for each of the other channels.
        unsafe {
            let (upper, lower) = (upper.wrapping_add(at), lower.wrapping_add(at));
            singly(upper, lower, to.wrapping_add(at * pitch), &words);
        }
    }
}

/// `words`: channels, columns, bytes from channel to channel, bytes from a column to the next in either row; pairs, bytes from
/// behind either row to that of the next pair, and from behind the words of a column to those of the next pair.
///
/// # Safety
/// All rows and `to` hold what the words say; there is one channel, one column and one pair at least.
#[unsafe(naked)]
unsafe extern "C" fn singly(upper: *const i8, lower: *const i8, to: *mut i8, words: &[usize; 9]) {
    naked_asm!(
        "push {{r3-r11, lr}}",
        "ldr r11, [r3, #20]",
        "1:",
        "ldr r3, [sp]",
        "ldr r4, [r3, #4]",
        "ldr r6, [r3, #8]",
        "ldr r7, [r3, #12]",
        "ldr r8, [r3, #16]",
        "ldr r5, [r3]",
        "2:",
        "ldrsb r9, [r0]",
        "ldrsb r10, [r1]",
        "mov r12, r2",
        "subs r3, r5, #1",
        "pkhbt r9, r9, r10, lsl #16",
        "str r9, [r12]",
        "beq 4f",
        // the second and the third
        "ldrsb r9, [r0, #1]",
        "ldrsb r10, [r1, #1]",
        "add r12, r12, r6",
        "pkhbt r9, r9, r10, lsl #16",
        "subs r3, #1",
        "str r9, [r12]",
        "beq 4f",
        "ldrsb r9, [r0, #2]",
        "ldrsb r10, [r1, #2]",
        "pkhbt r9, r9, r10, lsl #16",
        "str r9, [r12, r6]",
        "4:",
        "add r0, r0, r7",
        "add r1, r1, r8",
        "subs r4, #1",
        "add r2, #4",
        "bne 2b",
        "ldr r3, [sp]",
        "ldr r4, [r3, #24]",
        "ldr r5, [r3, #28]",
        "ldr r6, [r3, #32]",
        "subs r11, #1",
        "add r0, r0, r4",
        "add r1, r1, r5",
        "add r2, r2, r6",
        "bne 1b",
        "pop {{r3-r11, pc}}",
    )
}

/// The words of four channels of a column, whose rows are in `$upper` and `$lower`.
macro_rules! column {
    ($upper:literal, $lower:literal, $at:literal) => {
        concat!(
            "pkhbt r8, ",
            $upper,
            ", ",
            $lower,
            ", lsl #16\npkhtb ",
            $upper,
            ", ",
            $lower,
            ", ",
            $upper,
            ", asr #16\nsxtb16 ",
            $lower,
            ", r8, ror #8\nsxtb16 r8, r8\nstr r8, [r2, #",
            $at,
            "]\nstr ",
            $lower,
            ", [r3, #",
            $at,
            "]\nsxtb16 ",
            $lower,
            ", ",
            $upper,
            ", ror #8\nsxtb16 ",
            $upper,
            ", ",
            $upper,
            "\nstr ",
            $upper,
            ", [r12, #",
            $at,
            "]\nstr ",
            $lower,
            ", [r9, #",
            $at,
            "]\n",
        )
    };
}

/// Four channels after another. `words`: columns, bytes from channel to channel, bytes from a column to the next in either row;
/// bytes from behind the twos of columns of a group to the next group in either row, and from behind their words to the next
/// group's; groups, groups left; bytes from behind the groups of a pair to the next pair in both rows and in words, pairs
/// left.
///
/// # Safety
/// As [`singly`].
#[unsafe(naked)]
unsafe extern "C" fn asm(upper: *const i8, lower: *const i8, to: *mut i8, words: &mut [usize; 12]) {
    naked_asm!(
        "push {{r3-r11, lr}}",
        "ldr r11, [r3, #8]",
        "ldr lr, [r3, #12]",
        "ldr r10, [r3]",
        "ldr r3, [r3, #4]",
        "add r12, r2, r3, lsl #1",
        "add r9, r12, r3",
        "add r3, r2, r3",
        "1:",
        "subs r10, #2",
        "blo 3f",
        "2:",
        "ldr r4, [r0]",
        "ldr r5, [r1]",
        "ldr r6, [r0, r11]",
        "ldr r7, [r1, lr]",
        column!("r4", "r5", 0),
        column!("r6", "r7", 4),
        "add r0, r0, r11, lsl #1",
        "add r1, r1, lr, lsl #1",
        "add r2, #8",
        "add r3, #8",
        "add r12, #8",
        "add r9, #8",
        "subs r10, #2",
        "bhs 2b",
        "3:",
        "adds r10, #1",
        "bne 4f",
        "ldr r4, [r0]",
        "ldr r5, [r1]",
        column!("r4", "r5", 0),
        "4:",
        "ldr r4, [sp]",
        "ldr r5, [r4, #16]",
        "ldr r6, [r4, #20]",
        "ldr r7, [r4, #24]",
        "ldr r8, [r4, #32]",
        "ldr r10, [r4]",
        "add r0, r5",
        "add r1, r6",
        "add r2, r7",
        "add r3, r7",
        "add r12, r7",
        "add r9, r7",
        "subs r8, #1",
        "str r8, [r4, #32]",
        "bne 1b",
        "ldr r5, [r4, #28]",
        "ldr r6, [r4, #36]",
        "ldr r7, [r4, #40]",
        "ldr r8, [r4, #44]",
        "add r0, r6",
        "add r1, r6",
        "add r2, r7",
        "add r3, r7",
        "add r12, r7",
        "add r9, r7",
        "str r5, [r4, #32]",
        "subs r8, #1",
        "str r8, [r4, #44]",
        "bne 1b",
        "pop {{r3-r11, pc}}",
    )
}
