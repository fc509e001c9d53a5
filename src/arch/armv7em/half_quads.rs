//! Two units times two pixels, or one: the units of a convolution behind its quads.
//!
//! A step is two elements: a word of weights, a word of either pixel, and for two units four dual multiplications and an
//! extension, 9 cycles; for one, whose weights are whole halfwords, two, 6 cycles. Eight steps are one turn; a run whose
//! steps are no multiple of that enters the first turn further down, its pointers set back by as much.
//!
//! Long sums of two units are told apart run by run and added up in memory; those of one unit are exact as they are.

use super::frame::{beside, enter, enter_beside, high, keep, leave, leave_beside, narrow, take};
use crate::arch::packed::{Quads, Runs};
use core::arch::naked_asm;

/// Steps in a turn.
const TURN: usize = 8;

/// Checks lengths and calls functions in assembler for two units, and for one.
#[inline(always)]
fn call(
    quads: &Quads<'_>,
    units: usize,
    runs: Runs<'_>,
    y: &mut [i8],
    two: unsafe extern "C" fn(&[usize; 16]),
) {
    let &Quads { bias_step, count, pixels, pairs, x_from, x_step, y_step, .. } = quads;
    let Some(last) = pixels.checked_sub(1) else { return };
    let (twos, size) = (units.div_ceil(2), 4 * pairs * runs.begins.len());
    // What lies before: of weights, of factors, of biases and outputs.
    let (before, factors, whole) = (2 * size * count, quads.requant_step * count, 4 * count);
    let there = runs.reach(x_from + last / 2 * x_step + 8 * pairs)
        && quads.weights.len() >= before + size * twos
        && quads.requant.len() + quads.requant_step / 2 >= factors + quads.requant_step / 2 * twos + 2
        && quads.bias.len() >= last * bias_step + whole + 2 * twos
        && y.len() >= last * y_step + whole + units;
    if !there || pairs == 0 || runs.begins.is_empty() {
        return;
    }
    let turns = pairs.div_ceil(TURN);
    let skip = 8 * (turns * TURN - pairs);
    let begins = runs.begins.as_ptr_range();
    let x = runs.bytes.as_ptr() as usize + x_from;
    for unit in (0..units).step_by(2) {
        let mut pixel = 0;
        // Pairs of pixels, then an odd last one, which is both pixels of a pair.
        while pixel < pixels {
            let times = ((pixels - pixel) / 2).max(1);
            let apart = usize::from(pixel < last);
            let words = [
                y.as_mut_ptr() as usize + pixel * y_step + whole + unit,
                apart * y_step,
                2 * y_step,
                i32::from(quads.zero) as usize,
                begins.start as usize,
                begins.end as usize,
                skip,
                8 * turns * TURN,
                x_step,
                quads.weights.as_ptr() as usize + before + unit / 2 * size,
                quads.bias.as_ptr() as usize + 4 * (pixel * bias_step + whole + unit),
                4 * apart * bias_step,
                8 * bias_step,
                quads.requant.as_ptr() as usize + 8 * factors + unit / 2 * 4 * quads.requant_step,
                times,
                (x + pixel / 2 * x_step).wrapping_sub(skip),
            ];
            // SAFETY: every run, the weights, factors and biases are as long as the function reads, the outputs as long as
            // it writes.
            unsafe { if unit + 1 < units { two(&words) } else { one(&words) } }
            pixel += 2 * times;
        }
    }
}

/// See [`Isa::half_quads`](crate::arch::Isa::half_quads).
#[inline(never)]
pub(super) fn half_quads(quads: &Quads<'_>, units: usize, runs: Runs<'_>, y: &mut [i8]) {
    call(quads, units, runs, y, two);
}

/// See [`Isa::long_half_quads`](crate::arch::Isa::long_half_quads).
#[inline(never)]
pub(super) fn long_half_quads(quads: &Quads<'_>, units: usize, runs: Runs<'_>, y: &mut [i8]) {
    call(quads, units, runs, y, long_two);
}

/// Weights to `r8`, two elements of either pixel to `r10` and `r11`.
macro_rules! load {
    ($at:literal) => {
        concat!(
            "ldr r8, [r1, #4*",
            $at,
            "]\n",
            "ldr r10, [r0, #8*",
            $at,
            "]\n",
            "ldr r11, [r0, #8*",
            $at,
            "+4]\n",
        )
    };
}

/// Their products.
macro_rules! multiply {
    ($first:literal, $second:literal) => {
        concat!(
            "smlad ",
            $first,
            ", r8, r10, ",
            $first,
            "\n",
            "smlad ",
            $second,
            ", r8, r11, ",
            $second,
            "\n",
        )
    };
}

/// Two elements of two pixels times two units.
macro_rules! step_of_two {
    ($at:literal) => {
        concat!(load!($at), multiply!("r2", "r3"), "sxtb16 r8, r8\n", multiply!("r4", "r5"))
    };
}

/// Two elements of two pixels times one unit.
macro_rules! step_of_one {
    ($at:literal) => {
        concat!(load!($at), multiply!("r4", "r5"))
    };
}

/// A function over pairs of pixels: `$entry` makes of the bytes in `r9` that the first turn leaves out those of code;
/// `$finish` is to store the sums in `r2` to `r5`, for outputs at `r6` and `r7`, the factors at `r0`.
///
/// Slots: 0 outputs of the first pixel, 1 bytes from there to the second's, 2 to the next pair's, 3 zero point, 4 and 5 first
/// and end of where runs begin, 6 bytes that the first turn leaves out, 7 bytes of a run's turns, 8 bytes from a pair to the
/// next in a run, 9 weights, 10 biases of the first pixel, 11 bytes from there to the second's, 12 to the next pair's, 13
/// factors, 14 pairs of pixels left, 15 the address of a run that begins at 0, less what the first turn leaves out.
///
/// Hooks: where biases are loaded, before and behind each run.
macro_rules! half_quads {
    ($step:ident, $entry:literal, [$($finish:expr),*]) => {
        half_quads!(enter!(), leave!(), $step, $entry, [], [], [], [$($finish),*])
    };
    (
        $enter:expr,
        $leave:expr,
        $step:ident,
        $entry:literal,
        [$($begin:expr),*],
        [$($clear:expr),*],
        [$($end_of_run:expr),*],
        [$($finish:expr),*]
    ) => {
        naked_asm!(
            $enter,
            "8:",
            take!("r8", 10),
            take!("r9", 11),
            take!("r10", 12),
            "ldrd r2, r4, [r8]",
            "add r9, r9, r8",
            "ldrd r3, r5, [r9]",
            "add r8, r8, r10",
            keep!(10, "r8"),
            $($begin,)*
            take!("r1", 9),
            take!("r12", 4),
            // an address of Thumb code is odd
            take!("r9", 6),
            "adr r7, 5f",
            $entry,
            "add r7, r7, #1",
            "2:",
            $($clear,)*
            "ldrh r0, [r12], #2",
            take!("r8", 15),
            take!("r9", 6),
            take!("lr", 7),
            "add r0, r8, r0, lsl #3",
            "sub r1, r1, r9, lsr #1",
            "add lr, lr, r0",
            "bx r7",
            ".p2align 2",
            "5:",
            $step!(0),
            $step!(1),
            $step!(2),
            $step!(3),
            $step!(4),
            $step!(5),
            $step!(6),
            $step!(7),
            "add r1, #32",
            "add r0, #64",
            "cmp r0, lr",
            "bne 5b",
            $($end_of_run,)*
            take!("r8", 5),
            "cmp r12, r8",
            "bne 2b",
            take!("r0", 13),
            take!("r10", 3),
            take!("r6", 0),
            take!("r7", 1),
            take!("r11", 2),
            take!("r12", 15),
            take!("lr", 8),
            "add r7, r7, r6",
            "add r11, r11, r6",
            "add r12, r12, lr",
            keep!(0, "r11"),
            keep!(15, "r12"),
            // the second pixel first: where there is none its outputs lie under those of the first
            $($finish,)*
            take!("r0", 14),
            "subs r0, #1",
            keep!(14, "r0"),
            "bne 8b",
            $leave,
        )
    };
}

/// Sums in `r2` to `r5` to outputs.
macro_rules! finish_two {
    () => {
        concat!(
            "ldrd r8, r9, [r0]\n",
            narrow!("r2"),
            narrow!("r3"),
            "ldrd r8, r9, [r0, #8]\n",
            narrow!("r4"),
            narrow!("r5"),
            "strb r3, [r7]\n",
            "strb r5, [r7, #1]\n",
            "strb r2, [r6]\n",
            "strb r4, [r6, #1]\n",
        )
    };
}

/// # Safety
/// The words hold what the slots say, of the lengths that follow from them; biases and factors at multiples of 4.
#[unsafe(naked)]
unsafe extern "C" fn two(words: &[usize; 16]) {
    half_quads!(
        step_of_two,
        "add r7, r7, r9, lsl #2", // 32 bytes of code a step of 8 bytes
        [high!("r2", "r4"), high!("r3", "r5"), finish_two!()]
    )
}

/// As [`two`], for long sums.
///
/// # Safety
/// As [`two`].
unsafe extern "C" fn long_two(words: &[usize; 16]) {
    let mut more = [0; 20];
    more.iter_mut().zip(words).for_each(|(to, &word)| *to = word);
    // SAFETY: the words are what they have to be.
    unsafe { long(&mut more) }
}

/// Behind the slots' words lie four for sums.
///
/// # Safety
/// As [`two`].
#[unsafe(naked)]
unsafe extern "C" fn long(words: &mut [usize; 20]) {
    half_quads!(
        enter_beside!(),
        leave_beside!(),
        step_of_two,
        "add r7, r7, r9, lsl #2", // 32 bytes of code a step of 8 bytes
        [beside!("r8"), "strd r2, r3, [r8, #64]", "strd r4, r5, [r8, #72]"],
        ["mov r2, #0", "mov r3, #0", "mov r4, #0", "mov r5, #0"],
        [
            high!("r2", "r4"),
            high!("r3", "r5"),
            beside!("r8"),
            "ldrd r10, r11, [r8, #64]",
            "add r2, r10",
            "add r3, r11",
            "ldrd r10, r11, [r8, #72]",
            "add r4, r10",
            "add r5, r11",
            "strd r2, r3, [r8, #64]",
            "strd r4, r5, [r8, #72]"
        ],
        [finish_two!()]
    )
}

/// # Safety
/// As [`two`].
#[unsafe(naked)]
unsafe extern "C" fn one(words: &[usize; 16]) {
    half_quads!(
        step_of_one,
        "add r9, r9, r9, lsl #2\nadd r7, r7, r9, lsr #1", // 20 bytes of code a step of 8 bytes
        ["ldrd r8, r9, [r0, #8]", narrow!("r4"), narrow!("r5"), "strb r5, [r7]", "strb r4, [r6]"]
    )
}
