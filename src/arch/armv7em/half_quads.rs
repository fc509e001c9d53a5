//! Two units times two pixels, or one, or three: the units of a convolution behind its quads.
//!
//! A step is two elements: a word of weights, a word of either pixel, and for two units four dual multiplications and an
//! extension, 9 cycles; for one, whose weights are whole halfwords, two, 6 cycles; for three both, 12 cycles. Eight steps are
//! one turn; a run whose steps are no multiple of that enters the first turn further down, its pointers set back by as much.
//!
//! Long sums of two units are told apart run by run and added up in memory; those of one, or of a third, are exact as they are.

use super::frame::{beside, enter, enter_beside, high, keep, leave, leave_beside, narrow, take};
use super::quads::{Pair, each, each_pair};
use crate::arch::packed::{Quads, Runs};
use core::arch::naked_asm;

/// Steps in a turn.
const TURN: usize = 8;

/// See [`Isa::half_quads`](crate::arch::Isa::half_quads).
#[inline(never)]
pub(super) fn half_quads(
    quads: &Quads<'_>,
    units: usize,
    rests: u8,
    rows: usize,
    runs: Runs<'_>,
    y: &mut [i8],
) {
    call(quads, units, rests, rows, runs, y, [two, three]);
}

/// See [`Isa::long_half_quads`](crate::arch::Isa::long_half_quads).
#[inline(never)]
pub(super) fn long_half_quads(
    quads: &Quads<'_>,
    units: usize,
    rests: u8,
    rows: usize,
    runs: Runs<'_>,
    y: &mut [i8],
) {
    call(quads, units, rests, rows, runs, y, [long_two, long_three]);
}

/// Checks lengths and calls functions in assembler: for one unit, and those that are given for two and for three.
#[inline(always)]
fn call(
    quads: &Quads<'_>,
    units: usize,
    rests: u8,
    rows: usize,
    runs: Runs<'_>,
    y: &mut [i8],
    [two, three]: [unsafe extern "C" fn(&[usize; 16]); 2],
) {
    let &Quads { bias_step, count, pixels, pairs, x_from, x_step, y_step, .. } = quads;
    let Some(last) = pixels.checked_sub(1) else { return };
    let (twos, whole) = (units.div_ceil(2), 4 * count);
    let place = (last, x_from + last / 2 * x_step);
    let Some(each) = each(quads, rows, runs, place, whole + 2 * twos, y.len() + units % 2) else { return };
    // What lies before: of weights, of factors.
    let size = 8 * pairs * each;
    let (before, factors) = (size * count, quads.requant_step * count);
    let there = quads.weights.len() >= before + size / 2 * twos && quads.requant.len() >= factors + 2 * twos;
    if !there {
        return;
    }
    let turns = pairs.div_ceil(TURN);
    let skip = 8 * (turns * TURN - pairs);
    each_pair(quads, rows, runs, each, y, |Pair { begins, y, bias, x, apart, times }| {
        let words = [
            y + whole,
            apart * y_step,
            0,
            i32::from(quads.zero) as usize,
            begins,
            begins + 2 * each,
            skip,
            8 * turns * TURN,
            x_step,
            quads.weights.as_ptr() as usize + before,
            bias + 4 * whole,
            4 * apart * bias_step,
            0,
            quads.requant.as_ptr() as usize + 8 * factors,
            times,
            x.wrapping_sub(skip),
        ];
        // Every run, the weights, factors and biases are as long as the functions read, the outputs as long as they
        // write.
        match units {
            // SAFETY: as just said.
            1 if rests & 1 << 1 != 0 => unsafe { one(&words) },
            // SAFETY: so, too.
            2 if rests & 1 << 2 != 0 => unsafe { two(&words) },
            // SAFETY: so, too.
            3 if rests & 1 << 3 != 0 => unsafe { three(&words) },
            _ => {}
        }
    });
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
    ($weights:literal, $first:literal, $second:literal) => {
        concat!(
            "smlad ", $first, ", ", $weights, ", r10, ", $first, "\n", "smlad ", $second, ", ", $weights,
            ", r11, ", $second, "\n",
        )
    };
}

/// Products of two elements of two pixels and two units.
macro_rules! products_of_two {
    () => {
        concat!(multiply!("r8", "r2", "r3"), "sxtb16 r8, r8\n", multiply!("r8", "r4", "r5"))
    };
}

/// Two elements of two pixels times two units.
macro_rules! step_of_two {
    ($at:literal) => {
        concat!(load!($at), products_of_two!())
    };
}

/// Two elements of two pixels times one unit.
macro_rules! step_of_one {
    ($at:literal) => {
        concat!(load!($at), multiply!("r8", "r4", "r5"))
    };
}

/// Two elements of two pixels times three units, the last one's weights to `r7`.
macro_rules! step_of_three {
    ($at:literal) => {
        concat!(
            "ldr r8, [r1, #8*",
            $at,
            "]\n",
            "ldr.w r7, [r1, #8*",
            $at,
            "+4]\n",
            "ldr r10, [r0, #8*",
            $at,
            "]\n",
            "ldr r11, [r0, #8*",
            $at,
            "+4]\n",
            products_of_two!(),
            multiply!("r7", "r6", "r12"),
        )
    };
}

/// A function over pairs of pixels: `$entry` makes of the bytes in `r9` that the first turn leaves out those of code, and
/// adds them to `r7`, which `$hold` keeps; `$begin` reads biases of the pixels at `r8` and `r9`; `$enter` sets back weights by
/// as many as there are in the bytes of a run that are left out, and enters the turn, of which each has `$turn` bytes of
/// them; `$finish` is to store the sums in `r2` to `r5`, of three in `r6` and `r12` too, for
/// outputs at `r1` and `r7`, the factors at `r0`.
///
/// Slots: 0 outputs of the first pixel, 1 bytes from there to the second's, 3 zero point, 4 and 5 first and end of where runs
/// begin, 6 bytes that the first turn leaves out, 7 bytes of a run's turns, 8 bytes from a pair to the next in a run, 9 weights,
/// 10 biases of the first pixel, 11 bytes from there to the second's, 13 factors, 14 pairs of pixels left, 15 the address of a
/// run that begins at 0, less what the first turn leaves out. Made here: 2 where the next run begins, and 12, if no register
/// is left for it, where the first turn is entered.
/// Sums are `whole`, or in `sections`: see [`sums`].
macro_rules! half_quads {
    (
        $sums:ident,
        $step:ident,
        $entry:literal,
        [$($hold:expr),*],
        [$($enter:expr),*],
        [$($begin:literal),*],
        $turn:literal,
        [$($finish:expr),*]
    ) => {
        naked_asm!(
            sums!($sums, enter),
            // an address of Thumb code is odd
            take!("r9", 6),
            "adr r7, 5f",
            $entry,
            "add r7, r7, #1",
            $($hold,)*
            "8:",
            take!("r8", 10),
            take!("r9", 11),
            "add r10, r8, r9, lsl #1",
            "add r9, r9, r8",
            keep!(10, "r10"),
            $($begin,)*
            sums!($sums, begin),
            take!("r1", 9),
            take!("r7", 4),
            "2:",
            sums!($sums, begin_of_run),
            "ldrh r0, [r7], #2",
            keep!(2, "r7"),
            take!("r8", 15),
            take!("lr", 7),
            "add r0, r8, r0, lsl #3",
            "add lr, lr, r0",
            $($enter,)*
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
            $turn,
            "add r0, #64",
            "cmp r0, lr",
            "bne 5b",
            sums!($sums, end_of_run),
            take!("r7", 2),
            take!("r8", 5),
            "cmp r7, r8",
            "bne 2b",
            take!("r0", 13),
            take!("r10", 3),
            take!("r1", 0),
            take!("r7", 1),
            take!("r11", 15),
            take!("lr", 8),
            "add r11, r11, lr",
            keep!(15, "r11"),
            "add r11, r1, r7, lsl #1",
            "add r7, r7, r1",
            keep!(0, "r11"),
            // the second pixel first: where there is none its outputs lie under those of the first
            $($finish,)*
            take!("r0", 14),
            "subs r0, #1",
            keep!(14, "r0"),
            "bne 8b",
            sums!($sums, leave),
        )
    };
}

/// What differs between sums of a pair of units that are told apart at the end, `whole`, and those that are told apart run by
/// run, in `sections`; for these four words for sums lie behind the slots'.
macro_rules! sums {
    (whole, enter) => {
        enter!()
    };
    (whole, end) => {
        concat!(high!("r2", "r4"), high!("r3", "r5"))
    };
    (whole, leave) => {
        leave!()
    };
    (whole, $at:ident) => {
        ""
    };
    (sections, enter) => {
        enter_beside!()
    };
    (sections, begin) => {
        concat!(beside!("r8"), "strd r2, r3, [r8, #64]\nstrd r4, r5, [r8, #72]")
    };
    (sections, begin_of_run) => {
        "mov r2, #0\nmov r3, #0\nmov r4, #0\nmov r5, #0"
    };
    (sections, end_of_run) => {
        concat!(
            sums!(whole, end),
            beside!("r8"),
            "ldrd r10, r11, [r8, #64]\nadd r2, r10\nadd r3, r11\nstrd r2, r3, [r8, #64]\n",
            "ldrd r10, r11, [r8, #72]\nadd r4, r10\nadd r5, r11\nstrd r4, r5, [r8, #72]",
        )
    };
    (sections, end) => {
        ""
    };
    (sections, leave) => {
        leave_beside!()
    };
}

/// Two units.
macro_rules! two {
    ($sums:ident) => {
        half_quads!(
            $sums,
            step_of_two,
            "add r7, r7, r9, lsl #2", // 32 bytes of code a step of 8 bytes
            ["mov r6, r7", take!("r12", 6)],
            ["sub r1, r1, r12, lsr #1", "bx r6"],
            ["ldrd r2, r4, [r8]", "ldrd r3, r5, [r9]"],
            "add r1, #32",
            [
                sums!($sums, end),
                "ldrd r8, r9, [r0]",
                narrow!("r2"),
                narrow!("r3"),
                "ldrd r8, r9, [r0, #8]",
                narrow!("r4"),
                narrow!("r5"),
                "strb r3, [r7]",
                "strb r5, [r7, #1]",
                "strb r2, [r1]",
                "strb r4, [r1, #1]"
            ]
        )
    };
}

/// Three units.
macro_rules! three {
    ($sums:ident) => {
        half_quads!(
            $sums,
            step_of_three,
            // 44 bytes of code a step of 8 bytes
            "add r8, r9, r9, lsl #2\nadd r9, r9, r8, lsl #1\nadd r7, r7, r9, lsr #1",
            [keep!(12, "r7")],
            [take!("r9", 6), take!("r10", 12), "sub r1, r1, r9", "bx r10"],
            [
                "ldr r2, [r8]",
                "ldr r4, [r8, #8]",
                "ldr r6, [r8, #12]",
                "ldr r3, [r9]",
                "ldr r5, [r9, #8]",
                "ldr r12, [r9, #12]"
            ],
            "add r1, #64",
            [
                sums!($sums, end),
                "ldrd r8, r9, [r0]",
                narrow!("r2"),
                narrow!("r3"),
                "ldrd r8, r9, [r0, #8]",
                narrow!("r4"),
                narrow!("r5"),
                "ldrd r8, r9, [r0, #24]",
                narrow!("r6"),
                narrow!("r12"),
                "strb r3, [r7]",
                "strb r5, [r7, #1]",
                "strb r12, [r7, #2]",
                "strb r2, [r1]",
                "strb r4, [r1, #1]",
                "strb r6, [r1, #2]"
            ]
        )
    };
}

/// # Safety
/// The words hold what the slots say, of the lengths that follow from them; biases and factors at multiples of 4.
#[unsafe(naked)]
unsafe extern "C" fn two(words: &[usize; 16]) {
    two!(whole)
}

/// # Safety
/// As [`two`].
#[unsafe(naked)]
unsafe extern "C" fn one(words: &[usize; 16]) {
    half_quads!(
        whole,
        step_of_one,
        "add r9, r9, r9, lsl #2\nadd r7, r7, r9, lsr #1", // 20 bytes of code a step of 8 bytes
        ["mov r6, r7", take!("r12", 6)],
        ["sub r1, r1, r12, lsr #1", "bx r6"],
        ["ldr r4, [r8, #4]", "ldr r5, [r9, #4]"],
        "add r1, #32",
        ["ldrd r8, r9, [r0, #8]", narrow!("r4"), narrow!("r5"), "strb r5, [r7]", "strb r4, [r1]"]
    )
}

/// # Safety
/// As [`two`].
#[unsafe(naked)]
unsafe extern "C" fn three(words: &[usize; 16]) {
    three!(whole)
}

/// The words of slots and room for sums.
fn with_sums(words: &[usize; 16]) -> [usize; 20] {
    let mut more = [0; 20];
    more.iter_mut().zip(words).for_each(|(to, &word)| *to = word);
    more
}

/// As [`two`], for long sums.
///
/// # Safety
/// As [`two`].
unsafe extern "C" fn long_two(words: &[usize; 16]) {
    // SAFETY: the words are what they have to be.
    unsafe { sections_of_two(&mut with_sums(words)) }
}

/// # Safety
/// As [`two`].
#[unsafe(naked)]
unsafe extern "C" fn sections_of_two(words: &mut [usize; 20]) {
    two!(sections)
}

/// As [`three`], for long sums.
///
/// # Safety
/// As [`two`].
unsafe extern "C" fn long_three(words: &[usize; 16]) {
    // SAFETY: the words are what they have to be.
    unsafe { sections_of_three(&mut with_sums(words)) }
}

/// # Safety
/// As [`two`].
#[unsafe(naked)]
unsafe extern "C" fn sections_of_three(words: &mut [usize; 20]) {
    three!(sections)
}
