//! Gradients of weights and biases: sums over samples, and over the pixels that a weight sees.
//!
//! Each sum is made by one thread, over all groups of samples: held in registers while it runs, lane by lane, over
//! groups, rows and columns in rising order, and over the lanes only at the end. So a gradient costs one sum over
//! lanes, needs no memory for each thread, and has the same bits whatever the number of threads.

use crate::float::conv::Conv;
use crate::float::lanes::Lanes;
use crate::float::plan::Depth;
use crate::float::simd::{Kernel, Simd};
use crate::float::taps::Valid;

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
        let most = S::ACCUMULATORS / 4;
        for ky in 0..conv.rows.kernel {
            let rows = conv.rows.valid(ky);
            for kx in 0..conv.columns.kernel {
                let seen = Seen { rows, columns: conv.columns.valid(kx) };
                let tap = ky * conv.columns.kernel + kx;
                for run in runs {
                    let blocks = run.len.div_ceil(most);
                    for block in 0..blocks {
                        // Blocks of nearly equal width.
                        let k = run.len * block / blocks;
                        let wide = run.len * (block + 1) / blocks - k;
                        let at = tap * conv.depth + run.first + k;
                        let from = run.channel + k;
                        match (units, wide) {
                            (4, 6) => self.tile::<S, 4, 6>(s, &seen, from, at, 0),
                            (4, 5) => self.tile::<S, 4, 5>(s, &seen, from, at, 0),
                            (4, 4) => self.tile::<S, 4, 4>(s, &seen, from, at, 0),
                            (4, 3) => self.tile::<S, 4, 3>(s, &seen, from, at, 0),
                            (4, 2) => self.tile::<S, 4, 2>(s, &seen, from, at, 0),
                            (4, _) => self.tile::<S, 4, 1>(s, &seen, from, at, 0),
                            (_, 3) => {
                                for u in 0..units {
                                    self.tile::<S, 1, 3>(s, &seen, from, at, u);
                                }
                            }
                            (_, wide) => {
                                for u in 0..units {
                                    for i in 0..wide {
                                        self.tile::<S, 1, 1>(s, &seen, from + i, at + i, u);
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The outputs for which a tap is not border, and the inputs that it then reads.
struct Seen {
    rows: Valid,
    columns: Valid,
}

impl ConvWeights<'_> {
    /// Weights from the `at`-th on, `K` of `U` units from the `u`-th on; they read inputs from channel `from` on.
    #[inline(always)]
    fn tile<S: Simd, const U: usize, const K: usize>(
        &mut self,
        s: S,
        seen: &Seen,
        from: usize,
        at: usize,
        u: usize,
    ) {
        let conv = self.conv;
        let Seen { rows, columns } = seen;
        let (width, channels) = (usize::from(conv.x.w), usize::from(conv.x.c));
        let (wide, units) = (usize::from(conv.y.w), usize::from(conv.y.c));
        let x_step = conv.columns.stride * channels;
        let mut sums = [[Lanes::ZERO; K]; U];
        for part in 0..S::PARTS {
            let mut sum = [[s.zero(); K]; U];
            for sight in self.sights {
                for n in 0..rows.count {
                    let mut g_at = ((rows.first + n) * wide + columns.first) * units + self.unit + u;
                    let row = rows.input + n * conv.rows.stride;
                    let mut x_at = (row * width + columns.input) * channels + from;
                    for _ in 0..columns.count {
                        let g = &sight.g[g_at..g_at + U];
                        let x = &sight.x[x_at..x_at + K];
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
                        g_at += units;
                        x_at += x_step;
                    }
                }
            }
            for j in 0..U {
                for i in 0..K {
                    s.store(sum[j][i], &mut sums[j][i], part);
                }
            }
        }
        for j in 0..U {
            let gradient = &mut self.gradient[(u + j) * conv.fan_in() + at..][..K];
            for i in 0..K {
                gradient[i] = s.sum(&sums[j][i]);
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
        let (rows, columns) = (conv.rows.valid(self.row), conv.columns.valid(kx));
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
                for n in 0..rows.count {
                    let mut at = ((rows.first + n) * wide + columns.first) * all + d;
                    let row = rows.input + n * conv.rows.stride;
                    let mut from = (row * width + columns.input) * channels;
                    for _ in 0..columns.count {
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
            self.gradient[kx * all + d + c] = s.sum(&sums[c]);
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
    fn run<S: Simd>(self, s: S) {
        let shared = self.gradient.len();
        for (first, gradient) in self.gradient.iter_mut().enumerate() {
            let mut sums = Lanes::ZERO;
            for part in 0..S::PARTS {
                let mut sum = s.zero();
                for sight in self.sights {
                    for g in sight.g[first..].iter().step_by(shared) {
                        sum = s.add(sum, s.load(g, part));
                    }
                }
                s.store(sum, &mut sums, part);
            }
            *gradient = s.sum(&sums);
        }
    }
}
