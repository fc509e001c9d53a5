//! A net in training: its plan, its numbers, and one step of the optimiser.
//!
//! A step takes turns. In a turn every group of samples goes on by itself, on any thread; between turns the groups
//! meet for what concerns the whole batch:
//! 1. forward to the first batch norm; meet for its statistics; on to the next; ... to the loss, and backward to the
//!    last batch norm;
//! 2. meet for that one's sums; backward to the one before; ... to the first layer;
//! 3. the gradients of weights, each found over all groups by one thread, which at once updates the weights.
//!
//! A net without batch norm takes two turns.

use zipnet::ir::{Float, TensorId};

use super::backward::{Backward, Learns, pack_rows, unit_quads};
use super::batch_norm::{Factors, Moments, Norm};
use super::distil::Teacher;
use super::group::Group;
use super::job::{self, Job, Part, Share};
use super::loss::Tally;
use super::optimiser::Rule;
use super::qat::{Aware, Rounds};
use super::recompute;
use crate::float::gather::Quad;
use crate::float::plan::{Numbers, Plan, Step, Work, scale_and_shift};
use crate::float::simd::Isa;
use crate::float::team::Team;
use crate::graph::Net;
use crate::recipe::Loss;
use crate::{Error, Result};

/// A net in training.
pub(crate) struct Model {
    pub(crate) isa: Isa,
    pub(crate) plan: Plan,
    pub(crate) backward: Backward,
    /// For each step, those to run again before its weights' gradient is found.
    pub(crate) again: Vec<Vec<usize>>,
    /// Steps that begin a turn: 0, every batch norm, and the end.
    pub(crate) turns: Vec<usize>,
    /// The slot of the outputs that the loss reads.
    pub(crate) outputs: usize,
    pub(crate) loss: Loss,
    pub(crate) smoothing: f32,
    pub(crate) seed: u64,
    /// The net; its weights are those of the last update.
    pub(crate) net: Net<Float>,
    /// What kernels read forward.
    pub(crate) numbers: Vec<Numbers>,
    /// What convolutions read backward.
    pub(crate) rows: Vec<Vec<Quad>>,
    /// Gradients of each node's weights and biases.
    pub(crate) gradients: Vec<[Vec<f32>; 2]>,
    /// What the optimiser remembers of each node's weights and biases.
    states: Vec<[[Vec<f32>; 2]; 2]>,
    /// Of each batch norm's channels.
    pub(crate) norms: Vec<Vec<Norm>>,
    pub(crate) factors: Vec<Vec<Factors>>,
    /// Share of a batch's statistics in the running ones.
    momentum: f32,
    /// The net it imitates, if any.
    pub(crate) teacher: Option<Teacher>,
    /// What makes it run as its int8 net, where it does.
    pub(crate) aware: Option<Aware>,
}

/// What a model minimises, and how it draws.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aim {
    pub(crate) loss: Loss,
    pub(crate) smoothing: f32,
    pub(crate) momentum: f32,
    pub(crate) seed: u64,
}

impl Model {
    /// A net ready to train. A softmax at its end is left out under cross-entropy, which contains it.
    ///
    /// # Errors
    /// Where the loss depends on no weight.
    pub(crate) fn new(net: Net<Float>, dropout: &[(TensorId, f32)], aim: Aim, isa: Isa) -> Result<Self> {
        let mut plan = Plan::new(&net, Some(dropout));
        let mut outputs = plan.output;
        if let Some(Step { work: Work::Softmax(_), inputs, output, .. }) = plan.steps.last()
            && *output == outputs
            && aim.loss == Loss::CrossEntropy
        {
            outputs = inputs[0];
            plan.steps.pop();
        }
        let backward = Backward::new(&plan, outputs);
        if !backward.steps.iter().any(|back| back.live) {
            return Err(Error::new(format!("net {:?} has no weights to train", net.name)));
        }
        let again = recompute::share(&mut plan, &backward, outputs);
        let is_norm = |i: &usize| matches!(plan.steps[*i].work, Work::BatchNorm { .. });
        let mut turns = vec![0];
        turns.extend((0..plan.steps.len()).filter(is_norm));
        turns.push(plan.steps.len());
        let nodes = net.nodes.len();
        let like = |i: usize| {
            let store = &net.nodes[i].store;
            [vec![0.0; store.weights.len()], vec![0.0; store.bias.len()]]
        };
        let pair = |[w, b]: [Vec<f32>; 2]| [[w.clone(), w], [b.clone(), b]];
        let mut rows = vec![Vec::new(); nodes];
        for step in &plan.steps {
            if let Work::Conv(conv) = &step.work {
                let quads = unit_quads(conv) * usize::from(conv.y.c);
                rows[step.node] = vec![[0.0; 4]; quads];
                pack_rows(conv, &net.nodes[step.node].store.weights, &mut rows[step.node]);
            }
        }
        let channels = |i: usize| net.nodes[i].store.mean.len();
        Ok(Self {
            isa,
            numbers: plan.numbers(&net),
            rows,
            gradients: (0..nodes).map(like).collect(),
            states: (0..nodes).map(|i| pair(like(i))).collect(),
            norms: (0..nodes).map(|i| vec![Norm::default(); channels(i)]).collect(),
            factors: (0..nodes).map(|i| vec![Factors::default(); channels(i)]).collect(),
            backward,
            again,
            turns,
            outputs,
            loss: aim.loss,
            smoothing: aim.smoothing,
            momentum: aim.momentum,
            seed: aim.seed,
            teacher: None,
            aware: None,
            plan,
            net,
        })
    }

    /// Elements of a sample.
    pub(crate) fn input_len(&self) -> usize {
        self.plan.slots[self.plan.input].len
    }

    /// Room for a group's share of the gradients that are found early.
    pub(crate) fn early_shares(&self) -> Vec<[Vec<f32>; 2]> {
        let mut shares = vec![[Vec::new(), Vec::new()]; self.gradients.len()];
        for (step, back) in self.plan.steps.iter().zip(&self.backward.steps) {
            if back.learns == Learns::Early {
                shares[step.node].clone_from(&self.gradients[step.node]);
            }
        }
        shares
    }

    /// Classes.
    pub(crate) fn classes(&self) -> usize {
        self.plan.slots[self.outputs].len
    }

    /// Runs a batch forward and backward, fills the gradients, and applies a rule where one is given. `fill` writes
    /// the samples of a group; `step` is the number of the step, which dropout draws from.
    pub(crate) fn step(
        &mut self,
        team: &Team,
        groups: &mut [Group],
        step: u64,
        rule: Option<Rule>,
        fill: &(impl Fn(&mut Group) + Sync),
    ) -> Tally {
        let batch = groups.iter().map(|group| group.count).sum();
        let last = self.turns.len() - 2;
        for turn in 0..=last {
            let model = &*self;
            let run = |group: &mut Group| {
                if turn == 0 {
                    fill(group);
                    group.ask(model);
                    group.enter(model);
                }
                group.forward(model, turn, step);
                if turn == last {
                    group.score(model, batch);
                    group.imitate(model, batch);
                    group.backward(model, turn, step);
                }
            };
            // To and fro, so that a turn begins with what the one before has just written.
            team.share(groups, turn % 2 == 1, &run);
            if turn < last {
                self.meet_forward(turn + 1, groups);
            }
        }
        for turn in (0..last).rev() {
            self.meet_backward(turn + 1, groups);
            let model = &*self;
            let run = |group: &mut Group| group.backward(model, turn, step);
            team.share(groups, turn % 2 == 1, &run);
        }
        let mut tally = Tally::default();
        groups.iter().for_each(|group| tally.add(group.tally));
        self.learn(team, groups, rule);
        tally
    }

    /// Loss and correct answers over samples, as the net will be used: running statistics, nothing dropped out.
    /// `fill` writes the samples of a group.
    pub(crate) fn evaluate(
        &self,
        team: &Team,
        groups: &mut [Group],
        fill: &(impl Fn(&mut Group) + Sync),
    ) -> Tally {
        team.each(groups, &|group| {
            fill(group);
            group.enter(self);
            group.infer(self);
        });
        let mut tally = Tally::default();
        groups.iter().for_each(|group| tally.add(group.tally));
        tally
    }

    /// Batch norms as they are used after training: by their running statistics. Call before [`Model::evaluate`].
    pub(crate) fn settle(&mut self) {
        for (node, numbers) in self.net.nodes.iter().zip(&mut self.numbers) {
            let store = &node.store;
            if !store.mean.is_empty() {
                (numbers.scale, numbers.shift) =
                    scale_and_shift(&store.weights, &store.bias, &store.mean, &store.variance);
            }
        }
    }

    /// The groups' moments become the statistics of the batch norm that begins a turn.
    fn meet_forward(&mut self, turn: usize, groups: &[Group]) {
        let node = self.plan.steps[self.turns[turn]].node;
        let store = &mut self.net.nodes[node].store;
        let numbers = &mut self.numbers[node];
        for c in 0..store.mean.len() {
            let all = groups.iter().fold(Moments::default(), |all, group| all.join(group.moments[c]));
            let variance = all.square / all.count.max(1.0);
            let unbiased = all.square / (all.count - 1.0).max(1.0);
            let epsilon = f64::from(zipnet::ir::FloatData::EPSILON);
            let norm = Norm { mean: all.mean as f32, inverse: (1.0 / (variance + epsilon).sqrt()) as f32 };
            numbers.scale[c] = store.weights[c] * norm.inverse;
            numbers.shift[c] = store.bias[c] - norm.mean * numbers.scale[c];
            self.norms[node][c] = norm;
            let (old, new) = (1.0 - self.momentum, self.momentum);
            store.mean[c] = old * store.mean[c] + new * all.mean as f32;
            store.variance[c] = old * store.variance[c] + new * unbiased as f32;
        }
    }

    /// The groups' sums become the gradients of the batch norm that begins a turn, and what its input's gradient
    /// takes from them.
    fn meet_backward(&mut self, turn: usize, groups: &[Group]) {
        let at = self.turns[turn];
        let node = self.plan.steps[at].node;
        for c in 0..self.norms[node].len() {
            let mut sums = [0.0f64; 2];
            for group in groups {
                for (sum, own) in sums.iter_mut().zip(group.sums[c]) {
                    *sum += f64::from(own);
                }
            }
            let sums = sums.map(|sum| sum as f32);
            let number = groups.iter().map(|group| group.moments_count(self, at)).sum::<f64>();
            let gamma = self.net.nodes[node].store.weights[c];
            self.factors[node][c] = Factors::new(gamma, self.norms[node][c], sums, number);
            let [gammas, betas] = &mut self.gradients[node];
            (gammas[c], betas[c]) = (sums[1], sums[0]);
        }
    }

    /// Gradients of all weights, and their update.
    fn learn(&mut self, team: &Team, groups: &[Group], rule: Option<Rule>) {
        let Self { isa, plan, backward, net, numbers, rows, gradients, states, aware, .. } = self;
        let rounds = match aware {
            Some(aware) => aware.rounds(),
            None => net.nodes.iter().map(|_| [Rounds::Not, Rounds::Not]).collect(),
        };
        let mut steps = vec![None; net.nodes.len()];
        for (step, back) in plan.steps.iter().zip(&backward.steps) {
            if back.live && step.work.has_weights() {
                steps[step.node] = Some((step, back.learns));
            }
        }
        let sights: Vec<_> = steps.iter().map(|step| job::sights(*step, groups, &backward.buffers)).collect();
        let mut jobs = Vec::new();
        let all = net.nodes.iter_mut().zip(numbers).zip(rows).zip(gradients).zip(states);
        let all = all.zip(steps.iter().zip(&sights)).zip(rounds);
        for (
            (((((node, numbers), rows), [weight_g, bias_g]), [weight_s, bias_s]), (step, sights)),
            [weight_rounds, bias_rounds],
        ) in all
        {
            let Some((step, learns)) = *step else { continue };
            let job = |part, share| Job { node: step.node, learns, groups, sights, part, share };
            let Numbers { quads, weights: copy, bias: bias_copy, .. } = numbers;
            let mut weights = Share::new(&mut node.store.weights, weight_g, weight_s, weight_rounds);
            let bias = Share::new(&mut node.store.bias, bias_g, bias_s, bias_rounds);
            match &step.work {
                Work::Conv(conv) => {
                    let fan_in = conv.fan_in();
                    let (mut quads, mut rows) = (&mut quads[..], &mut rows[..]);
                    for (unit, units) in conv.fours() {
                        let share = weights.split(units * fan_in);
                        let (quad, row);
                        (quad, quads) = quads.split_at_mut(fan_in);
                        (row, rows) = rows.split_at_mut(units * unit_quads(conv));
                        jobs.push(job(Part::Units { conv, unit, quads: quad, rows: row }, share));
                    }
                    jobs.push(job(Part::Bias(bias_copy), bias));
                }
                Work::Depthwise(conv) => {
                    let len = conv.columns.kernel * usize::from(conv.y.c);
                    for (row, copy) in copy.chunks_exact_mut(len).enumerate() {
                        jobs.push(job(Part::Row { conv, row, copy }, weights.split(len)));
                    }
                    jobs.push(job(Part::Bias(bias_copy), bias));
                }
                Work::BatchNorm { .. } => {
                    jobs.push(job(Part::Known, weights));
                    jobs.push(job(Part::Known, bias));
                }
                Work::MaxPool(_) | Work::AvgPool(_) | Work::Add { .. } | Work::Concat(_) => {}
                Work::Shuffle { .. } | Work::Apply(_) | Work::Softmax(_) => {}
                Work::Frame(_) | Work::Dropout { .. } => {}
            }
        }
        team.each(&mut jobs, &|job| job.run(*isa, rule));
        drop(jobs);
        if let Some(aware) = aware {
            aware.settle(&plan.steps);
        }
    }
}

#[cfg(test)]
mod tests {
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
                let target = |k: usize| {
                    smoothing / classes + if k == usize::from(label) { 1.0 - smoothing } else { 0.0 }
                };
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
}
