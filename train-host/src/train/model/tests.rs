//! Gradients are slopes of the loss, by finite differences; threads and instruction sets change no bit of a step.

use super::*;
use crate::float::LANES;
use crate::float::lanes::Lanes;
use crate::float::naive::Naive;
use crate::float::zoo;
use crate::train::dropout::{DropOut, keys};
use crate::train::feed::deal;

const SEED: u64 = 9;
const STEP: u64 = 3;

fn aim(loss: Loss, smoothing: f32) -> Aim {
    Aim { loss, smoothing, momentum: 0.1, seed: SEED }
}

struct Case {
    net: Net<Float>,
    dropout: Vec<(TensorId, f32)>,
    inputs: Vec<Vec<f64>>,
    labels: Vec<u16>,
    aim: Aim,
}

impl Case {
    fn new(net: Net<Float>, dropout: &[(u16, f32)], count: usize, aim: Aim) -> Self {
        let len = net.input_shape().len();
        let noise = zoo::noise(77, count * len);
        let inputs = noise.chunks(len).map(|x| x.iter().map(|&x| x.into()).collect()).collect();
        let classes = net.output_shape().len();
        let labels = (0..count).map(|i| ((i * 7 + i / 3) % classes) as u16).collect();
        let dropout = dropout.iter().map(|&(id, rate)| (TensorId(id), rate)).collect();
        Self { net, dropout, inputs, labels, aim }
    }

    fn model(&self, isa: Isa, threads: usize, rule: Option<Rule>) -> (Model, Tally) {
        let mut model = Model::new(self.net.clone(), &self.dropout, self.aim, isa).expect("trains");
        let mut groups: Vec<Group> =
            (0..self.inputs.len().div_ceil(LANES) + 1).map(|_| Group::new(&model)).collect();
        let groups = deal(&mut groups, self.inputs.len());
        let inputs: Vec<f32> = self.inputs.iter().flatten().map(|&x| x as f32).collect();
        let tally = model.step(&Team::new(threads), groups, STEP, rule, &|group| {
            let len = self.inputs[0].len();
            group.take(|place| (&inputs[place * len..][..len], self.labels[place], None));
        });
        (model, tally)
    }

    /// The oracle, with the elements dropped that the model drops.
    fn naive(&self) -> Naive<'_> {
        let mut naive = Naive::new(&self.net, true);
        for (index, &(id, rate)) in self.dropout.iter().enumerate() {
            let mut factors = Vec::new();
            for sample in 0..self.inputs.len() {
                let mut ones = vec![Lanes::splat(1.0); self.net.shape(id).len()];
                let keys = keys(SEED, STEP, index, sample);
                Isa::best().run(DropOut { keys: &keys, rate, elements: &mut ones });
                factors.push(ones.iter().map(|lanes| lanes.0[0].into()).collect());
            }
            naive.factors.push((id, factors));
        }
        naive
    }

    fn loss(&self, naive: &Naive<'_>) -> f64 {
        let mut output = self.net.output;
        if let Some(last) = self.net.nodes.last()
            && matches!((&last.op, self.aim.loss), (zipnet::ir::Op::Softmax, Loss::CrossEntropy))
        {
            output = last.inputs[0];
        }
        let outputs = &naive.run(&self.inputs)[output.at()];
        let smoothing = f64::from(self.aim.smoothing);
        let mut total = 0.0;
        for (x, &label) in outputs.iter().zip(&self.labels) {
            let classes = x.len() as f64;
            let target =
                |k: usize| smoothing / classes + if k == usize::from(label) { 1.0 - smoothing } else { 0.0 };
            total += match self.aim.loss {
                Loss::CrossEntropy => {
                    let sum: f64 = x.iter().map(|&x| libm::exp(x)).sum();
                    x.iter().enumerate().map(|(k, x)| target(k) * (libm::log(sum) - x)).sum::<f64>()
                }
                Loss::Mse => {
                    x.iter().enumerate().map(|(k, x)| (x - target(k)).powi(2)).sum::<f64>() / classes
                }
            };
        }
        total / self.inputs.len() as f64
    }

    /// Compares the loss, and gradients spread over every tensor, with central differences of the oracle.
    fn check(&self) {
        let mut naive = self.naive();
        let exact = self.loss(&naive);
        let about = format!("{} x {}", self.net.name, self.inputs.len());
        let (model, tally) = self.model(Isa::best(), 2, None);
        assert!((tally.mean_loss() - exact).abs() < 1e-5 * (1.0 + exact), "{about}: {tally:?} {exact}");
        for node in 0..self.net.nodes.len() {
            for part in 0..2 {
                let gradient = &model.gradients[node][part];
                let scale = gradient.iter().fold(1e-3, |most: f32, g| most.max(g.abs()));
                for i in (0..gradient.len()).step_by(gradient.len() / 41 + 1) {
                    let mut at = |off: f64| {
                        let numbers = &mut naive.nodes[node];
                        let all = if part == 0 { &mut numbers.weights } else { &mut numbers.bias };
                        let before = all[i];
                        all[i] += off;
                        let loss = self.loss(&naive);
                        let numbers = &mut naive.nodes[node];
                        let all = if part == 0 { &mut numbers.weights } else { &mut numbers.bias };
                        all[i] = before;
                        loss
                    };
                    let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
                    let off = (f64::from(gradient[i]) - slope).abs();
                    let name = &self.net.nodes[node].name;
                    assert!(
                        off < 1e-4 * f64::from(scale),
                        "{about} {name} {part} {i}: {} {slope}",
                        gradient[i]
                    );
                }
            }
        }
    }
}

#[test]
fn gradients_of_every_operator_are_slopes_of_the_loss() {
    for net in zoo::all() {
        Case::new(net.clone(), &[], 3, aim(Loss::CrossEntropy, 0.0)).check();
        Case::new(net, &[], 19, aim(Loss::Mse, 0.0)).check();
    }
}

#[test]
fn gradients_with_smoothing_dropout_and_softmax_are_slopes_of_the_loss() {
    let smooth = aim(Loss::CrossEntropy, 0.1);
    // Dropout of the input, after a relu, after a tanh, of a relu6, of the output.
    let places = [(0, 0.1), (2, 0.5), (4, 0.25), (8, 0.2), (9, 0.3), (2, 0.25)];
    Case::new(zoo::overlapping(), &places, 17, smooth).check();
    Case::new(zoo::branching(), &[(2, 0.3), (5, 0.3), (13, 0.5), (15, 0.2)], 5, smooth).check();
    let mut net = zoo::wide();
    let last = net.output;
    net.push("softmax", zipnet::ir::Op::Softmax, &[last], Default::default(), Default::default())
        .expect("fits");
    Case::new(net.clone(), &[], 4, smooth).check();
    Case::new(net, &[], 4, aim(Loss::Mse, 0.2)).check();
}

#[test]
fn threads_and_instruction_sets_change_no_bit() {
    let rule = Rule::Adamw { b1: 0.9, b2: 0.99, keep: 0.99, step: 0.1, root: 1.0, epsilon: 1e-8 };
    for net in zoo::all() {
        let case = Case::new(net, &[(2, 0.25)], 53, aim(Loss::CrossEntropy, 0.0));
        let (reference, tally) = case.model(Isa::best(), 1, Some(rule));
        let fused = Isa::all().len().max(2) - 1;
        for isa in Isa::all().into_iter().take(fused) {
            for threads in [1, 2, 3] {
                let (model, own) = case.model(isa, threads, Some(rule));
                assert_eq!(own, tally);
                for (a, b) in model.net.nodes.iter().zip(&reference.net.nodes) {
                    assert_eq!(a.store, b.store, "{} {isa:?} {threads}", a.name);
                }
                assert_eq!(model.gradients, reference.gradients);
            }
        }
        let moved = reference.net.nodes.iter().zip(&case.net.nodes);
        assert!(moved.clone().any(|(a, b)| a.store != b.store));
    }
}
