//! Single operators against outputs of an independent implementation, byte for byte.
//!
//! `tests/golden/operators.json` tells its own format. A case becomes a graph of one node here; scales become integer
//! factors by the formulas of TensorFlow Lite (`tensorflow/lite/kernels/internal/quantization_util.cc`).

use serde_json::Value;
use std::collections::BTreeMap;
use zipnet::fixed::{input_radius, tanh_table};
use zipnet::ir::*;
use zipnet::run_graph;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/operators.json");

/// Cases of operators of ours that a graph cannot state: an operand that is a constant, one that is repeated along
/// an axis, a concatenation along rows or columns. And RELU6 between two scales: one implementation ignores the
/// output's, the other rounds once where the engine rounds twice, as everywhere.
fn out_of_scope(case: &Value) -> bool {
    let (name, operator) = (case["name"].as_str().unwrap(), case["operator"].as_str().unwrap());
    let axis = &case["operators"][0]["attributes"]["axis"];
    let rank = case["tensors"][0]["shape"].as_array().unwrap().len() as i64;
    (operator == "ADD" && (name.contains("_with_") || name.ends_with("_constant")))
        || (operator == "CONCATENATION" && axis.as_i64().unwrap().rem_euclid(rank) != rank - 1)
        || (operator == "RELU6" && scales(&case["tensors"][0]) != scales(&case["tensors"][1]))
}

/// Operators that a graph has, and how many cases of each must run at least.
const OPERATORS: [(&str, usize); 13] = [
    ("CONV_2D", 60),
    ("DEPTHWISE_CONV_2D", 36),
    ("FULLY_CONNECTED", 22),
    ("MAX_POOL_2D", 11),
    ("AVERAGE_POOL_2D", 11),
    ("ADD", 8),
    ("CONCATENATION", 5),
    ("CHANNEL_SHUFFLE", 4),
    ("RELU", 4),
    ("RELU6", 3),
    ("TANH", 6),
    ("SOFTMAX", 9),
    ("RESHAPE", 4),
];

#[test]
fn every_operator_equals_the_goldens() {
    let text = std::fs::read_to_string(PATH).unwrap();
    let goldens: Value = serde_json::from_str(&text).unwrap();
    let mut ran = BTreeMap::new();
    for case in goldens["cases"].as_array().unwrap() {
        let operator = case["operator"].as_str().unwrap();
        if !OPERATORS.iter().any(|&(name, _)| name == operator) || out_of_scope(case) {
            continue;
        }
        let (op, data) = operator_of(case);
        for sample in case["samples"].as_array().unwrap() {
            run_case(case, op, &data, sample);
        }
        *ran.entry(operator).or_insert(0) += 1;
    }
    println!("cases: {ran:?}");
    for (operator, least) in OPERATORS {
        assert!(ran.get(operator).is_some_and(|&n| n >= least), "{operator}: {ran:?}");
    }
}

/// Weights and factors of a node, owned.
#[derive(Default)]
struct Data {
    weights: Vec<i8>,
    bias: Vec<i32>,
    requant: Vec<Requant>,
    clamp: Option<Clamp>,
}

/// Runs a sample through a graph. Its input is the case's first; the others are what convolutions make whose weights
/// are all 0 and whose biases, one for each unit, are the values.
fn run_case(case: &Value, op: Op, data: &Data, sample: &Value) {
    let name = case["name"].as_str().unwrap();
    let inputs = ids(&case["inputs"]);
    let mut tensors: Vec<Tensor<Int>> = vec![];
    let mut offset = 0;
    for &id in inputs.iter().chain(&ids(&case["outputs"])) {
        let t = &case["tensors"][id];
        let (shape, scale) = (shape(t), scales(t)[0] as f32);
        tensors.push(Tensor { shape, meta: IntTensor { scale, zero: zero(t), offset } });
        offset += shape.len() as u32;
    }
    let values: Vec<Vec<i32>> = sample["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| integers(v).map(|v| v as i32).collect())
        .collect();
    let first: Vec<i8> = values[0].iter().map(|&v| v as i8).collect();
    let constants: Vec<Constant> =
        (1..inputs.len()).map(|i| Constant::new(tensors[0].shape, &tensors[i], &values[i])).collect();
    let mut nodes: Vec<Node<Int>> = vec![];
    for (constant, i) in constants.iter().zip(1..) {
        nodes.push(Node {
            op: constant.op,
            inputs: &[TensorId(0)],
            output: TensorId(i),
            data: constant.data(),
        });
    }
    // The node's own order of inputs, which may name one tensor twice.
    let reads: Vec<TensorId> = ids(&case["operators"][0]["inputs"])
        .iter()
        .filter_map(|id| inputs.iter().position(|input| input == id))
        .map(|i| TensorId(i as u16))
        .collect();
    let output = TensorId(inputs.len() as u16);
    nodes.push(Node { op, inputs: &reads, output, data: data.lend() });
    let graph = Graph { name, tensors: &tensors, nodes: &nodes, input: TensorId(0), output };
    let want: Vec<i8> = integers(&sample["outputs"][0]).map(|v| v as i8).collect();
    let mut got = vec![0; want.len()];
    let mut arena = vec![0; graph.arena_len()];
    run_graph(&graph, &mut arena, &first, &mut got).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(got, want, "{name}, {}", sample["kind"]);
}

/// An operand that is known beforehand.
struct Constant {
    op: Op,
    weights: Vec<i8>,
    bias: Vec<i32>,
    requant: Vec<Requant>,
}

impl Constant {
    fn new(x: Shape, y: &Tensor<Int>, values: &[i32]) -> Self {
        let window = Window::new(1, 1);
        let conv = Conv2d { units: y.shape.c, window, groups: 1, span: x.c, bias: Bias::Unit };
        Self {
            op: Op::Conv2d(conv),
            weights: vec![0; Op::Conv2d(conv).weights(x)],
            bias: values.iter().map(|v| v - i32::from(y.meta.zero)).collect(),
            requant: vec![Requant::new(1 << 30, 1); y.shape.c.into()], // times 1
        }
    }

    fn data(&self) -> IntData<'_> {
        IntData { weights: &self.weights, bias: &self.bias, requant: &self.requant, ..IntData::NONE }
    }
}

impl Data {
    fn lend(&self) -> IntData<'_> {
        IntData {
            weights: &self.weights,
            bias: &self.bias,
            requant: &self.requant,
            clamp: self.clamp.unwrap_or(Clamp::FULL),
            ..IntData::NONE
        }
    }
}

/// What a case asks of a graph.
fn operator_of(case: &Value) -> (Op, Data) {
    let node = &case["operators"][0];
    let attributes = &node["attributes"];
    let tensors = &case["tensors"];
    let of = |i: usize| &tensors[node["inputs"][i].as_u64().unwrap() as usize];
    let (x, y) = (of(0), &tensors[ids(&case["outputs"])[0]]);
    let (x_scale, y_scale) = (scales(x)[0], scales(y)[0]);
    let activation = attributes["activation"].as_str().unwrap_or("NONE");
    let mut data = Data { clamp: Some(clamp(activation, y)), ..Data::default() };
    let window = || Window {
        kernel: pair(&attributes["kernel"]),
        stride: pair(&attributes["stride"]),
        dilation: if attributes["dilation"].is_null() { [1, 1] } else { pair(&attributes["dilation"]) },
        padding: {
            let pads: Vec<u16> = integers(&attributes["pads"]).map(|v| v as u16).collect();
            Padding { top: pads[0], bottom: pads[1], left: pads[2], right: pads[3] }
        },
    };
    let op = match case["operator"].as_str().unwrap() {
        "CONV_2D" | "DEPTHWISE_CONV_2D" | "FULLY_CONNECTED" => {
            let weights = of(1);
            let units = shape(y).c;
            data.weights = integers(&weights["data"]).map(|v| v as i8).collect();
            let w_scales = scales(weights);
            let w_scale = |n: usize| w_scales[n % w_scales.len()];
            data.requant = (0..units.into()).map(|n| requant(x_scale * w_scale(n) / y_scale)).collect();
            let bias = node["inputs"].get(2).and_then(Value::as_u64).map(|id| &tensors[id as usize]["data"]);
            data.bias = bias.map_or(vec![0; units.into()], |b| integers(b).map(|v| v as i32).collect());
            let depthwise = case["operator"] == "DEPTHWISE_CONV_2D";
            let n = data.bias.len();
            let each = data.weights.len() / n;
            for (unit, bias) in data.bias.iter_mut().enumerate() {
                let at = |i: usize| if depthwise { i * n + unit } else { unit * each + i };
                let sum: i32 = (0..each).map(|i| i32::from(data.weights[at(i)])).sum();
                *bias -= i32::from(zero(x)) * sum;
            }
            match case["operator"].as_str().unwrap() {
                "CONV_2D" => {
                    let groups = attributes["groups"].as_u64().unwrap() as u16;
                    let span = shape(x).c / groups;
                    Op::Conv2d(Conv2d { units, window: window(), groups, span, bias: Bias::Channel })
                }
                "DEPTHWISE_CONV_2D" => {
                    let multiplier = attributes["depth_multiplier"].as_u64().unwrap() as u16;
                    Op::DepthwiseConv2d(DepthwiseConv2d { multiplier, window: window(), bias: Bias::Channel })
                }
                // A product for each pixel.
                _ if attributes["keep_num_dims"] == true => {
                    let (window, span) = (Window::new(1, 1), shape(x).c);
                    Op::Conv2d(Conv2d { units, window, groups: 1, span, bias: Bias::Channel })
                }
                _ => Op::Dense(Dense { units, bias: Bias::Channel }),
            }
        }
        "MAX_POOL_2D" => Op::MaxPool2d(Pool2d { window: window() }),
        "AVERAGE_POOL_2D" => Op::AvgPool2d(Pool2d { window: window() }),
        "ADD" => {
            let second = scales(of(1))[0];
            let twice = 2.0 * x_scale.max(second);
            let factors = [x_scale / twice, second / twice, twice / (f64::from(1 << 20) * y_scale)];
            data.requant = factors.map(requant).to_vec();
            Op::Add(Operands::Equal)
        }
        "CONCATENATION" => Op::Concat { axis: Axis::Channels },
        "CHANNEL_SHUFFLE" => {
            let split: Vec<i64> = integers(&attributes["shape"]).collect();
            Op::ChannelShuffle { groups: split[2] as u16 }
        }
        name @ ("RELU" | "RELU6") => {
            data.requant = vec![requant(x_scale / y_scale)];
            data.clamp = Some(clamp(name, y));
            if name == "RELU" { Op::Relu } else { Op::Relu6 }
        }
        "TANH" => {
            let Requant { multiplier, shift } = requant(x_scale * f64::from(1 << 27));
            let radius = input_radius(4, shift);
            data.weights = tanh_table(multiplier, shift, radius, zero(x)).to_vec();
            Op::Tanh
        }
        "SOFTMAX" => {
            let beta = attributes["beta"].as_f64().unwrap();
            data.requant = vec![requant(beta * x_scale * f64::from(1 << 26))];
            Op::Softmax
        }
        "RESHAPE" => Op::Reshape { shape: shape(y) },
        other => panic!("operator {other}"),
    };
    (op, data)
}

/// The mantissa and shift of a positive real, as TensorFlow Lite's `QuantizeMultiplier` rounds it.
fn requant(real: f64) -> Requant {
    let mut shift = 0;
    let mut mantissa = real;
    while mantissa >= 1.0 {
        (mantissa, shift) = (mantissa / 2.0, shift + 1);
    }
    while mantissa < 0.5 {
        (mantissa, shift) = (mantissa * 2.0, shift - 1);
    }
    let fixed = (mantissa * 2f64.powi(31)).round() as i64;
    if fixed == 1 << 31 { Requant::new(1 << 30, shift + 1) } else { Requant::new(fixed as i32, shift) }
}

/// The ends of an activation in the integers of its output.
fn clamp(activation: &str, y: &Value) -> Clamp {
    let at = |real: f64| {
        (f64::from(zero(y)) + (real / scales(y)[0]).round()).clamp(i8::MIN.into(), i8::MAX.into()) as i8
    };
    match activation {
        "NONE" => Clamp::FULL,
        "RELU" => Clamp::new(at(0.0), i8::MAX),
        "RELU6" => Clamp::new(at(0.0), at(6.0)),
        "RELU_N1_TO_1" => Clamp::new(at(-1.0), at(1.0)),
        other => panic!("activation {other}"),
    }
}

fn ids(v: &Value) -> Vec<usize> {
    v.as_array().unwrap().iter().filter_map(Value::as_u64).map(|id| id as usize).collect()
}

fn integers(v: &Value) -> impl Iterator<Item = i64> {
    v.as_array().unwrap().iter().map(|v| v.as_i64().unwrap())
}

fn pair(v: &Value) -> [u16; 2] {
    [v[0].as_u64().unwrap() as u16, v[1].as_u64().unwrap() as u16]
}

fn scales(tensor: &Value) -> Vec<f64> {
    tensor["scale"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn zero(tensor: &Value) -> i8 {
    tensor["zero_point"].as_i64().unwrap() as i8
}

fn shape(tensor: &Value) -> Shape {
    let sides: Vec<u16> = integers(&tensor["shape"]).map(|v| v as u16).collect();
    match sides[..] {
        [c] => Shape::flat(c),
        [w, c] => Shape::new(1, w, c),
        [h, w, c] => Shape::new(h, w, c),
        _ => panic!("{} axes", sides.len()),
    }
}
