//! Fewer or more channels: which of a float net's channels go together, and the net that has some of them dropped or
//! repeated.
//!
//! A channel of a tensor may be tied to channels of others: what a batch norm, a pool, a depthwise convolution or an
//! addition makes of it stays or goes with it. A set of tied channels is chosen as a whole. Sets that run through the
//! same tensors are the channels of one *layer*, and compete with each other.
//!
//! Dropping takes the channels of least magnitude (Li et al. 2017, arXiv 1608.08710). Repeating keeps the function
//! (Chen et al. 2016, arXiv 1511.05641): what reads a channel that is there `m` times weighs its copies with unequal
//! shares that sum to 1, so that they part in training.

use std::collections::BTreeMap;

use zipnet::ir::{Axis, Conv2d, Dense, DepthwiseConv2d, Float, FloatData, Op, Shape, TensorId};

use crate::graph::{FloatStore, Net, NetNode};
use crate::ties::{Channel, Ties};
use crate::{Error, Result};

/// Channels that stay or go together.
#[derive(Clone, Debug)]
struct Set {
    members: Vec<Channel>,
    /// Mean over the members that weights make, of their magnitude over that of their layer.
    magnitude: f64,
}

/// The channels of a layer.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    sets: Vec<Set>,
}

impl Layer {
    /// How many channels it has.
    pub(crate) fn channels(&self) -> usize {
        self.sets.len()
    }
}

/// The layers whose channels may go or be repeated, and for the other operators with weights, why not.
pub(crate) fn layers(net: &Net<Float>) -> (Vec<Layer>, Vec<(String, &'static str)>) {
    let mut ties = Ties::new(net);
    ties.block(net.input, "it is the net's input");
    ties.block(net.output, "it makes the net's output");
    for node in &net.nodes {
        take(&mut ties, net, node);
    }
    let mut sets: BTreeMap<usize, Vec<Channel>> = BTreeMap::new();
    for channel in ties.channels() {
        sets.entry(ties.root(channel)).or_default().push(channel);
    }
    let magnitudes = magnitudes(net);
    let mut layers: BTreeMap<Vec<usize>, Vec<Set>> = BTreeMap::new();
    let mut why = vec![None; net.tensors.len()];
    for members in sets.into_values() {
        let mut tensors: Vec<usize> = members.iter().map(|&(tensor, _)| tensor.at()).collect();
        tensors.dedup();
        let block = members.iter().find_map(|&channel| ties.blocked(channel));
        if let Some(reason) = block {
            tensors.iter().for_each(|&tensor| why[tensor] = Some(reason));
            continue;
        }
        let made: Vec<f64> =
            members.iter().filter_map(|&(t, c)| magnitudes[t.at()].get(c).copied()).collect();
        let magnitude = made.iter().sum::<f64>() / made.len().max(1) as f64;
        layers.entry(tensors).or_default().push(Set { members, magnitude });
    }
    let weighted = net.nodes.iter().filter(|node| node.op.weights(net.shape(node.inputs[0])) > 0);
    let kept =
        weighted.clone().filter_map(|node| Some((node.name.clone(), why[node.output.at()]?))).collect();
    (layers.into_values().map(|sets| Layer { sets }).collect(), kept)
}

/// The net with `counts[i]` channels in layer `i`: those of greatest magnitude where there are fewer than before, all of
/// them and the greatest more than once where there are more. Channels keep their order, copies lie side by side.
///
/// # Errors
/// Where a tensor would have more than 65,535 channels.
pub(crate) fn resize(net: &Net<Float>, layers: &[Layer], counts: &[usize]) -> Result<Net<Float>> {
    let mut copies: Vec<Vec<usize>> = net.tensors.iter().map(|t| vec![1; t.shape.c.into()]).collect();
    for (layer, &count) in layers.iter().zip(counts) {
        let mut order: Vec<&Set> = layer.sets.iter().collect();
        order.sort_by(|a, b| b.magnitude.total_cmp(&a.magnitude));
        for (rank, set) in order.iter().enumerate() {
            let (all, some) = (count / order.len(), count % order.len());
            for &(tensor, channel) in &set.members {
                copies[tensor.at()][channel] = all + usize::from(rank < some);
            }
        }
    }
    let chosen: Vec<Vec<(usize, f32)>> = copies.iter().map(|copies| chosen(copies)).collect();
    apply(net, &chosen)
}

/// Each channel as often as it is to be there, every copy with its share: 1 to `m` over their sum.
fn chosen(copies: &[usize]) -> Vec<(usize, f32)> {
    let of = |(channel, &m): (usize, &usize)| {
        (1..=m).map(move |copy| (channel, 2.0 * copy as f32 / (m * (m + 1)) as f32))
    };
    copies.iter().enumerate().flat_map(of).collect()
}

/// The net whose tensors have the channels chosen: for each, which of the old ones, and the share of it that whoever
/// sums over channels takes from this copy.
fn apply(net: &Net<Float>, chosen: &[Vec<(usize, f32)>]) -> Result<Net<Float>> {
    let mut made = Net::<Float>::new(&net.name, net.input_shape(), net.tensors[net.input.at()].meta);
    let mut ids = vec![made.input; net.tensors.len()];
    for node in &net.nodes {
        let (x, y) = (node.inputs[0], node.output);
        let (from, to) = (&chosen[x.at()], &chosen[y.at()]);
        let units = u16::try_from(to.len())
            .map_err(|_| Error::new(format!("layer {:?} would have {} channels", node.name, to.len())))?;
        let channels = usize::from(net.shape(x).c);
        let old = usize::from(net.shape(y).c);
        let store = &node.store;
        let per_channel = |values: &[f32]| -> Vec<f32> {
            values.chunks_exact(old).flat_map(|row| to.iter().map(|&(c, _)| row[c])).collect()
        };
        let mut op = node.op;
        let weights = if let Op::Conv2d(conv) = &mut op {
            if conv.groups == 1 {
                (conv.units, conv.span) = (units, from.len() as u16); // checked where the input was made
                mixed(&store.weights, channels, old, from, to)
            } else {
                store.weights.clone()
            }
        } else if let Op::Dense(dense) = &mut op {
            dense.units = units;
            mixed(&store.weights, channels, old, from, to)
        } else if let Op::Reshape { shape } = &mut op {
            *shape = Shape { c: units, ..*shape };
            Vec::new()
        } else {
            per_channel(&store.weights)
        };
        let new = FloatStore {
            weights,
            bias: per_channel(&store.bias),
            mean: per_channel(&store.mean),
            variance: per_channel(&store.variance),
        };
        let inputs: Vec<TensorId> = node.inputs.iter().map(|id| ids[id.at()]).collect();
        ids[y.at()] = made.push(&node.name, op, &inputs, net.tensors[y.at()].meta, new)?;
    }
    made.output = ids[net.output.at()];
    made.check(0)?;
    Ok(made)
}

/// Weights `[units][…][channels]` of the units and channels chosen.
fn mixed(
    weights: &[f32],
    channels: usize,
    units: usize,
    from: &[(usize, f32)],
    to: &[(usize, f32)],
) -> Vec<f32> {
    let each = weights.len() / units;
    let unit = |&(unit, _): &(usize, f32)| {
        let taps = weights[unit * each..][..each].chunks_exact(channels);
        taps.flat_map(|tap| from.iter().map(|&(c, share)| tap[c] * share)).collect::<Vec<f32>>()
    };
    to.iter().flat_map(unit).collect()
}

/// For each tensor that weights make, the magnitude of each channel over the layer's: the root of the sum of its squared
/// weights, times what a batch norm that alone reads it makes of that.
fn magnitudes(net: &Net<Float>) -> Vec<Vec<f64>> {
    let mut magnitudes = vec![Vec::new(); net.tensors.len()];
    for node in &net.nodes {
        let units = usize::from(net.shape(node.output).c);
        if !matches!(node.op, Op::Conv2d(_) | Op::Dense(_)) {
            continue;
        }
        let each = node.store.weights.len() / units;
        let square = |unit: &[f32]| unit.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>();
        let mut norms: Vec<f64> = node.store.weights.chunks_exact(each).map(|u| square(u).sqrt()).collect();
        let readers: Vec<usize> = net.readers(node.output).collect();
        if let [one] = readers[..]
            && matches!(net.nodes[one].op, Op::BatchNorm)
        {
            let store = &net.nodes[one].store;
            for (norm, (&gamma, &variance)) in norms.iter_mut().zip(store.weights.iter().zip(&store.variance))
            {
                *norm *= f64::from(gamma.abs()) / f64::from(variance + FloatData::EPSILON).sqrt();
            }
        }
        let mean = (norms.iter().map(|norm| norm * norm).sum::<f64>() / units as f64).sqrt();
        norms.iter_mut().for_each(|norm| *norm /= mean.max(f64::MIN_POSITIVE));
        magnitudes[node.output.at()] = norms;
    }
    magnitudes
}

/// What an operator ties or blocks.
fn take(ties: &mut Ties, net: &Net<Float>, node: &NetNode<Float>) {
    let (x, y) = (node.inputs[0], node.output);
    let made = usize::from(net.shape(y).c);
    match &node.op {
        Op::Conv2d(Conv2d { groups: 1, .. }) | Op::Dense(Dense { .. }) => {}
        Op::DepthwiseConv2d(DepthwiseConv2d { multiplier: 1, .. })
        | Op::MaxPool2d(_)
        | Op::AvgPool2d(_)
        | Op::Relu
        | Op::Relu6
        | Op::Tanh
        | Op::BatchNorm => (0..made).for_each(|c| ties.tie((x, c), (y, c))),
        Op::Add(_) => {
            for &x in &node.inputs {
                (0..made).for_each(|c| ties.tie((x, c), (y, c)));
            }
        }
        Op::Concat { axis: Axis::Channels } => {
            let mut at = 0;
            for &x in &node.inputs {
                let channels = usize::from(net.shape(x).c);
                (0..channels).for_each(|c| ties.tie((x, c), (y, at + c)));
                at += channels;
            }
        }
        Op::Reshape { .. } if net.shape(x).c == net.shape(y).c => {
            (0..made).for_each(|c| ties.tie((x, c), (y, c)));
        }
        Op::Conv2d(_) | Op::ChannelShuffle { .. } => ties.hold(node, "its channels lie in groups"),
        Op::DepthwiseConv2d(_) => ties.hold(node, "a depthwise convolution multiplies its channels"),
        Op::Softmax => ties.hold(node, "a softmax is taken over them"),
        Op::Concat { .. } | Op::Reshape { .. } => ties.hold(node, "its channels are rearranged"),
        Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => ties.hold(node, NO_FLOAT),
        Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Requantize => {
            ties.hold(node, NO_FLOAT);
        }
        Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => {
            ties.hold(node, NO_FLOAT);
        }
    }
}

const NO_FLOAT: &str = "an operator without a float form reads it";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::build;
    use crate::float::Executor;
    use crate::float::zoo;
    use crate::recipe::Recipe;

    fn shipped(name: &str) -> Net<Float> {
        let recipe = Recipe::load(name).expect("shipped");
        let shape = if name == "digits" { Shape::new(16, 16, 1) } else { Shape::new(28, 28, 1) };
        let mut net = build(&recipe, shape, 10, 4).expect("builds").net;
        // Numbers as after training, so that every part of a store counts.
        for (i, node) in net.nodes.iter_mut().enumerate() {
            let FloatStore { bias, mean, variance, .. } = &mut node.store;
            let noise = zoo::noise(i as u64, bias.len());
            bias.iter_mut().zip(&noise).for_each(|(b, n)| *b = 0.2 * n);
            mean.iter_mut().zip(&noise).for_each(|(m, n)| *m = 0.3 * n);
            variance.iter_mut().zip(&noise).for_each(|(v, n)| *v = 1.0 + 0.5 * n);
        }
        net
    }

    fn outputs(net: &Net<Float>) -> Vec<f32> {
        let inputs = zoo::noise(8, 5 * net.input_shape().len());
        let mut outputs = Vec::new();
        Executor::new(net, 1).forward(&inputs, &mut outputs);
        outputs
    }

    #[test]
    fn repeated_channels_keep_the_function() {
        for name in ["plain-28", "separable-28", "residual-28", "shuffle-28"] {
            let net = shipped(name);
            let (layers, _) = layers(&net);
            let counts: Vec<usize> = layers.iter().map(|l| l.channels() * 5 / 2).collect();
            let wide = resize(&net, &layers, &counts).expect("widens");
            assert!(wide.macs() > 2 * net.macs() || name == "shuffle-28", "{name}");
            assert_eq!(wide.output_shape(), net.output_shape());
            for (a, b) in outputs(&net).iter().zip(outputs(&wide)) {
                assert!((a - b).abs() < 1e-4 * (1.0 + a.abs()), "{name}: {a} {b}");
            }
        }
    }

    #[test]
    fn channels_that_count_for_nothing_go_first() {
        for name in ["plain-28", "residual-28", "separable-28"] {
            let mut net = shipped(name);
            let (all, kept) = layers(&net);
            assert!(all.len() >= 4, "{name}: {all:?}");
            assert!(kept.iter().any(|(layer, why)| layer == "out" && why.contains("output")), "{kept:?}");
            // Every other set of channels is made of nothing, and batch norms make nothing of it.
            for layer in &all {
                for set in layer.sets.iter().step_by(2) {
                    for &(tensor, channel) in &set.members {
                        let at = net.producer(tensor).expect("not the input");
                        let units = usize::from(net.shape(tensor).c);
                        let node = &mut net.nodes[at];
                        if let Op::Conv2d(_) = node.op {
                            let each = node.store.weights.len() / units;
                            node.store.weights[channel * each..][..each].fill(0.0);
                        } else if let Op::BatchNorm = node.op {
                            node.store.weights[channel] = 0.0;
                            node.store.bias[channel] = 0.0;
                        }
                    }
                }
            }
            let (all, _) = layers(&net);
            let counts: Vec<usize> = all.iter().map(|l| l.channels() / 2).collect();
            let small = resize(&net, &all, &counts).expect("shrinks");
            assert!(small.params() < net.params() / 2 && small.macs() < net.macs() / 2, "{name}");
            for (a, b) in outputs(&net).iter().zip(outputs(&small)) {
                assert!((a - b).abs() < 1e-4 * (1.0 + a.abs()), "{name}: {a} {b}");
            }
        }
    }

    #[test]
    fn what_lies_in_groups_stays_and_says_so() {
        let (all, kept) = layers(&shipped("digits"));
        assert!(kept.iter().any(|(layer, why)| layer == "h2" && why.contains("groups")), "{kept:?}");
        assert!(kept.iter().any(|(layer, why)| layer == "h1" && why.contains("groups")), "h2 reads it");
        assert_eq!(all.iter().map(Layer::channels).collect::<Vec<_>>(), [30], "h3 alone");
    }
}
