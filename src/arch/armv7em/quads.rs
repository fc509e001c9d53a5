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
    let &Quads { bias_step, count, pixels, pairs, x_from, x_step, y_step, .. } = quads;
    let Some(last) = pixels.checked_sub(1) else { return };
    let there = runs.iter().all(|run| run.len() >= x_from + last / 2 * x_step + 8 * pairs)
        && quads.weights.len() >= 8 * pairs * runs.len() * count
        && quads.requant.len() + quads.requant_step >= quads.requant_step * count + 4
        && quads.bias.len() >= last * bias_step + 4 * count
        && y.len() >= last * y_step + 4 * count;
    if !there || count == 0 || pairs == 0 || runs.is_empty() {
        return;
    }
    let turns = pairs.div_ceil(TURN);
    let skip = 8 * (turns * TURN - pairs);
    let ends = runs.as_ptr_range();
    let mut pixel = 0;
    // Pairs of pixels, then an odd last one, which is both pixels of a pair.
    while pixel < pixels {
        let times = ((pixels - pixel) / 2).max(1);
        let apart = usize::from(pixel < last);
        let y = y.as_mut_ptr() as usize + pixel * y_step;
        let bias = (quads.bias.as_ptr() as usize) + 4 * pixel * bias_step;
        let words = [
            0,
            0,
            y,
            apart * y_step,
            y + 4 * count,
            i32::from(quads.zero) as usize,
            0,
            0,
            ends.start as usize,
            ends.end as usize,
            skip,
            8 * turns * TURN,
            0,
            0,
            0,
            times,
            (x_from + pixel / 2 * x_step).wrapping_sub(skip),
            x_step,
            quads.weights.as_ptr() as usize,
            quads.requant.as_ptr() as usize,
            bias,
            bias + 4 * apart * bias_step,
            8 * bias_step,
            (2 * y_step).wrapping_sub(4 * count),
            2 * y_step,
            8 * quads.requant_step,
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
        pixel += 2 * times;
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

/// Slots: 0 factors, 2 outputs of the first pixel, 3 bytes from there to the second's, 4 their end, 5 zero point, 6 and 7
/// biases, 8 and 9 first and end of runs, 10 bytes that the first turn leaves out, 11 bytes of a run's turns, 12 where it
/// is entered, 13 next run, 14 end of the run, 15 pairs of pixels left, 16 their place in a run less what the first turn
/// leaves out, 17 bytes to the next; 18 weights, 19 factors, 20 and 21 biases of either pixel, at the first quad; 22 bytes to
/// the next pair's biases, 23 bytes from the end of a pair's outputs to the next pair's, 24 and to their end, 25 bytes to
/// the next quad's factors.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them; biases and factors at multiples of 4.
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
        take!("r0", 20),
        take!("r8", 21),
        take!("r10", 22),
        "add r9, r0, r10",
        "add r10, r8, r10",
        keep!(20, "r9"),
        keep!(21, "r10"),
        "1:",
        "ldm r0!, {{r2, r4, r6, r12}}",
        "ldm r8!, {{r3, r5, r7, lr}}",
        take!("r9", 8),
        keep!(6, "r0"),
        keep!(7, "r8"),
        "2:",
        "ldr r0, [r9], #8",
        keep!(13, "r9"),
        take!("r8", 16),
        take!("r9", 10),
        take!("r10", 11),
        take!("r11", 12),
        "add r0, r0, r8",
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
        take!("r0", 0),
        take!("r10", 5),
        high!("r2", "r6"),
        high!("r3", "r7"),
        high!("r4", "r12"),
        high!("r5", "lr"),
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
        take!("r11", 25),
        narrow!("r12"),
        narrow!("lr"),
        "add r11, r11, r0",
        keep!(0, "r11"),
        take!("r9", 2),
        take!("r10", 3),
        "add r10, r10, r9",
        take!("r11", 4),
        take!("r0", 6),
        take!("r8", 7),
        // the second pixel first: where there is none its outputs lie under those of the first
        "strb r3, [r10]",
        "strb r7, [r10, #1]",
        "strb r5, [r10, #2]",
        "strb lr, [r10, #3]",
        "strb r2, [r9]",
        "strb r6, [r9, #1]",
        "strb r4, [r9, #2]",
        "strb r12, [r9, #3]",
        "add r9, #4",
        keep!(2, "r9"),
        "cmp r9, r11",
        "bne 1b",
        take!("r8", 23),
        take!("r10", 24),
        take!("r0", 16),
        take!("r1", 17),
        "add r9, r9, r8",
        "add r11, r11, r10",
        "add r0, r0, r1",
        keep!(2, "r9"),
        keep!(4, "r11"),
        keep!(16, "r0"),
        take!("r0", 15),
        "subs r0, #1",
        keep!(15, "r0"),
        "bne 8b",
        leave_wide!(),
    )
}
