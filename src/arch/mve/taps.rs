//! One tap of a window for channels that lie side by side, and the activation: loops that end within a vector.

use core::arch::naked_asm;

/// See [`Isa::tap`](crate::arch::Isa::tap): four channels by 7 instructions.
#[inline(never)]
pub(super) fn tap(acc: &mut [i32], x: &[i8], w: &[i8]) {
    let count = acc.len().min(x.len()).min(w.len());
    if count > 0 {
        // SAFETY: all three have so many elements.
        unsafe { tap_asm(acc.as_mut_ptr(), x.as_ptr(), w.as_ptr(), count) }
    }
}

/// See [`Isa::max`](crate::arch::Isa::max): sixteen channels by 5 instructions.
#[inline(never)]
pub(super) fn max(acc: &mut [i8], x: &[i8]) {
    let count = acc.len().min(x.len());
    if count > 0 {
        // SAFETY: both have so many elements.
        unsafe { max_asm(acc.as_mut_ptr(), x.as_ptr(), count) }
    }
}

/// See [`Isa::clamp`](crate::arch::Isa::clamp): sixteen elements by 5 instructions.
#[inline(never)]
pub(super) fn clamp(y: &mut [i8], low: i8, high: i8) {
    if !y.is_empty() {
        // SAFETY: there are so many elements.
        unsafe { clamp_asm(y.as_mut_ptr(), y.len(), low.into(), high.into()) }
    }
}

/// # Safety
/// `acc`, `x` and `w` hold `count` elements, one at least.
#[unsafe(naked)]
unsafe extern "C" fn tap_asm(acc: *mut i32, x: *const i8, w: *const i8, count: usize) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4, lr}}",
        "dlstp.32 lr, r3",
        "1:",
        "vldrb.s32 q0, [r1], #4",
        "vldrb.s32 q1, [r2], #4",
        "vldrw.32 q2, [r0]",
        "vmul.i32 q0, q0, q1",
        "vadd.i32 q2, q2, q0",
        "vstrw.32 q2, [r0], #16",
        "letp lr, 1b",
        "pop {{r4, pc}}",
    )
}

/// # Safety
/// `acc` and `x` hold `count` elements, one at least.
#[unsafe(naked)]
unsafe extern "C" fn max_asm(acc: *mut i8, x: *const i8, count: usize) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4, lr}}",
        "dlstp.8 lr, r2",
        "1:",
        "vldrb.8 q0, [r0]",
        "vldrb.8 q1, [r1], #16",
        "vmax.s8 q0, q0, q1",
        "vstrb.8 q0, [r0], #16",
        "letp lr, 1b",
        "pop {{r4, pc}}",
    )
}

/// # Safety
/// `y` holds `count` elements, one at least.
#[unsafe(naked)]
unsafe extern "C" fn clamp_asm(y: *mut i8, count: usize, low: i32, high: i32) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4, lr}}",
        "vdup.8 q1, r2",
        "vdup.8 q2, r3",
        "dlstp.8 lr, r1",
        "1:",
        "vldrb.8 q0, [r0]",
        "vmax.s8 q0, q0, q1",
        "vmin.s8 q0, q0, q2",
        "vstrb.8 q0, [r0], #16",
        "letp lr, 1b",
        "pop {{r4, pc}}",
    )
}
