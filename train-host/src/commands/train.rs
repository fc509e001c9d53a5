//! `train`: from a recipe to an output folder.

use std::path::PathBuf;

use zipnet::ir::{Float, Shape};

use super::qat::integers;
use crate::build::build;
use crate::cli::{PlaceArgs, TrainArgs};
use crate::data::{Dataset, Split};
use crate::eval::{Labelled, compare, quantise_input};
use crate::export::{CHECKPOINT, Folder, Origin, Sample, Source, Stored, write_checkpoint};
use crate::graph::Net;
use crate::recipe::Recipe;
use crate::report::progress::ProgressBar;
use crate::report::{Before, Epoch};
use crate::train::{Progress, Samples, Trained, train};
use crate::{Error, Result};

/// Test samples that go into `model.rs` with the outputs they must give.
const GOLDEN: usize = 40;

pub(super) fn run(args: &TrainArgs) -> Result<()> {
    let threads = super::threads(args.threads)?;
    let recipe = recipe(args)?;
    let data = Dataset::load(&recipe.data)?;
    let blueprint = build(&recipe, shape_of(&data)?, data.classes.len(), recipe.train.seed)?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("out").join(&recipe.name));
    let folder = Folder::open(&out)?; // before the work, so that a folder that cannot be written costs none

    eprintln!(
        "{}: {} parameters, {} multiplications; {:?}: {} training and {} test samples; threads: {threads}",
        recipe.name,
        blueprint.net.params(),
        blueprint.net.macs(),
        data.name,
        data.train.len(),
        data.test.len(),
    );
    let (inputs, test_inputs) = (data.normalised(&data.train), data.normalised(&data.test));
    let train_samples = Samples { inputs: &inputs, labels: &data.train.labels };
    let test_samples = Samples { inputs: &test_inputs, labels: &data.test.labels };
    let trained = with_progress("training", recipe.train.epochs, |on_progress| {
        train(blueprint, &recipe.train, train_samples, Some(test_samples), threads, on_progress)
    })?;
    let text =
        finish(folder, &recipe, &data, [&inputs, &test_inputs], &trained, None, (&args.place, threads))?;
    super::print(&format!("{text}\nwritten to {}: model.rs, report.html and their kin\n", out.display()))
}

/// Quantises a trained net, measures it, and fills its folder. `inputs` are the normalised samples to calibrate on and
/// to test with; `before` is what the net was made from, if from another. Returns what there is to tell.
pub(super) fn finish(
    mut folder: Folder,
    recipe: &Recipe,
    data: &Dataset,
    [inputs, test_inputs]: [&[f32]; 2],
    trained: &Trained,
    before: Option<Before>,
    (place, threads): (&PlaceArgs, usize),
) -> Result<String> {
    let mut made = integers(recipe, &trained.net, data, [inputs, test_inputs], (place.target, threads))?;
    let quantised = &mut made.quantised;
    let labelled = Labelled { samples: test_inputs, labels: &data.test.labels };
    let comparison = compare(&trained.net, quantised, labelled, threads)?;
    let streamed;
    (quantised.arena, streamed) = super::packed(&mut quantised.net, place)?;
    made.check()?;
    let quantised = &made.quantised;
    let (low, high) = data.range;
    let origin = Origin {
        source: Source::Trained { data: recipe.data.clone(), seed: recipe.train.seed },
        low,
        high,
        classes: data.classes.clone(),
    };
    let stored = Stored { net: quantised.net.clone(), arena: quantised.arena, origin };
    let golden = golden(&stored, &trained.net, &data.test, test_inputs)?;
    let mut report = super::summary::report(recipe, data, trained, quantised, &comparison);
    report.before = before;
    made.tell(&mut report);
    report.arena_bytes = streamed.as_ref().map_or(report.arena_bytes, |cut| cut.arena);

    folder.write("model.rs", super::model(&stored, streamed.as_ref(), &golden).as_bytes())?;
    folder.write(Stored::FILE, stored.to_json().as_bytes())?;
    folder.write(CHECKPOINT, &write_checkpoint(&trained.net)?)?;
    folder.write("report.json", report.json().as_bytes())?;
    folder.write("report.html", report.html()?.as_bytes())?;
    folder.commit()?;
    Ok(report.terminal())
}

/// Runs a training under a progress bar.
pub(super) fn with_progress<T>(
    what: &str,
    epochs: u32,
    work: impl FnOnce(&mut dyn FnMut(&Progress)) -> Result<T>,
) -> Result<T> {
    let mut bar = ProgressBar::new(what, u64::from(epochs));
    let trained = work(&mut |progress| {
        let done = progress.step * u64::from(progress.epochs) / progress.steps.max(1);
        bar.epoch(&Epoch {
            epoch: done as u32,
            loss: progress.loss.into(),
            train_accuracy: progress.train_accuracy.into(),
            test_loss: None,
            test_accuracy: progress.test_accuracy.map(f64::from),
            rate: progress.rate.into(),
        });
    })?;
    bar.finish();
    Ok(trained)
}

/// The recipe, with what the command line changes.
fn recipe(args: &TrainArgs) -> Result<Recipe> {
    let mut recipe = Recipe::load(&args.recipe)?;
    if let Some(data) = &args.data {
        recipe.data.clone_from(data);
    }
    recipe.train.epochs = args.epochs.unwrap_or(recipe.train.epochs);
    recipe.train.seed = args.seed.unwrap_or(recipe.train.seed);
    recipe.set_bits(args.bits);
    recipe.validate()?;
    Ok(recipe)
}

/// The shape of a sample, as the net sees it.
pub(super) fn shape_of(data: &Dataset) -> Result<Shape> {
    let axis = |n: usize| {
        u16::try_from(n)
            .map_err(|_| Error::new(format!("{:?}: samples of {n} along an axis; 65535 at most", data.name)))
    };
    Ok(Shape::new(axis(data.height)?, axis(data.width)?, axis(data.channels)?))
}

/// Test samples spread evenly over the split, with what the engine makes of them.
fn golden(stored: &Stored, float: &Net<Float>, test: &Split, inputs: &[f32]) -> Result<Vec<Sample>> {
    let size = stored.net.input_shape().len();
    let origin = float.tensors[float.input.at()].meta.origin;
    let count = GOLDEN.min(test.len());
    (0..count)
        .map(|i| {
            let at = i * test.len() / count;
            let input = quantise_input(&stored.net, origin, &inputs[at * size..][..size]);
            let output = stored.run(&input)?;
            Ok(Sample { input, output, label: test.labels[at] })
        })
        .collect()
}
