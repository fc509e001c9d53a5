//! Activations: `SSUB8` compares four bytes at once, `SEL` takes the greater or the lesser of each; 3 cycles an element.

use crate::ir::Clamp;
use core::arch::naked_asm;

/// See [`Isa::clamp`](crate::arch::Isa::clamp).
#[inline(never)]
pub(super) fn clamp(y: &mut [i8], clamp: Clamp) {
    let turns = y.len() / 4;
    if turns > 0 {
        let four = |x: i8| u32::from(x as u8) * 0x0101_0101;
        // SAFETY: there are four bytes a turn.
        unsafe { asm(y.as_mut_ptr(), turns, four(clamp.low), four(clamp.high)) }
    }
    let rest = y.get_mut(4 * turns..).unwrap_or_default();
    rest.iter_mut().for_each(|y| *y = (*y).max(clamp.low).min(clamp.high));
}

/// # Safety
/// `4 * turns` bytes, four at least, can be read and written.
#[unsafe(naked)]
unsafe extern "C" fn asm(y: *mut i8, turns: usize, low: u32, high: u32) {
    naked_asm!(
        "push {{r4, lr}}",
        "1:",
        "ldr r12, [r0]",
        "ssub8 r4, r12, r2",
        "sel r12, r12, r2",
        "ssub8 r4, r3, r12",
        "sel r12, r12, r3",
        "str r12, [r0]",
        "add r0, #4",
        "subs r1, #1",
        "bne 1b",
        "pop {{r4, pc}}",
    )
}
