//! The kernel of depthwise convolutions: every destination channel sums over taps of its own source channels only.
//!
//! `dest[y][x][d] = start + sum over (tap, i below inner) of weight[tap][d * inner + i] * source[row][column][s]`
//! with `s = (d * inner + i) / outer`.
//!
//! Forward, a multiplier of m makes `inner = 1` and `outer = m`; the gradient of the input has `inner = m` and
//! `outer = 1`. A block is 4 channels of up to 3 pixels, so that a broadcast weight serves three products.

use super::gather::Start;
use super::lanes::Lanes;
use super::simd::{Kernel, Simd};
use super::taps::{Axis, Columns};

/// What a depthwise sum reads and writes, without the numbers.
#[derive(Clone, Debug)]
pub(crate) struct DepthMap {
    /// Taps of each destination row.
    pub(crate) rows: Axis,
    /// Taps of the destination columns.
    pub(crate) columns: Vec<Columns>,
    /// Taps along a row.
    pub(crate) row_taps: usize,
    /// Columns and channels of the source.
    pub(crate) source: [usize; 2],
    /// Columns and channels of the destination.
    pub(crate) dest: [usize; 2],
    /// Source channels of a destination channel.
    pub(crate) inner: usize,
    /// Destination channels of a source channel.
    pub(crate) outer: usize,
}

/// A depthwise sum with its numbers.
pub(crate) struct Depthwise<'a> {
    /// What to read and write.
    pub(crate) map: &'a DepthMap,
    /// `[taps][d * inner]`.
    pub(crate) weights: &'a [f32],
    /// What the sums begin with.
    pub(crate) start: Start<'a>,
    /// Replace negative results by 0.
    pub(crate) relu: bool,
    /// Source elements, `[h][w][c]`.
    pub(crate) source: &'a [Lanes],
    /// Destination elements, `[h][w][c]`.
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for Depthwise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let map = self.map;
        let channels = map.dest[1];
        for y in 0..map.rows.len() {
            for columns in &map.columns {
                let mut d = 0;
                while d < channels {
                    match (channels - d >= 4, columns.count) {
                        (true, 3) => self.tile::<S, 4, 3>(s, y, columns, 0, d),
                        (true, count) => {
                            for n in 0..count {
                                self.tile::<S, 4, 1>(s, y, columns, n, d);
                            }
                        }
                        (false, count) => {
                            for n in 0..count {
                                self.tile::<S, 1, 1>(s, y, columns, n, d);
                            }
                        }
                    }
                    d += if channels - d >= 4 { 4 } else { 1 };
                }
            }
        }
    }
}

impl Depthwise<'_> {
    /// `C` channels from `d` on, in `P` columns from the `n`-th on.
    #[inline(always)]
    fn tile<S: Simd, const C: usize, const P: usize>(
        &mut self,
        s: S,
        y: usize,
        columns: &Columns,
        n: usize,
        d: usize,
    ) {
        let map = self.map;
        let [source_width, source_channels] = map.source;
        let [dest_width, dest_channels] = map.dest;
        let all = dest_channels * map.inner;
        let pixel = y * dest_width + columns.first + n * columns.step;
        let mut from = [0; C];
        for part in 0..S::PARTS {
            let mut sum = [[s.zero(); C]; P];
            for p in 0..P {
                let at = (pixel + p * columns.step) * dest_channels + d;
                for c in 0..C {
                    sum[p][c] = match self.start {
                        Start::Zero => s.zero(),
                        Start::Channel(bias) => s.splat(bias[d + c]),
                        Start::Unit(bias) => s.splat(bias[at + c]),
                        Start::Held => s.load(&self.dest[at + c], part),
                    };
                }
            }
            for i in 0..map.inner {
                for c in 0..C {
                    from[c] = if map.outer == 1 { (d + c) * map.inner + i } else { (d + c) / map.outer };
                }
                for row in &map.rows[y] {
                    for column in &columns.taps {
                        let tap = row.tap * map.row_taps + column.tap;
                        let weights = &self.weights[tap * all..][..all];
                        let pixel = row.source * source_width + column.source + n * columns.shift;
                        for c in 0..C {
                            let w = s.splat(weights[(d + c) * map.inner + i]);
                            for p in 0..P {
                                let at = (pixel + p * columns.shift) * source_channels + from[c];
                                sum[p][c] = s.fma(w, s.load(&self.source[at], part), sum[p][c]);
                            }
                        }
                    }
                }
            }
            for p in 0..P {
                let at = (pixel + p * columns.step) * dest_channels + d;
                for c in 0..C {
                    let y = if self.relu { s.max(sum[p][c], s.zero()) } else { sum[p][c] };
                    s.store(y, &mut self.dest[at + c], part);
                }
            }
        }
    }
}
