//! Short runs copied together.

use crate::arch::packed::Runs;
use core::arch::naked_asm;

/// See [`Isa::collect`](crate::arch::Isa::collect).
#[inline(always)]
pub(super) fn collect(runs: Runs<'_>, pairs: usize, step: usize, count: usize, to: &mut [i8]) {
    let Some(last) = count.checked_sub(1) else { return };
    let there = runs.reach(last * step + 8 * pairs) && to.len() >= 8 * pairs * runs.begins.len() * count;
    if !there || pairs == 0 || runs.begins.is_empty() {
        return;
    }
    let words = [8 * pairs, step, count, runs.bytes.as_ptr() as usize];
    // SAFETY: the runs are as long as the function reads, `to` as long as it writes.
    unsafe { asm(runs.begins.as_ptr(), runs.begins.len(), to.as_mut_ptr(), &words) }
}

/// # Safety
/// `words`: bytes of a run, bytes to the next pair of pixels, pairs of pixels, one each at least, and the address of a run
/// that begins at 0. The runs and `to` are as long as follows.
#[unsafe(naked)]
unsafe extern "C" fn asm(begins: *const u16, count: usize, to: *mut i8, words: &[usize; 4]) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r3, {{r5, r6, r7, r8}}",
        "1:",
        "mov r9, r0",
        "mov r10, r1",
        "2:",
        "ldrh r3, [r9], #2",
        "add r3, r8, r3, lsl #3",
        "add r11, r3, r5",
        "3:",
        "ldr r4, [r3]",
        "ldr r12, [r3, #4]",
        "add r3, #8",
        "str r4, [r2]",
        "str r12, [r2, #4]",
        "add r2, #8",
        "cmp r3, r11",
        "bne 3b",
        "subs r10, #1",
        "bne 2b",
        "add r8, r8, r6",
        "subs r7, #1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
    )
}

/// See [`Isa::collect_first`](crate::arch::Isa::collect_first).
#[inline(always)]
pub(super) fn collect_first(runs: Runs<'_>, pairs: usize, from: usize, to: &mut [i8], lane: usize) {
    let there = runs.reach(from + 8 * pairs) && to.len() >= 8 * pairs * runs.begins.len() && lane < 2;
    if !there || pairs == 0 || runs.begins.is_empty() {
        return;
    }
    let (from, to) = (runs.bytes.as_ptr().wrapping_add(from), to.as_mut_ptr().wrapping_add(4 * lane));
    // SAFETY: the runs are as long as the function reads, `to` as long as it writes.
    unsafe { first_asm(runs.begins.as_ptr(), runs.begins.len(), to, from, 8 * pairs) }
}

/// # Safety
/// There is one run at least; `bytes` are those of a run. The runs and `to` are as long as follows.
#[unsafe(naked)]
unsafe extern "C" fn first_asm(begins: *const u16, count: usize, to: *mut i8, from: *const i8, bytes: usize) {
    naked_asm!(
        "push {{r4-r7, lr}}",
        "ldr r4, [sp, #20]",
        "1:",
        "ldrh r5, [r0], #2",
        "add r5, r3, r5, lsl #3",
        "add r6, r5, r4",
        // an odd first pair, then two a turn
        "lsrs r7, r4, #4",
        "bcc 2f",
        "ldr r7, [r5], #8",
        "str r7, [r2], #8",
        "cmp r5, r6",
        "beq 3f",
        "2:",
        "ldr r7, [r5]",
        "ldr r12, [r5, #8]",
        "add r5, #16",
        "str r7, [r2]",
        "str r12, [r2, #8]",
        "add r2, #16",
        "cmp r5, r6",
        "bne 2b",
        "3:",
        "subs r1, #1",
        "bne 1b",
        "pop {{r4-r7, pc}}",
    )
}
