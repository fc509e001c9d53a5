//! Four units times one pixel, weights of 4 bits.
//!
//! A step is eight elements, a word of weights each unit. Masks leave the odd and, shifted up, the even weights in the
//! upper halves of bytes, 16 times as great; `sxtb16` makes pairs of them for dual multiplications, and so of the
//! elements that belong to them: 60 instructions for 32 products.

use crate::arch::QUAD;
use crate::arch::nibbles;
use core::arch::naked_asm;

/// Elements at a time, of which no sum, 16 times as great, leaves 32 bits.
const MOST: usize = 1 << 16;

/// See [`Isa::dot_nibbles`](crate::arch::Isa::dot_nibbles).
#[inline(never)]
pub(super) fn dot(acc: &mut [i32; QUAD], x: &[i8], w: &[&[i8]; QUAD]) {
    let [w0, w1, w2, w3] = *w;
    let least = w0.len().min(w1.len()).min(w2.len()).min(w3.len());
    if least < x.len().div_ceil(2) {
        return;
    }
    let whole = x.len() & !7;
    let mut at = 0;
    while at < whole {
        let len = MOST.min(whole - at);
        let row = |w: &[i8]| w.as_ptr().wrapping_add(at / 2);
        let rows = [row(w0), row(w1), row(w2), row(w3)];
        // SAFETY: there are `whole` elements and half as many bytes in each row, and both ends lie within them.
        unsafe { asm(acc, x.as_ptr().wrapping_add(at), &rows, len / 2) }
        at += len;
    }
    if whole < x.len() {
        let tail = [
            w0.get(whole / 2..).unwrap_or_default(),
            w1.get(whole / 2..).unwrap_or_default(),
            w2.get(whole / 2..).unwrap_or_default(),
            w3.get(whole / 2..).unwrap_or_default(),
        ];
        nibbles::dot(acc, x.get(whole..).unwrap_or_default(), &tail);
    }
}

/// The products of a unit's eight weights: its row in slot `$row`, its sum in `$sum`.
macro_rules! unit {
    ($row:literal, $sum:literal) => {
        concat!(
            "ldr r12, [sp, #4*",
            $row,
            "]\n",
            "ldr r12, [r12, r1]\n",
            "and lr, r10, r12, lsl #4\n",
            "and r12, r10, r12\n",
            "sxtb16 r6, lr\n",
            "smlad ",
            $sum,
            ", r6, r11, ",
            $sum,
            "\n",
            "sxtb16 lr, lr, ror #8\n",
            "smlad ",
            $sum,
            ", lr, r9, ",
            $sum,
            "\n",
            "sxtb16 r6, r12\n",
            "smlad ",
            $sum,
            ", r6, r8, ",
            $sum,
            "\n",
            "sxtb16 r12, r12, ror #8\n",
            "smlad ",
            $sum,
            ", r12, r7, ",
            $sum,
            "\n",
        )
    };
}

/// Adds a sixteenth of a sum to an accumulator.
macro_rules! add {
    ($at:literal, $sum:literal) => {
        concat!(
            "ldr r6, [r0, #4*",
            $at,
            "]\n",
            "add r6, r6, ",
            $sum,
            ", asr #4\n",
            "str r6, [r0, #4*",
            $at,
            "]\n",
        )
    };
}

/// # Safety
/// `bytes`, a multiple of 4 above 0, can be read of each row, twice as many at `x`.
#[unsafe(naked)]
unsafe extern "C" fn asm(acc: &mut [i32; QUAD], x: *const i8, rows: &[*const i8; QUAD], bytes: usize) {
    naked_asm!(
        "push {{r0, r4-r11, lr}}",
        "sub sp, #16",
        // rows by their ends, for an offset that rises to 0
        "ldm r2, {{r4-r7}}",
        "add r4, r4, r3",
        "add r5, r5, r3",
        "add r6, r6, r3",
        "add r7, r7, r3",
        "stm sp, {{r4-r7}}",
        "mov r0, r1",
        "rsb r1, r3, #0",
        "mov r10, #0xf0f0f0f0",
        "mov r2, #0",
        "mov r3, #0",
        "mov r4, #0",
        "mov r5, #0",
        "1:",
        "ldr r6, [r0], #4",
        "ldr r7, [r0], #4",
        // elements 0 and 4, 2 and 6, 1 and 5, 3 and 7 in r11, r9, r8, r7
        "sxtb16 r8, r6",
        "sxtb16 r9, r7",
        "sxtb16 r6, r6, ror #8",
        "sxtb16 r7, r7, ror #8",
        "pkhbt r11, r8, r9, lsl #16",
        "pkhtb r9, r9, r8, asr #16",
        "pkhbt r8, r6, r7, lsl #16",
        "pkhtb r7, r7, r6, asr #16",
        unit!(0, "r2"),
        unit!(1, "r3"),
        unit!(2, "r4"),
        unit!(3, "r5"),
        "adds r1, #4",
        "bne 1b",
        "ldr r0, [sp, #16]",
        add!(0, "r2"),
        add!(1, "r3"),
        add!(2, "r4"),
        add!(3, "r5"),
        "add sp, #20",
        "pop {{r4-r11, pc}}",
    )
}
