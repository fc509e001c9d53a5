//! Gradients of weights and biases: sums over samples, and over the pixels that a weight sees.
//!
//! Each sum is made by one thread, over all groups of samples: held in registers while it runs, lane by lane, over
//! groups, rows and columns in rising order, and over the lanes only at the end. So a gradient costs one sum over
//! lanes, needs no memory for each thread, and has the same bits whatever the number of threads.

use crate::float::conv::Conv;
use crate::float::gather::Run;
use crate::float::lanes::{LANES, Lanes};
use crate::float::plan::Depth;
use crate::float::simd::{Kernel, Simd};

/// A tensor and its gradient of one group of samples.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    /// What the operator read.
    pub(crate) x: &'a [Lanes],
    /// The gradient of what it wrote.
    pub(crate) g: &'a [Lanes],
}

/// Weights of up to four units of a convolution: `[units][fan in]`.
pub(crate) struct ConvWeights<'a> {
    /// The convolution.
    pub(crate) conv: &'a Conv,
    /// One for each group of samples.
    pub(crate) sights: &'a [Sight<'a>],
    /// The first unit.
    pub(crate) unit: usize,
    /// The sums.
    pub(crate) gradient: &'a mut [f32],
}

impl Kernel for ConvWeights<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let conv = self.conv;
        let units = self.gradient.len() / conv.fan_in();
        let runs = &conv.runs[self.unit / conv.each()];
        for ky in 0..conv.rows.kernel {
            for kx in 0..conv.columns.kernel {
                for run in runs {
                    let mut k = 0;
                    while k < run.len {
                        let wide = (run.len - k).min(3);
                        match (units, wide) {
                            (4, 3) => self.tile::<S, 4, 3>(s, ky, kx, run, k, 0),
                            (4, 2) => self.tile::<S, 4, 2>(s, ky, kx, run, k, 0),
                            (4, _) => self.tile::<S, 4, 1>(s, ky, kx, run, k, 0),
                            (_, 3) => {
                                for u in 0..units {
                                    self.tile::<S, 1, 3>(s, ky, kx, run, k, u);
                                }
                            }
                            (_, wide) => {
                                for u in 0..units {
                                    for i in 0..wide {
                                        self.tile::<S, 1, 1>(s, ky, kx, run, k + i, u);
                                    }
                                }
                            }
                        }
                        k += wide;
                    }
                }
            }
        }
    }
}

impl ConvWeights<'_> {
    /// `U` units from the `u`-th on, times `K` weights of a tap from the `k`-th of a run on.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn tile<S: Simd, const U: usize, const K: usize>(
        &mut self,
        s: S,
        ky: usize,
        kx: usize,
        run: &Run,
        k: usize,
        u: usize,
    ) {
        let conv = self.conv;
        let (rows, first_row) = conv.rows.valid(ky);
        let (columns, first_column) = conv.columns.valid(kx);
        let (width, channels) = (usize::from(conv.x.w), usize::from(conv.x.c));
        let (wide, units) = (usize::from(conv.y.w), usize::from(conv.y.c));
        let mut sums = [[Lanes::ZERO; K]; U];
        for part in 0..S::PARTS {
            let mut sum = [[s.zero(); K]; U];
            for sight in self.sights {
                for (n, y) in rows.clone().enumerate() {
                    let mut at = (y * wide + columns.start) * units + self.unit + u;
                    let row = first_row + n * conv.rows.stride;
                    let mut from = (row * width + first_column) * channels + run.channel + k;
                    for _ in columns.clone() {
                        let g = &sight.g[at..at + U];
                        let x = &sight.x[from..from + K];
                        let mut a = [s.zero(); K];
                        for i in 0..K {
                            a[i] = s.load(&x[i], part);
                        }
                        for j in 0..U {
                            let b = s.load(&g[j], part);
                            for i in 0..K {
                                sum[j][i] = s.fma(a[i], b, sum[j][i]);
                            }
                        }
                        at += units;
                        from += conv.columns.stride * channels;
                    }
                }
            }
            for j in 0..U {
                for i in 0..K {
                    s.store(sum[j][i], &mut sums[j][i], part);
                }
            }
        }
        let at = (ky * conv.columns.kernel + kx) * conv.depth + run.first + k;
        for j in 0..U {
            for i in 0..K {
                self.gradient[(u + j) * conv.fan_in() + at + i] = sums[j][i].sum();
            }
        }
    }
}

/// Weights of a depthwise convolution: `[taps][channels]`, the taps of one row.
pub(crate) struct DepthWeights<'a> {
    /// The convolution.
    pub(crate) conv: &'a Depth,
    /// One for each group of samples.
    pub(crate) sights: &'a [Sight<'a>],
    /// The row of taps.
    pub(crate) row: usize,
    /// The sums.
    pub(crate) gradient: &'a mut [f32],
}

impl Kernel for DepthWeights<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let channels = usize::from(self.conv.y.c);
        for kx in 0..self.conv.columns.kernel {
            let mut d = 0;
            while d < channels {
                if channels - d >= 4 {
                    self.tile::<S, 4>(s, kx, d);
                    d += 4;
                } else {
                    self.tile::<S, 1>(s, kx, d);
                    d += 1;
                }
            }
        }
    }
}

impl DepthWeights<'_> {
    /// `C` channels from `d` on, for one tap.
    #[inline(always)]
    fn tile<S: Simd, const C: usize>(&mut self, s: S, kx: usize, d: usize) {
        let conv = self.conv;
        let (rows, first_row) = conv.rows.valid(self.row);
        let (columns, first_column) = conv.columns.valid(kx);
        let (width, channels) = (usize::from(conv.x.w), usize::from(conv.x.c));
        let (wide, all) = (usize::from(conv.y.w), usize::from(conv.y.c));
        let mut source = [0; C];
        for c in 0..C {
            source[c] = (d + c) / conv.multiplier;
        }
        let mut sums = [Lanes::ZERO; C];
        for part in 0..S::PARTS {
            let mut sum = [s.zero(); C];
            for sight in self.sights {
                for (n, y) in rows.clone().enumerate() {
                    let mut at = (y * wide + columns.start) * all + d;
                    let row = first_row + n * conv.rows.stride;
                    let mut from = (row * width + first_column) * channels;
                    for _ in columns.clone() {
                        let g = &sight.g[at..at + C];
                        let x = &sight.x[from..from + channels];
                        for c in 0..C {
                            sum[c] = s.fma(s.load(&x[source[c]], part), s.load(&g[c], part), sum[c]);
                        }
                        at += all;
                        from += conv.columns.stride * channels;
                    }
                }
            }
            for c in 0..C {
                s.store(sum[c], &mut sums[c], part);
            }
        }
        for c in 0..C {
            self.gradient[kx * all + d + c] = sums[c].sum();
        }
    }
}

/// Biases: the sum of the output's gradient over the samples, and over all pixels that share the bias.
pub(crate) struct Biases<'a> {
    /// One for each group of samples.
    pub(crate) sights: &'a [Sight<'a>],
    /// The sums: one for each channel, or for each element.
    pub(crate) gradient: &'a mut [f32],
}

impl Kernel for Biases<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let shared = self.gradient.len();
        for (first, gradient) in self.gradient.chunks_mut(4).enumerate() {
            let mut sums = [Lanes::ZERO; 4];
            for sight in self.sights {
                for g in sight.g.chunks_exact(shared) {
                    let g = &g[first * 4..][..gradient.len()];
                    for (sum, g) in sums.iter_mut().zip(g) {
                        for l in 0..LANES {
                            sum.0[l] += g.0[l];
                        }
                    }
                }
            }
            for (gradient, sum) in gradient.iter_mut().zip(&sums) {
                *gradient = sum.sum();
            }
        }
    }
}
