//! Rows of weights times a vector, four at a time: sixteen elements serve 64 products, 10 instructions.

use super::Mve;
use super::frame::{enter, leave, narrow};
use crate::arch::{Isa, Matrix, QUAD, exact, first, run};
use core::arch::naked_asm;
use core::ops::Range;

/// See [`Isa::units`](crate::arch::Isa::units).
#[inline(never)]
pub(super) fn units(
    isa: Mve,
    matrix: &Matrix<'_>,
    units: Range<usize>,
    x: &[i8],
    bias: &[i32],
    y: &mut [i8],
) {
    let (k, from, store) = (matrix.k, units.start, matrix.store);
    let count = units.len() / QUAD;
    let end = from + count * QUAD;
    let there = matrix.weights.len() >= end * k
        && x.len() >= k
        && (matrix.requant.len() == 1 || matrix.requant.len() >= end)
        && bias.len() >= end
        && y.len() >= end;
    if there && count > 0 && k > 0 {
        // A factor for all units is read as those of a quad, again and again.
        let factors = if matrix.requant.len() == 1 {
            (matrix.shared.as_ptr() as usize, 0)
        } else {
            (matrix.requant.as_ptr() as usize + 8 * from, 8 * QUAD)
        };
        let mut words = [
            i32::from(store.zero) as usize,
            i32::from(store.clamp.low) as usize,
            i32::from(store.clamp.high) as usize,
            k,
            count,
            x.as_ptr() as usize,
            matrix.weights.as_ptr() as usize + from * k,
            factors.0,
            bias.as_ptr() as usize + 4 * from,
            y.as_mut_ptr() as usize + from,
            factors.1,
        ];
        // SAFETY: weights, factors, biases and outputs are as many as units, in fours; the vector is as long as a row.
        unsafe { whole(&mut words) }
    }
    // Fewer than four.
    let mut unit = if there { end } else { from };
    while unit < units.end {
        let Some(w) = isa.quad(matrix, unit, units.end - 1) else { return };
        let mut acc = first(bias, unit);
        dot(&mut acc, run(x, 0, k), &w, 0);
        isa.finish(matrix, unit, units.end, &acc, y);
        unit += QUAD;
    }
}

/// See [`Isa::dot`](crate::arch::Isa::dot).
#[inline(never)]
pub(super) fn dot(acc: &mut [i32; QUAD], x: &[i8], w: &[&[i8]; QUAD], from: usize) {
    let [Some(w0), Some(w1), Some(w2), Some(w3)] = w.map(|w| exact(w, from, x.len())) else { return };
    if x.is_empty() {
        return;
    }
    let rows = [w0, w1, w2, w3].map(<[i8]>::as_ptr);
    // SAFETY: the vector and the rows have as many elements, one at least.
    unsafe { one(x.as_ptr(), &rows, acc, x.len()) }
}

/// Sixteen elements at a time, the last ones fewer; the vector at `r0`, rows at `r1`, `r3`, `r5`, `r7`.
macro_rules! products {
    ($count:literal) => {
        concat!(
            "dlstp.8 lr, ",
            $count,
            "
            7:
            vldrb.8 q0, [r0], #16
            vldrb.8 q1, [r1], #16
            vmladava.s8 r4, q0, q1
            vldrb.8 q2, [r3], #16
            vmladava.s8 r6, q0, q2
            vldrb.8 q3, [r5], #16
            vmladava.s8 r8, q0, q3
            vldrb.8 q1, [r7], #16
            vmladava.s8 r10, q0, q1
            letp lr, 7b"
        )
    };
}

/// Words: zero point, least and greatest output, elements of a row, fours of rows, vector, rows, factors, biases, outputs,
/// bytes from the factors of four rows to the next.
///
/// # Safety
/// The words hold that, of the lengths that follow from them, and there is one at least of all that is counted.
#[unsafe(naked)]
unsafe extern "C" fn whole(words: &mut [usize; 11]) {
    naked_asm!(
        enter!(),
        "mov r12, r0",
        "ldr r2, [r12, #12]",
        "ldr r11, [r12, #16]",
        "ldr r1, [r12, #24]",
        "ldr r9, [r12, #32]",
        "1:",
        "ldr r0, [r12, #20]",
        "add r3, r1, r2",
        "add r5, r3, r2",
        "add r7, r5, r2",
        "push {{r7}}",
        "ldr r4, [r9]",
        "ldr r6, [r9, #4]",
        "ldr r8, [r9, #8]",
        "ldr r10, [r9, #12]",
        "add r9, #16",
        products!("r2"),
        "vmov d0, r4, r6",
        "vmov d1, r8, r10",
        "pop {{r1}}",
        "add r1, r1, r2",
        "ldr r3, [r12, #28]",
        "ldr r4, [r12, #40]",
        "add r4, r4, r3",
        "str r4, [r12, #28]",
        narrow!("q0", "r3", "r12", "r4"),
        "ldr r3, [r12, #36]",
        "vstrb.32 q0, [r3], #4",
        "str r3, [r12, #36]",
        "subs r11, #1",
        "bne 1b",
        leave!(),
    )
}

/// # Safety
/// `x` and the rows have `count` elements, one at least.
#[unsafe(naked)]
unsafe extern "C" fn one(x: *const i8, rows: &[*const i8; QUAD], acc: &mut [i32; QUAD], count: usize) {
    naked_asm!(
        enter!(),
        "mov r9, r3",
        "mov r12, r2",
        "ldr r3, [r1, #4]",
        "ldr r5, [r1, #8]",
        "ldr r7, [r1, #12]",
        "ldr r1, [r1]",
        "ldr r4, [r2]",
        "ldr r6, [r2, #4]",
        "ldr r8, [r2, #8]",
        "ldr r10, [r2, #12]",
        products!("r9"),
        "str r4, [r12]",
        "str r6, [r12, #4]",
        "str r8, [r12, #8]",
        "str r10, [r12, #12]",
        leave!(),
    )
}
