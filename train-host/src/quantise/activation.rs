//! Activations moved to, and then done by, the clamp of the operator before them.

use zipnet::ir::{Float, Op, TensorId};

use super::factors::Activation;
use super::separate::fixed;
use crate::graph::Net;

/// One operator of the int8 net: a float node with the activation it takes over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Index of the float node.
    pub(super) node: usize,
    /// What its clamp does.
    pub(super) activation: Activation,
    /// The float tensor that its int8 output stands for: the activation's where it took one over.
    pub(super) output: TensorId,
}

/// The operators of the int8 net. A relu or relu6 is taken over where it alone reads what an operator with a clamp
/// writes; other ones stay operators, among them one after a pool of fixed scale, for it may have a scale of its own.
pub(super) fn fuse(net: &Net<Float>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut taken = vec![false; net.nodes.len()];
    let fixed = fixed(net);
    for (i, node) in net.nodes.iter().enumerate() {
        if taken[i] {
            continue;
        }
        let mut step = Step { node: i, activation: of(&node.op), output: node.output };
        let takes = has_clamp(&node.op) && fixed[node.output.at()].is_none();
        if let Some(next) = only_reader(net, node.output).filter(|_| takes) {
            let activation = of(&net.nodes[next].op);
            if activation != Activation::None {
                step = Step { node: i, activation, output: net.nodes[next].output };
                taken[next] = true;
            }
        }
        steps.push(step);
    }
    steps
}

/// Moves each relu and relu6 up past max pools, reshapes and channel shuffles, which it commutes with, to where an
/// operator that chooses its own scale can take it over: values that the relu cuts off then cost no range.
pub(super) fn hoist(net: &mut Net<Float>) {
    for i in 0..net.nodes.len() {
        if of(&net.nodes[i].op) == Activation::None {
            continue;
        }
        let mut path = vec![i];
        loop {
            let x = net.nodes[path[path.len() - 1]].inputs[0];
            let Some(before) = net.producer(x).filter(|_| only_reader(net, x).is_some()) else { break };
            let op = &net.nodes[before].op;
            if matches!(op, Op::MaxPool2d(_) | Op::Reshape { .. } | Op::ChannelShuffle { .. }) {
                path.push(before);
                continue;
            }
            if has_clamp(op) {
                path.windows(2).for_each(|pair| swap(net, pair[1], pair[0]));
            }
            break;
        }
    }
}

/// Exchanges two nodes, of which the second alone reads the first and keeps its input's shape.
fn swap(net: &mut Net<Float>, first: usize, second: usize) {
    let (x, between) = (net.nodes[first].inputs[0], net.nodes[first].output);
    net.tensors[between.at()].shape = net.shape(x);
    let (low, high) = net.nodes.split_at_mut(second);
    let (a, b) = (&mut low[first], &mut high[0]);
    std::mem::swap(&mut a.op, &mut b.op);
    std::mem::swap(&mut a.name, &mut b.name);
    std::mem::swap(&mut a.store, &mut b.store);
}

/// The node that alone reads a tensor, which the caller does not read either.
fn only_reader(net: &Net<Float>, id: TensorId) -> Option<usize> {
    let mut readers = net.readers(id);
    match (readers.next(), readers.next()) {
        (Some(one), None) if id != net.output => Some(one),
        _ => None,
    }
}

/// What a node is as an activation.
fn of(op: &Op) -> Activation {
    match op {
        Op::Relu => Activation::Relu,
        Op::Relu6 => Activation::Relu6,
        Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) | Op::MaxPool2d(_) | Op::AvgPool2d(_) => {
            Activation::None
        }
        Op::Add(_) | Op::Concat { .. } | Op::ChannelShuffle { .. } | Op::Tanh | Op::Softmax => {
            Activation::None
        }
        Op::ReluN1To1 => Activation::ReluN1To1,
        Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => Activation::None,
        Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Requantize => Activation::None,
        Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => Activation::None,
        Op::Reshape { .. } | Op::BatchNorm => Activation::None,
    }
}

/// Whether an operator's kernel holds its output between two bounds.
fn has_clamp(op: &Op) -> bool {
    match op {
        Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) | Op::MaxPool2d(_) | Op::AvgPool2d(_) => true,
        Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Mean { .. } | Op::Prelu { .. } => true,
        Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::Requantize => false, // its clamp is its own
        Op::LeakyRelu | Op::HardSwish | Op::Logistic => false,
        Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => false,
        Op::Concat { .. } | Op::ChannelShuffle { .. } | Op::Tanh | Op::Softmax => false,
        Op::Reshape { .. } | Op::BatchNorm => false,
    }
}

#[cfg(test)]
mod tests {
    use zipnet::ir::{Bias, Operands, Shape};

    use super::super::naive::{Author, conv, evaluate, pool};
    use super::*;

    fn names(net: &Net<Float>) -> Vec<&'static str> {
        net.nodes.iter().map(|n| n.op.name()).collect()
    }

    #[test]
    fn a_relu_goes_up_to_the_convolution() {
        let mut a = Author::new(Shape::new(4, 4, 2), 0.0, 3);
        let input = a.net.input;
        let t = a.push(conv(4, 1, 2, Bias::Channel), &[input]);
        let t = a.push(Op::MaxPool2d(pool(2, 2, 0)), &[t]);
        let t = a.push(Op::ChannelShuffle { groups: 2 }, &[t]);
        let t = a.push(Op::Reshape { shape: Shape::flat(16) }, &[t]);
        a.push(Op::Relu6, &[t]);
        let before = a.net.clone();
        hoist(&mut a.net);
        a.net.check(0).expect("legal");
        assert_eq!(names(&a.net), ["conv2d", "relu6", "max_pool2d", "channel_shuffle", "reshape"]);
        let sample = a.sample();
        assert_eq!(
            evaluate(&before, &sample)[before.output.at()],
            evaluate(&a.net, &sample)[a.net.output.at()]
        );
        let steps = fuse(&a.net);
        assert_eq!(steps.len(), 4);
        assert_eq!((steps[0].activation, steps[0].output), (Activation::Relu6, a.net.nodes[1].output));
    }

    #[test]
    fn a_relu_stays_where_its_input_is_read_elsewhere() {
        let mut a = Author::new(Shape::new(4, 4, 2), 0.0, 3);
        let input = a.net.input;
        let x = a.push(conv(2, 1, 2, Bias::Channel), &[input]);
        let y = a.push(Op::MaxPool2d(pool(1, 1, 0)), &[x]);
        let y = a.push(Op::Relu, &[y]);
        a.push(Op::Add(Operands::Equal), &[x, y]);
        hoist(&mut a.net);
        assert_eq!(names(&a.net), ["conv2d", "max_pool2d", "relu", "add"]);
        // The pool, though, which only the relu reads, takes it over.
        assert_eq!(fuse(&a.net).iter().map(|s| s.activation).filter(|&a| a == Activation::Relu).count(), 1);
        assert_eq!(fuse(&a.net).len(), 3);
    }

    #[test]
    fn a_pool_of_fixed_scale_takes_nothing_over() {
        let mut a = Author::new(Shape::new(4, 4, 2), 0.0, 3);
        let input = a.net.input;
        let x = a.push(Op::MaxPool2d(pool(2, 2, 0)), &[input]);
        a.push(Op::Relu, &[x]);
        assert!(fuse(&a.net).iter().map(|s| s.activation).eq([Activation::None, Activation::Relu]));
    }

    #[test]
    fn a_relu_of_the_input_or_of_what_the_caller_reads_stays_an_operator() {
        let mut a = Author::new(Shape::new(4, 4, 2), 0.0, 3);
        let input = a.net.input;
        let x = a.push(Op::Relu, &[input]);
        let y = a.push(conv(2, 1, 2, Bias::Channel), &[x]);
        a.push(Op::Relu6, &[y]);
        a.net.output = y;
        let steps = fuse(&a.net);
        assert_eq!(steps.iter().map(|s| s.node).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(steps[0].activation, Activation::Relu);
        assert_eq!(steps[1].activation, Activation::None);
    }
}
