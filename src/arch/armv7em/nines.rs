//! Depthwise 3x3 over rows of int8, of channels that fours leave: words of a row hold three taps of one channel, or two of two
//! channels, where columns are neighbours; else channels go one by one.

use super::channel::{Place, one_of_nine, words_of_nine};
use super::frame::{enter, keep, leave, take};
use crate::arch::packed::Channels;
use crate::ir::FourChannels;
use core::arch::naked_asm;

/// All windows of 3x3 taps, where none goes round the ring; else `false`. Where columns are neighbours, words hold the taps of a
/// row of one channel, if there is a byte more behind the last one, or the first two of both channels.
#[inline(never)]
pub(super) fn nines(channels: &Channels<'_>, rows: &[i8], y: &mut [i8]) -> bool {
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

/// On to the next row of windows, as the slots tell; zero if that was the last one.
macro_rules! next_row {
    () => {
        concat!(
            take!("r10", 7),
            take!("r11", 8),
            take!("r12", 6),
            "add r0, r0, r10\n",
            "add lr, lr, r11\n",
            "subs r12, #1\n",
            keep!(6, "r12"),
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
        next_row!(),
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
        next_row!(),
        keep!(2, "lr"),
        "bne 1b",
        leave!(),
    )
}
