//! Depthwise 3x3 at stride 1 over joined rows, channel by channel: the taps stay in registers for two rows of outputs, two
//! columns at a time, 74 cycles for four outputs.

use super::frame::{enter, keep, leave, take};
use crate::arch::packed::Taps;
use core::arch::naked_asm;

/// See [`Isa::two_rows`](crate::arch::Isa::two_rows).
#[inline(never)]
pub(super) fn two_rows(taps: &Taps<'_>, rows: &[i8], y: &mut [i8]) {
    let &Taps { output: [height, width], pitch, step, row_step, .. } = taps;
    let counts = [taps.channels, width, height].map(|count| count.checked_sub(1));
    let [Some(last), Some(across), Some(down)] = counts else { return };
    let mut place = [taps.place, taps.place + taps.row];
    if place[1] >= taps.ring {
        place[1] = place[1].wrapping_sub(taps.ring);
    }
    let reach = down / 2 * taps.below + last * pitch + 4 * (width + 2);
    let there = place.iter().all(|place| rows.len() >= place + reach)
        && taps.record == 24
        && taps.first == 12
        && taps.records.len() >= taps.channels * taps.record
        && y.len() > down * row_step + across * step + last;
    if !there {
        return;
    }
    let (x, y) = (place.map(|place| rows.as_ptr() as usize + place), y.as_mut_ptr() as usize);
    let columns = width / 2;
    // A last row by itself is written twice.
    for (pairs, from, lower) in [(height / 2, 0, row_step), (height % 2, height / 2, 0)] {
        let (Some(more), down) = (pairs.checked_sub(1), from * taps.below) else { continue };
        let y = y + 2 * from * row_step;
        let mut words = [
            0,
            0,
            0,
            i32::from(taps.zero) as usize,
            y,
            step,
            y + lower,
            0,
            0,
            (2 * row_step).wrapping_sub(columns * 2 * step),
            x[0] + down,
            x[1] + down,
            taps.below.wrapping_sub(8 * columns),
            taps.records.as_ptr() as usize,
            taps.channels,
            8 * columns + width % 2,
            pairs,
            pairs,
            1usize.wrapping_sub(2 * more * row_step + columns * 2 * step),
            pitch.wrapping_sub(more * taps.below + 8 * columns),
        ];
        words[8] = words.as_ptr() as usize;
        // SAFETY: records, joined rows and outputs are as long as the function reads and writes.
        unsafe { two_rows_asm(&mut words) }
    }
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

/// Slots: 0 bias, 1 and 2 factor, 3 zero point, 4 and 6 next outputs, 5 bytes to the next column, 7 end of the pairs of
/// columns, 8 where all these words lie, 9 bytes from behind the pairs to the next rows' outputs, 10 and 11 joined rows, 12
/// bytes from behind the pairs to the next rows, 13 record, 14 channels left, 15 bytes of the pairs, and 1 more where there is
/// one column more. Words beyond: 16 pairs of rows left, 17 pairs of rows, 18 and 19 as slots 9 and 12, from the last rows to
/// the next channel. `r2` to `r7` are the taps.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn two_rows_asm(words: &mut [usize; 20]) {
    naked_asm!(
        enter!(),
        take!("r0", 10),
        take!("r1", 11),
        "1:",
        take!("r12", 13),
        "ldr r8, [r12]",
        "ldr r9, [r12, #4]",
        "ldr r10, [r12, #8]",
        "ldr r5, [r12, #12]",
        "ldr r6, [r12, #16]",
        "ldr r7, [r12, #20]",
        words!("r2", "r5"),
        words!("r3", "r6"),
        words!("r4", "r7"),
        keep!(0, "r8"),
        keep!(1, "r9"),
        keep!(2, "r10"),
        "add r12, #24",
        keep!(13, "r12"),
        "6:",
        take!("lr", 15),
        "bics lr, lr, #1",
        "beq 3f",
        "add lr, lr, r0",
        keep!(7, "lr"),
        "2:",
        take!("r8", 0),
        "mov r9, r8",
        "mov r10, r8",
        "mov r11, r8",
        column!(0),
        tap!("r8", "r10", "r2", "r5"),
        column!(1),
        tap!("r8", "r10", "r3", "r6"),
        tap!("r9", "r11", "r2", "r5"),
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
        take!("r12", 6),
        take!("lr", 5),
        "ssat r8, #8, r8",
        "ssat r9, #8, r9",
        "ssat r10, #8, r10",
        "ssat r11, #8, r11",
        // the lower row first: where there is none its outputs lie under those of the upper
        "strb r10, [r12]",
        "strb r11, [r12, lr]",
        "add r12, r12, lr, lsl #1",
        keep!(6, "r12"),
        take!("r12", 4),
        "strb r8, [r12]",
        "strb r9, [r12, lr]",
        "add r12, r12, lr, lsl #1",
        keep!(4, "r12"),
        take!("r12", 7),
        "cmp r0, r12",
        "bne 2b",
        "3:",
        take!("r12", 15),
        "tst r12, #1",
        "beq 4f",
        take!("r8", 0),
        "mov r10, r8",
        column!(0),
        tap!("r8", "r10", "r2", "r5"),
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
        "ssat r8, #8, r8",
        "ssat r10, #8, r10",
        "strb r10, [r9]",
        "strb r8, [r12]",
        "4:",
        take!("r12", 8),
        take!("r11", 9),
        take!("r10", 12),
        "ldr r9, [r12, #64]",
        take!("r8", 4),
        take!("lr", 6),
        "subs r9, #1",
        "beq 5f",
        "str r9, [r12, #64]",
        "add r8, r8, r11",
        "add lr, lr, r11",
        "add r0, r0, r10",
        "add r1, r1, r10",
        keep!(4, "r8"),
        keep!(6, "lr"),
        "b 6b",
        "5:",
        "ldr r9, [r12, #68]",
        "ldr r11, [r12, #72]",
        "ldr r10, [r12, #76]",
        "str r9, [r12, #64]",
        take!("r9", 14),
        "add r8, r8, r11",
        "add lr, lr, r11",
        "add r0, r0, r10",
        "add r1, r1, r10",
        keep!(4, "r8"),
        keep!(6, "lr"),
        "subs r9, r9, #1",
        keep!(14, "r9"),
        "bne 1b",
        leave!(),
    )
}
