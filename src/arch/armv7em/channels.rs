//! Depthwise convolution four channels at a time: a word of a pixel holds four channels, `PKHBT` and `PKHTB` bring two taps
//! together, `SXTB16` widens them: 19 cycles for eight products. Where taps lie tells a table, so that it makes no
//! difference how far apart they are.

use super::frame::{enter, keep, leave, take};
use super::places::write_row;
use crate::arch::packed::Channels;
use crate::ir::FourChannels;
use core::arch::naked_asm;

/// Pairs of taps in a turn.
const TURN: usize = 8;

/// See [`Isa::four_channels`](crate::arch::Isa::four_channels).
#[inline(never)]
pub(super) fn four_channels(channels: &Channels<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
    let &Channels { records, record, taps, pixel, below, step, row_step, .. } = channels;
    let [height, width] = channels.output;
    let [fours, _] = FourChannels::parts(channels.channels);
    let count = taps[0] * taps[1];
    if fours == 0 || records.len() < fours * record || begins(channels, rows.len(), y.len(), table).is_none()
    {
        return;
    }
    let (x, table, y) = (rows.as_ptr() as usize, table.as_ptr() as usize, y.as_mut_ptr() as usize);
    let zero = i32::from(channels.zero) as usize;
    let pairs = count / 2;
    let skip = if matches!(count, 3 | 9) { 0 } else { pairs.div_ceil(TURN).max(1) * TURN - pairs };
    let whole = channels.channels / 4;
    let next = below.wrapping_sub(width * pixel);
    let mut words = [
        table.wrapping_sub(8 * skip),
        16usize.wrapping_sub(16 * skip),
        skip,
        (table + 8 * pairs).wrapping_sub(8 * TURN),
        count % 2,
        zero,
        y.wrapping_sub(x),
        0,
        records.as_ptr() as usize,
        pixel.wrapping_sub(4 * whole),
        step.wrapping_sub(pixel),
        width,
        x,
        0,
        records.as_ptr() as usize + whole * record,
        0,
        height,
        width,
        next,
        row_step.wrapping_sub(width * step).wrapping_sub(next),
    ];
    words[15] = words.as_ptr() as usize;
    // SAFETY: records, rows and outputs are as long as the functions read and write for these channels.
    let compute = |words: &mut _| unsafe {
        match count {
            3 => three(words),
            9 => nine(words),
            _ => any(words),
        }
    };
    compute(&mut words);
    if fours > whole {
        // Once more, for the last four channels.
        (words[8], words[14], words[9]) = (words[14], words[14] + record, pixel.wrapping_sub(4));
        (words[12], words[16]) = (x + channels.four(whole), height);
        compute(&mut words);
    }
}

/// Where the first three rows of taps begin; all taps of the first window are written as a table of words, twice that of the
/// last of an odd number. `None` where there are no windows, or rows or outputs of these lengths do not hold them.
#[inline(always)]
pub(super) fn begins(
    channels: &Channels<'_>,
    rows: usize,
    outputs: usize,
    table: &mut [i8],
) -> Option<[usize; 3]> {
    let &Channels { taps, first, row, ring, tap, pixel, below, step, row_step, .. } = channels;
    let [height, width] = channels.output;
    let count = taps[0] * taps[1];
    if count == 0 || height == 0 || width == 0 {
        return None;
    }
    let (down, across) = (height - 1, width - 1);
    let reach = (taps[1] - 1) * tap + down * below + across * pixel + channels.channels;
    let mut there = rows >= ring
        && ring >= row
        && table.len() >= 4 * count.next_multiple_of(2)
        && outputs >= down * row_step + across * step + channels.channels;
    if !there {
        return None;
    }
    let (mut at, mut to) = (first, table.as_mut_ptr().cast::<u32>());
    let mut begins = [0; 3];
    for i in 0..taps[0] {
        if let Some(begin) = begins.get_mut(i) {
            *begin = at;
        }
        there &= at + reach <= ring;
        // SAFETY: the table has a word for each tap.
        to = unsafe { write_row(to, at, taps[1], tap) };
        at += row;
        if at >= ring {
            at -= ring;
        }
    }
    if count % 2 == 1 {
        // SAFETY: and for one more where their number is odd.
        unsafe { to.write_unaligned(first as u32) }
    }
    there.then_some(begins)
}

/// A function that computes four channels at a time. Slots: 0 places of taps, set back by what the first turn leaves out, 1
/// bytes from a record to the taps, set back likewise, 2 pairs of taps left out, then where the turn is entered, 3 places of the
/// last turn, 4 whether there is one tap more, 5 zero point, 6 bytes from an element to the output of its channel, 8
/// records, 9 bytes from behind the channels of a window to the next, 10 bytes by which slot 6 grows from
/// there to there, 11 windows of the row left, 12 first window, 14 end of the records, 15 where all these words lie. Words
/// beyond: 16 rows left, 17 windows of a row, 18 and 19 as slots 9 and 10, from behind a row.
///
/// `r0` is the record, `r1` the window, `r4` to `r7` are the sums. `$sum` adds the products; then the factors lie `$at`
/// bytes behind `r0`. `$behind` is what `$sum` goes to now and then.
macro_rules! by_four {
    ([$($begin:expr),*], [$($sum:expr),*], $at:literal, [$($behind:expr),*]) => {
        naked_asm!(
            enter!(),
            $($begin,)*
            take!("r1", 12),
            "1:",
            take!("r0", 8),
            "2:",
            "ldr r4, [r0]",
            "ldr r5, [r0, #4]",
            "ldr r6, [r0, #8]",
            "ldr r7, [r0, #12]",
            $($sum,)*
            concat!("ldr r8, [r0, #", $at, "]"),
            concat!("ldr r9, [r0, #", $at, "+4]"),
            concat!("ldr r11, [r0, #", $at, "+8]"),
            concat!("ldr r12, [r0, #", $at, "+12]"),
            concat!("ldr r2, [r0, #", $at, "+16]"),
            concat!("ldr r3, [r0, #", $at, "+20]"),
            concat!("ldr r10, [r0, #", $at, "+24]"),
            concat!("ldr lr, [r0, #", $at, "+28]"),
            "smmlar r4, r4, r8, r4",
            "smmlar r5, r5, r9, r5",
            "smmlar r6, r6, r11, r6",
            "smmlar r7, r7, r12, r7",
            take!("r8", 5),
            "add r4, r4, r4, asr #31",
            "add r5, r5, r5, asr #31",
            "add r6, r6, r6, asr #31",
            "add r7, r7, r7, asr #31",
            "smmlar r4, r4, r2, r8",
            "smmlar r5, r5, r3, r8",
            "smmlar r6, r6, r10, r8",
            "smmlar r7, r7, lr, r8",
            take!("r3", 6),
            "add r3, r3, r1",
            "ssat r4, #8, r4",
            "ssat r5, #8, r5",
            "ssat r6, #8, r6",
            "ssat r7, #8, r7",
            "strb r4, [r3]",
            "strb r5, [r3, #1]",
            "strb r6, [r3, #2]",
            "strb r7, [r3, #3]",
            take!("r8", 14),
            "add r1, #4",
            concat!("add r0, #", $at, "+32"),
            "cmp r0, r8",
            "bne 2b",
            take!("r3", 9),
            take!("r8", 6),
            take!("r9", 10),
            take!("r10", 11),
            "add r1, r1, r3",
            "add r8, r8, r9",
            "subs r10, #1",
            keep!(6, "r8"),
            keep!(11, "r10"),
            "bne 1b",
            take!("r3", 15),
            "ldr r9, [r3, #64]",
            "ldr r10, [r3, #68]",
            "ldr r11, [r3, #72]",
            "ldr r12, [r3, #76]",
            "subs r9, #1",
            "add r1, r1, r11",
            "add r8, r8, r12",
            "str r9, [r3, #64]",
            keep!(6, "r8"),
            keep!(11, "r10"),
            "bne 1b",
            leave!(),
            $($behind),*
        )
    };
}

/// A pair of taps: 19 cycles, 72 bytes of code.
macro_rules! pair {
    ($at:literal, $weights:literal) => {
        concat!(
            "ldr.w r8, [r2, #8*",
            $at,
            "]\n",
            "ldr.w r9, [r2, #8*",
            $at,
            "+4]\n",
            "ldr.w r8, [r8, r1]\n",
            "ldr.w r9, [r9, r1]\n",
            "ldr.w r10, [r0, #16*",
            $at,
            "+",
            $weights,
            "]\n",
            "ldr.w r11, [r0, #16*",
            $at,
            "+",
            $weights,
            "+4]\n",
            "ldr.w r12, [r0, #16*",
            $at,
            "+",
            $weights,
            "+8]\n",
            "ldr.w lr, [r0, #16*",
            $at,
            "+",
            $weights,
            "+12]\n",
            "pkhbt r3, r8, r9, lsl #16\n",
            "pkhtb r8, r9, r8, asr #16\n",
            "sxtb16 r9, r3\n",
            "sxtb16 r3, r3, ror #8\n",
            "smlad r4, r9, r10, r4\n",
            "smlad r5, r3, r11, r5\n",
            "sxtb16 r9, r8\n",
            "sxtb16 r8, r8, ror #8\n",
            "smlad r6, r9, r12, r6\n",
            "smlad r7, r8, lr, r7\n",
        )
    };
}

/// A tap by itself: 11 cycles.
macro_rules! tap {
    ($at:literal, $weights:literal) => {
        concat!(
            "ldr r8, [r2, #",
            $at,
            "]\n",
            "ldr r10, [r0, #",
            $weights,
            "]\n",
            "ldr r11, [r0, #",
            $weights,
            "+4]\n",
            "ldr r8, [r8, r1]\n",
            "sxtb16 r9, r8\n",
            "sxtb16 r8, r8, ror #8\n",
            "smlabb r4, r9, r10, r4\n",
            "smlabb r5, r8, r11, r5\n",
            "smlatt r6, r9, r10, r6\n",
            "smlatt r7, r8, r11, r7\n",
        )
    };
}

/// Any number of taps.
///
/// # Safety
/// The words hold what the slots of [`by_four`] say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn any(words: &mut [usize; 20]) {
    by_four!(
        [
            // 72 bytes of code a pair; an address of Thumb code is odd
            take!("r8", 2),
            "adr.w r9, 5f",
            "add r8, r8, r8, lsl #3",
            "add r9, r9, r8, lsl #3",
            "add r9, r9, #1",
            keep!(2, "r9")
        ],
        [
            take!("r2", 0),
            take!("r3", 1),
            take!("r8", 2),
            "add r0, r0, r3",
            "bx r8",
            ".p2align 2",
            "5:",
            pair!(0, 0),
            pair!(1, 0),
            pair!(2, 0),
            pair!(3, 0),
            pair!(4, 0),
            pair!(5, 0),
            pair!(6, 0),
            pair!(7, 0),
            take!("r3", 3),
            "cmp r2, r3",
            "bne 7f",
            take!("r3", 4),
            "cbz r3, 6f",
            tap!(64, 128),
            "add r0, #8",
            "6:"
        ],
        128,
        ["7:", "add r2, #64", "add r0, #128", "b 5b"]
    )
}

/// Nine taps.
///
/// # Safety
/// As [`any`].
#[unsafe(naked)]
unsafe extern "C" fn nine(words: &mut [usize; 20]) {
    by_four!(
        [],
        [take!("r2", 0), pair!(0, 16), pair!(1, 16), pair!(2, 16), pair!(3, 16), tap!(32, 80)],
        88,
        []
    )
}

/// Three taps.
///
/// # Safety
/// As [`any`].
#[unsafe(naked)]
unsafe extern "C" fn three(words: &mut [usize; 20]) {
    by_four!([], [take!("r2", 0), pair!(0, 16), tap!(8, 32)], 40, [])
}
