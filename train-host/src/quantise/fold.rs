//! A float net rewritten, without changing what it computes, into one whose operators all have an int8 form.

use zipnet::ir::{Bias, DepthwiseConv2d, Float, FloatData, Op, Real, Shape, Tensor, TensorId, Window};

use super::{activation, origin, separate, shuffle};
use crate::graph::{FloatStore, Net, NetNode};
use crate::{Error, Result};

/// The same function of `x - origin`, where `origin` is that of the net's input, in operators that have an int8 form:
///
/// 1. Every operator with weights has a bias.
/// 2. A batch norm is multiplied into the operator with weights before it, or becomes a 1x1 depthwise convolution
///    where there is none, or where another operator or the caller reads its input too.
/// 3. The input's origin is 0: what it was is added, times the sum of the weights, to the biases that follow.
/// 4. A relu that follows a max pool, a reshape or a channel shuffle goes before it, where an operator's clamp can
///    do its work.
/// 5. A channel shuffle is done by the order of the channels of the operator before it, where that may have any.
/// 6. No operator that keeps its inputs' quantisation reads one whose scale is fixed beside another of another
///    scale: a 1x1 depthwise convolution that changes nothing stands between.
///
/// Values differ from the original's by the rounding of weights and biases to f32 alone.
///
/// # Errors
/// Where the net is not legal, or a tensor other than the input and its reshapes has an origin.
pub fn fold(net: &Net<Float>) -> Result<Net<Float>> {
    let mut net = prepare(net)?;
    shuffle::absorb(&mut net);
    finish(net)
}

/// [`fold`] with every channel shuffle left.
#[cfg(test)]
pub(super) fn fold_but_shuffles(net: &Net<Float>) -> Result<Net<Float>> {
    finish(prepare(net)?)
}

/// Steps 1 to 4 of [`fold`].
fn prepare(net: &Net<Float>) -> Result<Net<Float>> {
    net.check(0)?;
    let mut net = net.clone();
    give_bias(&mut net);
    while let Some(i) = net.nodes.iter().position(|node| matches!(node.op, Op::BatchNorm)) {
        fold_batch_norm(&mut net, i);
    }
    origin::shift_input(&mut net)?;
    activation::hoist(&mut net);
    Ok(net)
}

/// Step 6 of [`fold`], and tensors renumbered.
fn finish(mut net: Net<Float>) -> Result<Net<Float>> {
    separate::separate(&mut net)?;
    drop_unused(&mut net);
    net.check(0)?;
    Ok(net)
}

/// Whether an operator has weights and a bias.
pub(super) fn has_weights(op: &Op) -> bool {
    match op {
        Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) => true,
        Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Add(_) | Op::Concat { .. } => false,
        Op::ChannelShuffle { .. } => false,
        Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => false,
        Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Requantize => false,
        Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => false,
        Op::Relu | Op::Relu6 | Op::Tanh | Op::Softmax | Op::Reshape { .. } | Op::BatchNorm => false,
    }
}

/// Indices of the weights that make output channel `channel` of `channels`, among `count` weights in all.
pub(crate) fn weights_of(
    op: &Op,
    channel: usize,
    channels: usize,
    count: usize,
) -> impl Iterator<Item = usize> + Clone {
    let each = count / channels;
    let (first, step) =
        if matches!(op, Op::DepthwiseConv2d(_)) { (channel, channels) } else { (channel * each, 1) };
    (0..each).map(move |i| first + i * step)
}

fn give_bias(net: &mut Net<Float>) {
    for node in &mut net.nodes {
        let bias = match &mut node.op {
            Op::Conv2d(conv) => &mut conv.bias,
            Op::DepthwiseConv2d(conv) => &mut conv.bias,
            Op::Dense(dense) => &mut dense.bias,
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Add(_) | Op::Concat { .. } => continue,
            Op::ChannelShuffle { .. } => continue,
            Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => continue,
            Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Requantize => continue,
            Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => continue,
            Op::Relu | Op::Relu6 | Op::Tanh | Op::Softmax | Op::Reshape { .. } | Op::BatchNorm => continue,
        };
        if bias.is_empty() {
            *bias = Bias::Channel;
            node.store.bias = vec![0.0; usize::from(net.tensors[node.output.at()].shape.c)];
        }
    }
}

/// Removes batch norm `i`, or makes it a depthwise convolution.
fn fold_batch_norm(net: &mut Net<Float>, i: usize) {
    let norm = &net.nodes[i];
    let (x, y) = (norm.inputs[0], norm.output);
    let s = &norm.store;
    let scales: Vec<f64> = (s.weights.iter().zip(&s.variance))
        .map(|(&gamma, &v)| f64::from(gamma) / (f64::from(v) + f64::from(FloatData::EPSILON)).sqrt())
        .collect();
    let (means, betas) = (s.mean.clone(), s.bias.clone());
    let channels = scales.len();
    let alone = net.readers(x).count() == 1 && x != net.output;
    let before = net.producer(x).filter(|&p| alone && has_weights(&net.nodes[p].op));
    let Some(before) = before else {
        let shifts = (0..channels).map(|c| f64::from(betas[c]) - f64::from(means[c]) * scales[c]);
        net.nodes[i].store = FloatStore {
            bias: shifts.map(|b| b as f32).collect(),
            weights: scales.iter().map(|&s| s as f32).collect(),
            ..FloatStore::default()
        };
        net.nodes[i].op = pointwise();
        return;
    };
    let node = &mut net.nodes[before];
    let count = node.store.weights.len();
    for (c, &scale) in scales.iter().enumerate() {
        for j in weights_of(&node.op, c, channels, count) {
            node.store.weights[j] = (f64::from(node.store.weights[j]) * scale) as f32;
        }
    }
    for (j, bias) in node.store.bias.iter_mut().enumerate() {
        let c = j % channels; // a bias a unit lies `[h][w][c]`
        *bias = ((f64::from(*bias) - f64::from(means[c])) * scales[c] + f64::from(betas[c])) as f32;
    }
    node.output = y;
    net.nodes.remove(i);
}

/// A depthwise convolution of each pixel alone.
fn pointwise() -> Op {
    Op::DepthwiseConv2d(DepthwiseConv2d { multiplier: 1, window: Window::new(1, 1), bias: Bias::Channel })
}

/// Inserts, right after what makes `x`, a depthwise convolution that adds `shift`, and gives its output.
pub(super) fn insert_pointwise(
    net: &mut Net<Float>,
    x: TensorId,
    shift: f32,
    suffix: &str,
) -> Result<TensorId> {
    let place = net.producer(x).map_or(0, |i| i + 1);
    let base = if place == 0 { "input" } else { &net.nodes[place - 1].name };
    let mut name = format!("{base}_{suffix}");
    while net.nodes.iter().any(|node| node.name == name) {
        name.push('_');
    }
    let shape: Shape = net.shape(x);
    let id = u16::try_from(net.tensors.len()).map_err(|_| Error::new("more than 65535 tensors"))?;
    net.tensors.push(Tensor { shape, meta: Real::default() });
    let channels = usize::from(shape.c);
    let store =
        FloatStore { weights: vec![1.0; channels], bias: vec![shift; channels], ..FloatStore::default() };
    let node = NetNode { name, op: pointwise(), inputs: vec![x], output: TensorId(id), store };
    net.nodes.insert(place, node);
    Ok(TensorId(id))
}

/// Renumbers tensors so that every one is written.
fn drop_unused(net: &mut Net<Float>) {
    let mut kept = vec![net.input];
    kept.extend(net.nodes.iter().map(|node| node.output));
    let renumber = |id: &mut TensorId| {
        // Present: a checked net reads only what is written.
        if let Some(at) = kept.iter().position(|k| k == id) {
            *id = TensorId(at as u16);
        }
    };
    for node in &mut net.nodes {
        node.inputs.iter_mut().for_each(renumber);
        renumber(&mut node.output);
    }
    net.tensors = kept.iter().map(|id| net.tensors[id.at()]).collect();
    renumber(&mut net.input);
    renumber(&mut net.output);
}

#[cfg(test)]
mod tests {
    use super::super::naive::{Author, conv, dense, depthwise, evaluate, every_operator, pool};
    use super::*;
    use zipnet::ir::{Axis, Operands};

    fn output(net: &Net<Float>, sample: &[f32]) -> Vec<f64> {
        evaluate(net, sample).swap_remove(net.output.at())
    }

    /// The folded net's names, and the greatest difference from the original over a few samples.
    fn folded(author: &mut Author) -> (Vec<String>, f64) {
        let net = author.net.clone();
        let origin = net.tensors[net.input.at()].meta.origin;
        let folded = fold(&net).expect("folds");
        let mut most = 0.0f64;
        for _ in 0..5 {
            let sample = author.sample();
            let shifted: Vec<f32> = sample.iter().map(|x| x - origin).collect();
            let (before, after) = (output(&net, &sample), output(&folded, &shifted));
            assert_eq!(before.len(), after.len());
            most = before.iter().zip(&after).fold(most, |m, (a, b)| m.max((a - b).abs()));
        }
        (folded.nodes.iter().map(|n| format!("{}:{}", n.name, n.op.name())).collect(), most)
    }

    #[test]
    fn every_operator_folds_to_the_same_function() {
        for seed in 0..4 {
            let mut author = every_operator(seed);
            let (names, difference) = folded(&mut author);
            assert!(difference < 1e-6, "{difference}");
            assert!(!names.iter().any(|n| n.contains("batch_norm")), "{names:?}");
            // The batch norm over a sum stands alone; the one after the last but one dense layer is gone.
            assert!(
                names.contains(&"n7:depthwise_conv2d".to_owned())
                    && !names.iter().any(|n| n.starts_with("n21"))
            );
            // The relu after the max pool went before it, but not into the concat and shuffle above.
            assert!(names.iter().all(|n| !n.ends_with("_shift")), "{names:?}");
            assert!(names.contains(&"n4_rescale:depthwise_conv2d".to_owned()), "{names:?}");
        }
    }

    #[test]
    fn the_origin_moves_into_biases_exactly() {
        for bias in [Bias::None, Bias::Channel, Bias::Unit] {
            let mut a = Author::new(Shape::new(5, 4, 2), -1.0, 7);
            a.dyadic = true;
            let input = a.net.input;
            let first = a.push(conv(3, 1, 2, bias), &[input]);
            let second = a.push(depthwise(2, 2, bias), &[input]);
            let first = a.push(Op::Reshape { shape: Shape::flat(60) }, &[first]);
            let second = a.push(Op::Reshape { shape: Shape::flat(24) }, &[second]);
            let third = a.push(Op::Reshape { shape: Shape::new(4, 2, 5) }, &[input]);
            let third = a.push(conv(2, 1, 5, bias), &[third]);
            let third = a.push(Op::Reshape { shape: Shape::flat(16) }, &[third]);
            let fourth = a.push(dense(3, if bias.is_empty() { bias } else { Bias::Channel }), &[input]);
            a.push(Op::Concat { axis: Axis::Channels }, &[first, second, third, fourth]);
            let (names, difference) = folded(&mut a);
            assert_eq!(difference, 0.0);
            assert_eq!(names.len(), 9, "nothing is added: {names:?}");
        }
    }

    #[test]
    fn what_cannot_take_the_origin_reads_it_back() {
        let mut a = Author::new(Shape::new(4, 4, 2), -1.0, 8);
        a.dyadic = true;
        let input = a.net.input;
        let pooled = a.push(Op::MaxPool2d(pool(2, 2, 0)), &[input]);
        let seen = a.push(conv(2, 1, 2, Bias::Channel), &[input]);
        let summed = a.push(Op::Add(Operands::Equal), &[seen, input]);
        let summed = a.push(Op::AvgPool2d(pool(2, 2, 0)), &[summed]);
        let sum = a.push(Op::Add(Operands::Equal), &[summed, pooled]);
        a.push(conv(2, 1, 2, Bias::Channel), &[sum]);
        let (names, difference) = folded(&mut a);
        assert_eq!(difference, 0.0);
        assert_eq!(
            names.iter().filter(|n| n.as_str() == "input_shift:depthwise_conv2d").count(),
            1,
            "{names:?}"
        );
    }

    #[test]
    fn a_batch_norm_is_multiplied_in_only_where_nobody_else_reads() {
        let build = |shared: bool| {
            let mut a = Author::new(Shape::new(4, 4, 2), 0.0, 9);
            let input = a.net.input;
            let t = a.push(conv(4, 2, 1, Bias::Unit), &[input]);
            let normed = a.push(Op::BatchNorm, &[t]);
            a.push(Op::Add(Operands::Equal), &[normed, if shared { t } else { normed }]);
            a
        };
        let (names, difference) = folded(&mut build(false));
        assert_eq!(names, ["n0:conv2d", "n2:add"]);
        assert!(difference < 1e-6);
        let (names, difference) = folded(&mut build(true));
        assert_eq!(names, ["n0:conv2d", "n1:depthwise_conv2d", "n2:add"]);
        assert!(difference < 1e-6);
    }

    #[test]
    fn batch_norms_fold_into_every_operator_with_weights() {
        for op in [conv(6, 2, 1, Bias::None), depthwise(3, 1, Bias::Unit), dense(6, Bias::Channel)] {
            let mut a = Author::new(Shape::new(4, 4, 2), -1.0, 10);
            let input = a.net.input;
            let t = a.push(op, &[input]);
            let t = a.push(Op::BatchNorm, &[t]);
            a.push(Op::BatchNorm, &[t]);
            let (names, difference) = folded(&mut a);
            assert_eq!(names.len(), 1, "{names:?}");
            assert!(difference < 1e-6, "{difference}");
        }
        let mut a = Author::new(Shape::new(4, 4, 2), -1.0, 11);
        let input = a.net.input;
        a.push(Op::BatchNorm, &[input]);
        let (names, difference) = folded(&mut a);
        assert_eq!(names, ["n0:depthwise_conv2d"]);
        assert!(difference < 1e-6, "{difference}");
    }
}
