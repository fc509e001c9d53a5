//! Tensors of fixed scale kept apart from those of calibrated scale.
//!
//! What a softmax or tanh writes, and what the caller writes, has a scale that is not ours to choose. An operator that
//! moves bytes ties its output's scale to its inputs'; only a concat ties several inputs together.

use zipnet::ir::{Float, Op, TensorId};

use super::fold::insert_pointwise;
use crate::Result;
use crate::graph::Net;

/// What fixes a tensor's scale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fixed {
    /// The caller, who fills the net's input.
    Input,
    /// A tanh.
    Tanh,
    /// A softmax.
    Softmax,
}

/// Puts a 1x1 depthwise convolution that changes nothing between a tensor of fixed scale and each concat whose
/// other inputs are of another.
///
/// # Errors
/// Where the net has too many tensors.
pub(super) fn separate(net: &mut Net<Float>) -> Result<()> {
    while let Some((i, x)) = mixed(net) {
        let y = net.nodes[i].output;
        let free = insert_pointwise(net, x, 0.0, "rescale")?;
        for node in net.nodes.iter_mut().filter(|node| node.output == y) {
            for input in node.inputs.iter_mut().filter(|input| **input == x) {
                *input = free;
            }
        }
    }
    Ok(())
}

/// A concat, and one of its inputs whose fixed scale not all of them share.
fn mixed(net: &Net<Float>) -> Option<(usize, TensorId)> {
    let fixed = fixed(net);
    net.nodes.iter().enumerate().find_map(|(i, node)| {
        let kind = |id: &TensorId| fixed[id.at()];
        if !node.op.keeps_quantisation() || node.inputs.iter().all(|id| kind(id) == kind(&node.inputs[0])) {
            return None;
        }
        node.inputs.iter().find(|id| kind(id).is_some()).map(|&id| (i, id))
    })
}

/// What fixes each tensor's scale; `None` where calibration chooses it.
pub(super) fn fixed(net: &Net<Float>) -> Vec<Option<Fixed>> {
    let mut fixed = vec![None; net.tensors.len()];
    fixed[net.input.at()] = Some(Fixed::Input);
    for node in &net.nodes {
        fixed[node.output.at()] = match node.op {
            Op::Tanh => Some(Fixed::Tanh),
            Op::Softmax => Some(Fixed::Softmax),
            Op::MaxPool2d(_)
            | Op::AvgPool2d(_)
            | Op::Concat { .. }
            | Op::ChannelShuffle { .. }
            | Op::Pad(_)
            | Op::Slice(_)
            | Op::Transpose { .. }
            | Op::ResizeNearest { .. }
            | Op::Reshape { .. } => fixed[node.inputs[0].at()],
            Op::Logistic => Some(Fixed::Softmax),
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) | Op::Add(_) | Op::BatchNorm => None,
            Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => None,
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish | Op::Requantize => None,
        };
    }
    fixed
}

#[cfg(test)]
mod tests {
    use zipnet::ir::{Axis, Bias, Shape};

    use super::super::naive::{Author, conv, pool};
    use super::*;

    #[test]
    fn one_kind_of_scale_needs_nothing_between() {
        let mut a = Author::new(Shape::new(4, 4, 2), 0.0, 1);
        let input = a.net.input;
        let x = a.push(conv(2, 1, 2, Bias::Channel), &[input]);
        let y = a.push(conv(2, 1, 2, Bias::Channel), &[input]);
        a.push(Op::Concat { axis: Axis::Channels }, &[x, y]);
        let (x, y) = (a.push(Op::Tanh, &[x]), a.push(Op::Tanh, &[y]));
        let y = a.push(Op::MaxPool2d(pool(1, 1, 0)), &[y]);
        a.push(Op::Concat { axis: Axis::Channels }, &[x, y]);
        let count = a.net.nodes.len();
        separate(&mut a.net).expect("separates");
        assert_eq!(a.net.nodes.len(), count);
    }

    #[test]
    fn every_fixed_input_of_a_mixed_concat_is_rescaled() {
        let mut a = Author::new(Shape::new(4, 4, 2), 0.0, 1);
        let input = a.net.input;
        let x = a.push(conv(2, 1, 2, Bias::Channel), &[input]);
        let y = a.push(Op::Tanh, &[x]);
        let z = a.push(Op::Softmax, &[x]);
        let pooled = a.push(Op::AvgPool2d(pool(1, 1, 0)), &[input]);
        a.push(Op::Concat { axis: Axis::Channels }, &[y, x, y, z, pooled, input]);
        separate(&mut a.net).expect("separates");
        a.net.check(0).expect("legal");
        let added: Vec<&str> =
            a.net.nodes.iter().map(|n| n.name.as_str()).filter(|n| n.contains("rescale")).collect();
        assert_eq!(added, ["input_rescale", "n1_rescale", "n2_rescale", "n3_rescale"]);
    }
}
