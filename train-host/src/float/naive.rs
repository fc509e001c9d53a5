//! The oracle of tests: every operator as its definition says, one sample and one number at a time, in f64.

use zipnet::ir::{Bias, Float, Op, Shape, TensorId, Window};

use crate::graph::Net;

/// Weights and biases of a node in f64, and what a batch norm uses in place of batch statistics.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    pub(crate) weights: Vec<f64>,
    pub(crate) bias: Vec<f64>,
    pub(crate) running: Option<(Vec<f64>, Vec<f64>)>,
}

/// A net with numbers in f64.
#[derive(Clone, Debug)]
pub(crate) struct Naive<'a> {
    pub(crate) net: &'a Net<Float>,
    pub(crate) nodes: Vec<Numbers>,
    /// Factors of a tensor's elements, `[sample][element]`: what dropout does.
    pub(crate) factors: Vec<(TensorId, Vec<Vec<f64>>)>,
}

impl<'a> Naive<'a> {
    /// With batch statistics where `training`, else running ones.
    pub(crate) fn new(net: &'a Net<Float>, training: bool) -> Self {
        let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
        let nodes = net.nodes.iter().map(|node| Numbers {
            weights: wide(&node.store.weights),
            bias: wide(&node.store.bias),
            running: (!training).then(|| (wide(&node.store.mean), wide(&node.store.variance))),
        });
        Self { net, nodes: nodes.collect(), factors: Vec::new() }
    }

    /// Every tensor of every sample: `[tensor][sample][element]`.
    pub(crate) fn run(&self, inputs: &[Vec<f64>]) -> Vec<Vec<Vec<f64>>> {
        let mut tensors = vec![Vec::new(); self.net.tensors.len()];
        tensors[self.net.input.at()] = self.dropped(self.net.input, inputs.to_vec());
        for (node, numbers) in self.net.nodes.iter().zip(&self.nodes) {
            let shapes: Vec<Shape> = node.inputs.iter().map(|&id| self.net.shape(id)).collect();
            let origin = f64::from(self.net.tensors[node.inputs[0].at()].meta.origin);
            let y = self.net.shape(node.output);
            let made = if matches!(node.op, Op::BatchNorm) {
                batch_norm(&tensors[node.inputs[0].at()], numbers, y)
            } else {
                (0..inputs.len())
                    .map(|s| {
                        let x: Vec<&[f64]> = node.inputs.iter().map(|id| &tensors[id.at()][s][..]).collect();
                        operator(&node.op, &x, &shapes, y, numbers, origin)
                    })
                    .collect()
            };
            tensors[node.output.at()] = self.dropped(node.output, made);
        }
        tensors
    }

    fn dropped(&self, id: TensorId, mut made: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        for (_, factors) in self.factors.iter().filter(|(tensor, _)| *tensor == id) {
            for (sample, factors) in made.iter_mut().zip(factors) {
                sample.iter_mut().zip(factors).for_each(|(x, f)| *x *= f);
            }
        }
        made
    }
}

/// Row and column of a tap, unless it is border.
fn place(window: &Window, x: Shape, [oy, ox]: [usize; 2], [ky, kx]: [usize; 2]) -> Option<usize> {
    let at = |o: usize, k: usize, axis: usize, before: u16, n: u16| {
        let i = o * usize::from(window.stride[axis]) + k * usize::from(window.dilation[axis]);
        i.checked_sub(before.into()).filter(|&i| i < n.into())
    };
    let row = at(oy, ky, 0, window.padding.top, x.h)?;
    let column = at(ox, kx, 1, window.padding.left, x.w)?;
    Some(row * usize::from(x.w) + column)
}

fn taps(window: &Window) -> impl Iterator<Item = [usize; 2]> + use<> {
    let [h, w] = window.kernel.map(usize::from);
    (0..h).flat_map(move |ky| (0..w).map(move |kx| [ky, kx]))
}

/// What an operator makes of one sample.
pub(crate) fn operator(
    op: &Op,
    inputs: &[&[f64]],
    shapes: &[Shape],
    y: Shape,
    n: &Numbers,
    origin: f64,
) -> Vec<f64> {
    let (x, shape) = (inputs[0], shapes[0]);
    let (channels, units) = (usize::from(shape.c), usize::from(y.c));
    let elements = (0..y.len()).map(|i| (i / units, i % units));
    let pixel = |p: usize| [p / usize::from(y.w), p % usize::from(y.w)];
    let bias = |kind: Bias, p: usize, u: usize| match kind {
        Bias::None => 0.0,
        Bias::Channel => n.bias[u],
        Bias::Unit => n.bias[p * units + u],
    };
    let each = |f: &dyn Fn(f64) -> f64| x.iter().map(|&x| f(x)).collect();
    match op {
        Op::Conv2d(conv) => elements
            .map(|(p, u)| {
                let (groups, span) = (usize::from(conv.groups), usize::from(conv.span));
                let first = u / (units / groups) * (channels / groups);
                let mut sum = bias(conv.bias, p, u);
                for (tap, place) in
                    taps(&conv.window).map(|t| place(&conv.window, shape, pixel(p), t)).enumerate()
                {
                    for k in 0..span {
                        let x = place.map_or(origin, |at| x[at * channels + (first + k) % channels]);
                        sum += n.weights[(u * conv.window.taps() + tap) * span + k] * x;
                    }
                }
                sum
            })
            .collect(),
        Op::DepthwiseConv2d(conv) => elements
            .map(|(p, u)| {
                let mut sum = bias(conv.bias, p, u);
                for (tap, place) in
                    taps(&conv.window).map(|t| place(&conv.window, shape, pixel(p), t)).enumerate()
                {
                    let c = u / usize::from(conv.multiplier);
                    sum += n.weights[tap * units + u] * place.map_or(origin, |at| x[at * channels + c]);
                }
                sum
            })
            .collect(),
        Op::Dense(dense) => (0..units)
            .map(|u| {
                let row = &n.weights[u * x.len()..][..x.len()];
                bias(dense.bias, 0, u) + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()
            })
            .collect(),
        Op::MaxPool2d(pool) | Op::AvgPool2d(pool) => elements
            .map(|(p, u)| {
                let seen: Vec<f64> = taps(&pool.window)
                    .filter_map(|t| place(&pool.window, shape, pixel(p), t))
                    .map(|at| x[at * channels + u])
                    .collect();
                if matches!(op, Op::MaxPool2d(_)) {
                    seen.iter().copied().fold(f64::NEG_INFINITY, f64::max)
                } else {
                    seen.iter().sum::<f64>() / seen.len() as f64
                }
            })
            .collect(),
        Op::Add(_) => x.iter().zip(inputs[1]).map(|(a, b)| a + b).collect(),
        Op::Concat { .. } => (0..y.len() / units)
            .flat_map(|p| {
                let part = |(x, s): (&&[f64], &Shape)| {
                    let c = usize::from(s.c);
                    x[p * c..(p + 1) * c].to_vec()
                };
                inputs.iter().zip(shapes).flat_map(part).collect::<Vec<f64>>()
            })
            .collect(),
        Op::ChannelShuffle { groups } => {
            let groups = usize::from(*groups);
            elements.map(|(p, u)| x[p * units + u % groups * (units / groups) + u / groups]).collect()
        }
        Op::Relu => each(&|x| x.max(0.0)),
        Op::Relu6 => each(&|x| x.clamp(0.0, 6.0)),
        Op::Tanh => each(&libm::tanh),
        Op::Softmax => x
            .chunks(channels)
            .flat_map(|x| {
                let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = x.iter().map(|x| libm::exp(x - most)).sum();
                x.iter().map(|x| libm::exp(x - most) / sum).collect::<Vec<f64>>()
            })
            .collect(),
        Op::Reshape { .. } => x.to_vec(),
        Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => unreachable!("has no float form"),
        Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Requantize => {
            unreachable!("has no float form")
        }
        Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => {
            unreachable!("has no float form")
        }
        Op::BatchNorm => unreachable!("needs the whole batch"),
    }
}

fn batch_norm(x: &[Vec<f64>], n: &Numbers, shape: Shape) -> Vec<Vec<f64>> {
    let channels = usize::from(shape.c);
    let (mean, variance) = n.running.clone().unwrap_or_else(|| {
        let of = |c: usize| {
            let all: Vec<f64> = x.iter().flat_map(|x| x.iter().skip(c).step_by(channels).copied()).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            (mean, all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64)
        };
        (0..channels).map(of).unzip()
    });
    let one = |(i, x): (usize, &f64)| {
        let c = i % channels;
        let epsilon = f64::from(zipnet::ir::FloatData::EPSILON);
        n.weights[c] * (x - mean[c]) / (variance[c] + epsilon).sqrt() + n.bias[c]
    };
    x.iter().map(|x| x.iter().enumerate().map(one).collect()).collect()
}
