//! Windows of pooling: four channels at a time stay in registers, 11 cycles a tap of a mean or a sum, 9 of a maximum.

use super::window::{Divisor, Words, divide, fours, window};
use crate::arch::pool::View;

/// See [`Isa::max_window`](crate::arch::Isa::max_window).
#[inline(never)]
pub(super) fn max_window(y: &mut [i8], view: &View<'_>) {
    if view.fits(y.len()) {
        parts(view.channels, |from, fours| {
            // SAFETY: the view fits.
            unsafe { max_of_four(&mut Words::new(y, view, Divisor::NONE, from, fours)) }
        });
    }
}

/// See [`Isa::mean_window`](crate::arch::Isa::mean_window). Whether there are such taps as a [`Divisor`] takes.
#[inline(never)]
pub(super) fn mean_window(y: &mut [i8], view: &View<'_>) -> bool {
    let Some(divisor) = Divisor::of(view.count()) else { return false };
    if view.fits(y.len()) {
        parts(view.channels, |from, fours| {
            // SAFETY: the view fits.
            unsafe { mean_of_four(&mut Words::new(y, view, divisor, from, fours)) }
        });
    }
    true
}

/// See [`Isa::sum_window`](crate::arch::Isa::sum_window).
#[inline(never)]
pub(super) fn sum_window(acc: &mut [i32], x: &[i8], taps: [usize; 2], steps: [usize; 2]) {
    let view = View::one(x, acc.len(), taps, steps);
    if view.fits(acc.len()) {
        // SAFETY: the view fits, with a sum for each channel.
        parts(acc.len(), |from, blocks| unsafe { sum_of_four(&mut Words::sums(acc, &view, from, blocks)) });
    }
}

/// Channels, four at least, in fours, of which the last may overlap: from where, how many fours. A loop keeps what is called
/// once in the image.
#[inline(always)]
fn parts(channels: usize, mut call: impl FnMut(usize, usize)) {
    let (mut from, mut fours) = (0, channels / 4);
    while fours > 0 {
        call(from, fours);
        from += 4 * fours;
        (from, fours) = (channels - 4, usize::from(from < channels));
    }
}

/// # Safety
/// The words hold what [`Words`] says, and the bytes they tell of can be read and written.
#[unsafe(naked)]
unsafe extern "C" fn max_of_four(words: &mut Words) {
    fours!(
        4,
        ["ldr r4, [r1]"],
        ["ldr lr, [r3]", "add r3, r3, r11", "subs r9, #1", "ssub8 r5, r4, lr", "sel r4, r4, lr", "bne 3b"],
        ["str r4, [r8]"]
    )
}

/// [`fours`] that are summed.
macro_rules! sums {
    ($y:literal, $finish:tt) => {
        fours!(
            $y,
            ["mov r4, #0", "mov r5, #0", "mov r6, #0", "mov r7, #0"],
            [
                "ldr lr, [r3]",
                "add r3, r3, r11",
                "subs r9, #1",
                "sxtab r4, r4, lr",
                "sxtab r5, r5, lr, ror #8",
                "sxtab r6, r6, lr, ror #16",
                "sxtab r7, r7, lr, ror #24",
                "bne 3b"
            ],
            $finish
        )
    };
}

/// # Safety
/// As [`max_of_four`].
#[unsafe(naked)]
unsafe extern "C" fn mean_of_four(words: &mut Words) {
    sums!(
        4,
        [
            "ldr r9, [r0, #28]",
            "ldr r2, [r0, #32]",
            "ldr r3, [r0, #64]",
            divide!("r4", 0),
            divide!("r5", 1),
            divide!("r6", 2),
            divide!("r7", 3)
        ]
    )
}

/// # Safety
/// As [`max_of_four`].
#[unsafe(naked)]
unsafe extern "C" fn sum_of_four(words: &mut Words) {
    sums!(16, ["str r4, [r8]", "str r5, [r8, #4]", "str r6, [r8, #8]", "str r7, [r8, #12]"])
}
