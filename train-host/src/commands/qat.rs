//! `qat`: from an output folder to one whose int8 net was trained on; and what `train` does of it in one go.

use zipnet::ir::Float;

use super::compress::{beside, fits, namesake};
use super::train::{finish, with_progress};
use crate::cli::{Bits, QatArgs};
use crate::data::Dataset;
use crate::eval::{Labelled, int8};
use crate::export::{CHECKPOINT, Folder, Stored, Target, read_checkpoint};
use crate::graph::Net;
use crate::quantise::{MixedPlan, Quantised, plan_mixed, quantise};
use crate::recipe::{Qat, Quantise, Recipe};
use crate::report::progress::ProgressBar;
use crate::report::{self, Report};
use crate::train::{Distillation, EpochStats, Samples, Trained, tune};
use crate::{Error, Result};

/// Passes over the training images where neither the recipe nor the command line says.
const EPOCHS: u32 = 10;

pub(super) fn run(args: &QatArgs) -> Result<()> {
    let threads = super::threads(args.threads)?;
    let stored = Stored::load(&args.dir)?;
    let seed = stored.origin.seed()?;
    let old = read_checkpoint(&args.dir.join(CHECKPOINT))?;
    let (mut recipe, suffix) = settings(args, &old)?;
    let spec = args.data.clone().unwrap_or(stored.origin.data()?.to_owned());
    recipe.data.clone_from(&spec);
    recipe.train.seed = args.seed.unwrap_or(seed);
    recipe.validate()?;
    let mut data = Dataset::load(&spec)?;
    fits(&data, &spec, &old, &args.dir)?;
    data.range = (stored.origin.low, stored.origin.high); // that of the training, whatever this data shows
    let out = args.out.clone().unwrap_or_else(|| beside(&args.dir, &suffix));
    if out == args.dir {
        return Err(Error::file(&out, "holds the net to start from; choose another --out"));
    }
    let folder = Folder::open(&out)?; // before the work, so that a folder that cannot be written costs none
    eprintln!(
        "{}: {} parameters; from {}; threads: {threads}",
        recipe.name,
        old.params(),
        args.dir.display()
    );
    let (inputs, test_inputs) = (data.normalised(&data.train), data.normalised(&data.test));
    let net = Net { name: recipe.name.clone(), ..old };
    let trained = Trained { net, history: Vec::new(), seconds: 0.0, stopped_early: None };
    let text =
        finish(folder, &recipe, &data, [&inputs, &test_inputs], &trained, None, (&args.place, threads))?;
    super::print(&format!("{text}\nwritten to {}: model.rs, report.html and their kin\n", out.display()))
}

/// How to train on: as the recipe says that is named, or after which the net is, with what the command line changes. And
/// what to call it.
fn settings(args: &QatArgs, old: &Net<Float>) -> Result<(Recipe, String)> {
    let mut recipe = namesake(args.recipe.as_deref(), &old.name)?;
    let suffix = match (args.bits, args.flash) {
        (None, None) => "qat",
        (Some(Bits::Eight), _) => "q8",
        (Some(Bits::Four), _) => "q4",
        (Some(Bits::Mixed), _) | (None, Some(_)) => "mixed",
    };
    match (args.bits, args.flash) {
        (Some(Bits::Eight | Bits::Four), Some(_)) => {
            return Err(Error::new("--flash chooses bits layer by layer; it goes with --bits mixed"));
        }
        (Some(Bits::Mixed), None) if recipe.quantise.flash.is_none() => {
            return Err(Error::new("--bits mixed needs --flash, the bytes that weights and biases may take"));
        }
        (Some(Bits::Eight), None) => recipe.set_bits(Some(8)),
        (Some(Bits::Four), None) => recipe.set_bits(Some(4)),
        (Some(Bits::Mixed) | None, flash) => recipe.quantise.flash = flash.or(recipe.quantise.flash),
    }
    recipe.name = format!("{}-{suffix}", old.name);
    let mut qat = recipe.qat.unwrap_or(Qat::new(EPOCHS));
    qat.epochs = args.epochs.unwrap_or(qat.epochs);
    qat.rate = args.rate.or(qat.rate);
    qat.imitate = args.imitate.or(qat.imitate);
    qat.temperature = args.temperature.unwrap_or(qat.temperature);
    recipe.qat = Some(qat);
    Ok((recipe, suffix.to_owned()))
}

/// The int8 net of a float net, and how it came about.
pub(super) struct Made {
    pub(super) quantised: Quantised,
    mixed: Option<MixedPlan>,
    qat: Option<report::Qat>,
    history: Vec<EpochStats>,
}

impl Made {
    /// Whether the net, packed, keeps within the budget of its bits, if there is one. Its biases may have grown since they
    /// were planned.
    ///
    /// # Errors
    /// Tells how many bytes it takes.
    pub(super) fn check(&self) -> Result<()> {
        let taken = self.quantised.net.weight_bytes();
        match &self.mixed {
            Some(plan) if taken > plan.flash => Err(Error::new(format!(
                "weights and biases take {taken} bytes after training in int8, as biases outgrew 16 bits; the budget is {}",
                plan.flash
            ))),
            _ => Ok(()),
        }
    }

    /// Tells of it in a report.
    pub(super) fn tell(self, report: &mut Report) {
        for (layer, node) in report.layers.iter_mut().zip(&self.quantised.net.nodes) {
            layer.weight_bytes = node.weight_bytes(); // as it was packed
        }
        report.train_seconds += self.qat.as_ref().map_or(0.0, |qat| qat.seconds);
        if report.history.is_empty() {
            report.history = self.history.iter().map(super::summary::epoch).collect();
        }
        (report.mixed, report.qat) = (self.mixed, self.qat);
    }
}

/// Quantises a trained net as its recipe says: plans bits where there is a budget, trains on in int8 where that is asked
/// for.
pub(super) fn integers(
    recipe: &Recipe,
    net: &Net<Float>,
    data: &Dataset,
    [inputs, test_inputs]: [&[f32]; 2],
    (target, threads): (Target, usize),
) -> Result<Made> {
    let labelled = Labelled { samples: inputs, labels: &data.train.labels };
    let mixed = match recipe.quantise.flash {
        Some(flash) => Some(mixed(net, &recipe.quantise, flash, target, labelled, threads)?),
        None => None,
    };
    let spec = mixed.as_ref().map_or_else(|| recipe.quantise.clone(), |plan| plan.apply(&recipe.quantise));
    let quantised = quantise(net, &spec, inputs, threads)?;
    let Some(qat) = &recipe.qat else {
        return Ok(Made { quantised, mixed, qat: None, history: Vec::new() });
    };
    let origin = net.tensors[net.input.at()].meta.origin;
    let test = Labelled { samples: test_inputs, labels: &data.test.labels };
    let before = super::summary::score(&int8(&quantised.net, origin, test, threads)?);
    let (train, imitate) = qat.settings(&recipe.train);
    let distillation = Distillation { teacher: net, temperature: qat.temperature, weight: imitate };
    let samples = Samples { inputs, labels: &data.train.labels };
    let tested = Samples { inputs: test_inputs, labels: &data.test.labels };
    let tuned = with_progress("training in int8", qat.epochs, |on_progress| {
        let distillation = (imitate > 0.0).then_some(distillation);
        tune(quantised, origin, &train, distillation, samples, Some(tested), threads, on_progress)
    })?;
    let qat = report::Qat {
        epochs: qat.epochs,
        rate: train.schedule.peak.into(),
        imitate: imitate.into(),
        seconds: tuned.seconds,
        before,
    };
    Ok(Made { quantised: tuned.quantised, mixed, qat: Some(qat), history: tuned.history })
}

/// Plans bits under a progress bar.
fn mixed(
    net: &Net<Float>,
    spec: &Quantise,
    flash: usize,
    target: Target,
    data: Labelled<'_>,
    threads: usize,
) -> Result<MixedPlan> {
    let mut bar: Option<ProgressBar> = None;
    let plan = plan_mixed(net, spec, flash, target, data, threads, &mut |done, all| {
        let bar = bar.get_or_insert_with(|| ProgressBar::new("measuring layers", all as u64));
        bar.advance(done as u64, "");
    })?;
    if let Some(bar) = bar {
        bar.finish();
    }
    Ok(plan)
}
