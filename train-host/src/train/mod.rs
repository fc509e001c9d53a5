//! Forwards, backwards, and what a step makes of it. Nothing of this leaves the host.
//!
//! # Determinism
//! The same seed and data give the same weights to the bit, whatever the number of threads: every sum over a batch
//! is made in one fixed order, and every draw is a function of the seed and of what it is for.

#![allow(clippy::needless_range_loop)] // blocks of registers are indexed alike on both sides

pub mod augment;
mod backward;
mod batch_norm;
mod draw;
mod dropout;
mod feed;
mod group;
mod job;
mod loss;
mod model;
mod optimiser;
mod pullback;
pub mod schedule;
mod weight_gradient;

use std::time::{Duration, Instant};

use serde::Serialize;
use zipnet::ir::Float;

use self::augment::Augmenter;
use self::draw::{Purpose, draw};
use self::feed::{deal, shuffle};
use self::group::Group;
use self::loss::Tally;
use self::model::{Aim, Model};
use self::optimiser::Rule;
use crate::build::Blueprint;
use crate::float::LANES;
use crate::float::simd::Isa;
use crate::float::team::Team;
use crate::graph::{FloatStore, Net};
use crate::recipe;
use crate::{Error, Result};

/// Samples to train on or to test with.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// Their inputs, `[h][w][c]` each, back to back.
    pub inputs: &'a [f32],
    /// The class of each.
    pub labels: &'a [u16],
}

/// How far a run is, told about ten times a second and at the end of every epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The running epoch, from 1.
    pub epoch: u32,
    /// Epochs in all.
    pub epochs: u32,
    /// Steps of the optimiser done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Mean training loss of the epoch so far.
    pub loss: f32,
    /// Share of the epoch's training samples, as they were distorted, that the net as it then was got right.
    pub train_accuracy: f32,
    /// Share of the test samples got right, when last looked at.
    pub test_accuracy: Option<f32>,
    /// Learning rate of the last step.
    pub rate: f32,
    /// Seconds since the run began.
    pub seconds: f64,
}

/// What became of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EpochStats {
    /// From 1.
    pub epoch: u32,
    /// Mean training loss, as the net was at each step.
    pub loss: f32,
    /// Share of the training samples, as they were distorted, that the net as it then was got right.
    pub train_accuracy: f32,
    /// Share of the test samples got right after the epoch; looked at about 40 times in a run.
    pub test_accuracy: Option<f32>,
    /// Mean test loss.
    pub test_loss: Option<f32>,
    /// Learning rate of the epoch's last step.
    pub rate: f32,
}

/// A trained net.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The net.
    pub net: Net<Float>,
    /// Every epoch.
    pub history: Vec<EpochStats>,
    /// How long it took.
    pub seconds: f64,
    /// The epoch whose weights were taken, where the run stopped before its last.
    pub stopped_early: Option<u32>,
}

/// Times in a run that the test samples are looked at.
const LOOKS: u32 = 40;

/// Trains a net as a recipe says, on `threads` threads.
///
/// The test samples only inform: no choice depends on them.
///
/// # Errors
/// Where samples and net do not fit, or the loss is no longer finite.
pub fn train(
    blueprint: Blueprint,
    spec: &recipe::Train,
    train: Samples<'_>,
    test: Option<Samples<'_>>,
    threads: usize,
    on_progress: &mut dyn FnMut(&Progress),
) -> Result<Trained> {
    let aim = Aim {
        loss: spec.loss,
        smoothing: spec.label_smoothing,
        momentum: spec.batch_norm_momentum,
        seed: spec.seed,
    };
    let shape = blueprint.net.input_shape();
    let augmenter = match spec.augment.as_slice() {
        [] => None,
        list => Some(Augmenter::new(list, shape.h.into(), shape.w.into(), shape.c.into())?),
    };
    let model = Model::new(blueprint.net, &blueprint.dropout, aim, Isa::best())?;
    let (input, classes) = (model.input_len(), model.classes());
    let count = train.check("training", input, classes)?;
    if let Some(test) = test {
        test.check("test", input, classes)?;
    }
    let (mut order, watched) = hold_out(count, spec)?;
    let groups = (0..(spec.batch as usize).min(order.len()).div_ceil(LANES))
        .map(|_| Group::new(&model).with(augmenter.as_ref()))
        .collect();
    let steps = u64::from(spec.epochs) * order.len().div_ceil(spec.batch as usize) as u64;
    let mut run =
        Run { spec, model, groups, team: Team::new(threads), step: 0, steps, begun: Instant::now() };
    let mut history = Vec::new();
    let mut best: Option<(f64, u32, Vec<FloatStore>)> = None;
    let mut test_accuracy = None;
    let mut stopped_early = None;
    for epoch in 1..=spec.epochs {
        shuffle(&mut order, spec.seed, Purpose::Order, epoch.into());
        let (tally, rate) = run.epoch(epoch, &order, train, test_accuracy, on_progress)?;
        let mut stats = EpochStats {
            epoch,
            loss: tally.mean_loss() as f32,
            train_accuracy: tally.accuracy(),
            test_accuracy: None,
            test_loss: None,
            rate,
        };
        if let Some(test) = test.filter(|_| looks(epoch, spec.epochs)) {
            let all: Vec<u32> = (0..test.labels.len() as u32).collect();
            let tally = run.evaluate(&all, test);
            stats.test_accuracy = Some(tally.accuracy());
            stats.test_loss = Some(tally.mean_loss() as f32);
            test_accuracy = stats.test_accuracy;
        }
        history.push(stats);
        on_progress(&run.progress(epoch, tally, rate, test_accuracy));
        if let Some(stop) = spec.early_stop {
            let loss = run.evaluate(&watched, train).mean_loss();
            if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
                let stores = run.model.net.nodes.iter().map(|node| node.store.clone()).collect();
                best = Some((loss, epoch, stores));
            } else if best.as_ref().is_some_and(|(_, at, _)| epoch - at >= stop.patience) {
                stopped_early = best.as_ref().map(|(_, at, _)| *at);
                break;
            }
        }
    }
    let mut net = run.model.net;
    if let Some((_, _, stores)) = best {
        for (node, store) in net.nodes.iter_mut().zip(stores) {
            node.store = store;
        }
    }
    Ok(Trained { net, history, seconds: run.begun.elapsed().as_secs_f64(), stopped_early })
}

/// Whether the test samples are looked at after an epoch.
fn looks(epoch: u32, epochs: u32) -> bool {
    epoch == epochs || epoch.is_multiple_of(epochs.div_ceil(LOOKS))
}

/// The samples to train on, and those held out to be watched.
fn hold_out(count: usize, spec: &recipe::Train) -> Result<(Vec<u32>, Vec<u32>)> {
    let mut all: Vec<u32> = (0..count as u32).collect();
    let Some(stop) = spec.early_stop else { return Ok((all, Vec::new())) };
    shuffle(&mut all, spec.seed, Purpose::HoldOut, 0);
    let watched = all.split_off(count - (count as f64 * f64::from(stop.hold_out)).round() as usize);
    if watched.is_empty() || all.is_empty() {
        let share = stop.hold_out;
        return Err(Error::new(format!(
            "train.early_stop.hold_out is {share}; of {count} samples that leaves {} to train on and {} to watch",
            all.len(),
            watched.len()
        )));
    }
    Ok((all, watched))
}

/// A run on its way.
struct Run<'a> {
    spec: &'a recipe::Train,
    model: Model,
    groups: Vec<Group>,
    team: Team,
    step: u64,
    steps: u64,
    begun: Instant,
}

impl Run<'_> {
    /// All batches of an epoch, and the rate of the last.
    fn epoch(
        &mut self,
        epoch: u32,
        order: &[u32],
        samples: Samples<'_>,
        test_accuracy: Option<f32>,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<(Tally, f32)> {
        let input = self.model.input_len();
        let mut tally = Tally::default();
        let mut rate = 0.0;
        let mut told = Instant::now();
        for batch in order.chunks(self.spec.batch as usize) {
            rate = schedule::rate(&self.spec.schedule, self.step, self.steps);
            let rule = Rule::new(&self.spec.optimiser, rate, self.step + 1);
            let groups = deal(&mut self.groups, batch.len());
            let progress = (self.step as f64 / self.steps as f64) as f32;
            let seed = self.spec.seed;
            let own = self.model.step(&self.team, groups, self.step, Some(rule), &|group| {
                group.take(|place| {
                    let at = batch[place] as usize;
                    let draw = draw(seed, Purpose::Augment, epoch.into(), at as u64);
                    (samples.input(at, input), samples.labels[at], Some((progress, draw)))
                });
            });
            self.step += 1;
            if !own.loss.is_finite() {
                return Err(Error::new(format!(
                    "training diverged: the loss is no longer finite at epoch {epoch}, step {}; \
                     try a lower train.schedule.peak than {} or a longer train.schedule.warm_up than {}",
                    self.step, self.spec.schedule.peak, self.spec.schedule.warm_up
                )));
            }
            tally.add(own);
            if told.elapsed() > Duration::from_millis(100) {
                told = Instant::now();
                on_progress(&self.progress(epoch, tally, rate, test_accuracy));
            }
        }
        Ok((tally, rate))
    }

    /// Loss and correct answers of the samples listed.
    fn evaluate(&mut self, list: &[u32], samples: Samples<'_>) -> Tally {
        let input = self.model.input_len();
        self.model.settle();
        let mut tally = Tally::default();
        for batch in list.chunks(self.groups.len() * LANES) {
            let groups = deal(&mut self.groups, batch.len());
            tally.add(self.model.evaluate(&self.team, groups, &|group| {
                group.take(|place| {
                    let at = batch[place] as usize;
                    (samples.input(at, input), samples.labels[at], None)
                });
            }));
        }
        tally
    }

    fn progress(&self, epoch: u32, tally: Tally, rate: f32, test_accuracy: Option<f32>) -> Progress {
        Progress {
            epoch,
            epochs: self.spec.epochs,
            step: self.step,
            steps: self.steps,
            loss: tally.mean_loss() as f32,
            train_accuracy: tally.accuracy(),
            test_accuracy,
            rate,
            seconds: self.begun.elapsed().as_secs_f64(),
        }
    }
}
