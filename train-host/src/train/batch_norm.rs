//! Batch normalisation while training (Ioffe and Szegedy, arXiv 1502.03167): statistics over the samples and pixels
//! of the whole batch, so forward and backward each take two turns, the groups of samples meeting in between.
//!
//! # Rounding
//! A group gives its own mean and squared deviations; groups are joined in their order in f64 (Chan, Golub and
//! LeVeque 1979), so that no large sums cancel and threads do not matter.

use crate::float::lanes::Lanes;
use crate::float::simd::{Kernel, Simd};

/// Moments of one channel over some samples and pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    /// Number of values.
    pub(crate) count: f64,
    /// Their mean.
    pub(crate) mean: f64,
    /// Sum of squared deviations from the mean.
    pub(crate) square: f64,
}

impl Moments {
    /// Of both sets of values together.
    pub(crate) fn join(self, other: Moments) -> Moments {
        if other.count == 0.0 {
            return self;
        }
        let count = self.count + other.count;
        let off = other.mean - self.mean;
        Moments {
            count,
            mean: self.mean + off * (other.count / count),
            square: self.square + other.square + off * off * (self.count * other.count / count),
        }
    }
}

/// Channels that a kernel here sums at a time.
const BLOCK: usize = 6;

/// Moments of each channel over the first `count` samples of a group.
///
/// Values are summed as deviations from that of the first sample's first pixel, and so are their squares: one
/// reading suffices, and nothing large cancels as long as that value is not many deviations from the mean.
pub(crate) struct Measure<'a> {
    /// Samples.
    pub(crate) count: usize,
    /// `[pixels][channels]`.
    pub(crate) x: &'a [Lanes],
    /// One for each channel.
    pub(crate) moments: &'a mut [Moments],
}

impl Kernel for Measure<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let channels = self.moments.len();
        let mut c = 0;
        while c + BLOCK <= channels {
            self.block::<S, BLOCK>(s, c);
            c += BLOCK;
        }
        while c < channels {
            self.block::<S, 1>(s, c);
            c += 1;
        }
    }
}

impl Measure<'_> {
    /// `C` channels from `c` on.
    #[inline(always)]
    fn block<S: Simd, const C: usize>(&mut self, s: S, c: usize) {
        let channels = self.moments.len();
        let mask = Lanes::mask(self.count);
        let (mut sums, mut squares) = ([Lanes::ZERO; C], [Lanes::ZERO; C]);
        for part in 0..S::PARTS {
            let (mut sum, mut square) = ([s.zero(); C], [s.zero(); C]);
            let mut pivot = [s.zero(); C];
            for i in 0..C {
                pivot[i] = s.splat(self.x[c + i].0[0]);
            }
            for x in self.x.chunks_exact(channels) {
                let x = &x[c..c + C];
                for i in 0..C {
                    let off = s.sub(s.load(&x[i], part), pivot[i]);
                    sum[i] = s.add(sum[i], off);
                    square[i] = s.fma(off, off, square[i]);
                }
            }
            let mask = s.load(&mask, part);
            for i in 0..C {
                s.store(s.mul(sum[i], mask), &mut sums[i], part);
                s.store(s.mul(square[i], mask), &mut squares[i], part);
            }
        }
        let count = (self.x.len() / channels * self.count) as f64;
        for i in 0..C {
            let (sum, square) = (f64::from(s.sum(&sums[i])), f64::from(s.sum(&squares[i])));
            let (off, pivot) = (sum / count.max(1.0), f64::from(self.x[c + i].0[0]));
            self.moments[c + i] = Moments { count, mean: pivot + off, square: (square - off * sum).max(0.0) };
        }
    }
}

/// What a batch norm knows of a channel once the batch has met.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Norm {
    /// Mean over the batch.
    pub(crate) mean: f32,
    /// `1 / sqrt(variance + epsilon)`.
    pub(crate) inverse: f32,
}

/// The relu that is part of a batch norm, found again from the input: it passes where `scale * x + shift` is above 0.
#[derive(Clone, Copy)]
pub(crate) struct Gate<'a> {
    /// One for each channel.
    pub(crate) scale: &'a [f32],
    /// One for each channel.
    pub(crate) shift: &'a [f32],
}

impl Gate<'_> {
    /// `g` where the relu passes, else 0.
    #[inline(always)]
    fn pass<S: Simd>(&self, s: S, c: usize, x: S::V, g: S::V) -> S::V {
        s.where_positive(s.fma(x, s.splat(self.scale[c]), s.splat(self.shift[c])), g)
    }
}

/// Sums over a group of the output's gradient g, and of g times the normalised input; g as it comes through the relu
/// where there is one.
pub(crate) struct Sums<'a> {
    /// One for each channel.
    pub(crate) norms: &'a [Norm],
    /// `[pixels][channels]`: the input.
    pub(crate) x: &'a [Lanes],
    /// The relu, where there is one.
    pub(crate) gate: Option<Gate<'a>>,
    /// Gradient of the output.
    pub(crate) g: &'a [Lanes],
    /// Twice as many as channels.
    pub(crate) scratch: &'a mut [Lanes],
    /// Both sums of each channel.
    pub(crate) sums: &'a mut [[f32; 2]],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let channels = self.norms.len();
        self.scratch[..2 * channels].fill(Lanes::ZERO);
        let pixels = self.x.len() / channels;
        // The input comes from far away: a few pixels at a time are read in the order in which they lie.
        let fours = pixels / 4 * 4;
        for pixel in (0..fours).step_by(4) {
            self.block::<S, 4>(s, pixel);
        }
        for pixel in fours..pixels {
            self.block::<S, 1>(s, pixel);
        }
        let (plain, product) = self.scratch.split_at(channels);
        for (c, norm) in self.norms.iter().enumerate() {
            self.sums[c] = [s.sum(&plain[c]), s.sum(&product[c]) * norm.inverse];
        }
    }
}

impl Sums<'_> {
    /// `P` pixels from `pixel` on.
    #[inline(always)]
    fn block<S: Simd, const P: usize>(&mut self, s: S, pixel: usize) {
        let channels = self.norms.len();
        let (plain, product) = self.scratch[..2 * channels].split_at_mut(channels);
        let x: [&[Lanes]; P] = std::array::from_fn(|p| &self.x[(pixel + p) * channels..][..channels]);
        let g: [&[Lanes]; P] = std::array::from_fn(|p| &self.g[(pixel + p) * channels..][..channels]);
        for c in 0..channels {
            let mean = s.splat(self.norms[c].mean);
            for part in 0..S::PARTS {
                let (mut sum, mut times) = (s.load(&plain[c], part), s.load(&product[c], part));
                for p in 0..P {
                    let x = s.load(&x[p][c], part);
                    let mut own = s.load(&g[p][c], part);
                    if let Some(gate) = &self.gate {
                        own = gate.pass(s, c, x, own);
                    }
                    sum = s.add(sum, own);
                    times = s.fma(own, s.sub(x, mean), times);
                }
                s.store(sum, &mut plain[c], part);
                s.store(times, &mut product[c], part);
            }
        }
    }
}

/// The factors of one channel in [`InputGradient`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Factors {
    /// Of the output's gradient.
    pub(crate) gradient: f32,
    /// Of the input's deviation from its mean.
    pub(crate) deviation: f32,
    /// Added.
    pub(crate) constant: f32,
    /// The mean.
    pub(crate) mean: f32,
}

impl Factors {
    /// From a channel's gamma, its norm, both sums over the batch, and the number of values they are over.
    pub(crate) fn new(gamma: f32, norm: Norm, sums: [f32; 2], number: f64) -> Self {
        let scale = gamma * norm.inverse;
        let number = number as f32;
        Self {
            gradient: scale,
            deviation: -scale * norm.inverse * (sums[1] / number),
            constant: -scale * (sums[0] / number),
            mean: norm.mean,
        }
    }
}

/// `gamma / deviation * (g - mean of g - normalised x * mean of g times normalised x)`, written over g, which is first
/// taken through the relu where there is one; lanes without a sample are 0.
pub(crate) struct InputGradient<'a> {
    /// One for each channel.
    pub(crate) factors: &'a [Factors],
    /// Samples.
    pub(crate) count: usize,
    /// The relu, where there is one.
    pub(crate) gate: Option<Gate<'a>>,
    /// `[pixels][channels]`: the input.
    pub(crate) x: &'a [Lanes],
    /// Gradient of the output, then of the input.
    pub(crate) g: &'a mut [Lanes],
}

impl Kernel for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let channels = self.factors.len();
        let mask = Lanes::mask(self.count);
        for (x, g) in self.x.chunks_exact(channels).zip(self.g.chunks_exact_mut(channels)) {
            for c in 0..channels {
                let f = &self.factors[c];
                for part in 0..S::PARTS {
                    let x = s.load(&x[c], part);
                    let mut own = s.load(&g[c], part);
                    if let Some(gate) = &self.gate {
                        own = gate.pass(s, c, x, own);
                    }
                    let off = s.sub(x, s.splat(f.mean));
                    let rest = s.fma(s.splat(f.deviation), off, s.splat(f.constant));
                    let own = s.fma(s.splat(f.gradient), own, rest);
                    s.store(s.mul(own, s.load(&mask, part)), &mut g[c], part);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float::simd::Isa;

    #[test]
    fn moments_of_groups_join_to_those_of_the_batch() {
        let value = |pixel: usize, channel: usize, lane: usize| {
            100.0 * channel as f32 + libm::sinf((pixel * 37 + lane * 11 + channel) as f32)
        };
        let group = |pixels: usize, count: usize| {
            let x: Vec<Lanes> =
                (0..pixels * 3).map(|i| Lanes(std::array::from_fn(|l| value(i / 3, i % 3, l)))).collect();
            let mut moments = [Moments::default(); 3];
            Isa::best().run(Measure { count, x: &x, moments: &mut moments });
            moments
        };
        let (a, b, none) = (group(5, 16), group(5, 3), group(5, 0));
        for c in 0..3 {
            let joined = a[c].join(b[c]).join(none[c]);
            let all: Vec<f64> =
                (0..5).flat_map(|p| (0..16).chain(0..3).map(move |l| f64::from(value(p, c, l)))).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let square: f64 = all.iter().map(|x| (x - mean).powi(2)).sum();
            assert_eq!(joined.count, 95.0);
            assert!((joined.mean - mean).abs() < 1e-4 && (joined.square - square).abs() < 2e-3, "{joined:?}");
        }
    }
}
