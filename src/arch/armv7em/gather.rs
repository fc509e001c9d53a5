//! What windows see, widened, with the border. Four elements a turn, so that short runs pay little.

use crate::arch::packed::{self, Sight};
use core::arch::naked_asm;

/// See [`Isa::gather`](crate::arch::Isa::gather).
#[inline(never)]
pub(super) fn gather(sight: &Sight<'_>, to: &mut [i8], at: usize, lane: usize) {
    let &Sight { x, rows, row_step, columns, column_step, len, border } = sight;
    let across = columns.iter().sum::<usize>() * len;
    let all = rows.iter().sum::<usize>() * across;
    let reach = |count: usize, step: usize| count.saturating_sub(1) * step;
    let seen = rows[1] > 0 && columns[1] > 0 && len > 0;
    // Runs of a row that touch each other are one.
    let touch = column_step == len;
    let place = at / 2 * 8 + at % 2 * 2 + 4 * lane;
    let there = to.len() >= (at + all).div_ceil(2) * 8 - 4 + 4 * lane
        && x.len() >= reach(rows[1], row_step) + reach(columns[1], column_step) + len
        && (to.as_ptr() as usize).is_multiple_of(4)
        && lane < 2;
    if !there || !seen {
        return packed::gather(sight, to, at, lane);
    }
    let words = [
        x.as_ptr() as usize,
        row_step,
        column_step,
        rows[0] * across,
        rows[1],
        rows[2] * across,
        columns[0] * len,
        if touch { 1 } else { columns[1] },
        if touch { columns[1] * len } else { len },
        columns[2] * len,
        (i32::from(border) & 0xffff | i32::from(border) << 16) as usize,
        to.as_mut_ptr() as usize + place,
    ];
    // SAFETY: `x` holds the runs, `to` a halfword for each element; its address is a multiple of 4.
    unsafe { asm(&words) }
}

/// Words: the first run, bytes to that of the next row, to that of the next column; elements of the border before, rows,
/// elements behind them; of a row elements of the border before, runs, elements of a run, elements behind; the border twice;
/// where the first element goes. Bit 1 of that address tells whether the next element is the second of its word.
///
/// # Safety
/// The runs can be read, the places written, and there is one row, one run and one element at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(words: &[usize; 12]) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldr r1, [r0]",
        "ldr r2, [r0, #16]",
        "ldr r4, [r0, #40]",
        "ldr r5, [r0, #44]",
        "ldr r6, [r0, #12]",
        "bl 6f",
        "1:",
        "mov r3, r1",
        "ldr r6, [r0, #24]",
        "bl 6f",
        "ldr r12, [r0, #28]",
        "2:",
        "ldr r6, [r0, #32]",
        "mov r7, r3",
        "tst r5, #2",
        "beq 3f",
        "ldrsb r8, [r7]",
        "strh r8, [r5]",
        "add r7, #1",
        "add r5, #6",
        "sub r6, #1",
        "3:",
        "subs r6, #4",
        "blt 5f",
        "4:",
        "ldr r8, [r7]",
        "add r7, #4",
        "sxtb16 r9, r8",
        "sxtb16 r8, r8, ror #8",
        "pkhbt r10, r9, r8, lsl #16",
        "pkhtb r8, r8, r9, asr #16",
        "str r10, [r5]",
        "str r8, [r5, #8]",
        "add r5, #16",
        "subs r6, #4",
        "bge 4b",
        "5:",
        // the two lowest bits of what is left, as carry and sign
        "lsls r6, r6, #31",
        "bcc 8f",
        "ldrsb r8, [r7]",
        "ldrsb r9, [r7, #1]",
        "add r7, #2",
        "pkhbt r8, r8, r9, lsl #16",
        "str r8, [r5]",
        "add r5, #8",
        "8:",
        "bpl 9f",
        "ldrsb r8, [r7]",
        "strh r8, [r5]",
        "add r5, #2",
        "9:",
        "ldr r8, [r0, #8]",
        "subs r12, #1",
        "add r3, r3, r8",
        "bne 2b",
        "ldr r6, [r0, #36]",
        "bl 6f",
        "ldr r8, [r0, #4]",
        "subs r2, #1",
        "add r1, r1, r8",
        "bne 1b",
        "ldr r6, [r0, #20]",
        "bl 6f",
        "pop {{r4-r11, pc}}",
        // `r6` elements of the border
        "6:",
        "cbz r6, 7f",
        "tst r5, #2",
        "beq 3f",
        "strh r4, [r5]",
        "add r5, #6",
        "sub r6, #1",
        "3:",
        "subs r6, #2",
        "blt 5f",
        "4:",
        "str r4, [r5]",
        "add r5, #8",
        "subs r6, #2",
        "bge 4b",
        "5:",
        "adds r6, #2",
        "beq 7f",
        "strh r4, [r5]",
        "add r5, #2",
        "7:",
        "bx lr",
    )
}
