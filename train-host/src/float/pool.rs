//! Max and average pooling; border elements take no part.

use super::lanes::Lanes;
use super::simd::{Kernel, Simd};
use super::taps::Axis;

/// What a pooling reads and writes.
#[derive(Clone, Debug)]
pub(crate) struct PoolMap {
    /// Taps of each output row.
    pub(crate) rows: Axis,
    /// Taps of each output column.
    pub(crate) columns: Axis,
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
        dest.fill(Lanes::ZERO);
        let mut pixels = dest.chunks_exact_mut(map.channels);
        for row in &map.rows {
            for (column, y) in map.columns.iter().zip(&mut pixels) {
                for r in row {
                    for c in column {
                        let x = &source[(r.source * map.width + c.source) * map.channels..][..map.channels];
                        for (x, y) in x.iter().zip(y.iter_mut()) {
                            for part in 0..S::PARTS {
                                s.store(s.add(s.load(x, part), s.load(y, part)), y, part);
                            }
                        }
                    }
                }
                let share = s.splat(1.0 / (row.len() * column.len()) as f32);
                for y in y {
                    for part in 0..S::PARTS {
                        s.store(s.mul(s.load(y, part), share), y, part);
                    }
                }
            }
        }
    }
}
