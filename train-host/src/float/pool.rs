//! Max and average pooling; border elements take no part.

use super::lanes::Lanes;
use super::simd::{Kernel, Simd};
use super::taps::{Axis, Tap};

/// What a pooling reads and writes.
#[derive(Clone, Debug)]
pub(crate) struct PoolMap {
    /// Taps of each output row.
    pub(crate) rows: Axis,
    /// Taps of each output column.
    pub(crate) columns: Axis,
    /// For each input row, the output rows that read it.
    pub(crate) rows_back: Axis,
    /// For each input column, the output columns that read it.
    pub(crate) columns_back: Axis,
    /// Columns of the input.
    pub(crate) width: usize,
    /// Channels.
    pub(crate) channels: usize,
}

/// Greatest element of each window.
pub(crate) struct MaxPool<'a>(pub(crate) &'a PoolMap, pub(crate) &'a [Lanes], pub(crate) &'a mut [Lanes]);

impl Kernel for MaxPool<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self(map, source, dest) = self;
        dest.fill(Lanes::splat(f32::NEG_INFINITY));
        let mut pixels = dest.chunks_exact_mut(map.channels);
        for row in &map.rows {
            for (column, y) in map.columns.iter().zip(&mut pixels) {
                for r in row {
                    for c in column {
                        let x = &source[(r.source * map.width + c.source) * map.channels..][..map.channels];
                        for (x, y) in x.iter().zip(y.iter_mut()) {
                            for part in 0..S::PARTS {
                                s.store(s.max(s.load(x, part), s.load(y, part)), y, part);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Mean of each window.
pub(crate) struct AvgPool<'a>(pub(crate) &'a PoolMap, pub(crate) &'a [Lanes], pub(crate) &'a mut [Lanes]);

impl Kernel for AvgPool<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self(map, source, dest) = self;
        let mut pixels = dest.chunks_exact_mut(map.channels);
        for row in &map.rows {
            for (column, y) in map.columns.iter().zip(&mut pixels) {
                let fours = y.len() / 4 * 4;
                for c in (0..fours).step_by(4) {
                    mean::<S, 4>(s, map, [row, column], source, c, y);
                }
                for c in fours..y.len() {
                    mean::<S, 1>(s, map, [row, column], source, c, y);
                }
            }
        }
    }
}

/// `C` channels from `c` on of an output pixel.
#[inline(always)]
fn mean<S: Simd, const C: usize>(
    s: S,
    map: &PoolMap,
    [row, column]: [&[Tap]; 2],
    source: &[Lanes],
    c: usize,
    y: &mut [Lanes],
) {
    let y = &mut y[c..c + C];
    let share = s.splat(1.0 / (row.len() * column.len()) as f32);
    for part in 0..S::PARTS {
        let mut sum = [s.zero(); C];
        for r in row {
            for t in column {
                let x = &source[(r.source * map.width + t.source) * map.channels + c..][..C];
                for i in 0..C {
                    sum[i] = s.add(s.load(&x[i], part), sum[i]);
                }
            }
        }
        for i in 0..C {
            s.store(s.mul(sum[i], share), &mut y[i], part);
        }
    }
}
