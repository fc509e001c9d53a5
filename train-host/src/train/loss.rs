//! What is minimised, and its gradient.

use crate::float::lanes::{LANES, Lanes};
use crate::float::math;
use crate::float::pointwise::greatest;
use crate::float::simd::{Kernel, Simd};
use crate::recipe::Loss;

/// The loss of a group of samples. With `s` the share of smoothing, the target of K classes is `1 - s` on the
/// label plus `s / K` everywhere.
pub(crate) struct Score<'a> {
    /// Which loss.
    pub(crate) loss: Loss,
    /// Share of smoothing.
    pub(crate) smoothing: f32,
    /// Samples in the batch, over which the gradient is a mean.
    pub(crate) batch: usize,
    /// Samples in the group: the first lanes.
    pub(crate) count: usize,
    /// Their labels.
    pub(crate) labels: &'a [u16; LANES],
    /// The net's outputs, one for each class.
    pub(crate) outputs: &'a [Lanes],
    /// The gradient of the loss, which is 0 in the lanes without a sample; empty where none is wanted.
    pub(crate) gradient: &'a mut [Lanes],
}

/// What a group adds to the figures of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Sum of the samples' losses.
    pub(crate) loss: f64,
    /// Samples whose greatest output is that of their label.
    pub(crate) correct: usize,
    /// Samples.
    pub(crate) count: usize,
}

impl Tally {
    /// Adds another.
    pub(crate) fn add(&mut self, other: Tally) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.count += other.count;
    }

    /// Mean loss.
    pub(crate) fn mean_loss(&self) -> f64 {
        self.loss / self.count.max(1) as f64
    }

    /// Share of correct samples.
    pub(crate) fn accuracy(&self) -> f32 {
        self.correct as f32 / self.count.max(1) as f32
    }
}

impl Kernel for Score<'_> {
    type Output = Tally;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Tally {
        let x = self.outputs;
        let classes = x.len() as f32;
        let mask = Lanes::mask(self.count);
        let most = greatest(x);
        let spread = self.smoothing / classes;
        let mut losses = Lanes::ZERO;
        let label = self.labels.map(u32::from);
        match self.loss {
            Loss::CrossEntropy => {
                // log sum of exp(x - most), and the outputs' mean by the target.
                let (mut sum, mut mean) = (Lanes::ZERO, Lanes::ZERO);
                for (k, x) in x.iter().enumerate() {
                    for l in 0..LANES {
                        let target = spread + if label[l] == k as u32 { 1.0 - self.smoothing } else { 0.0 };
                        let x = x.0[l] - most.0[l];
                        sum.0[l] += math::exp(s, x);
                        mean.0[l] = s.fma1(target, x, mean.0[l]);
                    }
                }
                for l in 0..LANES {
                    losses.0[l] = math::ln(s, sum.0[l]) - mean.0[l];
                }
                let factor = Lanes(mask.0.map(|m| m / self.batch as f32));
                for (k, (x, g)) in x.iter().zip(self.gradient).enumerate() {
                    for l in 0..LANES {
                        let target = spread + if label[l] == k as u32 { 1.0 - self.smoothing } else { 0.0 };
                        let p = math::exp(s, x.0[l] - most.0[l]) / sum.0[l];
                        g.0[l] = (p - target) * factor.0[l];
                    }
                }
            }
            Loss::Mse => {
                for (k, x) in x.iter().enumerate() {
                    for l in 0..LANES {
                        let target = spread + if label[l] == k as u32 { 1.0 - self.smoothing } else { 0.0 };
                        let off = x.0[l] - target;
                        losses.0[l] = s.fma1(off, off, losses.0[l]);
                    }
                }
                losses = Lanes(losses.0.map(|loss| loss / classes));
                let factor = Lanes(mask.0.map(|m| 2.0 * m / (self.batch as f32 * classes)));
                for (k, (x, g)) in x.iter().zip(self.gradient).enumerate() {
                    for l in 0..LANES {
                        let target = spread + if label[l] == k as u32 { 1.0 - self.smoothing } else { 0.0 };
                        g.0[l] = (x.0[l] - target) * factor.0[l];
                    }
                }
            }
        }
        let mut tally = Tally { count: self.count, ..Tally::default() };
        for lane in 0..self.count {
            tally.loss += f64::from(losses.0[lane]);
            let first = x.iter().position(|x| x.0[lane] == most.0[lane]);
            tally.correct += usize::from(first == Some(self.labels[lane].into()));
        }
        tally
    }
}
