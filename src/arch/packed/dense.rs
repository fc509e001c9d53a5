//! Blocks of dense layers: eight units, or two, times one pixel.

use super::{SECTION, add_apart, half, high, narrow, narrow_two, smlad, sxtb16, word};
use crate::arch::run;
use crate::ir::Requant;

/// Groups of eight units, from the first one that is asked for on.
#[derive(Clone, Copy)]
pub(crate) struct Eights<'a> {
    /// `[eight][pair of elements][4]` words.
    pub(crate) weights: &'a [i8],
    /// `[eight][8]`, packed.
    pub(crate) requant: &'a [Requant],
    /// Factors from one eight to the next: 8, or 0 where all have the same.
    pub(crate) requant_step: usize,
    /// `[eight][8]`: four sums of pairs, four of odd units.
    pub(crate) bias: &'a [i32],
    /// Pairs of elements, an even number.
    pub(crate) pairs: usize,
    /// Zero point of the output.
    pub(crate) zero: i8,
}

/// Pairs of units, from the first one that is asked for on.
#[derive(Clone, Copy)]
pub(crate) struct Twos<'a> {
    /// `[two][four elements][elements 0 and 2, then 1 and 3]` words; the second unit of a two alone in halves of its own.
    pub(crate) weights: &'a [i8],
    /// `[two][2]`, packed.
    pub(crate) requant: &'a [Requant],
    /// Factors from one two to the next: 2, or 0 where all have the same.
    pub(crate) requant_step: usize,
    /// `[two][2]`: the sum of a pair, its second unit.
    pub(crate) bias: &'a [i32],
    /// Zero point of the output.
    pub(crate) zero: i8,
}

/// See [`Isa::eights`](crate::arch::Isa::eights).
pub(crate) fn eights(eights: &Eights<'_>, x: &[i8], y: &mut [i8]) {
    each_eight(eights, y, |bias, weights| of_elements(bias, weights, x, eights.pairs));
}

/// See [`Isa::long_eights`](crate::arch::Isa::long_eights).
pub(crate) fn long_eights(eights: &Eights<'_>, x: &[i8], y: &mut [i8]) {
    each_eight(eights, y, |mut acc, weights| {
        for at in (0..eights.pairs).step_by(SECTION) {
            let x = x.get(4 * at..).unwrap_or_default();
            let sums = of_elements([0; 8], weights, x, SECTION.min(eights.pairs - at));
            acc.iter_mut().zip(sums).for_each(|(acc, sum)| *acc = acc.wrapping_add(sum));
        }
        acc
    });
}

/// Outputs of each eight of sums that begin with its biases and read on in its weights: of the first units of pairs, then
/// of the others.
#[inline(always)]
fn each_eight<'a>(
    eights: &Eights<'a>,
    y: &mut [i8],
    sums: impl Fn([i32; 8], &mut core::slice::Iter<'a, [i8; 16]>) -> [i32; 8],
) {
    let mut weights = eights.weights.as_chunks::<16>().0.iter();
    let biases = eights.bias.as_chunks::<8>().0;
    for (i, (y, bias)) in y.as_chunks_mut::<8>().0.iter_mut().zip(biases).enumerate() {
        let requant = run(eights.requant, i * eights.requant_step, 8);
        let [a, c, e, g, b, d, f, h] = sums(*bias, &mut weights);
        for ((y, acc), &requant) in y.iter_mut().zip([a, b, c, d, e, f, g, h]).zip(requant) {
            *y = narrow(acc, requant, eights.zero);
        }
    }
}

/// Sums of four pairs of units and of four odd units with the products of elements added, told apart.
#[inline(always)]
fn of_elements<'a>(
    mut acc: [i32; 8],
    weights: &mut core::slice::Iter<'a, [i8; 16]>,
    x: &[i8],
    pairs: usize,
) -> [i32; 8] {
    for (x, w) in x.chunks_exact(4).take(pairs).zip(weights) {
        let x = word(x, 0);
        for i in 0..4 {
            let w = word(w, 4 * i);
            acc[i] = smlad(w, x, acc[i]);
            acc[4 + i] = smlad(sxtb16(w), x, acc[4 + i]);
        }
    }
    for i in 0..4 {
        acc[i] = high(acc[i], acc[4 + i]);
    }
    acc
}

/// See [`Isa::twos`](crate::arch::Isa::twos).
pub(crate) fn twos(twos: &Twos<'_>, x: &[i8], y: &mut [i8]) {
    each_two(twos, x, y, |bias, alone, weights| {
        let [sum, odd] = half_of_elements(bias, alone, weights, x);
        [high(sum, odd), odd]
    });
}

/// See [`Isa::long_twos`](crate::arch::Isa::long_twos).
pub(crate) fn long_twos(twos: &Twos<'_>, x: &[i8], y: &mut [i8]) {
    each_two(twos, x, y, |bias, alone, weights| {
        let sections = x.chunks(2 * SECTION).zip(weights.chunks(4 * SECTION));
        sections.fold(bias, |acc, (x, w)| add_apart(acc, half_of_elements([0; 2], alone, w, x)))
    });
}

/// Outputs of each two of sums that begin with its biases over its weights, told whether its second unit is alone.
#[inline(always)]
fn each_two(twos: &Twos<'_>, x: &[i8], y: &mut [i8], sums: impl Fn([i32; 2], bool, &[i8]) -> [i32; 2]) {
    let two = 8 * x.len().div_ceil(4);
    let biases = twos.bias.as_chunks::<2>().0;
    for (i, (y, bias)) in y.chunks_mut(2).zip(biases).enumerate() {
        let acc = sums(*bias, y.len() == 1, run(twos.weights, i * two, two));
        narrow_two(y, acc, run(twos.requant, i * twos.requant_step, 2), twos.zero);
    }
}

/// The sum of a pair of units, and of its second one, with the products of elements as they lie added.
#[inline(always)]
fn half_of_elements([mut sum, mut odd]: [i32; 2], alone: bool, weights: &[i8], x: &[i8]) -> [i32; 2] {
    for (x, w) in x.chunks(4).zip(weights.as_chunks::<8>().0) {
        let of = |i: usize| x.get(i).map_or([0, 0], |&x| half(x));
        let ([a, b], [c, d], [e, f], [g, h]) = (of(0), of(2), of(1), of(3));
        for (x, w) in [(word(&[a, b, c, d], 0), word(w, 0)), (word(&[e, f, g, h], 0), word(w, 4))] {
            sum = smlad(w, x, sum);
            odd = smlad(if alone { w } else { sxtb16(w) }, x, odd);
        }
    }
    [sum, odd]
}
