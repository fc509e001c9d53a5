//! `report.json`: the figures, for programs.

use serde::Serialize;

use super::{Before, Change, Layer, Qat, Report, Score};
use crate::quantise::MixedPlan;

/// The file, key by key. Readers depend on these names; more may follow, none may go.
#[derive(Serialize)]
struct Json<'a> {
    model: &'a str,
    dataset: &'a str,
    seed: u64,
    float: Score,
    int8: Score,
    accuracy_lost_pp: f64,
    agreement: f64,
    params: usize,
    macs: u64,
    weight_bytes: usize,
    arena_bytes: usize,
    train_seconds: f64,
    layers: &'a [Layer],
    classes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<JsonBefore<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mixed: Option<&'a MixedPlan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qat: Option<Qat>,
}

/// The net that this one was made from.
#[derive(Serialize)]
struct JsonBefore<'a> {
    model: &'a str,
    float: Score,
    int8: Score,
    lost_to_rewriting_pp: f64,
    lost_in_all_pp: f64,
    params: usize,
    macs: u64,
    weight_bytes: usize,
    arena_bytes: usize,
    layers: &'a [Layer],
    changes: &'a [Change],
}

impl<'a> JsonBefore<'a> {
    fn new(before: &'a Before, report: &Report) -> Self {
        Self {
            model: &before.model,
            float: before.float,
            int8: before.int8,
            lost_to_rewriting_pp: before.lost_to_rewriting_pp(report),
            lost_in_all_pp: before.lost_in_all_pp(report),
            params: before.params,
            macs: before.macs,
            weight_bytes: before.weight_bytes,
            arena_bytes: before.arena_bytes,
            layers: &before.layers,
            changes: &before.changes,
        }
    }
}

impl Report {
    /// The text of `report.json`, indented, with a newline at its end. Numbers that are not finite become `null`.
    pub fn json(&self) -> String {
        let json = Json {
            model: &self.model,
            dataset: &self.dataset,
            seed: self.seed,
            float: self.float,
            int8: self.int8,
            accuracy_lost_pp: self.accuracy_lost_pp(),
            agreement: self.agreement,
            params: self.params,
            macs: self.macs,
            weight_bytes: self.weight_bytes,
            arena_bytes: self.arena_bytes,
            train_seconds: self.train_seconds,
            layers: &self.layers,
            classes: &self.classes,
            before: self.before.as_ref().map(|before| JsonBefore::new(before, self)),
            mixed: self.mixed.as_ref(),
            qat: self.qat,
        };
        let mut text =
            serde_json::to_string_pretty(&json).expect("strings, numbers and lists of them serialise");
        text.push('\n');
        text
    }
}
