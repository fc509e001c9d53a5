//! Two rows joined for depthwise convolution: `PKHBT` and `PKHTB` bring the bytes of both together, `SXTB16` widens
//! them. 23 cycles for four channels of two rows.

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
    let groups = channels / 4;
    let last = columns.saturating_sub(1);
    let there = (0..2).all(|i| rows[i].len() >= last * steps[i] + 4 * groups)
        && to.len() + pitch >= 4 * groups * pitch + 4 * columns;
    if !there || groups == 0 || columns == 0 {
        return packed::join_rows(rows, steps, channels, columns, to, pitch);
    }
    let [upper, lower] = rows;
    let words =
        [groups, columns, pitch, steps[0].wrapping_sub(4 * groups), steps[1].wrapping_sub(4 * groups)];
    // SAFETY: either row has four bytes a group in every column, and there is a word for each in every channel.
    unsafe { asm(upper.as_ptr(), lower.as_ptr(), to.as_mut_ptr(), &words) }
    if channels > 4 * groups {
        let rest = rows.map(|row| row.get(4 * groups..).unwrap_or_default());
        let to = to.get_mut(4 * groups * pitch..).unwrap_or_default();
        packed::join_rows(rest, steps, channels - 4 * groups, columns, to, pitch);
    }
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
