//! One operator at a time: what a graph of it may not be.

use super::{Owned, Part};
use zipnet::ir::*;

/// A graph of one operator over inputs of these shapes, with as many weights, biases and factors as told; all tensors of
/// one scale and zero point, apart in the arena.
fn one(op: Op, inputs: &[Shape], lengths: [usize; 3]) -> Owned {
    let mut at = 0;
    let mut place = |shape: Shape| {
        let offset = at;
        at += shape.len() as u32;
        Tensor { shape, meta: IntTensor { scale: 0.5, zero: 3, offset } }
    };
    // A first operator makes the second input, as a graph has but one.
    let mut tensors: Vec<Tensor<Int>> = inputs.iter().map(|&shape| place(shape)).collect();
    let mut nodes = vec![];
    if let [first, second] = *inputs {
        let whole = Slice { begin: [0; 3], stride: [1, 1, 1], shape: second };
        let repeated = Op::Pad(Pad { before: [0; 3], after: [second.h, second.w, second.c] });
        tensors.push(place(repeated.output(&[first]).unwrap()));
        nodes.push(Part::new(repeated, &[0], 2, [0, 1, 0]));
        nodes.push(Part::new(Op::Slice(whole), &[2], 1, [0, 0, 0]));
    }
    let ids: Vec<u16> = (0..inputs.len() as u16).collect();
    let output = tensors.len() as u16;
    // An illegal operator makes no shape; then any will do.
    let made = op.output(inputs).unwrap_or(inputs[0]);
    tensors.push(place(made));
    nodes.push(Part::new(op, &ids, output, lengths));
    Owned { tensors, nodes, input: TensorId(0), output: TensorId(output), arena: at as usize }
}

/// The fault of a graph of one operator.
fn fault(op: Op, inputs: &[Shape], lengths: [usize; 3]) -> Result<(), Fault> {
    one(op, inputs, lengths).fault().map_err(|(_, fault)| fault)
}

/// Fails unless a graph of one operator is legal, and has the fault once its node is changed.
fn expect_one(op: Op, lengths: [usize; 3], due: Fault, change: impl FnOnce(&mut Part)) {
    let mut graph = one(op, &[Shape::new(2, 3, 4)], lengths);
    assert_eq!(graph.fault(), Ok(()), "{op:?}");
    change(&mut graph.nodes[0]);
    assert_eq!(graph.fault(), Err((0, due)), "{op:?}");
}

#[test]
fn operands_that_do_not_broadcast() {
    let [x, row, other] = [Shape::new(2, 3, 4), Shape::new(1, 3, 1), Shape::new(2, 3, 2)];
    for of in [Op::Add, Op::Sub] {
        assert_eq!(fault(of(Operands::Equal), &[x, x], [0, 0, 3]), Ok(()));
        assert_eq!(fault(of(Operands::Equal), &[x, row], [0, 0, 3]), Err(Fault::Unequal));
        assert_eq!(fault(of(Operands::Broadcast), &[x, row], [0, 0, 3]), Ok(()));
        assert_eq!(fault(of(Operands::Broadcast), &[row, x], [0, 0, 3]), Ok(()));
        assert_eq!(fault(of(Operands::Broadcast), &[x, other], [0, 0, 3]), Err(Fault::Unequal));
        assert_eq!(fault(of(Operands::Broadcast), &[x], [0, 0, 3]), Err(Fault::Arity));
        assert_eq!(fault(of(Operands::Left(row)), &[x], [3, 1, 3]), Ok(()));
        assert_eq!(fault(of(Operands::Right(row)), &[x, x], [3, 1, 3]), Err(Fault::Arity));
        assert_eq!(fault(of(Operands::Left(other)), &[x], [12, 1, 3]), Err(Fault::Unequal));
        assert_eq!(fault(of(Operands::Right(Shape::new(0, 1, 1))), &[x], [0, 1, 3]), Err(Fault::Empty));
        assert_eq!(fault(of(Operands::Equal), &[x, x], [0, 0, 1]), Err(Fault::Requant));
    }
    assert_eq!(fault(Op::Mul(Operands::Right(x)), &[row], [24, 1, 1]), Ok(()));
    assert_eq!(fault(Op::Mul(Operands::Right(x)), &[row], [24, 1, 3]), Err(Fault::Requant));
    assert_eq!(fault(Op::Prelu { alpha: row }, &[x], [3, 1, 2]), Ok(()));
    assert_eq!(fault(Op::Prelu { alpha: x }, &[row], [24, 1, 2]), Err(Fault::Unequal));
}

#[test]
fn constants_and_their_zero_points() {
    let constant = Op::Add(Operands::Right(Shape::flat(4)));
    expect_one(constant, [4, 1, 3], Fault::Weights, |n| n.weights.truncate(3));
    expect_one(constant, [4, 1, 3], Fault::Bias, |n| n.bias.clear());
    expect_one(constant, [4, 1, 3], Fault::Constant, |n| n.bias[0] = 128);
    let prelu = Op::Prelu { alpha: Shape::flat(1) };
    expect_one(prelu, [1, 1, 2], Fault::Constant, |n| n.bias[0] = -129);
    expect_one(prelu, [1, 1, 2], Fault::Requant, |n| n.requant.truncate(1));
    expect_one(prelu, [1, 1, 2], Fault::Weights, |n| n.weights.clear());
}

#[test]
fn tables_and_factors_of_activations() {
    for op in [Op::LeakyRelu, Op::HardSwish, Op::Logistic, Op::Tanh] {
        expect_one(op, [256, 0, 0], Fault::Weights, |n| n.weights.truncate(255));
        expect_one(op, [256, 0, 0], Fault::Requant, |n| n.requant.push(Requant::default()));
    }
    for op in [Op::Relu, Op::Relu6, Op::ReluN1To1, Op::Requantize] {
        expect_one(op, [0, 0, 0], Fault::Clamp, |n| n.clamp = Clamp::new(3, 2));
        expect_one(op, [0, 0, 1], Fault::Requant, |n| n.requant.push(Requant::default()));
        expect_one(op, [0, 0, 1], Fault::Requant, |n| n.requant[0].multiplier = 1);
    }
}

#[test]
fn means() {
    let mean = |axes| Op::Mean { axes };
    let rows = mean([true, false, false]);
    expect_one(rows, [0, 0, 1], Fault::Axes, |n| n.op = mean([false; 3]));
    expect_one(rows, [0, 0, 1], Fault::Requant, |n| n.requant.clear());
    expect_one(rows, [0, 0, 1], Fault::Requant, |n| n.requant[0].multiplier = -1);
    expect_one(rows, [0, 0, 1], Fault::Requant, |n| n.requant[0].shift = 31);
    expect_one(rows, [0, 0, 1], Fault::Shape, |n| n.op = mean([true, true, false]));
    let mut divided = one(rows, &[Shape::new(3, 1, 1)], [0, 0, 1]);
    divided.nodes[0].requant[0] = Requant::new(715_827_882, 0);
    assert_eq!(divided.fault(), Ok(()));
    assert_eq!(fault(rows, &[Shape::new(2, 2, 2049)], [0, 0, 1]), Ok(()));
    assert_eq!(fault(rows, &[Shape::new(4096, 1, 2049)], [0, 0, 1]), Err(Fault::TooLarge));
}

#[test]
fn moved_elements() {
    let pad = |before, after| Op::Pad(Pad { before, after });
    expect_one(pad([1, 0, 2], [0; 3]), [0, 1, 0], Fault::Constant, |n| n.bias[0] = 128);
    expect_one(pad([1, 0, 2], [0; 3]), [0, 1, 0], Fault::Bias, |n| n.bias.clear());
    expect_one(pad([1, 0, 2], [0; 3]), [0, 1, 0], Fault::TooLarge, |n| n.op = pad([0; 3], [0, u16::MAX, 0]));

    let slice =
        |begin, stride, [h, w, c]: [u16; 3]| Op::Slice(Slice { begin, stride, shape: Shape::new(h, w, c) });
    let backwards = slice([1, 2, 0], [-1, -2, 3], [2, 2, 2]);
    for (begin, stride, shape, due) in [
        ([2, 2, 0], [-1, -2, 3], [2, 2, 2], Fault::Axes),
        ([1, 1, 0], [-1, -2, 3], [2, 2, 2], Fault::Axes),
        ([1, 2, 1], [-1, -2, 3], [2, 2, 2], Fault::Axes),
        ([1, 2, 0], [0, -2, 3], [2, 2, 2], Fault::Axes),
        ([1, 2, 0], [-1, -2, 3], [2, 0, 2], Fault::Empty),
        ([1, 2, 0], [-1, i16::MIN, i16::MAX], [2, 2, u16::MAX], Fault::Axes),
    ] {
        expect_one(backwards, [0, 0, 0], due, |n| n.op = slice(begin, stride, shape));
    }
    let turn = |order| Op::Transpose { order };
    for order in [[0, 0, 1], [1, 2, 1], [0, 1, 3]] {
        expect_one(turn([2, 0, 1]), [0, 0, 0], Fault::Axes, |n| n.op = turn(order));
    }
    let resize = |height, width| Op::ResizeNearest { height, width };
    expect_one(resize(3, 2), [0, 5, 0], Fault::Empty, |n| n.op = resize(0, 2));
    expect_one(resize(3, 2), [0, 5, 0], Fault::Bias, |n| n.bias.truncate(4));
    expect_one(resize(3, 2), [0, 5, 0], Fault::Constant, |n| n.bias[2] = 2); // of two rows
    expect_one(resize(3, 2), [0, 5, 0], Fault::Constant, |n| n.bias[4] = -1);
    let mut last = one(resize(3, 2), &[Shape::new(2, 3, 4)], [0, 5, 0]);
    last.nodes[0].bias[3] = 2; // of three columns
    assert_eq!(last.fault(), Ok(()));

    for op in [pad([0; 3], [0; 3]), backwards, turn([0, 1, 2]), resize(2, 3)] {
        let lengths = [0, if matches!(op, Op::Pad(_)) { 1 } else { 0 }, 0];
        let lengths = if matches!(op, Op::ResizeNearest { .. }) { [0, 5, 0] } else { lengths };
        let mut graph = one(op, &[Shape::new(2, 3, 4)], lengths);
        graph.tensors[1].meta.zero = 4;
        assert_eq!(graph.fault(), Err((0, Fault::Scale)), "{op:?}");
        graph.tensors[1].meta = IntTensor { zero: 3, offset: 0, ..graph.tensors[1].meta };
        assert_eq!(graph.fault(), Err((0, Fault::Overlap)), "{op:?}");
    }
}

#[test]
fn parts_of_a_concatenation() {
    let rows = Op::Concat { axis: Axis::Rows };
    assert_eq!(fault(rows, &[Shape::new(2, 3, 4), Shape::new(5, 3, 4)], [0, 0, 0]), Ok(()));
    assert_eq!(fault(rows, &[Shape::new(2, 3, 4), Shape::new(2, 2, 4)], [0, 0, 0]), Err(Fault::Unequal));
    assert_eq!(rows.output(&[Shape::new(40000, 1, 1); 2]), Err(Fault::TooLarge));
}

#[test]
fn an_operator_without_a_float_form() {
    let tensor = Tensor::<Float> { shape: Shape::flat(3), meta: Real::default() };
    for op in [
        Op::Requantize,
        Op::HardSwish,
        Op::Mean { axes: [true; 3] },
        Op::Mul(Operands::Right(Shape::flat(3))),
        Op::Add(Operands::Left(Shape::flat(3))),
        Op::Transpose { order: [0, 1, 2] },
    ] {
        let made = Tensor { shape: op.output(&[tensor.shape]).unwrap(), ..tensor };
        let nodes = [Node { op, inputs: &[TensorId(0)], output: TensorId(1), data: FloatData::default() }];
        let (tensors, input, output) = ([tensor, made], TensorId(0), TensorId(1));
        let graph = Graph { name: "f", tensors: &tensors, nodes: &nodes, input, output };
        assert_eq!(graph.fault(), Err((0, Fault::NotFloat)), "{op:?}");
    }
}
