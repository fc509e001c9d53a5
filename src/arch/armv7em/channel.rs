//! Depthwise convolution of one channel by itself, over rows of int8: what fours of channels leave. Two taps, loaded byte by
//! byte, meet in a word, 8 cycles for two products; those of a 3x3 kernel stay in registers.

use super::channels::begins;
use super::frame::{enter, keep, leave, narrow, take};
use super::nines::nines;
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
pub(super) struct Place {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) record: usize,
}

/// What [`one_of_nine`] is told of a channel, whose rows of taps begin so many bytes behind its elements.
#[inline(always)]
pub(super) fn words_of_nine(channels: &Channels<'_>, place: &Place, begins: [usize; 3]) -> [usize; 16] {
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
pub(super) unsafe extern "C" fn one_of_nine(words: &[usize; 16]) {
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
