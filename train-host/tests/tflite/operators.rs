//! Operators that are refused: of too few or too many tensors, or with options that mean nothing.

use train_host::import::tflite::read;

use crate::author::{File, Tensor, Value};
use crate::refused::refuse;
use Value::{F32, I8, I32};

/// Operators by code, with how many inputs and outputs they may have and their legal options.
struct Row(&'static str, i32, std::ops::RangeInclusive<i32>, i32, u8, &'static [(u16, Value)]);

const WINDOW: &[(u16, Value)] = &[(1, I32(1)), (2, I32(1)), (3, I32(1)), (4, I32(1))];
const MULTIPLIER: &[(u16, Value)] = &[(1, I32(1)), (2, I32(1)), (3, I32(1))];

const OPERATORS: [Row; 42] = [
    Row("ADD", 0, 2..=2, 1, 11, &[]),
    Row("AVERAGE_POOL_2D", 1, 1..=1, 1, 5, WINDOW),
    Row("CONCATENATION", 2, 1..=9, 1, 10, &[]),
    Row("CONV_2D", 3, 2..=3, 1, 1, &[(1, I32(1)), (2, I32(1))]),
    Row("DEPTHWISE_CONV_2D", 4, 2..=3, 1, 2, MULTIPLIER),
    Row("DEQUANTIZE", 6, 1..=1, 1, 0, &[]),
    Row("FULLY_CONNECTED", 9, 2..=3, 1, 8, &[]),
    Row("LOGISTIC", 14, 1..=1, 1, 0, &[]),
    Row("MAX_POOL_2D", 17, 1..=1, 1, 5, WINDOW),
    Row("MUL", 18, 2..=2, 1, 21, &[]),
    Row("RELU", 19, 1..=1, 1, 0, &[]),
    Row("RELU_N1_TO_1", 20, 1..=1, 1, 0, &[]),
    Row("RELU6", 21, 1..=1, 1, 0, &[]),
    Row("RESHAPE", 22, 1..=2, 1, 0, &[]),
    Row("SOFTMAX", 25, 1..=1, 1, 9, &[(0, F32(1.0))]),
    Row("TANH", 28, 1..=1, 1, 0, &[]),
    Row("PAD", 34, 2..=2, 1, 0, &[]),
    Row("TRANSPOSE", 39, 2..=2, 1, 0, &[]),
    Row("MEAN", 40, 2..=2, 1, 27, &[]),
    Row("SUB", 41, 2..=2, 1, 28, &[]),
    Row("SQUEEZE", 43, 1..=1, 1, 0, &[]),
    Row("STRIDED_SLICE", 45, 4..=4, 1, 32, &[]),
    Row("SPLIT", 49, 2..=2, 3, 35, &[(0, I32(3))]),
    Row("PRELU", 54, 2..=2, 1, 0, &[]),
    Row("MAXIMUM", 55, 2..=2, 1, 0, &[]),
    Row("MINIMUM", 57, 2..=2, 1, 0, &[]),
    Row("TRANSPOSE_CONV", 67, 3..=4, 1, 49, &[(1, I32(1)), (2, I32(1))]),
    Row("SLICE", 65, 3..=3, 1, 0, &[]),
    Row("PACK", 83, 1..=9, 1, 59, &[]),
    Row("UNPACK", 88, 1..=1, 4, 64, &[(0, I32(4)), (1, I32(1))]),
    Row("FILL", 94, 2..=2, 1, 0, &[]),
    Row("SPLIT_V", 102, 3..=3, 2, 79, &[(0, I32(2))]),
    Row("TILE", 69, 2..=2, 1, 0, &[]),
    Row("REDUCE_MAX", 82, 2..=2, 1, 27, &[]),
    Row("REDUCE_MIN", 89, 2..=2, 1, 27, &[]),
    Row("PADV2", 60, 3..=3, 1, 0, &[]),
    Row("EXPAND_DIMS", 70, 2..=2, 1, 0, &[]),
    Row("RESIZE_NEAREST_NEIGHBOR", 97, 2..=2, 1, 74, &[]),
    Row("LEAKY_RELU", 98, 1..=1, 1, 75, &[(0, F32(0.1))]),
    Row("QUANTIZE", 114, 1..=1, 1, 0, &[]),
    Row("HARD_SWISH", 117, 1..=1, 1, 0, &[]),
    // Whatever it takes.
    Row("CUMSUM", 128, 0..=9, 1, 102, &[]),
];

#[test]
fn too_few_and_too_many_tensors() {
    for Row(name, code, legal, outputs, options, fields) in OPERATORS {
        let file = |inputs, outputs| {
            let mut file = File::operator(code, inputs, outputs, options, fields);
            // Even an operator without inputs is part of a model with some.
            file.tensors.push(Tensor::activation("spare", &[1]));
            file.inputs.push(inputs + outputs);
            file
        };
        for inputs in 0..=9 {
            let read = read(&file(inputs, outputs).bytes());
            if legal.contains(&inputs) {
                assert_eq!(read.expect(name).operators[0].kind.name(), name);
                continue;
            }
            let due = match (*legal.start(), *legal.end()) {
                (1, 9) => "1 or more".to_string(),
                (low, high) if low == high => low.to_string(),
                (low, high) => format!("{low} to {high}"),
            };
            let error = read.expect_err(name).to_string();
            assert_eq!(error, format!("operator 0 ({name}): has {inputs} inputs, not {due}"));
        }
        for inputs in legal.clone().filter(|_| name != "CUMSUM") {
            for wrong in [0, outputs - 1, outputs + 1] {
                let mut file = file(inputs, outputs.max(wrong));
                file.operators[0].outputs.truncate(wrong as usize);
                let due = format!("operator 0 ({name}): has {wrong} outputs, not {outputs}");
                refuse(file, |_| (), &due);
            }
            for left_out in 0..inputs {
                let mut file = file(inputs, outputs);
                file.operators[0].inputs[left_out as usize] = -1;
                match read(&file.bytes()) {
                    Ok(_) => {
                        assert!(matches!((code, left_out), (3 | 4 | 9, 2) | (67, 3)), "{name}: {left_out}");
                    }
                    Err(e) => assert_eq!(
                        e.to_string(),
                        format!("operator 0 ({name}): input {left_out} is left out, and is not optional")
                    ),
                }
            }
        }
        if options != 0 && name != "CUMSUM" {
            let mut file = file(*legal.start(), outputs);
            file.operators[0].options = 77;
            let error = read(&file.bytes()).expect_err(name).to_string();
            let due =
                format!("operator 0 ({name}): builtin_options_type: options of type 77, not {options} (");
            assert!(error.starts_with(&due), "{error}");
        }
    }
}

/// An operator whose option `id` has a value no operator may have.
fn option(name: &str, id: u16, value: Value, due: &str) {
    let Row(_, code, inputs, outputs, options, legal) =
        OPERATORS.into_iter().find(|row| row.0 == name).unwrap();
    let fields: Vec<_> = legal.iter().filter(|(i, _)| *i != id).copied().chain([(id, value)]).collect();
    let file = File::operator(code, *inputs.start(), outputs, options, &fields);
    refuse(file, |_| (), &format!("operator 0 ({name}): {due}"));
}

#[test]
fn options_that_mean_nothing() {
    for name in ["CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "AVERAGE_POOL_2D", "MAX_POOL_2D"] {
        for value in [0, -1, i32::MIN] {
            option(name, 1, I32(value), &format!("stride_w: {value} is not above 0"));
            option(name, 2, I32(value), &format!("stride_h: {value} is not above 0"));
        }
        option(name, 0, I8(2), "padding: 2 is neither SAME (0) nor VALID (1)");
        option(name, 0, I8(-1), "padding: -1 is neither SAME (0) nor VALID (1)");
    }
    option("CONV_2D", 4, I32(0), "dilation_w_factor: 0 is not above 0");
    option("CONV_2D", 5, I32(-3), "dilation_h_factor: -3 is not above 0");
    option("DEPTHWISE_CONV_2D", 5, I32(0), "dilation_w_factor: 0 is not above 0");
    option("DEPTHWISE_CONV_2D", 6, I32(0), "dilation_h_factor: 0 is not above 0");
    option("DEPTHWISE_CONV_2D", 3, I32(0), "depth_multiplier: 0 is not above 0");
    option("MAX_POOL_2D", 3, I32(0), "filter_width: 0 is not above 0");
    option("AVERAGE_POOL_2D", 4, I32(-1), "filter_height: -1 is not above 0");
    option("SPLIT", 0, I32(0), "num_splits: 0 is not above 0");
    option("SPLIT", 0, I32(-3), "num_splits: -3 is not above 0");
    option("SPLIT_V", 0, I32(0), "num_splits: 0 is not above 0");
    option("UNPACK", 0, I32(-1), "num: -1 is not above 0");
    option("UNPACK", 0, I32(3), "has 4 outputs, not 3");
    option("SPLIT", 0, I32(2), "has 3 outputs, not 2");
    for (name, id) in [
        ("CONV_2D", 3),
        ("DEPTHWISE_CONV_2D", 4),
        ("TRANSPOSE_CONV", 3),
        ("MAX_POOL_2D", 5),
        ("FULLY_CONNECTED", 0),
        ("ADD", 0),
        ("SUB", 0),
        ("MUL", 0),
        ("CONCATENATION", 1),
    ] {
        option(name, id, I8(6), "fused_activation_function: 6 is unknown");
        option(name, id, I8(-1), "fused_activation_function: -1 is unknown");
    }
    option("FULLY_CONNECTED", 1, I8(2), "weights_format: 2 is neither 0 nor 1");
    option("FULLY_CONNECTED", 2, I8(2), "keep_num_dims: 2 is neither 0 nor 1");
    option("MEAN", 0, I8(-1), "keep_dims: 255 is neither 0 nor 1");
    for (beta, shown) in
        [(0.0, "0e0"), (-1.0, "-1e0"), (f32::NAN, "NaN"), (f32::INFINITY, "inf"), (1e-40, "1e-40")]
    {
        option("SOFTMAX", 0, F32(beta), &format!("beta: {shown} is not a number above 0"));
    }
    option("LEAKY_RELU", 0, F32(f32::NAN), "alpha: NaN is not finite");
    option("LEAKY_RELU", 0, F32(f32::NEG_INFINITY), "alpha: -inf is not finite");
    option("CONCATENATION", 0, I32(4), "axis 4 of tensors of rank 4");
    option("CONCATENATION", 0, I32(-5), "axis -5 of tensors of rank 4");
}

#[test]
fn missing_options_are_defaults() {
    let due = "operator 0 (CONV_2D): stride_h: 0 is not above 0";
    refuse(File::convolution(), |f| f.operators[0].options = 0, due);
    refuse(File::convolution(), |f| f.operators[0].fields.clear(), due);
}

#[test]
fn masks_beyond_what_they_mask() {
    let slice = |id, value, due: &str| {
        let file = File::operator(45, 4, 1, 32, &[(id, I32(value))]);
        let change = |f: &mut File| f.tensors[1] = Tensor::activation("begin", &[3]);
        refuse(file, change, &format!("operator 0 (STRIDED_SLICE): {due}"));
    };
    for (id, name) in
        ["begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"].iter().enumerate()
    {
        slice(id as u16, 8, "a mask with bits beyond the 3 elements of begin");
        slice(id as u16, -1, &format!("{name}: -1 is negative"));
        slice(id as u16, i32::MAX, "a mask with bits beyond the 3 elements of begin");
    }
    slice(2, 3, "ellipsis_mask with more than one bit");
}
