//! Runs a float net over any number of samples.

use zipnet::ir::{Float, TensorId};

use super::lanes::{LANES, Lanes, put, take};
use super::plan::{Numbers, Plan};
use super::simd::Isa;
use super::team::Team;
use crate::graph::Net;

/// A float net ready to run over samples: batch norms use their running statistics, nothing is dropped out.
pub struct Executor {
    plan: Plan,
    numbers: Vec<Numbers>,
    isa: Isa,
    team: Team,
    /// One for each thread.
    memory: Vec<Memory>,
    /// Slot and elements of every tensor.
    tensors: Vec<(TensorId, usize, usize)>,
}

impl Executor {
    /// Prepares a net that [`Net::check`] accepts, to run on `threads` threads (at least one).
    ///
    /// # Panics
    /// When the net is not legal.
    pub fn new(net: &Net<Float>, threads: usize) -> Self {
        Self::with_isa(net, threads, Isa::best())
    }

    pub(crate) fn with_isa(net: &Net<Float>, threads: usize, isa: Isa) -> Self {
        let plan = Plan::new(net, None);
        let team = Team::new(threads);
        let input = plan.slots[plan.slot_of[net.input.at()]].len;
        let memory = (0..team.threads())
            .map(|_| Memory { samples: vec![0.0; LANES * input], values: plan.memory() })
            .collect();
        let tensor = |i: usize| (TensorId(i as u16), plan.slot_of[i], plan.slots[plan.slot_of[i]].len);
        let tensors = (0..net.tensors.len()).filter(|&i| plan.slot_of[i] != usize::MAX).map(tensor).collect();
        Self { numbers: plan.numbers(net), plan, isa, team, memory, tensors }
    }

    /// Runs samples that lie back to back, `[h][w][c]` each, and leaves their outputs in `outputs` in the same way.
    /// The result of a sample does not depend on those around it, nor on the number of threads.
    ///
    /// # Panics
    /// When `inputs` is not a whole number of samples.
    pub fn forward(&mut self, inputs: &[f32], outputs: &mut Vec<f32>) {
        let Self { plan, numbers, isa, team, memory, .. } = self;
        let (x, y) = (plan.slots[plan.input].len, plan.slots[plan.output].len);
        assert!(inputs.len().is_multiple_of(x), "the inputs are not a whole number of samples");
        let samples = inputs.len() / x;
        outputs.clear();
        outputs.resize(samples * y, 0.0);
        let share = samples.div_ceil(LANES).div_ceil(memory.len()).max(1) * LANES;
        let (from, to) = (inputs.chunks(share * x), outputs.chunks_mut(share * y));
        let mut shares: Vec<_> = from.zip(to).zip(memory).collect();
        team.each(&mut shares, &|((inputs, outputs), memory)| {
            for (inputs, outputs) in inputs.chunks(LANES * x).zip(outputs.chunks_mut(LANES * y)) {
                memory.run(plan, numbers, *isa, inputs);
                take(&memory.values[plan.output], outputs);
            }
        });
    }

    /// Runs samples as [`Executor::forward`] does and shows every tensor, the net's input included: `f` is called
    /// again and again with a tensor and its values for some of the samples, `[h][w][c]` one after another, until
    /// it has seen every tensor of every sample, samples in their order.
    ///
    /// # Panics
    /// When `inputs` is not a whole number of samples.
    pub fn observe(&mut self, inputs: &[f32], f: &mut dyn FnMut(TensorId, &[f32])) {
        let Self { plan, numbers, isa, team, memory, tensors } = self;
        let x = plan.slots[plan.input].len;
        assert!(inputs.len().is_multiple_of(x), "the inputs are not a whole number of samples");
        let mut seen = Vec::new();
        for round in inputs.chunks(LANES * x * memory.len()) {
            let mut shares: Vec<_> = round.chunks(LANES * x).zip(&mut *memory).collect();
            team.each(&mut shares, &|(inputs, memory)| memory.run(plan, numbers, *isa, inputs));
            for (inputs, memory) in shares {
                for &(id, slot, len) in &*tensors {
                    seen.clear();
                    seen.resize(inputs.len() / x * len, 0.0);
                    take(&memory.values[slot], &mut seen);
                    f(id, &seen);
                }
            }
        }
    }
}

/// What a group of samples needs.
struct Memory {
    /// The samples, back to back.
    samples: Vec<f32>,
    /// Values of each slot.
    values: Vec<Vec<Lanes>>,
}

impl Memory {
    /// Runs up to [`LANES`] samples.
    fn run(&mut self, plan: &Plan, numbers: &[Numbers], isa: Isa, inputs: &[f32]) {
        self.samples[..inputs.len()].copy_from_slice(inputs);
        put(&self.samples, &mut self.values[plan.input]);
        for step in &plan.steps {
            step.forward(isa, numbers, &mut self.values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float::naive::Naive;
    use crate::float::zoo;

    fn samples(inputs: &[f32], len: usize) -> Vec<Vec<f64>> {
        inputs.chunks(len).map(|x| x.iter().map(|&x| x.into()).collect()).collect()
    }

    #[test]
    fn every_tensor_is_that_of_the_oracle_on_every_set() {
        for net in zoo::all() {
            net.check(0).expect("legal");
            let len = net.input_shape().len();
            let inputs = zoo::noise(5, 19 * len);
            let exact = Naive::new(&net, false).run(&samples(&inputs, len));
            let mut all = Vec::new();
            for isa in Isa::all() {
                let mut executor = Executor::with_isa(&net, 2, isa);
                let mut seen = vec![Vec::new(); net.tensors.len()];
                executor.observe(&inputs, &mut |id, values| seen[id.at()].extend_from_slice(values));
                for (id, (seen, exact)) in seen.iter().zip(&exact).enumerate() {
                    let exact: Vec<f64> = exact.concat();
                    assert_eq!(seen.len(), exact.len(), "{} tensor {id}", net.name);
                    for (i, (&y, exact)) in seen.iter().zip(exact).enumerate() {
                        let off = (f64::from(y) - exact).abs();
                        assert!(
                            off < 1e-5 * (1.0 + exact.abs()),
                            "{isa:?} {} {id} {i}: {y} {exact}",
                            net.name
                        );
                    }
                }
                all.push(seen);
            }
            // The last set is the one without fused multiply-add.
            all.truncate(all.len().max(2) - 1);
            assert!(all.iter().all(|seen| *seen == all[0]), "{}", net.name);
        }
    }

    #[test]
    fn a_sample_does_not_depend_on_its_company_or_on_threads() {
        let net = zoo::branching();
        let len = net.input_shape().len();
        let inputs = zoo::noise(6, 70 * len);
        let (mut all, mut one) = (Vec::new(), Vec::new());
        Executor::new(&net, 1).forward(&inputs, &mut all);
        assert_eq!(all.len(), 70 * 4);
        for threads in [2, 3, 8] {
            Executor::new(&net, threads).forward(&inputs, &mut one);
            assert_eq!(one, all);
        }
        let mut executor = Executor::new(&net, 2);
        for (input, output) in inputs.chunks(len).zip(all.chunks(4)) {
            executor.forward(input, &mut one);
            assert_eq!(one, output);
        }
        executor.forward(&[], &mut one);
        assert!(one.is_empty());
    }
}
