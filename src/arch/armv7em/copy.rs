//! Runs of bytes copied together: 14 cycles for 16 bytes.

use crate::arch::packed::Copies;
use core::arch::naked_asm;

/// See [`Isa::copy_rows`](crate::arch::Isa::copy_rows).
#[inline(never)]
pub(super) fn copy_rows(copies: &Copies, x: &[i8], to: &mut [i8]) {
    let &Copies { len, counts: [rows, columns], steps: [row, column], pitch } = copies;
    if rows == 0 || columns == 0 {
        return;
    }
    let (below, across) = (rows - 1, columns - 1);
    let there = x.len() >= below * row + across * column + len && to.len() >= below * pitch + columns * len;
    if !there {
        return;
    }
    let words = [
        len,
        columns,
        rows,
        column.wrapping_sub(len),
        row.wrapping_sub(columns * column),
        pitch.wrapping_sub(columns * len),
    ];
    // SAFETY: all runs can be read, and as many bytes be written.
    unsafe { asm(x.as_ptr(), to.as_mut_ptr(), &words) }
}

/// Words: bytes of a run, runs of a row, rows; bytes from behind a run to the next, from there to the next row, and from
/// behind a written row to the next.
///
/// # Safety
/// All runs can be read and written; there is one at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(x: *const i8, to: *mut i8, words: &[usize; 6]) {
    naked_asm!(
        "push {{r4-r10, lr}}",
        "mov r8, r2",
        "ldr r2, [r8]",
        "ldr r9, [r8, #8]",
        "ldr lr, [r8, #12]",
        "8:",
        "ldr r3, [r8, #4]",
        "1:",
        "subs r12, r2, #16",
        "blo 3f",
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
        "3:",
        // bits 3 and 2 of what is left, as carry and sign
        "lsls r10, r12, #29",
        "bcc 4f",
        "ldr r4, [r0]",
        "ldr r5, [r0, #4]",
        "add r0, #8",
        "str r4, [r1]",
        "str r5, [r1, #4]",
        "add r1, #8",
        "4:",
        "bpl 5f",
        "ldr r4, [r0]",
        "add r0, #4",
        "str r4, [r1]",
        "add r1, #4",
        "5:",
        // bits 1 and 0
        "lsls r10, r12, #31",
        "bcc 6f",
        "ldrh r4, [r0]",
        "add r0, #2",
        "strh r4, [r1]",
        "add r1, #2",
        "6:",
        "bpl 7f",
        "ldrb r4, [r0]",
        "add r0, #1",
        "strb r4, [r1]",
        "add r1, #1",
        "7:",
        "add r0, r0, lr",
        "subs r3, #1",
        "bne 1b",
        "ldr r4, [r8, #16]",
        "ldr r5, [r8, #20]",
        "subs r9, #1",
        "add r0, r0, r4",
        "add r1, r1, r5",
        "bne 8b",
        "pop {{r4-r10, pc}}",
    )
}
