//! Models of the MLPerf Tiny benchmark, where they are at hand: they are not part of the tree.

use std::path::Path;

use train_host::import::model::{Element, Kind};
use train_host::import::tflite::read;

struct Published {
    name: &'static str,
    /// In order, separated by spaces; `3*NAME` is three in a row.
    operators: &'static str,
    input: &'static [usize],
    output: &'static [usize],
}

const MODELS: [Published; 3] = [
    Published { name: "ad", operators: "10*FULLY_CONNECTED", input: &[1, 640], output: &[1, 640] },
    Published {
        name: "kws",
        operators: "CONV_2D DEPTHWISE_CONV_2D CONV_2D DEPTHWISE_CONV_2D CONV_2D DEPTHWISE_CONV_2D CONV_2D \
            DEPTHWISE_CONV_2D CONV_2D AVERAGE_POOL_2D RESHAPE FULLY_CONNECTED SOFTMAX",
        input: &[1, 49, 10, 1],
        output: &[1, 12],
    },
    Published {
        name: "ic",
        operators: "3*CONV_2D ADD 3*CONV_2D ADD 3*CONV_2D ADD AVERAGE_POOL_2D RESHAPE FULLY_CONNECTED SOFTMAX",
        input: &[1, 32, 32, 3],
        output: &[1, 10],
    },
];

#[test]
fn published_models_read() {
    for Published { name, operators, input, output } in MODELS {
        let file = format!("shared/models/{name}.tflite");
        let Some(bytes) = above(&file) else {
            println!("SKIPPED: no {file} beside the tree, so the published model {name} is not read");
            continue;
        };
        let model = read(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let found: Vec<&str> = model.operators.iter().map(|o| o.kind.name()).collect();
        let due: Vec<&str> = operators
            .split(' ')
            .flat_map(|word| match word.split_once('*') {
                Some((count, name)) => vec![name; count.parse().expect("a count")],
                None => vec![word],
            })
            .collect();
        assert_eq!(found, due, "{name}");
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
