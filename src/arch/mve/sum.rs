//! Taps of an average added up, sixteen channels at a time: a tap of those by 10 instructions.

use super::frame::{enter, leave};
use crate::arch::run;
use core::arch::naked_asm;

/// See [`Isa::sum_row`](crate::arch::Isa::sum_row).
#[inline(never)]
pub(super) fn sum_row(acc: &mut [i32], x: &[i8], step: usize, count: usize) {
    let len = acc.len();
    let there = count > 0 && x.len() >= step.saturating_mul(count - 1).saturating_add(len);
    let whole = if there { len / 16 * 16 } else { 0 };
    if whole > 0 {
        // SAFETY: so many accumulators, and as many elements at each of so many taps.
        unsafe { asm(acc.as_mut_ptr(), x.as_ptr(), step, count, whole / 16) }
    }
    let rest = acc.get_mut(whole..).unwrap_or_default();
    for tap in 0..count {
        let x = run(x, tap * step + whole, len - whole);
        rest.iter_mut().zip(x).for_each(|(acc, &x)| *acc = acc.wrapping_add(i32::from(x)));
    }
}

/// # Safety
/// `acc` holds `blocks` times sixteen sums, one block at least; as many elements lie at `count` places, one at least, `step`
/// bytes apart from `x` on.
#[unsafe(naked)]
unsafe extern "C" fn asm(acc: *mut i32, x: *const i8, step: usize, count: usize, blocks: usize) {
    naked_asm!(
        enter!(),
        "vpush {{d8-d9}}",
        "ldr r4, [sp, #52]",
        "1:",
        "vldrw.32 q0, [r0]",
        "vldrw.32 q1, [r0, #16]",
        "vldrw.32 q2, [r0, #32]",
        "vldrw.32 q3, [r0, #48]",
        "mov r5, r1",
        "dls lr, r3",
        "2:",
        "vldrb.s32 q4, [r5]",
        "vadd.i32 q0, q0, q4",
        "vldrb.s32 q4, [r5, #4]",
        "vadd.i32 q1, q1, q4",
        "vldrb.s32 q4, [r5, #8]",
        "vadd.i32 q2, q2, q4",
        "vldrb.s32 q4, [r5, #12]",
        "vadd.i32 q3, q3, q4",
        "add r5, r5, r2",
        "le lr, 2b",
        "vstrw.32 q0, [r0], #16",
        "vstrw.32 q1, [r0], #16",
        "vstrw.32 q2, [r0], #16",
        "vstrw.32 q3, [r0], #16",
        "add r1, #16",
        "subs r4, #1",
        "bne 1b",
        "vpop {{d8-d9}}",
        leave!(),
    )
}
