//! Blocks of 3x3 convolution by Winograd's minimal filtering F(4x4, 3x3), exact in integers modulo 2^32.
//!
//! It is F(4, 3), told beside at convolution by minimal filtering along rows, nested: with `B`, `G` and `A` the matrices
//! that make there `v` of `d`, `u` of `g` and `y` of `m`, six rows and columns `d` of an image and a filter `g` give the
//! square `y` of four rows and columns by 36 products a channel:
//!
//! ```text
//! v = B d B'        u = G g G'        m = sum of u * v over channels        y = A m A'
//! ```
//!
//! Row `i` of `A m` is `S[i] = 24, 12, 6, 6` times what it stands for, and so is column `j`; the factor 9 in `S[i] S[j]`
//! is undone by its inverse modulo 2^32, the powers of two by shifts of at most six bits, which are exact while a sum
//! keeps within 26 bits. A bias times 36 on `m[1][1]` is one on all of `y`. Source: Lavin and Gray, arXiv 1509.09308.
//!
//! Two channels go through a transform as two int16 of a word: of four, 0 and 2 share one, and 1 and 3. Elements are int8
//! as they are, so `|v| <= 10 * 10 * 128` and `|u| <= 7 * 7 * 128`; what is between may wrap.

use super::{narrow, smlad, sxtb16, word};
use crate::ir::{Requant, Squares};

const POINTS: usize = Squares::POINTS;
/// 1/9 modulo 2^32.
pub(crate) const NINTH: i32 = 0x38e3_8e39;

/// Where outputs go, and what makes them of products.
#[derive(Clone, Copy)]
pub(crate) struct Spread<'a> {
    /// The bias of each unit, times 36.
    pub(crate) bias: &'a [i32],
    /// The packed factor of each unit, or of all.
    pub(crate) requant: &'a [Requant],
    /// Zero point.
    pub(crate) zero: i8,
    /// Bytes from one column to the next.
    pub(crate) step: usize,
    /// Rows and columns of the output.
    pub(crate) size: [usize; 2],
    /// The first square.
    pub(crate) first: usize,
    /// Squares in a row of them.
    pub(crate) across: usize,
}

impl Spread<'_> {
    /// Bias and factor of two units.
    #[inline(always)]
    pub(crate) fn units(&self, unit: usize) -> Option<([i32; 2], [Requant; 2])> {
        let bias = self.bias.get(unit..)?.first_chunk()?;
        let requant = match self.requant {
            &[all] => [all; 2],
            each => *each.get(unit..)?.first_chunk()?,
        };
        Some((*bias, requant))
    }

    /// The first row and column of a square.
    pub(crate) fn corner(&self, square: usize) -> [usize; 2] {
        let row = square.checked_div(self.across).unwrap_or(0);
        [4 * row, 4 * (square - row * self.across)]
    }
}

/// Two int16, both the sum of such in `x` times `factors`.
fn sum<const N: usize>(x: [u32; N], factors: [i32; N]) -> u32 {
    let half = |shift: u32| {
        let terms = x.iter().zip(factors).map(|(&x, f)| i32::from((x >> shift) as i16).wrapping_mul(f));
        terms.fold(0, i32::wrapping_add) as u16
    };
    u32::from(half(0)) | u32::from(half(16)) << 16
}

/// `B d`.
fn lower(d: [u32; 6]) -> [u32; 6] {
    [
        sum(d, [4, 0, -5, 0, 1, 0]),
        sum(d, [0, -4, -4, 1, 1, 0]),
        sum(d, [0, 4, -4, -1, 1, 0]),
        sum(d, [0, -2, -1, 2, 1, 0]),
        sum(d, [0, 2, -1, -2, 1, 0]),
        sum(d, [0, 4, 0, -5, 0, 1]),
    ]
}

/// `G g`.
fn lower_taps(g: [u32; 3]) -> [u32; 6] {
    [
        sum(g, [1, 0, 0]),
        sum(g, [1, 1, 1]),
        sum(g, [1, -1, 1]),
        sum(g, [1, 2, 4]),
        sum(g, [1, -2, 4]),
        sum(g, [0, 0, 1]),
    ]
}

/// `A m`.
fn raise(m: [i32; 6]) -> [i32; 4] {
    let times = |x: i32, factor: i32| x.wrapping_mul(factor);
    let (s1, d1) = (m[1].wrapping_add(m[2]), m[1].wrapping_sub(m[2]));
    let (s2, d2) = (m[3].wrapping_add(m[4]), m[3].wrapping_sub(m[4]));
    [
        times(m[0], 6).wrapping_sub(times(s1, 4)).wrapping_add(s2),
        d2.wrapping_sub(times(d1, 2)),
        s2.wrapping_sub(s1),
        times(d2, 2).wrapping_sub(d1).wrapping_add(times(m[5], 6)),
    ]
}

/// See [`Isa::lower_columns`](crate::arch::Isa::lower_columns).
pub(crate) fn lower_columns(rows: &[i8], pitch: usize, channels: usize, columns: usize, to: &mut [i8]) {
    for (column, to) in to.as_chunks_mut::<48>().0.iter_mut().take(columns).enumerate() {
        for pair in 0..2 {
            let d = core::array::from_fn(|i| {
                sxtb16(word(rows, i * pitch + column * channels).rotate_right(8 * pair as u32))
            });
            for (i, v) in lower(d).into_iter().enumerate() {
                put(to, 8 * i + 4 * pair, v);
            }
        }
    }
}

/// See [`Isa::lower_rows`](crate::arch::Isa::lower_rows).
pub(crate) fn lower_rows(columns: &[i8], count: usize, to: &mut [i8]) {
    for square in 0..count {
        for (pair, row) in [0, 1].into_iter().flat_map(|pair| (0..6).map(move |row| (pair, row))) {
            let d = core::array::from_fn(|i| word(columns, 48 * (4 * square + i) + 8 * row + 4 * pair));
            for (i, v) in lower(d).into_iter().enumerate() {
                put(to, 16 * (POINTS * pair + 6 * row + i) + 4 * square, v);
            }
        }
    }
}

/// See [`Isa::lower_filters`](crate::arch::Isa::lower_filters).
pub(crate) fn lower_filters(pairs: usize, weights: &[i8], to: &mut [i8]) {
    for (i, weights) in weights.as_chunks::<36>().0.iter().take(pairs).enumerate() {
        let (group, unit) = (i / 2, i % 2);
        for half in 0..2 {
            let tap = |i: usize| sxtb16(word(weights, 4 * i).rotate_right(8 * half as u32));
            let columns: [[u32; 6]; 3] =
                core::array::from_fn(|j| lower_taps([tap(j), tap(3 + j), tap(6 + j)]));
            for row in 0..6 {
                let u = lower_taps(columns.map(|column| column[row]));
                for (i, u) in u.into_iter().enumerate() {
                    put(to, 8 * (POINTS * (2 * group + half) + 6 * row + i) + 4 * unit, u);
                }
            }
        }
    }
}

/// See [`Isa::multiply_squares`](crate::arch::Isa::multiply_squares).
pub(crate) fn multiply_squares(pairs: usize, squares: &[i8], filters: &[i8], to: &mut [i8]) {
    for point in 0..POINTS {
        for unit in 0..2 {
            for square in 0..4 {
                let products = (0..pairs).fold(0, |sum, pair| {
                    let at = POINTS * pair + point;
                    smlad(word(filters, 8 * at + 4 * unit), word(squares, 16 * at + 4 * square), sum)
                });
                put(to, 32 * point + 16 * unit + 4 * square, products as u32);
            }
        }
    }
}

/// See [`Isa::finish_squares`](crate::arch::Isa::finish_squares).
pub(crate) fn finish_squares(spread: &Spread<'_>, first: usize, products: &mut [i8], y: &mut [i8]) {
    let [height, width] = spread.size;
    let Some((bias, requant)) = spread.units(first) else { return };
    for (unit, (bias, requant)) in bias.into_iter().zip(requant).enumerate() {
        for square in 0..4 {
            let [top, left] = spread.corner(spread.first + square);
            let mut m: [[i32; 6]; 6] = core::array::from_fn(|i| {
                core::array::from_fn(|j| word(products, 32 * (6 * i + j) + 16 * unit + 4 * square) as i32)
            });
            m[1][1] = m[1][1].wrapping_add(bias);
            let columns: [[i32; 4]; 6] = core::array::from_fn(|j| raise(m.map(|row| row[j])));
            for row in 0..4.min(height.saturating_sub(top)) {
                let sums = raise(columns.map(|column| column[row]));
                for (column, sum) in sums.into_iter().enumerate().take(width.saturating_sub(left)) {
                    let acc = sum.wrapping_mul(NINTH) >> (SHIFTS[row] + SHIFTS[column]);
                    let at = ((top + row) * width + left + column) * spread.step + first + unit;
                    if let Some(y) = y.get_mut(at) {
                        *y = narrow(acc, requant, spread.zero);
                    }
                }
            }
        }
    }
}

/// Powers of two in 24, 12, 6 and 6.
const SHIFTS: [u32; 4] = [3, 2, 1, 1];

/// Writes a word at a byte.
#[inline(always)]
fn put(to: &mut [i8], at: usize, word: u32) {
    if let Some(to) = to.get_mut(at..).and_then(|to| to.first_chunk_mut()) {
        *to = word.to_le_bytes().map(|byte| byte as i8);
    }
}
