//! Elements of the windows of four pixels laid into words of two: about 13 instructions for four elements.

use super::frame::{enter, leave};
use crate::arch::halves;
use core::arch::naked_asm;

/// See [`Isa::lay_four`](crate::arch::Isa::lay_four).
#[inline(never)]
pub(super) fn lay_four(x: &[i8], places: &[usize; 4], len: usize, to: &mut [i8], at: usize) {
    let there = places.iter().all(|&place| place <= x.len() && x.len() - place >= len)
        && (to.as_ptr() as usize).is_multiple_of(4)
        && to.len() >= 16 * (at + len).div_ceil(2);
    if !there || len == 0 {
        return halves::lay_four(x, places, len, to, at);
    }
    let [p0, p1, p2, p3] = places.map(|place| x.as_ptr() as usize + place);
    let words = [p0, 0, p1.wrapping_sub(p0), p2.wrapping_sub(p0), p3.wrapping_sub(p0), p0 + len];
    let to = to.as_mut_ptr().wrapping_add(at / 2 * 16);
    // SAFETY: so many elements lie from each place on, and there is room for the words of all of them.
    unsafe { asm(&words, to, at % 2) }
}

/// One element of each run; `$at` is the place of the first word.
macro_rules! element {
    ($at:literal) => {
        concat!(
            "ldrsb r5, [r0, r1]\n",
            "ldrsb r6, [r0, r2]\n",
            "lsls r6, r6, #16\n",
            "adds r5, r5, r6\n",
            "str r5, [r7, #",
            $at,
            "]\n",
            "ldrsb r5, [r0, r3]\n",
            "ldrsb r6, [r0, r4]\n",
            "lsls r6, r6, #16\n",
            "adds r5, r5, r6\n",
            "str r5, [r7, #",
            $at,
            "+8]\n",
            "adds r0, #1\n",
        )
    };
}

/// # Safety
/// `words` are the address of the first run, those of all four less it, and its end; they have one element at least. `to` is
/// the words of the first pair of elements, of which the first is left out where `odd` is 1.
#[unsafe(naked)]
unsafe extern "C" fn asm(words: &[usize; 6], to: *mut i8, odd: usize) {
    naked_asm!(
        enter!(),
        "mov r12, r1",
        "mov r8, r2",
        "ldmia r0!, {{r1-r6}}",
        "mov lr, r6",
        "mov r0, r1",
        "mov r1, r2",
        "mov r2, r3",
        "mov r3, r4",
        "mov r4, r5",
        "mov r7, r12",
        "mov r5, r8",
        "cmp r5, #0",
        "bne 2f",
        "1:",
        element!(0),
        "cmp r0, lr",
        "beq 3f",
        "2:",
        element!(4),
        "adds r7, #16",
        "cmp r0, lr",
        "bne 1b",
        "3:",
        leave!(),
    )
}
