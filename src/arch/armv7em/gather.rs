//! What windows see, widened, with the border: 21 cycles for eight elements.

use crate::arch::packed::{self, Sight};
use core::arch::naked_asm;

/// See [`Isa::gather`](crate::arch::Isa::gather).
#[inline(never)]
pub(super) fn gather(sight: &Sight<'_>, to: &mut [i8], pitch: usize, at: usize, lane: usize) {
    let &Sight { x, rows, row_step, columns, column_step, len, border, pixels, pixel_step } = sight;
    let across = (columns[0] + columns[1] + columns[2]) * len;
    let all = (rows[0] + rows[1] + rows[2]) * across;
    if rows[1] == 0 || columns[1] == 0 || len == 0 || pixels == 0 || lane > 1 {
        return packed::gather(sight, to, pitch, at, lane);
    }
    // Runs of a row that touch each other are one.
    let (runs, run) = if column_step == len { (1, columns[1] * len) } else { (columns[1], len) };
    let reach = (pixels - 1) * pixel_step + (rows[1] - 1) * row_step + (runs - 1) * column_step + run;
    let there = x.len() >= reach
        && to.len() >= (pixels - 1 + lane) / 2 * pitch + (at + all).div_ceil(2) * 8
        && (to.as_ptr() as usize | pitch).is_multiple_of(4);
    if !there {
        return packed::gather(sight, to, pitch, at, lane);
    }
    let place = to.as_mut_ptr() as usize + at / 2 * 8 + at % 2 * 2 + 4 * lane;
    let other = [4, pitch.wrapping_sub(4)];
    let mut words = [
        x.as_ptr() as usize,
        row_step,
        column_step,
        rows[0] * across,
        rows[1],
        rows[2] * across,
        columns[0] * len,
        runs,
        run,
        columns[2] * len,
        (i32::from(border) & 0xffff | i32::from(border) << 16) as usize,
        place,
        pixels,
        pixel_step,
        other[lane],
        other[1 - lane],
    ];
    // SAFETY: `x` holds the runs of all pixels, `to` a halfword for each element; its address is a multiple of 4.
    unsafe { asm(&mut words) }
}

/// Words: 0 the first run, 1 bytes to that of the next row, 2 to that of the next column; 3 elements of the border before,
/// 4 rows, 5 elements behind them; 6 of a row elements of the border before, 7 runs, 8 elements of a run, 9 elements
/// behind; 10 the border twice; 11 where the first element goes; 12 pixels, 13 bytes to the next one's first run, 14 and 15
/// bytes from a pixel to the next, in turns. Bit 1 of an address to write to tells whether the next element is the second of
/// its word.
///
/// # Safety
/// The runs can be read, the places written, and there is one pixel, one row, one run and one element at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(words: &mut [usize; 16]) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldr r11, [r0, #48]",
        "ldr r4, [r0, #40]",
        "1:",
        "ldr r1, [r0]",
        "ldr r2, [r0, #16]",
        "ldr r5, [r0, #44]",
        "ldr r6, [r0, #12]",
        "cbz r6, 2f",
        "bl 20f",
        "2:",
        "ldr r6, [r0, #24]",
        "mov r3, r1",
        "cbz r6, 3f",
        "bl 20f",
        "3:",
        "ldr r12, [r0, #28]",
        "4:",
        "ldr r6, [r0, #32]",
        "mov r7, r3",
        "tst r5, #2",
        "beq 5f",
        "ldrsb r8, [r7]",
        "strh r8, [r5]",
        "add r7, #1",
        "add r5, #6",
        "sub r6, #1",
        "5:",
        "subs r6, #8",
        "blt 7f",
        "6:",
        "ldr r8, [r7]",
        "ldr r9, [r7, #4]",
        "add r7, #8",
        "sxtb16 r10, r8",
        "sxtb16 r8, r8, ror #8",
        "pkhbt lr, r10, r8, lsl #16",
        "pkhtb r8, r8, r10, asr #16",
        "str lr, [r5]",
        "sxtb16 r10, r9",
        "sxtb16 r9, r9, ror #8",
        "str r8, [r5, #8]",
        "pkhbt lr, r10, r9, lsl #16",
        "pkhtb r9, r9, r10, asr #16",
        "str lr, [r5, #16]",
        "str r9, [r5, #24]",
        "add r5, #32",
        "subs r6, #8",
        "bge 6b",
        "7:",
        // bits 2 and 1 of what is left, as carry and sign
        "lsls r8, r6, #30",
        "bcc 8f",
        "ldr r8, [r7]",
        "add r7, #4",
        "sxtb16 r10, r8",
        "sxtb16 r8, r8, ror #8",
        "pkhbt lr, r10, r8, lsl #16",
        "pkhtb r8, r8, r10, asr #16",
        "str lr, [r5]",
        "str r8, [r5, #8]",
        "add r5, #16",
        "8:",
        "bpl 9f",
        "ldrsb r8, [r7]",
        "ldrsb r9, [r7, #1]",
        "add r7, #2",
        "pkhbt r8, r8, r9, lsl #16",
        "str r8, [r5]",
        "add r5, #8",
        "9:",
        "lsls r8, r6, #31",
        "bpl 10f",
        "ldrsb r8, [r7]",
        "strh r8, [r5]",
        "add r5, #2",
        "10:",
        "ldr r8, [r0, #8]",
        "subs r12, #1",
        "add r3, r3, r8",
        "bne 4b",
        "ldr r6, [r0, #36]",
        "cbz r6, 11f",
        "bl 20f",
        "11:",
        "ldr r8, [r0, #4]",
        "subs r2, #1",
        "add r1, r1, r8",
        "bne 2b",
        "ldr r6, [r0, #20]",
        "cbz r6, 12f",
        "bl 20f",
        "12:",
        "ldr r1, [r0]",
        "ldr r2, [r0, #52]",
        "ldr r3, [r0, #44]",
        "ldr r6, [r0, #56]",
        "ldr r5, [r0, #60]",
        "add r1, r1, r2",
        "add r3, r3, r6",
        "str r1, [r0]",
        "str r3, [r0, #44]",
        "str r5, [r0, #56]",
        "str r6, [r0, #60]",
        "subs r11, #1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
        // `r6` elements of the border, one at least
        "20:",
        "tst r5, #2",
        "beq 21f",
        "strh r4, [r5]",
        "add r5, #6",
        "sub r6, #1",
        "21:",
        "subs r6, #2",
        "blt 23f",
        "22:",
        "str r4, [r5]",
        "add r5, #8",
        "subs r6, #2",
        "bge 22b",
        "23:",
        "lsls r6, r6, #31",
        "bpl 24f",
        "strh r4, [r5]",
        "add r5, #2",
        "24:",
        "bx lr",
    )
}
