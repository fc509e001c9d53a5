//! Depthwise convolution over joined rows, channel by channel: four columns or one at a time, for any kernel. Where taps lie
//! tells a table, so that it makes no difference how far apart they are, nor how far outputs.

use super::frame::{enter, keep, leave, take};
use super::places::write_row;
use super::three::three;
use crate::arch::packed::Taps;
use core::arch::naked_asm;

/// Steps in a turn.
const TURN: usize = 6;

/// See [`Isa::taps`](crate::arch::Isa::taps).
#[inline(never)]
pub(super) fn taps(taps: &Taps<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
    let &Taps { taps: [joined, columns], output: [height, width], channels, pixel, step, .. } = taps;
    let count = joined * columns;
    if count == 0 || channels == 0 || width == 0 || height == 0 {
        return;
    }
    let (down, last) = (height - 1, channels - 1);
    let reach = down * taps.below + last * taps.pitch + (width - 1) * pixel + (columns - 1) * taps.tap + 4;
    let there = (0..joined).all(|i| rows.len() >= taps.place(i) + reach)
        && table.len() >= 4 * count
        && taps.record >= taps.first + 4 * count
        && taps.first >= 12
        && taps.records.len() >= channels * taps.record
        && y.len() >= down * taps.row_step + (width - 1) * step + channels;
    if !there {
        return;
    }
    if ([joined, columns], taps.tap) == ([2, 3], 4) && matches!(pixel, 4 | 8) {
        return three(taps, rows, y);
    }
    let mut to = table.as_mut_ptr().cast::<u32>();
    for i in 0..joined {
        // SAFETY: the table has a word for each tap.
        to = unsafe { write_row(to, taps.place(i), columns, taps.tap) };
    }
    let turns = count.div_ceil(TURN);
    let skip = turns * TURN - count;
    let table = table.as_ptr() as usize;
    let (x, y) = (rows.as_ptr() as usize, y.as_mut_ptr() as usize);
    // So many chunks a row of so many columns, the last of which begins some columns before the end of the one before.
    let part = |from: usize, chunks: usize, at_once: usize, back: usize| {
        [
            0,
            0,
            0,
            i32::from(taps.zero) as usize,
            0,
            step,
            skip,
            table.wrapping_sub(4 * skip),
            taps.first.wrapping_sub(4 * skip),
            table + 4 * count,
            taps.records.as_ptr() as usize,
            chunks,
            at_once * pixel,
            pixel,
            0,
            x + from * pixel,
            height,
            height,
            chunks,
            taps.below,
            taps.row_step,
            taps.pitch.wrapping_sub(down * taps.below),
            1usize.wrapping_sub(down * taps.row_step),
            y + from * step,
            channels,
            taps.record,
            back * pixel,
            back * step,
        ]
    };
    // The last four may begin with some of the columns before, unless one column is all that is left.
    let fours = if width % 4 == 1 || width < 4 { width / 4 } else { width.div_ceil(4) };
    let rest = width.saturating_sub(4 * fours);
    if fours > 0 {
        let mut words = part(0, fours, 4, (4 * fours).saturating_sub(width));
        words[14] = words.as_ptr() as usize;
        // SAFETY: records, rows and outputs are as long as the function reads and writes for these columns.
        unsafe { four(&mut words) }
    }
    if rest > 0 {
        let mut words = part(width - rest, rest, 1, 0);
        words[14] = words.as_ptr() as usize;
        // SAFETY: as before.
        unsafe { one(&mut words) }
    }
}

/// A function that computes some columns at a time. Slots: 0 bias, 1 and 2 factor, 3 zero point, 4 next output, 5 bytes to
/// the next column, 6 steps that the first turn leaves out, then where it is entered, 7 places of taps and 8 place of the taps in
/// a record, both set back by those steps, 9 end of the places, 10 record, 11 chunks left, 12 bytes to the next chunk, 13
/// to the next column, 14 where all these words lie, 15 the row's first window. Words beyond: 16 rows left, 17 rows, 18 chunks, 19
/// bytes from a row of windows to the next, 20 of outputs, 21 and 22 as these, from the last row to the next channel, 23 first
/// output of the row, 24 channels left, 25 bytes of a record; 26 and 27 bytes of windows and of outputs by which the last
/// chunk, unless it is the only one, begins before the end of the one before.
///
/// `$begin` brings the first window from `r8` to further registers and `r4` to further sums, `$store` goes from `r2` on by `r12`
/// from output to output, `$next` moves windows by `r12`.
macro_rules! columns {
    ($scale:expr, $windows:expr, $begin:expr, [$($step:expr),*], [$($store:expr),*], $next:expr) => {
        naked_asm!(
            enter!(),
            take!("r8", 6),
            "adr.w r9, 5f",
            $scale,
            "add r9, r9, r8, lsl #3",
            "add r9, r9, #1",
            keep!(6, "r9"),
            take!("r8", 14),
            "ldr r9, [r8, #92]",
            keep!(4, "r9"),
            "1:",
            take!("r12", 10),
            "ldr r0, [r12]",
            "ldr r1, [r12, #4]",
            "ldr r2, [r12, #8]",
            keep!(0, "r0"),
            keep!(1, "r1"),
            keep!(2, "r2"),
            "8:",
            take!("r8", 15),
            take!("r12", 13),
            $windows,
            "2:",
            take!("r4", 0),
            take!("r0", 8),
            take!("r1", 10),
            take!("r2", 7),
            take!("r3", 6),
            $begin,
            "add r0, r0, r1",
            "bx r3",
            ".p2align 2",
            "5:",
            $($step,)*
            take!("r1", 9),
            "add r2, #24",
            "add r0, #24",
            "cmp r2, r1",
            "bne 5b",
            take!("r0", 1),
            take!("r1", 2),
            take!("r3", 3),
            take!("r2", 4),
            take!("r12", 5),
            $($store,)*
            take!("r3", 11),
            keep!(4, "r2"),
            "subs r3, #1",
            "beq 9f",
            keep!(11, "r3"),
            take!("r12", 12),
            "cmp r3, #1",
            $next,
            "bne 2b",
            take!("r1", 14),
            "ldr r12, [r1, #104]",
            "ldr r3, [r1, #108]",
            "rsb r12, r12, #0",
            $next,
            "sub r2, r2, r3",
            keep!(4, "r2"),
            "b 2b",
            "9:",
            take!("r1", 14),
            take!("r2", 15),
            "ldr r3, [r1, #72]",
            "ldr r0, [r1, #92]",
            "ldr r12, [r1, #64]",
            keep!(11, "r3"),
            "subs r12, #1",
            "itee ne",
            "ldrne r3, [r1, #76]",
            "ldreq r3, [r1, #84]",
            "ldreq r12, [r1, #68]",
            "add r2, r2, r3",
            "ite ne",
            "ldrne r3, [r1, #80]",
            "ldreq r3, [r1, #88]",
            "str r12, [r1, #64]",
            "add r0, r0, r3",
            keep!(15, "r2"),
            "str r0, [r1, #92]",
            keep!(4, "r0"),
            "bne 8b",
            take!("r2", 10),
            "ldr r3, [r1, #100]",
            "ldr r0, [r1, #96]",
            "add r2, r2, r3",
            keep!(10, "r2"),
            "subs r0, #1",
            "str r0, [r1, #96]",
            "bne 1b",
            leave!(),
        )
    };
}

/// A word of taps for four columns: 12 cycles, 40 bytes of code.
macro_rules! of_four {
    ($at:literal) => {
        concat!(
            "ldr.w r1, [r2, #4*",
            $at,
            "]\n",
            "ldr.w r3, [r0, #4*",
            $at,
            "]\n",
            "ldr.w r12, [r1, r8]\n",
            "ldr.w lr, [r1, r9]\n",
            "smlad r4, r3, r12, r4\n",
            "smlad r5, r3, lr, r5\n",
            "ldr.w r12, [r1, r10]\n",
            "ldr.w lr, [r1, r11]\n",
            "smlad r6, r3, r12, r6\n",
            "smlad r7, r3, lr, r7\n",
        )
    };
}

/// A word of taps for one column: 5 cycles, 16 bytes of code.
macro_rules! of_one {
    ($at:literal) => {
        concat!(
            "ldr.w r1, [r2, #4*",
            $at,
            "]\n",
            "ldr.w r3, [r0, #4*",
            $at,
            "]\n",
            "ldr.w r12, [r1, r8]\n",
            "smlad r4, r3, r12, r4\n",
        )
    };
}

/// Four columns.
///
/// # Safety
/// The words hold what the slots of [`columns`] say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn four(words: &mut [usize; 28]) {
    columns!(
        "add r8, r8, r8, lsl #2",
        "add r9, r8, r12
        add r10, r9, r12
        add r11, r10, r12",
        "mov r5, r4
        mov r6, r4
        mov r7, r4",
        [of_four!(0), of_four!(1), of_four!(2), of_four!(3), of_four!(4), of_four!(5)],
        ["smmlar r4, r4, r0, r4
            smmlar r5, r5, r0, r5
            smmlar r6, r6, r0, r6
            smmlar r7, r7, r0, r7
            add r4, r4, r4, asr #31
            add r5, r5, r5, asr #31
            add r6, r6, r6, asr #31
            add r7, r7, r7, asr #31
            smmlar r4, r4, r1, r3
            smmlar r5, r5, r1, r3
            smmlar r6, r6, r1, r3
            smmlar r7, r7, r1, r3
            ssat r4, #8, r4
            ssat r5, #8, r5
            ssat r6, #8, r6
            ssat r7, #8, r7
            strb r4, [r2]
            strb r5, [r2, r12]
            add r2, r2, r12, lsl #1
            strb r6, [r2]
            strb r7, [r2, r12]
            add r2, r2, r12, lsl #1"],
        "add r8, r8, r12
        add r9, r9, r12
        add r10, r10, r12
        add r11, r11, r12"
    )
}

/// One column.
///
/// # Safety
/// As [`four`].
#[unsafe(naked)]
unsafe extern "C" fn one(words: &mut [usize; 28]) {
    columns!(
        "add r8, r8, r8",
        "",
        "",
        [of_one!(0), of_one!(1), of_one!(2), of_one!(3), of_one!(4), of_one!(5)],
        ["smmlar r4, r4, r0, r4
            add r4, r4, r4, asr #31
            smmlar r4, r4, r1, r3
            ssat r4, #8, r4
            strb r4, [r2]
            add r2, r2, r12"],
        "add r8, r8, r12"
    )
}
