//! Files, tensors and their connections that are refused, with the place each names.

use train_host::import::tflite::read;

use crate::author::{Buffer, Code, FLOAT32, File, INT4, INT16, INT32, INT64, Operator, Tensor, UINT8};
use crate::promise;

/// Holds a file with a change to being refused in these words.
pub(crate) fn refuse(mut file: File, change: impl FnOnce(&mut File), due: &str) {
    change(&mut file);
    let error = read(&file.bytes()).expect_err(due).to_string();
    assert_eq!(error, due);
    promise::is_one_line(&error);
}

/// A convolution with a change, refused.
fn convolution(change: impl FnOnce(&mut File), due: &str) {
    refuse(File::convolution(), change, due);
}

/// A convolution with a change to a tensor, refused.
fn tensor(index: usize, change: impl FnOnce(&mut Tensor), due: &str) {
    convolution(|f| change(&mut f.tensors[index]), due);
}

/// A convolution with a change to its operator, refused.
fn operator(change: impl FnOnce(&mut Operator), due: &str) {
    convolution(|f| change(&mut f.operators[0]), due);
}

#[test]
fn what_is_no_model() {
    let refused = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(refused(b""), "0 bytes are no TensorFlow Lite model");
    assert_eq!(refused(b"\0\0\0\0TFL"), "7 bytes are no TensorFlow Lite model");
    assert_eq!(
        refused(b"\x89PNG\r\n\x1a\n...."),
        r#"is no TensorFlow Lite model: bytes 4 to 8 are not "TFL3""#
    );
    let odd = "root table: byte 4294967295 is not aligned; the file is corrupt";
    assert_eq!(refused(b"\xff\xff\xff\xffTFL3"), odd);
    let beyond = "bytes 4294967292 to 4294967296 lie beyond the end of the file; is it truncated?";
    assert_eq!(refused(b"\xfc\xff\xff\xffTFL3"), format!("root table: {beyond}"));
    let beyond = "the table at byte 4 has its field list beyond the end of the file; is it truncated?";
    assert_eq!(refused(b"\x04\0\0\0TFL3"), format!("root table: {beyond}"));
    assert_eq!(refused(b"\0\0\0\0TFL3--------"), "version: 0, but only 3 is read");
}

#[test]
fn other_versions_of_the_schema() {
    convolution(|f| f.version = 2, "version: 2, but only 3 is read");
}

#[test]
fn nothing_to_run() {
    convolution(|f| f.subgraphs = 0, "subgraphs: there are none");
    convolution(|f| f.inputs.clear(), "inputs: there are none");
    convolution(|f| f.outputs.clear(), "outputs: there are none");
    convolution(|f| f.operators.clear(), r#"output 0: is tensor 3 "output", which no operator writes"#);
}

#[test]
fn shapes_that_are_none() {
    let open = "is not known until the model runs; export it with every extent fixed (a batch of 1)";
    tensor(0, |t| t.shape[0] = -1, &format!(r#"tensor 0 "input": shape -1x4x4x2 {open}"#));
    tensor(3, |t| t.shape[2] = 0, &format!(r#"tensor 3 "output": shape 1x4x0x3 {open}"#));
    tensor(3, |t| t.shape = vec![i32::MIN; 9], &{
        let shape = ["-2147483648"; 8].join("x");
        format!(r#"tensor 3 "output": shape {shape}x... {open}"#)
    });
    let large = "has more elements than 32 bits count";
    tensor(
        3,
        |t| t.shape = vec![65_536, 65_536],
        &format!(r#"tensor 3 "output": shape 65536x65536 {large}"#),
    );
    tensor(3, |t| t.shape = vec![i32::MAX; 4], &{
        let shape = ["2147483647"; 4].join("x");
        format!(r#"tensor 3 "output": shape {shape} {large}"#)
    });
    // 2^30 elements are few enough, their bytes are not.
    let change = |t: &mut Tensor| (t.shape, t.element) = (vec![1 << 30], INT32);
    tensor(3, change, &format!(r#"tensor 3 "output": shape 1073741824 {large}"#));
}

#[test]
fn tensors_that_no_net_here_has() {
    let variable = "keeps its value from one run to the next, which no net here does";
    tensor(0, |t| t.variable = 1, &format!(r#"tensor 0 "input": {variable}"#));
    tensor(0, |t| t.variable = 2, r#"tensor 0 "input": is_variable: 2 is neither 0 nor 1"#);
    tensor(1, |t| t.sparse = true, r#"tensor 1 "weights": is sparse; export the model with dense weights"#);
    let elsewhere = "has its data in another file; export the model as a single one";
    tensor(1, |t| t.external = 1, &format!(r#"tensor 1 "weights": {elsewhere}"#));
    tensor(1, |t| t.element = 23, r#"tensor 1 "weights": has elements of an unknown type, 23"#);
    tensor(1, |t| t.element = -1, r#"tensor 1 "weights": has elements of an unknown type, -1"#);
}

#[test]
fn buffers_of_another_length() {
    let due = |found: usize| {
        format!(r#"tensor 1 "weights": buffer 1 has {found} bytes, but shape 3x1x1x2 takes 6"#)
    };
    for found in [1, 5, 7, 600] {
        convolution(|f| f.buffers[1].data = vec![0; found], &due(found));
    }
    convolution(
        |f| f.tensors[1].buffer = 2,
        r#"tensor 1 "weights": buffer 2 has 12 bytes, but shape 3x1x1x2 takes 6"#,
    );
    tensor(
        1,
        |t| t.element = INT16,
        r#"tensor 1 "weights": buffer 1 has 6 bytes, but shape 3x1x1x2 takes 12"#,
    );
    tensor(1, |t| t.element = INT4, r#"tensor 1 "weights": buffer 1 has 6 bytes, but shape 3x1x1x2 takes 3"#);
    tensor(
        1,
        |t| t.element = INT64,
        r#"tensor 1 "weights": buffer 1 has 6 bytes, but shape 3x1x1x2 takes 48"#,
    );
    let due = r#"tensor 1 "weights": buffer 1 has 6 bytes, but shape 1073741824 takes 1073741824"#;
    tensor(1, |t| (t.shape, t.scales, t.zeros) = (vec![1 << 30], vec![], vec![]), due);
}

#[test]
fn buffers_that_are_nowhere() {
    tensor(1, |t| t.buffer = 3, r#"tensor 1 "weights": its buffer is 3 of 3"#);
    tensor(1, |t| t.buffer = u32::MAX, r#"tensor 1 "weights": its buffer is 4294967295 of 3"#);
    let due = "buffer 0: holds data, but is what tensors without data refer to";
    convolution(|f| f.buffers[0].data = vec![1], due);
    let far = |offset, size| move |f: &mut File| f.buffers[1] = Buffer { data: vec![], offset, size };
    let length = {
        let mut file = File::convolution();
        far(2, 6)(&mut file);
        file.bytes().len()
    };
    for (offset, size) in [(length as u64 - 5, 6), (2, u64::MAX), (u64::MAX, 6), (u64::MAX - 2, u64::MAX)] {
        let end = format!("lie beyond the end of the file ({length} bytes); is it truncated?");
        convolution(far(offset, size), &format!("buffer 1: {size} bytes from byte {offset} {end}"));
    }
    convolution(|f| f.buffers[1].offset = 8, "buffer 1: has data in two places");
}

#[test]
fn buffers_shared_without_end() {
    // 1000 tensors would be 1000 copies.
    let file = |f: &mut File| {
        f.buffers.push(Buffer { data: vec![1; 60_000], ..Buffer::default() });
        f.tensors.extend((0..1000).map(|_| Tensor::constant("c", &[60_000], UINT8, 3)));
    };
    let mut shared = File::convolution();
    file(&mut shared);
    let length = shared.bytes().len();
    let last = 4 + (4 * length - 18) / 60_000;
    let due = format!(r#"tensor {last} "c": shares buffer 3 with too many others; the file is corrupt"#);
    convolution(file, &due);
}

#[test]
fn scales_that_divide_nothing() {
    for (scale, shown) in [
        (0.0, "0e0"),
        (-0.0, "-0e0"),
        (-0.5, "-5e-1"),
        (f32::NAN, "NaN"),
        (f32::INFINITY, "inf"),
        (f32::NEG_INFINITY, "-inf"),
        (1e-40, "1e-40"),
        (f32::from_bits(1), "1e-45"),
    ] {
        let due = format!("scale 1 is {shown}, not a positive number that can be divided by");
        tensor(1, |t| t.scales[1] = scale, &format!(r#"tensor 1 "weights": quantization: {due}"#));
    }
}

#[test]
fn zero_points_no_element_has() {
    for (element, low, high) in [
        (UINT8, 0, 255),
        (INT4, -8, 7),
        (INT16, -32_768, 32_767),
        (INT32, i64::from(i32::MIN), i64::from(i32::MAX)),
        (9, -128, 127),
    ] {
        for zero in [low - 1, high + 1, i64::MIN, i64::MAX] {
            let due = format!("zero point 0 is {zero}, not from {low} to {high}");
            let change = |t: &mut Tensor| (t.element, t.zeros[0]) = (element, zero);
            tensor(3, change, &format!(r#"tensor 3 "output": quantization: {due}"#));
        }
    }
}

#[test]
fn scales_that_do_not_match() {
    let place = r#"tensor 1 "weights": quantization"#;
    tensor(1, |t| t.scales.truncate(2), &format!("{place}: 2 scales, but 3 zero points"));
    tensor(1, |t| t.zeros.clear(), &format!("{place}: 3 scales, but 0 zero points"));
    let two = |t: &mut Tensor| (t.scales, t.zeros) = (vec![0.5; 2], vec![0; 2]);
    tensor(1, two, &format!("{place}: 2 scales along axis 0, whose extent is 3"));
    tensor(1, |t| t.dimension = 1, &format!("{place}: 3 scales along axis 1, whose extent is 1"));
    tensor(1, |t| t.dimension = 4, &format!("{place}: axis 4 of a tensor of rank 4"));
    tensor(1, |t| t.dimension = -1, &format!("{place}: axis -1 of a tensor of rank 4"));
    let scalar = r#"tensor 0 "input": quantization"#;
    let change = |t: &mut Tensor| (t.shape, t.dimension) = (vec![], -1);
    tensor(0, change, &format!("{scalar}: axis -1 of a tensor of rank 0"));
    let change = |t: &mut Tensor| (t.shape, t.scales, t.zeros) = (vec![], vec![0.5; 2], vec![0; 2]);
    tensor(0, change, &format!("{scalar}: 2 scales along axis 0, whose extent is 1"));
    let details = "is not a scale and a zero point, or one of each an index of an axis";
    tensor(1, |t| t.details = 2, &format!("{place}: BlockwiseQuantization {details}"));
    tensor(1, |t| t.details = 9, &format!("{place}: details of an unknown type {details}"));
}

#[test]
fn operators_of_no_code() {
    convolution(|f| f.codes.clear(), "operator 0: its operator code is 0 of 0");
    operator(|o| o.code = u32::MAX, "operator 0: its operator code is 4294967295 of 1");
    convolution(|f| f.codes[0].version = 0, "operator code 0: CONV_2D of version 0");
    let change = |f: &mut File| f.codes[0] = Code { deprecated: -7, builtin: -1, custom: "", version: 1 };
    convolution(change, "operator code 0: is -1");
}

#[test]
fn tensors_out_of_range() {
    operator(|o| o.inputs[0] = 4, "operator 0 (CONV_2D): input 0: is tensor 4 of 4");
    operator(|o| o.inputs[2] = -2, "operator 0 (CONV_2D): input 2: is tensor -2 of 4");
    operator(|o| o.outputs[0] = -1, "operator 0 (CONV_2D): output 0: is tensor -1 of 4");
    operator(|o| o.outputs[0] = i32::MAX, "operator 0 (CONV_2D): output 0: is tensor 2147483647 of 4");
    convolution(|f| f.inputs[0] = 4, "input 0: is tensor 4 of 4");
    convolution(|f| f.inputs[0] = -1, "input 0: is tensor -1 of 4");
    convolution(|f| f.outputs[0] = i32::MIN, "output 0: is tensor -2147483648 of 4");
    convolution(|f| f.tensors.clear(), "operator 0 (CONV_2D): input 0: is tensor 0 of 0");
}

/// A convolution whose output a second operator reads, RELU.
fn two(change: impl FnOnce(&mut File), due: &str) {
    let mut file = File::convolution();
    file.codes.push(Code { deprecated: 19, builtin: 19, custom: "", version: 1 });
    file.operators.push(Operator { code: 1, inputs: vec![3], outputs: vec![4], options: 0, fields: vec![] });
    file.tensors.push(Tensor::activation("last", &[1, 4, 4, 3]));
    file.outputs = vec![4];
    read(&file.bytes()).expect("legal");
    refuse(file, change, due);
}

#[test]
fn tensors_without_a_source() {
    let stray = |f: &mut File| {
        f.tensors.push(Tensor::activation("stray", &[1]));
        f.operators[0].inputs[0] = 5;
    };
    two(stray, r#"operator 0 (CONV_2D): input 0 is tensor 5 "stray", which nothing writes"#);
    two(|f| f.inputs[0] = 1, r#"input 0: is tensor 1 "weights", which is a constant"#);
    let circle = |f: &mut File| f.operators[0].inputs[0] = 4;
    two(circle, r#"operator 0 (CONV_2D): input 0 is tensor 4 "last", which only operator 1 (RELU) writes"#);
    let itself = |f: &mut File| f.operators[1].inputs[0] = 4;
    two(itself, r#"operator 1 (RELU): input 0 is tensor 4 "last", which only operator 1 (RELU) writes"#);
    let backwards = |f: &mut File| f.operators.reverse();
    two(
        backwards,
        r#"operator 0 (RELU): input 0 is tensor 3 "output", which only operator 1 (CONV_2D) writes"#,
    );
    let unwritten = |f: &mut File| {
        f.tensors.push(Tensor::activation("", &[1]));
        f.outputs = vec![5];
    };
    two(unwritten, "output 0: is tensor 5, which no operator writes");
    two(|f| f.outputs = vec![2], r#"output 0: is tensor 2 "bias", which no operator writes"#);
    two(|f| f.outputs = vec![0], r#"output 0: is tensor 0 "input", which no operator writes"#);
}

#[test]
fn tensors_with_two_sources() {
    let again = |f: &mut File| f.operators[1].outputs[0] = 3;
    two(again, r#"operator 1 (RELU): output 0: is tensor 3 "output", which operator 0 (CONV_2D) writes"#);
    let input = |f: &mut File| f.operators[1].outputs[0] = 0;
    two(input, r#"operator 1 (RELU): output 0: is tensor 0 "input", which is an input of the model"#);
    let constant = |f: &mut File| f.operators[1].outputs[0] = 2;
    two(constant, r#"operator 1 (RELU): output 0: is tensor 2 "bias", which is a constant"#);
    two(|f| f.inputs = vec![0, 0], "input 1: is tensor 0, like an earlier one");
    two(|f| f.outputs = vec![3, 4, 3], "output 2: is tensor 3, like an earlier one");
}

#[test]
fn names_are_fit_for_a_line() {
    let long = "n".repeat(80);
    tensor(0, |t| (t.name, t.element) = ("a\nb\"\u{1b}".to_string(), 99), {
        r#"tensor 0 "a\nb\"\u{1b}": has elements of an unknown type, 99"#
    });
    let due = format!(r#"tensor 0 "{long}...": has elements of an unknown type, 99"#);
    tensor(0, |t| (t.name, t.element) = (long.clone() + "n", 99), &due);
}

#[test]
fn floats_are_not_held_to_scales() {
    // They have no integers to mean anything by them.
    let mut file = File::operator(19, 1, 1, 0, &[]);
    file.tensors[0] = Tensor { scales: vec![f32::NAN], element: FLOAT32, ..file.tensors[0].clone() };
    assert_eq!(read(&file.bytes()).expect("legal").tensors[0].quantisation, None);
}

#[test]
fn errors_stay_a_line_with_many_long_names() {
    // A net has one input, so this is a model whose lowering names them all.
    let mut file = File::operator(2, 300, 1, 10, &[]);
    for tensor in &mut file.tensors {
        tensor.name = "\u{1b}\n".repeat(5000);
        tensor.shape = vec![1; 300];
    }
    assert_eq!(promise::keep(&file.bytes()), promise::Kept::Model);
    file.inputs.truncate(1);
    file.operators[0].inputs = vec![0; 300];
    assert_eq!(promise::keep(&file.bytes()), promise::Kept::Model);
}
