//! From a recipe's layers to a float net with fresh weights.

use std::collections::HashMap;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use zipnet::ir::{
    Axis, Conv2d, Dense, DepthwiseConv2d, Float, Op, Operands, Pool2d, Real, Shape, TensorId, Window,
};

use crate::graph::{FloatStore, Net, show};
use crate::recipe::{Border, BorderName, Init, Kind, Layer, Pair, Recipe};
use crate::{Error, Result};

/// A float net as training needs it.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// The net, its weights fresh.
    pub net: Net<Float>,
    /// While training, each of these tensors loses elements with this probability, the rest scaled up.
    pub dropout: Vec<(TensorId, f32)>,
}

/// Builds the net of a recipe over inputs of `input`, with weights drawn from `seed`.
///
/// # Errors
/// Names the layer whose shapes do not meet, or whose `from` is unknown.
pub fn build(recipe: &Recipe, input: Shape, classes: usize, seed: u64) -> Result<Blueprint> {
    let mut net: Net<Float> = Net::new(&recipe.name, input, Real { origin: -1.0 });
    let mut names = HashMap::from([("input".to_owned(), net.input)]);
    let mut dropout = Vec::new();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    for (i, layer) in recipe.layers.iter().enumerate() {
        let name = layer.name_at(i);
        let inputs = sources(layer, &name, &names, net.output)?;
        let x = net.shape(inputs[0]);
        let output = match layer.kind.op(x) {
            Some(op) => {
                let meta = if matches!(op, Op::Reshape { .. }) {
                    net.tensors[inputs[0].at()].meta
                } else {
                    Real::default()
                };
                let output = net.push(&name, op, &inputs, meta, FloatStore::default())?;
                let made = net.shape(output);
                if let Some(node) = net.nodes.last_mut() {
                    node.store = fresh(op, x, made, recipe.train.init, &mut rng);
                }
                output
            }
            None => {
                if let Kind::Dropout { rate } = layer.kind {
                    dropout.push((inputs[0], rate));
                }
                inputs[0]
            }
        };
        if names.insert(name.clone(), output).is_some() {
            return Err(Error::new(format!("two layers are called {name:?}")));
        }
    }
    let made = net.output_shape();
    if made.len() != classes {
        return Err(Error::new(format!(
            "the last layer gives {} outputs; the data has {classes} classes",
            show(made)
        )));
    }
    net.check(0)?;
    Ok(Blueprint { net, dropout })
}

fn sources(
    layer: &Layer,
    name: &str,
    names: &HashMap<String, TensorId>,
    before: TensorId,
) -> Result<Vec<TensorId>> {
    if layer.from.is_empty() {
        return Ok(vec![before]);
    }
    let find = |from: &String| {
        names.get(from).copied().ok_or_else(|| {
            Error::new(format!("layer {name:?} reads {from:?}, which no layer before it is called"))
        })
    };
    layer.from.iter().map(find).collect()
}

/// Weights as `init` says, biases 0, batch norms that change nothing.
pub(crate) fn fresh(op: Op, x: Shape, y: Shape, init: Init, rng: &mut Xoshiro256PlusPlus) -> FloatStore {
    if matches!(op, Op::BatchNorm) {
        let c = x.c as usize;
        return FloatStore {
            weights: vec![1.0; c],
            bias: vec![0.0; c],
            mean: vec![0.0; c],
            variance: vec![1.0; c],
        };
    }
    let fan_in = op.weights(x) / y.c as usize;
    let root = (fan_in as f64).sqrt();
    let draw = |rng: &mut Xoshiro256PlusPlus| match init {
        Init::FanIn => (2.0 * unit(rng) - 1.0) * 2.4 / root,
        Init::He => {
            // Box and Muller: two uniform numbers make a normal one.
            let radius = libm::sqrt(-2.0 * libm::log(1.0 - unit(rng)));
            radius * libm::cos(std::f64::consts::TAU * unit(rng)) * std::f64::consts::SQRT_2 / root
        }
    };
    FloatStore {
        weights: (0..op.weights(x)).map(|_| draw(rng) as f32).collect(),
        bias: vec![0.0; op.bias().len(y)],
        ..FloatStore::default()
    }
}

/// Uniform from 0 to below 1.
fn unit(rng: &mut Xoshiro256PlusPlus) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

impl Layer {
    /// What the layer is called that stands at place `i` of its recipe.
    pub(crate) fn name_at(&self, i: usize) -> String {
        self.name.clone().unwrap_or_else(|| format!("{}_{}", i + 1, self.kind.name()))
    }
}

impl Kind {
    /// The operator over an input of `x`; `None` for what exists only while training.
    fn op(&self, x: Shape) -> Option<Op> {
        Some(match self {
            Kind::Conv2d { units, kernel, stride, dilation, padding, groups, span, bias, bits: _ } => {
                Op::Conv2d(Conv2d {
                    units: *units,
                    window: window(*kernel, *stride, *dilation, padding, x),
                    groups: *groups,
                    span: span.unwrap_or(x.c.checked_div(*groups).unwrap_or(0)),
                    bias: *bias,
                })
            }
            Kind::DepthwiseConv2d { multiplier, kernel, stride, dilation, padding, bias, bits: _ } => {
                Op::DepthwiseConv2d(DepthwiseConv2d {
                    multiplier: *multiplier,
                    window: window(*kernel, *stride, *dilation, padding, x),
                    bias: *bias,
                })
            }
            Kind::Dense { units, bias, bits: _ } => Op::Dense(Dense { units: *units, bias: *bias }),
            Kind::MaxPool2d { kernel, stride, padding } => Op::MaxPool2d(pool(*kernel, *stride, padding, x)),
            Kind::AvgPool2d { kernel, stride, padding } => Op::AvgPool2d(pool(*kernel, *stride, padding, x)),
            Kind::Add {} => Op::Add(Operands::Equal),
            Kind::Concat {} => Op::Concat { axis: Axis::Channels },
            Kind::ChannelShuffle { groups } => Op::ChannelShuffle { groups: *groups },
            Kind::Relu {} => Op::Relu,
            Kind::Relu6 {} => Op::Relu6,
            Kind::Tanh {} => Op::Tanh,
            Kind::Softmax {} => Op::Softmax,
            Kind::Reshape { shape: [h, w, c] } => Op::Reshape { shape: Shape::new(*h, *w, *c) },
            Kind::BatchNorm {} => Op::BatchNorm,
            Kind::Dropout { .. } => return None,
        })
    }

    fn name(&self) -> &'static str {
        self.op(Shape::flat(1)).map_or("dropout", |op| op.name())
    }
}

fn window(kernel: Pair, stride: Pair, dilation: Pair, border: &Border, x: Shape) -> Window {
    let [h, w] = kernel.each();
    let window = Window { stride: stride.each(), dilation: dilation.each(), ..Window::new(h, w) };
    match *border {
        Border::All(n) => window.padding(zipnet::ir::Padding::all(n)),
        Border::Sides([top, bottom, left, right]) => {
            window.padding(zipnet::ir::Padding { top, bottom, left, right })
        }
        Border::Named(BorderName::Same) => window.same(x.h, x.w),
        Border::Named(BorderName::Valid) => window,
    }
}

fn pool(kernel: Option<Pair>, stride: Option<Pair>, border: &Border, x: Shape) -> Pool2d {
    let kernel = kernel.unwrap_or(Pair::Each([x.h, x.w]));
    Pool2d { window: window(kernel, stride.unwrap_or(kernel), Pair::Both(1), border, x) }
}
