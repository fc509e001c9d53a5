//! The nets that are timed.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use train_host::build::build;
use train_host::data::Dataset;
use train_host::eval::quantise_input;
use train_host::export::{Aligned, for_host};
use train_host::float::{Executor, LANES};
use train_host::graph::{FloatStore, Net, show};
use train_host::quantise::{Quantised, quantise};
use train_host::recipe::{Quantise, Recipe, SHIPPED};
use train_host::{Error, Result};
use zipnet::ir::{
    Axis, Bias, Conv2d, Dense, DepthwiseConv2d, Float, Int, Op, Operands, Padding, Pool2d, Real, Shape,
    TensorId, Window,
};
use zipnet::{Cpu, Runner};

/// The engines to time: what results are called, the instruction set, and the net as it is run there. The portable
/// kernels get it in plain order, the others as this host packs it.
///
/// # Errors
/// When the net cannot be planned.
pub fn engines(case: &Case) -> Result<Vec<(String, Cpu, Aligned)>> {
    let all = Cpu::all().map(|cpu| {
        let plain = cpu.name() == "scalar";
        let net = if plain { Aligned::new(case.int8.clone()) } else { for_host(&case.int8)? };
        Ok((format!("int8-{}", cpu.name().replace(' ', "-")), cpu, net))
    });
    all.collect()
}

use crate::tiny;

/// Seeds weights and noise.
const SEED: u64 = 1989;

/// The least ratio of signal to quantisation noise of a net that is timed, in decibels. Weights and activations
/// of 8 bits leave well over 30 after one operator; a kernel that computed something else would leave none.
const LEAST_SQNR: f64 = 15.0;

/// A net in both number formats, and a group of samples for it.
pub struct Case {
    /// Of an operator `operator/shape`, of a model the name of its recipe.
    pub name: String,
    /// The float net that the int8 net stands for: batch norms folded, origin 0.
    pub float: Net<Float>,
    /// The int8 net.
    pub int8: Net<Int>,
    /// [`LANES`] inputs of the float net, back to back.
    pub samples: Vec<f32>,
    /// The same inputs for the int8 net.
    pub codes: Vec<i8>,
}

impl Case {
    /// Quantises `net`, calibrated on `samples` (normalised, back to back), and keeps the first [`LANES`] of them.
    ///
    /// # Errors
    /// Where the net cannot be quantised, there are too few samples, or the int8 net does not compute what the
    /// float net does.
    pub fn new(name: &str, net: &Net<Float>, samples: &[f32]) -> Result<Self> {
        let origin = net.tensors[net.input.at()].meta.origin;
        let len = net.input_shape().len();
        if samples.len() < LANES * len {
            return Err(Error::new(format!("{name}: fewer than {LANES} samples")));
        }
        let Quantised { net: int8, folded: float, .. } = quantise(net, &Quantise::default(), samples, 1)?;
        let samples = &samples[..LANES * len];
        let codes = quantise_input(&int8, origin, samples);
        let samples = samples.iter().map(|x| x - origin).collect();
        let case = Self { name: name.to_owned(), float, int8, samples, codes };
        let sqnr = case.sqnr_db()?;
        if sqnr.is_nan() || sqnr < LEAST_SQNR {
            return Err(Error::new(format!("{name}: int8 differs from float, signal to noise {sqnr:.1} dB")));
        }
        Ok(case)
    }

    /// The first `count` inputs of the float net, at most [`LANES`].
    pub fn samples(&self, count: usize) -> &[f32] {
        &self.samples[..count * self.float.input_shape().len()]
    }

    /// The same inputs for the int8 net.
    pub fn codes(&self, count: usize) -> &[i8] {
        &self.codes[..count * self.int8.input_shape().len()]
    }

    /// What the throughput counts: multiplications by a weight of one sample; of a net without weights, the
    /// elements that its operators read.
    pub fn work(&self) -> u64 {
        let reads = |net: &Net<Float>| -> usize {
            net.nodes.iter().flat_map(|node| &node.inputs).map(|&id| net.shape(id).len()).sum()
        };
        match self.float.macs() {
            0 => reads(&self.float) as u64,
            macs => macs,
        }
    }

    /// The float net's outputs for [`Case::samples`], from the trainer's engine.
    pub fn outputs(&self) -> Vec<f32> {
        let mut outputs = Vec::new();
        Executor::new(&self.float, 1).forward(&self.samples, &mut outputs);
        outputs
    }

    /// Signal to quantisation noise over all outputs of all samples, in decibels.
    fn sqnr_db(&self) -> Result<f64> {
        let outputs = self.outputs();
        let output = self.int8.tensors[self.int8.output.at()].meta;
        let (size, made) = (self.int8.input_shape().len(), self.int8.output_shape().len());
        let (mut signal, mut noise) = (0.0, 0.0);
        self.int8.with(|graph| {
            let runner = Runner::new(graph).map_err(|(_, fault)| Error::new(fault))?;
            let (mut arena, mut codes) = (vec![0; runner.arena_len()], vec![0; made]);
            for (input, want) in self.codes.chunks(size).zip(outputs.chunks(made)) {
                runner.run(&mut arena, input, &mut codes).map_err(Error::new)?;
                for (&code, &want) in codes.iter().zip(want) {
                    let got = output.scale * (f32::from(code) - f32::from(output.zero));
                    signal += f64::from(want).powi(2);
                    noise += f64::from(got - want).powi(2);
                }
            }
            Ok(10.0 * (signal / noise).log10())
        })
    }
}

/// Every int8 operator, at shapes of the 1989 net and of the nets that MLPerf Tiny takes for keyword spotting,
/// image classification and anomaly detection, with weights and inputs from -1 to 1.
///
/// An addition has one tensor for both operands and a concatenation one for both parts, for a net has one input. A
/// reshape moves nothing: what it takes is a call of the engine, with input and output copied.
///
/// # Errors
/// When an operator cannot be quantised.
pub fn operators() -> Result<Vec<Case>> {
    let grey = Shape::new(16, 16, 1);
    let planes = Shape::new(8, 8, 12);
    let sound = Shape::new(25, 5, 64);
    let image = Shape::new(32, 32, 16);
    let five = Window::new(5, 5).stride(2).padding(Padding::all(2));
    let three = Window::new(3, 3).padding(Padding::all(1));
    let conv = |units, window, groups, span, bias| Op::Conv2d(Conv2d { units, window, groups, span, bias });
    let depthwise =
        |window| Op::DepthwiseConv2d(DepthwiseConv2d { multiplier: 1, window, bias: Bias::Channel });
    let dense = |units| Op::Dense(Dense { units, bias: Bias::Channel });
    let pool = |window| Pool2d { window };
    let cases = [
        (grey, conv(12, five, 1, 1, Bias::Unit)),
        (planes, conv(12, five, 3, 8, Bias::Unit)),
        (Shape::flat(192), dense(30)),
        (Shape::flat(30), dense(10)),
        (Shape::flat(640), dense(128)),
        (Shape::new(49, 10, 1), conv(64, Window::new(10, 4).stride(2).same(49, 10), 1, 1, Bias::Channel)),
        (Shape::new(32, 32, 3), conv(16, three, 1, 3, Bias::Channel)),
        (image, conv(16, three, 1, 16, Bias::Channel)),
        (sound, conv(64, Window::new(1, 1), 1, 64, Bias::Channel)),
        (sound, conv(64, Window::new(1, 1), 4, 16, Bias::Channel)),
        (sound, depthwise(three)),
        (image, depthwise(three.stride(2))),
        (image, Op::MaxPool2d(pool(Window::new(2, 2).stride(2)))),
        (sound, Op::AvgPool2d(pool(Window::new(25, 5)))),
        (image, Op::Add(Operands::Equal)),
        (image, Op::Concat { axis: Axis::Channels }),
        (sound, Op::ChannelShuffle { groups: 4 }),
        (image, Op::Relu),
        (image, Op::Relu6),
        (image, Op::Tanh),
        (Shape::flat(10), Op::Softmax),
        (sound, Op::Reshape { shape: Shape::flat(8000) }),
    ];
    cases.into_iter().map(|(shape, op)| operator(shape, op)).collect()
}

/// A net of one operator.
fn operator(shape: Shape, op: Op) -> Result<Case> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let inputs: &[TensorId] = match op {
        Op::Add(_) | Op::Concat { .. } => &[TensorId(0), TensorId(0)],
        _ => &[TensorId(0)],
    };
    let mut net = Net::new(op.name(), shape, Real::default());
    let output = net.push(op.name(), op, inputs, Real::default(), FloatStore::default())?;
    let made = net.shape(output);
    net.nodes[0].store = FloatStore {
        weights: noise(op.weights(shape), &mut rng),
        bias: noise(op.bias().len(made), &mut rng),
        ..FloatStore::default()
    };
    net.check(0)?;
    let name = format!("{}/{}", op.name(), describe(op, shape, made));
    Case::new(&name, &net, &noise(LANES * shape.len(), &mut rng))
}

/// Input, window with stride and groups where they are not 1, output: `8x8x12-5x5s2g3-4x4x12`.
fn describe(op: Op, x: Shape, y: Shape) -> String {
    let (window, groups) = match op {
        Op::Conv2d(conv) => (Some(conv.window), conv.groups),
        Op::DepthwiseConv2d(conv) => (Some(conv.window), 1),
        Op::MaxPool2d(pool) | Op::AvgPool2d(pool) => (Some(pool.window), 1),
        Op::ChannelShuffle { groups } => (None, groups),
        Op::Dense(_) | Op::Add(_) | Op::Concat { .. } | Op::Relu | Op::Relu6 | Op::Tanh | Op::Softmax => {
            (None, 1)
        }
        Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => (None, 1),
        Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Requantize => (None, 1),
        Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => (None, 1),
        Op::Reshape { .. } | Op::BatchNorm => (None, 1),
    };
    let mut how = String::new();
    if let Some(Window { kernel: [h, w], stride: [s, _], .. }) = window {
        how = format!("-{h}x{w}");
        if s > 1 {
            how = format!("{how}s{s}");
        }
    }
    if groups > 1 {
        how = if how.is_empty() { format!("-g{groups}") } else { format!("{how}g{groups}") };
    }
    format!("{}{how}-{}", show(x), show(y))
}

/// The net of every shipped recipe over images of a known shape, with fresh weights, on which speed does not depend;
/// calibrated on the digits where they have that shape, on noise where not. Then those of MLPerf Tiny.
///
/// # Errors
/// When a net cannot be quantised.
pub fn models() -> Result<Vec<Case>> {
    let digits = Dataset::load("digits")?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut cases = Vec::new();
    for (name, _) in SHIPPED {
        let recipe = Recipe::load(name)?;
        let (side, samples) = match recipe.data.as_str() {
            "digits" => (16, digits.normalised(&digits.test)),
            "mnist" | "fashion-mnist" => (28, noise(8 * LANES * 28 * 28, &mut rng)),
            _ => continue,
        };
        let net = build(&recipe, Shape::new(side, side, 1), 10, SEED)?.net;
        cases.push(Case::new(&recipe.name, &net, &samples)?);
    }
    for (name, net) in tiny::nets()? {
        let samples = noise(4 * LANES * net.input_shape().len(), &mut rng);
        cases.push(Case::new(name, &net, &samples)?);
    }
    Ok(cases)
}

/// Uniform from -1 to below 1.
pub(crate) fn noise(count: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<f32> {
    (0..count).map(|_| (rng.next_u64() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
}
