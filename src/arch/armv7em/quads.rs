//! Four units times two pixels: the heart of convolution.
//!
//! A step is two elements: two words of weights, a word of either pixel, eight dual multiplications and two extensions,
//! 15 cycles for 16 products, in all fourteen registers. Sixteen steps are one turn; a run whose steps are no multiple
//! of that enters the first turn further down, its pointers set back by as much.
//!
//! Long sums are told apart run by run and added up in memory, 62 cycles a run.

use super::frame::{
    TURN, add_eight, beside, clear_eight, enter_beside, high, keep, leave_beside, narrow, store_eight, take,
    turn,
};
use crate::arch::packed::{Quads, Runs};
use core::arch::naked_asm;

/// Checks lengths and calls a function in assembler.
#[inline(always)]
fn call(
    quads: &Quads<'_>,
    rows: usize,
    runs: Runs<'_>,
    y: &mut [i8],
    asm: unsafe extern "C" fn(&mut [usize; 19]),
) {
    let &Quads { bias_step, count, pixels, pairs, x_from, x_step, y_step, .. } = quads;
    let Some(last) = pixels.checked_sub(1) else { return };
    let Some(each) = each(quads, rows, runs, (last, x_from + last / 2 * x_step), 4 * count, y.len()) else {
        return;
    };
    let there = quads.weights.len() >= 8 * pairs * each * count
        && quads.requant.len() + quads.requant_step >= quads.requant_step * count + 4;
    if !there || count == 0 {
        return;
    }
    let turns = pairs.div_ceil(TURN);
    let skip = 8 * (turns * TURN - pairs);
    each_pair(quads, rows, runs, each, y, |Pair { begins, y, bias, x, apart, times }| {
        let mut words = [
            y,
            apart * y_step,
            y + 4 * count,
            i32::from(quads.zero) as usize,
            8 * quads.requant_step,
            begins,
            begins + 2 * each,
            skip,
            8 * turns * TURN,
            x.wrapping_sub(skip),
            quads.weights.as_ptr() as usize,
            quads.requant.as_ptr() as usize,
            bias,
            bias + 4 * apart * bias_step,
            8 * bias_step,
            (2 * y_step).wrapping_sub(4 * count),
            2 * y_step,
            times,
            x_step,
        ];
        // SAFETY: every run, the weights, factors and biases are as long as the function reads, the outputs as long
        // as it writes.
        unsafe { asm(&mut words) }
    });
}

/// Runs of a row, one at least; `None` where there are no elements, or runs, biases or outputs are not as long as these ask:
/// a last pixel of each row whose elements lie so far in a run, and so many units of it.
#[inline(always)]
pub(super) fn each(
    quads: &Quads<'_>,
    rows: usize,
    runs: Runs<'_>,
    (last, at): (usize, usize),
    units: usize,
    outputs: usize,
) -> Option<usize> {
    let &Quads { bias_step, pairs, y_step, row_steps: [y_row, bias_row], .. } = quads;
    let (each, below) = (runs.begins.len().checked_div(rows)?, rows - 1);
    let there = runs.reach(at + 8 * pairs)
        && quads.bias.len() >= below * bias_row + last * bias_step + units
        && outputs >= below * y_row + last * y_step + units;
    (there && each > 0 && pairs > 0).then_some(each)
}

/// Addresses of what a pair of pixels begins with, and how many pairs there are from it on in its row.
pub(super) struct Pair {
    /// Where the runs of the row begin.
    pub(super) begins: usize,
    pub(super) y: usize,
    pub(super) bias: usize,
    /// In a run that begins at 0.
    pub(super) x: usize,
    /// Pixels from the first to the second; 0 where one alone is both.
    pub(super) apart: usize,
    pub(super) times: usize,
}

/// All pairs of pixels of each row, then an odd last one, which is both pixels of a pair.
#[inline(always)]
pub(super) fn each_pair(
    quads: &Quads<'_>,
    rows: usize,
    runs: Runs<'_>,
    each: usize,
    y: &mut [i8],
    compute: impl Fn(Pair),
) {
    let &Quads { bias_step, pixels, x_from, x_step, y_step, row_steps: [y_row, bias_row], .. } = quads;
    let x = runs.bytes.as_ptr() as usize + x_from;
    for row in 0..rows {
        let begins = runs.begins.as_ptr() as usize + 2 * row * each;
        let first_y = y.as_mut_ptr() as usize + row * y_row;
        let first_bias = quads.bias.as_ptr() as usize + 4 * row * bias_row;
        let mut pixel = 0;
        while pixel < pixels {
            let times = ((pixels - pixel) / 2).max(1);
            compute(Pair {
                begins,
                y: first_y + pixel * y_step,
                bias: first_bias + 4 * pixel * bias_step,
                x: x + pixel / 2 * x_step,
                apart: usize::from(pixel + 1 < pixels),
                times,
            });
            pixel += 2 * times;
        }
    }
}

/// See [`Isa::quads`](crate::arch::Isa::quads).
#[inline(never)]
pub(super) fn quads(quads: &Quads<'_>, rows: usize, runs: Runs<'_>, y: &mut [i8]) {
    call(quads, rows, runs, y, asm);
}

/// See [`Isa::long_quads`](crate::arch::Isa::long_quads).
#[inline(never)]
pub(super) fn long_quads(quads: &Quads<'_>, rows: usize, runs: Runs<'_>, y: &mut [i8]) {
    call(quads, rows, runs, y, long_asm);
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

/// Slots: 0 outputs of the first pixel, 1 bytes from there to the second's, 2 their end, 3 zero point, 4 bytes to the next
/// quad's factors, 5 and 6 first and end of where runs begin, 7 bytes that the first turn leaves out, 8 bytes of a run's
/// turns, 9 the address of a run that begins at 0, less what the first turn leaves out. Made here: 10 where the first turn
/// is entered, 11 factors, 12 and 13 biases, 14 where the next run begins, 15 end of the run.
///
/// Beside them, from byte 40 on: weights, factors and the biases of either pixel at the first quad, bytes to the next pair's
/// biases, bytes from the end of a pair's outputs to the next pair's, and to their end, pairs of pixels left, bytes from a
/// pair to the next in a run.
///
/// Hooks: where the biases of a quad are loaded, before and behind each run, and behind the last.
macro_rules! body {
    ([$($begin:expr),*], [$($clear:expr),*], [$($end_of_run:expr),*], [$($end:expr),*]) => {
        naked_asm!(
            enter_beside!(),
            // 56 bytes of code a step of 8 bytes; an address of Thumb code is odd
            take!("r9", 7),
            "adr r8, 5f",
            "rsb r9, r9, r9, lsl #3",
            "add r8, r8, r9",
            "add r8, r8, #1",
            keep!(10, "r8"),
            "8:",
            beside!("r9"),
            "ldrd r1, r8, [r9, #40]",
            keep!(11, "r8"),
            "ldrd r0, r8, [r9, #48]",
            "ldr r10, [r9, #56]",
            "add r11, r0, r10",
            "add r10, r8, r10",
            "strd r11, r10, [r9, #48]",
            "1:",
            "ldm r0!, {{r2, r4, r6, r12}}",
            "ldm r8!, {{r3, r5, r7, lr}}",
            take!("r9", 5),
            keep!(12, "r0"),
            keep!(13, "r8"),
            $($begin,)*
            "2:",
            $($clear,)*
            "ldrh r0, [r9], #2",
            keep!(14, "r9"),
            take!("r8", 9),
            take!("r9", 7),
            take!("r10", 8),
            take!("r11", 10),
            "add r0, r8, r0, lsl #3",
            "sub r1, r1, r9",
            "add r10, r10, r0",
            keep!(15, "r10"),
            "bx r11",
            "5:",
            turn!(step),
            "add r1, #128",
            "add r0, #128",
            take!("r8", 15),
            "cmp r0, r8",
            "bne 5b",
            $($end_of_run,)*
            take!("r9", 14),
            take!("r8", 6),
            "cmp r9, r8",
            "bne 2b",
            take!("r0", 11),
            take!("r10", 3),
            $($end,)*
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
            take!("r11", 4),
            narrow!("r12"),
            narrow!("lr"),
            "add r11, r11, r0",
            keep!(11, "r11"),
            take!("r9", 0),
            take!("r10", 1),
            "add r10, r10, r9",
            take!("r11", 2),
            take!("r0", 12),
            take!("r8", 13),
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
            keep!(0, "r9"),
            "cmp r9, r11",
            "bne 1b",
            beside!("r8"),
            "ldrd r0, r1, [r8, #60]",
            "add r9, r9, r0",
            "add r11, r11, r1",
            keep!(0, "r9"),
            keep!(2, "r11"),
            "ldrd r0, r1, [r8, #68]",
            take!("r9", 9),
            "add r9, r9, r1",
            keep!(9, "r9"),
            "subs r0, #1",
            "str r0, [r8, #68]",
            "bne 8b",
            leave_beside!(),
        )
    };
}

/// Sums of four units and two pixels told apart.
macro_rules! high_eight {
    () => {
        concat!(high!("r2", "r6"), high!("r3", "r7"), high!("r4", "r12"), high!("r5", "lr"))
    };
}

/// # Safety
/// The words hold what this says, of the lengths that follow from them; biases and factors at multiples of 4.
#[unsafe(naked)]
unsafe extern "C" fn asm(words: &mut [usize; 19]) {
    body!([], [], [], [high_eight!()])
}

/// As [`asm`], for long sums.
///
/// # Safety
/// As [`asm`].
unsafe extern "C" fn long_asm(words: &mut [usize; 19]) {
    let mut more = [0; 27];
    more.iter_mut().zip(words).for_each(|(to, word)| *to = *word);
    // SAFETY: the words are what they have to be.
    unsafe { long(&mut more) }
}

/// Behind the other words lie eight for sums.
///
/// # Safety
/// As [`asm`].
#[unsafe(naked)]
unsafe extern "C" fn long(words: &mut [usize; 27]) {
    body!(
        [beside!("r0"), "add r0, #76", store_eight!("r0")],
        [clear_eight!()],
        [high_eight!(), beside!("r0"), "add r0, #76", add_eight!("r0")],
        []
    )
}
