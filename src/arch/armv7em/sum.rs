//! A row of taps of an average: four channels at a time stay in registers, 10 cycles a tap.

use crate::arch::run;
use core::arch::naked_asm;

/// See [`Isa::sum_row`](crate::arch::Isa::sum_row).
#[inline(always)]
pub(super) fn sum_row(acc: &mut [i32], x: &[i8], step: usize, count: usize) {
    let Some(last) = count.checked_sub(1) else { return };
    let fours = acc.len() / 4;
    if fours > 0 && x.len() >= last * step + 4 * fours {
        // SAFETY: `x` has so many bytes in every tap.
        unsafe { asm(acc.as_mut_ptr(), x.as_ptr(), step, count, fours) }
    } else if fours > 0 {
        return;
    }
    for tap in 0..count {
        let x = run(x, tap * step + 4 * fours, acc.len() - 4 * fours);
        for (acc, &x) in acc.iter_mut().skip(4 * fours).zip(x) {
            *acc = acc.wrapping_add(x.into());
        }
    }
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
