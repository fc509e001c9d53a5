//! `rebuild` and `prune`: from an output folder to one of a smaller net.

use std::path::{Path, PathBuf};

use zipnet::ir::Float;

use super::train::{finish, shape_of, with_progress};
use crate::build::Blueprint;
use crate::cli::{PruneArgs, RebuildArgs, TuneArgs};
use crate::compress::{self, Change, Regroup, Rewritten};
use crate::data::Dataset;
use crate::eval::{Labelled, float, int8};
use crate::export::{CHECKPOINT, Folder, Stored, read_checkpoint};
use crate::graph::Net;
use crate::recipe::{Recipe, SHIPPED};
use crate::report::{Before, Layer};
use crate::train::{Distillation, Samples, Trained, distil};
use crate::{Error, Result};

pub(super) fn rebuild(args: &RebuildArgs) -> Result<()> {
    let to = Regroup { groups: args.groups, shuffle: !args.no_shuffle, width: args.width, unit: args.unit };
    let mut suffix = format!("g{}", to.groups);
    if to.width != 1.0 {
        suffix.push_str(&format!("-w{}", (100.0 * to.width).round()));
    }
    if !to.shuffle {
        suffix.push_str("-plain");
    }
    remake(&args.dir, &suffix, &args.tune, |net, seed| compress::regroup(net, &to, seed))
}

pub(super) fn prune(args: &PruneArgs) -> Result<()> {
    let suffix = format!("p{}", (100.0 * args.channels).round());
    remake(&args.dir, &suffix, &args.tune, |net, _| compress::prune(net, args.channels))
}

/// Rewrites the net of a folder, trains it on with the old one as its teacher, and writes a folder of its own.
fn remake(
    dir: &Path,
    suffix: &str,
    tune: &TuneArgs,
    rewrite: impl FnOnce(&Net<Float>, u64) -> Result<Rewritten>,
) -> Result<()> {
    let threads = super::threads(tune.threads)?;
    let stored = Stored::load(dir)?;
    let spec = stored.origin.data()?.to_owned();
    let path = dir.join(CHECKPOINT);
    let old = read_checkpoint(&path)?;
    let recipe = settings(tune, &stored, &old.name, suffix)?;
    let Rewritten { mut net, changes } =
        rewrite(&old, recipe.train.seed).map_err(|e| Error::file(&path, e))?;
    net.name.clone_from(&recipe.name);

    let mut data = Dataset::load(&spec)?;
    fits(&data, &spec, &old, dir)?;
    data.range = (stored.origin.low, stored.origin.high); // that of the training, whatever this data shows
    let out = tune.out.clone().unwrap_or_else(|| beside(dir, suffix));
    if out == dir {
        return Err(Error::file(&out, "holds the net to start from; choose another --out"));
    }
    let folder = Folder::open(&out)?; // before the work, so that a folder that cannot be written costs none

    eprintln!(
        "{}: {} parameters, {} multiplications; from {}: {}, {}; threads: {threads}",
        net.name,
        net.params(),
        net.macs(),
        old.name,
        old.params(),
        old.macs(),
    );
    let (inputs, test_inputs) = (data.normalised(&data.train), data.normalised(&data.test));
    let labelled = Labelled { samples: &test_inputs, labels: &data.test.labels };
    let before = before(&old, &stored, labelled, changes, threads)?;
    let samples = Samples { inputs: &inputs, labels: &data.train.labels };
    let test = Samples { inputs: &test_inputs, labels: &data.test.labels };
    let distillation = Distillation { teacher: &old, temperature: tune.temperature, weight: tune.imitate };
    distillation.check(&net)?;
    let trained = if recipe.train.epochs == 0 {
        Trained { net, history: Vec::new(), seconds: 0.0, stopped_early: None }
    } else {
        let blueprint = Blueprint { net, dropout: Vec::new() };
        with_progress("training on", recipe.train.epochs, |on_progress| {
            distil(blueprint, &recipe.train, distillation, samples, Some(test), threads, on_progress)
        })?
    };
    let text = finish(
        folder,
        &recipe,
        &data,
        [&inputs, &test_inputs],
        &trained,
        Some(before),
        (&tune.place, threads),
    )?;
    super::print(&format!("{text}\nwritten to {}: model.rs, report.html and their kin\n", out.display()))
}

/// How to train on: as the recipe says that is named, or after which the net is, with what the command line changes.
fn settings(tune: &TuneArgs, stored: &Stored, name: &str, suffix: &str) -> Result<Recipe> {
    let mut recipe = namesake(tune.recipe.as_deref(), name)?;
    recipe.name = format!("{name}-{suffix}");
    recipe.data = stored.origin.data()?.to_owned();
    recipe.train.seed = tune.seed.unwrap_or(stored.origin.seed()?);
    recipe.train.schedule.peak = tune.rate.unwrap_or(recipe.train.schedule.peak);
    let epochs = tune.epochs.unwrap_or(recipe.train.epochs);
    recipe.set_bits(tune.bits);
    recipe.validate()?;
    recipe.train.epochs = epochs;
    Ok(recipe)
}

/// The recipe that is named, or else the shipped one after which a net is.
pub(super) fn namesake(recipe: Option<&str>, name: &str) -> Result<Recipe> {
    let after = |shipped: &str| {
        name.strip_prefix(shipped).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let namesake = SHIPPED.iter().map(|(shipped, _)| *shipped).filter(|shipped| after(shipped));
    match recipe.or(namesake.max_by_key(|shipped| shipped.len())) {
        Some(recipe) => Recipe::load(recipe),
        None => Err(Error::new(format!(
            "net {name:?} is named after no shipped recipe; say with --recipe how to train it on"
        ))),
    }
}

/// Whether samples and classes of data are those of a net.
pub(super) fn fits(data: &Dataset, spec: &str, net: &Net<Float>, dir: &Path) -> Result<()> {
    if shape_of(data)?.same(net.input_shape()) && data.classes.len() == net.output_shape().len() {
        return Ok(());
    }
    Err(Error::new(format!("data {spec:?} does not fit the net of {}", dir.display())))
}

/// The folder beside the old one.
pub(super) fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    dir.with_file_name(format!("{name}-{suffix}"))
}

/// What the old net comes to.
fn before(
    net: &Net<Float>,
    stored: &Stored,
    test: Labelled<'_>,
    changes: Vec<Change>,
    threads: usize,
) -> Result<Before> {
    let origin = net.tensors[net.input.at()].meta.origin;
    let float = float(net, test, threads)?;
    let int8 = int8(&stored.net, origin, test, threads)?;
    Ok(Before {
        model: net.name.clone(),
        float: super::summary::score(&float),
        int8: super::summary::score(&int8),
        params: net.params(),
        macs: stored.net.macs(),
        weight_bytes: stored.net.weight_bytes(),
        arena_bytes: stored.arena,
        layers: Layer::all(&stored.net),
        confusion: int8.confusion,
        changes,
    })
}
