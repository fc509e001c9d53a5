//! A unit times four pixels, two in a word: the heart of convolution.
//!
//! A step is two elements: two weights, two words of either pair of pixels, four multiplications, the sum of either pair
//! added to its total, its upper half, rounded by the carry that the shift leaves behind, to the other total: 16 instructions
//! for 8 products. Weights of the eight units of a block lie as far apart as the words, so one register moves along both.

use super::frame::{clamp, enter, finish, leave, product, slots};
use crate::arch::halves::{self, Block};
use core::arch::naked_asm;

/// Steps of a turn of the inner loop.
const TURN: usize = 4;
/// Bytes of code of a step.
const STEP: usize = 32;

/// See [`Isa::halves`](crate::arch::Isa::halves).
#[inline(never)]
pub(super) fn halves(block: &Block<'_>, x: &[i8], y: &mut [i8]) {
    let &Block { bias_step, units, pairs, pixels, y_step, store, .. } = block;
    let size = 16 * pairs;
    let there = x.len() >= size
        && (x.as_ptr() as usize).is_multiple_of(4)
        && block.weights.len() >= units.div_ceil(8) * size
        && block.requant.len() >= units
        && block.bias.len() >= 3 * bias_step + units
        && (1..=4).contains(&pixels)
        && y.len() >= (pixels - 1) * y_step + units;
    if !there || units == 0 || pairs == 0 {
        return halves::halves(block, x, y);
    }
    let first = x.as_ptr() as usize;
    let words = [
        first,
        first + size,
        (TURN - 1 - (pairs - 1) % TURN) * STEP,
        (block.weights.as_ptr() as usize).wrapping_sub(first),
        0,
        units,
        size - 8,
        block.requant.as_ptr() as usize,
        block.bias.as_ptr() as usize,
        4 * bias_step,
        y.as_mut_ptr() as usize,
        y_step,
        4 * pixels,
        (2 * i32::from(store.zero) + 1) as usize,
        i32::from(store.clamp.low) as usize,
        i32::from(store.clamp.high) as usize,
        0,
        0,
    ];
    // SAFETY: words, weights, factors and biases are as many as the function reads, the outputs as many as it writes.
    unsafe { asm(&words) }
}

macro_rules! pair {
    ($load:literal, $total:literal, $upper:literal) => {
        concat!(
            $load,
            "muls r0, r2, r0\n",
            "muls r1, r3, r1\n",
            "adds r0, r0, r1\n",
            "add ",
            $total,
            ", r0\n",
            "asrs r0, r0, #16\n",
            "adcs ",
            $upper,
            ", r0\n",
        )
    };
}

macro_rules! step {
    () => {
        concat!(
            "ldrsb r2, [r4, r5]\n",
            pair!("ldmia r4!, {{r0, r1}}\nldrsb r3, [r4, r5]\n", "r8", "r6"),
            pair!("ldmia r4!, {{r0, r1}}\n", "r9", "r7"),
        )
    };
}

/// Words: 0 and 1 first and end of the words, 2 bytes of code that the first turn leaves out, then where it is entered, 3
/// weights of the unit less the first word, 4 number of the unit, 5 units, 6 bytes from the end of a block's units to the
/// next block, 7 factors, 8 biases, 9 bytes from a bias to that of the next pixel, 10 outputs, 11 bytes from one to the next
/// pixel's, 12 bytes of the accumulators of the pixels, 13 twice the zero point and 1, 14 and 15 least and greatest output,
/// 18 to 21 accumulators.
///
/// # Safety
/// The words hold that, of the lengths that follow from them, and there is one at least of all that is counted.
#[unsafe(naked)]
unsafe extern "C" fn asm(words: &[usize; 18]) {
    naked_asm!(
        enter!(),
        slots!(),
        "ldr r0, [sp, #4*2]",
        "adr r1, 5f",
        "adds r0, r0, r1",
        "adds r0, #1", // an address of Thumb code is odd
        "str r0, [sp, #4*2]",
        "1:",
        "ldr r0, [sp, #4*8]",
        "adds r1, r0, #4",
        "str r1, [sp, #4*8]",
        "ldr r1, [sp, #4*9]",
        "ldr r2, [r0]",
        "adds r0, r0, r1",
        "ldr r6, [r0]",
        "adds r0, r0, r1",
        "ldr r3, [r0]",
        "adds r0, r0, r1",
        "ldr r7, [r0]",
        "lsls r0, r6, #16",
        "adds r2, r2, r0",
        "mov r8, r2",
        "lsls r0, r7, #16",
        "adds r3, r3, r0",
        "mov r9, r3",
        "ldr r4, [sp, #4*0]",
        "ldr r0, [sp, #4*1]",
        "mov r10, r0",
        "ldr r5, [sp, #4*3]",
        "ldr r0, [sp, #4*2]",
        "bx r0",
        ".p2align 2",
        "5:",
        step!(),
        step!(),
        step!(),
        step!(),
        "cmp r4, r10",
        "bne 5b",
        "mov r0, r8",
        "lsls r1, r6, #16",
        "subs r0, r0, r1",
        "str r0, [sp, #4*18]",
        "str r6, [sp, #4*19]",
        "mov r0, r9",
        "lsls r1, r7, #16",
        "subs r0, r0, r1",
        "str r0, [sp, #4*20]",
        "str r7, [sp, #4*21]",
        finish!(),
        "ldr r0, [sp, #4*4]",
        "adds r0, #1",
        "str r0, [sp, #4*4]",
        "ldr r1, [sp, #4*3]",
        "adds r1, #1",
        "lsls r2, r0, #29",
        "bne 4f",
        "ldr r2, [sp, #4*6]",
        "adds r1, r1, r2",
        "4:",
        "str r1, [sp, #4*3]",
        "ldr r1, [sp, #4*5]",
        "cmp r0, r1",
        "beq 6f",
        "b 1b",
        "6:",
        "add sp, #88",
        leave!(),
    )
}
