//! Blocks over weights packed for the DSP instructions: what they compute, for any CPU.
//!
//! A word is two int16, the first in its low half; words lie in byte slices, little-endian, at any address. The
//! functions named like instructions are what those compute. How weights and factors lie is told at
//! [`crate::ir::Packing`].

mod channels;
mod depthwise;
mod squares;
mod winograd;

pub(crate) use channels::{Channels, four_channels, single_channels};
pub(crate) use depthwise::{Joins, Taps, join_rows, taps, two_rows};
#[cfg(dsp)]
pub(crate) use squares::NINTH;
pub(crate) use squares::{
    Spread, finish_squares, lower_columns, lower_filters, lower_rows, multiply_squares,
};
#[cfg(dsp)]
pub(crate) use winograd::finish_unit;
pub(crate) use winograd::{
    Finish, Tiles, finish_tiles, multiply_tiles, transform_filters, transform_row, widen_columns,
};

use crate::arch::run;
use crate::ir::{Requant, Sections};

/// Pairs of elements whose sums without a bias can be told apart whatever the weights: `512 * 127 * 128 < 2^23`.
pub(crate) const SECTION: usize = Sections::PAIRS;

/// Quads of units, from the first one that is asked for on, for neighbouring pixels.
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
    /// How many pixels.
    pub(crate) pixels: usize,
    /// Pairs of elements in a run.
    pub(crate) pairs: usize,
    /// Bytes from the beginning of a run to the first pair of pixels.
    pub(crate) x_from: usize,
    /// Bytes from a pair of pixels to the next in a run.
    pub(crate) x_step: usize,
    /// Bytes from a pixel to the next in the output.
    pub(crate) y_step: usize,
    /// Zero point of the output.
    pub(crate) zero: i8,
}

/// Runs of bytes within others.
#[derive(Clone, Copy)]
pub(crate) struct Runs<'a> {
    /// What holds them.
    pub(crate) bytes: &'a [i8],
    /// Where each begins, in eights of bytes.
    pub(crate) begins: &'a [u16],
}

impl<'a> Runs<'a> {
    /// A single one.
    pub(crate) const fn one(bytes: &'a [i8]) -> Self {
        Self { bytes, begins: &[0] }
    }

    /// Each of them, to the end of what holds them.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [i8]> {
        self.begins.iter().map(move |&begin| self.bytes.get(8 * usize::from(begin)..).unwrap_or_default())
    }

    /// Whether all have so many bytes.
    #[allow(dead_code)] // asked by instances in assembler
    pub(crate) fn reach(self, len: usize) -> bool {
        self.begins.iter().all(|&begin| 8 * usize::from(begin) + len <= self.bytes.len())
    }
}

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

/// What a window sees: taps, each of them a run of elements, before, inside and behind the image along either axis.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    /// The image, from the first run inside on.
    pub(crate) x: &'a [i8],
    /// Rows of taps before, inside and behind.
    pub(crate) rows: [usize; 3],
    /// Elements from a row's first run to the next row's.
    pub(crate) row_step: usize,
    /// Columns of taps likewise.
    pub(crate) columns: [usize; 3],
    /// Elements from a run to the next in a row.
    pub(crate) column_step: usize,
    /// Elements of a run.
    pub(crate) len: usize,
    /// What stands outside.
    pub(crate) border: i8,
    /// Neighbouring pixels that see as much of the image.
    pub(crate) pixels: usize,
    /// Elements from a pixel's first run to the next pixel's.
    pub(crate) pixel_step: usize,
}

/// Runs of as many elements each.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'a> {
    /// The first run and what follows.
    pub(crate) x: &'a [i8],
    /// Elements of a run.
    pub(crate) len: usize,
    /// Elements from a run to the next.
    pub(crate) step: usize,
    /// How many runs.
    pub(crate) count: usize,
}

/// An addition in one linear form: `sat8(((256 a y >> 16) + (256 b x >> 16) + c) >> 21)`.
#[derive(Clone, Copy)]
pub(crate) struct Linear {
    /// Factor of what `y` holds.
    pub(crate) a: i32,
    /// Factor of the other operand.
    pub(crate) b: i32,
    /// Zero points and rounding.
    pub(crate) c: i32,
}

/// See [`Isa::widen_pixels`](super::Isa::widen_pixels).
pub(crate) fn widen_pixels(lines: &Lines<'_>, to: &mut [i8], pitch: usize, lane: usize) {
    for i in 0..lines.count {
        let to = to.get_mut((lane + i) / 2 * pitch..).unwrap_or_default();
        widen_lane(run(lines.x, i * lines.step, lines.len), to, 0, (lane + i) % 2);
    }
}

/// See [`Isa::widen_runs`](super::Isa::widen_runs).
pub(crate) fn widen_runs(lines: &Lines<'_>, to: &mut [i8], at: usize, lane: usize) {
    for i in 0..lines.count {
        widen_lane(run(lines.x, i * lines.step, lines.len), to, at + i * lines.len, lane);
    }
}

/// Elements `at..` of pixel `lane` of a pair.
fn widen_lane(x: &[i8], to: &mut [i8], at: usize, lane: usize) {
    let mut at = (at / 2) * 8 + 2 * (at % 2) + 4 * lane;
    for &x in x {
        if let Some(to) = to.get_mut(at..).and_then(|to| to.first_chunk_mut()) {
            *to = half(x);
        }
        at += if at & 2 == 0 { 2 } else { 6 };
    }
}

/// See [`Isa::gather`](super::Isa::gather).
pub(crate) fn gather(sight: &Sight<'_>, to: &mut [i8], pitch: usize, at: usize, lane: usize) {
    let [rows, columns] = [sight.rows, sight.columns];
    let inside =
        |tap: usize, [before, inside, _]: [usize; 3]| tap.checked_sub(before).filter(|&tap| tap < inside);
    for pixel in 0..sight.pixels {
        let to = to.get_mut((lane + pixel) / 2 * pitch..).unwrap_or_default();
        let mut at = at;
        for row in 0..rows.iter().sum() {
            for column in 0..columns.iter().sum() {
                let place = inside(row, rows).zip(inside(column, columns));
                let from = place.map(|(row, column)| row * sight.row_step + column * sight.column_step);
                let x = from.map_or(&[][..], |from| run(sight.x, pixel * sight.pixel_step + from, sight.len));
                for i in 0..sight.len {
                    let x = x.get(i).copied().unwrap_or(sight.border);
                    widen_lane(&[x], to, at + i, (lane + pixel) % 2);
                }
                at += sight.len;
            }
        }
    }
}

/// See [`Isa::collect`](super::Isa::collect).
pub(crate) fn collect(runs: Runs<'_>, pairs: usize, step: usize, count: usize, to: &mut [i8]) {
    let mut to = to.as_chunks_mut::<8>().0.iter_mut();
    for i in 0..count {
        for x in runs.iter() {
            let from = run(x, step * i, 8 * pairs).as_chunks::<8>().0;
            for (from, to) in from.iter().zip(to.by_ref()) {
                *to = *from;
            }
        }
    }
}

/// See [`Isa::collect_first`](super::Isa::collect_first).
pub(crate) fn collect_first(runs: Runs<'_>, pairs: usize, from: usize, to: &mut [i8], lane: usize) {
    let mut to = to.as_chunks_mut::<8>().0.iter_mut();
    for x in runs.iter() {
        for (from, to) in run(x, from, 8 * pairs).as_chunks::<8>().0.iter().zip(to.by_ref()) {
            let ([a, b, c, d, ..], [ta, tb, tc, td, ua, ub, uc, ud]) = (*from, to);
            if lane == 0 {
                (*ta, *tb, *tc, *td) = (a, b, c, d);
            } else {
                (*ua, *ub, *uc, *ud) = (a, b, c, d);
            }
        }
    }
}

/// See [`Isa::widen`](super::Isa::widen).
pub(crate) fn widen(x: &[i8], to: &mut [i8]) {
    for (to, &x) in to.as_chunks_mut().0.iter_mut().zip(x) {
        *to = half(x);
    }
}

/// See [`Isa::quads`](super::Isa::quads).
pub(crate) fn quads(quads: &Quads<'_>, runs: Runs<'_>, y: &mut [i8]) {
    each_quad(quads, y, |mut acc, weights, at| {
        for x in runs.iter() {
            acc = of_run(acc, weights, x.get(at..).unwrap_or_default(), quads.pairs);
        }
        apart(acc)
    });
}

/// See [`Isa::long_quads`](super::Isa::long_quads).
pub(crate) fn long_quads(quads: &Quads<'_>, runs: Runs<'_>, y: &mut [i8]) {
    each_quad(quads, y, |mut acc, weights, at| {
        for x in runs.iter() {
            let [a, b, c, d] = apart(of_run([0; 4], weights, x.get(at..).unwrap_or_default(), quads.pairs));
            acc.iter_mut().zip([a, c, b, d]).for_each(|(acc, sum)| *acc = acc.wrapping_add(sum));
        }
        let [a, c, b, d] = acc;
        [a, b, c, d]
    });
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

/// See [`Isa::half_quads`](super::Isa::half_quads).
pub(crate) fn half_quads(quads: &Quads<'_>, units: usize, runs: Runs<'_>, y: &mut [i8]) {
    each_half_quad(quads, (units, runs.begins.len()), y, |mut acc, weights, at| {
        for x in runs.iter() {
            let x = x.get(at..).unwrap_or_default();
            acc = half_of_run(acc, units, weights, x, quads.pairs);
        }
        [high(acc[0], acc[1]), acc[1], acc[2]]
    });
}

/// See [`Isa::long_half_quads`](super::Isa::long_half_quads).
pub(crate) fn long_half_quads(quads: &Quads<'_>, units: usize, runs: Runs<'_>, y: &mut [i8]) {
    each_half_quad(quads, (units, runs.begins.len()), y, |[first, second, last], weights, at| {
        let (mut acc, mut last) = ([first, second], last);
        for x in runs.iter() {
            let x = x.get(at..).unwrap_or_default();
            let [sum, odd, third] = half_of_run([0, 0, last], units, weights, x, quads.pairs);
            (acc, last) = (add_apart(acc, [sum, odd]), third);
        }
        [acc[0], acc[1], last]
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

/// Sums of two units and those of a section, told apart.
#[inline(always)]
fn add_apart([first, second]: [i32; 2], [sum, odd]: [i32; 2]) -> [i32; 2] {
    [first.wrapping_add(high(sum, odd)), second.wrapping_add(odd)]
}

/// Sums of two units, or of the second one alone, to int8.
#[inline(always)]
fn narrow_two(y: &mut [i8], [first, second]: [i32; 2], requant: &[Requant], zero: i8) {
    match (y, requant) {
        ([y], &[_, factor]) => *y = narrow(second, factor, zero),
        ([y, z], &[a, b]) => (*y, *z) = (narrow(first, a, zero), narrow(second, b, zero)),
        _ => {}
    }
}

/// See [`Isa::eights`](super::Isa::eights).
pub(crate) fn eights(eights: &Eights<'_>, x: &[i8], y: &mut [i8]) {
    each_eight(eights, y, |bias, weights| of_elements(bias, weights, x, eights.pairs));
}

/// See [`Isa::long_eights`](super::Isa::long_eights).
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

/// See [`Isa::twos`](super::Isa::twos).
pub(crate) fn twos(twos: &Twos<'_>, x: &[i8], y: &mut [i8]) {
    each_two(twos, x, y, |bias, alone, weights| {
        let [sum, odd] = half_of_elements(bias, alone, weights, x);
        [high(sum, odd), odd]
    });
}

/// See [`Isa::long_twos`](super::Isa::long_twos).
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

/// See [`Isa::add_linear`](super::Isa::add_linear).
pub(crate) fn add_linear(y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
    let add = |y: i8, x: i8| {
        let term = |factor: i32, x: i8| ((i64::from(factor) * (i64::from(x) << 8)) >> 16) as i32;
        let sum = linear.c.wrapping_add(term(linear.a, y)).wrapping_add(term(linear.b, x));
        saturate(sum >> 21)
    };
    match x {
        Some(x) => y.iter_mut().zip(x).for_each(|(y, &x)| *y = add(*y, x)),
        None => y.iter_mut().for_each(|y| *y = add(*y, *y)),
    }
}

/// [`Isa::add_linear`](super::Isa::add_linear) by a function for factors that are multiples of 256, where they are. It is
/// given `y`, `x`, how many elements both hold, one at least, and both factors divided by 256, and `c`.
#[allow(dead_code)] // for instances in assembler
#[inline(always)]
pub(crate) fn add_by(
    y: &mut [i8],
    x: Option<&[i8]>,
    linear: &Linear,
    function: impl FnOnce(*mut i8, *const i8, usize, &[i32; 3]),
) {
    let count = x.map_or(y.len(), |x| y.len().min(x.len()));
    if (linear.a | linear.b) & 255 != 0 {
        return add_linear(y, x, linear);
    }
    if count > 0 {
        let y = y.as_mut_ptr();
        let x = x.map_or(y.cast_const(), <[i8]>::as_ptr);
        function(y, x, count, &[linear.a >> 8, linear.b >> 8, linear.c]);
    }
}

/// An int8 as the two bytes of an int16.
#[inline(always)]
pub(crate) fn half(x: i8) -> [i8; 2] {
    [x, x >> 7]
}

/// The word at byte `at`; 0 where there is none.
#[inline(always)]
pub(crate) fn word(bytes: &[i8], at: usize) -> u32 {
    match run(bytes, at, 4) {
        &[a, b, c, d] => u32::from_le_bytes([a as u8, b as u8, c as u8, d as u8]),
        _ => 0,
    }
}

/// What `256 A + B` and `B` say of `A`.
#[inline(always)]
fn high(sum: i32, low: i32) -> i32 {
    sum.wrapping_sub(low) >> 8
}

/// Packed requantisation to int8.
#[inline(always)]
pub(crate) fn narrow(acc: i32, factor: Requant, zero: i8) -> i8 {
    let product = smmlar(acc, acc, factor.multiplier);
    let lowered = product.wrapping_add(product >> 31);
    saturate(smmlar(zero.into(), lowered, factor.shift))
}

/// An i32 held within int8.
#[inline(always)]
const fn saturate(x: i32) -> i8 {
    if x < i8::MIN as i32 {
        i8::MIN
    } else if x > i8::MAX as i32 {
        i8::MAX
    } else {
        x as i8
    }
}

/// `c` plus the upper half of a product, rounded to nearest, ties upwards.
#[inline(always)]
pub(crate) const fn smmlar(c: i32, a: i32, b: i32) -> i32 {
    c.wrapping_add(((a as i64 * b as i64 + (1 << 31)) >> 32) as i32)
}

/// Bytes 0 and 2, each extended by its sign to a halfword.
#[inline(always)]
pub(crate) const fn sxtb16(x: u32) -> u32 {
    (x as i8 as i16 as u16 as u32) | ((x >> 16) as i8 as i16 as u16 as u32) << 16
}

/// `acc` plus the products of the low and of the high halfwords.
#[inline(always)]
pub(crate) const fn smlad(a: u32, b: u32, acc: i32) -> i32 {
    let low = (a as i16 as i32).wrapping_mul(b as i16 as i32);
    let high = ((a >> 16) as i16 as i32).wrapping_mul((b >> 16) as i16 as i32);
    acc.wrapping_add(low).wrapping_add(high)
}
