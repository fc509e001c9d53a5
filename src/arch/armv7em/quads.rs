//! Four units times two pixels: the heart of convolution.
//!
//! A step is two elements: two words of weights, a word of either pixel, eight dual multiplications and two extensions,
//! 15 cycles for 16 products, in all fourteen registers. Sixteen steps are one turn; a run whose steps are no multiple
//! of that enters the first turn further down, its pointers set back by as much.

use super::frame::{TURN, enter_wide, high, keep, leave_wide, narrow, take, turn};
use crate::arch::packed::Quads;
use core::arch::naked_asm;

/// See [`Isa::quads`](crate::arch::Isa::quads).
#[inline(never)]
pub(super) fn quads(quads: &Quads<'_>, runs: &[&[i8]], y: &mut [i8]) {
    let &Quads { bias_step, count, pixels, pairs, x_step, y_step, .. } = quads;
    let Some(last) = pixels.checked_sub(1) else { return };
    let there = runs.iter().all(|run| run.len() >= last / 2 * x_step + 8 * pairs)
        && quads.weights.len() >= 8 * pairs * runs.len() * count
        && quads.requant.len() >= 4 * count
        && quads.bias.len() >= last * bias_step + 4 * count
        && y.len() >= last * y_step + 4 * count;
    if !there || count == 0 || pairs == 0 || runs.is_empty() {
        return;
    }
    let turns = pairs.div_ceil(TURN);
    let ends = runs.as_ptr_range();
    let first = y.as_mut_ptr() as usize;
    let call = |pixel: usize, times: usize, apart: usize| {
        let y = first + pixel * y_step;
        let bias = (quads.bias.as_ptr() as usize) + 4 * pixel * bias_step;
        let words = [
            0,
            0,
            y,
            y + apart * y_step,
            0,
            i32::from(quads.zero) as usize,
            0,
            0,
            ends.start as usize,
            ends.end as usize,
            8 * (turns * TURN - pairs),
            8 * turns * TURN,
            0,
            0,
            0,
            times,
            pixel / 2 * x_step,
            x_step,
            quads.weights.as_ptr() as usize,
            quads.requant.as_ptr() as usize,
            bias,
            bias + 4 * apart * bias_step,
            8 * bias_step,
            (2 * y_step).wrapping_sub(4 * count),
            count,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        // SAFETY: every run, the weights, factors and biases are as long as the function reads, the outputs as long as
        // it writes; slices are an address and a length, eight bytes.
        unsafe { asm(&words) }
    };
    if pixels > 1 {
        call(0, pixels / 2, 1);
    }
    if pixels % 2 == 1 {
        call(last, 1, 0);
    }
}

macro_rules! step {
    ($at:literal) => {
        concat!(
            "ldr r8, [r1, #8*",
            $at,
            "]\n",
            "ldr r9, [r1, #8*",
            $at,
            "+4]\n",
            "ldr r10, [r0, #8*",
            $at,
            "]\n",
            "ldr r11, [r0, #8*",
            $at,
            "+4]\n",
            "smlad r2, r8, r10, r2\n",
            "smlad r3, r8, r11, r3\n",
            "smlad r4, r9, r10, r4\n",
            "smlad r5, r9, r11, r5\n",
            "sxtb16 r8, r8\n",
            "sxtb16 r9, r9\n",
            "smlad r6, r8, r10, r6\n",
            "smlad r7, r8, r11, r7\n",
            "smlad r12, r9, r10, r12\n",
            "smlad lr, r9, r11, lr\n",
        )
    };
}

/// Slots: 0 factors, 1 weights, 2 and 3 outputs, 4 quads left, 5 zero point, 6 and 7 biases, 8 and 9 first and end of
/// runs, 10 bytes that the first turn leaves out, 11 bytes of a run's turns, 12 where it is entered, 13 next run, 14 end
/// of the run, 15 pairs of pixels left, 16 their place in a run, 17 bytes to the next; 18 weights, 19 factors, 20 and 21
/// biases of either pixel, at the first quad; 22 bytes to the next pair's biases, 23 bytes from the end of a pair's
/// outputs to the next pair's, 24 quads.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn asm(words: &[usize; 32]) {
    naked_asm!(
        enter_wide!(),
        // 56 bytes of code a step of 8 bytes; an address of Thumb code is odd
        take!("r9", 10),
        "adr r8, 5f",
        "rsb r9, r9, r9, lsl #3",
        "add r8, r8, r9",
        "add r8, r8, #1",
        keep!(12, "r8"),
        "8:",
        take!("r1", 18),
        take!("r8", 19),
        keep!(0, "r8"),
        take!("r8", 20),
        take!("r9", 21),
        take!("r10", 22),
        keep!(6, "r8"),
        keep!(7, "r9"),
        "add r8, r8, r10",
        "add r9, r9, r10",
        keep!(20, "r8"),
        keep!(21, "r9"),
        take!("r8", 24),
        keep!(4, "r8"),
        "1:",
        take!("r0", 6),
        take!("r8", 7),
        "ldr r2, [r0]",
        "ldr r4, [r0, #4]",
        "ldr r6, [r0, #8]",
        "ldr r12, [r0, #12]",
        "ldr r3, [r8]",
        "ldr r5, [r8, #4]",
        "ldr r7, [r8, #8]",
        "ldr lr, [r8, #12]",
        "add r0, #16",
        "add r8, #16",
        keep!(6, "r0"),
        keep!(7, "r8"),
        take!("r9", 8),
        "2:",
        "ldr r0, [r9]",
        "add r9, #8",
        keep!(13, "r9"),
        take!("r8", 16),
        take!("r9", 10),
        take!("r10", 11),
        take!("r11", 12),
        "add r0, r0, r8",
        "sub r0, r0, r9",
        "sub r1, r1, r9",
        "add r10, r10, r0",
        keep!(14, "r10"),
        "bx r11",
        "5:",
        turn!(step),
        "add r1, #128",
        "add r0, #128",
        take!("r8", 14),
        "cmp r0, r8",
        "bne 5b",
        take!("r9", 13),
        take!("r8", 9),
        "cmp r9, r8",
        "bne 2b",
        high!("r2", "r6"),
        high!("r3", "r7"),
        high!("r4", "r12"),
        high!("r5", "lr"),
        take!("r0", 0),
        take!("r10", 5),
        "ldrd r8, r9, [r0]",
        narrow!("r2"),
        narrow!("r3"),
        "ldrd r8, r9, [r0, #8]",
        narrow!("r6"),
        narrow!("r7"),
        "ldrd r8, r9, [r0, #16]",
        narrow!("r4"),
        narrow!("r5"),
        "ldrd r8, r9, [r0, #24]",
        narrow!("r12"),
        narrow!("lr"),
        "add r0, #32",
        keep!(0, "r0"),
        take!("r0", 2),
        take!("r8", 3),
        // the second pixel first: where there is none its outputs lie under those of the first
        "strb r3, [r8]",
        "strb r7, [r8, #1]",
        "strb r5, [r8, #2]",
        "strb lr, [r8, #3]",
        "strb r2, [r0]",
        "strb r6, [r0, #1]",
        "strb r4, [r0, #2]",
        "strb r12, [r0, #3]",
        "add r0, #4",
        "add r8, #4",
        keep!(2, "r0"),
        keep!(3, "r8"),
        take!("r0", 4),
        "subs r0, #1",
        keep!(4, "r0"),
        "bne 1b",
        take!("r0", 2),
        take!("r8", 3),
        take!("r9", 23),
        take!("r10", 16),
        take!("r11", 17),
        "add r0, r0, r9",
        "add r8, r8, r9",
        "add r10, r10, r11",
        keep!(2, "r0"),
        keep!(3, "r8"),
        keep!(16, "r10"),
        take!("r0", 15),
        "subs r0, #1",
        keep!(15, "r0"),
        "bne 8b",
        leave_wide!(),
    )
}
