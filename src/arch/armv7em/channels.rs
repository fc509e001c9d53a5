//! Depthwise convolution four channels at a time: a word of a pixel holds four channels, `PKHBT` and `PKHTB` bring two taps
//! together, `SXTB16` widens them: 19 cycles for eight products. Where taps lie tells a table, so that it makes no
//! difference how far apart they are.

use super::frame::{enter, keep, leave, narrow, take};
use crate::arch::packed::Channels;
use core::arch::naked_asm;

/// Pairs of taps in a turn.
const TURN: usize = 8;

/// See [`Isa::four_channels`](crate::arch::Isa::four_channels).
#[inline(never)]
pub(super) fn four_channels(channels: &Channels<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
    let &Channels { records, singles, taps, first, row, ring, tap, pixel, below, step, row_step, .. } =
        channels;
    let [height, width] = channels.output;
    let count = taps[0] * taps[1];
    if count == 0 || height == 0 || width == 0 {
        return;
    }
    let (down, across) = (height - 1, width - 1);
    let [fours, alone] = channels.parts();
    let (record, single) = (channels.record(), channels.single());
    let reach = (taps[1] - 1) * tap + down * below + across * pixel + channels.channels;
    let mut there = rows.len() >= ring
        && ring >= row
        && table.len() >= 4 * count.next_multiple_of(2)
        && records.len() >= fours * record
        && singles.len() >= alone * single
        && y.len() >= down * row_step + across * step + channels.channels;
    if !there {
        return;
    }
    // Where taps lie; twice that of the last of an odd number.
    let (mut at, mut to) = (first, table.as_mut_ptr().cast::<u32>());
    let mut begins = [0; 3];
    for i in 0..taps[0] {
        if let Some(begin) = begins.get_mut(i) {
            *begin = at;
        }
        there &= at + reach <= ring;
        let mut place = at;
        for _ in 0..taps[1] {
            // SAFETY: the table has a word for each tap.
            unsafe {
                to.write_unaligned(place as u32);
                to = to.add(1);
            }
            place += tap;
        }
        at += row;
        if at >= ring {
            at -= ring;
        }
    }
    if count % 2 == 1 {
        // SAFETY: and for one more where their number is odd.
        unsafe { to.write_unaligned(first as u32) }
    }
    if !there {
        return;
    }
    let (x, table, y) = (rows.as_ptr() as usize, table.as_ptr() as usize, y.as_mut_ptr() as usize);
    let zero = i32::from(channels.zero) as usize;
    let pairs = count / 2;
    let skip = if count == 9 { 0 } else { pairs.div_ceil(TURN).max(1) * TURN - pairs };
    let whole = channels.channels / 4;
    let (next, next_y) = (below.wrapping_sub(width * pixel), row_step.wrapping_sub(width * step));
    let mut words = [
        table.wrapping_sub(8 * skip),
        16usize.wrapping_sub(16 * skip),
        skip,
        table + 8 * pairs,
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
        next_y.wrapping_sub(next),
    ];
    words[15] = words.as_ptr() as usize;
    let mut whole = whole;
    while fours > 0 {
        // SAFETY: records, rows and outputs are as long as the functions read and write for these channels.
        unsafe { if count == 9 { nine(&mut words) } else { any(&mut words) } }
        if whole == fours {
            break;
        }
        // Once more, for the last four channels.
        (words[8], words[14], words[9]) = (words[14], words[14] + record, pixel.wrapping_sub(4));
        (words[12], words[16]) = (x + channels.four(whole), height);
        whole = fours;
    }
    let (next, next_y) = (below.wrapping_sub(width * pixel), row_step.wrapping_sub(width * step));
    for i in 0..alone {
        let last = channels.channels - alone + i;
        let record = singles.as_ptr() as usize + i * single;
        let (x, y) = (x + last, y + last);
        if taps == [3, 3] {
            let words = [
                x + begins[0],
                x + begins[1],
                x + begins[2],
                tap,
                y,
                step,
                pixel,
                record,
                width,
                height,
                next,
                next_y,
                zero,
                0,
                0,
                0,
            ];
            // SAFETY: as before, for one channel.
            unsafe { one_of_nine(&words) }
            continue;
        }
        let pairs = count.div_ceil(2);
        let skip = pairs.div_ceil(TURN) * TURN - pairs;
        let (places, behind) = (table.wrapping_sub(8 * skip), table + 8 * pairs);
        let taps = (record + 12).wrapping_sub(4 * skip);
        let words =
            [x, y, places, taps, behind, skip, record, zero, pixel, step, width, height, next, next_y, 0, 0];
        // SAFETY: as before, for one channel.
        unsafe { one(&words) }
    }
}

/// A function that computes four channels at a time. Slots: 0 places of taps, set back by what the first turn leaves out, 1
/// bytes from a record to the taps, set back likewise, 2 pairs of taps left out, then where the turn is entered, 3 end of the
/// pairs' places, 4 whether there is one tap more, 5 zero point, 6 bytes from an element to the output of its channel, 8
/// records, 9 bytes from behind the channels of a window to the next, 10 bytes by which slot 6 grows from
/// there to there, 11 windows of the row left, 12 first window, 14 end of the records, 15 where all these words lie. Words
/// beyond: 16 rows left, 17 windows of a row, 18 and 19 as slots 9 and 10, from behind a row.
///
/// `r0` is the record, `r1` the window, `r4` to `r7` are the sums. `$sum` adds the products; then the factors lie `$at`
/// bytes behind `r0`.
macro_rules! by_four {
    ([$($begin:expr),*], [$($sum:expr),*], $at:literal) => {
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
            take!("r10", 5),
            concat!("ldr r8, [r0, #", $at, "]"),
            concat!("ldr r9, [r0, #", $at, "+4]"),
            concat!("ldr r11, [r0, #", $at, "+8]"),
            concat!("ldr r12, [r0, #", $at, "+12]"),
            "smmlar r4, r4, r8, r4",
            "smmlar r5, r5, r9, r5",
            "smmlar r6, r6, r11, r6",
            "smmlar r7, r7, r12, r7",
            concat!("ldr r8, [r0, #", $at, "+16]"),
            concat!("ldr r9, [r0, #", $at, "+20]"),
            concat!("ldr r11, [r0, #", $at, "+24]"),
            concat!("ldr r12, [r0, #", $at, "+28]"),
            "add r4, r4, r4, asr #31",
            "add r5, r5, r5, asr #31",
            "add r6, r6, r6, asr #31",
            "add r7, r7, r7, asr #31",
            "smmlar r4, r4, r8, r10",
            "smmlar r5, r5, r9, r10",
            "smmlar r6, r6, r11, r10",
            "smmlar r7, r7, r12, r10",
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
            "add r2, #64",
            "add r0, #128",
            "cmp r2, r3",
            "bne 5b",
            take!("r3", 4),
            "cbz r3, 6f",
            tap!(0, 0),
            "add r0, #8",
            "6:"
        ],
        0
    )
}

/// Nine taps.
///
/// # Safety
/// As [`any`].
#[unsafe(naked)]
unsafe extern "C" fn nine(words: &mut [usize; 20]) {
    by_four!([take!("r2", 0)], [pair!(0, 16), pair!(1, 16), pair!(2, 16), pair!(3, 16), tap!(32, 80)], 88)
}

/// A pair of taps of one channel: 8 cycles, 28 bytes of code.
macro_rules! single {
    ($at:literal) => {
        concat!(
            "ldr.w r8, [r2, #8*",
            $at,
            "]\n",
            "ldr.w r9, [r2, #8*",
            $at,
            "+4]\n",
            "ldr.w r10, [r0, #4*",
            $at,
            "]\n",
            "ldrsb.w r8, [r8, r1]\n",
            "ldrsb.w r9, [r9, r1]\n",
            "pkhbt r8, r8, r9, lsl #16\n",
            "smlad r4, r8, r10, r4\n",
        )
    };
}

/// One channel. Slots: 0 first window, 1 first output, 2 places of taps and 3 taps, both set back by what the first turn
/// leaves out, 4 end of the places, 5 pairs of taps left out, then where the turn is entered, 6 record, 7 zero point, 8 bytes
/// from a window to the next, 9 from an output to the next, 10 windows of a row, 11 rows
/// left, 12 and 13 bytes from behind a row to the next window and output.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn one(words: &[usize; 16]) {
    naked_asm!(
        enter!(),
        take!("r8", 5),
        "adr.w r9, 5f",
        "rsb r8, r8, r8, lsl #3",
        "add r9, r9, r8, lsl #2",
        "add r9, r9, #1",
        keep!(5, "r9"),
        take!("r3", 6),
        "ldr r5, [r3]",
        "ldr r6, [r3, #4]",
        "ldr r7, [r3, #8]",
        take!("r1", 0),
        take!("lr", 4),
        take!("r12", 1),
        "8:",
        take!("r11", 10),
        "1:",
        take!("r2", 2),
        take!("r0", 3),
        take!("r8", 5),
        "mov r4, r5",
        "bx r8",
        ".p2align 2",
        "5:",
        single!(0),
        single!(1),
        single!(2),
        single!(3),
        single!(4),
        single!(5),
        single!(6),
        single!(7),
        "add r2, #64",
        "add r0, #32",
        "cmp r2, lr",
        "bne 5b",
        "mov r8, r6",
        "mov r9, r7",
        take!("r10", 7),
        narrow!("r4"),
        take!("r8", 8),
        take!("r9", 9),
        "strb r4, [r12]",
        "add r1, r1, r8",
        "add r12, r12, r9",
        "subs r11, #1",
        "bne 1b",
        take!("r8", 11),
        take!("r9", 12),
        take!("r10", 13),
        "subs r8, #1",
        "add r1, r1, r9",
        "add r12, r12, r10",
        keep!(11, "r8"),
        "bne 8b",
        leave!(),
    )
}

/// Three taps of a row, whose words are `$a` and `$b`.
macro_rules! three_of_one {
    ($row:literal, $first:literal, $a:literal, $second:literal, $b:literal, $third:literal, $c:literal) => {
        concat!(
            "ldrsb r10, [",
            $row,
            "]\n",
            "ldrsb r11, [",
            $row,
            ", r3]\n",
            "ldrsb r12, [",
            $row,
            ", r3, lsl #1]\n",
            $first,
            " r9, r10, ",
            $a,
            ", r9\n",
            $second,
            " r9, r11, ",
            $b,
            ", r9\n",
            $third,
            " r9, r12, ",
            $c,
            ", r9\n",
        )
    };
}

/// One channel of a 3x3 kernel, whose taps stay in registers: 42 cycles an output. Slots: 0 to 2 rows of the first window, 3 bytes
/// from a tap to the next, 4 first output, 5 bytes from an output to the next, 6 from a window to the next, 7 record, then windows
/// of the row left, 8 windows of a row, 9 rows left, 10 and 11 bytes from behind a row to the next window and output, 12 zero point,
/// 13 bias, 14 and 15 factor.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn one_of_nine(words: &[usize; 16]) {
    naked_asm!(
        enter!(),
        take!("r9", 7),
        "ldr r10, [r9]",
        "ldr r11, [r9, #4]",
        "ldr r12, [r9, #8]",
        "ldr r4, [r9, #12]",
        "ldr r5, [r9, #16]",
        "ldr r6, [r9, #20]",
        "ldr r7, [r9, #24]",
        "ldr r8, [r9, #28]",
        keep!(13, "r10"),
        keep!(14, "r11"),
        keep!(15, "r12"),
        take!("r0", 0),
        take!("r1", 1),
        take!("r2", 2),
        take!("r3", 3),
        take!("lr", 4),
        "8:",
        take!("r12", 8),
        keep!(7, "r12"),
        "1:",
        take!("r9", 13),
        three_of_one!("r0", "smlabb", "r4", "smlabt", "r4", "smlabb", "r5"),
        three_of_one!("r1", "smlabt", "r5", "smlabb", "r6", "smlabt", "r6"),
        three_of_one!("r2", "smlabb", "r7", "smlabt", "r7", "smlabb", "r8"),
        take!("r10", 14),
        take!("r11", 15),
        take!("r12", 12),
        "smmlar r9, r9, r10, r9",
        "add r9, r9, r9, asr #31",
        "smmlar r9, r9, r11, r12",
        take!("r10", 6),
        take!("r11", 5),
        take!("r12", 7),
        "ssat r9, #8, r9",
        "strb r9, [lr]",
        "add r0, r0, r10",
        "add r1, r1, r10",
        "add r2, r2, r10",
        "add lr, lr, r11",
        "subs r12, #1",
        keep!(7, "r12"),
        "bne 1b",
        take!("r10", 10),
        take!("r11", 11),
        take!("r12", 9),
        "add r0, r0, r10",
        "add r1, r1, r10",
        "add r2, r2, r10",
        "add lr, lr, r11",
        "subs r12, #1",
        keep!(9, "r12"),
        "bne 8b",
        leave!(),
    )
}
