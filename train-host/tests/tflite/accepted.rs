//! What a legal file may leave out or say in another way.

use train_host::import::model::{Activation, Element, Kind, Model, Padding, Strided};
use train_host::import::tflite::read;

use crate::author::{Buffer, Code, File, INT4, INT32, Operator, STRING, Tensor, Value};
use crate::promise;

/// The model of a file with a change.
fn accepted(mut file: File, change: impl FnOnce(&mut File)) -> Model {
    change(&mut file);
    let model = read(&file.bytes()).expect("legal");
    promise::holds(&model);
    model
}

#[test]
fn a_convolution_reads_as_it_was_written() {
    let model = accepted(File::convolution(), |_| ());
    assert_eq!(model.description, "written by a test");
    let activation = Activation::None;
    let due = Kind::Conv2d { padding: Padding::Same, stride: [1, 1], dilation: [1, 1], activation };
    assert_eq!(model.operators[0].kind, due);
    assert_eq!(model.operators[0].inputs, [Some(0), Some(1), Some(2)]);
    assert_eq!(model.tensors[1].data.as_deref(), Some(&[1, 2, 3, 4, 5, 6][..]));
    let quantisation = model.tensors[1].quantisation.as_ref().unwrap();
    assert_eq!((&*quantisation.scales, quantisation.axis), (&[0.25, 0.5, 0.75][..], 0));
    assert_eq!(model.tensors[3].quantisation.as_ref().unwrap().zeros, [3]);
}

#[test]
fn rows_and_columns_keep_apart() {
    let fields = [(1, 2), (2, 3), (4, 5), (5, 7)].map(|(id, v)| (id, Value::I32(v)));
    let model = accepted(File::convolution(), |f| {
        f.operators[0].fields = [&fields[..], &[(0, Value::I8(1)), (3, Value::I8(3))]].concat();
    });
    let due = Kind::Conv2d {
        padding: Padding::Valid,
        stride: [3, 2],
        dilation: [7, 5],
        activation: Activation::Relu6,
    };
    assert_eq!(model.operators[0].kind, due);
}

#[test]
fn of_two_operator_codes_the_greater_counts() {
    for (deprecated, builtin, name) in [
        (0, 0, "ADD"),
        (14, 0, "LOGISTIC"),
        (0, 28, "TANH"),
        (127, 150, "GELU"),
        (127, 0, "PLACEHOLDER_FOR_GREATER_OP_CODES"),
        (127, 209, "STABLEHLO_CASE"),
        (127, 210, "operator code 210"),
        (118, 118, "IF"),
    ] {
        let inputs = if name == "ADD" { 2 } else { 1 };
        let model = accepted(File::operator(0, inputs, 1, 0, &[]), |f| {
            f.codes[0] = Code { deprecated, builtin, custom: "", version: 2 };
        });
        assert_eq!((model.operators[0].kind.name(), model.operators[0].version), (name, 2));
    }
}

#[test]
fn custom_operators_have_names() {
    let custom = |custom| {
        let model = accepted(File::operator(32, 1, 1, 0, &[]), |f| f.codes[0].custom = custom);
        model.operators[0].kind.name().to_string()
    };
    assert_eq!(custom("Peak\nFinder"), r#"custom "Peak\nFinder""#);
    assert_eq!(custom(""), r#"custom """#);
}

#[test]
fn a_bias_may_be_left_out_in_two_ways() {
    let model = accepted(File::convolution(), |f| f.operators[0].inputs = vec![0, 1]);
    assert_eq!(model.operators[0].inputs, [Some(0), Some(1)]);
    let model = accepted(File::convolution(), |f| f.operators[0].inputs[2] = -1);
    assert_eq!(model.operators[0].inputs, [Some(0), Some(1), None]);
}

#[test]
fn a_missing_shape_is_a_scalar() {
    let model = accepted(File::operator(14, 1, 1, 0, &[]), |f| f.tensors[0].shape.clear());
    assert!(model.tensors[0].shape.is_empty());
    assert_eq!(model.tensors[0].quantisation.as_ref().unwrap().axis, 0);
}

#[test]
fn buffers_may_lie_behind_the_flatbuffer() {
    let mut file = File::convolution();
    file.buffers[1] = Buffer { data: vec![], offset: u64::MAX >> 1, size: 6 };
    file.appended = vec![9, 8, 7, 6, 5, 4];
    let start = file.bytes().len() - 6; // the offset is as wide whatever it is
    let model = accepted(file, |f| f.buffers[1].offset = start as u64);
    assert_eq!(model.tensors[1].data.as_deref(), Some(&[9, 8, 7, 6, 5, 4][..]));
}

#[test]
fn two_elements_of_4_bits_share_a_byte() {
    let model = accepted(File::convolution(), |f| {
        f.tensors.push(Tensor::constant("odd", &[3], INT4, 3));
        f.buffers.push(Buffer { data: vec![0x21, 0x03], ..Buffer::default() });
    });
    assert_eq!((model.tensors[4].element, model.tensors[4].data.as_ref().unwrap().len()), (Element::Int4, 2));
}

#[test]
fn elements_without_a_size_take_what_there_is() {
    let model = accepted(File::convolution(), |f| {
        f.tensors.push(Tensor::constant("labels", &[2], STRING, 3));
        f.buffers.push(Buffer { data: vec![1; 17], ..Buffer::default() });
    });
    assert_eq!(model.tensors[4].element, Element::Other("STRING"));
    assert_eq!(model.tensors[4].data.as_ref().unwrap().len(), 17);
}

#[test]
fn later_subgraphs_are_left_alone() {
    assert_eq!(accepted(File::convolution(), |f| f.subgraphs = 3), accepted(File::convolution(), |_| ()));
}

/// The shape that a file of CONV_2D leaves to its output, where that is open.
fn follows(change: impl FnOnce(&mut File)) -> Vec<usize> {
    let model = accepted(File::convolution(), |f| {
        f.tensors[3].shape = vec![1, 1, 1, 3];
        f.tensors[3].signature = vec![-1, -1, -1, 3];
        change(f);
    });
    model.tensors[3].shape.clone()
}

#[test]
fn open_extents_follow_from_the_operators_before() {
    assert_eq!(follows(|_| ()), [1, 4, 4, 3]);
    assert_eq!(follows(|f| f.operators[0].fields[1].1 = Value::I32(3)), [1, 2, 4, 3]);
    assert_eq!(follows(|f| f.operators[0].fields.push((0, Value::I8(1)))), [1, 4, 4, 3]);
    // What is not open is as the file says, right or wrong.
    assert_eq!(follows(|f| f.tensors[3].signature.clear()), [1, 1, 1, 3]);
    // A window that does not fit leads to nothing.
    let wide = |f: &mut File| {
        f.operators[0].fields.push((0, Value::I8(1)));
        (f.tensors[1].shape, f.buffers[1].data) = (vec![3, 5, 1, 2], vec![1; 30]);
    };
    assert_eq!(follows(wide), [1, 1, 1, 3]);
}

#[test]
fn a_shape_that_operators_compute_is_known() {
    // RESHAPE to [16 * 1, 2] by SHAPE, STRIDED_SLICE and PACK, as a dense layer over pixels has it.
    let int = |name: &str, shape: &[i32]| Tensor {
        element: INT32,
        scales: vec![],
        zeros: vec![],
        ..Tensor::activation(name, shape)
    };
    let number = |f: &mut File, name: &str, value: i32| {
        f.buffers.push(Buffer { data: value.to_le_bytes().to_vec(), ..Buffer::default() });
        f.tensors.push(Tensor::constant(name, &[1], INT32, f.buffers.len() as u32 - 1));
        f.tensors.len() as i32 - 1
    };
    let mut file = File::operator(77, 1, 1, 0, &[]);
    file.tensors[1] = int("shape", &[4]);
    let [one, two, four] = [("one", 1), ("two", 2), ("four", 4)].map(|(name, n)| number(&mut file, name, n));
    file.tensors.extend([int("last", &[1]), int("pixels", &[1]), int("target", &[2])]);
    let [last, pixels, target] = [5, 6, 7];
    let open = Tensor { signature: vec![-1, -1], ..Tensor::activation("rows", &[1, 1]) };
    file.tensors.push(open);
    let three = number(&mut file, "three", 3);
    let code = |builtin: i32| Code { deprecated: builtin as i8, builtin, custom: "", version: 1 };
    file.codes.extend([45, 18, 83, 22].map(code));
    let operator = |code, inputs: &[i32], output: i32| Operator {
        code,
        inputs: inputs.to_vec(),
        outputs: vec![output],
        options: 0,
        fields: vec![],
    };
    file.operators.extend([
        operator(1, &[1, three, four, one], last),
        operator(2, &[four, four], pixels),
        operator(3, &[pixels, last], target),
        operator(4, &[0, target], 8),
    ]);
    file.outputs = vec![8];
    assert_eq!(accepted(file.clone(), |_| ()).tensors[8].shape, [16, 2]);
    // Another number of elements is none of its shapes.
    assert_eq!(accepted(file, |f| f.operators[2].inputs = vec![four, two]).tensors[8].shape, [1, 1]);
}

#[test]
fn a_negative_axis_counts_from_the_end() {
    let model = accepted(File::operator(2, 3, 1, 10, &[(0, Value::I32(-1)), (1, Value::I8(1))]), |_| ());
    assert_eq!(model.operators[0].kind, Kind::Concatenation { axis: -1, activation: Activation::Relu });
}

#[test]
fn masks_are_bits_of_begin() {
    let fields = [(0, 5), (1, 6), (2, 0), (3, 0), (4, 1)].map(|(id, v)| (id, Value::I32(v)));
    let model = accepted(File::operator(45, 4, 1, 32, &fields), |f| {
        f.tensors[1] = Tensor::constant("begin", &[3], INT32, 1);
        f.buffers.push(Buffer { data: vec![0; 12], ..Buffer::default() });
        f.inputs = vec![0, 2, 3];
    });
    let due = Kind::StridedSlice(Strided {
        begin_mask: 5,
        end_mask: 6,
        ellipsis_mask: 0,
        new_axis_mask: 0,
        shrink_axis_mask: 1,
        offset: false,
    });
    assert_eq!(model.operators[0].kind, due);
}
