//! Max and average pooling; border elements take no part.

use super::lanes::{LANES, Lanes};
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
    fn run<S: Simd>(self, _: S) {
        let Self(map, source, dest) = self;
        dest.fill(Lanes::splat(f32::NEG_INFINITY));
        let mut pixels = dest.chunks_exact_mut(map.channels);
        for row in &map.rows {
            for (column, y) in map.columns.iter().zip(&mut pixels) {
                for r in row {
                    for c in column {
                        let x = &source[(r.source * map.width + c.source) * map.channels..][..map.channels];
                        for (x, y) in x.iter().zip(y.iter_mut()) {
                            for l in 0..LANES {
                                y.0[l] = if x.0[l] > y.0[l] { x.0[l] } else { y.0[l] };
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
    fn run<S: Simd>(self, _: S) {
        let Self(map, source, dest) = self;
        dest.fill(Lanes::ZERO);
        let mut pixels = dest.chunks_exact_mut(map.channels);
        for row in &map.rows {
            for (column, y) in map.columns.iter().zip(&mut pixels) {
                for r in row {
                    for c in column {
                        let x = &source[(r.source * map.width + c.source) * map.channels..][..map.channels];
                        for (x, y) in x.iter().zip(y.iter_mut()) {
                            for l in 0..LANES {
                                y.0[l] += x.0[l];
                            }
                        }
                    }
                }
                let count = (row.len() * column.len()) as f32;
                for y in y {
                    for y in &mut y.0 {
                        *y /= count;
                    }
                }
            }
        }
    }
}
