//! Depthwise convolution over joined rows, channel by channel: four columns or one at a time, for any kernel.

use super::columns::{by_four, by_one, columns, four_products, in_turns, step_of_four, step_of_one};
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
