//! A row of taps of a mean: four channels at a time stay in registers, 10 cycles a tap; the one to three that are left go one
//! by one.

use core::arch::naked_asm;

/// See [`Isa::sum_row`](crate::arch::Isa::sum_row).
#[inline(always)]
pub(super) fn sum_row(acc: &mut [i32], x: &[i8], step: usize, count: usize) {
    let Some(last) = count.checked_sub(1) else { return };
    if x.len() < last * step + acc.len() {
        return;
    }
    let (fours, rest) = acc.split_at_mut(acc.len() & !3);
    // SAFETY: `x` has so many bytes in every tap.
    unsafe {
        if !fours.is_empty() {
            asm(fours.as_mut_ptr(), x.as_ptr(), step, count, fours.len() / 4);
        }
        if !rest.is_empty() {
            singly(rest.as_mut_ptr(), x.as_ptr().add(fours.len()), step, count, rest.len());
        }
    }
}

/// # Safety
/// `channels` words at `acc` can be read and written, as many bytes be read at `x` and every `step` on, `count` times;
/// there is one of either at least.
#[unsafe(naked)]
unsafe extern "C" fn singly(acc: *mut i32, x: *const i8, step: usize, count: usize, channels: usize) {
    naked_asm!(
        "push {{r4-r6, lr}}",
        "ldr r6, [sp, #16]",
        "1:",
        "ldr r4, [r0]",
        "mov r5, r1",
        "mov r12, r3",
        "2:",
        "ldrsb lr, [r5]",
        "add r5, r5, r2",
        "subs r12, #1",
        "add r4, r4, lr",
        "bne 2b",
        "str r4, [r0]",
        "add r0, #4",
        "add r1, #1",
        "subs r6, #1",
        "bne 1b",
        "pop {{r4-r6, pc}}",
    )
}

/// # Safety
/// `4 * fours` words at `acc` can be read and written, as many bytes be read at `x` and every `step` on, `count` times;
/// there is one of either at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(acc: *mut i32, x: *const i8, step: usize, count: usize, fours: usize) {
    naked_asm!(
        "push {{r4-r9, lr}}",
        "ldr r9, [sp, #28]",
        "1:",
        "ldr r4, [r0]",
        "ldr r5, [r0, #4]",
        "ldr r6, [r0, #8]",
        "ldr r7, [r0, #12]",
        "mov r8, r1",
        "mov r12, r3",
        "2:",
        "ldr lr, [r8]",
        "add r8, r8, r2",
        "sxtab r4, r4, lr",
        "sxtab r5, r5, lr, ror #8",
        "sxtab r6, r6, lr, ror #16",
        "sxtab r7, r7, lr, ror #24",
        "subs r12, #1",
        "bne 2b",
        "str r4, [r0]",
        "str r5, [r0, #4]",
        "str r6, [r0, #8]",
        "str r7, [r0, #12]",
        "add r0, #16",
        "add r1, #4",
        "subs r9, #1",
        "bne 1b",
        "pop {{r4-r9, pc}}",
    )
}
