//! Blocks of convolution by Winograd's minimal filtering F(4, 3) along rows, exact in integers modulo 2^32.
//!
//! With the columns `d0` to `d5` that four neighbouring outputs see and the taps `g0` to `g2`, six products a channel
//! and kernel row, summed over channels and rows, give the four sums `y`:
//!
//! ```text
//! v = [4 d0 - 5 d2 + d4,  -4 d1 - 4 d2 + d3 + d4,  4 d1 - 4 d2 - d3 + d4,
//!      -2 d1 - d2 + 2 d3 + d4,  2 d1 - d2 - 2 d3 + d4,  4 d1 - 5 d3 + d5]
//! u = [g0,  g0 + g1 + g2,  g0 - g1 + g2,  g0 + 2 g1 + 4 g2,  g0 - 2 g1 + 4 g2,  g2]
//! m = sum of u * v
//! 24 y0 = 6 m0 - 4 (m1 + m2) + (m3 + m4)      12 y1 = (m3 - m4) - 2 (m1 - m2)
//!  6 y2 = (m3 + m4) - (m1 + m2)                6 y3 = 2 (m3 - m4) - (m1 - m2) + 6 m5
//! ```
//!
//! The factor 3 is undone by its inverse modulo 2^32, the powers of two by shifts, which are exact while a sum `y` keeps
//! within 28 bits; what wraps before does no harm. Source: Winograd 1980; Lavin and Gray, arXiv 1509.09308. The
//! points are 0, 1, -1, 2, -2 and infinity, with the fractions of the usual filter transform moved to the end.
//!
//! Two channels go through a transform as the one integer `65536 a + b`, which additions keep apart; adding 2^15 and
//! flipping that bit turns it into two int16. To begin with, elements are `x + 128` and weights `w + 128`, so that
//! halves are not negative. Of four channels 0 and 2 share a word, and 1 and 3.

use super::{narrow, smlad, word};
use crate::ir::{Requant, Winograd};
use core::ops::Range;

const POINTS: usize = Winograd::POINTS;
/// 1/3 modulo 2^32.
const THIRD: i32 = 0xaaaa_aaab_u32 as i32;

/// Where things lie.
#[derive(Clone, Copy)]
pub(crate) struct Tiles {
    /// Rows of the kernel.
    pub(crate) rows: usize,
    /// Pairs of input channels.
    pub(crate) pairs: usize,
    /// Pairs of tiles.
    pub(crate) tiles: usize,
    /// Transformed rows that are kept.
    pub(crate) kept: usize,
}

impl Tiles {
    /// Bytes from one pair of tiles, or point, to the next among transformed rows, `[point][pair of tiles][row][pair of
    /// channels][tile]` words.
    pub(crate) const fn pitch(&self) -> usize {
        8 * self.kept * self.pairs
    }

    /// Bytes from one pair of channels to the next in a widened row, `[pair of channels][column]` words.
    pub(crate) const fn columns(&self) -> usize {
        4 * (8 * self.tiles + 2)
    }
}

/// What makes outputs of products.
#[derive(Clone, Copy)]
pub(crate) struct Finish<'a> {
    /// The bias of each of four units, times -6.
    pub(crate) bias: &'a [i32],
    /// Their packed factors.
    pub(crate) requant: &'a [Requant],
    /// Zero point.
    pub(crate) zero: i8,
    /// Bytes from one column to the next.
    pub(crate) step: usize,
    /// Columns.
    pub(crate) width: usize,
}

/// See [`Isa::widen_columns`](crate::arch::Isa::widen_columns).
pub(crate) fn widen_columns(x: &[i8], channels: usize, to: &mut [i8], pitch: usize) {
    for (column, x) in x.chunks_exact(channels.max(1)).enumerate() {
        for (i, x) in x.as_chunks::<4>().0.iter().enumerate() {
            let x = x.map(|x| (x as u8) ^ 0x80);
            put(to, 2 * i * pitch + 4 * column, u32::from(x[0]) | u32::from(x[2]) << 16);
            put(to, (2 * i + 1) * pitch + 4 * column, u32::from(x[1]) | u32::from(x[3]) << 16);
        }
    }
}

/// See [`Isa::transform_row`](crate::arch::Isa::transform_row).
pub(crate) fn transform_row(tiles: &Tiles, row: &[i8], to: &mut [i8]) {
    for pair in 0..tiles.pairs {
        for tile in 0..2 * tiles.tiles {
            let d: [u32; 6] =
                core::array::from_fn(|i| word(row, pair * tiles.columns() + 4 * (4 * tile + i)));
            let sum = |factors: [i32; 6]| {
                let sum =
                    d.iter().zip(factors).fold(0u32, |s, (&d, f)| s.wrapping_add(d.wrapping_mul(f as u32)));
                sum.wrapping_add(0x8000) ^ 0x8000
            };
            let v = [
                sum([4, 0, -5, 0, 1, 0]),
                sum([0, -4, -4, 1, 1, 0]),
                sum([0, 4, -4, -1, 1, 0]),
                sum([0, -2, -1, 2, 1, 0]),
                sum([0, 2, -1, -2, 1, 0]),
                sum([0, 4, 0, -5, 0, 1]),
            ];
            let at = tile / 2 * tiles.pitch() + 8 * pair + 4 * (tile % 2);
            for (point, v) in v.into_iter().enumerate() {
                put(to, point * tiles.tiles * tiles.pitch() + at, v);
            }
        }
    }
}

/// See [`Isa::transform_filters`](crate::arch::Isa::transform_filters).
pub(crate) fn transform_filters(tiles: &Tiles, weights: &[i8], to: &mut [i8]) {
    let point = 16 * tiles.rows * tiles.pairs;
    for group in 0..tiles.pairs / 2 {
        for unit in 0..4 {
            for row in 0..tiles.rows {
                let at = 12 * ((4 * group + unit) * tiles.rows + row);
                let g: [u32; 3] = core::array::from_fn(|i| word(weights, at + 4 * i));
                for half in 0..2 {
                    let [a, b, c] = g.map(|g| g >> (8 * half) & 0x00ff_00ff);
                    let sum = |f: [i32; 3]| {
                        let sum = a
                            .wrapping_mul(f[0] as u32)
                            .wrapping_add(b.wrapping_mul(f[1] as u32))
                            .wrapping_add(c.wrapping_mul(f[2] as u32));
                        let excess = (128 * (f[0] + f[1] + f[2])) as u32;
                        sum.wrapping_sub(excess.wrapping_mul(0x1_0001)).wrapping_add(0x8000) ^ 0x8000
                    };
                    let u = [
                        sum([1, 0, 0]),
                        sum([1, 1, 1]),
                        sum([1, -1, 1]),
                        sum([1, 2, 4]),
                        sum([1, -2, 4]),
                        sum([0, 0, 1]),
                    ];
                    let at = 16 * (row * tiles.pairs + 2 * group + half) + 4 * unit;
                    for (i, u) in u.into_iter().enumerate() {
                        put(to, i * point + at, u);
                    }
                }
            }
        }
    }
}

/// See [`Isa::multiply_tiles`](crate::arch::Isa::multiply_tiles).
pub(crate) fn multiply_tiles(tiles: &Tiles, rows: &[i8], filters: &[i8], to: &mut [i8]) {
    let steps = tiles.rows * tiles.pairs;
    for point in 0..POINTS {
        for tile in 0..tiles.tiles {
            for unit in 0..4 {
                for lane in 0..2 {
                    let mut sum = 0;
                    for step in 0..steps {
                        let u = word(filters, 16 * (point * steps + step) + 4 * unit);
                        let v =
                            word(rows, (point * tiles.tiles + tile) * tiles.pitch() + 8 * step + 4 * lane);
                        sum = smlad(u, v, sum);
                    }
                    put(to, 32 * (POINTS * tile + point) + 8 * unit + 4 * lane, sum as u32);
                }
            }
        }
    }
}

/// See [`Isa::finish_tiles`](crate::arch::Isa::finish_tiles).
pub(crate) fn finish_tiles(finish: &Finish<'_>, products: &[i8], y: &mut [i8]) {
    for (unit, (&bias, &requant)) in finish.bias.iter().zip(finish.requant).enumerate() {
        finish_unit(finish, (bias, requant), 0..finish.width, products, y, unit);
    }
}

/// Some columns of one of the units.
pub(crate) fn finish_unit(
    finish: &Finish<'_>,
    (bias, requant): (i32, Requant),
    columns: Range<usize>,
    products: &[i8],
    y: &mut [i8],
    unit: usize,
) {
    for column in columns {
        let at = column / 8 * 32 * POINTS + column / 4 % 2 * 4 + 8 * unit;
        let m: [i32; POINTS] = core::array::from_fn(|i| word(products, at + 32 * i) as i32);
        let first = m[1].wrapping_add(bias);
        let (s1, d1) = (first.wrapping_add(m[2]), first.wrapping_sub(m[2]));
        let (s2, d2) = (m[3].wrapping_add(m[4]), m[3].wrapping_sub(m[4]));
        let third = |x: i32| x.wrapping_mul(THIRD);
        let acc = match column % 4 {
            0 => third(m[0].wrapping_mul(6).wrapping_sub(s1.wrapping_mul(4)).wrapping_add(s2)) >> 3,
            1 => third(d2.wrapping_sub(d1.wrapping_mul(2))) >> 2,
            2 => third(s2.wrapping_sub(s1)) >> 1,
            _ => third(d2.wrapping_mul(2).wrapping_sub(d1).wrapping_add(m[5].wrapping_mul(6))) >> 1,
        };
        if let Some(y) = y.get_mut(column * finish.step + unit) {
            *y = narrow(acc, requant, finish.zero);
        }
    }
}

/// Writes a word at a byte.
#[inline(always)]
fn put(to: &mut [i8], at: usize, word: u32) {
    if let Some(to) = to.get_mut(at..).and_then(|to| to.first_chunk_mut()) {
        *to = word.to_le_bytes().map(|byte| byte as i8);
    }
}
