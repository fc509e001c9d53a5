//! One legal graph, and what is wrong once one thing of it is changed.

mod nibbles;
mod operators;

use zipnet::ir::*;

/// A graph that owns its parts, so that a test may spoil them.
#[derive(Clone)]
struct Owned {
    tensors: Vec<Tensor<Int>>,
    nodes: Vec<Part>,
    input: TensorId,
    output: TensorId,
    arena: usize,
}

#[derive(Clone)]
struct Part {
    op: Op,
    inputs: Vec<TensorId>,
    output: TensorId,
    weights: Vec<i8>,
    bias: Vec<i32>,
    requant: Vec<Requant>,
    clamp: Clamp,
    scratch: Scratch,
    packing: Packing,
}

impl Part {
    fn new(op: Op, inputs: &[u16], output: u16, [weights, bias, requant]: [usize; 3]) -> Self {
        Self {
            op,
            inputs: inputs.iter().map(|&i| TensorId(i)).collect(),
            output: TensorId(output),
            weights: vec![1; weights],
            bias: vec![0; bias],
            requant: vec![Requant::new(1 << 30, 0); requant],
            clamp: Clamp::FULL,
            scratch: Scratch::default(),
            packing: Packing::Plain,
        }
    }
}

impl Owned {
    /// 4x4x2, a 3x3 convolution in groups to 4x4x4, a max pool to 2x2x4, a relu in place, a concat of both with
    /// itself to 2x2x8, flattened, 3 units.
    fn legal() -> Self {
        let at = |offset, h, w, c| Tensor {
            shape: Shape::new(h, w, c),
            meta: IntTensor { scale: 0.5, zero: 3, offset },
        };
        let window = Window::new(3, 3).padding(Padding::all(1));
        let conv = Conv2d { units: 4, window, groups: 2, span: 2, bias: Bias::Unit };
        let pool = Pool2d { window: Window::new(2, 2).stride(2) };
        Self {
            tensors: vec![
                at(64, 4, 4, 2),
                at(0, 4, 4, 4),
                at(64, 2, 2, 4),
                at(64, 2, 2, 4),
                at(0, 2, 2, 8),
                at(32, 1, 1, 32),
                at(0, 1, 1, 3),
            ],
            nodes: vec![
                Part::new(Op::Conv2d(conv), &[0], 1, [4 * 9 * 2, 64, 4]),
                Part::new(Op::MaxPool2d(pool), &[1], 2, [0, 0, 0]),
                Part::new(Op::Relu, &[2], 3, [0, 0, 1]),
                Part::new(Op::Concat { axis: Axis::Channels }, &[3, 3], 4, [0, 0, 0]),
                Part::new(Op::Reshape { shape: Shape::flat(32) }, &[4], 5, [0, 0, 0]),
                Part::new(Op::Dense(Dense { units: 3, bias: Bias::Channel }), &[5], 6, [96, 3, 3]),
            ],
            input: TensorId(0),
            output: TensorId(6),
            arena: 96,
        }
    }

    fn fault(&self) -> Result<(), (usize, Fault)> {
        let nodes: Vec<Node<'_, Int>> = self
            .nodes
            .iter()
            .map(|part| Node {
                op: part.op,
                inputs: &part.inputs,
                output: part.output,
                data: IntData {
                    weights: &part.weights,
                    bias: &part.bias,
                    requant: &part.requant,
                    clamp: part.clamp,
                    scratch: part.scratch,
                    packing: part.packing,
                },
            })
            .collect();
        let graph = Graph {
            name: "g",
            tensors: &self.tensors,
            nodes: &nodes,
            input: self.input,
            output: self.output,
        };
        let fault = graph.fault(self.arena);
        // What is legal in an arena is legal in the least one.
        assert!(fault.is_err() || graph.arena_len() <= self.arena && graph.fault(graph.arena_len()).is_ok());
        fault
    }
}

/// Fails unless the change makes that fault, at that node.
fn expect(node: usize, fault: Fault, change: impl FnOnce(&mut Owned)) {
    let mut graph = Owned::legal();
    assert_eq!(graph.fault(), Ok(()));
    change(&mut graph);
    assert_eq!(graph.fault(), Err((node, fault)));
}

fn conv(graph: &mut Owned) -> &mut Conv2d {
    match &mut graph.nodes[0].op {
        Op::Conv2d(conv) => conv,
        other => panic!("{other:?}"),
    }
}

#[test]
fn arity() {
    expect(2, Fault::Arity, |g| g.nodes[2].inputs.push(TensorId(1)));
    expect(3, Fault::Arity, |g| g.nodes[3].inputs.truncate(1));
    expect(3, Fault::Arity, |g| g.nodes[3].inputs = vec![TensorId(3); MAX_INPUTS + 1]);
    expect(1, Fault::Arity, |g| g.nodes[1].inputs.clear());
}

#[test]
fn empty() {
    expect(0, Fault::Empty, |g| g.tensors[0].shape.h = 0);
    expect(5, Fault::Empty, |g| g.nodes[5].op = Op::Dense(Dense { units: 0, bias: Bias::Channel }));
}

#[test]
fn groups() {
    expect(0, Fault::Groups, |g| conv(g).groups = 0);
    expect(0, Fault::Groups, |g| conv(g).groups = 4);
    expect(0, Fault::Groups, |g| conv(g).units = 5);
    expect(0, Fault::Groups, |g| conv(g).span = 3);
    expect(0, Fault::Groups, |g| conv(g).span = 0);
    expect(2, Fault::Groups, |g| g.nodes[2].op = Op::ChannelShuffle { groups: 3 });
}

#[test]
fn window() {
    expect(0, Fault::Window, |g| conv(g).window.kernel = [7, 7]);
    expect(0, Fault::Window, |g| conv(g).window.stride = [0, 1]);
    expect(0, Fault::Window, |g| conv(g).window.padding.top = 3);
    let dilated = Pool2d { window: Window::new(2, 2).stride(2).dilation(2) };
    expect(1, Fault::Window, |g| g.nodes[1].op = Op::AvgPool2d(dilated));
}

#[test]
fn unequal() {
    expect(3, Fault::Unequal, |g| g.nodes[3].inputs[1] = TensorId(1));
    expect(4, Fault::Unequal, |g| g.nodes[4].op = Op::Reshape { shape: Shape::flat(31) });
}

#[test]
fn too_large() {
    let many = DepthwiseConv2d { multiplier: u16::MAX, window: Window::new(1, 1), bias: Bias::Channel };
    expect(0, Fault::TooLarge, |g| g.nodes[0].op = Op::DepthwiseConv2d(many));
    expect(6, Fault::TooLarge, |g| {
        let wide = Shape::flat(4096);
        g.tensors[6].shape = wide;
        g.tensors.push(Tensor { shape: wide, meta: IntTensor { offset: 8192, ..g.tensors[6].meta } });
        g.nodes[5] = Part::new(
            Op::Dense(Dense { units: 4096, bias: Bias::Channel }),
            &[5],
            6,
            [4096 * 32, 4096, 4096],
        );
        g.nodes.push(Part::new(Op::Softmax, &[6], 7, [0, 0, 1]));
        (g.output, g.arena) = (TensorId(7), 1 << 14);
    });
    expect(0, Fault::TooLarge, |g| g.tensors.resize(MAX_TENSORS + 1, g.tensors[0]));
}

#[test]
fn shape() {
    expect(1, Fault::Shape, |g| g.tensors[2].shape.c = 5);
}

#[test]
fn dangling() {
    expect(0, Fault::Dangling, |g| g.input = TensorId(7));
    expect(0, Fault::Dangling, |g| g.output = TensorId(9));
    expect(2, Fault::Dangling, |g| g.nodes[2].inputs[0] = TensorId(7));
    expect(2, Fault::Dangling, |g| g.nodes[2].output = TensorId(7));
}

#[test]
fn order() {
    expect(1, Fault::Order, |g| g.nodes.swap(1, 2)); // the relu reads what is not there yet
    expect(2, Fault::Order, |g| g.nodes[2].output = TensorId(2)); // written twice
    expect(2, Fault::Order, |g| g.nodes[2].output = TensorId(0)); // the caller's
    expect(5, Fault::Order, |g| g.nodes.truncate(5)); // nobody writes the output
    expect(0, Fault::Order, |g| g.tensors.push(g.tensors[0])); // nobody writes a tensor
}

#[test]
fn weights_bias_and_factors() {
    expect(0, Fault::Weights, |g| g.nodes[0].weights.truncate(71));
    expect(2, Fault::Weights, |g| g.nodes[2].weights.push(1));
    expect(0, Fault::Bias, |g| g.nodes[0].bias.truncate(4));
    expect(5, Fault::Bias, |g| g.nodes[5].op = Op::Dense(Dense { units: 3, bias: Bias::None }));
    expect(5, Fault::Bias, |g| g.nodes[5].op = Op::Dense(Dense { units: 3, bias: Bias::Unit }));
    expect(5, Fault::Requant, |g| g.nodes[5].requant.truncate(2));
    expect(5, Fault::Requant, |g| g.nodes[5].requant[2].multiplier = 1 << 29);
    expect(5, Fault::Requant, |g| g.nodes[5].requant[2].shift = 31);
    expect(5, Fault::Requant, |g| g.nodes[5].requant[2].shift = -32);
    expect(1, Fault::Clamp, |g| g.nodes[1].clamp = Clamp::new(1, 0));
}

#[test]
fn scale() {
    expect(1, Fault::Scale, |g| g.tensors[2].meta.scale = 0.25);
    expect(4, Fault::Scale, |g| g.tensors[5].meta.zero = 0);
    let softmax = |g: &mut Owned, scale, zero| {
        g.tensors.push(Tensor { shape: Shape::flat(3), meta: IntTensor { scale, zero, offset: 3 } });
        g.nodes.push(Part::new(Op::Softmax, &[6], 7, [0, 0, 1]));
        g.output = TensorId(7);
    };
    expect(6, Fault::Scale, |g| softmax(g, 1.0 / 256.0, -127));
    expect(6, Fault::Scale, |g| softmax(g, 1.0 / 128.0, -128));
    let mut legal = Owned::legal();
    softmax(&mut legal, 1.0 / 256.0, -128);
    assert_eq!(legal.fault(), Ok(()));
}

#[test]
fn not_integer() {
    expect(2, Fault::NotInteger, |g| g.nodes[2].op = Op::BatchNorm);
}

#[test]
fn arena() {
    expect(0, Fault::Arena, |g| g.arena = 95);
    expect(2, Fault::Arena, |g| g.tensors[3].meta.offset = 81);
    expect(2, Fault::Arena, |g| g.nodes[2].scratch = Scratch { offset: 90, len: 7 });
    expect(2, Fault::Arena, |g| g.nodes[2].scratch = Scratch { offset: u32::MAX, len: 7 });
}

#[test]
fn overlap() {
    expect(1, Fault::Overlap, |g| g.tensors[2].meta.offset = 60);
    expect(2, Fault::Overlap, |g| g.tensors[3].meta.offset = 65); // in place, but for a byte
    expect(1, Fault::Overlap, |g| g.tensors[2].meta.offset = 0); // a pool does not work in place
    let shuffle = || Part::new(Op::ChannelShuffle { groups: 2 }, &[2], 3, [0, 0, 0]);
    expect(2, Fault::Overlap, |g| g.nodes[2] = shuffle()); // nor does a shuffle
    expect(0, Fault::Overlap, |g| g.nodes[0].scratch = Scratch { offset: 95, len: 1 });
    expect(2, Fault::Overlap, |g| {
        // In place, though a later node still needs the input.
        g.nodes[3].inputs[1] = TensorId(2);
    });
    let mut free = Owned::legal();
    free.nodes[2].scratch = Scratch { offset: 0, len: 64 }; // nothing lives there then
    free.nodes[2].output = TensorId(3);
    assert_eq!(free.fault(), Ok(()));
}

#[test]
fn a_float_graph_has_its_own_lengths() {
    let tensor = Tensor::<Float> { shape: Shape::flat(3), meta: Real::default() };
    let fault = |op, data| {
        let inputs = [TensorId(0)];
        let nodes = [Node { op, inputs: &inputs, output: TensorId(1), data }];
        let graph = Graph {
            name: "f",
            tensors: &[tensor, tensor],
            nodes: &nodes,
            input: TensorId(0),
            output: TensorId(1),
        };
        graph.fault()
    };
    let dense = Op::Dense(Dense { units: 3, bias: Bias::None });
    let three = [0.5; 3];
    let norm = FloatData { weights: &three, bias: &three, mean: &three, variance: &three };
    assert_eq!(fault(dense, FloatData { weights: &[0.0; 9], ..FloatData::default() }), Ok(()));
    assert_eq!(
        fault(dense, FloatData { weights: &[0.0; 8], ..FloatData::default() }),
        Err((0, Fault::Weights))
    );
    assert_eq!(
        fault(dense, FloatData { weights: &[0.0; 9], bias: &three, ..norm }),
        Err((0, Fault::Weights))
    );
    let biased = FloatData { weights: &[0.0; 9], bias: &three, ..FloatData::default() };
    assert_eq!(fault(dense, biased), Err((0, Fault::Bias)));
    assert_eq!(fault(Op::BatchNorm, norm), Ok(()));
    assert_eq!(fault(Op::BatchNorm, FloatData { variance: &[], ..norm }), Err((0, Fault::Weights)));
}
