//! Windows of pooling: four channels at a time stay in registers, 11 cycles a tap of a mean, 9 of a maximum.
//!
//! A mean divides by a multiplication: with `r = ceil(2^32 / n)` and `a` the magnitude of a sum plus half of `n`, at most
//! `128.5 n`, `(a r) >> 32` is `a / n` as long as `128.5 n^2 < 2^32`.

use crate::arch::packed::View;
use core::arch::naked_asm;

/// Most taps of a mean that a multiplication divides by.
const MOST: usize = 4096;

/// See [`Isa::max_window`](crate::arch::Isa::max_window).
#[inline(never)]
pub(super) fn max_window(y: &mut [i8], view: &View<'_>) {
    let Some(channels) = y.len().checked_div(view.pixels).filter(|&channels| view.reaches(channels)) else {
        return y.fill(i8::MIN);
    };
    // SAFETY: `x` has so many channels in every tap of every pixel, `y` in every pixel.
    unsafe {
        parts(channels, |from, count, one| {
            let mut words = words(y, view, channels, from, count, one);
            if one { max_of_one(&mut words) } else { max_of_four(&mut words) }
        });
    }
}

/// See [`Isa::mean_window`](crate::arch::Isa::mean_window). Whether there are such taps as it takes: more than one, and few
/// enough.
#[inline(never)]
pub(super) fn mean_window(y: &mut [i8], view: &View<'_>) -> bool {
    let Some(channels) = y.len().checked_div(view.pixels).filter(|&channels| view.reaches(channels)) else {
        return false;
    };
    if !(2..=MOST).contains(&(view.taps[0] * view.taps[1])) {
        return false;
    }
    // SAFETY: as above.
    unsafe {
        parts(channels, |from, count, one| {
            let mut words = words(y, view, channels, from, count, one);
            if one { mean_of_one(&mut words) } else { mean_of_four(&mut words) }
        });
    }
    true
}

/// Channels in fours, of which the last may overlap, or one by one where there are not four: from where, how many, whether
/// one by one.
#[inline(always)]
fn parts(channels: usize, mut call: impl FnMut(usize, usize, bool)) {
    if channels < 4 {
        return call(0, channels, true);
    }
    call(0, channels / 4, false);
    if !channels.is_multiple_of(4) {
        call(channels - 4, 1, false);
    }
}

/// Words: outputs, inputs, rows, columns, bytes from row to row and from column to column, channels or fours of them, of a
/// mean the factor that divides and half of the taps; pixels, and bytes from behind a pixel's channels to the next pixel's in
/// the inputs and in the outputs. There is one of everything at least.
#[inline(always)]
fn words(
    y: &mut [i8],
    view: &View<'_>,
    channels: usize,
    from: usize,
    count: usize,
    one: bool,
) -> [usize; 12] {
    let (&View { taps: [rows, columns], steps, .. }, taps) = (view, view.taps[0] * view.taps[1]);
    let factor = (u32::MAX / taps as u32).wrapping_add(1) as usize;
    let done = if one { count } else { 4 * count };
    [
        y.as_mut_ptr() as usize + from,
        view.x.as_ptr() as usize + from,
        rows,
        columns,
        steps[0],
        steps[1],
        count,
        factor,
        taps / 2,
        view.pixels,
        view.pixel_step.wrapping_sub(done),
        channels - done,
    ]
}

/// `$start` begins a maximum or a sum, `$tap` takes in the elements at `r3`, `$finish` stores at `r8`.
macro_rules! window {
    ($channels:literal, [$($start:expr),*], [$($tap:expr),*], [$($finish:expr),*]) => {
        naked_asm!(
            "push {{r4-r11, lr}}",
            "ldr r1, [r0, #4]",
            "ldr r10, [r0, #16]",
            "ldr r11, [r0, #20]",
            "10:",
            "ldr r12, [r0, #24]",
            "1:",
            $($start,)*
            "ldr r8, [r0, #8]",
            "mov r2, r1",
            "2:",
            "ldr r9, [r0, #12]",
            "mov r3, r2",
            "3:",
            $($tap,)*
            "bne 3b",
            "subs r8, #1",
            "add r2, r2, r10",
            "bne 2b",
            "ldr r8, [r0]",
            $($finish,)*
            concat!("add r8, #", $channels),
            "str r8, [r0]",
            concat!("add r1, #", $channels),
            "subs r12, #1",
            "bne 1b",
            "ldr r9, [r0, #36]",
            "ldr r2, [r0, #40]",
            "ldr r3, [r0, #44]",
            "subs r9, #1",
            "add r1, r1, r2",
            "add r8, r8, r3",
            "str r9, [r0, #36]",
            "str r8, [r0]",
            "bne 10b",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// A sum divided by the factor in `r9`, `r2` being half of the taps, rounded to nearest, ties away from zero.
macro_rules! divide {
    ($sum:literal, $at:literal) => {
        concat!(
            "eor lr, ",
            $sum,
            ", ",
            $sum,
            ", asr #31\n",
            "sub lr, lr, ",
            $sum,
            ", asr #31\n",
            "add lr, lr, r2\n",
            "umull r3, lr, lr, r9\n",
            "eor lr, lr, ",
            $sum,
            ", asr #31\n",
            "sub lr, lr, ",
            $sum,
            ", asr #31\n",
            "strb lr, [r8, #",
            $at,
            "]\n",
        )
    };
}

/// # Safety
/// The words hold what [`words`] says, and the bytes they tell of can be read and written.
#[unsafe(naked)]
unsafe extern "C" fn max_of_four(words: &mut [usize; 12]) {
    window!(
        4,
        ["ldr r4, [r1]"],
        ["ldr lr, [r3]", "add r3, r3, r11", "subs r9, #1", "ssub8 r5, r4, lr", "sel r4, r4, lr"],
        ["str r4, [r8]"]
    )
}

/// # Safety
/// As [`max_of_four`].
#[unsafe(naked)]
unsafe extern "C" fn max_of_one(words: &mut [usize; 12]) {
    window!(
        1,
        ["ldrsb r4, [r1]"],
        ["ldrsb lr, [r3]", "add r3, r3, r11", "cmp r4, lr", "it lt", "movlt r4, lr", "subs r9, #1"],
        ["strb r4, [r8]"]
    )
}

/// # Safety
/// As [`max_of_four`].
#[unsafe(naked)]
unsafe extern "C" fn mean_of_four(words: &mut [usize; 12]) {
    window!(
        4,
        ["mov r4, #0", "mov r5, #0", "mov r6, #0", "mov r7, #0"],
        [
            "ldr lr, [r3]",
            "add r3, r3, r11",
            "subs r9, #1",
            "sxtab r4, r4, lr",
            "sxtab r5, r5, lr, ror #8",
            "sxtab r6, r6, lr, ror #16",
            "sxtab r7, r7, lr, ror #24"
        ],
        [
            "ldr r9, [r0, #28]",
            "ldr r2, [r0, #32]",
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
unsafe extern "C" fn mean_of_one(words: &mut [usize; 12]) {
    window!(
        1,
        ["mov r4, #0"],
        ["ldrsb lr, [r3]", "add r3, r3, r11", "subs r9, #1", "add r4, r4, lr"],
        ["ldr r9, [r0, #28]", "ldr r2, [r0, #32]", divide!("r4", 0)]
    )
}
