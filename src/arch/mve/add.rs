//! Addition in one linear form, where both factors are multiples of 256: four elements by 10 instructions.

use super::frame::{enter, leave};
use crate::arch::packed::{self, Linear};
use core::arch::naked_asm;

/// See [`Isa::add_linear`](crate::arch::Isa::add_linear).
#[inline(never)]
pub(super) fn linear(y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
    // SAFETY: both hold so many elements.
    packed::add_by(y, x, linear, |y, x, count, words| unsafe { asm(y, x, count, words) });
}

/// The sum is shifted to the right by 21 in two steps, the second of which saturates.
///
/// # Safety
/// `y` and `x` hold `count` elements, one at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(y: *mut i8, x: *const i8, count: usize, words: &[i32; 3]) {
    naked_asm!(
        enter!(),
        "ldm r3, {{r4-r6}}",
        "vdup.32 q3, r6",
        "mov r3, r0",
        "dlstp.32 lr, r2",
        "1:",
        "vldrb.s32 q0, [r0], #4",
        "vldrb.s32 q1, [r1], #4",
        "vmul.i32 q0, q0, r4",
        "vmul.i32 q1, q1, r5",
        "vadd.i32 q0, q0, q3",
        "vadd.i32 q0, q0, q1",
        "vshrnb.i32 q0, q0, #16",
        "vqshrnb.s16 q0, q0, #5",
        "vstrb.32 q0, [r3], #4",
        "letp lr, 1b",
        leave!(),
    )
}
