//! A run: epochs of steps, what is seen on the way, and when it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::draw::{Purpose, draw};
use super::feed::{deal, shuffle};
use super::group::Group;
use super::loss::Tally;
use super::model::Model;
use super::optimiser::Rule;
use super::{EpochStats, Progress, Samples, Trained, schedule};
use crate::float::LANES;
use crate::float::team::Team;
use crate::graph::FloatStore;
use crate::recipe;
use crate::{Error, Result};

/// Times in a run that the test samples are looked at.
const LOOKS: u32 = 40;

/// A run on its way.
pub(crate) struct Run<'a> {
    spec: &'a recipe::Train,
    model: Model,
    groups: Vec<Group>,
    pub(crate) team: Arc<Team>,
    train: Samples<'a>,
    test: Option<Samples<'a>>,
    /// Share of the test samples got right, when last looked at.
    test_accuracy: Option<f32>,
    step: u64,
    steps: u64,
    begun: Instant,
}

/// The weights of an epoch that may turn out the best.
struct Best {
    loss: f64,
    epoch: u32,
    stores: Vec<FloatStore>,
}

impl<'a> Run<'a> {
    /// A run that begins now.
    pub(crate) fn new(
        spec: &'a recipe::Train,
        model: Model,
        groups: Vec<Group>,
        team: Team,
        train: Samples<'a>,
        test: Option<Samples<'a>>,
    ) -> Self {
        let (team, begun) = (Arc::new(team), Instant::now());
        Self { spec, model, groups, team, train, test, test_accuracy: None, step: 0, steps: 0, begun }
    }

    /// All epochs over the training samples in `order`; those `watched` decide when to stop.
    pub(crate) fn all(
        mut self,
        mut order: Vec<u32>,
        watched: &[u32],
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<Trained> {
        let epochs = self.spec.epochs;
        self.steps = u64::from(epochs) * order.len().div_ceil(self.spec.batch as usize) as u64;
        let mut history = Vec::new();
        let mut best: Option<Best> = None;
        let mut stopped_early = None;
        for epoch in 1..=epochs {
            shuffle(&mut order, self.spec.seed, Purpose::Order, epoch.into());
            let (tally, rate) = self.epoch(epoch, &order, on_progress)?;
            let tested = self.test.filter(|_| looks(epoch, epochs)).map(|test| {
                let all: Vec<u32> = (0..test.labels.len() as u32).collect();
                self.evaluate(&all, test)
            });
            self.test_accuracy = tested.map(|tally| tally.accuracy()).or(self.test_accuracy);
            history.push(EpochStats {
                epoch,
                loss: tally.mean_loss() as f32,
                train_accuracy: tally.accuracy(),
                test_accuracy: tested.map(|tally| tally.accuracy()),
                test_loss: tested.map(|tally| tally.mean_loss() as f32),
                rate,
            });
            on_progress(&self.progress(epoch, tally, rate));
            if let Some(stop) = self.spec.early_stop {
                let loss = self.evaluate(watched, self.train).mean_loss();
                match &best {
                    Some(best) if loss >= best.loss => {
                        if epoch - best.epoch >= stop.patience {
                            stopped_early = Some(best.epoch);
                            break;
                        }
                    }
                    _ => {
                        let stores = self.model.net.nodes.iter().map(|node| node.store.clone()).collect();
                        best = Some(Best { loss, epoch, stores });
                    }
                }
            }
        }
        let seconds = self.begun.elapsed().as_secs_f64();
        let mut net = self.model.net;
        for (node, store) in net.nodes.iter_mut().zip(best.into_iter().flat_map(|best| best.stores)) {
            node.store = store;
        }
        Ok(Trained { net, history, seconds, stopped_early })
    }

    /// All batches of an epoch, and the rate of the last.
    fn epoch(
        &mut self,
        epoch: u32,
        order: &[u32],
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<(Tally, f32)> {
        let (input, samples) = (self.model.input_len(), self.train);
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
                on_progress(&self.progress(epoch, tally, rate));
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

    fn progress(&self, epoch: u32, tally: Tally, rate: f32) -> Progress {
        Progress {
            epoch,
            epochs: self.spec.epochs,
            step: self.step,
            steps: self.steps,
            loss: tally.mean_loss() as f32,
            train_accuracy: tally.accuracy(),
            test_accuracy: self.test_accuracy,
            rate,
            seconds: self.begun.elapsed().as_secs_f64(),
        }
    }
}

/// Whether the test samples are looked at after an epoch.
fn looks(epoch: u32, epochs: u32) -> bool {
    epoch == epochs || epoch.is_multiple_of(epochs.div_ceil(LOOKS))
}
