//! Elements on end, copied 32 a turn where both lie at words: 22 cycles, of which 18 are the two instructions that move
//! eight words each.

use core::arch::naked_asm;

/// Bytes of a turn.
const TURN: usize = 32;

/// See [`Isa::copy`](crate::arch::Isa::copy).
#[inline(always)]
pub(super) fn copy(x: &[i8], to: &mut [i8]) {
    let len = x.len().min(to.len());
    let (Some(x), Some(to)) = (x.get(..len), to.get_mut(..len)) else { return };
    let turns = if (x.as_ptr() as usize | to.as_ptr() as usize).is_multiple_of(4) { len / TURN } else { 0 };
    if turns > 0 {
        // SAFETY: both hold that many turns, at words.
        unsafe { asm(x.as_ptr(), to.as_mut_ptr(), turns) }
    }
    let rest = TURN * turns..;
    if let (Some(x), Some(to)) = (x.get(rest.clone()), to.get_mut(rest)) {
        to.copy_from_slice(x);
    }
}

/// # Safety
/// `x` and `to` are at multiples of 4 and hold that many turns, one at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(x: *const i8, to: *mut i8, turns: usize) {
    naked_asm!(
        "push {{r4-r11}}",
        "1:",
        "ldm r0!, {{r4-r11}}",
        "subs r2, #1",
        "stm r1!, {{r4-r11}}",
        "bne 1b",
        "pop {{r4-r11}}",
        "bx lr",
    )
}
