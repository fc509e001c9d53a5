//! A net of one operator with made-up numbers, and what the portable kernels make of an input.

use train_host::clean::clean;
use train_host::export::{Origin, Source, Stored, Target, pack};
use train_host::graph::{IntStore, Net};
use train_host::plan::plan;
use train_host::{Error, Result};
use zipnet::Cpu;
use zipnet::ir::{Axis, Int, IntTensor, Op, Operands, Requant, Shape, TensorId};

use super::shapes::Point;

/// What firmware fills an input with, too: the upper bytes of linear congruences.
pub(super) struct Numbers(pub(super) u32);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 8
    }

    /// So many of any int8.
    pub(super) fn int8s(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| (self.next() >> 16) as i8).collect()
    }

    /// A weight; small ones are likelier, as training leaves them.
    fn weight(&mut self) -> i8 {
        let mut half = || (self.next() >> 8) as i32 % 128 - 64;
        (half() + half()).clamp(-127, 127) as i8
    }

    fn requant(&mut self, shift: i32) -> Requant {
        Requant::new((1 << 30) + (self.next() & 0x003f_ffff) as i32 * 16, shift)
    }
}

/// The net of a point as it is exported for a Cortex-M4, and what the portable kernels of this host make of the input
/// that firmware fills in. Before the operator are others that no one counts: they bring it its operands.
///
/// # Errors
/// As [`plain`], or where the exporter refuses.
pub(super) fn made(point: &Point) -> Result<(Stored, Vec<i8>)> {
    let mut net = plain(point)?;
    let portable = Cpu::all().last().ok_or_else(|| Error::new("no portable kernels"))?;
    let output = net.run_on(portable, &Numbers(1).int8s(net.input_shape().len()))?;
    let arena = pack(&mut net, Target::CortexM4, point.limit())?;
    let source = Source::Imported { file: "none".to_owned(), sha256: String::new(), notes: Vec::new() };
    Ok((Stored { net, arena, origin: Origin { source, low: 0.0, high: 255.0, classes: Vec::new() } }, output))
}

/// The net of a point in plain order.
///
/// # Errors
/// Where the operator does not take the shape.
pub(super) fn plain(point: &Point) -> Result<Net<Int>> {
    let (op, shape) = (point.op(), point.input());
    let mut numbers = Numbers(1989);
    let scale = if let Op::Softmax = op { 1.0 / 256.0 } else { 1.0 };
    let meta = |zero: i8| IntTensor { scale, zero, offset: 0 };
    let mut net = Net::<Int>::new(&point.name(), shape, meta(3));
    let input = net.input;
    let store = IntStore { requant: vec![Requant::new(0x5000_0000, 1)], ..IntStore::default() };
    let first = net.push("first", Op::Requantize, &[input], meta(-5), store)?;
    let mut inputs: Vec<TensorId> = vec![first];
    if let Op::Add(_) | Op::Mul(_) | Op::Concat { .. } = op {
        let store = IntStore { requant: vec![Requant::new(0x6000_0000, 0)], ..IntStore::default() };
        inputs.push(net.push("second", Op::Requantize, &[first], meta(-5), store)?);
    }
    let shapes: Vec<Shape> = inputs.iter().map(|&id| net.shape(id)).collect();
    let y = op.output(&shapes).map_err(|fault| Error::new(format!("{}: {fault}", point.name())))?;
    let (zero, store) = numbers_of(&op, shape, y, &mut numbers);
    net.push("op", op, &inputs, meta(zero), store)?;
    // Import would do so too.
    if point.groups > 1 && point.channels == 1 || point.image == point.kernel {
        clean(&mut net)?;
    }
    plan(&mut net)?;
    Ok(net)
}

/// Zero point and numbers of an operator, such that its outputs spread over int8.
pub(super) fn numbers_of(op: &Op, x: Shape, y: Shape, numbers: &mut Numbers) -> (i8, IntStore) {
    let weights = op.weights(x);
    let mut store = IntStore::default();
    if weights > 0 {
        let k = (weights / usize::from(y.c)).max(1);
        let shift = -6 - k.ilog2() as i32 / 2;
        store.weights = (0..weights).map(|_| numbers.weight()).collect();
        store.bias = (0..op.bias().len(y)).map(|_| numbers.weight().into()).map(|b: i32| 16 * b).collect();
        store.requant = (0..y.c).map(|_| numbers.requant(shift)).collect();
    }
    match op {
        Op::Add(Operands::Equal) => {
            store.requant = vec![numbers.requant(-1), Requant::new(1 << 30, 0), numbers.requant(-19)];
        }
        Op::Mul(_) => store.requant = vec![numbers.requant(-6)],
        Op::Requantize => store.requant = vec![numbers.requant(0)],
        Op::Mean { .. } => {
            let pixels = i32::from(x.h) * i32::from(x.w);
            store.requant = vec![numbers.requant(1 - pixels.ilog2() as i32)];
        }
        Op::Softmax => store.requant = vec![Requant::new(0x5a82_7999, 22)],
        Op::Tanh => store.weights = numbers.int8s(256),
        Op::Concat { axis: Axis::Channels } | Op::MaxPool2d(_) | Op::AvgPool2d(_) => return (-5, store),
        _ => {}
    }
    let zero = if let Op::Softmax = op { -128 } else { 7 };
    (zero, store)
}
