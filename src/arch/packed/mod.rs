//! Blocks over weights packed for the DSP instructions: what they compute, for any CPU.
//!
//! A word is two int16, the first in its low half; words lie in byte slices, little-endian, at any address. The
//! functions named like instructions are what those compute. How weights and factors lie is told at
//! [`crate::ir::Packing`].

mod channels;
mod dense;
mod depthwise;
mod laid;
mod quads;
mod squares;
mod winograd;

pub(crate) use channels::{Channels, four_channels, single_channels};
pub(crate) use dense::{Eights, Twos, eights, long_eights, long_twos, twos};
pub(crate) use depthwise::{Joins, Taps, join_rows, taps, two_rows};
pub(crate) use laid::{Laid, lay_windows};
pub(crate) use quads::{Quads, half_quads, long_half_quads, long_quads, quads};
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
pub(crate) fn widen_runs(lines: &Lines<'_>, to: &mut [i8], at: usize, apart: usize, lane: usize) {
    for i in 0..lines.count {
        widen_lane(run(lines.x, i * lines.step, lines.len), to, at + i * apart, lane);
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
