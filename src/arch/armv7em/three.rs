//! Depthwise kernels of three columns over two joined rows, channel by channel: the taps stay in registers, two outputs at a
//! time, 48 cycles at stride 1, 51 at stride 2.

use super::frame::{enter, keep, leave, take};
use crate::arch::packed::Taps;
use core::arch::naked_asm;

/// Outputs, for kernels of three neighbouring columns and two joined rows at stride 1 or 2. The caller has held every length.
#[inline(always)]
pub(super) fn three(taps: &Taps<'_>, rows: &[i8], y: &mut [i8]) {
    let &Taps { output: [height, width], pitch, step, pixel, .. } = taps;
    let (pairs, more) = (width / 2, height.saturating_sub(1));
    let x = [0, 1].map(|i| rows.as_ptr() as usize + taps.place(i));
    let mut words = [
        0,
        0,
        0,
        i32::from(taps.zero) as usize,
        0,
        step,
        taps.first,
        0,
        taps.record.wrapping_sub(taps.first + 24),
        taps.row_step.wrapping_sub(pairs * 2 * step),
        x[0],
        x[1],
        taps.below.wrapping_sub(2 * pixel * pairs),
        taps.records.as_ptr() as usize,
        taps.channels,
        2 * pixel * pairs + width % 2,
        height,
        height,
        1usize.wrapping_sub(more * taps.row_step + pairs * 2 * step),
        pitch.wrapping_sub(more * taps.below + 2 * pixel * pairs),
        y.as_mut_ptr() as usize,
    ];
    words[4] = words.as_ptr() as usize;
    // SAFETY: records, joined rows and outputs are as long as the functions read and write.
    unsafe { if pixel == 4 { near(&mut words) } else { apart(&mut words) } }
}

/// The words of a column in both joined rows.
macro_rules! column {
    ($at:literal) => {
        concat!("ldr r12, [r0, #4*", $at, "]\nldr lr, [r1, #4*", $at, "]\n")
    };
}

/// A column of taps, those of either joined row.
macro_rules! tap {
    ($acc:literal, $upper:literal, $lower:literal) => {
        concat!(
            "smlad ", $acc, ", r12, ", $upper, ", ", $acc, "\nsmlad ", $acc, ", lr, ", $lower, ", ", $acc,
            "\n"
        )
    };
}

/// Slots: 0 bias, 1 and 2 factor, 3 zero point, 4 where all these words lie, 5 bytes to the next column, 6 place of the
/// taps in a record, 7 end of the pairs of columns, 8 bytes from behind the taps to the next record, 9 bytes from behind the
/// pairs' outputs to the next row's, 10 and 11 joined rows, 12 bytes from behind the pairs to the next row's, 13 record, 14
/// channels left, 15 bytes of the pairs, and 1 more where there is one column more. Words beyond: 16 rows left, 17 rows, 18 and
/// 19 as slots 9 and 12, from the last row to the next channel, 20 the first output. `r2` to `r7` are the taps, `r11` is the next
/// output.
///
/// `$pair` sums two outputs in `r8` and `r9`, from bytes of `$step` a row.
macro_rules! three {
    ([$($pair:expr),*], $step:literal) => {
        naked_asm!(
            enter!(),
            take!("r0", 10),
            take!("r1", 11),
            take!("r12", 4),
            "ldr r11, [r12, #80]",
            "1:",
            take!("r12", 13),
            "ldr r8, [r12]",
            "ldr r9, [r12, #4]",
            "ldr r10, [r12, #8]",
            keep!(0, "r8"),
            keep!(1, "r9"),
            keep!(2, "r10"),
            take!("lr", 6),
            "add r12, r12, lr",
            "ldr r2, [r12]",
            "ldr r3, [r12, #4]",
            "ldr r4, [r12, #8]",
            "ldr r5, [r12, #12]",
            "ldr r6, [r12, #16]",
            "ldr r7, [r12, #20]",
            take!("lr", 8),
            "add r12, #24",
            "add r12, r12, lr",
            keep!(13, "r12"),
            take!("r10", 3),
            "6:",
            take!("lr", 15),
            "bics lr, lr, #1",
            "beq 3f",
            "add lr, lr, r0",
            keep!(7, "lr"),
            "2:",
            take!("r8", 0),
            "mov r9, r8",
            $($pair,)*
            take!("lr", 1),
            concat!("add r0, #", $step),
            concat!("add r1, #", $step),
            "smmlar r8, r8, lr, r8",
            "smmlar r9, r9, lr, r9",
            take!("r12", 2),
            "add r8, r8, r8, asr #31",
            "add r9, r9, r9, asr #31",
            "smmlar r8, r8, r12, r10",
            "smmlar r9, r9, r12, r10",
            take!("lr", 5),
            "ssat r8, #8, r8",
            "ssat r9, #8, r9",
            "strb r8, [r11]",
            "strb r9, [r11, lr]",
            take!("r12", 7),
            "add r11, r11, lr, lsl #1",
            "cmp r0, r12",
            "bne 2b",
            "3:",
            take!("r12", 15),
            "tst r12, #1",
            "beq 4f",
            take!("r8", 0),
            column!(0),
            tap!("r8", "r2", "r5"),
            column!(1),
            tap!("r8", "r3", "r6"),
            column!(2),
            tap!("r8", "r4", "r7"),
            take!("lr", 1),
            take!("r12", 2),
            "smmlar r8, r8, lr, r8",
            "add r8, r8, r8, asr #31",
            "smmlar r8, r8, r12, r10",
            "ssat r8, #8, r8",
            "strb r8, [r11]",
            "4:",
            take!("lr", 4),
            take!("r9", 9),
            take!("r12", 12),
            "ldr r8, [lr, #64]",
            "subs r8, #1",
            "beq 5f",
            "str r8, [lr, #64]",
            "add r11, r11, r9",
            "add r0, r0, r12",
            "add r1, r1, r12",
            "b 6b",
            "5:",
            "ldr r8, [lr, #68]",
            "ldr r9, [lr, #72]",
            "ldr r12, [lr, #76]",
            "str r8, [lr, #64]",
            take!("r8", 14),
            "add r11, r11, r9",
            "add r0, r0, r12",
            "add r1, r1, r12",
            "subs r8, r8, #1",
            keep!(14, "r8"),
            "bne 1b",
            leave!(),
        )
    };
}

/// Neighbouring outputs.
///
/// # Safety
/// The words hold what the slots of `three` say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn near(words: &mut [usize; 21]) {
    three!(
        [
            column!(0),
            tap!("r8", "r2", "r5"),
            column!(1),
            tap!("r8", "r3", "r6"),
            tap!("r9", "r2", "r5"),
            column!(2),
            tap!("r8", "r4", "r7"),
            tap!("r9", "r3", "r6"),
            column!(3),
            tap!("r9", "r4", "r7")
        ],
        8
    )
}

/// Outputs two columns apart.
///
/// # Safety
/// As [`near`].
#[unsafe(naked)]
unsafe extern "C" fn apart(words: &mut [usize; 21]) {
    three!(
        [
            column!(0),
            tap!("r8", "r2", "r5"),
            column!(1),
            tap!("r8", "r3", "r6"),
            column!(2),
            tap!("r8", "r4", "r7"),
            tap!("r9", "r2", "r5"),
            column!(3),
            tap!("r9", "r3", "r6"),
            column!(4),
            tap!("r9", "r4", "r7")
        ],
        16
    )
}
