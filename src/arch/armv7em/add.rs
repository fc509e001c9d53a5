//! Addition in one linear form: bytes stay in the upper half of halfwords, where `SMLAWB` and `SMLAWT` multiply them by
//! 32-bit factors. 6.5 cycles an element, eight a turn.

use crate::arch::packed::{self, Linear};
use core::arch::naked_asm;

/// See [`Isa::add_linear`](crate::arch::Isa::add_linear).
#[inline(never)]
pub(super) fn linear(y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
    let len = x.map_or(y.len(), <[i8]>::len).min(y.len());
    let turns = len / 8;
    if turns > 0 {
        let other = x.map_or(y.as_ptr(), <[i8]>::as_ptr);
        // SAFETY: eight bytes a turn are there in both; where they are the same each is read before it is written.
        unsafe { asm(y.as_mut_ptr(), other, turns, &[linear.a, linear.b, linear.c]) }
    }
    let Some(y) = y.get_mut(8 * turns..len) else { return };
    packed::add_linear(y, x.and_then(|x| x.get(8 * turns..len)), linear);
}

macro_rules! four {
    ($at:literal) => {
        concat!(
            "ldr r8, [r0, #",
            $at,
            "]\n",
            "ldr r10, [r1, #",
            $at,
            "]\n",
            "and r9, r7, r8\n",
            "and r8, r7, r8, lsl #8\n",
            "and r11, r7, r10\n",
            "and r10, r7, r10, lsl #8\n",
            "smlawb r12, r4, r8, r6\n",
            "smlawb lr, r4, r9, r6\n",
            "smlawt r8, r4, r8, r6\n",
            "smlawt r9, r4, r9, r6\n",
            "smlawb r12, r5, r10, r12\n",
            "smlawb lr, r5, r11, lr\n",
            "smlawt r8, r5, r10, r8\n",
            "smlawt r9, r5, r11, r9\n",
            "ssat r12, #8, r12, asr #21\n",
            "ssat lr, #8, lr, asr #21\n",
            "ssat r8, #8, r8, asr #21\n",
            "ssat r9, #8, r9, asr #21\n",
            "strb r12, [r0, #",
            $at,
            "]\n",
            "strb lr, [r0, #",
            $at,
            "+1]\n",
            "strb r8, [r0, #",
            $at,
            "+2]\n",
            "strb r9, [r0, #",
            $at,
            "+3]\n",
        )
    };
}

/// # Safety
/// `8 * turns` bytes, eight at least, can be read at `x` and written at `y`.
#[unsafe(naked)]
unsafe extern "C" fn asm(y: *mut i8, x: *const i8, turns: usize, factors: &[i32; 3]) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r3, {{r4-r6}}",
        "mov r7, #0xff00ff00",
        "1:",
        four!(0),
        four!(4),
        "add r0, #8",
        "add r1, #8",
        "subs r2, #1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
    )
}
