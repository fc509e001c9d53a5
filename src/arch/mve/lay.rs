//! Elements copied: sixteen by 3 instructions, of four pixels' windows by 9; and how far the places lie that they come from.

use super::frame::{enter, leave};
use crate::arch::vectors;
use core::arch::naked_asm;

/// See [`Isa::copy`](crate::arch::Isa::copy).
#[inline(never)]
pub(super) fn copy(x: &[i8], to: &mut [i8]) {
    let count = x.len().min(to.len());
    if count > 0 {
        // SAFETY: both have so many elements.
        unsafe { one(x.as_ptr(), to.as_mut_ptr(), count) }
    }
}

/// See [`Isa::lay_runs`](crate::arch::Isa::lay_runs).
#[inline(never)]
pub(super) fn lay_runs(x: &[i8], runs: &[[usize; 4]], len: usize, to: &mut [i8], pitch: usize) {
    let furthest = furthest(runs);
    let reach = pitch.saturating_mul(3).saturating_add(runs.len().saturating_mul(len));
    let there = furthest <= x.len() && x.len() - furthest >= len && to.len() >= reach;
    if !there {
        return vectors::lay_runs(x, runs, len, to, pitch);
    }
    if len > 0 && !runs.is_empty() {
        let words = [x.as_ptr() as usize, len, to.as_mut_ptr() as usize, pitch];
        // SAFETY: so many elements lie from each place on, and there is room for all runs in every window.
        unsafe { asm(runs.as_ptr(), runs.len(), &words) }
    }
}

/// The greatest of some places; 0 where there are none.
#[inline(always)]
pub(super) fn furthest(places: &[[usize; 4]]) -> usize {
    // SAFETY: there are so many fours.
    if places.is_empty() { 0 } else { unsafe { greatest(places.as_ptr(), places.len()) } }
}

/// # Safety
/// There are `count` fours of places, one at least.
#[unsafe(naked)]
unsafe extern "C" fn greatest(places: *const [usize; 4], count: usize) -> usize {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4, lr}}",
        "mov r2, #0",
        "dls lr, r1",
        "1:",
        "vldrw.u32 q0, [r0], #16",
        "vmaxv.u32 r2, q0",
        "le lr, 1b",
        "mov r0, r2",
        "pop {{r4, pc}}",
    )
}

/// # Safety
/// `x` and `to` hold `count` elements, one at least.
#[unsafe(naked)]
unsafe extern "C" fn one(x: *const i8, to: *mut i8, count: usize) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4, lr}}",
        "dlstp.8 lr, r2",
        "1:",
        "vldrb.8 q0, [r0], #16",
        "vstrb.8 q0, [r1], #16",
        "letp lr, 1b",
        "pop {{r4, pc}}",
    )
}

/// Words: elements, how many a run has, windows, how far they are apart.
///
/// # Safety
/// From each place of the elements on there are so many, one at least, and room for `count` runs, one at least, in four
/// windows.
#[unsafe(naked)]
unsafe extern "C" fn asm(runs: *const [usize; 4], count: usize, words: &[usize; 4]) {
    naked_asm!(
        enter!(),
        "mov r12, r0",
        "ldm r2, {{r0, r2, r3, r8}}",
        "1:",
        "ldm r12!, {{r4-r7}}",
        "add r4, r4, r0",
        "add r5, r5, r0",
        "add r6, r6, r0",
        "add r7, r7, r0",
        "mov r9, r3",
        "add r10, r3, r8",
        "push {{r3}}",
        "add r11, r10, r8",
        "add r3, r11, r8",
        "dlstp.8 lr, r2",
        "2:",
        "vldrb.8 q0, [r4], #16",
        "vstrb.8 q0, [r9], #16",
        "vldrb.8 q1, [r5], #16",
        "vstrb.8 q1, [r10], #16",
        "vldrb.8 q2, [r6], #16",
        "vstrb.8 q2, [r11], #16",
        "vldrb.8 q3, [r7], #16",
        "vstrb.8 q3, [r3], #16",
        "letp lr, 2b",
        "pop {{r3}}",
        "add r3, r3, r2",
        "subs r1, #1",
        "bne 1b",
        leave!(),
    )
}
