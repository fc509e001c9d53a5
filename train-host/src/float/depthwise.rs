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
use super::taps::Patch;

/// What a depthwise sum reads and writes, without the numbers.
#[derive(Clone, Debug)]
pub(crate) struct DepthMap {
    /// Destination pixels and their taps.
    pub(crate) patches: Vec<Patch>,
    /// Channels of the source.
    pub(crate) source: usize,
    /// Channels of the destination.
    pub(crate) dest: usize,
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
        // Only where channels are one to one does a block of them lie side by side in the source.
        let fours = if map.inner == 1 && map.outer == 1 { map.dest / 4 * 4 } else { 0 };
        for patch in &map.patches {
            let mut n = 0;
            while n < patch.count {
                let wide = match patch.count - n {
                    1 => 1,
                    4 if S::ACCUMULATORS >= 16 => 4,
                    _ => 2,
                };
                for d in (0..fours).step_by(4) {
                    match wide {
                        1 => self.tile::<S, 4, 1>(s, patch, n, d),
                        2 => self.tile::<S, 4, 2>(s, patch, n, d),
                        _ => self.tile::<S, 4, 4>(s, patch, n, d),
                    }
                }
                for d in fours..map.dest {
                    for n in n..n + wide {
                        self.tile::<S, 1, 1>(s, patch, n, d);
                    }
                }
                n += wide;
            }
        }
    }
}

impl Depthwise<'_> {
    /// `C` channels from `d` on, of `P` pixels from the `n`-th on.
    #[inline(always)]
    fn tile<S: Simd, const C: usize, const P: usize>(&mut self, s: S, patch: &Patch, n: usize, d: usize) {
        let map = self.map;
        let step = patch.shift * map.source;
        let dest_step = patch.step * map.dest;
        let at = (patch.first + n * patch.step) * map.dest + d;
        let dest = &mut self.dest[at..at + (P - 1) * dest_step + C];
        let low = s.splat(if self.relu { 0.0 } else { f32::NEG_INFINITY });
        let all = map.dest * map.inner;
        for part in 0..S::PARTS {
            let mut sum = [[s.zero(); P]; C];
            match self.start {
                Start::Zero => {}
                Start::Channel(bias) => {
                    let bias = &bias[d..d + C];
                    for c in 0..C {
                        sum[c] = [s.splat(bias[c]); P];
                    }
                }
                Start::Unit(bias) => {
                    let bias = &bias[at..at + dest.len()];
                    for c in 0..C {
                        for p in 0..P {
                            sum[c][p] = s.splat(bias[p * dest_step + c]);
                        }
                    }
                }
                Start::Held => {
                    for c in 0..C {
                        for p in 0..P {
                            sum[c][p] = s.load(&dest[p * dest_step + c], part);
                        }
                    }
                }
            }
            for i in 0..map.inner {
                let first = d * map.inner + i;
                let channel = if map.outer == 1 { first } else { d / map.outer };
                for tap in &patch.taps {
                    let weights = &self.weights[tap.tap * all + first..][..C];
                    let from = (tap.source + n * patch.shift) * map.source + channel;
                    let source = &self.source[from..from + (P - 1) * step + C];
                    for c in 0..C {
                        let w = s.splat(weights[c]);
                        for p in 0..P {
                            sum[c][p] = s.fma(w, s.load(&source[p * step + c], part), sum[c][p]);
                        }
                    }
                }
            }
            for c in 0..C {
                for p in 0..P {
                    s.store(s.max(sum[c][p], low), &mut dest[p * dest_step + c], part);
                }
            }
        }
    }
}
