//! Two units times one pixel, or one: what a dense layer has beside its eights, and small ones altogether.
//!
//! A step is four elements as they lie, which two extensions make into pairs of elements 0 and 2, and 1 and 3: 12 cycles for
//! two units, 8 for one. Four steps are one turn, or eight for one unit, the first of which may be entered further down;
//! elements after the last whole four are one step more.
//!
//! Long sums of two units are told apart every 32 turns, or fewer the first time, and added up in slots; those of one unit
//! are exact as they are.

use super::frame::{enter, high, keep, leave, narrow, take};
use crate::arch::packed::{SECTION, Twos};
use core::arch::naked_asm;

/// Steps in a turn.
const TURN: usize = 4;

/// Turns until long sums are told apart, as [`long`] counts them.
const TURNS: usize = 2 * SECTION / (4 * TURN);
const _: () = assert!(4 * TURN * TURNS == 512);

/// Checks lengths and calls a function in assembler, with a last slot, told the address of the inputs less what the first
/// turn leaves out, and how many turns there are.
#[inline(always)]
fn call(
    twos: &Twos<'_>,
    x: &[i8],
    y: &mut [i8],
    asm: unsafe extern "C" fn(&[usize; 16]),
    last_slot: impl Fn(usize, usize) -> usize,
) {
    let (count, whole) = (y.len().div_ceil(2), x.len() / 4);
    let there = twos.weights.len() >= 8 * x.len().div_ceil(4) * count
        && twos.requant.len() + twos.requant_step >= twos.requant_step * count + 2
        && twos.bias.len() >= 2 * count;
    if !there || x.is_empty() || count == 0 {
        return;
    }
    let turns = whole.div_ceil(TURN).max(1);
    let skip = 4 * (turns * TURN - whole);
    let from = (x.as_ptr() as usize).wrapping_sub(skip);
    let mut last = [0; 4];
    last.iter_mut().zip(x.iter().skip(4 * whole)).for_each(|(last, &x)| *last = x as u8);
    let words = [
        twos.requant.as_ptr() as usize,
        twos.weights.as_ptr() as usize,
        y.as_mut_ptr() as usize,
        from,
        y.len(),
        i32::from(twos.zero) as usize,
        twos.bias.as_ptr() as usize,
        skip,
        0,
        x.as_ptr() as usize + 4 * whole,
        8 * twos.requant_step,
        u32::from_le_bytes(last) as usize,
        x.len() % 4,
        0,
        0,
        last_slot(from, turns),
    ];
    // SAFETY: inputs, weights, factors and biases are as long as the function reads, the output as long as it writes.
    unsafe { asm(&words) }
}

/// See [`Isa::twos`](crate::arch::Isa::twos).
#[inline(always)]
pub(super) fn twos(twos: &Twos<'_>, x: &[i8], y: &mut [i8]) {
    call(twos, x, y, asm, |_, _| 0);
}

/// See [`Isa::long_twos`](crate::arch::Isa::long_twos).
#[inline(always)]
pub(super) fn long_twos(twos: &Twos<'_>, x: &[i8], y: &mut [i8]) {
    call(twos, x, y, long, |x, turns| x.wrapping_add(4 * TURN * (1 + (turns - 1) % TURNS)));
}

/// Pairs of weights to `r5` and `r6`, those of the elements in `r4` to `r7` and `r12`.
macro_rules! pairs {
    ($at:literal) => {
        concat!(
            "ldr.w r5, [r1, #8*",
            $at,
            "]\n",
            "ldr.w r6, [r1, #8*",
            $at,
            "+4]\n",
            "sxtb16 r7, r4\n",
            "sxtb16 r12, r4, ror #8\n",
        )
    };
}

/// Their products.
macro_rules! multiply {
    ($sum:literal) => {
        concat!("smlad ", $sum, ", r5, r7, ", $sum, "\nsmlad ", $sum, ", r6, r12, ", $sum, "\n")
    };
}

/// Products of four elements in `r4` and two units.
macro_rules! products {
    ($at:literal) => {
        concat!(pairs!($at), multiply!("r2"), "sxtb16 r5, r5\nsxtb16 r6, r6\n", multiply!("r3"))
    };
}

/// Four elements times two units.
macro_rules! step {
    ($at:literal) => {
        concat!("ldr.w r4, [r0, #4*", $at, "]\n", products!($at))
    };
}

/// Products of four elements in `r4` and one unit, whose weights are whole halfwords.
macro_rules! single_products {
    ($at:literal) => {
        concat!(pairs!($at), multiply!("r3"))
    };
}

/// Four elements times one unit.
macro_rules! single {
    ($at:literal) => {
        concat!("ldr.w r4, [r0, #4*", $at, "]\n", single_products!($at))
    };
}

/// Slots: 0 factors, 1 weights, 2 outputs, 3 inputs less those that the first turn leaves out, 4 units left, 5 zero point,
/// 6 biases, 7 bytes of inputs that the first turn leaves out, 8 where it is entered, 9 end of the whole fours of inputs,
/// 10 bytes to the next two's factors, 11 the inputs behind them, 12 whether there are such.
///
/// Hooks: where the biases of a two are loaded, where sums may be told apart, where they are, and before one unit.
macro_rules! body {
    ([$($begin:expr),*], [$($section:expr),*], [$($end:expr),*], [$($single:expr),*]) => {
        naked_asm!(
            enter!(),
            take!("r1", 1),
            take!("lr", 9),
            take!("r11", 4),
            // 44 bytes of code a step of 4 bytes; an address of Thumb code is odd
            take!("r9", 7),
            "adr r8, 5f",
            "add r8, r8, #1",
            "mov r4, #11",
            "mla r8, r9, r4, r8",
            keep!(8, "r8"),
            "subs r11, #2",
            "blt 7f",
            "1:",
            take!("r0", 6),
            "ldm r0!, {{r2, r3}}",
            keep!(6, "r0"),
            $($begin,)*
            take!("r0", 3),
            take!("r8", 7),
            take!("r9", 8),
            "sub r1, r1, r8, lsl #1",
            "bx r9",
            ".p2align 2",
            "5:",
            step!(0),
            step!(1),
            step!(2),
            step!(3),
            "add r0, #16",
            "add r1, #32",
            "cmp r0, lr",
            "bne 5b",
            $($section,)*
            take!("r5", 12),
            "cbz r5, 6f",
            take!("r4", 11),
            products!(0),
            "add r1, #8",
            "6:",
            high!("r2", "r3"),
            $($end,)*
            take!("r0", 0),
            take!("r10", 5),
            take!("r12", 2),
            "ldrd r8, r9, [r0]",
            narrow!("r2"),
            "ldrd r8, r9, [r0, #8]",
            narrow!("r3"),
            "strb r2, [r12]",
            "strb r3, [r12, #1]",
            "add r12, #2",
            take!("r8", 10),
            "add r0, r0, r8",
            keep!(0, "r0"),
            keep!(2, "r12"),
            "subs r11, #2",
            "bge 1b",
            "7:",
            "adds r11, #2",
            "beq 9f",
            $($single,)*
            // one unit: 28 bytes of code a step of 4 bytes; of the first of its longer turns one step at least is left out
            take!("r0", 6),
            "ldr r3, [r0, #4]",
            take!("r0", 3),
            take!("r8", 7),
            "add r0, r0, r8",
            "sub r8, r0, lr",
            "sub r8, r8, #1",
            "and r8, r8, #31",
            "add r8, r8, #1",
            "sub r0, r0, r8",
            "rsb r9, r8, r8, lsl #3",
            "adr r4, 8f",
            "add r9, r9, r4",
            "add r9, r9, #1",
            "sub r1, r1, r8, lsl #1",
            "bx r9",
            ".p2align 2",
            "8:",
            single!(0),
            single!(1),
            single!(2),
            single!(3),
            single!(4),
            single!(5),
            single!(6),
            single!(7),
            "add r0, #32",
            "add r1, #64",
            "cmp r0, lr",
            "bne 8b",
            take!("r5", 12),
            "cbz r5, 10f",
            take!("r4", 11),
            single_products!(0),
            "10:",
            take!("r0", 0),
            take!("r10", 5),
            take!("r12", 2),
            "ldrd r8, r9, [r0, #8]",
            narrow!("r3"),
            "strb r3, [r12]",
            "9:",
            leave!(),
        )
    };
}

/// # Safety
/// The words hold what the slots say, of the lengths that follow from them; biases and factors at multiples of 4.
#[unsafe(naked)]
unsafe extern "C" fn asm(words: &[usize; 16]) {
    body!([], [], [], [])
}

/// Slots as before, and: 13 and 14 sums, 15 where they are told apart first.
///
/// # Safety
/// As [`asm`].
#[unsafe(naked)]
unsafe extern "C" fn long(words: &[usize; 16]) {
    body!(
        [keep!(13, "r2"), keep!(14, "r3"), "mov r2, #0", "mov r3, #0", take!("lr", 15)],
        [
            take!("r8", 9),
            "cmp lr, r8",
            "beq 11f",
            high!("r2", "r3"),
            take!("r8", 13),
            take!("r9", 14),
            "add r2, r8",
            "add r3, r9",
            keep!(13, "r2"),
            keep!(14, "r3"),
            "mov r2, #0",
            "mov r3, #0",
            // 32 turns of 16 bytes
            "add lr, lr, #512",
            "b 5b",
            "11:"
        ],
        [take!("r8", 13), take!("r9", 14), "add r2, r8", "add r3, r9"],
        [take!("lr", 9)]
    )
}
