//! Windows of pooling over fewer than four channels.
//!
//! Of two or three channels a tap is read as a word as well, whose other bytes count for nothing; the last tap of a row is read
//! byte by byte, for nothing need lie behind it. Of one channel see [`pixels`](super::pixels).

use super::pixels::{max_of_quads, max_of_runs, mean_of_quads, singly, sum_of_runs};
use super::window::{Divisor, Words, divide, window};
use crate::arch::pool::View;

/// See [`Isa::max_thin`](crate::arch::Isa::max_thin).
#[inline(never)]
pub(super) fn max_thin(y: &mut [i8], view: &View<'_>) {
    if !view.fits(y.len()) {
        return;
    }
    // SAFETY: the view fits; of one channel the taps of a row lie side by side.
    unsafe {
        match view.channels {
            1 => singly(y, view, Divisor::NONE, max_of_quads, |x| {
                max_of_runs(x, view.taps[0], view.taps[1], view.steps[0]) as i8
            }),
            2 => max_of_two(&mut Words::new(y, view, Divisor::NONE, 0, 0)),
            _ => max_of_three(&mut Words::new(y, view, Divisor::NONE, 0, 0)),
        }
    }
}

/// See [`Isa::mean_thin`](crate::arch::Isa::mean_thin). Whether there are such taps as a [`Divisor`] takes.
#[inline(never)]
pub(super) fn mean_thin(y: &mut [i8], view: &View<'_>) -> bool {
    let count = view.count();
    let Some(divisor) = Divisor::of(count) else { return false };
    if !view.fits(y.len()) {
        return true;
    }
    // SAFETY: the view fits; of one channel the taps of a row lie side by side.
    unsafe {
        match view.channels {
            1 => singly(y, view, divisor, mean_of_quads, |x| {
                let sum = sum_of_runs(x, view.taps[0], view.taps[1], view.steps[0]);
                crate::fixed::mean(sum, count as u32) as i8
            }),
            2 => mean_of_two(&mut Words::new(y, view, divisor, 0, 0)),
            _ => mean_of_three(&mut Words::new(y, view, divisor, 0, 0)),
        }
    }
    true
}

/// See [`Isa::sum_thin`](crate::arch::Isa::sum_thin).
#[inline(never)]
pub(super) fn sum_thin(acc: &mut [i32], x: &[i8], taps: [usize; 2], steps: [usize; 2]) {
    let view = View::one(x, acc.len(), taps, steps);
    if !view.fits(acc.len()) {
        return;
    }
    // SAFETY: the view fits; of one channel the taps of a row lie side by side.
    unsafe {
        match acc {
            [sum] => *sum = sum_of_runs(x.as_ptr(), taps[0], taps[1], steps[0]),
            [_, _] => sum_of_two(&mut Words::sums(acc, &view, 0, 0)),
            _ => sum_of_three(&mut Words::sums(acc, &view, 0, 0)),
        }
    }
}

/// Words of two or three channels but for the last tap of a row: `$word` takes in `lr`, `$last` the bytes at `r3`.
macro_rules! thin {
    ([$($start:expr),*], [$($word:expr),*], [$($last:expr),*], $finish:tt) => {
        window!(
            [],
            [],
            [$($start),*],
            [
                "subs r9, #1",
                "beq 5f",
                "4:",
                "ldr lr, [r3]",
                "add r3, r3, r11",
                $($word,)*
                "subs r9, #1",
                "bne 4b",
                "5:",
                $($last),*
            ],
            $finish
        )
    };
}

/// # Safety
/// The words hold what [`Words`] says, and the bytes they tell of can be read and written.
#[unsafe(naked)]
unsafe extern "C" fn max_of_two(words: &mut Words) {
    thin!(
        ["mov r4, #0x80808080"],
        ["ssub8 r5, r4, lr", "sel r4, r4, lr"],
        ["ldrh lr, [r3]", "ssub8 r5, r4, lr", "sel r4, r4, lr"],
        ["strh r4, [r8]"]
    )
}

/// # Safety
/// As [`max_of_two`].
#[unsafe(naked)]
unsafe extern "C" fn max_of_three(words: &mut Words) {
    thin!(
        ["mov r4, #0x80808080"],
        ["ssub8 r5, r4, lr", "sel r4, r4, lr"],
        [
            "ldrh lr, [r3]",
            "ldrb r5, [r3, #2]",
            "orr lr, lr, r5, lsl #16",
            "ssub8 r5, r4, lr",
            "sel r4, r4, lr"
        ],
        ["strh r4, [r8]", "lsr r4, #16", "strb r4, [r8, #2]"]
    )
}

/// [`thin`] windows of two channels that are summed.
macro_rules! two_sums {
    ($finish:tt) => {
        thin!(
            ["mov r4, #0", "mov r5, #0"],
            ["sxtab r4, r4, lr", "sxtab r5, r5, lr, ror #8"],
            ["ldrh lr, [r3]", "sxtab r4, r4, lr", "sxtab r5, r5, lr, ror #8"],
            $finish
        )
    };
}

/// The same of three.
macro_rules! three_sums {
    ($finish:tt) => {
        thin!(
            ["mov r4, #0", "mov r5, #0", "mov r6, #0"],
            ["sxtab r4, r4, lr", "sxtab r5, r5, lr, ror #8", "sxtab r6, r6, lr, ror #16"],
            [
                "ldrh lr, [r3]",
                "ldrsb r7, [r3, #2]",
                "sxtab r4, r4, lr",
                "sxtab r5, r5, lr, ror #8",
                "add r6, r7"
            ],
            $finish
        )
    };
}

/// # Safety
/// As [`max_of_two`].
#[unsafe(naked)]
unsafe extern "C" fn mean_of_two(words: &mut Words) {
    two_sums!([
        "ldr r9, [r0, #28]",
        "ldr r2, [r0, #32]",
        "ldr r3, [r0, #64]",
        divide!("r4", 0),
        divide!("r5", 1)
    ])
}

/// # Safety
/// As [`max_of_two`].
#[unsafe(naked)]
unsafe extern "C" fn mean_of_three(words: &mut Words) {
    three_sums!([
        "ldr r9, [r0, #28]",
        "ldr r2, [r0, #32]",
        "ldr r3, [r0, #64]",
        divide!("r4", 0),
        divide!("r5", 1),
        divide!("r6", 2)
    ])
}

/// # Safety
/// As [`max_of_two`].
#[unsafe(naked)]
unsafe extern "C" fn sum_of_two(words: &mut Words) {
    two_sums!(["str r4, [r8]", "str r5, [r8, #4]"])
}

/// # Safety
/// As [`max_of_two`].
#[unsafe(naked)]
unsafe extern "C" fn sum_of_three(words: &mut Words) {
    three_sums!(["str r4, [r8]", "str r5, [r8, #4]", "str r6, [r8, #8]"])
}
