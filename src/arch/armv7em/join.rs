//! Two rows joined for depthwise convolution: `PKHBT` and `PKHTB` bring the bytes of both together, `SXTB16` widens
//! them. 23 cycles for four channels of two rows; the one to three that are left go one by one.

use crate::arch::packed;
use core::arch::naked_asm;

/// See [`Isa::join_rows`](crate::arch::Isa::join_rows).
#[inline(never)]
pub(super) fn join_rows(
    rows: [&[i8]; 2],
    steps: [usize; 2],
    channels: usize,
    columns: usize,
    to: &mut [i8],
    pitch: usize,
) {
    let (groups, rest) = (channels / 4, channels % 4);
    let last = columns.saturating_sub(1);
    let there = (0..2).all(|i| rows[i].len() >= last * steps[i] + channels)
        && to.len() + pitch >= channels * pitch + 4 * columns;
    if !there || channels == 0 || columns == 0 {
        return packed::join_rows(rows, steps, channels, columns, to, pitch);
    }
    let [upper, lower] = rows.map(<[i8]>::as_ptr);
    if groups > 0 {
        let words =
            [groups, columns, pitch, steps[0].wrapping_sub(4 * groups), steps[1].wrapping_sub(4 * groups)];
        // SAFETY: either row has four bytes a group in every column, and there is a word for each in every channel.
        unsafe { asm(upper, lower, to.as_mut_ptr(), &words) }
    }
    if rest > 0 {
        let at = 4 * groups;
        let words = [rest, columns, pitch.wrapping_sub(4 * columns), steps[0], steps[1]];
        // SAFETY: likewise a byte for each of the other channels.
        unsafe {
            singly(
                upper.wrapping_add(at),
                lower.wrapping_add(at),
                to.as_mut_ptr().wrapping_add(at * pitch),
                &words,
            )
        }
    }
}

/// `words`: channels, columns, bytes from behind a channel to the next, bytes from a column to the next in either row.
///
/// # Safety
/// Both rows and `to` hold what the words say; there is one channel and one column at least.
#[unsafe(naked)]
unsafe extern "C" fn singly(upper: *const i8, lower: *const i8, to: *mut i8, words: &[usize; 5]) {
    naked_asm!(
        "push {{r4-r10, lr}}",
        "ldm r3, {{r4-r8}}",
        "1:",
        "mov r12, r0",
        "mov lr, r1",
        "mov r3, r5",
        "2:",
        "ldrsb r9, [r12]",
        "ldrsb r10, [lr]",
        "add r12, r12, r7",
        "add lr, lr, r8",
        "pkhbt r9, r9, r10, lsl #16",
        "subs r3, #1",
        "str r9, [r2]",
        "add r2, #4",
        "bne 2b",
        "add r0, #1",
        "add r1, #1",
        "add r2, r2, r6",
        "subs r4, #1",
        "bne 1b",
        "pop {{r4-r10, pc}}",
    )
}

/// `words`: groups of four channels, columns, bytes from channel to channel, bytes from the end of a column's groups
/// to the next column in either row.
///
/// # Safety
/// Both rows and `to` hold what the words say; there is one group and one column at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(upper: *const i8, lower: *const i8, to: *mut i8, words: &[usize; 5]) {
    naked_asm!(
        "push {{r3-r11, lr}}",
        "ldr lr, [r3, #4]",
        "ldr r3, [r3, #8]",
        "add r12, r3, r3, lsl #1",
        "1:",
        "ldr r4, [sp]",
        "mov r11, r2",
        "ldr r10, [r4]",
        "2:",
        "ldr r8, [r0]",
        "ldr r9, [r1]",
        "add r0, #4",
        "add r1, #4",
        "pkhbt r4, r8, r9, lsl #16",
        "pkhtb r6, r9, r8, asr #16",
        "sxtb16 r5, r4, ror #8",
        "sxtb16 r4, r4",
        "sxtb16 r7, r6, ror #8",
        "sxtb16 r6, r6",
        "str r4, [r11]",
        "str r5, [r11, r3]",
        "str r6, [r11, r3, lsl #1]",
        "str r7, [r11, r12]",
        "add r11, r11, r3, lsl #2",
        "subs r10, #1",
        "bne 2b",
        "ldr r4, [sp]",
        "add r2, #4",
        "ldr r5, [r4, #12]",
        "ldr r6, [r4, #16]",
        "add r0, r5",
        "add r1, r6",
        "subs lr, #1",
        "bne 1b",
        "pop {{r3-r11, pc}}",
    )
}
