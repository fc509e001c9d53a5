//! The nets of the MLPerf Tiny benchmark, as its reference implementation shapes them, with made-up weights, on which
//! speed does not depend.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use train_host::Result;
use train_host::graph::{FloatStore, Net};
use zipnet::ir::{
    Bias, Conv2d, Dense, DepthwiseConv2d, Float, Op, Operands, Pool2d, Real, Shape, TensorId, Window,
};

use crate::nets::noise;

/// Anomaly detection, keyword spotting, image classification.
///
/// # Errors
/// None but where a shape does not fit.
pub fn nets() -> Result<[(&'static str, Net<Float>); 3]> {
    Ok([("ad", anomaly()?), ("kws", keywords()?), ("ic", images()?)])
}

/// An autoencoder of dense layers.
fn anomaly() -> Result<Net<Float>> {
    let mut net = Author::new("ad", Shape::flat(640));
    let mut x = net.net.input;
    for units in [128, 128, 128, 128, 8, 128, 128, 128, 128] {
        x = net.dense(x, units)?;
        x = net.plain(Op::Relu, &[x])?;
    }
    net.dense(x, 640)?;
    Ok(net.net)
}

/// Depthwise-separable convolutions.
fn keywords() -> Result<Net<Float>> {
    let mut net = Author::new("kws", Shape::new(49, 10, 1));
    let mut x = net.conv(net.net.input, 64, Window::new(10, 4).stride(2).same(49, 10), true)?;
    for _ in 0..4 {
        let window = Window::new(3, 3).same(25, 5);
        let op = Op::DepthwiseConv2d(DepthwiseConv2d { multiplier: 1, window, bias: Bias::Channel });
        x = net.weighted(op, x, 9)?;
        x = net.plain(Op::Relu, &[x])?;
        x = net.conv(x, 64, Window::new(1, 1), true)?;
    }
    x = net.plain(Op::AvgPool2d(Pool2d { window: Window::new(25, 5) }), &[x])?;
    x = net.dense(x, 12)?;
    net.plain(Op::Softmax, &[x])?;
    Ok(net.net)
}

/// A small ResNet.
fn images() -> Result<Net<Float>> {
    let mut net = Author::new("ic", Shape::new(32, 32, 3));
    let three = |side: u16, stride: u16| Window::new(3, 3).stride(stride).same(side, side);
    let mut x = net.conv(net.net.input, 16, three(32, 1), true)?;
    for (units, side, stride) in [(16, 32, 1), (32, 32, 2), (64, 16, 2)] {
        let a = net.conv(x, units, three(side, stride), true)?;
        let b = net.conv(a, units, three(side / stride, 1), false)?;
        if stride > 1 {
            x = net.conv(x, units, Window::new(1, 1).stride(2), false)?;
        }
        x = net.plain(Op::Add(Operands::Equal), &[x, b])?;
        x = net.plain(Op::Relu, &[x])?;
    }
    x = net.plain(Op::AvgPool2d(Pool2d { window: Window::new(8, 8) }), &[x])?;
    x = net.dense(x, 10)?;
    net.plain(Op::Softmax, &[x])?;
    Ok(net.net)
}

/// A net in the making.
struct Author {
    net: Net<Float>,
    rng: Xoshiro256PlusPlus,
}

impl Author {
    fn new(name: &str, input: Shape) -> Self {
        Self { net: Net::new(name, input, Real::default()), rng: Xoshiro256PlusPlus::seed_from_u64(1) }
    }

    fn plain(&mut self, op: Op, inputs: &[TensorId]) -> Result<TensorId> {
        let name = format!("{}_{}", op.name(), self.net.nodes.len());
        self.net.push(&name, op, inputs, Real::default(), FloatStore::default())
    }

    /// An operator of which an output sums `products` products, scaled so that signals neither grow nor fade.
    fn weighted(&mut self, op: Op, x: TensorId, products: usize) -> Result<TensorId> {
        let y = self.plain(op, &[x])?;
        let scale = (6.0 / products as f32).sqrt();
        let weights = noise(op.weights(self.net.shape(x)), &mut self.rng).iter().map(|w| w * scale).collect();
        let bias = noise(op.bias().len(self.net.shape(y)), &mut self.rng).iter().map(|b| b * 0.1).collect();
        let last = self.net.nodes.len() - 1;
        self.net.nodes[last].store = FloatStore { weights, bias, ..FloatStore::default() };
        Ok(y)
    }

    fn dense(&mut self, x: TensorId, units: u16) -> Result<TensorId> {
        let products = self.net.shape(x).len();
        self.weighted(Op::Dense(Dense { units, bias: Bias::Channel }), x, products)
    }

    fn conv(&mut self, x: TensorId, units: u16, window: Window, relu: bool) -> Result<TensorId> {
        let span = self.net.shape(x).c;
        let op = Op::Conv2d(Conv2d { units, window, groups: 1, span, bias: Bias::Channel });
        let y = self.weighted(op, x, window.taps() * usize::from(span))?;
        if relu { self.plain(Op::Relu, &[y]) } else { Ok(y) }
    }
}
