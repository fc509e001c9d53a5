//! `eval`: float against int8 over a test split.

use std::fmt::Write;

use crate::cli::EvalArgs;
use crate::data::Dataset;
use crate::eval::{Evaluation, Labelled, float, int8};
use crate::export::{CHECKPOINT, Stored, read_checkpoint};
use crate::{Error, Result};

pub(super) fn run(args: &EvalArgs) -> Result<()> {
    let threads = super::threads(args.threads)?;
    let stored = Stored::load(&args.dir)?;
    let trained_on = stored.origin.data()?;
    let net = read_checkpoint(&args.dir.join(CHECKPOINT))?;
    let spec = args.data.as_deref().unwrap_or(trained_on);
    let mut data = Dataset::load(spec)?;
    if data.classes.len() != stored.origin.classes.len() {
        let (have, want) = (data.classes.len(), stored.origin.classes.len());
        return Err(Error::new(format!("data {spec:?} has {have} classes; the net was trained on {want}")));
    }
    data.range = (stored.origin.low, stored.origin.high); // that of the training, whatever this data shows
    let samples = data.normalised(&data.test);
    let labelled = Labelled { samples: &samples, labels: &data.test.labels };
    let origin = net.tensors[net.input.at()].meta.origin;
    let float = float(&net, labelled, threads)?;
    let int8 = int8(&stored.net, origin, labelled, threads)?;
    super::print(&table(&data.name, &float, &int8))
}

fn table(data: &str, float: &Evaluation, int8: &Evaluation) -> String {
    let mut text = format!("{data}: {} test samples\n", float.samples);
    for (name, of) in [("float", float), ("int8", int8)] {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<14} {:>8.3} %  {:>6} errors", 100.0 * of.accuracy, of.errors);
    }
    let same = float.predictions.iter().zip(&int8.predictions).filter(|(a, b)| a == b).count();
    let agreement = 100.0 * same as f64 / float.samples as f64;
    let lost = 100.0 * (float.accuracy - int8.accuracy);
    let _ = writeln!(text, "{:<14} {agreement:>8.3} %", "agreement");
    let _ = writeln!(text, "{:<14} {lost:>8.3} pp", "accuracy lost");
    text
}
