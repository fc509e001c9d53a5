//! Channel shuffles that cost nothing: taken over by the order in which the convolution before writes its channels.
//!
//! A whole convolution (one group) and a dense layer may write their channels in any order: their weights and biases are
//! rearranged, and what a shuffle would have done is done. Pools, activations and depthwise convolutions in between
//! treat channels alike, the last with their weights rearranged too. A grouped convolution cannot, for its channels must
//! lie group by group; a shuffle after one stays a pass over its bytes.

use zipnet::ir::{Float, Op, TensorId};

use crate::graph::{Net, NetNode};

/// Takes out every shuffle that an operator before it can do by the order of its channels. The net computes the same.
pub(super) fn absorb(net: &mut Net<Float>) {
    let mut i = 0;
    while i < net.nodes.len() {
        let (x, y) = (net.nodes[i].inputs[0], net.nodes[i].output);
        match (net.nodes[i].op, way(net, x)) {
            (Op::ChannelShuffle { groups }, Some(way)) => {
                let (channels, groups) = (usize::from(net.shape(x).c), usize::from(groups));
                let order: Vec<usize> =
                    (0..channels).map(|c| c % groups * (channels / groups) + c / groups).collect();
                way.into_iter().for_each(|at| rearrange(&mut net.nodes[at], &order));
                remove(net, i, x, y);
            }
            _ => i += 1,
        }
    }
}

/// The nodes whose numbers must be rearranged for tensor `x` to come in another order; none where it cannot.
fn way(net: &Net<Float>, mut x: TensorId) -> Option<Vec<usize>> {
    let mut way = Vec::new();
    loop {
        let at = net.producer(x).filter(|_| net.readers(x).count() == 1 && x != net.output)?;
        match &net.nodes[at].op {
            Op::Conv2d(conv) if conv.groups == 1 => way.push(at),
            Op::Dense(_) => way.push(at),
            Op::DepthwiseConv2d(conv) if conv.multiplier == 1 => {
                way.push(at);
                x = net.nodes[at].inputs[0];
                continue;
            }
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Relu | Op::Relu6 | Op::Tanh => {
                x = net.nodes[at].inputs[0];
                continue;
            }
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::BatchNorm => return None,
            Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => return None,
            Op::Concat { .. } | Op::ChannelShuffle { .. } | Op::Reshape { .. } | Op::Softmax => return None,
            Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Requantize => return None,
            Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => return None,
        }
        return Some(way);
    }
}

/// Lets channel `c` of a node be what channel `order[c]` was.
fn rearrange(node: &mut NetNode<Float>, order: &[usize]) {
    let rows = |values: &[f32]| -> Vec<f32> {
        values.chunks_exact(order.len()).flat_map(|row| order.iter().map(|&c| row[c])).collect()
    };
    let store = &mut node.store;
    store.weights = if matches!(node.op, Op::DepthwiseConv2d(_)) {
        rows(&store.weights)
    } else {
        let each = store.weights.len() / order.len();
        order.iter().flat_map(|&c| store.weights[c * each..][..each].to_vec()).collect()
    };
    store.bias = rows(&store.bias); // one a channel, or one a unit in `[h][w][c]`
}

/// Takes node `i` out, whose readers read its input from now on.
fn remove(net: &mut Net<Float>, i: usize, x: TensorId, y: TensorId) {
    net.nodes.remove(i);
    for id in net.nodes.iter_mut().flat_map(|node| &mut node.inputs).filter(|id| **id == y) {
        *id = x;
    }
    if net.output == y {
        net.output = x;
    }
}

#[cfg(test)]
mod tests {
    use zipnet::ir::{Bias, Shape};

    use super::super::fold::{fold, fold_but_shuffles};
    use super::super::naive::{Author, conv, dense, depthwise, pool};
    use super::super::{Quantised, quantise_folded};
    use crate::float::Executor;
    use crate::quantise::Scale;
    use crate::recipe::Quantise;
    use zipnet::ir::Op;

    fn shuffles(made: &Quantised) -> usize {
        made.net.nodes.iter().filter(|node| matches!(node.op, Op::ChannelShuffle { .. })).count()
    }

    /// Quantises with and without absorption, and compares the engine's bytes over random inputs.
    fn same_bytes(author: &mut Author, left: usize, there: usize) {
        let net = author.net.clone();
        let samples: Vec<f32> = (0..40).flat_map(|_| author.sample()).collect();
        let origin = net.tensors[net.input.at()].meta.origin;
        let shifted: Vec<f32> = samples.iter().map(|x| x - origin).collect();
        let quantised = |folded| {
            quantise_folded(&net, folded, &Quantise::default(), |folded, observe| {
                Executor::new(folded, 1).observe(&shifted, observe);
                Ok(())
            })
            .expect("quantises")
        };
        let with = quantised(fold(&net).expect("folds"));
        let without = quantised(fold_but_shuffles(&net).expect("folds"));
        assert_eq!((shuffles(&with), shuffles(&without)), (left, there));
        let meta = with.net.tensors[with.net.input.at()].meta;
        let grid = Scale { scale: meta.scale, zero: meta.zero };
        let inputs: Vec<i8> = shifted.iter().map(|&x| grid.int8(x)).collect();
        assert_eq!(with.net.run(&inputs).expect("runs"), without.net.run(&inputs).expect("runs"));
        assert_eq!(with.net.macs(), without.net.macs());
    }

    #[test]
    fn a_shuffle_after_a_whole_convolution_is_its_order() {
        for (seed, bias) in [(1, Bias::Channel), (2, Bias::Unit), (3, Bias::None)] {
            let mut a = Author::new(Shape::new(6, 5, 3), -1.0, seed);
            let input = a.net.input;
            let x = a.push(conv(12, 1, 3, bias), &[input]);
            let x = a.push(Op::Relu, &[x]);
            let x = a.push(Op::ChannelShuffle { groups: 3 }, &[x]);
            a.push(dense(4, Bias::Channel), &[x]);
            same_bytes(&mut a, 0, 1);
        }
    }

    #[test]
    fn what_treats_channels_alike_hands_the_order_on() {
        let mut a = Author::new(Shape::new(8, 8, 2), -1.0, 5);
        let input = a.net.input;
        let x = a.push(conv(8, 1, 2, Bias::None), &[input]);
        let x = a.push(Op::BatchNorm, &[x]);
        let x = a.push(Op::Relu, &[x]);
        let x = a.push(depthwise(1, 2, Bias::Channel), &[x]);
        let x = a.push(Op::Relu6, &[x]);
        let x = a.push(Op::AvgPool2d(pool(2, 2, 0)), &[x]);
        let x = a.push(Op::ChannelShuffle { groups: 4 }, &[x]);
        let x = a.push(Op::Tanh, &[x]);
        let x = a.push(Op::ChannelShuffle { groups: 2 }, &[x]);
        a.push(dense(3, Bias::Channel), &[x]);
        same_bytes(&mut a, 0, 2);
    }

    #[test]
    fn a_shuffle_stays_where_its_input_has_other_readers_or_lies_in_groups() {
        let mut a = Author::new(Shape::new(4, 4, 4), 0.0, 6);
        let input = a.net.input;
        let x = a.push(conv(8, 1, 4, Bias::Channel), &[input]);
        let y = a.push(Op::ChannelShuffle { groups: 2 }, &[x]);
        let z = a.push(Op::Add(zipnet::ir::Operands::Equal), &[x, y]);
        let z = a.push(
            Op::Conv2d(zipnet::ir::Conv2d {
                units: 8,
                window: zipnet::ir::Window::new(1, 1),
                groups: 2,
                span: 4,
                bias: Bias::Channel,
            }),
            &[z],
        );
        let z = a.push(Op::ChannelShuffle { groups: 2 }, &[z]);
        a.push(dense(3, Bias::Channel), &[z]);
        same_bytes(&mut a, 2, 2);
    }
}
