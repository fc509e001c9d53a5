//! What import promises of any bytes: a model that is as `import::model` says, checked the slow and plain way, and a net
//! that gives the same bytes cleaned up or not, or else one line of error.

use train_host::Result;
use train_host::graph::Net;
use train_host::import::import;
use train_host::import::model::{Element, Kind, Model, Strided, Tensor};
use train_host::import::tflite::read;
use train_host::plan::plan;
use zipnet::ir::Int;

/// How far bytes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Refused by the reader.
    Refused,
    /// A model that is no net here.
    Model,
    /// A net.
    Net,
}

/// Does with bytes what `train-host import` does, short of writing. Panics where a promise is broken.
pub(crate) fn keep(bytes: &[u8]) -> Kept {
    match read(bytes) {
        Ok(model) => holds(&model),
        Err(error) => {
            is_one_line(&error.to_string());
            return Kept::Refused;
        }
    }
    let (plain, cleaned) = match (net(bytes, false), net(bytes, true)) {
        (Ok(plain), Ok(cleaned)) => (plain, cleaned),
        (Err(plain), Err(cleaned)) => {
            is_one_line(&plain.to_string());
            assert_eq!(plain.to_string(), cleaned.to_string());
            return Kept::Model;
        }
        (plain, cleaned) => panic!("as it is: {:?}; cleaned up: {:?}", plain.err(), cleaned.err()),
    };
    // Legal nets may be larger than there is time to run.
    let elements: usize = plain.tensors.iter().map(|t| t.shape.len()).sum();
    if plain.macs() < 1_000_000 && elements < 1 << 18 {
        let size = plain.input_shape().len();
        let mut inputs = [vec![i8::MIN; size], vec![i8::MAX; size]].concat();
        inputs.extend((0..size).map(|i| (i * 37 + 11) as u8 as i8));
        assert_eq!(plain.run(&inputs).expect("runs"), cleaned.run(&inputs).expect("runs"));
    }
    Kept::Net
}

fn net(bytes: &[u8], cleaning: bool) -> Result<Net<Int>> {
    let mut net = import(bytes, "fuzzed", cleaning)?.net;
    plan(&mut net)?;
    Ok(net)
}

/// Panics where a model breaks a promise.
pub(crate) fn holds(model: &Model) {
    for tensor in &model.tensors {
        tensor_holds(tensor);
    }
    assert!(!model.inputs.is_empty());
    assert!(!model.outputs.is_empty());
    let mut written: Vec<bool> = model.tensors.iter().map(|t| t.data.is_some()).collect();
    for &input in &model.inputs {
        assert!(!std::mem::replace(&mut written[input], true), "input {input} is a constant or comes twice");
    }
    let before = written.clone();
    for (index, operator) in model.operators.iter().enumerate() {
        assert!(operator.version > 0);
        for &input in operator.inputs.iter().flatten() {
            assert!(written[input], "operator {index} reads tensor {input} before it is written");
        }
        for &output in &operator.outputs {
            assert!(!std::mem::replace(&mut written[output], true), "tensor {output} is written twice");
        }
        kind_holds(model, index);
    }
    for (i, &output) in model.outputs.iter().enumerate() {
        assert!(written[output] && !before[output], "no operator writes output {i}");
        assert!(!model.outputs[..i].contains(&output), "output {i} comes twice");
    }
}

fn tensor_holds(tensor: &Tensor) {
    let mut elements = 1u64;
    for &extent in &tensor.shape {
        assert!(extent > 0);
        elements *= u64::try_from(extent).unwrap();
        assert!(elements < 1 << 32);
    }
    let bits = match tensor.element {
        Element::Float32 | Element::Int32 | Element::UInt32 => 32,
        Element::Float16 | Element::Int16 | Element::UInt16 => 16,
        Element::UInt8 | Element::Int8 | Element::Bool => 8,
        Element::Int64 => 64,
        Element::Int4 => 4,
        Element::Other(_) => 0,
    };
    assert!(elements * bits / 8 < 1 << 32);
    if let Some(data) = &tensor.data {
        assert!(!data.is_empty());
        assert!(bits == 0 || data.len() as u64 == (elements * bits).div_ceil(8));
    }
    let Some(quantisation) = &tensor.quantisation else { return };
    let range = match tensor.element {
        Element::Int8 => -128..=127,
        Element::UInt8 => 0..=255,
        Element::Int16 => -32_768..=32_767,
        Element::UInt16 => 0..=65_535,
        Element::Int4 => -8..=7,
        Element::Int32 | Element::Int64 => i32::MIN..=i32::MAX,
        Element::UInt32 => 0..=i32::MAX,
        other => panic!("{other:?} is quantised"),
    };
    assert!(quantisation.scales.iter().all(|s| s.is_normal() && *s > 0.0));
    assert_eq!(quantisation.scales.len(), quantisation.zeros.len());
    assert!(quantisation.zeros.iter().all(|zero| range.contains(zero)));
    let extent = match tensor.shape.get(quantisation.axis) {
        Some(&extent) => extent,
        None => {
            assert!(tensor.shape.is_empty() && quantisation.axis == 0);
            1
        }
    };
    assert!(quantisation.scales.len() == 1 || quantisation.scales.len() == extent);
}

fn kind_holds(model: &Model, index: usize) {
    let operator = &model.operators[index];
    let positive = |pair: [u32; 2]| assert!(pair[0] > 0 && pair[1] > 0);
    match operator.kind {
        Kind::Other(_) => return,
        Kind::Conv2d { stride, dilation, .. } => {
            positive(stride);
            positive(dilation);
        }
        Kind::DepthwiseConv2d { stride, dilation, multiplier, .. } => {
            positive(stride);
            positive(dilation);
            assert!(multiplier > 0);
        }
        Kind::TransposeConv { stride, .. } => positive(stride),
        Kind::AveragePool2d { stride, filter, .. } | Kind::MaxPool2d { stride, filter, .. } => {
            positive(stride);
            positive(filter);
        }
        Kind::Softmax { beta } => assert!(beta.is_normal() && beta > 0.0),
        Kind::LeakyRelu { alpha } => assert!(alpha.is_finite()),
        Kind::Split { count } | Kind::SplitV { count } | Kind::Unpack { count, .. } => {
            assert!(count > 0);
            assert_eq!(operator.outputs.len(), count as usize);
        }
        Kind::Concatenation { axis, .. } => {
            for &input in operator.inputs.iter().flatten() {
                let rank = model.tensors[input].shape.len() as i64;
                assert!((-rank..rank).contains(&i64::from(axis)));
            }
        }
        Kind::StridedSlice(Strided {
            begin_mask,
            end_mask,
            ellipsis_mask,
            new_axis_mask,
            shrink_axis_mask,
            ..
        }) => {
            let elements: usize = model.tensors[operator.inputs[1].unwrap()].shape.iter().product();
            for mask in [begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask] {
                assert!(u64::from(mask) < 1 << elements.min(32));
            }
            assert!(ellipsis_mask.count_ones() < 2);
        }
        _ => {}
    }
    let weighted = matches!(
        operator.kind,
        Kind::Conv2d { .. } | Kind::DepthwiseConv2d { .. } | Kind::FullyConnected { .. }
    );
    let left_out = operator.inputs.iter().position(Option::is_none);
    let transposed = matches!(operator.kind, Kind::TransposeConv { .. });
    assert!(left_out.is_none() || weighted && left_out == Some(2) || transposed && left_out == Some(3));
    assert!(!operator.inputs.is_empty());
    assert!(!operator.outputs.is_empty());
}

/// Panics where an error is more than a line.
pub(crate) fn is_one_line(text: &str) {
    assert!(!text.is_empty());
    assert!(!text.chars().any(char::is_control), "{text:?}");
    // Sixteen tensors with names, types and shapes, all as long as they are shown, and the words between.
    assert!(text.len() < 6000, "{} bytes of error", text.len());
}
