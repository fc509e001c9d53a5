//! The golden single-operator models of `tests/golden`, imported, with the outputs an independent implementation gave.

use std::fs;
use std::path::Path;

use serde_json::Value;
use train_host::clean::clean;
use train_host::export::{Origin, Sample, Source, Stored};
use train_host::import::lower::lower;
use train_host::import::model::Model;
use train_host::import::tflite;
use train_host::plan::plan;
use train_host::{Error, Result};

use crate::cases::Cases;

/// A case for each output of each model.
pub(crate) fn cases() -> Result<Cases> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let path = golden.join("operators.json");
    let text = fs::read_to_string(&path).map_err(|e| Error::file(&path, e))?;
    let file: Value = serde_json::from_str(&text).map_err(|e| Error::file(&path, e))?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut cases = Cases::default();
    for case in list(&file["cases"]) {
        if case["operator"] == "RELU6" && case["by"] != "tflite-micro" {
            continue; // what another implementation makes of it
        }
        let name = case["name"].as_str().unwrap_or_default();
        let path = golden.join(case["file"].as_str().unwrap_or_default());
        let model = tflite::read(&fs::read(&path).map_err(|e| Error::file(&path, e))?)?;
        for which in 0..model.outputs.len() {
            // Of several inputs all but the first become constants, and so belong to one sample.
            let shared = model.inputs.len() == 1;
            let samples = list(&case["samples"]);
            for samples in samples.chunks(if shared { samples.len() } else { 1 }) {
                let stored = stored(name, &model, which, &samples[0])?;
                let golden: Vec<Sample> = samples
                    .iter()
                    .map(|s| Sample {
                        input: int8s(&s["inputs"][0]),
                        output: int8s(&s["outputs"][which]),
                        label: 0,
                    })
                    .collect();
                cases.push(&stored, None, &golden);
            }
        }
    }
    Ok(cases)
}

/// The net of a case: of its outputs the one asked for, of its inputs the first.
fn stored(name: &str, model: &Model, which: usize, sample: &Value) -> Result<Stored> {
    let inputs: Vec<Vec<i8>> = sample["inputs"].as_array().into_iter().flatten().map(int8s).collect();
    let mut net = lower(&model.narrowed(0, which, &inputs), name)?.net;
    clean(&mut net)?;
    let arena = plan(&mut net)?;
    let source =
        Source::Imported { file: format!("{name}.tflite"), sha256: String::new(), notes: Vec::new() };
    Ok(Stored { net, arena, origin: Origin { source, low: 0.0, high: 255.0, classes: Vec::new() } })
}

fn int8s(value: &Value) -> Vec<i8> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}
