//! The kernel of convolutions and dense layers: every destination element is a sum over taps and source channels
//! of a weight times a source element.
//!
//! `dest[y][x][d] = start + sum over (tap, channel k) of weight(d, tap, k) * source[row][column][k]`
//!
//! A [`Map`] says which taps and channels; run forward it is a convolution (a dense layer is one of a single
//! pixel), and run with the windows turned round it is the gradient of its input.
//!
//! How it is fast:
//! 1. A block of destination elements is held in registers while the sum runs: up to 12 channels of one pixel, or
//!    4 channels of 3 pixels. One load of a source element feeds all its products, weights come as broadcasts.
//! 2. Weights lie in quads, four destination channels side by side, so a block reads them in order.
//! 3. Border taps are not in the map, so none is multiplied.
//!
//! Every sum runs over rows, columns and channels in rising order whatever the block, so its bits do not depend on
//! how destinations were divided into blocks.

use super::lanes::Lanes;
use super::simd::{Kernel, Simd};
use super::taps::{Axis, Columns};

/// Weights of four destination channels.
pub(crate) type Quad = [f32; 4];

/// What a gather reads and writes, without the numbers.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    /// Taps of each destination row.
    pub(crate) rows: Axis,
    /// Taps of the destination columns.
    pub(crate) columns: Vec<Columns>,
    /// Taps along a row: the tap of a pair is `row tap * row_taps + column tap`.
    pub(crate) row_taps: usize,
    /// Columns and channels of the source.
    pub(crate) source: [usize; 2],
    /// Columns and channels of the destination.
    pub(crate) dest: [usize; 2],
    /// Who sums what.
    pub(crate) groups: Vec<Group>,
    /// Step in the quads of weights from one quad of destination channels to the next.
    pub(crate) quad_step: usize,
    /// Step from one tap to the next.
    pub(crate) tap_step: usize,
    /// Step from one source channel to the next.
    pub(crate) channel_step: usize,
}

/// Destination channels that sum over the same source channels.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The first quad of weights.
    pub(crate) base: usize,
    /// Destination channels, four for each quad of weights. A quad that would be short repeats its last channel,
    /// weights and all, so that kernels need not know.
    pub(crate) dest: Vec<usize>,
    /// Source channels.
    pub(crate) runs: Vec<Run>,
}

/// Consecutive source channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// The first channel.
    pub(crate) channel: usize,
    /// Their number.
    pub(crate) len: usize,
    /// Which of the group's source channels the first is.
    pub(crate) first: usize,
}

/// Channels for [`Group::dest`]: filled up to a multiple of 4 with the last.
pub(crate) fn fours(mut channels: Vec<usize>) -> Vec<usize> {
    let last = channels[channels.len() - 1];
    channels.resize(channels.len().next_multiple_of(4), last);
    channels
}

/// `len` channels from `start` on, wrapping round after the last of `channels`.
pub(crate) fn wrapped(start: usize, len: usize, channels: usize) -> Vec<Run> {
    let before = len.min(channels - start);
    let mut runs = vec![Run { channel: start, len: before, first: 0 }];
    if len > before {
        runs.push(Run { channel: 0, len: len - before, first: before });
    }
    runs
}

/// What a sum begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a> {
    /// Nothing.
    Zero,
    /// One number for each destination channel.
    Channel(&'a [f32]),
    /// One number for each destination element.
    Unit(&'a [f32]),
    /// What the destination already holds.
    Held,
}

/// A gather with its numbers.
pub(crate) struct Gather<'a> {
    /// What to read and write.
    pub(crate) map: &'a Map,
    /// See [`Map`] for their order.
    pub(crate) weights: &'a [Quad],
    /// What the sums begin with.
    pub(crate) start: Start<'a>,
    /// Replace negative results by 0.
    pub(crate) relu: bool,
    /// Source elements, `[h][w][c]`.
    pub(crate) source: &'a [Lanes],
    /// Destination elements, `[h][w][c]`.
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let map = self.map;
        for group in &map.groups {
            let quads = group.dest.len() / 4;
            for y in 0..map.rows.len() {
                let mut quad = 0;
                while quad < quads {
                    let wide = match quads - quad {
                        1 => 1,
                        2 | 4 => 2,
                        _ => 3,
                    };
                    for columns in &map.columns {
                        match (wide, columns.count) {
                            (1, 1) => self.tile::<S, 1, 1>(s, group, y, columns, 0, quad),
                            (1, 2) => self.tile::<S, 1, 2>(s, group, y, columns, 0, quad),
                            (1, _) => self.tile::<S, 1, 3>(s, group, y, columns, 0, quad),
                            (2, count) => {
                                for n in 0..count {
                                    self.tile::<S, 2, 1>(s, group, y, columns, n, quad);
                                }
                            }
                            (_, count) => {
                                for n in 0..count {
                                    self.tile::<S, 3, 1>(s, group, y, columns, n, quad);
                                }
                            }
                        }
                    }
                    quad += wide;
                }
            }
        }
    }
}

impl Gather<'_> {
    /// `Q` quads of destination channels from `quad` on, in `P` columns from the `n`-th on.
    #[inline(always)]
    fn tile<S: Simd, const Q: usize, const P: usize>(
        &mut self,
        s: S,
        group: &Group,
        y: usize,
        columns: &Columns,
        n: usize,
        quad: usize,
    ) {
        let map = self.map;
        let [source_width, source_channels] = map.source;
        let [dest_width, dest_channels] = map.dest;
        let channels = &group.dest[quad * 4..][..Q * 4];
        let pixel = y * dest_width + columns.first + n * columns.step;
        let step = columns.shift * source_channels;
        for part in 0..S::PARTS {
            let mut sum = [[[s.zero(); 4]; Q]; P];
            for p in 0..P {
                let at = (pixel + p * columns.step) * dest_channels;
                for q in 0..Q {
                    for j in 0..4 {
                        let channel = channels[q * 4 + j];
                        sum[p][q][j] = match self.start {
                            Start::Zero => s.zero(),
                            Start::Channel(bias) => s.splat(bias[channel]),
                            Start::Unit(bias) => s.splat(bias[at + channel]),
                            Start::Held => s.load(&self.dest[at + channel], part),
                        };
                    }
                }
            }
            for row in &map.rows[y] {
                for column in &columns.taps {
                    let tap = row.tap * map.row_taps + column.tap;
                    let base = group.base + quad * map.quad_step + tap * map.tap_step;
                    let pixel = row.source * source_width + column.source + n * columns.shift;
                    for run in &group.runs {
                        let mut at = base + run.first * map.channel_step;
                        let from = pixel * source_channels + run.channel;
                        let source = &self.source[from..from + (P - 1) * step + run.len];
                        for k in 0..run.len {
                            let mut x = [s.zero(); P];
                            for p in 0..P {
                                x[p] = s.load(&source[k + p * step], part);
                            }
                            for q in 0..Q {
                                let weights = &self.weights[at + q * map.quad_step];
                                for j in 0..4 {
                                    let w = s.splat(weights[j]);
                                    for p in 0..P {
                                        sum[p][q][j] = s.fma(w, x[p], sum[p][q][j]);
                                    }
                                }
                            }
                            at += map.channel_step;
                        }
                    }
                }
            }
            for p in 0..P {
                let at = (pixel + p * columns.step) * dest_channels;
                for q in 0..Q {
                    for j in 0..4 {
                        let y = if self.relu { s.max(sum[p][q][j], s.zero()) } else { sum[p][q][j] };
                        s.store(y, &mut self.dest[at + channels[q * 4 + j]], part);
                    }
                }
            }
        }
    }
}
