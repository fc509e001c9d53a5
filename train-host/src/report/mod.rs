//! What a run came to, in three forms: `report.json` for programs, `report.html` and the terminal for people.
//!
//! [`Report`] is plain data that the command line fills. The page has one file a section; what several share is in
//! `palette` (colours), `plot` (drawing to SVG), `axis` (ticks), `picture` (PNG) and `number` (figures as text).

mod arena;
mod axis;
mod before;
mod bits;
mod confusion;
mod curve;
mod filters;
mod headline;
mod html;
mod json;
mod layers;
mod misses;
mod number;
mod palette;
mod picture;
mod plot;
pub mod progress;
mod sparkline;
pub mod sweep;
mod terminal;

use serde::Serialize;
use zipnet::ir::Int;

use crate::graph::{Net, NetNode, show};

pub use crate::compress::Change;
use crate::quantise::MixedPlan;

/// All that is told of a run.
///
/// Numbers that are not finite are shown as a dash and written to JSON as `null`.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Name of the net.
    pub model: String,
    /// Name of the data it was trained and tested on.
    pub dataset: String,
    /// Seed of the run.
    pub seed: u64,
    /// Names of the classes, in the order of the net's outputs.
    pub classes: Vec<String>,
    /// The float net on the test samples.
    pub float: Score,
    /// The int8 net on the same samples.
    pub int8: Score,
    /// Share of the test samples to which both nets give the same class, 0 to 1.
    pub agreement: f64,
    /// Trained numbers: weights and biases.
    pub params: usize,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Bytes of flash that the int8 net's weights and biases take.
    pub weight_bytes: usize,
    /// Bytes of RAM that the int8 net's tensors share.
    pub arena_bytes: usize,
    /// Wall time of the training.
    pub train_seconds: f64,
    /// The int8 net's operators in execution order: position is the *step* of [`ArenaTensor`].
    pub layers: Vec<Layer>,
    /// What training came to after each epoch; the page alone shows it.
    pub history: Vec<Epoch>,
    /// Test samples by true class (row) and by the int8 net's answer (column); the page alone shows it.
    pub confusion: Vec<Vec<u32>>,
    /// What lies in the arena, where and when; the page alone shows it.
    pub arena: Vec<ArenaTensor>,
    /// The first layer's weights, where they make pictures; the page alone shows them.
    pub filters: Option<Filters>,
    /// Every test sample that one of the nets got wrong; the page alone shows them, the first ones of many.
    pub misses: Vec<Miss>,
    /// The net that this one was made from, where it was made from another.
    pub before: Option<Before>,
    /// How the bits of its layers were chosen, where a budget of flash chose them.
    pub mixed: Option<MixedPlan>,
    /// How it was trained on in int8, where it was.
    pub qat: Option<Qat>,
}

/// A training on in int8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Qat {
    /// Passes over the training samples.
    pub epochs: u32,
    /// Greatest learning rate.
    pub rate: f64,
    /// Share of the float net's imitation in the loss, 0 to 1.
    pub imitate: f64,
    /// Wall time; part of [`Report::train_seconds`].
    pub seconds: f64,
    /// The int8 net on the test samples before, as it was quantised.
    #[serde(rename = "int8_before")]
    pub before: Score,
}

/// The net that another was made from, on the same test samples.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// Its name.
    pub model: String,
    /// Its float form.
    pub float: Score,
    /// Its int8 form.
    pub int8: Score,
    /// As [`Report::params`].
    pub params: usize,
    /// As [`Report::macs`].
    pub macs: u64,
    /// As [`Report::weight_bytes`].
    pub weight_bytes: usize,
    /// As [`Report::arena_bytes`].
    pub arena_bytes: usize,
    /// As [`Report::layers`].
    pub layers: Vec<Layer>,
    /// As [`Report::confusion`]; the page alone shows it.
    pub confusion: Vec<Vec<u32>>,
    /// What became of each of its operators with weights.
    pub changes: Vec<Change>,
}

/// How a net did on the test samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Share of the samples it got right, 0 to 1; not a number where there are no samples.
    pub accuracy: f64,
    /// Samples it got wrong.
    pub errors: u64,
    /// Samples it was asked.
    pub samples: u64,
}

impl Score {
    /// `errors` wrong of `samples`.
    pub fn new(errors: u64, samples: u64) -> Self {
        Self { accuracy: 1.0 - errors as f64 / samples as f64, errors, samples }
    }
}

impl Default for Score {
    fn default() -> Self {
        Self::new(0, 0)
    }
}

/// One operator of the int8 net.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Layer {
    /// What people call it.
    pub name: String,
    /// What it computes, e.g. `conv2d`.
    pub op: String,
    /// Shape it reads, e.g. `16x16x1`; several are separated by `, `.
    pub input: String,
    /// Shape it writes.
    pub output: String,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Bits of a weight, 8 or 4; `None` where it has none.
    pub bits: Option<u8>,
    /// Bytes of its weights and biases.
    pub weight_bytes: usize,
    /// Signal to quantisation noise of its output, in decibels: the power of the float net's output over that of its
    /// difference from the int8 net's. `None` where it was not measured or there is no noise.
    pub sqnr_db: Option<f64>,
}

impl Layer {
    /// The operators of a net; their noise is not known.
    pub fn all(net: &Net<Int>) -> Vec<Self> {
        let layer = |node: &NetNode<Int>| {
            let inputs: Vec<String> = node.inputs.iter().map(|&id| show(net.shape(id))).collect();
            Self {
                name: node.name.clone(),
                op: node.op.name().to_owned(),
                input: inputs.join(", "),
                output: show(net.shape(node.output)),
                macs: node.op.macs(net.shape(node.inputs[0]), net.shape(node.output)),
                bits: node.bits(),
                weight_bytes: node.weight_bytes(),
                sqnr_db: None,
            }
        };
        net.nodes.iter().map(layer).collect()
    }
}

/// What training came to after one epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Epoch {
    /// From 1.
    pub epoch: u32,
    /// Mean loss over the training samples as they were shown, augmented.
    pub loss: f64,
    /// Share of these the net got right, 0 to 1.
    pub train_accuracy: f64,
    /// Mean loss over the test samples, where the epoch was tested.
    pub test_loss: Option<f64>,
    /// Share of the test samples the net got right, 0 to 1, where the epoch was tested.
    pub test_accuracy: Option<f64>,
    /// Learning rate at the end of the epoch.
    pub rate: f64,
}

/// A stretch of the arena that one tensor (or scratch memory) holds for a while.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArenaTensor {
    /// What people call it.
    pub name: String,
    /// First byte.
    pub offset: usize,
    /// How many bytes.
    pub bytes: usize,
    /// First step at which it must be there: a position in [`Report::layers`].
    pub first: usize,
    /// Last step at which it must be there.
    pub last: usize,
}

/// Weights that can be looked at.
///
/// # Shapes
/// `values` holds `count` filters of `height` x `width` x `channels`, channels innermost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filters {
    /// How many.
    pub count: usize,
    /// Rows of each.
    pub height: usize,
    /// Columns of each.
    pub width: usize,
    /// Channels of each.
    pub channels: usize,
    /// The weights.
    pub values: Vec<f32>,
}

/// A test sample that the float or the int8 net got wrong.
///
/// # Shapes
/// `pixels` is `height` x `width` x `channels`, channels innermost.
///
/// # Ranges
/// Pixels of pictures go from 0 to 255. A sample that is no picture (a single row or column, or neither 1 nor 3
/// channels) may hold any numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Miss {
    /// Its position among the test samples, from 0.
    pub index: usize,
    /// What the net was shown.
    pub pixels: Vec<f32>,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
    /// Its class: a position in [`Report::classes`].
    pub truth: usize,
    /// The class the float net gives it.
    pub float: usize,
    /// The class the int8 net gives it.
    pub int8: usize,
}

impl Report {
    /// Accuracy of the float net minus that of the int8 net, in percentage points; below 0 where int8 does better.
    pub fn accuracy_lost_pp(&self) -> f64 {
        100.0 * (self.float.accuracy - self.int8.accuracy)
    }

    /// The name of a class, or its number where it has none.
    fn class(&self, index: usize) -> String {
        self.classes.get(index).cloned().unwrap_or_else(|| format!("#{index}"))
    }
}
