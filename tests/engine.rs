//! Whole graphs through the public interface: where tensors lie must not show in what comes out, and what is refused
//! is refused with the right word.

use zipnet::ir::*;
use zipnet::{Arena, Class, Engine, Model, RunError, Runner, WrongLength, run_graph};

/// A requantisation by the factor 1.
const ONE: Requant = Requant::new(1 << 30, 1);

/// A tensor of scale 1.
const fn at(offset: u32, shape: Shape, zero: i8) -> Tensor<Int> {
    Tensor { shape, meta: IntTensor { scale: 1.0, zero, offset } }
}

fn node<'a>(op: Op, inputs: &'a [TensorId], output: u16, data: IntData<'a>) -> Node<'a, Int> {
    Node { op, inputs, output: TensorId(output), data }
}

const IDS: [TensorId; 9] = {
    let mut ids = [TensorId(0); 9];
    let mut i = 0;
    while i < 9 {
        ids[i] = TensorId(i as u16);
        i += 1;
    }
    ids
};

/// Runs a graph whose output is its last tensor.
fn run<'a>(tensors: &'a [Tensor<Int>], nodes: &'a [Node<'a, Int>], input: &[i8]) -> Vec<i8> {
    let output = TensorId(tensors.len() as u16 - 1);
    let graph = Graph { name: "test", tensors, nodes, input: TensorId(0), output };
    let mut arena = vec![99; graph.arena_len() + 7];
    let mut y = vec![99; tensors[output.at()].shape.len()];
    run_graph(&graph, &mut arena, input, &mut y).unwrap();
    y
}

const FLAT: Shape = Shape::flat(6);

#[test]
fn in_place_and_apart_give_the_same() {
    let table: Vec<i8> = (i8::MIN..=i8::MAX).map(|x| x.wrapping_mul(3)).collect();
    let one = [ONE];
    let half = [Requant::new(1 << 30, 0)];
    let relu = IntData { requant: &half, clamp: Clamp::new(5, 60), ..IntData::NONE };
    let relu6 = IntData { requant: &one, clamp: Clamp::new(-4, 10), ..IntData::NONE };
    let tanh = IntData { weights: &table, ..IntData::NONE };
    let x = [-128, -7, 0, 3, 50, 127];
    for (op, data, zeros, want) in [
        // (x - 2) / 2, ties away from zero, then + 5 and the clamp
        (Op::Relu, relu, [2, 5], [5, 5, 5, 6, 29, 60]),
        (Op::Relu6, relu6, [0, 0], [-4, -4, 0, 3, 10, 10]),
        (Op::Tanh, tanh, [0, 0], x.map(|x: i8| x.wrapping_mul(3))),
        (Op::Reshape { shape: Shape::new(3, 2, 1) }, IntData::NONE, [1, 1], x),
    ] {
        let shape = op.output(&[FLAT]).unwrap();
        for offset in [0, 6, 16] {
            let tensors = [at(0, FLAT, zeros[0]), at(offset, shape, zeros[1])];
            let nodes = [node(op, &IDS[..1], 1, data)];
            assert_eq!(run(&tensors, &nodes, &x), want, "{} at {offset}", op.name());
        }
    }
}

#[test]
fn an_add_may_lie_on_either_operand_or_on_none() {
    // y = 2 a + b: a times 1, b times 1/2, the sum times 2 / 2^20.
    let factors = [ONE, Requant::new(1 << 30, 0), Requant::new(1 << 30, -18)];
    let add = IntData { requant: &factors, ..IntData::NONE };
    let a = [-60, -7, 0, 3, 50, 127];
    let b = a.map(|x: i8| (x.max(-10) - 1).min(20)); // a relu at zero points 1 and 0
    let want: Vec<i8> = a
        .iter()
        .zip(b)
        .map(|(&a, b)| (2 * (i32::from(a) - 1) + i32::from(b) + 4).clamp(-128, 127) as i8)
        .collect();
    let one = [ONE];
    let relu = IntData { requant: &one, clamp: Clamp::new(-11, 20), ..IntData::NONE };
    for offset in [0, 6, 12, 40] {
        let tensors = [at(0, FLAT, 1), at(6, FLAT, 0), at(offset, FLAT, 4)];
        let nodes = [node(Op::Relu, &IDS[..1], 1, relu), node(Op::Add(Operands::Equal), &IDS[..2], 2, add)];
        assert_eq!(run(&tensors, &nodes, &a), want, "sum at {offset}");
    }
}

#[test]
fn operands_that_broadcast_may_lie_on_either_one_or_on_none() {
    // The input, 1x2x3, and a slice of it: its last column, 1x1x3, or its first channel, 1x2x1.
    let x = Shape::new(1, 2, 3);
    let values = [1, 2, 3, 40, 50, 60];
    let one = [ONE];
    let mul = IntData { requant: &one, ..IntData::NONE };
    let half = Requant::new(1 << 30, 0);
    let thirds = [half, half, Requant::new(1 << 30, -18)]; // a difference times 1
    let sub = IntData { requant: &thirds, ..IntData::NONE };
    let column = Slice { begin: [0, 1, 0], stride: [1, 1, 1], shape: Shape::flat(3) };
    let channel = Slice { begin: [0, 0, 0], stride: [1, 1, 1], shape: Shape::new(1, 2, 1) };
    for (slice, ids, op, data, want) in [
        (column, [0, 1], Op::Sub(Operands::Broadcast), sub, [-39, -48, -57, 0, 0, 0]),
        (column, [1, 0], Op::Sub(Operands::Broadcast), sub, [39, 48, 57, 0, 0, 0]),
        (channel, [1, 0], Op::Sub(Operands::Broadcast), sub, [0, -1, -2, 0, -10, -20]),
        (channel, [0, 1], Op::Mul(Operands::Broadcast), mul, [1, 2, 3, 127, 127, 127]),
    ] {
        let ids = ids.map(TensorId);
        for offset in [0, 9, 15] {
            let tensors = [at(0, x, 0), at(6, slice.shape, 0), at(offset, x, 0)];
            let nodes = [node(Op::Slice(slice), &IDS[..1], 1, IntData::NONE), node(op, &ids, 2, data)];
            assert_eq!(run(&tensors, &nodes, &values), want, "{op:?} of {ids:?} at {offset}");
        }
    }
    // Neither has the shape of the output.
    let tensors = [at(0, x, 0), at(6, column.shape, 0), at(9, channel.shape, 0), at(11, x, 0)];
    let nodes = [
        node(Op::Slice(column), &IDS[..1], 1, IntData::NONE),
        node(Op::Slice(channel), &IDS[..1], 2, IntData::NONE),
        node(Op::Sub(Operands::Broadcast), &IDS[1..3], 3, sub),
    ];
    assert_eq!(run(&tensors, &nodes, &values), [39, 49, 59, 0, 10, 20]);
}

#[test]
fn a_constant_may_be_either_operand() {
    let half = Requant::new(1 << 30, 0);
    let factors = [half, half, Requant::new(1 << 30, -18)];
    let constant = IntData { weights: &[10, 20], bias: &[4], requant: &factors, ..IntData::NONE };
    let [x, of] = [Shape::new(1, 3, 2), Shape::flat(2)];
    for offset in [0, 6] {
        for (op, want) in [
            (Op::Sub(Operands::Left(of)), [5, 14, 3, 12, 1, 10]),
            (Op::Sub(Operands::Right(of)), [-5, -14, -3, -12, -1, -10]),
            (Op::Add(Operands::Right(of)), [7, 18, 9, 20, 11, 22]),
        ] {
            // The input's zero point is 1: what counts is 1, 2, 3, 4, 5, 6 and 6, 16.
            let tensors = [at(0, x, 1), at(offset, x, 0)];
            let nodes = [node(op, &IDS[..1], 1, constant)];
            assert_eq!(run(&tensors, &nodes, &[2, 3, 4, 5, 6, 7]), want, "{op:?} at {offset}");
        }
    }
}

#[test]
fn a_tensor_may_be_added_to_itself() {
    let half = Requant::new(1 << 30, 0);
    let factors = [half, half, Requant::new(1 << 30, -18)];
    let add = IntData { requant: &factors, ..IntData::NONE };
    let twice = [TensorId(0), TensorId(0)];
    for offset in [0, 6] {
        let tensors = [at(0, FLAT, 3), at(offset, FLAT, 3)];
        let y = run(&tensors, &[node(Op::Add(Operands::Equal), &twice, 1, add)], &[-128, 0, 3, 4, 10, 127]);
        assert_eq!(y, [-128, -3, 3, 5, 17, 127], "sum at {offset}");
    }
}

#[test]
fn eight_parts_are_concatenated() {
    let one = [ONE];
    let same = IntData { requant: &one, ..IntData::NONE };
    let shape = Shape::new(2, 1, 1);
    let mut tensors: Vec<_> = (0..8).map(|i| at(2 * i, shape, 0)).collect();
    let mut nodes: Vec<_> = (1..8).map(|i| node(Op::Relu, &IDS[..1], i as u16, same)).collect();
    for (i, node) in nodes.iter_mut().enumerate() {
        node.inputs = &IDS[i..=i];
    }
    tensors.push(at(16, Shape::new(2, 1, 8), 0));
    nodes.push(node(Op::Concat { axis: Axis::Channels }, &IDS[..8], 8, IntData::NONE));
    let y = run(&tensors, &nodes, &[5, -6]);
    assert_eq!(y, [5, 5, 5, 5, 5, 5, 5, 5, -6, -6, -6, -6, -6, -6, -6, -6]);
}

/// A model of two operators in place.
struct Two;

static TWO: Graph<'static, Int> = Graph {
    name: "two",
    tensors: &[at(0, FLAT, 0), at(0, FLAT, 0), at(0, FLAT, 0)],
    nodes: &[
        Node {
            op: Op::Relu,
            inputs: &[TensorId(0)],
            output: TensorId(1),
            data: IntData { requant: &[ONE], clamp: Clamp::new(0, 127), ..IntData::NONE },
        },
        Node {
            op: Op::Relu6,
            inputs: &[TensorId(1)],
            output: TensorId(2),
            data: IntData { requant: &[ONE], clamp: Clamp::new(-128, 9), ..IntData::NONE },
        },
    ],
    input: TensorId(0),
    output: TensorId(2),
};

impl Model for Two {
    type Arena = Arena<6>;
    const GRAPH: &'static Graph<'static, Int> = &TWO;
}

#[test]
fn every_output_can_be_seen() {
    let want = [(0, vec![0, 50, 1, 2, 3, 4]), (1, vec![0, 9, 1, 2, 3, 4])];
    let (mut arena, mut seen) = ([0; 6], vec![]);
    let runner = Runner::new(&TWO).unwrap();
    assert_eq!(runner.arena_len(), 6);
    let y = runner.observe(&mut arena, &[-5, 50, 1, 2, 3, 4], |i, y| seen.push((i, y.to_vec()))).unwrap();
    assert_eq!(y, [0, 9, 1, 2, 3, 4]);
    assert_eq!(seen, want);

    let (mut engine, mut seen) = (Engine::<Two>::new(), vec![]);
    assert_eq!(engine.load(&[0; 5]), Err(WrongLength { expected: 6, given: 5 }));
    engine.load(&[-5, 50, 1, 2, 3, 4]).unwrap();
    assert_eq!(engine.observe(|i, y| seen.push((i, y.to_vec()))), [0, 9, 1, 2, 3, 4]);
    assert_eq!(seen, want);
}

#[test]
fn many_at_once_give_the_bytes_of_one_after_another() {
    let runner = Runner::new(&TWO).unwrap();
    let inputs: Vec<i8> = (0..30).map(|i| (i * 41 % 256) as u8 as i8).collect();
    let mut want = vec![0; 30];
    for (x, y) in inputs.chunks(6).zip(want.chunks_mut(6)) {
        runner.run(&mut [0; 6], x, y).unwrap();
    }
    let mut got = vec![0; 30];
    runner.run_many(&mut [0; 31], &inputs, &mut got).unwrap();
    assert_eq!(got, want);
    assert_eq!(runner.run_many(&mut [], &[], &mut []), Ok(()));
    let wrong = |expected, given| Err(WrongLength { expected, given });
    assert_eq!(runner.run_many(&mut [0; 29], &inputs, &mut got), wrong(30, 29));
    assert_eq!(runner.run_many(&mut [0; 30], &inputs[..29], &mut got), wrong(24, 29));
    assert_eq!(runner.run_many(&mut [0; 30], &inputs, &mut got[..29]), wrong(30, 29));
}

#[test]
fn wrong_lengths_are_told() {
    let graph = Graph {
        name: "none",
        tensors: &[at(2, FLAT, 0)],
        nodes: &[],
        input: TensorId(0),
        output: TensorId(0),
    };
    let x = [1; 6];
    let wrong = |expected, given| Err(RunError::Length(WrongLength { expected, given }));
    assert_eq!(run_graph(&graph, &mut [0; 7], &x, &mut [0; 6]), wrong(8, 7));
    assert_eq!(run_graph(&graph, &mut [0; 8], &x[1..], &mut [0; 6]), wrong(6, 5));
    assert_eq!(run_graph(&graph, &mut [0; 8], &x, &mut [0; 9]), wrong(6, 9));
    assert_eq!(run_graph(&graph, &mut [0; 8], &x, &mut [0; 6]), Ok(()));
}

#[test]
fn an_illegal_graph_is_refused() {
    let tensors = [at(0, FLAT, 0), at(5, FLAT, 0)];
    let nodes = [node(Op::Relu, &IDS[..1], 1, IntData { requant: &[ONE], ..IntData::NONE })];
    let graph =
        Graph { name: "bad", tensors: &tensors, nodes: &nodes, input: TensorId(0), output: TensorId(1) };
    let refused = run_graph(&graph, &mut [0; 99], &[0; 6], &mut [0; 6]);
    assert_eq!(refused, Err(RunError::Graph { node: 0, fault: Fault::Overlap }));
    assert_eq!(refused.unwrap_err().to_string(), "node 0: two live tensors overlap in the arena");
}

static TENSORS: [Tensor<Int>; 3] =
    [at(0, Shape::flat(4), 0), at(4, Shape::flat(2), 0), at(4, Shape::flat(2), 0)];
static NODES: [Node<'static, Int>; 2] = [
    Node {
        op: Op::Dense(Dense { units: 2, bias: Bias::Channel }),
        inputs: &[TensorId(0)],
        output: TensorId(1),
        data: IntData {
            weights: &[1, 1, -1, -1, -1, -1, 1, 1],
            bias: &[0, 1],
            requant: &[ONE, ONE],
            ..IntData::NONE
        },
    },
    Node {
        op: Op::Relu,
        inputs: &[TensorId(1)],
        output: TensorId(2),
        data: IntData { requant: &[ONE], clamp: Clamp::new(0, 100), ..IntData::NONE },
    },
];
static GRAPH: Graph<'static, Int> =
    Graph { name: "halves", tensors: &TENSORS, nodes: &NODES, input: TensorId(0), output: TensorId(2) };
const _: () = GRAPH.check(6);

struct Halves;

impl Model for Halves {
    type Arena = Arena<6>;
    const GRAPH: &'static Graph<'static, Int> = &GRAPH;
}

static ENGINE: std::sync::Mutex<Engine<Halves>> = std::sync::Mutex::new(Engine::new());

#[test]
fn an_engine_runs_its_table() {
    const USES: Uses = Halves::USES;
    assert_eq!(USES, Uses { dense: true, requantize: true, ..Uses::NONE });
    let mut engine = ENGINE.lock().unwrap();
    assert_eq!(engine.run(&[9, 8, 1, 2]), Ok(&[14, 0][..]));
    assert_eq!(engine.run(&[1, 2, 9, 8]), Ok(&[0, 15][..]));
    assert_eq!(engine.classify(&[1, 2, 9, 8]), Ok(Class { index: 1, score: 15 }));
    assert_eq!(engine.run(&[1, 2, 9]), Err(WrongLength { expected: 4, given: 3 }));
    engine.input_mut().copy_from_slice(&[127, 127, -128, -128]);
    assert_eq!(engine.infer(), [100, 0]);
    assert_eq!(Engine::<Halves>::INPUT.shape, Shape::flat(4));
    assert_eq!(Engine::<Halves>::OUTPUT.shape, Shape::flat(2));
    let mut y = [0; 2];
    run_graph(&GRAPH, &mut [0; 6], &[9, 8, 1, 2], &mut y).unwrap();
    assert_eq!(y, [14, 0]);
}

#[test]
fn memory_is_aligned_to_words() {
    assert_eq!(align_of::<Arena<1>>(), 16);
    assert_eq!(size_of::<Engine<Halves>>(), 16);
}
