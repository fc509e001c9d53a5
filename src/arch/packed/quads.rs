//! Blocks of convolution: one to four units times pixels, two by two.

use super::{Runs, add_apart, high, narrow, narrow_two, smlad, sxtb16, word};
use crate::arch::run;
use crate::ir::Requant;

/// Quads of units, from the first one that is asked for on, for rows of neighbouring pixels.
#[derive(Clone, Copy)]
pub(crate) struct Quads<'a> {
    /// `[quad][run][pair of elements][2]` words, then those of one or two units more, `[run][pair of elements]`, or of three,
    /// `[run][pair of elements][2]`.
    pub(crate) weights: &'a [i8],
    /// `[quad][4]`, packed, then two, or of three units four.
    pub(crate) requant: &'a [Requant],
    /// Factors from one quad to the next: 4, or 0 where all have the same.
    pub(crate) requant_step: usize,
    /// `[quad][4]` of the first pixel: two sums of pairs, two of odd units; then a sum and an odd unit, or of three units as of
    /// a quad.
    pub(crate) bias: &'a [i32],
    /// Biases from one pixel to the next; 0 where all have the same.
    pub(crate) bias_step: usize,
    /// How many quads, whole ones.
    pub(crate) count: usize,
    /// How many pixels in a row.
    pub(crate) pixels: usize,
    /// Pairs of elements in a run.
    pub(crate) pairs: usize,
    /// Bytes from the beginning of a run to the first pair of pixels.
    pub(crate) x_from: usize,
    /// Bytes from a pair of pixels to the next in a run.
    pub(crate) x_step: usize,
    /// Bytes from a pixel to the next in the output.
    pub(crate) y_step: usize,
    /// Bytes from a row of pixels to the next there, and biases.
    pub(crate) row_steps: [usize; 2],
    /// Zero point of the output.
    pub(crate) zero: i8,
}

/// See [`Isa::quads`](crate::arch::Isa::quads).
pub(crate) fn quads(quads: &Quads<'_>, rows: usize, runs: Runs<'_>, y: &mut [i8]) {
    each_row(quads, rows, runs, y, |quads, runs, y| {
        each_quad(quads, y, |mut acc, weights, at| {
            for x in runs.iter() {
                acc = of_run(acc, weights, x.get(at..).unwrap_or_default(), quads.pairs);
            }
            apart(acc)
        });
    });
}

/// See [`Isa::long_quads`](crate::arch::Isa::long_quads).
pub(crate) fn long_quads(quads: &Quads<'_>, rows: usize, runs: Runs<'_>, y: &mut [i8]) {
    each_row(quads, rows, runs, y, |quads, runs, y| {
        each_quad(quads, y, |mut acc, weights, at| {
            for x in runs.iter() {
                let x = x.get(at..).unwrap_or_default();
                let [a, b, c, d] = apart(of_run([0; 4], weights, x, quads.pairs));
                acc.iter_mut().zip([a, c, b, d]).for_each(|(acc, sum)| *acc = acc.wrapping_add(sum));
            }
            let [a, c, b, d] = acc;
            [a, b, c, d]
        });
    });
}

/// Each row with its runs and outputs.
#[inline(always)]
fn each_row<'a>(
    quads: &Quads<'a>,
    rows: usize,
    runs: Runs<'_>,
    y: &mut [i8],
    row: impl Fn(&Quads<'a>, Runs<'_>, &mut [i8]),
) {
    let [y_row, bias_row] = quads.row_steps;
    let each = runs.begins.len().checked_div(rows).unwrap_or(0);
    for i in 0..if each == 0 { 0 } else { rows } {
        let bias = quads.bias.get(i * bias_row..).unwrap_or_default();
        let begins = run(runs.begins, i * each, each);
        row(&Quads { bias, ..*quads }, Runs { begins, ..runs }, y.get_mut(i * y_row..).unwrap_or_default());
    }
}

/// Weights word by word, two a time.
type Words<'a> = core::slice::Iter<'a, [i8; 8]>;

/// Outputs of each quad of each pixel of sums that begin with its biases and read on in its weights, told where the pixel lies
/// in a run.
#[inline(always)]
fn each_quad<'a>(
    quads: &Quads<'a>,
    y: &mut [i8],
    sums: impl Fn([i32; 4], &mut Words<'a>, usize) -> [i32; 4],
) {
    for pixel in 0..quads.pixels {
        let at = quads.x_from + pixel / 2 * quads.x_step + pixel % 2 * 4;
        let mut weights = quads.weights.as_chunks::<8>().0.iter();
        let bias = run(quads.bias, pixel * quads.bias_step, 4 * quads.count).as_chunks::<4>().0;
        let y = y.get_mut(pixel * quads.y_step..).unwrap_or_default().as_chunks_mut::<4>().0;
        for (i, (y, bias)) in y.iter_mut().zip(bias).enumerate() {
            let requant = run(quads.requant, i * quads.requant_step, 4);
            let acc = sums(*bias, &mut weights, at);
            for ((y, acc), &requant) in y.iter_mut().zip(acc).zip(requant) {
                *y = narrow(acc, requant, quads.zero);
            }
        }
    }
}

/// Sums of two pairs of units and of two odd units with the products of a pixel's elements added.
#[inline(always)]
fn of_run(mut acc: [i32; 4], weights: &mut Words<'_>, x: &[i8], pairs: usize) -> [i32; 4] {
    for (i, w) in (0..pairs).zip(weights) {
        let (x, w01, w23) = (word(x, 8 * i), word(w, 0), word(w, 4));
        acc[0] = smlad(w01, x, acc[0]);
        acc[1] = smlad(w23, x, acc[1]);
        acc[2] = smlad(sxtb16(w01), x, acc[2]);
        acc[3] = smlad(sxtb16(w23), x, acc[3]);
    }
    acc
}

/// Such sums, unit by unit.
#[inline(always)]
fn apart([s01, s23, s1, s3]: [i32; 4]) -> [i32; 4] {
    [high(s01, s1), s1, high(s23, s3), s3]
}

/// See [`Isa::half_quads`](crate::arch::Isa::half_quads).
pub(crate) fn half_quads(quads: &Quads<'_>, units: usize, rows: usize, runs: Runs<'_>, y: &mut [i8]) {
    each_row(quads, rows, runs, y, |quads, runs, y| {
        each_half_quad(quads, (units, runs.begins.len()), y, |mut acc, weights, at| {
            for x in runs.iter() {
                let x = x.get(at..).unwrap_or_default();
                acc = half_of_run(acc, units, weights, x, quads.pairs);
            }
            [high(acc[0], acc[1]), acc[1], acc[2]]
        });
    });
}

/// See [`Isa::long_half_quads`](crate::arch::Isa::long_half_quads).
pub(crate) fn long_half_quads(quads: &Quads<'_>, units: usize, rows: usize, runs: Runs<'_>, y: &mut [i8]) {
    each_row(quads, rows, runs, y, |quads, runs, y| {
        each_half_quad(quads, (units, runs.begins.len()), y, |[first, second, last], weights, at| {
            let (mut acc, mut last) = ([first, second], last);
            for x in runs.iter() {
                let x = x.get(at..).unwrap_or_default();
                let [sum, odd, third] = half_of_run([0, 0, last], units, weights, x, quads.pairs);
                (acc, last) = (add_apart(acc, [sum, odd]), third);
            }
            [acc[0], acc[1], last]
        });
    });
}

/// Weights of two elements and one to three units.
type Rests<'a> = core::slice::ChunksExact<'a, i8>;

/// Outputs of one to three units of each pixel, of sums that begin with their biases, as those of a pair and of one more, and
/// read on in their weights, told where the pixel lies in a run.
#[inline(always)]
fn each_half_quad<'a>(
    quads: &Quads<'a>,
    (units, runs): (usize, usize),
    y: &mut [i8],
    sums: impl Fn([i32; 3], &mut Rests<'a>, usize) -> [i32; 3],
) {
    let (whole, before) = (4 * quads.count, 8 * quads.count * quads.pairs * runs);
    let factors = quads.requant.get(quads.count * quads.requant_step..).unwrap_or_default();
    let twos = units.div_ceil(2);
    for pixel in 0..quads.pixels {
        let at = quads.x_from + pixel / 2 * quads.x_step + pixel % 2 * 4;
        let mut weights = quads.weights.get(before..).unwrap_or_default().chunks_exact(4 * twos.max(1));
        let bias = match *run(quads.bias, pixel * quads.bias_step + whole, 2 * twos) {
            [sum, odd] => [sum, odd, 0],
            [sum, _, odd, last] => [sum, odd, last],
            _ => return,
        };
        let y = y.get_mut(pixel * quads.y_step + whole..).and_then(|y| y.get_mut(..units));
        let (y, z) = y.unwrap_or_default().split_at_mut(units.min(2));
        let [first, second, last] = sums(bias, &mut weights, at);
        narrow_two(y, [first, second], run(factors, 0, 2), quads.zero);
        narrow_two(z, [0, last], run(factors, 2, 2), quads.zero);
    }
}

/// The sums of a pair of units, of its second one, whose weights are whole halfwords where it is alone, and of one more, with the
/// products of a pixel's elements added.
#[inline(always)]
fn half_of_run(
    [mut sum, mut odd, mut last]: [i32; 3],
    units: usize,
    weights: &mut Rests<'_>,
    x: &[i8],
    pairs: usize,
) -> [i32; 3] {
    for (i, w) in (0..pairs).zip(weights) {
        let (x, w, v) = (word(x, 8 * i), word(w, 0), word(w, 4));
        sum = smlad(w, x, sum);
        odd = smlad(if units == 1 { w } else { sxtb16(w) }, x, odd);
        last = smlad(v, x, last);
    }
    [sum, odd, last]
}
