//! Every golden case of an int8 operator that zipnet has, rebuilt from scales and weights and run by the engine:
//! outputs equal those of an independent implementation, byte for byte.
//!
//! `tests/golden/README.md` says where the cases come from.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use train_host::export::for_host;
use train_host::graph::{IntStore, Net};
use train_host::plan::plan;
use train_host::quantise::factors::{self, Activation, Scale};
use train_host::quantise::tables;
use zipnet::Cpu;
use zipnet::ir::{
    Axis, Bias, Clamp, Conv2d, Dense, DepthwiseConv2d, Int, IntTensor, Op, Operands, Pad, Padding, Pool2d,
    Shape, Slice, TensorId, Window,
};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    operator: String,
    by: String,
    operators: Vec<Operator>,
    tensors: Vec<Tensor>,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct Operator {
    inputs: Vec<Option<usize>>,
    attributes: Value,
}

#[derive(Deserialize)]
struct Tensor {
    shape: Vec<u16>,
    #[serde(default)]
    scale: Vec<f32>,
    #[serde(default)]
    zero_point: i8,
    data: Option<Vec<i32>>,
}

#[derive(Deserialize)]
struct Sample {
    kind: String,
    inputs: Vec<Vec<i8>>,
    outputs: Vec<Vec<i8>>,
}

/// Why a case is not run.
type Unsupported = &'static str;

impl Tensor {
    fn shape(&self) -> Result<Shape, Unsupported> {
        match self.shape[..] {
            [] => Ok(Shape::flat(1)),
            [c] => Ok(Shape::flat(c)),
            [w, c] => Ok(Shape::new(1, w, c)),
            [h, w, c] => Ok(Shape::new(h, w, c)),
            // A constant has its batch of 1 left.
            [1, h, w, c] if self.data.is_some() => Ok(Shape::new(h, w, c)),
            // The outer two lie as one.
            [a, b, w, c] => Ok(Shape::new(a * b, w, c)),
            _ => Err("more than four dimensions"),
        }
    }

    fn grid(&self) -> Scale {
        Scale { scale: self.scale[0], zero: self.zero_point }
    }

    fn meta(&self) -> IntTensor {
        IntTensor { scale: self.scale[0], zero: self.zero_point, offset: 0 }
    }
}

impl Operator {
    fn pair(&self, key: &str) -> [u16; 2] {
        serde_json::from_value(self.attributes[key].clone()).expect("two numbers")
    }

    fn window(&self) -> Window {
        let [top, bottom, left, right]: [u16; 4] =
            serde_json::from_value(self.attributes["pads"].clone()).expect("four numbers");
        let dilation = if self.attributes.get("dilation").is_some() { self.pair("dilation") } else { [1, 1] };
        let padding = Padding { top, bottom, left, right };
        Window { kernel: self.pair("kernel"), stride: self.pair("stride"), dilation, padding }
    }

    fn list<T: serde::de::DeserializeOwned>(&self, key: &str) -> Vec<T> {
        serde_json::from_value(self.attributes[key].clone()).expect("a list")
    }

    fn number(&self, key: &str) -> u16 {
        self.attributes[key].as_u64().expect("a number") as u16
    }

    fn activation(&self) -> Activation {
        match self.attributes["activation"].as_str() {
            None | Some("NONE") => Activation::None,
            Some("RELU") => Activation::Relu,
            Some("RELU6") => Activation::Relu6,
            Some("RELU_N1_TO_1") => Activation::ReluN1To1,
            Some(other) => panic!("an activation {other}"),
        }
    }
}

/// The numbers of an operator with weights `[units][each]`, or `[each][units]` when depthwise.
fn weighted(case: &Case) -> IntStore {
    let operator = &case.operators[0];
    let input = case.tensors[case.inputs[0]].grid();
    let output = case.tensors[case.outputs[0]].grid();
    let weights = &case.tensors[operator.inputs[1].expect("weights")];
    let values: Vec<i8> = weights.data.iter().flatten().map(|&w| w as i8).collect();
    let units = usize::from(*case.tensors[case.outputs[0]].shape.last().expect("has channels"));
    let bias = operator.inputs.get(2).copied().flatten().and_then(|i| case.tensors[i].data.clone());
    let depthwise = case.operator == "DEPTHWISE_CONV_2D";
    let each = values.len() / units;
    let mut store = IntStore { clamp: factors::clamp(operator.activation(), output), ..IntStore::default() };
    for unit in 0..units {
        let own = (0..each).map(|i| values[if depthwise { i * units + unit } else { unit * each + i }]);
        let bias = bias.as_ref().map_or(0, |b| i64::from(b[unit]));
        let scale = weights.scale[if weights.scale.len() == 1 { 0 } else { unit }];
        let factor = factors::weighted(input.scale, scale, output.scale).expect("in range");
        let bias = factors::folded_bias(bias, input.zero, own.clone()).expect("fits");
        factors::prove_accumulator(bias, own, factor).expect("fits");
        store.bias.push(bias);
        store.requant.push(factor);
    }
    store.weights = values;
    store
}

/// The case as an operator that makes output `which`, its numbers, and the inputs as tensors.
fn rebuild(case: &Case, which: usize) -> Result<Net<Int>, Unsupported> {
    let first = &case.operators[0];
    let x = &case.tensors[case.inputs[0]];
    let y = &case.tensors[case.outputs[which]];
    let (input, output) = (x.grid(), y.grid());
    let clamp = factors::clamp(first.activation(), output);
    let clamped = IntStore { clamp, ..IntStore::default() };
    let pool = || Pool2d { window: first.window() };
    let conv = |window, groups, span| {
        let units = *y.shape.last().expect("has channels");
        Op::Conv2d(Conv2d { units, window, groups, span, bias: Bias::Channel })
    };
    let channels = *x.shape.last().expect("has channels");
    let (op, store) = match case.operator.as_str() {
        "CONV_2D" => {
            let groups = first.number("groups");
            (conv(first.window(), groups, channels / groups), weighted(case))
        }
        "DEPTHWISE_CONV_2D" => {
            let multiplier = first.number("depth_multiplier");
            let op = DepthwiseConv2d { multiplier, window: first.window(), bias: Bias::Channel };
            (Op::DepthwiseConv2d(op), weighted(case))
        }
        "FULLY_CONNECTED" => {
            let store = weighted(case);
            if first.attributes["keep_num_dims"] == true {
                (conv(Window::new(1, 1), 1, channels), store)
            } else {
                (Op::Dense(Dense { units: y.shape[0], bias: Bias::Channel }), store)
            }
        }
        "ADD" | "SUB" | "MUL" | "PRELU" => pairwise(case, clamp)?,
        "RELU" | "RELU6" | "RELU_N1_TO_1" => {
            let activation = match case.operator.as_str() {
                "RELU" => Activation::Relu,
                "RELU6" => Activation::Relu6,
                _ => Activation::ReluN1To1,
            };
            // TensorFlow Lite Micro's relu6 ignores the output's scale.
            if case.operator == "RELU6" && case.by == "tflite-micro" {
                (Op::Relu6, IntStore { clamp: factors::clamp(activation, input), ..IntStore::default() })
            } else {
                let micro = case.by == "tflite-micro";
                let factor = if micro { factors::requantize } else { factors::relu_n1_to_1 };
                let requant = vec![factor(input.scale, output.scale).expect("in range")];
                let clamp = factors::clamp(activation, output);
                (Op::Relu, IntStore { requant, clamp, ..IntStore::default() })
            }
        }
        "QUANTIZE" => {
            let requant = vec![factors::requantize(input.scale, output.scale).expect("in range")];
            (Op::Requantize, IntStore { requant, ..IntStore::default() })
        }
        "LOGISTIC" => {
            assert_eq!(output, Scale::LOGISTIC);
            (Op::Logistic, table(tables::logistic(input)))
        }
        "HARD_SWISH" => (Op::HardSwish, table(tables::hard_swish(input, output))),
        "LEAKY_RELU" => {
            let alpha = first.attributes["alpha"].as_f64().expect("a number") as f32;
            (Op::LeakyRelu, table(tables::leaky_relu(input, alpha, output)))
        }
        "TANH" => {
            assert_eq!(output, Scale::TANH);
            (Op::Tanh, table(tables::tanh(input)))
        }
        "SOFTMAX" => {
            assert_eq!(output, Scale::SOFTMAX);
            let beta = first.attributes["beta"].as_f64().expect("a number") as f32;
            let requant = vec![factors::softmax(input.scale, beta).expect("in range")];
            (Op::Softmax, IntStore { requant, ..IntStore::default() })
        }
        "AVERAGE_POOL_2D" => (Op::AvgPool2d(pool()), clamped),
        "MAX_POOL_2D" => (Op::MaxPool2d(pool()), clamped),
        "CONCATENATION" => {
            let axis = [Axis::Rows, Axis::Columns, Axis::Channels]
                [usize::from(first.number("axis")) + 3 - x.shape.len()];
            (Op::Concat { axis }, IntStore::default())
        }
        "MEAN" => {
            let mut axes = [false; 3];
            let named: Vec<usize> = first.list("axis");
            named.iter().for_each(|axis| axes[axis + 3 - x.shape.len()] = true);
            let count = named.iter().map(|&axis| u32::from(x.shape[axis])).product();
            let requant = vec![factors::mean(input.scale, output.scale, count).expect("in range")];
            (Op::Mean { axes }, IntStore { requant, ..IntStore::default() })
        }
        "MAXIMUM" | "MINIMUM" => {
            let bound =
                case.tensors.iter().find_map(|t| t.data.as_ref()).ok_or("several operators here")?[0] as i8;
            let clamp = match case.operator.as_str() {
                "MAXIMUM" => Clamp::new(bound, i8::MAX),
                _ => Clamp::new(i8::MIN, bound),
            };
            let requant = vec![factors::requant(1.0).expect("in range")];
            (Op::Requantize, IntStore { requant, clamp, ..IntStore::default() })
        }
        "REDUCE_MAX" => {
            let shape = x.shape()?;
            let mut kernel = [1, 1, 1];
            for axis in first.list::<usize>("axis") {
                let axis = axis + 3 - x.shape.len();
                kernel[axis] = [shape.h, shape.w, shape.c][axis];
            }
            let &[h, w, 1] = &kernel else { return Err("several operators here") };
            let window = Window { stride: [h, w], ..Window::new(h, w) };
            (Op::MaxPool2d(Pool2d { window }), IntStore::default())
        }
        "REDUCE_MIN" | "TRANSPOSE_CONV" | "PACK" => return Err("several operators here"),
        "TILE" => {
            let multiples = from_the_right(first.list::<u16>("multiples").into_iter(), 1);
            if x.shape.len() > 3 || multiples[2] > 1 {
                return Err("several operators here");
            }
            let Shape { h, w, .. } = x.shape()?;
            let [height, width] = [h * multiples[0], w * multiples[1]];
            let taken = |n: u16, of: u16| (0..n).map(move |i| i32::from(i % of));
            let bias = taken(height, h).chain(taken(width, w)).collect();
            (Op::ResizeNearest { height, width }, IntStore { bias, ..IntStore::default() })
        }
        "PAD" | "PADV2" => {
            let pads: Vec<[u16; 2]> = first.list("pads");
            let [before, after] = [0, 1].map(|side| from_the_right(pads.iter().map(|p| p[side]), 0));
            let value = first.attributes["value"].as_i64().expect("a number") as i32;
            (Op::Pad(Pad { before, after }), IntStore { bias: vec![value], ..IntStore::default() })
        }
        "STRIDED_SLICE" => {
            let stride: Vec<i16> = first.list("strides");
            let ends = first.list::<i32>("begin").into_iter().zip(first.list::<i32>("end"));
            let extents = ends.zip(&stride).map(|((begin, end), &stride)| {
                let (distance, stride) = ((end - begin).unsigned_abs(), stride.unsigned_abs());
                distance.div_ceil(stride.into()) as u16
            });
            let [h, w, c] = from_the_right(extents, 1);
            let begin = from_the_right(first.list("begin").into_iter(), 0);
            let stride = from_the_right(stride.iter().copied(), 1);
            (Op::Slice(Slice { begin, stride, shape: Shape::new(h, w, c) }), IntStore::default())
        }
        "SLICE" => {
            let begin = from_the_right(first.list("begin").into_iter(), 0);
            (Op::Slice(Slice { begin, stride: [1; 3], shape: y.shape()? }), IntStore::default())
        }
        "SPLIT_V" => {
            let axis = usize::from(first.number("axis")) + 3 - x.shape.len();
            let shapes: Vec<Shape> =
                case.outputs.iter().map(|&t| case.tensors[t].shape()).collect::<Result<_, _>>()?;
            let mut begin = [0; 3];
            begin[axis] = shapes[..which].iter().map(|s| [s.h, s.w, s.c][axis]).sum();
            (Op::Slice(Slice { begin, stride: [1; 3], shape: shapes[which] }), IntStore::default())
        }
        "UNPACK" => {
            let axis = usize::from(first.number("axis")) + 3 - x.shape.len();
            let Shape { h, w, c } = x.shape()?;
            let (mut begin, mut extents) = ([0; 3], [h, w, c]);
            (begin[axis], extents[axis]) = (which as u16, 1);
            let [h, w, c] = extents;
            (Op::Slice(Slice { begin, stride: [1; 3], shape: Shape::new(h, w, c) }), IntStore::default())
        }
        "SPLIT" => {
            let axis = usize::from(first.number("axis")) + 3 - x.shape.len();
            let shape = y.shape()?;
            let mut begin = [0; 3];
            begin[axis] = which as u16 * [shape.h, shape.w, shape.c][axis];
            (Op::Slice(Slice { begin, stride: [1; 3], shape }), IntStore::default())
        }
        "TRANSPOSE" => {
            let axes: Vec<u8> = first.list("perm");
            let order = match axes[..] {
                [a, b] => [0, a + 1, b + 1],
                [a, b, c] => [a, b, c],
                [0, 1, b, c] => [0, b - 1, c - 1],
                _ => return Err("axes that cannot be seen as three"),
            };
            (Op::Transpose { order }, IntStore::default())
        }
        "RESIZE_NEAREST_NEIGHBOR" => {
            let [height, width] = first.pair("size");
            let on = |key: &str| first.attributes[key].as_bool().expect("a flag");
            let map = |from, to| tables::nearest(from, to, on("align_corners"), on("half_pixel_centers"));
            let shape = x.shape()?;
            let bias = [map(shape.h, height), map(shape.w, width)].concat();
            (Op::ResizeNearest { height, width }, IntStore { bias, ..IntStore::default() })
        }
        "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS" => (Op::Reshape { shape: y.shape()? }, IntStore::default()),
        "CHANNEL_SHUFFLE" => {
            let groups = case.tensors[2].shape[2];
            (Op::ChannelShuffle { groups }, IntStore::default())
        }
        _ => return Err("no such operator"),
    };

    // A net has one input: those of a case lie in it one after another, and a slice of it is a 1x1 convolution that
    // picks channels without changing them.
    let shapes: Vec<Shape> =
        case.inputs.iter().map(|&i| case.tensors[i].shape()).collect::<Result<_, _>>()?;
    let mut net: Net<Int>;
    let mut given = Vec::new();
    if let [shape] = shapes[..] {
        net = Net::new(&case.name, shape, x.meta());
        given.push(net.input);
    } else {
        let total: u16 = shapes.iter().map(|s| s.len() as u16).sum();
        net = Net::new(&case.name, Shape::flat(total), IntTensor { scale: 1.0, zero: 0, offset: 0 });
        let mut from = 0;
        for (&id, &shape) in case.inputs.iter().zip(&shapes) {
            let tensor = &case.tensors[id];
            given.push(pick(&mut net, tensor, from, shape));
            from += shape.len();
        }
    }
    // The operator's own order of inputs, which may name one tensor twice; constants are in the numbers.
    let read = first.inputs.iter().flatten().filter_map(|i| case.inputs.iter().position(|given| given == i));
    let inputs: Vec<TensorId> = read.map(|at| given[at]).collect();
    net.push("operator", op, &inputs, y.meta(), store).map_err(|_| "shapes that the operator refuses")?;
    Ok(net)
}

fn table(made: train_host::Result<tables::Table>) -> IntStore {
    IntStore { weights: made.expect("a table").to_vec(), ..IntStore::default() }
}

/// Numbers of the last axes, after as many of the first as are missing.
fn from_the_right<T: Copy>(numbers: impl DoubleEndedIterator<Item = T>, missing: T) -> [T; 3] {
    let mut all = [missing; 3];
    all.iter_mut().rev().zip(numbers.rev()).for_each(|(to, from)| *to = from);
    all
}

/// An operator of two operands, either of which may be a constant.
fn pairwise(case: &Case, clamp: Clamp) -> Result<(Op, IntStore), Unsupported> {
    let [a, b] = case.operators[0].inputs[..] else { panic!("operands {:?}", case.operators[0].inputs) };
    let (a, b) = (&case.tensors[a.expect("a")], &case.tensors[b.expect("b")]);
    let operands = match (&a.data, &b.data) {
        (Some(_), _) => Operands::Left(a.shape()?),
        (_, Some(_)) => Operands::Right(b.shape()?),
        _ if a.shape()? == b.shape()? => Operands::Equal,
        _ => Operands::Broadcast,
    };
    let output = case.tensors[case.outputs[0]].scale[0];
    let (left, right) = (a.scale[0], b.scale[0]);
    let (op, requant) = match case.operator.as_str() {
        "ADD" => (Op::Add(operands), factors::add(left, right, output).expect("in range").to_vec()),
        "SUB" => (Op::Sub(operands), factors::add(left, right, output).expect("in range").to_vec()),
        "MUL" => (Op::Mul(operands), vec![factors::mul(left, right, output).expect("in range")]),
        _ => {
            let requant = factors::prelu(left, right, output).expect("in range").to_vec();
            (Op::Prelu { alpha: b.shape()? }, requant)
        }
    };
    let mut store = IntStore { requant, clamp, ..IntStore::default() };
    if let Some(constant) = [a, b].into_iter().find(|operand| operand.data.is_some()) {
        store.weights = constant.data.iter().flatten().map(|&q| q as i8).collect();
        store.bias = vec![constant.zero_point.into()];
    }
    Ok((op, store))
}

/// Elements `from` on of the net's input, as a tensor of `shape`: a dense layer of one weight a unit.
fn pick(net: &mut Net<Int>, tensor: &Tensor, from: usize, shape: Shape) -> TensorId {
    let (units, total) = (shape.len(), net.input_shape().len());
    let mut weights = vec![0; units * total];
    (0..units).for_each(|unit| weights[unit * total + from + unit] = 1);
    let store = IntStore {
        weights,
        // What is written is q + bias + zero, so the bias takes the zero point back.
        bias: vec![-i32::from(tensor.zero_point); units],
        requant: vec![factors::requant(1.0).expect("in range"); units],
        ..IntStore::default()
    };
    let op = Op::Dense(Dense { units: units as u16, bias: Bias::Channel });
    let input = net.input;
    let name = format!("pick {}", net.nodes.len());
    let picked = net.push(&name, op, &[input], tensor.meta(), store).expect("a dense layer");
    let name = format!("shape {}", net.nodes.len());
    let op = Op::Reshape { shape };
    net.push(&name, op, &[picked], tensor.meta(), IntStore::default()).expect("a reshape")
}

fn run(net: &Net<Int>, arena: usize, input: &[i8]) -> Vec<i8> {
    let mut output = vec![0; net.output_shape().len()];
    net.with(|graph| zipnet::run_graph(graph, &mut vec![0; arena], input, &mut output)).expect("runs");
    let packed = for_host(net).expect("packs");
    for cpu in Cpu::all() {
        assert_eq!(net.run_on(cpu, input).expect("runs"), output, "{}", cpu.name());
        assert_eq!(packed.run_on(cpu, input).expect("runs"), output, "{}, packed", cpu.name());
    }
    output
}

#[test]
fn every_case_of_an_operator_there_is_equals_to_the_byte() {
    let text = include_str!("../../tests/golden/operators.json");
    let file: File = serde_json::from_str(text).expect("the file of cases");
    let mut ran: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left: BTreeMap<(&str, Unsupported), Vec<&str>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in &file.cases {
        let nets: Result<Vec<_>, _> = (0..case.outputs.len()).map(|which| rebuild(case, which)).collect();
        let nets = match nets {
            Ok(nets) => nets,
            Err(why) => {
                left.entry((&case.operator, why)).or_default().push(&case.name);
                continue;
            }
        };
        for (which, mut net) in nets.into_iter().enumerate() {
            let arena = plan(&mut net).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            for sample in &case.samples {
                let (made, want) = (run(&net, arena, &sample.inputs.concat()), &sample.outputs[which]);
                let differ = made.iter().zip(want).filter(|(a, b)| a != b).count();
                if differ > 0 || made.len() != want.len() {
                    wrong.push(format!("{} ({}): {differ} of {}", case.name, sample.kind, made.len()));
                }
            }
        }
        *ran.entry(&case.operator).or_default() += 1;
    }
    println!("ran {ran:?}");
    left.iter().for_each(|((operator, why), cases)| println!("left out: {operator}, {why}: {}", cases.len()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // What is left out, so that no case drops out unseen.
    let left: Vec<(&str, &str, usize)> =
        left.iter().map(|((o, why), cases)| (*o, *why, cases.len())).collect();
    assert_eq!(left, LEFT_OUT);
    let total = ran.values().sum::<usize>() + LEFT_OUT.iter().map(|(.., n)| n).sum::<usize>();
    assert_eq!(total, file.cases.len());
}

/// Cases that are not run: operator, why, how many.
const LEFT_OUT: &[(&str, &str, usize)] = &[
    ("CONCATENATION", "shapes that the operator refuses", 1),
    ("MAXIMUM", "several operators here", 3),
    ("MINIMUM", "several operators here", 3),
    ("PACK", "several operators here", 3),
    ("REDUCE_MAX", "several operators here", 2),
    ("REDUCE_MIN", "several operators here", 7),
    ("TILE", "several operators here", 3),
    ("TRANSPOSE_CONV", "several operators here", 12),
];
