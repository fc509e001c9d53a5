//! A float evaluation too simple to be wrong, in f64, and nets of every operator: for tests alone.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use zipnet::ir::{
    Axis, Bias, Conv2d, Dense, DepthwiseConv2d, Float, FloatData, Op, Operands, Padding, Pool2d, Real, Shape,
    TensorId, Window,
};

use crate::graph::{FloatStore, Net};

/// Every tensor's values, by id, for one sample.
pub(crate) fn evaluate(net: &Net<Float>, sample: &[f32]) -> Vec<Vec<f64>> {
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); net.tensors.len()];
    values[net.input.at()] = sample.iter().map(|&x| f64::from(x)).collect();
    for node in &net.nodes {
        let input = |i: usize| -> &[f64] { &values[node.inputs[i].at()] };
        let x = net.shape(node.inputs[0]);
        let y = net.shape(node.output);
        let origin = f64::from(net.tensors[node.inputs[0].at()].meta.origin);
        let w = |i: usize| f64::from(node.store.weights[i]);
        let bias = |h: usize, w: usize, c: usize| match node.op.bias() {
            Bias::None => 0.0,
            Bias::Channel => f64::from(node.store.bias[c]),
            Bias::Unit => f64::from(node.store.bias[at(y, h, w, c)]),
        };
        let made = match &node.op {
            Op::Conv2d(conv) => {
                let (units, span) = (usize::from(conv.units), usize::from(conv.span));
                let (c, groups) = (usize::from(x.c), usize::from(conv.groups));
                each(y, |h, l, unit| {
                    let first = unit / (units / groups) * (c / groups);
                    let mut sum = bias(h, l, unit);
                    for (tap, place) in taps(&conv.window, x, h, l).into_iter().enumerate() {
                        for i in 0..span {
                            let value = place.map_or(origin, |(r, q)| input(0)[at(x, r, q, (first + i) % c)]);
                            sum += w((unit * conv.window.taps() + tap) * span + i) * value;
                        }
                    }
                    sum
                })
            }
            Op::DepthwiseConv2d(conv) => each(y, |h, l, c| {
                let from = c / usize::from(conv.multiplier);
                let mut sum = bias(h, l, c);
                for (tap, place) in taps(&conv.window, x, h, l).into_iter().enumerate() {
                    let value = place.map_or(origin, |(r, q)| input(0)[at(x, r, q, from)]);
                    sum += w(tap * usize::from(y.c) + c) * value;
                }
                sum
            }),
            Op::Dense(_) => each(y, |_, _, unit| {
                let row = input(0).iter().enumerate();
                bias(0, 0, unit) + row.map(|(i, x)| x * w(unit * input(0).len() + i)).sum::<f64>()
            }),
            Op::MaxPool2d(pool) => each(y, |h, l, c| {
                let seen = taps(&pool.window, x, h, l).into_iter().flatten();
                seen.map(|(r, q)| input(0)[at(x, r, q, c)]).fold(f64::NEG_INFINITY, f64::max)
            }),
            Op::AvgPool2d(pool) => each(y, |h, l, c| {
                let seen: Vec<_> = taps(&pool.window, x, h, l).into_iter().flatten().collect();
                seen.iter().map(|&(r, q)| input(0)[at(x, r, q, c)]).sum::<f64>() / seen.len() as f64
            }),
            Op::Add(_) => input(0).iter().zip(input(1)).map(|(a, b)| a + b).collect(),
            Op::Concat { .. } => each(y, |h, l, c| {
                let mut c = c;
                for &id in &node.inputs {
                    let shape = net.shape(id);
                    if c < usize::from(shape.c) {
                        return values[id.at()][at(shape, h, l, c)];
                    }
                    c -= usize::from(shape.c);
                }
                unreachable!("a concat has as many channels as its inputs")
            }),
            Op::ChannelShuffle { groups } => each(y, |h, l, c| {
                let groups = usize::from(*groups);
                let from = c % groups * (usize::from(x.c) / groups) + c / groups;
                input(0)[at(x, h, l, from)]
            }),
            Op::Relu => input(0).iter().map(|x| x.max(0.0)).collect(),
            Op::Relu6 => input(0).iter().map(|x| x.clamp(0.0, 6.0)).collect(),
            Op::Tanh => input(0).iter().map(|x| x.tanh()).collect(),
            Op::Softmax => {
                let pixels = input(0).chunks_exact(usize::from(x.c));
                pixels.flat_map(softmax).collect()
            }
            Op::Reshape { .. } => input(0).to_vec(),
            Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => unreachable!("has no float form"),
            Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Requantize => {
                unreachable!("has no float form")
            }
            Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => {
                unreachable!("has no float form")
            }
            Op::BatchNorm => each(y, |h, l, c| {
                let s = &node.store;
                let root = (f64::from(s.variance[c]) + f64::from(FloatData::EPSILON)).sqrt();
                w(c) * (input(0)[at(x, h, l, c)] - f64::from(s.mean[c])) / root + f64::from(s.bias[c])
            }),
        };
        values[node.output.at()] = made;
    }
    values
}

fn softmax(pixel: &[f64]) -> Vec<f64> {
    let most = pixel.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let powers: Vec<f64> = pixel.iter().map(|x| (x - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}

fn at(shape: Shape, row: usize, column: usize, channel: usize) -> usize {
    (row * usize::from(shape.w) + column) * usize::from(shape.c) + channel
}

fn each(shape: Shape, mut f: impl FnMut(usize, usize, usize) -> f64) -> Vec<f64> {
    let mut out = Vec::with_capacity(shape.len());
    for row in 0..usize::from(shape.h) {
        for column in 0..usize::from(shape.w) {
            for channel in 0..usize::from(shape.c) {
                out.push(f(row, column, channel));
            }
        }
    }
    out
}

/// The place each tap of a window sees; `None` where that is border.
fn taps(window: &Window, x: Shape, row: usize, column: usize) -> Vec<Option<(usize, usize)>> {
    let axis = |out: usize, tap: u16, i: usize, before: u16, n: u16| {
        let place = out as i64 * i64::from(window.stride[i]) + i64::from(tap) * i64::from(window.dilation[i])
            - i64::from(before);
        (0..i64::from(n)).contains(&place).then_some(place as usize)
    };
    let mut out = Vec::new();
    for ky in 0..window.kernel[0] {
        for kx in 0..window.kernel[1] {
            let r = axis(row, ky, 0, window.padding.top, x.h);
            let q = axis(column, kx, 1, window.padding.left, x.w);
            out.push(r.zip(q));
        }
    }
    out
}

/// A net under construction whose numbers are drawn at random.
pub(crate) struct Author {
    pub(crate) net: Net<Float>,
    pub(crate) rng: Xoshiro256PlusPlus,
    /// Numbers are multiples of 1/8 small enough for sums in f32 to be exact.
    pub(crate) dyadic: bool,
}

impl Author {
    pub(crate) fn new(input: Shape, origin: f32, seed: u64) -> Self {
        let net = Net::new("test", input, Real { origin });
        Self { net, rng: Xoshiro256PlusPlus::seed_from_u64(seed), dyadic: false }
    }

    /// Uniform from `low` to `high`.
    pub(crate) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.rng.next_u64() >> 40) as f32 / (1u64 << 24) as f32;
        let x = low + (high - low) * unit;
        if self.dyadic { (8.0 * x).round() / 8.0 } else { x }
    }

    /// A sample of the net's input, from -1 to 1.
    pub(crate) fn sample(&mut self) -> Vec<f32> {
        (0..self.net.input_shape().len()).map(|_| self.uniform(-1.0, 1.0)).collect()
    }

    /// Appends an operator over the tensors given, with weights of a size that keeps values about 1.
    pub(crate) fn push(&mut self, op: Op, inputs: &[TensorId]) -> TensorId {
        let x = self.net.shape(inputs[0]);
        let shapes: Vec<Shape> = inputs.iter().map(|&id| self.net.shape(id)).collect();
        let y = op.output(&shapes).expect("shapes meet");
        let mut store = FloatStore::default();
        if matches!(op, Op::BatchNorm) {
            let c = usize::from(x.c);
            store.weights = (0..c).map(|_| self.uniform(0.5, 1.5)).collect();
            store.bias = (0..c).map(|_| self.uniform(-0.5, 0.5)).collect();
            store.mean = (0..c).map(|_| self.uniform(-0.5, 0.5)).collect();
            store.variance = (0..c).map(|_| self.uniform(0.5, 1.5)).collect();
        } else if op.weights(x) > 0 {
            let fan_in = (op.macs(x, y) / y.len() as u64) as f32;
            let most = if self.dyadic { 1.0 } else { 1.7 / fan_in.sqrt() };
            store.weights = (0..op.weights(x)).map(|_| self.uniform(-most, most)).collect();
            store.bias = (0..op.bias().len(y)).map(|_| self.uniform(-0.5, 0.5)).collect();
        }
        let name = format!("n{}", self.net.nodes.len());
        let meta = match op {
            Op::Reshape { .. } => self.net.tensors[inputs[0].at()].meta,
            _ => Real::default(),
        };
        self.net.push(&name, op, inputs, meta, store).expect("shapes meet")
    }
}

/// A 3x3 convolution with a border of 1.
pub(crate) fn conv(units: u16, groups: u16, span: u16, bias: Bias) -> Op {
    Op::Conv2d(Conv2d { units, window: Window::new(3, 3).padding(Padding::all(1)), groups, span, bias })
}

/// A 3x3 depthwise convolution with a border of 1.
pub(crate) fn depthwise(multiplier: u16, stride: u16, bias: Bias) -> Op {
    let window = Window::new(3, 3).stride(stride).padding(Padding::all(1));
    Op::DepthwiseConv2d(DepthwiseConv2d { multiplier, window, bias })
}

/// A dense layer.
pub(crate) fn dense(units: u16, bias: Bias) -> Op {
    Op::Dense(Dense { units, bias })
}

/// A window of a pool.
pub(crate) fn pool(size: u16, stride: u16, padding: u16) -> Pool2d {
    Pool2d { window: Window::new(size, size).stride(stride).padding(Padding::all(padding)) }
}

/// A net that holds every operator, most of them in a place where something can be folded and once more where not.
pub(crate) fn every_operator(seed: u64) -> Author {
    let mut a = Author::new(Shape::new(8, 8, 2), -1.0, seed);
    let input = a.net.input;
    let t = a.push(conv(6, 1, 2, Bias::None), &[input]);
    let t = a.push(Op::BatchNorm, &[t]);
    let stem = a.push(Op::Relu, &[t]);
    let side = a.push(depthwise(3, 1, Bias::Unit), &[input]);
    let side = a.push(Op::Tanh, &[side]);
    let t = a.push(conv(6, 3, 4, Bias::Unit), &[stem]);
    let t = a.push(Op::Add(Operands::Equal), &[stem, t]);
    let t = a.push(Op::BatchNorm, &[t]);
    let t = a.push(Op::Relu6, &[t]);
    let t = a.push(Op::Concat { axis: Axis::Channels }, &[t, side, stem]);
    let t = a.push(Op::ChannelShuffle { groups: 3 }, &[t]);
    let t = a.push(Op::MaxPool2d(pool(3, 2, 1)), &[t]);
    let t = a.push(Op::Relu, &[t]);
    let t = a.push(conv(8, 1, 18, Bias::Channel), &[t]);
    let t = a.push(Op::AvgPool2d(pool(3, 2, 1)), &[t]);
    let t = a.push(Op::Relu, &[t]);
    let both = a.push(conv(8, 2, 4, Bias::Channel), &[t]);
    let t = a.push(Op::Relu, &[both]);
    let t = a.push(Op::Add(Operands::Equal), &[both, t]);
    let t = a.push(Op::Reshape { shape: Shape::flat(32) }, &[t]);
    let t = a.push(dense(12, Bias::None), &[t]);
    let t = a.push(Op::BatchNorm, &[t]);
    let t = a.push(Op::Tanh, &[t]);
    let t = a.push(dense(7, Bias::Channel), &[t]);
    a.push(Op::Softmax, &[t]);
    a
}

/// A net of up to twelve operators drawn at random, each over any tensors made before.
pub(crate) fn random_net(seed: u64) -> Author {
    let mut a = Author::new(Shape::new(6, 6, 4), if seed.is_multiple_of(2) { -1.0 } else { 0.0 }, seed);
    let mut made = vec![a.net.input];
    while made.len() < 13 {
        let below = |a: &mut Author, n: usize| a.uniform(0.0, n as f32).min(n as f32 - 0.5) as usize;
        let any = |a: &mut Author| made[made.len() - 1 - below(a, 2) * below(a, made.len())];
        let (x, y) = (any(&mut a), any(&mut a));
        let c = a.net.shape(x).c;
        let bias = [Bias::None, Bias::Channel, Bias::Unit][below(&mut a, 3)];
        let (op, inputs) = match below(&mut a, 15) {
            0 => (conv(4, 2, (c / 2).max(1), bias), vec![x]),
            1 => (conv(5, 1, c, bias), vec![x]),
            2 => (depthwise(1, 1, bias), vec![x]),
            3 => (Op::MaxPool2d(pool(2, 1, 1)), vec![x]),
            4 => (Op::AvgPool2d(pool(2, 2, 0)), vec![x]),
            5 => (Op::Add(Operands::Equal), vec![x, y]),
            6 => (Op::Concat { axis: Axis::Channels }, vec![x, y, x]),
            7 => (Op::ChannelShuffle { groups: 2 }, vec![x]),
            8 | 9 => (Op::Relu, vec![x]),
            10 => (Op::Relu6, vec![x]),
            11 => (Op::Tanh, vec![x]),
            12 => (Op::Reshape { shape: Shape::new(1, 1, a.net.shape(x).len() as u16) }, vec![x]),
            13 if a.net.shape(x).len() < 200 => (dense(9, Bias::Channel), vec![x]),
            _ => (Op::BatchNorm, vec![x]),
        };
        let shapes: Vec<Shape> = inputs.iter().map(|&id| a.net.shape(id)).collect();
        if op.output(&shapes).is_ok_and(|shape| shape.c < 300) {
            made.push(a.push(op, &inputs));
        }
    }
    a
}
