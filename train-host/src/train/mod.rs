//! Forwards, backwards, and what a step makes of it. Nothing of this leaves the host.
//!
//! # Determinism
//! The same seed and data give the same weights to the bit, whatever the number of threads: every sum over a batch
//! is made in one fixed order, and every draw is a function of the seed and of what it is for.

#![allow(clippy::needless_range_loop)] // blocks of registers are indexed alike on both sides

pub mod augment;
mod backward;
mod batch_norm;
mod distil;
mod draw;
mod dropout;
mod feed;
mod group;
mod job;
mod loss;
mod model;
mod optimiser;
mod pullback;
mod qat;
mod recompute;
mod run;
pub mod schedule;
mod weight_gradient;

use std::sync::mpsc;

use serde::Serialize;
use zipnet::ir::Float;

use self::augment::Augmenter;
pub use self::distil::Distillation;
use self::distil::Teacher;
use self::draw::Purpose;
use self::feed::shuffle;
use self::group::Group;
use self::model::{Aim, Model};
use self::qat::Aware;
use self::run::Run;
use crate::build::Blueprint;
use crate::float::LANES;
use crate::float::simd::Isa;
use crate::float::team::Team;
use crate::graph::Net;
use crate::quantise::Quantised;
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
    train_from(blueprint, spec, None, train, test, threads, on_progress)
}

/// [`train`], with another net to learn from besides the labels.
///
/// # Errors
/// Those of [`train`]; where the two nets do not fit, or the loss is not cross-entropy.
pub fn distil(
    blueprint: Blueprint,
    spec: &recipe::Train,
    distillation: Distillation<'_>,
    train: Samples<'_>,
    test: Option<Samples<'_>>,
    threads: usize,
    on_progress: &mut dyn FnMut(&Progress),
) -> Result<Trained> {
    imitable(&distillation, &blueprint.net, spec)?;
    train_from(blueprint, spec, Some(distillation), train, test, threads, on_progress)
}

/// Whether a net may learn from another.
fn imitable(distillation: &Distillation<'_>, net: &Net<Float>, spec: &recipe::Train) -> Result<()> {
    distillation.check(net)?;
    if spec.loss != recipe::Loss::CrossEntropy {
        return Err(Error::new("distillation imitates logits: train.loss must be \"cross_entropy\""));
    }
    Ok(())
}

/// An int8 net that trained on.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The net, and the float net that it stands for now.
    pub quantised: Quantised,
    /// Every epoch.
    pub history: Vec<EpochStats>,
    /// How long it took.
    pub seconds: f64,
}

/// Trains an int8 net on, in the engine's arithmetic (quantisation-aware training): `start` as it was quantised from a
/// float net over samples less `origin`, which may be what to learn from besides the labels. Nothing is dropped out, and
/// no share is held out.
///
/// # Errors
/// Those of [`train`] and [`distil`]; where a layer sums more products than can be followed exactly.
#[allow(clippy::too_many_arguments)] // those of `distil`, and where to begin
pub fn tune(
    start: Quantised,
    origin: f32,
    spec: &recipe::Train,
    distillation: Option<Distillation<'_>>,
    train: Samples<'_>,
    test: Option<Samples<'_>>,
    threads: usize,
    on_progress: &mut dyn FnMut(&Progress),
) -> Result<Tuned> {
    let net = qat::master(&start)?;
    if let Some(distillation) = &distillation {
        imitable(distillation, &net, spec)?;
    }
    let spec = recipe::Train { early_stop: None, ..spec.clone() };
    let mut model = Model::new(net, &[], aim(&spec), Isa::best())?;
    Aware::begin(&mut model, &start, origin)?;
    let Trained { net, history, seconds, .. } =
        run(model, &spec, distillation, train, test, threads, on_progress)?;
    Ok(Tuned { quantised: qat::finish(start, origin, &net)?, history, seconds })
}

fn train_from(
    blueprint: Blueprint,
    spec: &recipe::Train,
    distillation: Option<Distillation<'_>>,
    train: Samples<'_>,
    test: Option<Samples<'_>>,
    threads: usize,
    on_progress: &mut dyn FnMut(&Progress),
) -> Result<Trained> {
    let model = Model::new(blueprint.net, &blueprint.dropout, aim(spec), Isa::best())?;
    run(model, spec, distillation, train, test, threads, on_progress)
}

fn aim(spec: &recipe::Train) -> Aim {
    Aim {
        loss: spec.loss,
        smoothing: spec.label_smoothing,
        momentum: spec.batch_norm_momentum,
        seed: spec.seed,
    }
}

fn run(
    mut model: Model,
    spec: &recipe::Train,
    distillation: Option<Distillation<'_>>,
    train: Samples<'_>,
    test: Option<Samples<'_>>,
    threads: usize,
    on_progress: &mut dyn FnMut(&Progress),
) -> Result<Trained> {
    let shape = model.net.input_shape();
    let augmenter = match spec.augment.as_slice() {
        [] => None,
        list => Some(Augmenter::new(list, shape.h.into(), shape.w.into(), shape.c.into())?),
    };
    model.teacher = distillation.map(Teacher::new);
    let (input, classes) = (model.input_len(), model.classes());
    let count = train.check("training", input, classes)?;
    if let Some(test) = test {
        test.check("test", input, classes)?;
    }
    let (order, watched) = hold_out(count, spec)?;
    let groups = (0..(spec.batch as usize).min(order.len()).div_ceil(LANES))
        .map(|_| Group::new(&model).with(augmenter.as_ref()))
        .collect();
    let run = Run::new(spec, model, groups, Team::new(threads), train, test);
    if run.team.threads() == 1 {
        return run.all(order, &watched, on_progress);
    }
    // The run lives on the team's threads, where steps need not wake anyone; this one listens.
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let work = scope.spawn(move || {
            let team = run.team.clone();
            team.enter(|| {
                run.all(order, &watched, &mut |progress| {
                    // Nobody listens only where the listener has panicked, which ends the program's interest in the run.
                    let _ = tell.send(*progress);
                })
            })
        });
        told.iter().for_each(|progress| on_progress(&progress));
        work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
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
