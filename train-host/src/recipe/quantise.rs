//! What a recipe says of quantisation, and of training on in int8.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Course, Loss, Schedule, Train};

/// How to quantise.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantise {
    /// How an activation's range is chosen.
    #[serde(default)]
    pub calibrate: Calibrate,
    /// Bits of a weight, 8 or 4, in layers that are not among [`Quantise::layers`].
    #[serde(default = "eight")]
    pub bits: u8,
    /// Bytes that weights and biases may take: which layers have 4 bits is then chosen by what it costs them.
    pub flash: Option<usize>,
    /// Bits of a weight by the layer's name: those that a recipe's layers say themselves.
    #[serde(skip)]
    pub layers: BTreeMap<String, u8>,
}

impl Default for Quantise {
    fn default() -> Self {
        Self { calibrate: Calibrate::default(), bits: eight(), flash: None, layers: BTreeMap::new() }
    }
}

impl Quantise {
    /// Bits of a weight in a layer.
    pub fn bits_of(&self, layer: &str) -> u8 {
        self.layers.get(layer).copied().unwrap_or(self.bits)
    }
}

/// How to train on in int8 (quantisation-aware training): with the optimiser, batch and distortions of `train`, the rate
/// rising to its peak and falling on half a cosine.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qat {
    /// Passes over the training images.
    pub epochs: u32,
    /// Greatest learning rate; absent, a tenth of that of `train`.
    pub rate: Option<f32>,
    /// Share of the float net's imitation in the loss, 0 to 1; absent, 0.5 under cross-entropy, else 0.
    pub imitate: Option<f32>,
    /// Divides the logits of both nets where one imitates the other.
    #[serde(default = "temperature")]
    pub temperature: f32,
}

impl Qat {
    /// So many epochs, the rest by default.
    pub fn new(epochs: u32) -> Self {
        Self { epochs, rate: None, imitate: None, temperature: temperature() }
    }

    /// The settings of the training on, where those of the float net's are `train`, and the share of imitation.
    pub fn settings(&self, train: &Train) -> (Train, f32) {
        let peak = self.rate.unwrap_or(0.1 * train.schedule.peak);
        let schedule = Schedule { kind: Course::Cosine, peak, end: 0.0, warm_up: 0.05 };
        let imitate = self.imitate.unwrap_or(if train.loss == Loss::CrossEntropy { 0.5 } else { 0.0 });
        (Train { epochs: self.epochs, schedule, early_stop: None, ..train.clone() }, imitate)
    }
}

/// How the range of an activation is chosen from what the calibration images make of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibrate {
    /// Least and greatest value seen.
    #[default]
    MinMax,
    /// The range that leaves one value in ten thousand out on each side.
    Percentile,
    /// The range whose int8 grid has the least mean squared error.
    Mse,
}

fn eight() -> u8 {
    8
}
fn temperature() -> f32 {
    2.0
}
