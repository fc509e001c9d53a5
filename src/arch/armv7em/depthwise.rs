//! Depthwise convolution over joined rows, channel by channel: four columns or one at a time, for any kernel.

use super::frame::{enter_wide, keep, leave_wide, narrow, take};
use super::three::three;
use crate::arch::packed::{self, Taps};
use crate::ir::Joined;
use core::arch::naked_asm;

/// Steps in a turn of the kernel's columns.
const TURN: usize = 4;

/// See [`Isa::taps`](crate::arch::Isa::taps).
#[inline(never)]
pub(super) fn taps(taps: &Taps<'_>, rows: &[&[i8]], y: &mut [i8]) {
    let &Taps { channels, columns, stride, dilation, width, .. } = taps;
    let Some(last) = channels.checked_sub(1) else { return };
    if columns == 0 || width == 0 {
        return;
    }
    let read = (width - 1) * stride + (columns - 1) * dilation + 1;
    let there = (1..=Joined::MOST).contains(&rows.len())
        && rows.iter().all(|row| row.len() >= last * taps.pitch + 4 * read)
        && taps.record >= taps.first + 4 * rows.len() * columns
        && taps.first >= 12
        && taps.records.len() >= channels * taps.record
        && y.len() > (width - 1) * taps.step + last;
    if !there {
        return packed::taps(taps, rows, y);
    }
    if let (&[upper, lower], 3, 1, 1 | 2) = (rows, columns, dilation, stride) {
        return three(taps, [upper, lower], y);
    }
    // One by one where columns of taps lie apart or outputs do; else in turns, of which there is none to a single column.
    let turning = columns > 1 && dilation == 1 && stride <= 2;
    let turns = columns.div_ceil(TURN);
    let skip = if turning { 4 * (turns * TURN - columns) } else { 0 };
    let mut places = [0; Joined::MOST];
    for (place, row) in places.iter_mut().zip(rows) {
        *place = (row.as_ptr() as usize).wrapping_sub(skip);
    }
    let first = y.as_mut_ptr() as usize;
    let part = |from: usize, chunks: usize, at_once: usize, behind: usize| {
        [
            0,
            0,
            0,
            i32::from(taps.zero) as usize,
            first + from * taps.step,
            0,
            taps.step,
            0,
            taps.records.as_ptr() as usize,
            places.as_ptr() as usize,
            places.as_ptr() as usize + 4 * rows.len(),
            skip,
            4 * turns * TURN,
            0,
            channels,
            taps.first,
            taps.record,
            chunks,
            4 * from * stride,
            4 * at_once * stride,
            taps.pitch,
            4 * stride,
            12 * stride,
            4 * dilation,
            4 * columns,
            4 * behind * stride,
            behind * taps.step,
            0,
            0,
            0,
            0,
            0,
        ]
    };
    // The last four may begin with some of the columns before, unless one column is all that is left.
    let fours = if width % 4 == 1 || width < 4 { width / 4 } else { width.div_ceil(4) };
    let rest = width.saturating_sub(4 * fours);
    if fours > 0 {
        let words = part(0, fours, 4, (4 * fours).saturating_sub(width));
        // SAFETY: records, rows and outputs are as long as the functions read and write for these columns.
        unsafe {
            match (turning, columns, stride) {
                (true, _, 1) => four_near(&words),
                (true, ..) => four_apart(&words),
                (false, 1, _) => four_of_a_column(&words),
                (false, ..) => four_anyhow(&words),
            }
        }
    }
    if rest > 0 {
        let words = part(width - rest, rest, 1, 0);
        // SAFETY: as before.
        unsafe {
            match (turning, columns) {
                (true, _) => one(&words),
                (false, 1) => one_of_a_column(&words),
                (false, _) => one_anyhow(&words),
            }
        }
    }
}

/// A function that computes some columns at a time. Slots: 0 bias, 1 and 2 factor, 3 zero point, 4 first output of the
/// channel, 5 next output, 6 bytes to the next column, 7 chunks left, 8 record, 9 and 10 first and end of the rows'
/// addresses, 11 bytes that the first turn of a row leaves out, 12 bytes of a row's turns, 13 where it is entered, 14
/// channels left, 15 place of the taps, 16 bytes of a record, 17 chunks, 18 place of the channel in the rows, 19 bytes
/// to the next chunk, 20 to the next channel; 21 and 22 bytes from a column to the next and to the fourth, 23 from a tap to
/// the next, 24 of a row's taps; 25 and 26 bytes of rows and of outputs by which the last chunk, unless it is the only one,
/// begins before the end of the one before.
///
/// `$begin` goes before everything, `$start` copies the bias to the accumulators, `$sum` adds the products to them: of the
/// taps from `r1` on, with rows whose places lie from `lr` on, `r7` bytes further on.
macro_rules! columns {
    ([$($begin:expr),*], $start:literal, [$($sum:expr),*], [$($narrow:expr),*], $store:literal) => {
        naked_asm!(
            enter_wide!(),
            $($begin,)*
            "1:",
            take!("r8", 8),
            "ldr r2, [r8]",
            "ldr r3, [r8, #4]",
            "ldr r4, [r8, #8]",
            keep!(0, "r2"),
            keep!(1, "r3"),
            keep!(2, "r4"),
            take!("r9", 4),
            keep!(5, "r9"),
            take!("r9", 17),
            keep!(7, "r9"),
            take!("r7", 18),
            "2:",
            take!("r2", 0),
            $start,
            take!("r1", 8),
            take!("r8", 15),
            "add r1, r1, r8",
            take!("lr", 9),
            $($sum,)*
            take!("r8", 1),
            take!("r9", 2),
            take!("r10", 3),
            $($narrow,)*
            take!("r0", 5),
            take!("r8", 6),
            $store,
            keep!(5, "r0"),
            take!("r8", 19),
            "add r7, r7, r8",
            take!("r8", 7),
            "subs r8, r8, #1",
            keep!(7, "r8"),
            "beq 9f",
            "cmp r8, #1",
            "bne 2b",
            take!("r8", 25),
            take!("r9", 26),
            "sub r7, r7, r8",
            "sub r0, r0, r9",
            keep!(5, "r0"),
            "b 2b",
            "9:",
            take!("r8", 8),
            take!("r9", 16),
            "add r8, r8, r9",
            keep!(8, "r8"),
            take!("r8", 4),
            "add r8, r8, #1",
            keep!(4, "r8"),
            take!("r8", 18),
            take!("r9", 20),
            "add r8, r8, r9",
            keep!(18, "r8"),
            take!("r8", 14),
            "subs r8, r8, #1",
            keep!(14, "r8"),
            "bne 1b",
            leave_wide!(),
        )
    };
}

/// [`columns`] whose taps are gone through in turns; `$scale` brings the bytes left out of the first to bytes of code.
macro_rules! in_turns {
    ($scale:literal, $start:literal, [$($step:expr),*], [$($narrow:expr),*], $store:literal) => {
        columns!(
            [
                take!("r9", 11),
                "adr r8, 5f",
                $scale,
                "add r8, r8, r9",
                "add r8, r8, #1",
                keep!(13, "r8")
            ],
            $start,
            [
                "3:",
                "ldr r0, [lr]",
                take!("r8", 11),
                take!("r12", 12),
                take!("r9", 13),
                "add lr, lr, #4",
                "add r0, r0, r7",
                "sub r1, r1, r8",
                "add r12, r12, r1",
                "bx r9",
                "5:",
                $($step,)*
                "add r1, #16",
                "add r0, #16",
                "cmp r1, r12",
                "bne 5b",
                take!("r8", 10),
                "cmp lr, r8",
                "bne 3b"
            ],
            [$($narrow),*],
            $store
        )
    };
}

/// [`columns`] four at a time.
macro_rules! by_four {
    ($columns:ident, $begin:tt, $sum:tt) => {
        $columns!(
            $begin,
            "mov r3, r2
            mov r4, r2
            mov r5, r2",
            $sum,
            [narrow!("r2"), narrow!("r3"), narrow!("r4"), narrow!("r5")],
            "strb r2, [r0]
            strb r3, [r0, r8]
            add r0, r0, r8, lsl #1
            strb r4, [r0]
            strb r5, [r0, r8]
            add r0, r0, r8, lsl #1"
        )
    };
}

/// [`columns`] one at a time.
macro_rules! by_one {
    ($columns:ident, $begin:tt, $sum:tt) => {
        $columns!(
            $begin,
            "",
            $sum,
            [narrow!("r2")],
            "strb r2, [r0]
            add r0, r0, r8"
        )
    };
}

/// One tap of two rows, for four columns so many apart: 10 cycles.
macro_rules! step_of_four {
    ($at:literal, $apart:literal) => {
        concat!(
            "ldr.w r6, [r1, #4*",
            $at,
            "]\n",
            "ldr.w r8, [r0, #4*",
            $at,
            "]\n",
            "ldr.w r9, [r0, #4*",
            $at,
            "+4*",
            $apart,
            "]\n",
            "ldr.w r10, [r0, #4*",
            $at,
            "+8*",
            $apart,
            "]\n",
            "ldr.w r11, [r0, #4*",
            $at,
            "+12*",
            $apart,
            "]\n",
            "smlad r2, r6, r8, r2\n",
            "smlad r3, r6, r9, r3\n",
            "smlad r4, r6, r10, r4\n",
            "smlad r5, r6, r11, r5\n",
        )
    };
}

/// One tap of two rows: 4 cycles.
macro_rules! step_of_one {
    ($at:literal) => {
        concat!("ldr.w r6, [r1, #4*", $at, "]\n", "ldr.w r8, [r0, #4*", $at, "]\n", "smlad r2, r6, r8, r2\n",)
    };
}

/// The tap in `r6` of the row from `r0` on, for four columns `r10` bytes apart, the fourth `r11` from the first.
macro_rules! four_products {
    () => {
        "ldr r8, [r0]
        ldr r9, [r0, r10]
        smlad r2, r6, r8, r2
        smlad r3, r6, r9, r3
        ldr r8, [r0, r10, lsl #1]
        ldr r9, [r0, r11]
        smlad r4, r6, r8, r4
        smlad r5, r6, r9, r5"
    };
}

/// Four neighbouring columns.
///
/// # Safety
/// The words hold what the slots of [`columns`] say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn four_near(words: &[usize; 32]) {
    by_four!(
        in_turns,
        "add r9, r9, r9, lsl #3", // 36 bytes of code a step of 4 bytes
        [step_of_four!(0, 1), step_of_four!(1, 1), step_of_four!(2, 1), step_of_four!(3, 1)]
    )
}

/// Four columns two apart.
///
/// # Safety
/// As [`four_near`].
#[unsafe(naked)]
unsafe extern "C" fn four_apart(words: &[usize; 32]) {
    by_four!(
        in_turns,
        "add r9, r9, r9, lsl #3",
        [step_of_four!(0, 2), step_of_four!(1, 2), step_of_four!(2, 2), step_of_four!(3, 2)]
    )
}

/// One column.
///
/// # Safety
/// As [`four_near`].
#[unsafe(naked)]
unsafe extern "C" fn one(words: &[usize; 32]) {
    by_one!(
        in_turns,
        "add r9, r9, r9, lsl #1", // 12 bytes of code a step of 4 bytes
        [step_of_one!(0), step_of_one!(1), step_of_one!(2), step_of_one!(3)]
    )
}

/// Four columns of a kernel of one column.
///
/// # Safety
/// As [`four_near`].
#[unsafe(naked)]
unsafe extern "C" fn four_of_a_column(words: &[usize; 32]) {
    by_four!(
        columns,
        [],
        [
            take!("r10", 21),
            take!("r11", 22),
            take!("r12", 10),
            "3:",
            "ldr r0, [lr]",
            "ldr r6, [r1]",
            "add lr, lr, #4",
            "add r0, r0, r7",
            "add r1, #4",
            four_products!(),
            "cmp lr, r12",
            "bne 3b"
        ]
    )
}

/// One column of such a kernel.
///
/// # Safety
/// As [`four_near`].
#[unsafe(naked)]
unsafe extern "C" fn one_of_a_column(words: &[usize; 32]) {
    by_one!(
        columns,
        [],
        [
            take!("r12", 10),
            "3:",
            "ldr r0, [lr]",
            "ldr r6, [r1]",
            "add lr, lr, #4",
            "add r1, #4",
            "ldr r8, [r0, r7]",
            "cmp lr, r12",
            "smlad r2, r6, r8, r2",
            "bne 3b"
        ]
    )
}

/// Four columns, whatever lies between them and between taps.
///
/// # Safety
/// As [`four_near`].
#[unsafe(naked)]
unsafe extern "C" fn four_anyhow(words: &[usize; 32]) {
    by_four!(
        columns,
        [],
        [
            take!("r10", 21),
            take!("r11", 22),
            "3:",
            "ldr r0, [lr]",
            take!("r12", 24),
            "add lr, lr, #4",
            "add r12, r12, r1",
            "add r0, r0, r7",
            "5:",
            "ldr r6, [r1]",
            four_products!(),
            take!("r8", 23),
            "add r1, #4",
            "cmp r1, r12",
            "add r0, r0, r8",
            "bne 5b",
            take!("r8", 10),
            "cmp lr, r8",
            "bne 3b"
        ]
    )
}

/// One column likewise.
///
/// # Safety
/// As [`four_near`].
#[unsafe(naked)]
unsafe extern "C" fn one_anyhow(words: &[usize; 32]) {
    by_one!(
        columns,
        [],
        [
            take!("r9", 23),
            "3:",
            "ldr r0, [lr]",
            take!("r12", 24),
            "add lr, lr, #4",
            "add r12, r12, r1",
            "add r0, r0, r7",
            "5:",
            "ldr r6, [r1]",
            "ldr r8, [r0]",
            "add r1, #4",
            "add r0, r0, r9",
            "smlad r2, r6, r8, r2",
            "cmp r1, r12",
            "bne 5b",
            take!("r8", 10),
            "cmp lr, r8",
            "bne 3b"
        ]
    )
}
