//! Eight units times one pixel: dense layers, where each weight is used once.
//!
//! A step is four elements: two words of inputs, eight of weights, sixteen dual multiplications and eight extensions, 37
//! cycles for 32 products. Eight steps are one turn, the first of which may be entered further down.
//!
//! Long sums are told apart every sixteen turns, or fewer the first time, and added up in memory, 60 cycles each time.

use super::frame::{
    add_eight, beside, clear_eight, enter, enter_beside, high, keep, leave, leave_beside, narrow,
    store_eight, take,
};
use crate::arch::packed::{Eights, SECTION};
use core::arch::naked_asm;

/// Pairs of elements in a turn.
const TURN: usize = 16;

/// Turns until long sums are told apart, as [`long`] counts them.
const TURNS: usize = SECTION / TURN;
const _: () = assert!(4 * TURN * TURNS == 1024);

/// Checks lengths and calls a function in assembler, with two more slots, told the address of the inputs less what the first
/// turn leaves out, and how many turns there are.
#[inline(always)]
fn call(
    eights: &Eights<'_>,
    x: &[i8],
    y: &mut [i8],
    asm: unsafe extern "C" fn(&[usize; 16]),
    more: impl Fn(usize, usize) -> [usize; 2],
) {
    let (count, pairs) = (y.len() / 8, eights.pairs);
    let there = x.len() >= 4 * pairs
        && eights.weights.len() >= 16 * pairs * count
        && eights.requant.len() + eights.requant_step >= eights.requant_step * count + 8
        && eights.bias.len() >= 8 * count;
    if !there || count == 0 || pairs == 0 || pairs % 2 == 1 {
        return;
    }
    let turns = pairs.div_ceil(TURN);
    let skip = turns * TURN - pairs;
    let from = (x.as_ptr() as usize).wrapping_sub(4 * skip);
    let [end, first] = more(from, turns);
    let words = [
        eights.requant.as_ptr() as usize,
        eights.weights.as_ptr() as usize,
        y.as_mut_ptr() as usize,
        from,
        count,
        i32::from(eights.zero) as usize,
        eights.bias.as_ptr() as usize,
        4 * skip,
        4 * turns * TURN,
        0,
        8 * eights.requant_step,
        0,
        end,
        first,
        0,
        0,
    ];
    // SAFETY: inputs, weights, factors and biases are as long as the function reads, the output as long as it writes.
    unsafe { asm(&words) }
}

/// See [`Isa::eights`](crate::arch::Isa::eights).
#[inline(always)]
pub(super) fn eights(eights: &Eights<'_>, x: &[i8], y: &mut [i8]) {
    call(eights, x, y, asm, |_, _| [0, 0]);
}

/// See [`Isa::long_eights`](crate::arch::Isa::long_eights).
#[inline(never)]
pub(super) fn long_eights(eights: &Eights<'_>, x: &[i8], y: &mut [i8]) {
    call(eights, x, y, long_asm, |x, turns| {
        [x.wrapping_add(4 * turns * TURN), x.wrapping_add(4 * TURN * (1 + (turns - 1) % TURNS))]
    });
}

macro_rules! step {
    ($at:literal) => {
        concat!(
            "ldr r10, [r0, #8*",
            $at,
            "]\n",
            "ldr r8, [r1, #32*",
            $at,
            "]\n",
            "ldr r9, [r1, #32*",
            $at,
            "+4]\n",
            "ldr r11, [r1, #32*",
            $at,
            "+8]\n",
            "smlad r2, r8, r10, r2\n",
            "smlad r3, r9, r10, r3\n",
            "smlad r4, r11, r10, r4\n",
            "sxtb16 r8, r8\n",
            "sxtb16 r9, r9\n",
            "sxtb16 r11, r11\n",
            "smlad r6, r8, r10, r6\n",
            "smlad r7, r9, r10, r7\n",
            "smlad r12, r11, r10, r12\n",
            "ldr r8, [r1, #32*",
            $at,
            "+12]\n",
            "ldr r9, [r1, #32*",
            $at,
            "+16]\n",
            "ldr r11, [r0, #8*",
            $at,
            "+4]\n",
            "smlad r5, r8, r10, r5\n",
            "smlad r2, r9, r11, r2\n",
            "sxtb16 r8, r8\n",
            "sxtb16 r9, r9\n",
            "smlad lr, r8, r10, lr\n",
            "smlad r6, r9, r11, r6\n",
            "ldr r8, [r1, #32*",
            $at,
            "+20]\n",
            "ldr r9, [r1, #32*",
            $at,
            "+24]\n",
            "ldr r10, [r1, #32*",
            $at,
            "+28]\n",
            "smlad r3, r8, r11, r3\n",
            "smlad r4, r9, r11, r4\n",
            "smlad r5, r10, r11, r5\n",
            "sxtb16 r8, r8\n",
            "sxtb16 r9, r9\n",
            "sxtb16 r10, r10\n",
            "smlad r7, r8, r11, r7\n",
            "smlad r12, r9, r11, r12\n",
            "smlad lr, r10, r11, lr\n",
        )
    };
}

/// Slots: 0 factors, 1 weights, 2 outputs, 3 inputs, 4 eights left, 5 zero point, 6 biases, 7 bytes of inputs that the
/// first turn leaves out, 8 bytes of inputs in all turns, 9 where it is entered, 10 bytes to the next eight's factors, 11 end
/// of the inputs.
///
/// Hooks: where the biases of an eight are loaded, and where sums are told apart.
macro_rules! body {
    ($enter:expr, $leave:expr, [$($begin:expr),*], [$($end:expr),*]) => {
        naked_asm!(
            $enter,
            take!("r1", 1),
            // 136 bytes of code a step of 8 bytes; an address of Thumb code is odd
            take!("r9", 7),
            "adr r8, 5f",
            "add r9, r9, r9, lsl #4",
            "add r8, r8, r9",
            "add r8, r8, #1",
            keep!(9, "r8"),
            take!("r0", 3),
            take!("r8", 8),
            "add r8, r8, r0",
            keep!(11, "r8"),
            "1:",
            take!("r0", 6),
            "ldm r0!, {{r2-r7, r12, lr}}",
            keep!(6, "r0"),
            $($begin,)*
            take!("r0", 3),
            take!("r8", 7),
            take!("r9", 9),
            "sub r1, r1, r8, lsl #2",
            "bx r9",
            ".p2align 2",
            "5:",
            step!(0),
            step!(1),
            step!(2),
            step!(3),
            step!(4),
            step!(5),
            step!(6),
            step!(7),
            take!("r11", 11),
            "add r0, #64",
            "add r1, #256",
            "cmp r0, r11",
            "bne 5b",
            high!("r2", "r6"),
            high!("r3", "r7"),
            high!("r4", "r12"),
            high!("r5", "lr"),
            $($end,)*
            take!("r0", 0),
            take!("r9", 10),
            take!("r10", 5),
            take!("r11", 2),
            "cmp r9, #0",
            "ldrd r8, r9, [r0]",
            "beq 6f",
            narrow!("r2"),
            "ldrd r8, r9, [r0, #8]",
            narrow!("r6"),
            "ldrd r8, r9, [r0, #16]",
            narrow!("r3"),
            "ldrd r8, r9, [r0, #24]",
            narrow!("r7"),
            "ldrd r8, r9, [r0, #32]",
            narrow!("r4"),
            "ldrd r8, r9, [r0, #40]",
            narrow!("r12"),
            "ldrd r8, r9, [r0, #48]",
            narrow!("r5"),
            "ldrd r8, r9, [r0, #56]",
            narrow!("lr"),
            "7:",
            "strb r2, [r11]",
            "strb r6, [r11, #1]",
            "strb r3, [r11, #2]",
            "strb r7, [r11, #3]",
            "strb r4, [r11, #4]",
            "strb r12, [r11, #5]",
            "strb r5, [r11, #6]",
            "strb lr, [r11, #7]",
            take!("r8", 10),
            "add r11, #8",
            "add r0, r0, r8",
            keep!(0, "r0"),
            keep!(2, "r11"),
            take!("r0", 4),
            "subs r0, #1",
            keep!(4, "r0"),
            "bne 1b",
            $leave,
            // all units have one factor
            "6:",
            narrow!("r2"),
            narrow!("r6"),
            narrow!("r3"),
            narrow!("r7"),
            narrow!("r4"),
            narrow!("r12"),
            narrow!("r5"),
            narrow!("lr"),
            "b 7b",
        )
    };
}

/// # Safety
/// The words hold what the slots say, of the lengths that follow from them; biases and factors at multiples of 4.
#[unsafe(naked)]
unsafe extern "C" fn asm(words: &[usize; 16]) {
    body!(enter!(), leave!(), [], [])
}

/// As [`asm`], for long sums.
///
/// # Safety
/// As [`asm`], with slots 12 and 13 as [`long`] says.
unsafe extern "C" fn long_asm(words: &[usize; 16]) {
    let mut more = [0; 24];
    more.iter_mut().zip(words).for_each(|(to, &word)| *to = word);
    // SAFETY: the words are what they have to be.
    unsafe { long(&mut more) }
}

/// Slots as before, and: 12 end of the inputs, 13 where sums are told apart first, 11 where next. Behind the slots lie eight
/// words for sums.
///
/// # Safety
/// As [`asm`].
#[unsafe(naked)]
unsafe extern "C" fn long(words: &mut [usize; 24]) {
    body!(
        enter_beside!(),
        leave_beside!(),
        [beside!("r8"), "add r8, #64", store_eight!("r8"), clear_eight!(), take!("r8", 13), keep!(11, "r8")],
        [
            beside!("r11"),
            "add r11, #64",
            add_eight!("r11"),
            take!("r11", 11),
            take!("r8", 12),
            "cmp r11, r8",
            "beq 9f",
            // sixteen turns of 64 bytes
            "add r11, r11, #1024",
            keep!(11, "r11"),
            clear_eight!(),
            "b 5b",
            "9:"
        ]
    )
}
