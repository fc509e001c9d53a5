//! The input's origin moved to 0.
//!
//! A float net may pad its input with a value other than 0, the origin. Over `x' = x - origin` the border is 0, and
//! a sum of products gains `origin * sum(weights)`, the same at every place, border or not: a bias.

use zipnet::ir::{Float, Op, TensorId};

use super::fold::{has_weights, insert_pointwise, weights_of};
use crate::graph::Net;
use crate::{Error, Result};

/// Rewrites the net over `x - origin`. Operators with weights take the origin into their biases, reshapes hand it on;
/// any other reads `x` again from a 1x1 depthwise convolution that adds the origin back.
///
/// # Errors
/// Where a tensor other than the input and its reshapes has an origin.
pub(super) fn shift_input(net: &mut Net<Float>) -> Result<()> {
    let origin = net.tensors[net.input.at()].meta.origin;
    if !origin.is_finite() {
        return Err(Error::new(format!("net {:?}: the input's origin is {origin}", net.name)));
    }
    if origin != 0.0 {
        shift(net, net.input, origin)?;
    }
    match net.nodes.iter().find(|node| net.tensors[node.output.at()].meta.origin != 0.0) {
        Some(node) => Err(Error::new(format!(
            "layer {:?} ({}): only the input and its reshapes may have an origin other than 0",
            node.name,
            node.op.name()
        ))),
        None => Ok(()),
    }
}

fn shift(net: &mut Net<Float>, x: TensorId, origin: f32) -> Result<()> {
    net.tensors[x.at()].meta.origin = 0.0;
    let readers: Vec<usize> = net.readers(x).collect();
    let mut reshaped = Vec::new();
    let mut others = Vec::new();
    for i in readers {
        let y = net.nodes[i].output;
        let hands_on =
            matches!(net.nodes[i].op, Op::Reshape { .. }) && net.tensors[y.at()].meta.origin == origin;
        if has_weights(&net.nodes[i].op) {
            take(net, i, origin);
        } else if hands_on {
            reshaped.push(y);
        } else {
            others.push(y);
        }
    }
    let seen_outside = net.output == x;
    if seen_outside || !others.is_empty() {
        let back = insert_pointwise(net, x, origin, "shift")?;
        for node in net.nodes.iter_mut().filter(|node| others.contains(&node.output)) {
            for input in node.inputs.iter_mut().filter(|input| **input == x) {
                *input = back;
            }
        }
        if seen_outside {
            net.output = back;
        }
    }
    reshaped.into_iter().try_for_each(|y| shift(net, y, origin))
}

/// Adds the origin times the sum of its weights to each bias of node `i`.
fn take(net: &mut Net<Float>, i: usize, origin: f32) {
    let channels = usize::from(net.shape(net.nodes[i].output).c);
    let node = &mut net.nodes[i];
    let weights = &node.store.weights;
    let sums: Vec<f64> = (0..channels)
        .map(|c| weights_of(&node.op, c, channels, weights.len()).map(|j| f64::from(weights[j])).sum())
        .collect();
    for (j, bias) in node.store.bias.iter_mut().enumerate() {
        *bias = (f64::from(*bias) + f64::from(origin) * sums[j % channels]) as f32;
    }
}

#[cfg(test)]
mod tests {
    use zipnet::ir::{Bias, Shape};

    use super::super::naive::{Author, conv};
    use super::*;

    #[test]
    fn an_origin_elsewhere_is_refused() {
        let mut a = Author::new(Shape::new(4, 4, 2), -1.0, 1);
        let input = a.net.input;
        let t = a.push(conv(2, 1, 2, Bias::Channel), &[input]);
        a.net.tensors[t.at()].meta.origin = 0.5;
        let error = shift_input(&mut a.net).expect_err("must be refused").to_string();
        assert!(error.contains("\"n0\"") && error.contains("origin"), "{error}");
    }

    #[test]
    fn an_input_that_is_the_output_is_given_back() {
        let mut a = Author::new(Shape::new(2, 2, 1), -1.0, 1);
        shift_input(&mut a.net).expect("shifts");
        assert_eq!(a.net.nodes.len(), 1);
        assert_eq!(a.net.nodes[0].output, a.net.output);
        assert_eq!(a.net.nodes[0].store.bias, [-1.0]);
    }
}
