//! The kernel of convolutions and dense layers: every destination element is a sum over taps and source channels
//! of a weight times a source element.
//!
//! `dest[y][x][d] = start + sum over (tap, channel k) of weight(d, tap, k) * source[row][column][k]`
//!
//! A [`Map`] says which taps and channels; run forward it is a convolution (a dense layer is one of a single
//! pixel), and run with the windows turned round it is the gradient of its input.
//!
//! How it is fast:
//! 1. A block of destination elements is held in registers while the sum runs: 4 to 12 channels of 1 to 6 pixels. One
//!    load of a source element feeds all its products, weights come as broadcasts.
//! 2. Weights lie in quads, four destination channels side by side, so a block reads them in order.
//! 3. Border taps are not in the map, so none is multiplied.
//!
//! Every sum runs over rows, columns and channels in rising order whatever the block, so its bits do not depend on
//! how destinations were divided into blocks.

use super::lanes::Lanes;
use super::simd::{Kernel, Simd};
use super::taps::Patch;

/// Weights of four destination channels.
pub(crate) type Quad = [f32; 4];

/// What a gather reads and writes, without the numbers.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    /// Destination pixels and their taps.
    pub(crate) patches: Vec<Patch>,
    /// Channels of the source.
    pub(crate) source: usize,
    /// Channels of the destination.
    pub(crate) dest: usize,
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
        for patch in &map.patches {
            for group in &map.groups {
                let quads = group.dest.len() / 4;
                let mut quad = 0;
                while quad < quads {
                    let wide = match quads - quad {
                        1 => 1,
                        2 | 4 => 2,
                        _ => 3,
                    };
                    let mut block = Block { patch, group, quad, n: 0 };
                    if wide == 1 {
                        self.blocks::<S, 4, 4>(s, &mut block);
                        self.blocks::<S, 4, 2>(s, &mut block);
                        self.blocks::<S, 4, 1>(s, &mut block);
                    } else if wide == 2 {
                        self.blocks::<S, 8, 2>(s, &mut block);
                        self.blocks::<S, 8, 1>(s, &mut block);
                    } else {
                        self.blocks::<S, 12, 2>(s, &mut block);
                        self.blocks::<S, 12, 1>(s, &mut block);
                    }
                    quad += wide;
                }
            }
        }
    }
}

/// Some destination channels of some pixels.
struct Block<'a> {
    patch: &'a Patch,
    group: &'a Group,
    /// The first quad of channels.
    quad: usize,
    /// Pixels that are done.
    n: usize,
}

impl Gather<'_> {
    /// As many blocks of `C` channels and `P` pixels as there are pixels left for, unless a block would not fit the
    /// registers.
    #[inline(always)]
    fn blocks<S: Simd, const C: usize, const P: usize>(&mut self, s: S, block: &mut Block<'_>) {
        if P * C > S::ACCUMULATORS {
            return;
        }
        while block.n + P <= block.patch.count {
            self.tile::<S, C, P>(s, block);
            block.n += P;
        }
    }

    /// `C` destination channels of `P` pixels.
    #[inline(always)]
    fn tile<S: Simd, const C: usize, const P: usize>(&mut self, s: S, block: &Block<'_>) {
        let Block { patch, group, quad, n } = *block;
        let map = self.map;
        let channels = &group.dest[quad * 4..][..C];
        let step = patch.shift * map.source;
        let dest_step = patch.step * map.dest;
        let first = (patch.first + n * patch.step) * map.dest;
        let dest = &mut self.dest[first..first + (P - 1) * dest_step + map.dest];
        let weights = &self.weights[group.base + quad * map.quad_step..];
        let low = s.splat(if self.relu { 0.0 } else { f32::NEG_INFINITY });
        for part in 0..S::PARTS {
            let mut sum = [[s.zero(); P]; C];
            match self.start {
                Start::Zero => {}
                Start::Channel(bias) => {
                    for c in 0..C {
                        sum[c] = [s.splat(bias[channels[c]]); P];
                    }
                }
                Start::Unit(bias) => {
                    let bias = &bias[first..first + dest.len()];
                    for c in 0..C {
                        for p in 0..P {
                            sum[c][p] = s.splat(bias[p * dest_step + channels[c]]);
                        }
                    }
                }
                Start::Held => {
                    for c in 0..C {
                        for p in 0..P {
                            sum[c][p] = s.load(&dest[p * dest_step + channels[c]], part);
                        }
                    }
                }
            }
            for tap in &patch.taps {
                for run in &group.runs {
                    let from = (tap.source + n * patch.shift) * map.source + run.channel;
                    let source = &self.source[from..from + (P - 1) * step + run.len];
                    let mut at = tap.tap * map.tap_step + run.first * map.channel_step;
                    for k in 0..run.len {
                        let mut x = [s.zero(); P];
                        for p in 0..P {
                            x[p] = s.load(&source[k + p * step], part);
                        }
                        let mut quads = [&[0.0; 4]; 3];
                        for q in 0..C / 4 {
                            quads[q] = &weights[at + q * map.quad_step];
                        }
                        for c in 0..C {
                            let w = s.splat(quads[c / 4][c % 4]);
                            for p in 0..P {
                                sum[c][p] = s.fma(w, x[p], sum[c][p]);
                            }
                        }
                        at += map.channel_step;
                    }
                }
            }
            for c in 0..C {
                for p in 0..P {
                    s.store(s.max(sum[c][p], low), &mut dest[p * dest_step + channels[c]], part);
                }
            }
        }
    }
}
