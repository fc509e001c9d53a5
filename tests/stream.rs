//! An input that comes row by row gives the bytes that it gives as a whole, in any order of rows between calls of other
//! engines, whatever the window; and what cannot be is refused.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use zipnet::ir::*;
use zipnet::{Arena, Cpu, Engine, Model, RunError, Runner, WrongLength, run_streamed};

/// Numbers that need not be good: Knuth's linear congruences.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    fn int8s(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| (self.next() >> 8) as i8).collect()
    }
}

const fn tensor(shape: Shape, zero: i8, offset: usize) -> Tensor<Int> {
    Tensor { shape, meta: IntTensor { scale: 1.0, zero, offset: offset as u32 } }
}

/// Whether `op` over rows of `x` gives what it gives over all of them at once, on every instruction set, and keeps no
/// byte more than it says: behind the rows the arena ends.
fn same(op: Op, x: Shape, seed: u64) -> Result<(), TestCaseError> {
    let mut numbers = Numbers(seed);
    let y = op.output(&[x]).unwrap();
    let (input, weights) = (numbers.int8s(x.len()), numbers.int8s(op.weights(x)));
    let bias: Vec<i32> = (0..op.bias().len(y)).map(|_| numbers.next() as i32 % 4096).collect();
    let factors = if weights.is_empty() { 0 } else { y.c };
    let requant: Vec<Requant> =
        (0..factors).map(|_| Requant::new((1 << 30) + (numbers.next() >> 2) as i32, -8)).collect();
    // Pools move bytes, so that their zero points agree.
    let zeros = [3, if weights.is_empty() { 3 } else { -9 }];
    let data = IntData { weights: &weights, bias: &bias, requant: &requant, ..IntData::NONE };
    let nodes = [Node { op, inputs: &[TensorId(0)], output: TensorId(1), data }];
    let graph =
        |tensors| Graph { name: "head", tensors, nodes: &nodes, input: TensorId(0), output: TensorId(1) };

    let tensors = [tensor(x, zeros[0], y.len()), tensor(y, zeros[1], 0)];
    let head = graph(&tensors[..]);
    let arena = y.len() + head.kept();
    let body =
        Graph { name: "body", tensors: &tensors[1..], nodes: &[], input: TensorId(0), output: TensorId(0) };
    let span = (op.window().kernel[0] - 1) * op.window().dilation[0] + 1;
    prop_assert_eq!(head.kept() % x.row(), 0);
    prop_assert!(head.kept() <= usize::from(span.min(x.h)) * x.row());
    for cpu in Cpu::all() {
        let mut want = vec![0; y.len()];
        Runner::new(&head).unwrap().on(cpu).run(&mut vec![99; y.len() + x.len()], &input, &mut want).unwrap();
        let mut got = vec![0; y.len()];
        run_streamed(cpu, (&head, &body), &mut vec![99; arena], &input, &mut got).unwrap();
        prop_assert_eq!(got, want, "{}", cpu.name());
    }
    prop_assert_eq!(head.head_fault(&body, arena - 1), Err(Fault::Arena));
    Ok(())
}

trait Windowed {
    fn window(&self) -> Window;
}

impl Windowed for Op {
    fn window(&self) -> Window {
        match self {
            Op::Conv2d(conv) => conv.window,
            Op::DepthwiseConv2d(conv) => conv.window,
            Op::MaxPool2d(pool) | Op::AvgPool2d(pool) => pool.window,
            op => panic!("{} slides no window", op.name()),
        }
    }
}

/// Any window that fits an image, with the image's rows and columns; strides up to beyond the kernel.
fn windows(dilation: u16) -> impl Strategy<Value = (Window, u16, u16)> {
    let axis = move || (1..=14u16, 1..=5u16, 1..=7u16, 1..=dilation, any::<[u16; 2]>());
    (axis(), axis()).prop_filter_map("the window must fit", |(rows, columns)| {
        let pad = |(_, k, _, d, pads): (u16, u16, u16, u16, [u16; 2])| pads.map(|p| p % ((k - 1) * d + 1));
        let ([top, bottom], [left, right]) = (pad(rows), pad(columns));
        let window = Window {
            kernel: [rows.1, columns.1],
            stride: [rows.2, columns.2],
            dilation: [rows.3, columns.3],
            padding: Padding { top, bottom, left, right },
        };
        window.output(rows.0, columns.0).map(|_| (window, rows.0, columns.0))
    })
}

fn hold(strategy: impl Strategy<Value = (Op, Shape, u64)>) {
    let config = Config { cases: 2000, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&strategy, |(op, x, seed)| same(op, x, seed)).unwrap();
}

#[test]
fn convolutions_stream() {
    let groups = prop_oneof![(Just(1u16), 1..=6u16, 1..=9u16), (2..=3u16, 1..=3u16, 1..=3u16)];
    hold((windows(3), groups, any::<bool>(), any::<u64>()).prop_map(
        |((window, h, w), (groups, each, units), unit, seed)| {
            let bias = if unit { Bias::Unit } else { Bias::Channel };
            let conv = Conv2d { units: groups * units, window, groups, span: each, bias };
            (Op::Conv2d(conv), Shape::new(h, w, groups * each), seed)
        },
    ));
}

#[test]
fn depthwise_convolutions_stream() {
    hold((windows(3), 1..=9u16, 1..=3u16, any::<bool>(), any::<u64>()).prop_map(
        |((window, h, w), c, multiplier, unit, seed)| {
            let bias = if unit { Bias::Unit } else { Bias::Channel };
            (Op::DepthwiseConv2d(DepthwiseConv2d { multiplier, window, bias }), Shape::new(h, w, c), seed)
        },
    ));
}

#[test]
fn pools_stream() {
    hold((windows(1), 1..=9u16, any::<bool>(), any::<u64>()).prop_map(|((window, h, w), c, max, seed)| {
        let pool = Pool2d { window };
        (if max { Op::MaxPool2d(pool) } else { Op::AvgPool2d(pool) }, Shape::new(h, w, c), seed)
    }));
}

const POOL: Op = Op::MaxPool2d(Pool2d { window: Window::new(3, 3).stride(2).padding(Padding::all(1)) });
const IMAGE: Shape = Shape::new(8, 8, 2);
const HALF: Shape = Shape::new(4, 4, 2);

/// The greatest of 3x3, row by row, then the greatest of all.
struct Greatest;

static HEAD: Graph<'static, Int> = Graph {
    name: "head",
    tensors: &[tensor(IMAGE, 0, 32), tensor(HALF, 0, 0)],
    nodes: &[Node { op: POOL, inputs: &[TensorId(0)], output: TensorId(1), data: IntData::NONE }],
    input: TensorId(0),
    output: TensorId(1),
};

static BODY: Graph<'static, Int> = Graph {
    name: "body",
    tensors: &[tensor(HALF, 0, 0), tensor(Shape::flat(2), 0, 32)],
    nodes: &[Node {
        op: Op::MaxPool2d(Pool2d { window: Window::new(4, 4) }),
        inputs: &[TensorId(0)],
        output: TensorId(1),
        data: IntData::NONE,
    }],
    input: TensorId(0),
    output: TensorId(1),
};

impl Model for Greatest {
    type Arena = Arena<80>; // 128 for the input alone, were it to lie there whole
    const GRAPH: &'static Graph<'static, Int> = &BODY;
    const HEAD: Option<&'static Graph<'static, Int>> = Some(&HEAD);
}

/// The same over an input that lies in memory whole.
struct Whole;

impl Model for Whole {
    type Arena = Arena<160>;
    const GRAPH: &'static Graph<'static, Int> = &HEAD;
}

#[test]
fn an_engine_takes_rows() {
    let mut numbers = Numbers(1);
    let (mut streamed, mut whole) = (Engine::<Greatest>::new(), Engine::<Whole>::new());
    assert_eq!(Engine::<Greatest>::INPUT.shape, IMAGE);
    for _ in 0..20 {
        let image = numbers.int8s(IMAGE.len());
        let greatest = [0, 1].map(|c| image.iter().skip(c).step_by(2).copied().max().unwrap());
        assert_eq!(streamed.run(&image).unwrap(), greatest);

        let mut stream = streamed.stream();
        assert_eq!(stream.push_row(&image[..15]), Err(WrongLength { expected: 16, given: 15 }));
        for row in image.chunks(16) {
            stream.push_row(row).unwrap();
        }
        assert_eq!(stream.push_row(&image[..16]), Err(WrongLength { expected: 0, given: 16 }));
        assert_eq!(stream.finish().unwrap(), greatest);

        // Any model takes rows.
        let want = whole.run(&image).unwrap().to_vec();
        let mut stream = whole.stream();
        image.chunks(16).for_each(|row| stream.push_row(row).unwrap());
        assert_eq!(stream.push_row(&image[..16]), Err(WrongLength { expected: 0, given: 16 }));
        assert_eq!(stream.finish().unwrap(), want);
    }
    assert_eq!(streamed.run(&[0; 127]).unwrap_err(), WrongLength { expected: 128, given: 127 });
    let mut stream = streamed.stream();
    stream.push_row(&[1; 16]).unwrap();
    assert_eq!(stream.finish().unwrap_err(), WrongLength { expected: 128, given: 16 });
    // A stream that was left leaves nothing behind.
    assert_eq!(streamed.run(&[-5; 128]).unwrap(), [-5, -5]);
}

#[test]
fn what_is_no_head_is_refused() {
    let none = IntData::NONE;
    let fault = |tensors: &[Tensor<Int>], op, data: IntData<'_>, arena| {
        let nodes = [Node { op, inputs: &[TensorId(0)], output: TensorId(1), data }];
        let graph = Graph { name: "head", tensors, nodes: &nodes, input: TensorId(0), output: TensorId(1) };
        graph.head_fault(&BODY, arena)
    };
    assert_eq!(fault(HEAD.tensors, POOL, none, 80), Ok(()));
    assert_eq!(fault(HEAD.tensors, POOL, none, 79), Err(Fault::Arena));
    assert_eq!(fault(&[tensor(IMAGE, 0, 28), tensor(HALF, 0, 0)], POOL, none, 80), Err(Fault::Overlap));
    assert_eq!(fault(&[tensor(IMAGE, 0, 80), tensor(HALF, 0, 4)], POOL, none, 200), Err(Fault::Unequal));
    assert_eq!(fault(&[tensor(IMAGE, 1, 32), tensor(HALF, 1, 0)], POOL, none, 80), Err(Fault::Unequal));
    assert_eq!(fault(&[tensor(IMAGE, 0, 32), tensor(IMAGE, 0, 0)], POOL, none, 80), Err(Fault::Shape));
    assert_eq!(fault(&[tensor(HALF, 0, 40), tensor(HALF, 0, 0)], Op::Relu, none, 160), Err(Fault::Stream));
    let beside = IntData { scratch: Scratch { offset: 30, len: 4 }, ..none };
    assert_eq!(fault(HEAD.tensors, POOL, beside, 160), Err(Fault::Overlap));
    assert_eq!(BODY.head_fault(&BODY, 80), Err(Fault::Unequal));
    assert_eq!(Graph { nodes: &[], output: TensorId(0), ..HEAD }.head_fault(&BODY, 160), Err(Fault::Arity));
    let run = |arena: usize, input: &[i8], output: &mut [i8]| {
        run_streamed(Cpu::fastest(), (&HEAD, &BODY), &mut vec![0; arena], input, output)
    };
    let wrong = |expected, given| Err(RunError::Length(WrongLength { expected, given }));
    assert_eq!(run(79, &[0; 128], &mut [0; 2]), Err(RunError::Graph { node: 0, fault: Fault::Arena }));
    assert_eq!(run(80, &[0; 127], &mut [0; 2]), wrong(128, 127));
    assert_eq!(run(80, &[0; 128], &mut [0; 3]), wrong(3, 2));
}
