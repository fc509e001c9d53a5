//! Whole nets of shapes that are common on microcontrollers, with made-up numbers.

use train_host::clean::clean;
use train_host::export::{Origin, Source, Stored, Target, pack};
use train_host::graph::{IntStore, Net};
use train_host::plan::plan;
use train_host::{Error, Result};
use zipnet::ir::{
    Bias, Conv2d, Dense, DepthwiseConv2d, Int, IntTensor, Op, Operands, Pool2d, Shape, TensorId, Window,
};

use super::made::{Numbers, numbers_of};

/// Their names.
pub(super) const NAMES: [&str; 3] = ["mobile", "series", "wide"];

/// The net of that name in plain order.
///
/// # Errors
/// Where there is none.
fn plain(name: &str) -> Result<Net<Int>> {
    match name {
        "mobile" => mobile(),
        "series" => series(),
        "wide" => wide(),
        _ => Err(Error::new(format!("no net {name:?}: {}", NAMES.join(", ")))),
    }
}

/// The net of that name packed for a Cortex-M4, and an input with what comes of it in plain order.
///
/// # Errors
/// Where there is none, or it cannot be packed.
pub(super) fn packed(name: &str) -> Result<(Stored, [Vec<i8>; 2])> {
    let mut net = plain(name)?;
    clean(&mut net)?;
    plan(&mut net)?;
    let input = Numbers(1).int8s(net.input_shape().len());
    let output = net.run(&input)?;
    let arena = pack(&mut net, Target::CortexM4, None)?;
    let source = Source::Imported { file: "none".to_owned(), sha256: String::new(), notes: Vec::new() };
    let origin = Origin { source, low: 0.0, high: 255.0, classes: Vec::new() };
    Ok((Stored { net, arena, origin }, [input, output]))
}

/// A net that grows.
struct Maker {
    net: Net<Int>,
    numbers: Numbers,
}

impl Maker {
    fn new(name: &str, input: Shape) -> Self {
        let meta = IntTensor { scale: 1.0, zero: -5, offset: 0 };
        Self { net: Net::new(name, input, meta), numbers: Numbers(7) }
    }

    fn add(&mut self, op: Op, inputs: &[TensorId]) -> Result<TensorId> {
        let x = self.net.shape(inputs[0]);
        let shapes: Vec<Shape> = inputs.iter().map(|&id| self.net.shape(id)).collect();
        let y = op.output(&shapes).map_err(Error::new)?;
        let (zero, store): (i8, IntStore) = numbers_of(&op, x, y, &mut self.numbers);
        let scale = if let Op::Softmax = op { 1.0 / 256.0 } else { 1.0 };
        let name = format!("{}_{}", self.net.nodes.len(), op.name());
        let kept = matches!(op, Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Reshape { .. });
        let made = IntTensor { scale, zero, offset: 0 };
        let meta = if kept { self.net.tensors[inputs[0].at()].meta } else { made };
        self.net.push(&name, op, inputs, meta, store)
    }

    fn then(&mut self, op: Op) -> Result<TensorId> {
        self.add(op, &[self.net.output])
    }

    /// A window over what there is, with the border that keeps the size up to the stride.
    fn window(&self, from: TensorId, kernel: [u16; 2], stride: [u16; 2]) -> Window {
        let x = self.net.shape(from);
        Window { kernel, stride, ..Window::new(1, 1) }.same(x.h, x.w)
    }

    fn conv(&mut self, from: TensorId, units: u16, kernel: [u16; 2], stride: [u16; 2]) -> Result<TensorId> {
        let (window, span) = (self.window(from, kernel, stride), self.net.shape(from).c);
        let conv = Conv2d { units, window, groups: 1, span, bias: Bias::Channel };
        self.add(Op::Conv2d(conv), &[from])
    }

    /// Depthwise, then 1x1.
    fn separable(&mut self, units: u16, kernel: [u16; 2], stride: [u16; 2]) -> Result<TensorId> {
        let window = self.window(self.net.output, kernel, stride);
        self.then(Op::DepthwiseConv2d(DepthwiseConv2d { multiplier: 1, window, bias: Bias::Channel }))?;
        self.conv(self.net.output, units, [1, 1], [1, 1])
    }

    fn classes(mut self, units: u16) -> Result<Net<Int>> {
        self.then(Op::Dense(Dense { units, bias: Bias::Channel }))?;
        self.then(Op::Softmax)?;
        Ok(self.net)
    }
}

/// A MobileNet of a quarter of the width, 96x96 in colour: depthwise 3x3 at strides 1 and 2.
fn mobile() -> Result<Net<Int>> {
    let mut m = Maker::new("mobile", Shape::new(96, 96, 3));
    m.conv(m.net.input, 8, [3, 3], [2, 2])?;
    let units = [16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256];
    for (i, units) in units.into_iter().enumerate() {
        let stride = if [1, 3, 5, 11].contains(&i) { 2 } else { 1 };
        m.separable(units, [3, 3], [stride, stride])?;
    }
    m.then(Op::AvgPool2d(Pool2d { window: Window::new(3, 3) }))?;
    m.classes(2)
}

/// A net over 49 steps of 40 numbers each: depthwise 9x1 at strides 1 and 2; then over a map of 25x5: depthwise 5x1.
fn series() -> Result<Net<Int>> {
    let mut m = Maker::new("series", Shape::new(49, 1, 40));
    m.conv(m.net.input, 64, [3, 1], [1, 1])?;
    m.separable(64, [9, 1], [1, 1])?;
    m.separable(96, [9, 1], [2, 1])?;
    m.separable(96, [9, 1], [1, 1])?;
    m.then(Op::Reshape { shape: Shape::new(25, 4, 24) })?;
    m.separable(48, [5, 1], [1, 1])?;
    m.separable(48, [1, 3], [2, 1])?;
    m.then(Op::Mean { axes: [true, true, false] })?;
    m.classes(12)
}

/// A ResNet of twice the usual width, 32x32 in colour.
fn wide() -> Result<Net<Int>> {
    let mut m = Maker::new("wide", Shape::new(32, 32, 3));
    let mut x = m.conv(m.net.input, 32, [3, 3], [1, 1])?;
    for (units, stride) in [(32, 1), (64, 2), (128, 2)] {
        let a = m.conv(x, units, [3, 3], [stride, stride])?;
        let a = m.conv(a, units, [3, 3], [1, 1])?;
        let b = if stride == 1 { x } else { m.conv(x, units, [1, 1], [stride, stride])? };
        x = m.add(Op::Add(Operands::Equal), &[a, b])?;
    }
    m.then(Op::AvgPool2d(Pool2d { window: Window::new(8, 8) }))?;
    m.classes(10)
}
