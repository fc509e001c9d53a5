//! Every golden model of an operator says to the reader what `operators.json` says of it.

use serde::Deserialize;
use serde_json::{Value, json};
use train_host::import::model::{Activation, Element, Kind, Model, Padding, Strided, Tensor};
use train_host::import::tflite::read;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    file: String,
    operators: Vec<OperatorRecord>,
    tensors: Vec<TensorRecord>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

#[derive(Deserialize)]
struct OperatorRecord {
    operator: String,
    version: i32,
    inputs: Vec<Option<usize>>,
    outputs: Vec<usize>,
    attributes: Value,
}

#[derive(Deserialize)]
struct TensorRecord {
    name: String,
    shape: Vec<usize>,
    #[serde(rename = "type")]
    element: String,
    scale: Option<Vec<f32>>,
    zero_point: Option<i32>,
    quantized_dimension: Option<usize>,
    data: Option<Vec<i32>>,
}

#[test]
fn all_read_as_they_were_written() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/");
    let text =
        std::fs::read_to_string(format!("{root}operators.json")).expect("the goldens are part of the tree");
    let file: File = serde_json::from_str(&text).expect("the goldens are well formed");
    assert!(file.cases.len() >= 344, "{} cases", file.cases.len());
    let mut attributes = 0;
    for case in &file.cases {
        let bytes = std::fs::read(format!("{root}{}", case.file)).expect("part of the tree");
        let model = read(&bytes).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        assert_eq!(model.description, case.name);
        assert_eq!(model.inputs, case.inputs, "{}", case.name);
        assert_eq!(model.outputs, case.outputs, "{}", case.name);
        assert_eq!(model.tensors.len(), case.tensors.len(), "{}", case.name);
        for (found, due) in model.tensors.iter().zip(&case.tensors) {
            compare(found, due, &case.name);
        }
        assert_eq!(model.operators.len(), case.operators.len(), "{}", case.name);
        for (index, due) in case.operators.iter().enumerate() {
            let found = &model.operators[index];
            assert_eq!(found.kind.name(), due.operator, "{}", case.name);
            assert_eq!(found.version, due.version, "{}", case.name);
            assert_eq!(found.inputs, due.inputs, "{}", case.name);
            assert_eq!(found.outputs, due.outputs, "{}", case.name);
            for (key, value) in attributes_of(&model, index) {
                assert_eq!(value, due.attributes[key], "{}: {key}", case.name);
                attributes += 1;
            }
        }
    }
    println!("{} models, {attributes} attributes", file.cases.len());
    assert!(attributes > 600, "only {attributes} attributes compared");
}

fn compare(found: &Tensor, due: &TensorRecord, case: &str) {
    assert_eq!(found.name, due.name, "{case}");
    let element = match due.element.as_str() {
        "int8" => Element::Int8,
        "int32" => Element::Int32,
        other => panic!("{case}: a golden of {other}"),
    };
    assert_eq!(found.element, element, "{case}");
    match &due.data {
        Some(data) => {
            assert_eq!(found.shape, due.shape, "{case}");
            assert_eq!(found.data.as_deref(), Some(&*bytes(data, element)), "{case}: {}", due.name);
        }
        None => {
            assert_eq!(found.shape[0], 1, "{case}");
            assert_eq!(found.shape[1..], due.shape, "{case}");
            assert_eq!(found.data, None, "{case}: {}", due.name);
        }
    }
    match (&found.quantisation, &due.scale) {
        (Some(found), Some(scales)) => {
            assert_eq!(found.scales, *scales, "{case}");
            assert_eq!(found.zeros, vec![due.zero_point.expect("a zero point"); scales.len()], "{case}");
            if let Some(axis) = due.quantized_dimension {
                assert_eq!(found.axis, axis, "{case}");
            }
        }
        (None, None) => {}
        (found, due) => panic!("{case}: {found:?}, not {due:?}"),
    }
}

fn bytes(data: &[i32], element: Element) -> Vec<u8> {
    match element {
        Element::Int8 => data.iter().map(|&v| v as u8).collect(),
        _ => data.iter().flat_map(|v| v.to_le_bytes()).collect(),
    }
}

/// Of an operator the attributes that its options hold, in the words of `operators.json`.
fn attributes_of(model: &Model, index: usize) -> Vec<(&'static str, Value)> {
    let windowed = |padding: Padding, stride: [u32; 2], activation| {
        let padding = if padding == Padding::Same { "SAME" } else { "VALID" };
        vec![("padding", json!(padding)), ("stride", json!(stride)), named(activation)]
    };
    match model.operators[index].kind {
        Kind::Conv2d { padding, stride, dilation, activation } => {
            let mut list = windowed(padding, stride, activation);
            list.push(("dilation", json!(dilation)));
            list
        }
        Kind::DepthwiseConv2d { padding, stride, dilation, multiplier, activation } => {
            let mut list = windowed(padding, stride, activation);
            list.extend([("dilation", json!(dilation)), ("depth_multiplier", json!(multiplier))]);
            list
        }
        Kind::AveragePool2d { padding, stride, filter, activation }
        | Kind::MaxPool2d { padding, stride, filter, activation } => {
            let mut list = windowed(padding, stride, activation);
            list.push(("kernel", json!(filter)));
            list
        }
        Kind::TransposeConv { padding, stride, activation } => windowed(padding, stride, activation),
        Kind::FullyConnected { activation, keep_num_dims, shuffled_weights } => {
            assert!(!shuffled_weights);
            vec![named(activation), ("keep_num_dims", json!(keep_num_dims))]
        }
        Kind::Add { activation } | Kind::Sub { activation } | Kind::Mul { activation } => {
            vec![named(activation)]
        }
        Kind::Mean { keep_dims } | Kind::ReduceMax { keep_dims } | Kind::ReduceMin { keep_dims } => {
            vec![("keep_dims", json!(keep_dims))]
        }
        Kind::Concatenation { axis, activation } => {
            // The file counts the batch too, and may count from the end.
            let rank = model.tensors[model.outputs[0]].shape.len() as i32;
            vec![("axis", json!(axis.rem_euclid(rank) - 1)), named(activation)]
        }
        Kind::Split { count } | Kind::SplitV { count } => vec![("num_splits", json!(count))],
        Kind::Pack { axis } | Kind::Unpack { axis, .. } => vec![("axis", json!(axis - 1))],
        Kind::Softmax { beta } => vec![("beta", json!(f64::from(beta)))],
        Kind::LeakyRelu { alpha } => vec![("alpha", json!(f64::from(alpha)))],
        Kind::ResizeNearestNeighbor { align_corners, half_pixel_centers } => {
            vec![("align_corners", json!(align_corners)), ("half_pixel_centers", json!(half_pixel_centers))]
        }
        Kind::StridedSlice(Strided { shrink_axis_mask, offset, .. }) => {
            assert!(!offset);
            let axes: Vec<u32> =
                (0..32).filter(|bit| shrink_axis_mask >> bit & 1 == 1).map(|a| a - 1).collect();
            vec![("shrink_axis", json!(axes))]
        }
        Kind::Other(ref name) => panic!("{name} is no operator of the goldens"),
        _ => vec![],
    }
}

fn named(activation: Activation) -> (&'static str, Value) {
    let name = match activation {
        Activation::None => "NONE",
        Activation::Relu => "RELU",
        Activation::ReluN1To1 => "RELU_N1_TO_1",
        Activation::Relu6 => "RELU6",
        Activation::Other(name) => name,
    };
    ("activation", json!(name))
}
