//! What a recipe says of training.

use serde::Deserialize;

use crate::train::augment::Augment;

/// How to train.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Passes over the training images.
    pub epochs: u32,
    /// Images between two steps of the optimiser.
    pub batch: u32,
    /// Seeds weights, order, dropout and augmentation.
    #[serde(default = "one")]
    pub seed: u64,
    /// What is minimised.
    #[serde(default)]
    pub loss: Loss,
    /// Share of the target spread evenly over all classes; from 0 to below 1.
    #[serde(default)]
    pub label_smoothing: f32,
    /// Share of a batch's statistics in the running mean and variance of a batch norm; above 0, at most 1.
    #[serde(default = "batch_norm_momentum")]
    pub batch_norm_momentum: f32,
    /// How weights begin.
    #[serde(default)]
    pub init: Init,
    /// How weights change.
    pub optimiser: Optimiser,
    /// How the learning rate goes.
    pub schedule: Schedule,
    /// Distortions of the training images.
    #[serde(default)]
    pub augment: Vec<Augment>,
    /// When to stop before the last epoch.
    pub early_stop: Option<EarlyStop>,
}

/// What is minimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Softmax cross-entropy on the net's output, which is logits.
    #[default]
    CrossEntropy,
    /// Mean over all outputs of the squared difference from the one-hot target (as `torch.nn.MSELoss`).
    Mse,
}

/// How weights begin; biases begin at 0, the gamma of a batch norm at 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Uniform within `2.4 / sqrt(fan in)`, as in 1989.
    #[default]
    FanIn,
    /// Normal of deviation `sqrt(2 / fan in)` (He et al. 2015, arXiv 1502.01852).
    He,
}

/// How weights change.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimiser {
    /// Stochastic gradient descent as `torch.optim.SGD`: `v = momentum v + g + weight_decay w; w -= rate v`.
    Sgd {
        /// From 0 to below 1.
        #[serde(default)]
        momentum: f32,
        /// Added to the gradient.
        #[serde(default)]
        weight_decay: f32,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101).
    Adamw {
        /// Decay of the mean.
        #[serde(default = "beta1")]
        beta1: f32,
        /// Decay of the mean square.
        #[serde(default = "beta2")]
        beta2: f32,
        /// Added to the root of the mean square.
        #[serde(default = "epsilon")]
        epsilon: f32,
        /// Multiplied by the rate and the weight and taken off, of every parameter.
        #[serde(default)]
        weight_decay: f32,
    },
}

/// How the learning rate goes over the run.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The course after warm-up.
    pub kind: Course,
    /// Greatest rate.
    pub peak: f32,
    /// Rate at the end; for `constant` of no effect.
    #[serde(default)]
    pub end: f32,
    /// Share of all steps over which the rate rises linearly from 0 to `peak`.
    #[serde(default)]
    pub warm_up: f32,
}

/// The course of a schedule after warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// Stays at the peak.
    Constant,
    /// Falls on a line.
    Linear,
    /// Falls on half a cosine.
    Cosine,
}

/// When to stop before the last epoch: the recipe holds out a share of the training images and watches their loss.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStop {
    /// Share of the training images that is watched and never trained on.
    pub hold_out: f32,
    /// Epochs without a better loss after which the run stops and the best weights are taken.
    pub patience: u32,
}

fn batch_norm_momentum() -> f32 {
    0.02
}
fn one() -> u64 {
    1
}
fn beta1() -> f32 {
    0.9
}
fn beta2() -> f32 {
    0.999
}
fn epsilon() -> f32 {
    1e-8
}
