//! Depthwise convolution of one channel by itself, over rows of int8: what fours of channels leave. Two taps, loaded byte by
//! byte, meet in a word, 8 cycles for two products; those of a 3x3 kernel stay in registers.

use super::channels::begins;
use super::frame::{enter, keep, leave, narrow, take};
use crate::arch::packed::Channels;
use crate::ir::FourChannels;
use core::arch::naked_asm;

/// Pairs of taps in a turn.
const TURN: usize = 8;

/// See [`Isa::single_channels`](crate::arch::Isa::single_channels).
#[inline(always)]
pub(super) fn single_channels(channels: &Channels<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
    if channels.taps != [3, 3] || !nines(channels, rows, y) {
        others(channels, rows, table, y);
    }
}

/// All windows of 3x3 taps, where none goes round the ring; else `false`. Where columns are neighbours, words hold the taps of a
/// row of one channel, if there is a byte more behind the last one, or the first two of both channels.
#[inline(never)]
fn nines(channels: &Channels<'_>, rows: &[i8], y: &mut [i8]) -> bool {
    let &Channels { singles, single, first, row, tap, pixel, below, step, row_step, .. } = channels;
    let [height, width] = channels.output;
    let [_, count] = FourChannels::parts(channels.channels);
    let (down, across) = (height.wrapping_sub(1), width.wrapping_sub(1));
    let reach = first + 2 * (row + tap) + down * below + across * pixel + channels.channels;
    let there = height > 0
        && width > 0
        && channels.ring >= reach
        && rows.len() >= channels.ring
        && singles.len() >= count * single
        && single >= 32
        && y.len() >= down * row_step + across * step + channels.channels;
    if !there {
        return false;
    }
    let from = channels.channels - count;
    let (x, y) = (rows.as_ptr() as usize + first + from, y.as_mut_ptr() as usize + from);
    let (record, zero) = (singles.as_ptr() as usize, i32::from(channels.zero) as usize);
    // So many windows of each row, the first of them further on.
    let part = |from: usize, windows: usize| {
        let (behind, behind_y) = (windows * pixel, windows * step);
        let (next, next_y) = (below.wrapping_sub(behind), row_step.wrapping_sub(behind_y));
        let (x, y) = (x + from * pixel, y + from * step);
        [x, row, y, record, pixel, behind, height, next, next_y, zero, 0, 0, 0, 0, 0, 0]
    };
    if (count, tap, step) == (1, 1, 1) && width > 1 && rows.len() > reach {
        // SAFETY: record, windows and outputs are as long as the function reads and writes.
        unsafe { pairs_of_nine(&part(0, width & !1)) }
        if width % 2 == 1 {
            // SAFETY: likewise; a last output by itself has the one before made once more.
            unsafe { pairs_of_nine(&part(width - 2, 2)) }
        }
    } else if (count, tap, step) == (2, 2, 2) && single == 32 {
        // SAFETY: likewise, for the records of two channels.
        unsafe { two_of_nine(&part(0, width)) }
    } else {
        for i in 0..count {
            let place = Place { x: x + i, y: y + i, record: record + i * single };
            // SAFETY: as before, for one channel after another.
            unsafe { one_of_nine(&words_of_nine(channels, &place, [0, row, 2 * row])) }
        }
    }
    true
}

/// All windows, however they lie.
#[inline(never)]
fn others(channels: &Channels<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
    let &Channels { singles, single, taps, pixel, below, step, row_step, .. } = channels;
    let [height, width] = channels.output;
    let [_, count] = FourChannels::parts(channels.channels);
    let pairs = (taps[0] * taps[1]).div_ceil(2);
    if single < 12 + 4 * pairs || singles.len() < count * single {
        return;
    }
    let Some(begins) = begins(channels, rows.len(), y.len(), table) else { return };
    let from = channels.channels - count;
    let (x, y) = (rows.as_ptr() as usize + from, y.as_mut_ptr() as usize + from);
    let (record, zero) = (singles.as_ptr() as usize, i32::from(channels.zero) as usize);
    let (skip, table) = (pairs.div_ceil(TURN) * TURN - pairs, table.as_ptr() as usize);
    let (places, behind) = (table.wrapping_sub(8 * skip), table + 8 * pairs);
    let (next, next_y) = (below.wrapping_sub(width * pixel), row_step.wrapping_sub(width * step));
    for i in 0..count {
        let (x, y, record) = (x + i, y + i, record + i * single);
        if taps == [3, 3] {
            // SAFETY: record, windows and outputs are as long as the function reads and writes.
            unsafe { one_of_nine(&words_of_nine(channels, &Place { x, y, record }, begins)) }
            continue;
        }
        let taps = (record + 12).wrapping_sub(4 * skip);
        let words =
            [x, y, places, taps, behind, skip, record, zero, pixel, step, width, height, next, next_y, 0, 0];
        // SAFETY: likewise.
        unsafe { one(&words) }
    }
}

/// Addresses of a channel's elements, of its first output and of its record.
struct Place {
    x: usize,
    y: usize,
    record: usize,
}

/// What [`one_of_nine`] is told of a channel, whose rows of taps begin so many bytes behind its elements.
#[inline(always)]
fn words_of_nine(channels: &Channels<'_>, place: &Place, begins: [usize; 3]) -> [usize; 16] {
    let &Channels { tap, pixel, below, step, row_step, output: [height, width], .. } = channels;
    let &Place { x, y, record } = place;
    let [first, second, third] = begins;
    let (next, next_y) = (below.wrapping_sub(width * pixel), row_step.wrapping_sub(width * step));
    let zero = i32::from(channels.zero) as usize;
    let rows = [x + first, x + second, x + third];
    [rows[0], rows[1], rows[2], tap, y, step, pixel, record, width, height, next, next_y, zero, 0, 0, 0]
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

/// The lower three bytes of a word: the first and the third with both halves of `$outer`, the second with one of `$inner`.
macro_rules! three_of_word {
    ($sum:literal, $word:literal, $outer:literal, $multiply:literal, $inner:literal) => {
        concat!(
            "sxtb16 r3, ",
            $word,
            "\n",
            "smlad ",
            $sum,
            ", r3, ",
            $outer,
            ", ",
            $sum,
            "\n",
            "sxtb16 ",
            $word,
            ", ",
            $word,
            ", ror #8\n",
            $multiply,
            " ",
            $sum,
            ", ",
            $word,
            ", ",
            $inner,
            ", ",
            $sum,
            "\n",
        )
    };
}

/// Three rows of three neighbouring taps, a word each, of the next window: 18 cycles.
macro_rules! window_of_nine {
    ($sum:literal) => {
        concat!(
            "ldr r10, [r0]\n",
            "ldr r11, [r0, r1]\n",
            "ldr r12, [r0, r1, lsl #1]\n",
            take!("r3", 4),
            "add r0, r0, r3\n",
            three_of_word!($sum, "r10", "r4", "smlabb", "r6"),
            three_of_word!($sum, "r11", "r5", "smlabt", "r6"),
            three_of_word!($sum, "r12", "r8", "smlabt", "r7"),
        )
    };
}

/// One channel by itself of a 3x3 kernel whose columns are neighbours, two outputs a time: 57 cycles. Slots: 0 first window, 1 bytes
/// from a row of taps to the next, 2 first output, 3 record, 4 bytes from a window to the next, 5 bytes of a row's windows, 6 rows
/// left, 7 and 8 bytes from behind a row to the next window and output, 9 zero point, 10 bias, 11 and 12 factor, 13 end
/// of the row's windows.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them, and a byte behind each three taps can be read.
#[unsafe(naked)]
unsafe extern "C" fn pairs_of_nine(words: &[usize; 16]) {
    naked_asm!(
        enter!(),
        take!("r12", 3),
        "ldr r9, [r12]",
        "ldr r10, [r12, #4]",
        "ldr r11, [r12, #8]",
        "ldr r4, [r12, #12]",
        "ldr r5, [r12, #16]",
        "ldr r6, [r12, #20]",
        "ldr r7, [r12, #24]",
        "ldr r8, [r12, #28]",
        keep!(10, "r9"),
        keep!(11, "r10"),
        keep!(12, "r11"),
        // taps 0 and 2 to r4, 3 and 5 to r5, 1 and 4 to r6, 6 and 8 to r8; 7 is in the upper half of r7
        "pkhbt r9, r4, r5, lsl #16",
        "pkhtb r5, r6, r5, asr #16",
        "lsl r6, r6, #16",
        "pkhtb r6, r6, r4, asr #16",
        "mov r4, r9",
        "pkhbt r8, r7, r8, lsl #16",
        take!("r0", 0),
        take!("r1", 1),
        take!("lr", 2),
        "1:",
        take!("r12", 5),
        "add r12, r12, r0",
        keep!(13, "r12"),
        "2:",
        take!("r9", 10),
        "mov r2, r9",
        window_of_nine!("r9"),
        window_of_nine!("r2"),
        take!("r10", 11),
        take!("r11", 12),
        take!("r12", 9),
        "smmlar r9, r9, r10, r9",
        "smmlar r2, r2, r10, r2",
        "add r9, r9, r9, asr #31",
        "add r2, r2, r2, asr #31",
        "smmlar r9, r9, r11, r12",
        "smmlar r2, r2, r11, r12",
        take!("r12", 13),
        "ssat r9, #8, r9",
        "ssat r2, #8, r2",
        "strb r9, [lr]",
        "strb r2, [lr, #1]",
        "add lr, #2",
        "cmp r0, r12",
        "bne 2b",
        take!("r10", 7),
        take!("r11", 8),
        take!("r12", 6),
        "add r0, r0, r10",
        "add lr, lr, r11",
        "subs r12, #1",
        keep!(6, "r12"),
        "bne 1b",
        leave!(),
    )
}

/// The taps of a channel, whose record begins `$at` bytes behind `r12`: those of the first two columns to three registers, of the
/// third column's first two rows to slot `$third`, the last one to `$last`.
macro_rules! taps_of_two {
    ($at:literal, $first:literal, $second:literal, $third_row:literal, $last:literal, $third:literal) => {
        concat!(
            "ldr ",
            $first,
            ", [r12, #12+",
            $at,
            "]\n",
            "ldr r10, [r12, #16+",
            $at,
            "]\n",
            "ldr r11, [r12, #20+",
            $at,
            "]\n",
            "ldr ",
            $third_row,
            ", [r12, #24+",
            $at,
            "]\n",
            "ldr ",
            $last,
            ", [r12, #28+",
            $at,
            "]\n",
            "pkhbt lr, r10, r11\n",
            "lsl r11, r11, #16\n",
            "pkhtb ",
            $second,
            ", r11, r10, asr #16\n",
            keep!($third, "lr"),
        )
    };
}

/// Two taps of a row of both channels, from a word.
macro_rules! two_of_word {
    ($word:literal, $first:literal, $second:literal) => {
        concat!(
            "sxtb16 lr, ",
            $word,
            "\nsxtb16 ",
            $word,
            ", ",
            $word,
            ", ror #8\nsmlad r2, lr, ",
            $first,
            ", r2\nsmlad r3, ",
            $word,
            ", ",
            $second,
            ", r3\n",
        )
    };
}

/// Two channels of a 3x3 kernel whose columns are neighbours: 63 cycles for both outputs of a pixel. Slots as those of
/// [`pairs_of_nine`] up to 9, where slot 2 is the next output; 10 and 11 biases, 12 to 14 taps of the third column, 15 end of
/// the row's windows. `r4` to `r9` are the other taps.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them; the second record begins 32 bytes behind the
/// first.
#[unsafe(naked)]
unsafe extern "C" fn two_of_nine(words: &[usize; 16]) {
    naked_asm!(
        enter!(),
        take!("r12", 3),
        taps_of_two!(0, "r4", "r5", "r6", "r2", 12),
        taps_of_two!(32, "r7", "r8", "r9", "r3", 13),
        "pkhbt r2, r2, r3, lsl #16",
        "ldr r10, [r12]",
        "ldr r11, [r12, #32]",
        keep!(14, "r2"),
        keep!(10, "r10"),
        keep!(11, "r11"),
        take!("r0", 0),
        take!("r1", 1),
        "1:",
        take!("r12", 5),
        "add r12, r12, r0",
        keep!(15, "r12"),
        "2:",
        take!("r2", 10),
        take!("r3", 11),
        "ldr r10, [r0]",
        "ldr r11, [r0, r1]",
        "ldr r12, [r0, r1, lsl #1]",
        two_of_word!("r10", "r4", "r7"),
        two_of_word!("r11", "r5", "r8"),
        two_of_word!("r12", "r6", "r9"),
        "add lr, r0, #4",
        take!("r12", 4),
        "add r0, r0, r12",
        "ldrh r10, [lr]",
        "ldrh r11, [lr, r1]",
        "ldrh r12, [lr, r1, lsl #1]",
        "pkhbt r10, r10, r11, lsl #16",
        "sxtb16 r11, r10",
        "sxtb16 r10, r10, ror #8",
        take!("lr", 12),
        "smlad r2, r11, lr, r2",
        take!("lr", 13),
        "smlad r3, r10, lr, r3",
        "sxtb16 r11, r12",
        "sxtb16 r12, r12, ror #8",
        take!("lr", 14),
        "smlabb r2, r11, lr, r2",
        "smlabt r3, r12, lr, r3",
        take!("r12", 3),
        "ldr r10, [r12, #4]",
        "ldr r11, [r12, #36]",
        "ldr lr, [r12, #8]",
        "ldr r12, [r12, #40]",
        "smmlar r2, r2, r10, r2",
        "smmlar r3, r3, r11, r3",
        take!("r10", 9),
        "add r2, r2, r2, asr #31",
        "add r3, r3, r3, asr #31",
        "smmlar r2, r2, lr, r10",
        "smmlar r3, r3, r12, r10",
        take!("lr", 2),
        take!("r12", 15),
        "ssat r2, #8, r2",
        "ssat r3, #8, r3",
        "strb r2, [lr]",
        "strb r3, [lr, #1]",
        "add lr, #2",
        keep!(2, "lr"),
        "cmp r0, r12",
        "bne 2b",
        take!("r10", 7),
        take!("r11", 8),
        take!("r12", 6),
        "add r0, r0, r10",
        "add lr, lr, r11",
        "subs r12, #1",
        keep!(2, "lr"),
        keep!(6, "r12"),
        "bne 1b",
        leave!(),
    )
}
