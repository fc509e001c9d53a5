//! `report.json`: the figures, for programs.

use serde::Serialize;

use super::{Layer, Report, Score};

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
        };
        let mut text =
            serde_json::to_string_pretty(&json).expect("strings, numbers and lists of them serialise");
        text.push('\n');
        text
    }
}
