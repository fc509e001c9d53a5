//! An int8 net in training beside the engine, and its gradients beside the definition.

use zipnet::ir::{Bias, Op, Shape};

use super::*;
use crate::build::build;
use crate::eval::quantise_input;
use crate::float::lanes::LANES;
use crate::float::naive::{self, operator};
use crate::float::team::Team;
use crate::float::zoo;
use crate::quantise::naive::{Author, dense, every_operator, random_net};
use crate::quantise::quantise;
use crate::recipe::{Loss, Quantise, Recipe};
use crate::train::feed::deal;
use crate::train::group::Group;
use crate::train::model::Aim;
use crate::train::optimiser::Rule;

/// A net, and samples of it with labels.
struct Case {
    net: Net<Float>,
    inputs: Vec<f32>,
    labels: Vec<u16>,
    loss: Loss,
    bits: u8,
}

impl Case {
    fn new(net: Net<Float>, bits: u8, count: usize, loss: Loss) -> Self {
        let len = net.input_shape().len();
        let classes = net.output_shape().len();
        let labels = (0..count).map(|i| ((i * 7 + i / 3) % classes) as u16).collect();
        Self { inputs: zoo::noise(77, count * len), labels, loss, bits, net }
    }

    fn origin(&self) -> f32 {
        self.net.tensors[self.net.input.at()].meta.origin
    }

    fn start(&self) -> Quantised {
        let spec = Quantise { bits: self.bits, ..Quantise::default() };
        quantise(&self.net, &spec, &self.inputs, 1).expect("quantises")
    }

    /// The int8 net in training; `None` where there is nothing to train.
    fn model(&self, start: &Quantised, isa: Isa) -> Option<Model> {
        let aim = Aim { loss: self.loss, smoothing: 0.0, momentum: 0.1, seed: 1 };
        let mut model = Model::new(master(start).expect("is a net"), &[], aim, isa).ok()?;
        Aware::begin(&mut model, start, self.origin()).expect("begins");
        Some(model)
    }

    fn groups(&self, model: &Model) -> Vec<Group> {
        (0..self.labels.len().div_ceil(LANES)).map(|_| Group::new(model)).collect()
    }

    fn take(&self, group: &mut Group) {
        let len = self.net.input_shape().len();
        group.take(|place| (&self.inputs[place * len..][..len], self.labels[place], None));
    }

    fn step(&self, model: &mut Model, threads: usize, rule: Option<Rule>) -> f64 {
        let mut groups = self.groups(model);
        let groups = deal(&mut groups, self.labels.len());
        model.step(&Team::new(threads), groups, 0, rule, &|group| self.take(group)).mean_loss()
    }

    /// What the engine makes of the samples: `[sample][node]`.
    fn engine(&self, int: &Quantised) -> Vec<Vec<Vec<i8>>> {
        let inputs = quantise_input(&int.net, self.origin(), &self.inputs);
        int.net
            .with_runner(|runner| {
                let mut arena = vec![0; runner.arena_len()];
                let samples = inputs.chunks(self.net.input_shape().len());
                let run = samples.map(|input| {
                    let mut seen = Vec::new();
                    runner.observe(&mut arena, input, |_, values| seen.push(values.to_vec())).expect("runs");
                    seen
                });
                Ok(run.collect())
            })
            .expect("legal")
    }

    /// Compares every tensor of the model with the engine's.
    fn equals_the_engine(&self, model: &Model, int: &Quantised) {
        let engine = self.engine(int);
        let mut groups = self.groups(model);
        for (g, group) in deal(&mut groups, self.labels.len()).iter_mut().enumerate() {
            self.take(group);
            group.enter(model);
            for step in &model.plan.steps {
                group.compute(model, step);
                let node = &int.net.nodes[step.node];
                let zero = f32::from(int.net.tensors[node.output.at()].meta.zero);
                for lane in 0..group.count {
                    let steps = group.values[step.writes].iter().map(|y| y.0[lane]);
                    let wanted = engine[g * LANES + lane][step.node].iter().map(|&q| f32::from(q) - zero);
                    assert!(
                        steps.clone().eq(wanted.clone()),
                        "{} {}: {:?} {:?}",
                        self.net.name,
                        node.name,
                        steps.collect::<Vec<_>>(),
                        wanted.collect::<Vec<_>>()
                    );
                }
            }
        }
    }

    /// Before and after a step that moves every weight.
    fn holds(&self) -> bool {
        let start = self.start();
        for isa in Isa::all() {
            let Some(mut model) = self.model(&start, isa) else { return false };
            let first = finish(start.clone(), self.origin(), &model.net).expect("fits");
            for (made, begun) in first.net.nodes.iter().zip(&start.net.nodes) {
                assert!(
                    made.store.weights == begun.store.weights,
                    "{} begins as it was quantised",
                    begun.name
                );
                // A bias in f32 has 24 bits.
                let mut biases = made.store.bias.iter().zip(&begun.store.bias);
                assert!(biases.all(|(a, b)| a.abs_diff(*b) < 8), "{} begins as it was quantised", begun.name);
            }
            self.equals_the_engine(&model, &first);
            let rule = Rule::Adamw { b1: 0.9, b2: 0.99, keep: 1.0, step: 0.02, root: 1.0, epsilon: 1e-8 };
            self.step(&mut model, 2, Some(rule));
            let moved = finish(start.clone(), self.origin(), &model.net).expect("fits");
            assert!(moved.net.nodes.iter().zip(&start.net.nodes).any(|(a, b)| a.store != b.store));
            self.equals_the_engine(&model, &moved);
        }
        true
    }

    /// The loss where every operator is the line through what the int8 net makes that the float operator is at that
    /// place, level where an output is cut: what passing straight through means. `shift` is added to number `at` of node
    /// and part.
    fn straight(&self, real: &Made, at: (usize, usize, usize), shift: f64) -> f64 {
        let mut total = 0.0;
        let int = &real.int.net;
        for (sample, &label) in self.labels.iter().enumerate() {
            let base = &real.tensors[sample];
            let mut values = base.clone();
            for (i, node) in int.nodes.iter().enumerate() {
                let shapes: Vec<Shape> = node.inputs.iter().map(|&id| int.shape(id)).collect();
                let y = int.shape(node.output);
                let mut numbers = real.numbers[i].clone();
                let of = |values: &[Vec<f64>], numbers: &naive::Numbers| {
                    // The first of equal elements is the greatest.
                    let later = if matches!(node.op, Op::MaxPool2d(_)) { 1e-6 } else { 0.0 };
                    let ordered =
                        |x: &[f64]| x.iter().enumerate().map(|(i, x)| x - later * i as f64).collect();
                    let x: Vec<Vec<f64>> = node.inputs.iter().map(|id| ordered(&values[id.at()])).collect();
                    let x: Vec<&[f64]> = x.iter().map(|x| &x[..]).collect();
                    operator(&node.op, &x, &shapes, y, numbers, 0.0)
                };
                let (x0, y0) = (&base[node.inputs[0].at()], &base[node.output.at()]);
                let dx: Vec<f64> = values[node.inputs[0].at()].iter().zip(x0).map(|(a, b)| a - b).collect();
                let made: Vec<f64> = match &node.op {
                    Op::Tanh => y0.iter().zip(&dx).map(|(y, d)| d * (1.0 - y * y)).collect(),
                    Op::Softmax => {
                        let n = usize::from(y.c);
                        let pixel = |(y, d): (&[f64], &[f64])| {
                            let mean: f64 = y.iter().zip(d).map(|(y, d)| y * d).sum();
                            y.iter().zip(d).map(|(y, d)| y * (d - mean)).collect::<Vec<_>>()
                        };
                        y0.chunks(n).zip(dx.chunks(n)).flat_map(pixel).collect()
                    }
                    _ => {
                        let before = of(base, &numbers);
                        if at.0 == i {
                            let all = if at.1 == 0 { &mut numbers.weights } else { &mut numbers.bias };
                            all[at.2] += shift;
                        }
                        of(&values, &numbers).iter().zip(before).map(|(a, b)| a - b).collect()
                    }
                };
                let open = |(i, d): (usize, f64)| {
                    y0[i] + if real.cut[sample][node.output.at()][i] { 0.0 } else { d }
                };
                values[node.output.at()] = made.into_iter().enumerate().map(open).collect();
            }
            let mut output = int.output;
            if let (Some(last), Loss::CrossEntropy) = (int.nodes.last(), self.loss)
                && matches!(last.op, Op::Softmax)
            {
                output = last.inputs[0];
            }
            let x = &values[output.at()];
            total += match self.loss {
                Loss::CrossEntropy => {
                    libm::log(x.iter().map(|&x| libm::exp(x)).sum::<f64>()) - x[usize::from(label)]
                }
                Loss::Mse => {
                    let target = |k: usize| f64::from(u8::from(k == usize::from(label)));
                    x.iter().enumerate().map(|(k, x)| (x - target(k)).powi(2)).sum::<f64>() / x.len() as f64
                }
            };
        }
        total / self.labels.len() as f64
    }

    /// Compares gradients spread over every tensor with slopes of [`Case::straight`].
    fn slopes(&self) {
        let start = self.start();
        let mut model = self.model(&start, Isa::best()).expect("has weights");
        let real = Made::new(self, finish(start, self.origin(), &model.net).expect("fits"));
        let loss = self.step(&mut model, 2, None);
        let exact = self.straight(&real, (usize::MAX, 0, 0), 0.0);
        assert!((loss - exact).abs() < 1e-5 * (1.0 + exact), "{}: {loss} {exact}", self.net.name);
        let mut some = 0;
        for node in 0..model.net.nodes.len() {
            for part in 0..2 {
                let gradient = &model.gradients[node][part];
                let scale = gradient.iter().fold(1e-3, |most: f32, g| most.max(g.abs()));
                for i in (0..gradient.len()).step_by(gradient.len() / 19 + 1) {
                    let at = |shift: f64| self.straight(&real, (node, part, i), shift);
                    let slope = (at(1e-7) - at(-1e-7)) / 2e-7;
                    let off = (f64::from(gradient[i]) - slope).abs();
                    let name = &model.net.nodes[node].name;
                    let about = format!("{} {name} {part} {i}: {} {slope}", self.net.name, gradient[i]);
                    assert!(off < 2e-4 * f64::from(scale), "{about}");
                    some += usize::from(slope != 0.0);
                }
            }
        }
        assert!(some > 20, "{}: {some} slopes are not 0", self.net.name);
    }
}

/// An int8 net and what it makes of samples, as real numbers.
struct Made {
    int: Quantised,
    numbers: Vec<naive::Numbers>,
    /// `[sample][tensor]`.
    tensors: Vec<Vec<Vec<f64>>>,
    /// Whether an element lies at an end of its clamp, which may have cut it.
    cut: Vec<Vec<Vec<bool>>>,
}

impl Made {
    fn new(case: &Case, int: Quantised) -> Self {
        let net = &int.net;
        let scale = |id: zipnet::ir::TensorId| f64::from(net.tensors[id.at()].meta.scale);
        let numbers = net.nodes.iter().zip(&int.scales).map(|(node, scales)| {
            let (mut weights, mut bias) = (Vec::new(), Vec::new());
            if !scales.is_empty() {
                let (store, channels) = (&node.store, scales.len());
                weights = vec![0.0; store.weights.len()];
                let zero = f64::from(net.tensors[node.inputs[0].at()].meta.zero);
                let mut sums = vec![0.0; channels];
                for c in 0..channels {
                    for i in weights_of(&node.op, c, channels, store.weights.len()) {
                        weights[i] = f64::from(store.weights[i]) * f64::from(scales[c]);
                        sums[c] += f64::from(store.weights[i]);
                    }
                }
                let real = |(i, &b): (usize, &i32)| {
                    let c = i % channels;
                    (f64::from(b) + zero * sums[c]) * f64::from(scales[c]) * scale(node.inputs[0])
                };
                bias = store.bias.iter().enumerate().map(real).collect();
            }
            naive::Numbers { weights, bias, running: None }
        });
        let numbers = numbers.collect();
        let inputs = quantise_input(net, case.origin(), &case.inputs);
        let (mut tensors, mut cut) = (Vec::new(), Vec::new());
        for (input, nodes) in inputs.chunks(net.input_shape().len()).zip(case.engine(&int)) {
            let real = |id: zipnet::ir::TensorId, values: &[i8]| -> Vec<f64> {
                let zero = f64::from(net.tensors[id.at()].meta.zero);
                values.iter().map(|&q| (f64::from(q) - zero) * scale(id)).collect()
            };
            let mut values = vec![Vec::new(); net.tensors.len()];
            let mut ends = vec![Vec::new(); net.tensors.len()];
            values[net.input.at()] = real(net.input, input);
            for (node, made) in net.nodes.iter().zip(&nodes) {
                let clamp = node.store.clamp;
                let moves = matches!(node.op, Op::MaxPool2d(_) | Op::AvgPool2d(_))
                    && clamp == zipnet::ir::Clamp::FULL;
                let sums = node.op.weights(net.shape(node.inputs[0])) > 0;
                let cuts = sums
                    || !moves
                        && matches!(
                            node.op,
                            Op::Add(_) | Op::Relu | Op::Relu6 | Op::MaxPool2d(_) | Op::AvgPool2d(_)
                        );
                values[node.output.at()] = real(node.output, made);
                ends[node.output.at()] =
                    made.iter().map(|&q| cuts && (q == clamp.low || q == clamp.high)).collect();
            }
            tensors.push(values);
            cut.push(ends);
        }
        Self { int, numbers, tensors, cut }
    }
}

/// A dense layer of so many inputs that whole sums could leave 24 bits.
fn long() -> Net<Float> {
    let mut a = Author::new(Shape::new(30, 30, 6), -1.0, 3);
    let input = a.net.input;
    let t = a.push(dense(3, Bias::Channel), &[input]);
    for (i, w) in a.net.nodes[0].store.weights.iter_mut().enumerate() {
        *w = if i % 5 == 0 { -0.01 } else { 0.01 };
    }
    a.push(dense(4, Bias::Channel), &[t]);
    a.net
}

#[test]
fn every_tensor_is_the_engines() {
    for (loss, bits) in [(Loss::Mse, 8), (Loss::CrossEntropy, 8), (Loss::Mse, 4)] {
        for net in zoo::all() {
            assert!(Case::new(net, bits, 19, loss).holds());
        }
        for seed in 0..3 {
            assert!(Case::new(every_operator(seed).net, bits, 21, loss).holds());
        }
    }
    let random =
        |seed: &u64| Case::new(random_net(*seed).net, 8 - 4 * (seed % 2) as u8, 5, Loss::Mse).holds();
    let trained = (0..40).filter(random).count();
    assert!(trained > 20, "{trained}");
}

#[test]
fn every_tensor_of_the_1989_net_is_the_engines() {
    for name in ["digits", "digits-1989"] {
        let recipe = Recipe::load(name).expect("shipped");
        let net = build(&recipe, Shape::new(16, 16, 1), 10, 3).expect("builds").net;
        for bits in [8, 4] {
            assert!(Case::new(net.clone(), bits, 18, recipe.train.loss).holds());
        }
    }
}

#[test]
fn sums_beyond_24_bits_are_exact() {
    let case = Case::new(long(), 8, 6, Loss::Mse);
    let start = case.start();
    let model = case.model(&start, Isa::best()).expect("has weights");
    let parts = |node: usize| model.aware.as_ref().map_or(0, |aware| aware.nodes[node].parts.len());
    assert!(parts(0) > 1 && parts(1) == 0, "{} {}", parts(0), parts(1));
    assert!(case.holds());
}

#[test]
fn gradients_pass_straight_through() {
    for (loss, bits) in [(Loss::Mse, 8), (Loss::CrossEntropy, 4)] {
        for net in zoo::all() {
            Case::new(net, bits, 5, loss).slopes();
        }
        Case::new(every_operator(1).net, bits, 4, loss).slopes();
    }
}

#[test]
fn threads_and_instruction_sets_change_no_bit() {
    let rule = Rule::Adamw { b1: 0.9, b2: 0.99, keep: 0.99, step: 0.01, root: 1.0, epsilon: 1e-8 };
    for net in zoo::all() {
        let case = Case::new(net, 4, 53, Loss::CrossEntropy);
        let start = case.start();
        let after = |isa, threads| {
            let mut model = case.model(&start, isa).expect("has weights");
            case.step(&mut model, threads, Some(rule));
            case.step(&mut model, threads, Some(rule));
            finish(start.clone(), case.origin(), &model.net).expect("fits").net
        };
        let reference = after(Isa::best(), 1);
        let fused = Isa::all().len().max(2) - 1;
        for isa in Isa::all().into_iter().take(fused) {
            for threads in [1, 2, 3] {
                let made = after(isa, threads);
                for (a, b) in made.nodes.iter().zip(&reference.nodes) {
                    assert!(a.store == b.store, "{} {isa:?} {threads}", a.name);
                }
            }
        }
    }
}
