//! Depthwise 3x3 at stride 1 over joined rows, channel by channel: the taps stay in registers for two rows of outputs, two
//! columns at a time, 74 cycles for four outputs.

use super::frame::{enter, keep, leave, take};
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
    let (x, y) = (rows.as_ptr() as usize, y.as_mut_ptr() as usize);
    let columns = width / 2;
    // So many pairs of rows, the first of them further on, and how far below its upper row the lower one is written.
    let run = |pairs: usize, from: usize, apart: usize| {
        let (more, down, y) = (pairs - 1, x + from * below, y + 2 * from * row_step);
        let words = [
            0,
            0,
            0,
            i32::from(taps.zero) as usize,
            y,
            step,
            y + apart,
            0,
            more << 16 | pairs,
            1usize.wrapping_sub(2 * more * row_step + columns * 2 * step),
            (2 * row_step).wrapping_sub(columns * 2 * step),
            below.wrapping_sub(8 * columns),
            pitch.wrapping_sub(more * below + 8 * columns),
            taps.records.as_ptr() as usize,
            channels,
            8 * columns + width % 2,
        ];
        // SAFETY: records, joined rows and outputs are as long as the function reads and writes.
        unsafe { two_rows_asm(&words, upper + down, lower + down) }
    };
    if height > 1 {
        run(height / 2, 0, row_step);
    }
    // A last row by itself is written twice.
    if height % 2 == 1 {
        run(1, height / 2, 0);
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

/// `upper` and `lower` are joined rows. Slots: 0 bias, 1 and 2 factor, 3 zero point, 4 and 6 next outputs, 5 bytes to the next
/// column, 7 end of the pairs of columns, 8 pairs of rows, and in its upper half those behind this one, 9 bytes from behind the
/// pairs of columns of the last rows to the next channel's outputs, 10 and 11 from behind those of other rows to the next
/// outputs and joined rows, 12 from behind those of the last rows to the next channel in joined rows, 13 record, 14 channels left, 15
/// bytes of the pairs of columns, and 1 more where there is one column more. `r2` to `r7` are the taps.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn two_rows_asm(words: &[usize; 16], upper: usize, lower: usize) {
    naked_asm!(
        enter!(),
        "mov r0, r1",
        "mov r1, r2",
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
        take!("r11", 8),
        take!("r8", 4),
        take!("r9", 6),
        "subs r11, r11, #0x10000",
        "bpl 5f",
        "add r11, r11, r11, lsl #16",
        keep!(8, "r11"),
        take!("r10", 9),
        take!("r12", 12),
        "add r8, r8, r10",
        "add r9, r9, r10",
        "add r0, r0, r12",
        "add r1, r1, r12",
        keep!(4, "r8"),
        keep!(6, "r9"),
        take!("r8", 14),
        "subs r8, r8, #1",
        keep!(14, "r8"),
        "bne 1b",
        leave!(),
        "5:",
        take!("r10", 10),
        take!("r12", 11),
        keep!(8, "r11"),
        "add r8, r8, r10",
        "add r9, r9, r10",
        "add r0, r0, r12",
        "add r1, r1, r12",
        keep!(4, "r8"),
        keep!(6, "r9"),
        "b 6b",
    )
}
