//! Units four at a time for pixels two by two: sixteen elements of both serve 128 products, 16 instructions; a factor serves
//! two outputs, and what makes int8 of eight sums is 33 instructions.

use super::frame::{enter, leave};
use crate::arch::vectors::{self, Dots};
use crate::arch::{exact, first};
use crate::ir::{Requant, Vectors};
use core::arch::naked_asm;

/// Units of a quad.
const UNITS: usize = Vectors::UNITS;

/// See [`Isa::dots`](crate::arch::Isa::dots).
#[inline(never)]
pub(super) fn dots(dots: &Dots<'_>, x: &[i8], y: &mut [i8]) {
    let &Dots { units, pixels, vectors, bias_step, y_step, .. } = dots;
    let (pitch, quads) = (Vectors::ELEMENTS * vectors, units / UNITS);
    let last = |step: usize| step.saturating_mul(pixels.saturating_sub(1));
    let there = dots.weights.len() >= units.next_multiple_of(UNITS).saturating_mul(pitch)
        && dots.requant.len() >= units
        && dots.bias.len() >= last(bias_step).saturating_add(units)
        && x.len() >= pixels.saturating_mul(pitch)
        && y.len() >= last(y_step).saturating_add(units)
        && vectors > 0;
    if !there {
        return vectors::dots(dots, x, y);
    }
    let mut pixel = 0;
    while pixel < pixels {
        // A last pixel that is alone is computed twice.
        let second = usize::from(pixel + 1 < pixels);
        let words = Words {
            weights: dots.weights.as_ptr(),
            end: dots.weights.as_ptr().wrapping_add(quads * UNITS * pitch),
            x: [pixel, pixel + second].map(|pixel| x.as_ptr().wrapping_add(pixel * pitch)),
            y: [pixel, pixel + second].map(|pixel| y.as_mut_ptr().wrapping_add(pixel * y_step)),
            vectors,
            requant: dots.requant.as_ptr(),
            bias: dots.bias.as_ptr().wrapping_add(pixel * bias_step),
            zero: dots.store.zero.into(),
            second_bias: dots.bias.as_ptr().wrapping_add((pixel + second) * bias_step),
            low: dots.store.clamp.low.into(),
            high: dots.store.clamp.high.into(),
        };
        if quads > 0 {
            // SAFETY: there are so many whole quads of weights, factors, biases and outputs, and both windows.
            unsafe { asm(&words) }
        }
        let rest = quads * UNITS;
        if rest < units {
            remainder(dots, [pixel, pixel + second], rest, &words, y);
        }
        pixel += 2;
    }
}

/// The last units, fewer than four, of two pixels.
#[inline(never)]
fn remainder(dots: &Dots<'_>, pixels: [usize; 2], unit: usize, words: &Words, y: &mut [i8]) {
    let mut requant = [Requant::default(); UNITS];
    let factors = dots.requant.get(unit..dots.units).unwrap_or_default();
    requant.iter_mut().zip(factors).for_each(|(to, &factor)| *to = factor);
    let biases = pixels.map(|pixel| first(dots.bias, pixel * dots.bias_step + unit));
    let mut outputs = [[0; UNITS]; 2];
    let [y0, y1] = &mut outputs;
    let words = Words {
        weights: words.end,
        end: words.end.wrapping_add(UNITS * Vectors::ELEMENTS * dots.vectors),
        y: [y0.as_mut_ptr(), y1.as_mut_ptr()],
        requant: requant.as_ptr(),
        bias: biases[0].as_ptr(),
        second_bias: biases[1].as_ptr(),
        ..*words
    };
    // SAFETY: weights are filled up to a whole quad, and everything else lies here as one.
    unsafe { asm(&words) }
    for (pixel, outputs) in pixels.into_iter().zip(&outputs) {
        let y = y.get_mut(pixel * dots.y_step + unit..).unwrap_or_default();
        let count = dots.units - unit;
        y.iter_mut().zip(exact(outputs, 0, count).unwrap_or_default()).for_each(|(y, &value)| *y = value);
    }
}

/// What the function in assembler reads, word by word into registers `r1` to `r12` and `lr`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Words {
    weights: *const i8,
    /// Where weights end.
    end: *const i8,
    x: [*const i8; 2],
    y: [*mut i8; 2],
    vectors: usize,
    requant: *const Requant,
    bias: *const i32,
    zero: i32,
    second_bias: *const i32,
    low: i32,
    high: i32,
}

/// Products of a unit and both pixels; `$q` are the weights.
macro_rules! unit {
    ($q:literal, $first:literal, $second:literal) => {
        concat!(
            "vldrb.8 ",
            $q,
            ", [r1], #16\n",
            "vmladava.s8 ",
            $first,
            ", q0, ",
            $q,
            "\n",
            "vmladava.s8 ",
            $second,
            ", q1, ",
            $q,
            "\n",
        )
    };
}

/// Sums of the first pixel lie in `r0`, `r2`, `r4`, `r6`, those of the second in `r8`, `r10`, `r12`, `lr`; `r1`, `r3` and `r5`
/// go through weights and windows, `r7` counts vectors, `r9` and `r11` go through biases. What is left lies on the stack in
/// the order of the words.
///
/// # Safety
/// The words hold pointers to whole quads of units up to the end of the weights, one at least, and to vectors of elements,
/// one at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(words: &Words) {
    naked_asm!(
        enter!(),
        "vpush {{d10-d15}}",
        "ldm r0, {{r1-r12, lr}}",
        "push {{r1-r12, lr}}",
        "vdup.32 q5, r12", // low
        "vdup.32 q6, lr",  // high
        "vdup.32 q7, r10", // zero
        "1:",
        "ldm r9!, {{r0, r2, r4, r6}}",
        "ldm r11!, {{r8, r10, r12, lr}}",
        "ldrd r3, r5, [sp, #8]",
        "ldr r7, [sp, #24]",
        "2:",
        "vldrb.8 q0, [r3], #16",
        "vldrb.8 q1, [r5], #16",
        unit!("q2", "r0", "r8"),
        unit!("q3", "r2", "r10"),
        unit!("q2", "r4", "r12"),
        unit!("q3", "r6", "lr"),
        "subs r7, #1",
        "bne 2b",
        "vmov d0, r0, r2",
        "vmov d1, r4, r6",
        "vmov d2, r8, r10",
        "vmov d3, r12, lr",
        "ldr r0, [sp, #28]",
        "vld20.32 {{q2, q3}}, [r0]",
        "vld21.32 {{q2, q3}}, [r0]!",
        "str r0, [sp, #28]",
        "vqrdmulh.s32 q0, q0, q2",
        "vqrdmulh.s32 q1, q1, q2",
        // Ties away from zero are ties upwards once what is negative is lowered by 1.
        "vshr.s32 q2, q0, #31",
        "vadd.i32 q0, q0, q2",
        "vshr.s32 q2, q1, #31",
        "vadd.i32 q1, q1, q2",
        "vrshl.s32 q0, q0, q3",
        "vrshl.s32 q1, q1, q3",
        "ldrd r2, r4, [sp, #16]",
        "vadd.i32 q0, q0, q7",
        "vadd.i32 q1, q1, q7",
        "vmax.s32 q0, q0, q5",
        "vmax.s32 q1, q1, q5",
        "vmin.s32 q0, q0, q6",
        "vmin.s32 q1, q1, q6",
        "ldr r0, [sp, #4]",
        "vstrb.32 q0, [r2], #4",
        "vstrb.32 q1, [r4], #4",
        "strd r2, r4, [sp, #16]",
        "cmp r1, r0",
        "bne 1b",
        "add sp, #52",
        "vpop {{d10-d15}}",
        leave!(),
    )
}
