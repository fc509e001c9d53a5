//! One trial: a net trained, quantised and measured.

use serde::{Deserialize, Serialize};
use zipnet::ir::Shape;

use super::net::{Width, recipe};
use super::{Settings, Trial};
use crate::build::build;
use crate::data::Dataset;
use crate::eval::{Labelled, float, int8};
use crate::quantise::quantise;
use crate::train::{Progress, Samples, train};
use crate::{Error, Result};

/// What a trial came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Which trial.
    pub trial: Trial,
    /// Trained numbers.
    pub params: usize,
    /// Multiplications of one inference.
    pub macs: u64,
    /// Bytes of weights and biases of the int8 net.
    pub weight_bytes: usize,
    /// Bytes of its arena.
    pub arena_bytes: usize,
    /// Test samples.
    pub samples: usize,
    /// Test samples that the float net gets wrong.
    pub float_errors: usize,
    /// Test samples that the int8 net gets wrong.
    pub int8_errors: usize,
    /// How long the training took; in no table, for it differs from run to run.
    pub train_seconds: f64,
}

impl Outcome {
    /// Share of the test samples that the int8 net gets right.
    pub fn int8_accuracy(&self) -> f64 {
        1.0 - self.int8_errors as f64 / self.samples as f64
    }

    /// Share of the test samples that the float net gets right.
    pub fn float_accuracy(&self) -> f64 {
        1.0 - self.float_errors as f64 / self.samples as f64
    }
}

impl Default for Trial {
    fn default() -> Self {
        Self { channels: 4, groups: 1, shuffle: false, seed: 1 }
    }
}

/// Trains, quantises and measures the net of a trial. The outcome depends on the settings and the trial alone, but for
/// the seconds.
///
/// # Errors
/// Where the data is missing or is not of 28x28 grey pictures in 10 classes.
pub fn run(
    settings: &Settings,
    trial: &Trial,
    threads: usize,
    on_progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome> {
    let mut data = Dataset::load(&settings.data)?;
    if (data.height, data.width, data.channels, data.classes.len()) != (28, 28, 1, 10) {
        return Err(Error::new(format!(
            "data {:?} is {}x{}x{} in {} classes; a sweep is over 28x28x1 in 10",
            settings.data,
            data.height,
            data.width,
            data.channels,
            data.classes.len()
        )));
    }
    if let Some(count) = settings.samples {
        data.train.labels.truncate(count);
        data.train.pixels.truncate(count * data.height * data.width);
    }
    let Trial { channels, groups, shuffle, seed } = *trial;
    let width = Width::at(groups, Width::plain(channels).macs(1));
    let recipe = recipe(&trial.id(), &settings.data, width, groups, shuffle, settings.epochs, seed);
    recipe.validate()?;
    let blueprint = build(&recipe, Shape::new(28, 28, 1), 10, seed)?;
    let (inputs, test) = (data.normalised(&data.train), data.normalised(&data.test));
    let samples = Samples { inputs: &inputs, labels: &data.train.labels };
    let trained = train(blueprint, &recipe.train, samples, None, threads, on_progress)?;
    let quantised = quantise(&trained.net, &recipe.quantise, &inputs, threads)?;
    let labelled = Labelled { samples: &test, labels: &data.test.labels };
    let origin = trained.net.tensors[trained.net.input.at()].meta.origin;
    let float = float(&trained.net, labelled, threads)?;
    let int8 = int8(&quantised.net, origin, labelled, threads)?;
    Ok(Outcome {
        trial: *trial,
        params: trained.net.params(),
        macs: quantised.net.macs(),
        weight_bytes: quantised.net.weight_bytes(),
        arena_bytes: quantised.arena,
        samples: int8.samples,
        float_errors: float.errors,
        int8_errors: int8.errors,
        train_seconds: trained.seconds,
    })
}
