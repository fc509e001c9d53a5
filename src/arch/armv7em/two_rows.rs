//! Depthwise 3x3 at stride 1 over joined rows, channel by channel: the taps stay in registers for two rows of outputs, two
//! columns at a time, 76 cycles for four outputs.

use super::frame::{beside, enter_beside, keep, leave_beside, take};
use crate::arch::packed::Taps;
use core::arch::naked_asm;

/// See [`Isa::two_rows`](crate::arch::Isa::two_rows).
#[inline(never)]
pub(super) fn two_rows(taps: &Taps<'_>, rows: &[i8], y: &mut [i8]) {
    let &Taps { channels, output: [height, width], pitch, step, row_step, below, .. } = taps;
    if channels == 0 || width == 0 || height == 0 {
        return;
    }
    let upper = taps.place;
    let mut lower = upper + taps.row;
    if lower >= taps.ring {
        lower = lower.wrapping_sub(taps.ring);
    }
    let reach = (height - 1) / 2 * below + (channels - 1) * pitch + 4 * (width + 2);
    let there = rows.len() >= upper + reach
        && rows.len() >= lower + reach
        && taps.record == 24
        && taps.first == 12
        && taps.records.len() >= channels * taps.record
        && y.len() >= (height - 1) * row_step + (width - 1) * step + channels;
    if !there {
        return;
    }
    let (x, pairs) = (rows.as_ptr() as usize, width / 2);
    let (behind, behind_y, down) = (8 * pairs, 2 * pairs * step, (height - 1) / 2);
    // A lower row that is none is written to the upper one, before that.
    let apart = if height > 1 { row_step } else { 0 };
    let mut words = [
        0,
        0,
        0,
        i32::from(taps.zero) as usize,
        y.as_mut_ptr() as usize,
        step,
        apart,
        0,
        height,
        x + upper,
        (2 * row_step).wrapping_sub(behind_y),
        below.wrapping_sub(behind),
        x + lower,
        0,
        0,
        behind + width % 2,
        taps.records.as_ptr() as usize,
        channels,
        1usize.wrapping_sub(2 * down * row_step + behind_y),
        pitch.wrapping_sub(down * below + behind),
        height,
        apart,
    ];
    // SAFETY: records, joined rows and outputs are as long as the function reads and writes.
    unsafe { two_rows_asm(&mut words) }
}

/// The words of a column in both joined rows.
macro_rules! column {
    ($at:literal) => {
        concat!("ldr r12, [r0, #4*", $at, "]\nldr lr, [r1, #4*", $at, "]\n")
    };
}

/// A column of taps, `$upper` those of rows 0 and 1, `$lower` of rows 1 and 2, for an output of either row.
macro_rules! tap {
    ($first:literal, $second:literal, $upper:literal, $lower:literal) => {
        concat!(
            "smlad ", $first, ", r12, ", $upper, ", ", $first, "\n", "smlabt ", $first, ", lr, ", $lower,
            ", ", $first, "\n", "smlatb ", $second, ", r12, ", $upper, ", ", $second, "\n", "smlad ",
            $second, ", lr, ", $lower, ", ", $second, "\n",
        )
    };
}

/// The bytes of a column of taps in `$lower` to the words of rows 0 and 1 and of rows 1 and 2.
macro_rules! words {
    ($upper:literal, $lower:literal) => {
        concat!(
            "sxtb16 lr, ",
            $lower,
            "\n",
            "sxtb16 ",
            $lower,
            ", ",
            $lower,
            ", ror #8\n",
            "pkhbt ",
            $upper,
            ", lr, ",
            $lower,
            ", lsl #16\n",
            "pkhbt ",
            $lower,
            ", ",
            $lower,
            ", lr\n",
        )
    };
}

/// A column of taps for the outputs of a row of two, which begin with what `$from` holds.
macro_rules! first {
    ($first:literal, $second:literal, $from:literal) => {
        concat!(
            "smlatb ",
            $second,
            ", r12, r2, ",
            $from,
            "\n",
            "smlad ",
            $first,
            ", r12, r2, ",
            $from,
            "\n",
            "smlad ",
            $second,
            ", lr, r5, ",
            $second,
            "\n",
            "smlabt ",
            $first,
            ", lr, r5, ",
            $first,
            "\n",
        )
    };
}

/// Slots: 0 bias, 1 and 2 factor, 3 zero point, 4 next outputs of the upper row, 5 bytes to the next column, 6 bytes to the lower
/// row, 7 end of the pairs of columns, 8 rows of outputs left, 9 and 12 joined rows, 10 and 11 from behind the pairs of columns
/// to the next outputs and joined rows, 15 bytes of the pairs of columns, and 1 more where there is one column more. Words beyond:
/// 16 record, 17 channels left, 18 and 19 as slots 10 and 11, from the last rows to the next channel, 20 and 21 as slots 8 and 6
/// at first. `r2` to `r7` are the taps.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn two_rows_asm(words: &mut [usize; 22]) {
    naked_asm!(
        enter_beside!(),
        take!("r0", 9),
        take!("r1", 12),
        "1:",
        beside!("lr"),
        "ldr r12, [lr, #64]",
        "ldr r8, [r12]",
        "ldr r9, [r12, #4]",
        "ldr r10, [r12, #8]",
        "ldr r5, [r12, #12]",
        "ldr r6, [r12, #16]",
        "ldr r7, [r12, #20]",
        "add r12, #24",
        "str r12, [lr, #64]",
        words!("r2", "r5"),
        words!("r3", "r6"),
        words!("r4", "r7"),
        keep!(0, "r8"),
        keep!(1, "r9"),
        keep!(2, "r10"),
        "6:",
        take!("lr", 15),
        "bics lr, lr, #1",
        "beq 3f",
        "add lr, lr, r0",
        keep!(7, "lr"),
        "2:",
        take!("r8", 0),
        "mov r9, r8",
        column!(0),
        first!("r8", "r10", "r8"),
        column!(1),
        tap!("r8", "r10", "r3", "r6"),
        first!("r9", "r11", "r9"),
        column!(2),
        tap!("r8", "r10", "r4", "r7"),
        tap!("r9", "r11", "r3", "r6"),
        column!(3),
        tap!("r9", "r11", "r4", "r7"),
        "add r0, #8",
        "add r1, #8",
        take!("lr", 1),
        "smmlar r8, r8, lr, r8",
        "smmlar r9, r9, lr, r9",
        "smmlar r10, r10, lr, r10",
        "smmlar r11, r11, lr, r11",
        take!("r12", 2),
        take!("lr", 3),
        "add r8, r8, r8, asr #31",
        "add r9, r9, r9, asr #31",
        "add r10, r10, r10, asr #31",
        "add r11, r11, r11, asr #31",
        "smmlar r8, r8, r12, lr",
        "smmlar r9, r9, r12, lr",
        "smmlar r10, r10, r12, lr",
        "smmlar r11, r11, r12, lr",
        take!("r12", 4),
        take!("lr", 6),
        "add lr, lr, r12",
        "ssat r8, #8, r8",
        "ssat r9, #8, r9",
        "ssat r10, #8, r10",
        "ssat r11, #8, r11",
        "strb r10, [lr]",
        take!("r10", 5),
        "strb r11, [lr, r10]",
        "strb r8, [r12]",
        "strb r9, [r12, r10]",
        "add r12, r12, r10, lsl #1",
        keep!(4, "r12"),
        take!("r12", 7),
        "cmp r0, r12",
        "bne 2b",
        "3:",
        take!("r12", 15),
        "tst r12, #1",
        "beq 4f",
        take!("r8", 0),
        column!(0),
        first!("r8", "r10", "r8"),
        column!(1),
        tap!("r8", "r10", "r3", "r6"),
        column!(2),
        tap!("r8", "r10", "r4", "r7"),
        take!("lr", 1),
        take!("r12", 2),
        take!("r9", 3),
        "smmlar r8, r8, lr, r8",
        "smmlar r10, r10, lr, r10",
        "add r8, r8, r8, asr #31",
        "add r10, r10, r10, asr #31",
        "smmlar r8, r8, r12, r9",
        "smmlar r10, r10, r12, r9",
        take!("r12", 4),
        take!("r9", 6),
        "add r9, r9, r12",
        "ssat r8, #8, r8",
        "ssat r10, #8, r10",
        "strb r10, [r9]",
        "strb r8, [r12]",
        "4:",
        take!("r11", 8),
        take!("r8", 4),
        take!("r10", 10),
        take!("r12", 11),
        "subs r11, #2",
        "ble 5f",
        "add r8, r8, r10",
        "add r0, r0, r12",
        "add r1, r1, r12",
        keep!(4, "r8"),
        keep!(8, "r11"),
        "cmp r11, #1",
        "bne 6b",
        "mov r11, #0",
        keep!(6, "r11"),
        "b 6b",
        "5:",
        beside!("lr"),
        "ldr r11, [lr, #68]",
        "ldr r10, [lr, #72]",
        "ldr r12, [lr, #76]",
        "ldr r9, [lr, #80]",
        "add r8, r8, r10",
        "ldr r10, [lr, #84]",
        "add r0, r0, r12",
        "add r1, r1, r12",
        keep!(4, "r8"),
        keep!(8, "r9"),
        keep!(6, "r10"),
        "subs r11, #1",
        "str r11, [lr, #68]",
        "bne 1b",
        leave_beside!(),
    )
}
