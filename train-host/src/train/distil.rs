//! Learning from another net: its outputs, softened, as targets beside the labels.
//!
//! With `x` the outputs of the net in training, `y` those of the teacher for the very same distorted sample, `T` the
//! temperature, `p = softmax(y / T)` and `q = softmax(x / T)`, the loss of a sample is
//!
//! ```text
//! (1 - weight) * cross_entropy(x, label) + weight * T^2 * sum(p * ln(p / q))
//! ```
//!
//! and what the second part adds to the gradient of `x` is `weight * T * (q - p)`. The factor of T^2 keeps the two
//! parts in proportion at any temperature. Source: Hinton, Vinyals and Dean 2015, arXiv 1503.02531, section 2.1.

use zipnet::ir::{Float, Op};

use crate::float::lanes::{LANES, Lanes, put};
use crate::float::math;
use crate::float::plan::{Numbers, Plan};
use crate::float::pointwise::greatest;
use crate::float::simd::{Isa, Kernel, Simd};
use crate::graph::{Net, show};
use crate::{Error, Result};

/// What a net is to imitate while it trains, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Distillation<'a> {
    /// The net to learn from. Its outputs are logits; a softmax at its end is left out.
    pub teacher: &'a Net<Float>,
    /// Divides logits before the softmax; above 0. The greater, the more the wrong classes' order counts.
    pub temperature: f32,
    /// Share of the imitation in the loss, 0 to 1; the rest is the labels'.
    pub weight: f32,
}

impl Distillation<'_> {
    /// Whether the numbers lie in their ranges and the teacher fits a net of that input and output.
    ///
    /// # Errors
    /// Names what does not fit.
    pub fn check(&self, net: &Net<Float>) -> Result<()> {
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(Error::new(format!("temperature is {}; it must be above 0", self.temperature)));
        }
        if !(0.0..=1.0).contains(&self.weight) {
            let weight = self.weight;
            return Err(Error::new(format!("the share of imitation is {weight}; it must be from 0 to 1")));
        }
        let (old, new) = (self.teacher, net);
        let input = old.input_shape().same(new.input_shape());
        if !input || old.output_shape().len() != new.output_shape().len() {
            return Err(Error::new(format!(
                "the net to learn from makes {} of {}, the one to train {} of {}",
                show(old.output_shape()),
                show(old.input_shape()),
                show(new.output_shape()),
                show(new.input_shape()),
            )));
        }
        Ok(())
    }
}

/// A net that is asked while another trains.
pub(crate) struct Teacher {
    plan: Plan,
    numbers: Vec<Numbers>,
    temperature: f32,
    weight: f32,
}

impl Teacher {
    /// The teacher of a distillation that passed its check.
    pub(crate) fn new(distillation: Distillation<'_>) -> Self {
        let mut net = distillation.teacher.clone();
        if let Some(last) = net.nodes.last()
            && matches!(last.op, Op::Softmax)
            && last.output == net.output
        {
            net.output = last.inputs[0];
            net.nodes.pop();
        }
        let plan = Plan::new(&net, Some(&[])); // as in training: relus are part of the operators before them
        let numbers = plan.numbers(&net);
        Self { plan, numbers, temperature: distillation.temperature, weight: distillation.weight }
    }

    /// Memory for one group of samples.
    pub(crate) fn memory(&self) -> Vec<Vec<Lanes>> {
        self.plan.memory()
    }

    /// Runs a group's samples, which lie back to back.
    pub(crate) fn ask(&self, isa: Isa, samples: &[f32], memory: &mut [Vec<Lanes>]) {
        put(samples, &mut memory[self.plan.input]);
        for step in &self.plan.steps {
            step.forward(isa, &self.numbers, memory);
        }
    }

    /// Blends imitation into the loss and the gradient of a group that were found from its labels. Returns the loss.
    pub(crate) fn blend(&self, isa: Isa, memory: &[Vec<Lanes>], loss: f64, on: Blended<'_>) -> f64 {
        let teacher = &memory[self.plan.output];
        let (temperature, weight) = (self.temperature, self.weight);
        let imitation = isa.run(Imitate { teacher, temperature, weight, on });
        f64::from(1.0 - weight) * loss + f64::from(weight) * imitation
    }
}

/// What imitation is blended into.
pub(crate) struct Blended<'a> {
    /// Samples in the batch, over which the gradient is a mean.
    pub(crate) batch: usize,
    /// Samples in the group: the first lanes.
    pub(crate) count: usize,
    /// Outputs of the net in training.
    pub(crate) outputs: &'a [Lanes],
    /// Gradient of the loss.
    pub(crate) gradient: &'a mut [Lanes],
}

/// Gives the sum of the samples' `T^2 * sum(p * ln(p / q))`, and adds its gradient.
struct Imitate<'a> {
    teacher: &'a [Lanes],
    temperature: f32,
    weight: f32,
    on: Blended<'a>,
}

impl Kernel for Imitate<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let Self { teacher: y, temperature, weight, on: Blended { batch, count, outputs: x, gradient } } =
            self;
        let (most_x, most_y) = (greatest(x), greatest(y));
        let inverse = 1.0 / temperature;
        let (mut sum_x, mut sum_y) = (Lanes::ZERO, Lanes::ZERO);
        for (x, y) in x.iter().zip(y) {
            for l in 0..LANES {
                sum_x.0[l] += math::exp(s, (x.0[l] - most_x.0[l]) * inverse);
                sum_y.0[l] += math::exp(s, (y.0[l] - most_y.0[l]) * inverse);
            }
        }
        let mask = Lanes::mask(count);
        let mut losses = Lanes::ZERO;
        for ((x, y), g) in x.iter().zip(y).zip(gradient) {
            for l in 0..LANES {
                let (x, y) = ((x.0[l] - most_x.0[l]) * inverse, (y.0[l] - most_y.0[l]) * inverse);
                let (q, p) = (math::exp(s, x) / sum_x.0[l], math::exp(s, y) / sum_y.0[l]);
                let apart = (y - math::ln(s, sum_y.0[l])) - (x - math::ln(s, sum_x.0[l]));
                losses.0[l] = s.fma1(p, apart, losses.0[l]);
                let soft = mask.0[l] * weight * temperature * (q - p) / batch as f32;
                g.0[l] = s.fma1(1.0 - weight, g.0[l], soft);
            }
        }
        let square = f64::from(temperature) * f64::from(temperature);
        losses.0[..count].iter().map(|&loss| square * f64::from(loss)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float::naive::Naive;
    use crate::float::team::Team;
    use crate::float::zoo;
    use crate::recipe::Loss;
    use crate::train::feed::deal;
    use crate::train::group::Group;
    use crate::train::model::{Aim, Model};

    /// The loss of outputs beside those of a teacher, by the definition.
    fn loss(x: &[Vec<f64>], y: &[Vec<f64>], labels: &[u16], t: f64, weight: f64) -> f64 {
        let soft = |x: &[f64], t: f64| -> Vec<f64> {
            let sum: f64 = x.iter().map(|&x| libm::exp(x / t)).sum();
            x.iter().map(|&x| libm::exp(x / t) / sum).collect()
        };
        let of = |((x, y), &label): ((&Vec<f64>, &Vec<f64>), &u16)| {
            let hard = -libm::log(soft(x, 1.0)[usize::from(label)]);
            let pairs = soft(x, t).into_iter().zip(soft(y, t));
            (1.0 - weight) * hard + weight * t * t * pairs.map(|(q, p)| p * libm::log(p / q)).sum::<f64>()
        };
        x.iter().zip(y).zip(labels).map(of).sum::<f64>() / x.len() as f64
    }

    #[test]
    fn gradients_of_imitation_are_slopes_of_the_loss() {
        let net = zoo::wide();
        let mut teacher = net.clone();
        for node in &mut teacher.nodes {
            node.store.weights.iter_mut().for_each(|w| *w = 1.3 * *w + 0.02);
        }
        // A softmax at the teacher's end is not part of what is imitated.
        let (last, shape) = (teacher.output, teacher.output_shape());
        teacher.push("softmax", Op::Softmax, &[last], Default::default(), Default::default()).expect("fits");
        let (count, len) = (19, net.input_shape().len());
        let noise = zoo::noise(3, count * len);
        let inputs: Vec<Vec<f64>> =
            noise.chunks(len).map(|x| x.iter().map(|&x| x.into()).collect()).collect();
        let labels: Vec<u16> = (0..count).map(|i| (i * 3 % shape.len()) as u16).collect();
        for (temperature, weight) in [(1.0, 1.0), (4.0, 0.7), (0.5, 0.3), (2.0, 0.0)] {
            let aim = Aim { loss: Loss::CrossEntropy, smoothing: 0.0, momentum: 0.1, seed: 1 };
            let distillation = Distillation { teacher: &teacher, temperature, weight };
            distillation.check(&net).expect("fits");
            let mut model = Model::new(net.clone(), &[], aim, Isa::best()).expect("trains");
            model.teacher = Some(Teacher::new(distillation));
            let mut groups: Vec<Group> = (0..2).map(|_| Group::new(&model)).collect();
            let tally = model.step(&Team::new(2), deal(&mut groups, count), 0, None, &|group| {
                group.take(|place| (&noise[place * len..][..len], labels[place], None));
            });

            let y = Naive::new(&teacher, false).run(&inputs).swap_remove(last.at());
            let mut naive = Naive::new(&net, true);
            let (t, w) = (f64::from(temperature), f64::from(weight));
            let exact = |naive: &Naive<'_>| loss(&naive.run(&inputs)[net.output.at()], &y, &labels, t, w);
            let off = (tally.mean_loss() - exact(&naive)).abs();
            assert!(off < 1e-5 * (1.0 + exact(&naive)), "T {t}: {tally:?} {}", exact(&naive));
            for node in 0..net.nodes.len() {
                let gradient = &model.gradients[node][0];
                let scale = gradient.iter().fold(1e-3, |most: f32, g| most.max(g.abs()));
                for i in (0..gradient.len()).step_by(gradient.len() / 23 + 1) {
                    let mut at = |off: f64| {
                        naive.nodes[node].weights[i] += off;
                        let loss = exact(&naive);
                        naive.nodes[node].weights[i] -= off;
                        loss
                    };
                    let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
                    let off = (f64::from(gradient[i]) - slope).abs();
                    assert!(
                        off < 1e-4 * f64::from(scale),
                        "T {t}, node {node}, {i}: {} {slope}",
                        gradient[i]
                    );
                }
            }
        }
    }

    #[test]
    fn a_teacher_that_does_not_fit_is_refused() {
        let net = zoo::wide();
        let refused = |teacher: &Net<Float>, temperature: f32, weight: f32| {
            Distillation { teacher, temperature, weight }
                .check(&net)
                .expect_err("must be refused")
                .to_string()
        };
        assert!(refused(&net, 0.0, 0.5).contains("temperature is 0"));
        assert!(refused(&net, f32::NAN, 0.5).contains("temperature is NaN"));
        assert!(refused(&net, 1.0, 1.5).contains("imitation is 1.5"));
        assert!(refused(&zoo::branching(), 1.0, 0.5).contains("of 8x7x3"));
    }
}
