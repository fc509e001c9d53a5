//! Models of the MLPerf Tiny benchmark, where they are at hand: they are not part of the tree.

use std::path::Path;

use train_host::import::model::{Element, Kind};
use train_host::import::tflite::read;

/// Operators in order, as the published models have them.
const MODELS: [(&str, &[&str], &[usize], &[usize]); 3] = [
    ("ad", &["FULLY_CONNECTED"; 10], &[1, 640], &[1, 640]),
    (
        "kws",
        &[
            "CONV_2D",
            "DEPTHWISE_CONV_2D",
            "CONV_2D",
            "DEPTHWISE_CONV_2D",
            "CONV_2D",
            "DEPTHWISE_CONV_2D",
            "CONV_2D",
            "DEPTHWISE_CONV_2D",
            "CONV_2D",
            "AVERAGE_POOL_2D",
            "RESHAPE",
            "FULLY_CONNECTED",
            "SOFTMAX",
        ],
        &[1, 49, 10, 1],
        &[1, 12],
    ),
    (
        "ic",
        &[
            "CONV_2D",
            "CONV_2D",
            "CONV_2D",
            "ADD",
            "CONV_2D",
            "CONV_2D",
            "CONV_2D",
            "ADD",
            "CONV_2D",
            "CONV_2D",
            "CONV_2D",
            "ADD",
            "AVERAGE_POOL_2D",
            "RESHAPE",
            "FULLY_CONNECTED",
            "SOFTMAX",
        ],
        &[1, 32, 32, 3],
        &[1, 10],
    ),
];

#[test]
fn published_models_read() {
    for (name, operators, input, output) in MODELS {
        let file = format!("shared/models/{name}.tflite");
        let Some(bytes) = above(&file) else {
            println!("SKIPPED: no {file} beside the tree, so the published model {name} is not read");
            continue;
        };
        let model = read(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let found: Vec<&str> = model.operators.iter().map(|o| o.kind.name()).collect();
        assert_eq!(found, operators, "{name}");
        assert_eq!(model.tensors[model.inputs[0]].shape, input, "{name}");
        assert_eq!(model.tensors[model.outputs[0]].shape, output, "{name}");
        for tensor in &model.tensors {
            assert!(matches!(tensor.element, Element::Int8 | Element::Int32), "{name}: {}", tensor.name);
        }
        for operator in &model.operators {
            if let Kind::Conv2d { .. } | Kind::DepthwiseConv2d { .. } = operator.kind {
                let weights = &model.tensors[operator.inputs[1].unwrap()];
                let quantisation = weights.quantisation.as_ref().expect("weights are quantised");
                assert_eq!(
                    quantisation.scales.len(),
                    weights.shape[quantisation.axis],
                    "{name}: {}",
                    weights.name
                );
            }
        }
        let held: usize = model.tensors.iter().flat_map(|t| &t.data).map(Vec::len).sum();
        println!("{name}: {} tensors, {held} of {} bytes are constants", model.tensors.len(), bytes.len());
    }
}

/// A file in any folder that the tree lies in.
fn above(file: &str) -> Option<Vec<u8>> {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find_map(|folder| std::fs::read(folder.join(file)).ok())
}
