//! The loops that all windows over an image share: over pixels, blocks of channels, rows and columns of taps; and how a sum
//! of taps becomes their mean.
//!
//! A mean divides by a multiplication. Of a sum `s` of `n` taps let `t` be `s + n / 2 + 128 n`, less 1 where `s` is negative
//! and `n` even, so that ties go away from zero; it is not negative. With `r = ceil(2^32 / n)`, `(t r) >> 32` is `t / n`, 128
//! more than the mean, as long as `256.5 n^2 < 2^32`.

use crate::arch::pool::View;

/// Most taps of a mean that a multiplication divides by.
const MOST: usize = 4090;

/// What a sum of taps is divided by: `r`, `n / 2 + 128 n`, and -1 where `n` is even, else 0.
#[derive(Clone, Copy)]
pub(super) struct Divisor(pub(super) [usize; 3]);

impl Divisor {
    /// Where no sum is divided.
    pub(super) const NONE: Self = Self([0; 3]);

    /// Of so many taps; none of one, or of more than [`MOST`].
    #[inline(always)]
    pub(super) fn of(taps: usize) -> Option<Self> {
        let factor = u32::MAX.checked_div(taps as u32)?.wrapping_add(1);
        let even = (taps & 1).wrapping_sub(1);
        (2..=MOST).contains(&taps).then_some(Self([factor as usize, taps / 2 + 128 * taps, even]))
    }
}

/// What the loops are told, and where they count: outputs and inputs of the next four channels; rows and columns of taps, bytes from
/// row to row and from column to column; fours of channels; of a mean the divisor; pixels
/// that are left in the row, and bytes from behind a pixel's channels to the next pixel's in the inputs and in the outputs;
/// pixels in a row; rows of pixels that are left, and bytes from behind a row's pixels to the next one's likewise. There is
/// one of everything at least.
#[repr(C)]
pub(super) struct Words([usize; 17]);

impl Words {
    /// `fours` of channels from channel `from` on, into int8.
    #[inline(always)]
    pub(super) fn new(y: &mut [i8], view: &View<'_>, divisor: Divisor, from: usize, fours: usize) -> Self {
        let y = y.as_mut_ptr().wrapping_add(from);
        Self::of(y as usize, view, from, fours, 4 * fours, divisor)
    }

    /// The same into sums.
    #[inline(always)]
    pub(super) fn sums(acc: &mut [i32], view: &View<'_>, from: usize, fours: usize) -> Self {
        Self::of(acc.as_mut_ptr().wrapping_add(from) as usize, view, from, fours, 0, Divisor::NONE)
    }

    #[inline(always)]
    fn of(y: usize, view: &View<'_>, from: usize, fours: usize, done: usize, divisor: Divisor) -> Self {
        let &View { x, channels, taps, steps, pixels, pixel_steps, y_step } = view;
        let [rows, columns] = pixels;
        let [down, beside] = pixel_steps;
        Self([
            y,
            x.as_ptr().wrapping_add(from) as usize,
            taps[0],
            taps[1],
            steps[0],
            steps[1],
            fours,
            divisor.0[0],
            divisor.0[1],
            columns,
            beside.wrapping_sub(done),
            channels.wrapping_sub(done),
            columns,
            rows,
            down.wrapping_sub(columns * beside),
            y_step.wrapping_sub(columns * channels),
            divisor.0[2],
        ])
    }
}

/// `$open` and `$close` are around what is done to a pixel or to each block of its channels, which lie at `r1` and are stored
/// at `r8`: `$start` begins a maximum or a sum in the registers from `r4` on, `$tap` takes in the elements at `r3`, counts in
/// `r9` and goes back to `3`, `$finish` stores.
macro_rules! window {
    ([$($open:expr),*], [$($close:expr),*], [$($start:expr),*], [$($tap:expr),*], [$($finish:expr),*]) => {
        core::arch::naked_asm!(
            "push {{r4-r11, lr}}",
            "ldr r1, [r0, #4]",
            "ldr r10, [r0, #16]",
            "ldr r11, [r0, #20]",
            "10:",
            $($open,)*
            $($start,)*
            "ldr r8, [r0, #8]",
            "mov r2, r1",
            "2:",
            "ldr r9, [r0, #12]",
            "mov r3, r2",
            "3:",
            $($tap,)*
            "subs r8, #1",
            "add r2, r2, r10",
            "bne 2b",
            "ldr r8, [r0]",
            $($finish,)*
            $($close,)*
            "ldr r9, [r0, #36]",
            "ldr r2, [r0, #40]",
            "ldr r3, [r0, #44]",
            "subs r9, #1",
            "add r1, r1, r2",
            "add r8, r8, r3",
            "str r9, [r0, #36]",
            "str r8, [r0]",
            "bne 10b",
            "ldr r9, [r0, #52]",
            "ldr r2, [r0, #56]",
            "ldr r3, [r0, #60]",
            "ldr r12, [r0, #48]",
            "subs r9, #1",
            "add r1, r1, r2",
            "add r8, r8, r3",
            "str r9, [r0, #52]",
            "str r12, [r0, #36]",
            "str r8, [r0]",
            "bne 10b",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// [`window`] of four channels at a time, which make so many bytes of outputs.
macro_rules! fours {
    ($y:literal, $start:tt, $tap:tt, $finish:tt) => {
        window!(
            ["ldr r12, [r0, #24]", "1:"],
            [concat!("add r8, #", $y), "str r8, [r0]", "add r1, #4", "subs r12, #1", "bne 1b"],
            $start,
            $tap,
            $finish
        )
    };
}

/// A sum divided by the factor in `r9`, rounded to nearest, ties away from zero, and stored: see [`Divisor`], whose other
/// words are in `r2` and `r3`.
macro_rules! divide {
    ($sum:literal, $at:literal) => {
        concat!(
            "and lr, r3, ",
            $sum,
            ", asr #31\n",
            "add lr, lr, ",
            $sum,
            "\n",
            "add lr, lr, r2\n",
            "umull ",
            $sum,
            ", lr, lr, r9\n",
            "sub lr, #128\n",
            "strb lr, [r8, #",
            $at,
            "]\n",
        )
    };
}

pub(super) use {divide, fours, window};
