//! What a step makes of a gradient.

use crate::float::simd::{Kernel, Simd};
use crate::recipe::Optimiser;

/// The constants of one step, the same for every parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// `v = momentum v + (g + decay w); w -= rate v`, with `v` in the first state.
    Sgd {
        /// Learning rate.
        rate: f32,
        /// Share of the velocity that stays.
        momentum: f32,
        /// Weight decay.
        decay: f32,
    },
    /// `m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w = keep w - step m / (sqrt(v) / root + epsilon)`, where
    /// `keep = 1 - rate decay`, `step = rate / (1 - b1^t)`, `root = sqrt(1 - b2^t)`.
    Adamw {
        /// Decay of the mean.
        b1: f32,
        /// Decay of the mean square.
        b2: f32,
        /// Share of the weight that stays.
        keep: f32,
        /// Rate over the bias correction of the mean.
        step: f32,
        /// Inverse root of the bias correction of the mean square.
        root: f32,
        /// Added to the denominator.
        epsilon: f32,
    },
}

impl Rule {
    /// The rule of step `t`, counted from 1, at a learning rate.
    pub(crate) fn new(optimiser: &Optimiser, rate: f32, t: u64) -> Self {
        match *optimiser {
            Optimiser::Sgd { momentum, weight_decay } => Rule::Sgd { rate, momentum, decay: weight_decay },
            Optimiser::Adamw { beta1, beta2, epsilon, weight_decay } => {
                let rest = |b: f32| 1.0 - libm::pow(b.into(), t as f64);
                Rule::Adamw {
                    b1: beta1,
                    b2: beta2,
                    keep: (1.0 - f64::from(rate) * f64::from(weight_decay)) as f32,
                    step: (f64::from(rate) / rest(beta1)) as f32,
                    root: (1.0 / rest(beta2).sqrt()) as f32,
                    epsilon,
                }
            }
        }
    }
}

/// Applies a rule to parameters; all slices have the same length.
pub(crate) struct Update<'a> {
    /// The rule of this step.
    pub(crate) rule: Rule,
    /// Gradients.
    pub(crate) gradient: &'a [f32],
    /// What the optimiser remembers, 0 before the first step.
    pub(crate) state: [&'a mut [f32]; 2],
    /// Parameters.
    pub(crate) parameters: &'a mut [f32],
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let [first, second] = self.state;
        let weights = self.parameters.iter_mut().zip(self.gradient);
        match self.rule {
            Rule::Sgd { rate, momentum, decay } => {
                for ((w, &g), v) in weights.zip(first) {
                    *v = s.fma1(momentum, *v, s.fma1(decay, *w, g));
                    *w = s.fma1(-rate, *v, *w);
                }
            }
            Rule::Adamw { b1, b2, keep, step, root, epsilon } => {
                for (((w, &g), m), v) in weights.zip(first).zip(second) {
                    *m = s.fma1(b1, *m, (1.0 - b1) * g);
                    *v = s.fma1(b2, *v, (1.0 - b2) * g * g);
                    *w = s.fma1(*w, keep, -step * *m / s.fma1(v.sqrt(), root, epsilon));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float::simd::Isa;

    fn run(optimiser: Optimiser, gradients: &[f32]) -> f32 {
        let (mut m, mut v, mut w) = ([0.0], [0.0], [1.0]);
        for (t, g) in gradients.iter().enumerate() {
            let rule = Rule::new(&optimiser, 0.1, t as u64 + 1);
            Isa::best().run(Update { rule, gradient: &[*g], state: [&mut m, &mut v], parameters: &mut w });
        }
        w[0]
    }

    #[test]
    fn sgd_keeps_its_velocity() {
        let sgd = Optimiser::Sgd { momentum: 0.5, weight_decay: 0.0 };
        assert!((run(sgd, &[1.0, 0.0]) - (1.0 - 0.1 - 0.05)).abs() < 1e-6);
        let decayed = Optimiser::Sgd { momentum: 0.0, weight_decay: 1.0 };
        assert!((run(decayed, &[0.0]) - 0.9).abs() < 1e-6);
    }

    #[test]
    fn the_first_step_of_adamw_has_the_length_of_the_rate() {
        let adamw = |weight_decay| Optimiser::Adamw { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay };
        for g in [1e-3, 1.0, 1e3] {
            assert!((run(adamw(0.0), &[g]) - 0.9).abs() < 1e-5, "{g}");
        }
        assert!((run(adamw(1.0), &[0.0]) - 0.9).abs() < 1e-6);
        // By hand: m = 0.09 + 0.1 * -2, v = 0.000999 + 0.004, both over 1 - b^2.
        let by_hand = 0.9 - 0.1 * (-0.11 / 0.19) / ((0.004_999f64 / 0.001_999).sqrt() + 1e-8);
        assert!((f64::from(run(adamw(0.0), &[1.0, -2.0])) - by_hand).abs() < 1e-5);
    }
}
