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
mod tests;
