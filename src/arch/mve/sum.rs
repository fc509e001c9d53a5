//! Taps of an average added up, sixteen channels at a time: a tap of those by 10 instructions. Fewer are taken four at a time.

use super::frame::{enter, leave};
use crate::arch::run;
use core::arch::naked_asm;

/// See [`Isa::sum_row`](crate::arch::Isa::sum_row).
#[inline(never)]
pub(super) fn sum_row(acc: &mut [i32], x: &[i8], step: usize, count: usize) {
    let len = acc.len();
    if count == 0 || x.len() < step.saturating_mul(count - 1).saturating_add(len) {
        for tap in 0..count {
            acc.iter_mut()
                .zip(run(x, tap * step, len))
                .for_each(|(acc, &x)| *acc = acc.wrapping_add(x.into()));
        }
        return;
    }
    let whole = len / 16 * 16;
    let (y, rest) = (acc.as_mut_ptr(), len - whole);
    if whole > 0 {
        // SAFETY: so many accumulators, and as many elements at each of so many taps.
        unsafe { asm(y, x.as_ptr(), step, count, whole / 16) }
    }
    if rest > 0 {
        // SAFETY: the same of those that are left.
        unsafe { fewer(y.wrapping_add(whole), x.as_ptr().wrapping_add(whole), step, count, rest) }
    }
}

/// # Safety
/// `acc` holds `len` sums, one at least; as many elements lie at `count` places, one at least, `step` bytes apart from `x` on.
#[unsafe(naked)]
unsafe extern "C" fn fewer(acc: *mut i32, x: *const i8, step: usize, count: usize, len: usize) {
    naked_asm!(
        enter!(),
        "ldr r4, [sp, #36]",
        "1:",
        "vctp.32 r4",
        "vpst",
        "vldrwt.u32 q0, [r0]",
        "mov r5, r1",
        "dls lr, r3",
        "2:",
        "vpst",
        "vldrbt.s32 q1, [r5]",
        "vadd.i32 q0, q0, q1",
        "add r5, r5, r2",
        "le lr, 2b",
        "vpst",
        "vstrwt.32 q0, [r0], #16",
        "add r1, #4",
        "subs r4, #4",
        "bgt 1b",
        leave!(),
    )
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
