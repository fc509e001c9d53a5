//! Windows of pooling over one channel: four pixels are made at a time, in as many registers, about 3 cycles a tap of a mean and 5 of
//! a maximum; where there are not four, rows of taps are taken word by word.

use super::window::{Divisor, divide};
use crate::arch::pool::View;
use core::arch::naked_asm;

/// What four pixels at a time are told, and where they count: the next output and its first tap; rows of taps, taps of a row,
/// bytes from behind a row to the next one; fours of pixels; of a mean the divisor; pixels that are left in the row, bytes
/// from one to the next, those more from a row's last one to the next row's first; pixels in a row; and a place to count
/// rows of taps. There is one of everything at least.
#[repr(C)]
pub(super) struct Quads([usize; 14]);

/// The pixels of a view of one channel: four by four, of which the last may overlap, where their outputs lie side by side;
/// where there are fewer `one` makes them from where their windows begin.
///
/// # Safety
/// The view fits `y`, and its taps lie side by side in a row.
#[inline(always)]
pub(super) unsafe fn singly(
    y: &mut [i8],
    view: &View<'_>,
    divisor: Divisor,
    quads: unsafe extern "C" fn(&mut Quads),
    one: impl Fn(*const i8) -> i8,
) {
    let &View { x, taps, steps, pixels: [rows, columns], pixel_steps: [down, beside], y_step, .. } = view;
    let whole = y_step == columns;
    let (bands, pixels) = if whole { (1, rows * columns) } else { (rows, columns) };
    let Divisor([factor, half, even]) = divisor;
    for band in 0..bands {
        let x = x.as_ptr().wrapping_add(band * down);
        let y = y.get_mut(band * y_step..).unwrap_or_default();
        let mut fours = |from: usize, count: usize| {
            let (row, column) = if from < columns {
                (0, from)
            } else {
                (from.checked_div(columns).unwrap_or(0), from.checked_rem(columns).unwrap_or(0))
            };
            let mut words = Quads([
                y.as_mut_ptr().wrapping_add(from) as usize,
                x.wrapping_add(row * down + column * beside) as usize,
                taps[0],
                taps[1],
                steps[0].wrapping_sub(taps[1]),
                count,
                factor,
                half,
                even,
                columns - column,
                beside,
                down.wrapping_sub(columns * beside),
                columns,
                0,
            ]);
            // SAFETY: pixels, and windows of pixels, as those of the view.
            unsafe { quads(&mut words) }
        };
        if let Some(last) = pixels.checked_sub(4) {
            fours(0, pixels / 4);
            if !pixels.is_multiple_of(4) {
                fours(last, 1);
            }
            continue;
        }
        // Fewer than four lie in one row, or are all the pixels of one column.
        let step = if columns == 1 { down } else { beside };
        y.iter_mut().enumerate().take(pixels).for_each(|(i, y)| *y = one(x.wrapping_add(i * step)));
    }
}

/// The first tap of the next pixel.
macro_rules! lane {
    ($to:literal) => {
        concat!(
            "mov ",
            $to,
            ", r1\n",
            "add r1, r1, r8\n",
            "subs r9, #1\n",
            "itt eq\n",
            "addeq r1, r1, r10\n",
            "moveq r9, lr\n",
        )
    };
}

/// `$start` begins four maxima or sums in `r4` to `r7` and the count of rows, `$taps` takes in a row of taps, whose number
/// is in `r9`, from `r8` bytes behind the first ones in `r2`, `r3`, `r12` and `r11` on, `$row` counts a row, `$finish`
/// stores at `r8`.
macro_rules! quads {
    ([$($start:expr),*], [$($taps:expr),*], [$($row:expr),*], [$($finish:expr),*]) => {
        naked_asm!(
            "push {{r4-r11, lr}}",
            "1:",
            "ldr r1, [r0, #4]",
            "ldr r8, [r0, #40]",
            "ldr r9, [r0, #36]",
            "ldr r10, [r0, #44]",
            "ldr lr, [r0, #48]",
            // four of a row, unless that ends before
            "cmp r9, #4",
            "blo 6f",
            "mov r2, r1",
            "add r3, r1, r8",
            "add r12, r1, r8, lsl #1",
            "add r11, r12, r8",
            "add r1, r11, r8",
            "subs r9, #4",
            "itt eq",
            "addeq r1, r1, r10",
            "moveq r9, lr",
            "7:",
            "str r1, [r0, #4]",
            "str r9, [r0, #36]",
            $($start,)*
            "mov r8, #0",
            "2:",
            "ldr r9, [r0, #12]",
            $($taps,)*
            "ldr lr, [r0, #16]",
            $($row,)*
            "add r8, r8, lr",
            "bne 2b",
            "ldr r8, [r0]",
            $($finish,)*
            "ldr r9, [r0, #20]",
            "add r8, #4",
            "str r8, [r0]",
            "subs r9, #1",
            "str r9, [r0, #20]",
            "bne 1b",
            "pop {{r4-r11, pc}}",
            "6:",
            lane!("r2"),
            lane!("r3"),
            lane!("r12"),
            lane!("r11"),
            "b 7b",
        )
    };
}

/// # Safety
/// The words hold what [`Quads`] says, and the bytes they tell of can be read and written.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn max_of_quads(words: &mut Quads) {
    quads!(
        ["ldr r10, [r0, #8]", "mvn r4, #127", "mov r5, r4", "mov r6, r4", "mov r7, r4", "str r10, [r0, #52]"],
        [
            "3:",
            "ldrsb r1, [r2, r8]",
            "ldrsb lr, [r3, r8]",
            "ssub8 r10, r4, r1",
            "sel r4, r4, r1",
            "ssub8 r10, r5, lr",
            "sel r5, r5, lr",
            "ldrsb r1, [r12, r8]",
            "ldrsb lr, [r11, r8]",
            "ssub8 r10, r6, r1",
            "sel r6, r6, r1",
            "ssub8 r10, r7, lr",
            "sel r7, r7, lr",
            "add r8, #1",
            "subs r9, #1",
            "bne 3b"
        ],
        ["ldr r10, [r0, #52]", "subs r10, #1", "str r10, [r0, #52]"],
        ["strb r4, [r8]", "strb r5, [r8, #1]", "strb r6, [r8, #2]", "strb r7, [r8, #3]"]
    )
}

/// # Safety
/// As [`max_of_quads`].
#[unsafe(naked)]
pub(super) unsafe extern "C" fn mean_of_quads(words: &mut Quads) {
    quads!(
        ["ldr r10, [r0, #8]", "mov r4, #0", "mov r5, #0", "mov r6, #0", "mov r7, #0"],
        [
            // two taps a turn, then one that is left
            "subs r9, #2",
            "blo 4f",
            "3:",
            "ldrh r1, [r2, r8]",
            "ldrh lr, [r3, r8]",
            "sxtab r4, r4, r1",
            "sxtab r4, r4, r1, ror #8",
            "sxtab r5, r5, lr",
            "sxtab r5, r5, lr, ror #8",
            "ldrh r1, [r12, r8]",
            "ldrh lr, [r11, r8]",
            "sxtab r6, r6, r1",
            "sxtab r6, r6, r1, ror #8",
            "sxtab r7, r7, lr",
            "sxtab r7, r7, lr, ror #8",
            "add r8, #2",
            "subs r9, #2",
            "bhs 3b",
            "4:",
            "adds r9, #1",
            "bne 5f",
            "ldrsb r1, [r2, r8]",
            "ldrsb lr, [r3, r8]",
            "add r4, r4, r1",
            "add r5, r5, lr",
            "ldrsb r1, [r12, r8]",
            "ldrsb lr, [r11, r8]",
            "add r6, r6, r1",
            "add r7, r7, lr",
            "add r8, #1",
            "5:"
        ],
        ["subs r10, #1"],
        [
            "ldr r9, [r0, #24]",
            "ldr r2, [r0, #28]",
            "ldr r3, [r0, #32]",
            divide!("r4", 0),
            divide!("r5", 1),
            divide!("r6", 2),
            divide!("r7", 3)
        ]
    )
}

/// The greatest of `rows` runs of `len` bytes, `step` apart.
///
/// # Safety
/// They can be read; there is one of one byte at least.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn max_of_runs(x: *const i8, rows: usize, len: usize, step: usize) -> i32 {
    naked_asm!(
        "push {{r4-r6, lr}}",
        "mov r4, #0x80808080",
        "1:",
        "mov r5, r0",
        "subs r6, r2, #4",
        "blo 3f",
        "2:",
        "ldr r12, [r5], #4",
        "ssub8 lr, r4, r12",
        "sel r4, r4, r12",
        "subs r6, #4",
        "bhs 2b",
        // the last word once more, from its end on
        "add r5, r0, r2",
        "ldr r12, [r5, #-4]",
        "ssub8 lr, r4, r12",
        "sel r4, r4, r12",
        "b 5f",
        "3:",
        "adds r6, #4",
        "4:",
        "ldrb r12, [r5], #1",
        "ssub8 lr, r4, r12",
        "sel r4, r4, r12",
        "subs r6, #1",
        "bne 4b",
        "5:",
        "add r0, r3",
        "subs r1, #1",
        "bne 1b",
        "cmp r2, #4",
        "blo 6f",
        "mov r5, r4, ror #16",
        "ssub8 lr, r4, r5",
        "sel r4, r4, r5",
        "mov r5, r4, ror #8",
        "ssub8 lr, r4, r5",
        "sel r4, r4, r5",
        "6:",
        "sxtb r0, r4",
        "pop {{r4-r6, pc}}",
    )
}

/// The sum of `rows` runs of `len` bytes, `step` apart.
///
/// # Safety
/// As [`max_of_runs`].
#[unsafe(naked)]
pub(super) unsafe extern "C" fn sum_of_runs(x: *const i8, rows: usize, len: usize, step: usize) -> i32 {
    naked_asm!(
        "push {{r4-r8, lr}}",
        "mov r4, #0",
        "mov r8, #0x00010001",
        "1:",
        "mov r5, r0",
        "subs r6, r2, #4",
        "blo 3f",
        "2:",
        "ldr r12, [r5], #4",
        "sxtb16 r7, r12",
        "sxtab16 r7, r7, r12, ror #8",
        "smlad r4, r7, r8, r4",
        "subs r6, #4",
        "bhs 2b",
        "3:",
        "adds r6, #4",
        "beq 5f",
        "4:",
        "ldrsb r12, [r5], #1",
        "subs r6, #1",
        "add r4, r4, r12",
        "bne 4b",
        "5:",
        "add r0, r3",
        "subs r1, #1",
        "bne 1b",
        "mov r0, r4",
        "pop {{r4-r8, pc}}",
    )
}
