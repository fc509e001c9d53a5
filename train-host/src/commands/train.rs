//! `train`: from a recipe to an output folder.

use std::path::PathBuf;

use zipnet::ir::Shape;

use crate::build::build;
use crate::cli::TrainArgs;
use crate::data::{Dataset, Split};
use crate::eval::{compare, quantise_input};
use crate::export::{CHECKPOINT, Folder, Origin, Sample, Stored, table, write_checkpoint};
use crate::quantise::{CALIBRATION_SAMPLES, quantise};
use crate::recipe::Recipe;
use crate::report::progress::ProgressBar;
use crate::train::{Samples, train};
use crate::{Error, Result};

/// Test samples that go into `model.rs` with the outputs they must give.
const GOLDEN: usize = 40;

pub(super) fn run(args: &TrainArgs) -> Result<()> {
    let threads = super::threads(args.threads)?;
    let recipe = recipe(args)?;
    let data = Dataset::load(&recipe.data)?;
    let shape = shape_of(&data)?;
    let seed = recipe.train.seed;
    let blueprint = build(&recipe, shape, data.classes.len(), seed)?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("out").join(&recipe.name));
    let mut folder = Folder::open(&out)?;

    let (train_inputs, test_inputs) = (data.normalised(&data.train), data.normalised(&data.test));
    eprintln!(
        "{}: {} parameters, {} training and {} test samples of {:?}, {threads} threads",
        recipe.name,
        blueprint.net.params(),
        data.train.len(),
        data.test.len(),
        data.name
    );
    let mut bar = ProgressBar::new(recipe.train.epochs);
    let trained = train(
        blueprint,
        &recipe.train,
        Samples { inputs: &train_inputs, labels: &data.train.labels },
        Some(Samples { inputs: &test_inputs, labels: &data.test.labels }),
        threads,
        &mut |progress| bar.update(progress),
    );
    bar.finish();
    let trained = trained?;

    let calibration = spread(&train_inputs, shape.len(), CALIBRATION_SAMPLES);
    let quantised = quantise(&trained.net, &recipe.quantise, &calibration, threads)?;
    let (low, high) = data.range;
    let origin = Origin { data: recipe.data.clone(), seed, low, high, classes: data.classes.clone() };
    let comparison = compare(&trained.net, &quantised, &test_inputs, &data.test.labels, threads)?;
    let stored = Stored { net: quantised.net.clone(), arena: quantised.arena, origin };
    let samples = golden(&stored, &data.test, &test_inputs)?;
    let report = super::summary::report(&recipe, &data, &trained, &quantised, &comparison);

    folder.write("model.rs", table(&stored, &samples).as_bytes())?;
    folder.write(Stored::FILE, stored.to_json().as_bytes())?;
    folder.write(CHECKPOINT, &write_checkpoint(&trained.net)?)?;
    folder.write("report.json", report.json().as_bytes())?;
    folder.write("report.html", report.html()?.as_bytes())?;
    folder.commit()?;
    super::print(&format!("{}\nwritten: {}\n", report.table(), out.display()))
}

/// The recipe, with what the command line changes.
fn recipe(args: &TrainArgs) -> Result<Recipe> {
    let mut recipe = Recipe::load(&args.recipe)?;
    if let Some(data) = &args.data {
        recipe.data.clone_from(data);
    }
    recipe.train.epochs = args.epochs.unwrap_or(recipe.train.epochs);
    recipe.train.seed = args.seed.unwrap_or(recipe.train.seed);
    recipe.validate()?;
    Ok(recipe)
}

/// The shape of a sample, as the net sees it.
fn shape_of(data: &Dataset) -> Result<Shape> {
    let axis = |n: usize| {
        u16::try_from(n).map_err(|_| Error::new(format!("{:?}: samples of {n} along an axis; 65535 at most", data.name)))
    };
    Ok(Shape::new(axis(data.height)?, axis(data.width)?, axis(data.channels)?))
}

/// `count` samples of `size`, spread evenly over all there are.
fn spread(inputs: &[f32], size: usize, count: usize) -> Vec<f32> {
    let all = inputs.len() / size;
    let count = count.min(all);
    (0..count).flat_map(|i| &inputs[i * all / count * size..][..size]).copied().collect()
}

/// Test samples spread evenly over the split, with what the engine makes of them.
fn golden(stored: &Stored, test: &Split, inputs: &[f32]) -> Result<Vec<Sample>> {
    let size = stored.net.input_shape().len();
    let count = GOLDEN.min(test.len());
    (0..count)
        .map(|i| {
            let at = i * test.len() / count;
            let input = quantise_input(&stored.net, &inputs[at * size..][..size]);
            let output = stored.run(&input)?;
            Ok(Sample { input, output, label: test.labels[at] })
        })
        .collect()
}
