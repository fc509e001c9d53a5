//! Import, from the file to the engine's bytes.
//!
//! The single-operator models of `tests/golden/operators` give what TensorFlow Lite Micro's reference kernels gave, with
//! and without clean-up. So do the real models of `../shared/models`, where that folder exists.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use train_host::clean::clean;
use train_host::export::for_host;
use train_host::graph::Net;
use train_host::import::lower::{Border, lower};
use train_host::import::model::{Element, Kind, Model, Operator, Tensor};
use train_host::import::{import, tflite};
use train_host::plan::plan;
use zipnet::Cpu;
use zipnet::ir::Int;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

fn int8s(value: &Value) -> Vec<i8> {
    serde_json::from_value(value.clone()).expect("a list of int8")
}

/// The outputs of a model for inputs back to back, as the file has its graph or cleaned.
fn run(model: &Model, inputs: &[i8], cleaned: bool) -> train_host::Result<Vec<i8>> {
    let mut net = lower(model, "golden")?.net;
    if cleaned {
        clean(&mut net)?;
    }
    plan(&mut net)?;
    on_every_isa(&net, inputs)
}

/// The outputs of a net in plain order, once it has given the same packed for this host, on every instruction set here.
fn on_every_isa(net: &Net<Int>, inputs: &[i8]) -> train_host::Result<Vec<i8>> {
    let outputs = net.run(inputs)?;
    let packed = for_host(net)?;
    for cpu in Cpu::all() {
        assert!(net.run_on(cpu, inputs)? == outputs, "{}: other bytes", cpu.name());
        assert!(packed.run_on(cpu, inputs)? == outputs, "{}: other bytes when packed", cpu.name());
    }
    Ok(outputs)
}

/// Whether a case is one of those whose expectation is not TensorFlow Lite Micro's.
fn of_another_kernel(case: &Value) -> bool {
    case["operator"] == "RELU6" && case["by"] != "tflite-micro"
}

#[test]
fn every_operator_gives_the_golden_bytes() {
    let text = fs::read_to_string(golden().join("operators.json")).expect("the file of cases");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let (mut ran, mut left) = (BTreeMap::<String, usize>::new(), 0);
    let mut wrong = Vec::new();
    for case in file["cases"].as_array().expect("a list") {
        let name = case["name"].as_str().expect("a name");
        if of_another_kernel(case) {
            left += 1;
            continue;
        }
        let path = golden().join(case["file"].as_str().expect("a path"));
        let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let model = tflite::read(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        for sample in case["samples"].as_array().expect("a list") {
            let inputs: Vec<Vec<i8>> =
                sample["inputs"].as_array().expect("inputs").iter().map(int8s).collect();
            for (which, expected) in sample["outputs"].as_array().expect("outputs").iter().enumerate() {
                // A net has one input and one output: of several inputs all but one become constants.
                let live = if which % 2 == 0 { 0 } else { inputs.len() - 1 };
                let model = model.narrowed(live, which, &inputs);
                for cleaned in [false, true] {
                    match run(&model, &inputs[live], cleaned) {
                        Ok(made) if made == int8s(expected) => {}
                        Ok(_) => wrong.push(format!("{name} ({}): other bytes", sample["kind"])),
                        Err(e) => wrong.push(format!("{name}: {e}")),
                    }
                }
            }
        }
        *ran.entry(case["operator"].as_str().expect("a name").to_owned()).or_default() += 1;
    }
    println!("ran {ran:?}");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(ran.values().sum::<usize>() >= 310 && left <= 4, "{ran:?}, {left} left out");
}

#[test]
fn real_models_give_the_golden_bytes() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    if !shared.join("models").is_dir() {
        println!("SKIPPED: no models in {}", shared.display());
        return;
    }
    // The arenas of a plan by hand.
    for (name, most) in [("ad", 780), ("kws", 16_000), ("ic", 49_152)] {
        let bytes = fs::read(shared.join(format!("models/{name}.tflite"))).expect("a model");
        let vector = |kind: &str| -> Vec<i8> {
            let path = shared.join(format!("vectors/{name}.{kind}.bin"));
            fs::read(&path).expect("a vector").into_iter().map(u8::cast_signed).collect()
        };
        let mut net = import(&bytes, name, true).unwrap_or_else(|e| panic!("{name}: {e}")).net;
        let arena = plan(&mut net).expect("plans");
        assert!(arena <= most, "{name}: an arena of {arena} bytes");
        let (inputs, outputs) = (vector("in"), vector("out"));
        assert_eq!(inputs.len() / net.input_shape().len(), 16, "{name}");
        assert!(on_every_isa(&net, &inputs).expect("runs") == outputs, "{name}: other bytes");
    }
}

fn small(name: &str) -> Model {
    let path = golden().join(format!("operators/{name}.tflite"));
    tflite::read(&fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).expect("a model")
}

/// A model as another would have exported it, and why that is refused.
fn refused(model: &Model) -> String {
    lower(model, "refused").expect_err("must be refused").to_string()
}

#[test]
fn what_cannot_be_lowered_is_named_with_what_to_do() {
    let swish = || small("hard_swish_scale_0.012_zero_40");
    let at = |model: &Model| model.operators[0].outputs[0];

    let mut model = swish();
    model.operators[0].kind = Kind::Other("GATHER_ND".to_owned());
    let text = refused(&model);
    for part in ["operator 0", "GATHER_ND", "1x", "replace it"] {
        assert!(text.contains(part), "{text}");
    }

    let mut model = swish();
    for tensor in &mut model.tensors {
        tensor.element = Element::Float32;
        tensor.quantisation = None;
    }
    assert!(refused(&model).contains("calibration"), "{}", refused(&model));

    let mut model = swish();
    model.tensors.push(model.tensors[model.inputs[0]].clone());
    model.inputs.push(model.tensors.len() - 1);
    assert!(refused(&model).contains("2 inputs"), "{}", refused(&model));

    let mut model = swish();
    for t in [model.inputs[0], at(&model)] {
        model.tensors[t].shape[0] = 2;
    }
    assert!(refused(&model).contains("batch of 1"), "{}", refused(&model));

    let mut model = swish();
    let output = at(&model);
    model.tensors[output].element = Element::Int16;
    assert!(refused(&model).contains("int16"), "{}", refused(&model));
}

#[test]
fn what_an_operator_has_in_part_is_named_too() {
    let mut model = small("transpose_conv_4x3x3_to8x6x6_k2x2_s2x2_valid_relu");
    if let Kind::TransposeConv { stride, .. } = &mut model.operators[0].kind {
        *stride = [3, 2];
    }
    let output = model.operators[0].outputs[0];
    model.tensors[output].shape[1] = 11;
    assert!(refused(&model).contains("gaps"), "{}", refused(&model));
    model.tensors[output].shape[1] = 20;
    assert!(refused(&model).contains("20 outputs"), "{}", refused(&model));

    let mut model = small("minimum_4x5x3").narrowed(0, 0, &[vec![], vec![7; 60]]);
    model.tensors[1].shape = vec![1, 5, 4, 3];
    assert!(refused(&model).contains("differ in shape"), "{}", refused(&model));
    let [x, y] = [0, model.outputs[0]].map(|t| model.tensors[t].quantisation.clone());
    assert_eq!(x, y, "both are of one scale");
    model.tensors[0].quantisation.as_mut().expect("a scale").zeros[0] += 1;
    assert!(refused(&model).contains("of the output"), "{}", refused(&model));

    let mut model = float_borders(small("hard_swish_scale_0.012_zero_40"));
    let inner = model.operators[1].inputs[0];
    model.operators.swap(1, 2);
    let float = model.operators[1].outputs[0];
    model.operators[1].inputs = vec![inner];
    model.operators[2].inputs = vec![Some(float)];
    model.operators[2].kind = Kind::Other("ELU".to_owned());
    model.outputs = model.operators[2].outputs.clone();
    assert!(refused(&model).contains("ELU reads it"), "{}", refused(&model));
}

#[test]
fn bytes_that_are_only_moved_mean_the_same() {
    let mut model = small("reshape_3x4x5_to_60");
    let output = model.outputs[0];
    model.tensors[output].quantisation.as_mut().expect("a scale").scales[0] *= 2.0;
    assert!(refused(&model).contains("one scale and zero point"), "{}", refused(&model));

    let bytes = fs::read(golden().join("models/dilated.tflite")).expect("a model");
    let model = tflite::read(&bytes).expect("a model");
    let named = |name: &str| model.operators.iter().find(|operator| operator.kind.name() == name);
    let (spread, collect) =
        (named("SPACE_TO_BATCH_ND").expect("one"), named("BATCH_TO_SPACE_ND").expect("one"));
    let mut other = model.clone();
    other.tensors[spread.outputs[0]].quantisation.as_mut().expect("a scale").scales[0] *= 2.0;
    assert!(refused(&other).contains("SPACE_TO_BATCH_ND"), "{}", refused(&other));
    // Cropping more than is padded is no border.
    let mut other = model.clone();
    let crops = collect.inputs[2].expect("crops");
    let last = other.tensors[crops].data.as_mut().and_then(|data| data.last_chunk_mut()).expect("a constant");
    *last = 1000i32.to_le_bytes();
    assert!(refused(&other).contains("SPACE_TO_BATCH_ND"), "{}", refused(&other));
}

#[test]
fn constants_that_a_file_asks_for_are_limited() {
    let mut model = small("reshape_3x4x5_to_60");
    let (input, output) = (model.inputs[0], model.outputs[0]);
    let like = model.tensors[input].clone();
    let mut push = |shape: &[usize], data: Option<Vec<u8>>| {
        model.tensors.push(Tensor { shape: shape.to_vec(), data, ..like.clone() });
        model.tensors.len() - 1
    };
    let (value, filled) = (push(&[], Some(vec![7])), [0; 5].map(|_| push(&[1, 64, 256, 256], None)));
    let operator = |kind, inputs: &[usize], outputs: &[usize]| Operator {
        kind,
        version: 1,
        inputs: inputs.iter().map(|&t| Some(t)).collect(),
        outputs: outputs.to_vec(),
    };
    let mut operators: Vec<Operator> =
        filled.iter().map(|&to| operator(Kind::Fill, &[value, value], &[to])).collect();
    operators.push(operator(Kind::Pack { axis: 1 }, &[&[input], &filled[..]].concat(), &[output]));
    model.operators = operators;
    assert!(refused(&model).contains("constants of more than"), "{}", refused(&model));
}

/// The model with the operator's input float and quantised by a QUANTIZE, and its output dequantised.
fn float_borders(mut model: Model) -> Model {
    let border = |model: &mut Model, inner: usize| {
        let name = format!("{} float", model.tensors[inner].name);
        let shape = model.tensors[inner].shape.clone();
        model.tensors.push(Tensor { name, shape, element: Element::Float32, quantisation: None, data: None });
        model.tensors.len() - 1
    };
    let operator =
        |kind, input, output| Operator { kind, version: 1, inputs: vec![Some(input)], outputs: vec![output] };
    let (inner_in, inner_out) = (model.inputs[0], model.outputs[0]);
    let (input, output) = (border(&mut model, inner_in), border(&mut model, inner_out));
    model.operators.insert(0, operator(Kind::Quantize, input, inner_in));
    model.operators.push(operator(Kind::Dequantize, inner_out, output));
    (model.inputs, model.outputs) = (vec![input], vec![output]);
    model
}

#[test]
fn float_borders_become_scale_and_zero_point() {
    let plain = small("hard_swish_scale_0.012_zero_40");
    let inputs: Vec<i8> = {
        let size: usize = plain.tensors[plain.inputs[0]].shape.iter().product();
        (0..size).map(|i| (i * 37 % 256) as u8 as i8).collect()
    };
    let model = float_borders(plain.clone());
    let lowered = lower(&model, "borders").expect("lowers");
    assert_eq!(lowered.net.nodes.len(), 1, "no node for the borders");
    let text = lowered.input.describe();
    assert!(text.contains("float32 in the file") && text.contains("zero point"), "{text}");
    assert_eq!(run(&model, &inputs, true).expect("runs"), run(&plain, &inputs, true).expect("runs"));
}

#[test]
fn uint8_borders_are_moved_by_128() {
    let plain = small("hard_swish_scale_0.012_zero_40");
    let size: usize = plain.tensors[plain.inputs[0]].shape.iter().product();
    let inputs: Vec<i8> = (0..size).map(|i| (i * 37 % 256) as u8 as i8).collect();
    let mut model = float_borders(plain.clone());
    for (outer, inner) in [(model.inputs[0], plain.inputs[0]), (model.outputs[0], plain.outputs[0])] {
        let mut quantisation = plain.tensors[inner].quantisation.clone().expect("a scale");
        quantisation.zeros[0] += 128;
        model.tensors[outer].element = Element::UInt8;
        model.tensors[outer].quantisation = Some(quantisation);
    }
    model.operators.last_mut().expect("the border").kind = Kind::Quantize;
    let lowered = lower(&model, "borders").expect("lowers");
    assert_eq!(lowered.net.nodes.len(), 1, "no node for the borders");
    assert!(lowered.input.describe().contains("uint8 - 128"), "{}", lowered.input.describe());
    assert_eq!(run(&model, &inputs, true).expect("runs"), run(&plain, &inputs, true).expect("runs"));
}

/// A number of a model's border as the net's int8.
fn entering(border: &Border, value: &Value) -> i8 {
    match border.element {
        Element::Float32 => {
            let real = value.as_f64().expect("a number") as f32;
            ((real / border.int8.scale).round() as i32 + i32::from(border.int8.zero)).clamp(-128, 127) as i8
        }
        Element::UInt8 => (value.as_i64().expect("an integer") - 128) as i8,
        _ => value.as_i64().expect("an integer") as i8,
    }
}

/// The net's int8 as a number of a model's border.
fn leaving(border: &Border, q: i8) -> f64 {
    match border.element {
        Element::Float32 => border.int8.real(q).into(),
        Element::UInt8 => f64::from(q) + 128.0,
        _ => q.into(),
    }
}

#[test]
fn whole_models_of_a_converter_give_the_golden_numbers() {
    let text = fs::read_to_string(golden().join("models.json")).expect("the file of models");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let mut removed = 0;
    for case in file["cases"].as_array().expect("a list") {
        let name = case["name"].as_str().expect("a name");
        let bytes = fs::read(golden().join(format!("models/{name}.tflite"))).expect("a model");
        let model = tflite::read(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        for cleaned in [false, true] {
            let lowered = lower(&model, name).unwrap_or_else(|e| panic!("{name}: {e}"));
            let (mut net, input, output) = (lowered.net, lowered.input, lowered.output);
            if cleaned {
                removed += clean(&mut net)
                    .expect("cleans")
                    .iter()
                    .filter(|note| note.contains("channels of"))
                    .count();
            }
            plan(&mut net).unwrap_or_else(|e| panic!("{name}: {e}"));
            for sample in case["samples"].as_array().expect("a list") {
                let list = |key: &str| sample[key].as_array().expect("numbers").clone();
                let given: Vec<i8> = list("input").iter().map(|v| entering(&input, v)).collect();
                let made: Vec<f64> =
                    on_every_isa(&net, &given).expect("runs").iter().map(|&q| leaving(&output, q)).collect();
                let expected: Vec<f64> =
                    list("output").iter().map(|v| v.as_f64().expect("a number")).collect();
                assert_eq!(made, expected, "{name}, cleaned: {cleaned}");
            }
        }
    }
    assert!(removed >= 10, "the mobile nets hold channels that never change: {removed} notes");
}
