//! Batch normalisation while training (Ioffe and Szegedy, arXiv 1502.03167): statistics over the samples and pixels
//! of the whole batch, so forward and backward each take two turns, the groups of samples meeting in between.
//!
//! # Rounding
//! A group gives its own mean and squared deviations; groups are joined in their order in f64 (Chan, Golub and
//! LeVeque 1979), so that no large sums cancel and threads do not matter.

use crate::float::lanes::{LANES, Lanes};
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

/// Moments of each channel over the first `count` samples of a group.
pub(crate) struct Measure<'a> {
    /// Samples.
    pub(crate) count: usize,
    /// `[pixels][channels]`.
    pub(crate) x: &'a [Lanes],
    /// As many as channels.
    pub(crate) scratch: &'a mut [Lanes],
    /// One for each channel.
    pub(crate) moments: &'a mut [Moments],
}

impl Kernel for Measure<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let channels = self.moments.len();
        let mask = Lanes::mask(self.count);
        let pixels = self.x.len() / channels;
        let number = (pixels * self.count) as f32;
        let sums = &mut self.scratch[..channels];
        sums.fill(Lanes::ZERO);
        for x in self.x.chunks_exact(channels) {
            for (x, sum) in x.iter().zip(&mut *sums) {
                for l in 0..LANES {
                    sum.0[l] = s.fma1(x.0[l], mask.0[l], sum.0[l]);
                }
            }
        }
        // Means, then the deviations from them in the same memory: the mean stays in `moments`.
        for (moments, sum) in self.moments.iter_mut().zip(&mut *sums) {
            let mean = sum.sum() / number.max(1.0);
            *moments = Moments { count: number.into(), mean: mean.into(), square: 0.0 };
            *sum = Lanes::ZERO;
        }
        for x in self.x.chunks_exact(channels) {
            for ((x, sum), moments) in x.iter().zip(&mut *sums).zip(&*self.moments) {
                let mean = moments.mean as f32;
                for l in 0..LANES {
                    let off = (x.0[l] - mean) * mask.0[l];
                    sum.0[l] = s.fma1(off, off, sum.0[l]);
                }
            }
        }
        for (moments, sum) in self.moments.iter_mut().zip(sums) {
            moments.square = sum.sum().into();
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

/// Sums over a group of the output's gradient g, and of g times the normalised input.
pub(crate) struct Sums<'a> {
    /// One for each channel.
    pub(crate) norms: &'a [Norm],
    /// `[pixels][channels]`: the input.
    pub(crate) x: &'a [Lanes],
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
    fn run<S: Simd>(self, s: S) {
        let channels = self.norms.len();
        let (plain, times) = self.scratch[..2 * channels].split_at_mut(channels);
        plain.fill(Lanes::ZERO);
        times.fill(Lanes::ZERO);
        for (x, g) in self.x.chunks_exact(channels).zip(self.g.chunks_exact(channels)) {
            let sums = plain.iter_mut().zip(times.iter_mut());
            for (((x, g), (plain, times)), norm) in x.iter().zip(g).zip(sums).zip(self.norms) {
                for l in 0..LANES {
                    plain.0[l] += g.0[l];
                    times.0[l] = s.fma1(g.0[l], x.0[l] - norm.mean, times.0[l]);
                }
            }
        }
        for (((sums, plain), times), norm) in self.sums.iter_mut().zip(plain).zip(times).zip(self.norms) {
            *sums = [plain.sum(), times.sum() * norm.inverse];
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

/// `gamma / deviation * (g - mean of g - normalised x * mean of g times normalised x)`, written over or added to the
/// gradient of the input; lanes without a sample stay 0.
pub(crate) struct InputGradient<'a> {
    /// One for each channel.
    pub(crate) factors: &'a [Factors],
    /// Samples.
    pub(crate) count: usize,
    /// `[pixels][channels]`: the input.
    pub(crate) x: &'a [Lanes],
    /// Gradient of the output.
    pub(crate) g: &'a [Lanes],
    /// Add to what `dest` holds.
    pub(crate) add: bool,
    /// Gradient of the input.
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let channels = self.factors.len();
        let mask = Lanes::mask(self.count);
        let keep = if self.add { 1.0 } else { 0.0 };
        let pixels = self.x.chunks_exact(channels).zip(self.g.chunks_exact(channels));
        for ((x, g), dest) in pixels.zip(self.dest.chunks_exact_mut(channels)) {
            for (((x, g), dest), f) in x.iter().zip(g).zip(dest).zip(self.factors) {
                for l in 0..LANES {
                    let own = s.fma1(f.gradient, g.0[l], s.fma1(f.deviation, x.0[l] - f.mean, f.constant));
                    dest.0[l] = s.fma1(own, mask.0[l], keep * dest.0[l]);
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
            let (mut moments, mut scratch) = ([Moments::default(); 3], [Lanes::ZERO; 3]);
            Isa::best().run(Measure { count, x: &x, scratch: &mut scratch, moments: &mut moments });
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
