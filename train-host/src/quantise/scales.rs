//! Scale and zero point of every tensor.

use zipnet::ir::{Float, TensorId};

use super::activation::Step;
use super::calibrate::Range;
use super::factors::Scale;
use super::separate::{Fixed, fixed};
use crate::graph::Net;

/// A range narrower than this share of the widest one holds nothing: a layer that is silent on every calibration
/// sample. It takes the widest range, which is as good as any.
const SILENT: f32 = 1e-6;

/// The scale of every tensor that the steps read or write, by the tensor's id; others get one too, of no meaning.
///
/// Tensors tied together by operators that only move bytes share the range that holds all of theirs.
pub(super) fn assign(net: &Net<Float>, steps: &[Step], ranges: &[Range], input: Range) -> Vec<Scale> {
    let mut groups = Groups::new(net.tensors.len());
    for step in steps {
        let node = &net.nodes[step.node];
        if node.op.keeps_quantisation() {
            node.inputs.iter().for_each(|&x| groups.unite(x, step.output));
        }
    }
    let mut used = vec![false; net.tensors.len()];
    used[net.input.at()] = true;
    steps.iter().for_each(|step| used[step.output.at()] = true);
    let mut united = vec![Range::default(); net.tensors.len()];
    for id in ids(net).filter(|id| used[id.at()]) {
        let leader = groups.leader(id);
        united[leader] = united[leader].or(ranges[id.at()]);
    }
    let widest = united.iter().map(|range| range.width()).fold(0.0, f32::max);
    let silent = Range { low: 0.0, high: if widest > 0.0 { widest } else { 1.0 } };
    let fixed = fixed(net);
    ids(net)
        .map(|id| {
            let leader = groups.leader(id);
            match fixed[leader] {
                Some(Fixed::Input) => Scale::over(input.low, input.high),
                Some(Fixed::Tanh) => Scale::TANH,
                Some(Fixed::Softmax) => Scale::SOFTMAX,
                None => {
                    let range = united[leader];
                    let range = if range.width() > widest * SILENT { range } else { silent };
                    Scale::over(range.low, range.high)
                }
            }
        })
        .collect()
}

fn ids(net: &Net<Float>) -> impl Iterator<Item = TensorId> {
    (0..net.tensors.len()).map(|i| TensorId(i as u16))
}

/// Sets of tensors, each known by one of its members: the one with the least id.
struct Groups(Vec<usize>);

impl Groups {
    /// Every tensor by itself.
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn leader(&self, id: TensorId) -> usize {
        let mut at = id.at();
        while self.0[at] != at {
            at = self.0[at];
        }
        at
    }

    fn unite(&mut self, a: TensorId, b: TensorId) {
        let (a, b) = (self.leader(a), self.leader(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use zipnet::ir::{Axis, Bias, Op, Shape};

    use super::super::activation::fuse;
    use super::super::naive::{Author, conv, pool};
    use super::*;

    #[test]
    fn tensors_that_are_moved_share_one_scale() {
        let mut a = Author::new(Shape::new(4, 4, 2), 0.0, 1);
        let input = a.net.input;
        let x = a.push(conv(2, 1, 2, Bias::Channel), &[input]);
        let y = a.push(conv(2, 1, 2, Bias::Channel), &[x]);
        let z = a.push(Op::MaxPool2d(pool(1, 1, 0)), &[y]);
        let both = a.push(Op::Concat { axis: Axis::Channels }, &[z, x]);
        let tanh = a.push(Op::Tanh, &[both]);
        let pooled = a.push(Op::AvgPool2d(pool(2, 2, 0)), &[tanh]);
        let end = a.push(Op::Softmax, &[pooled]);
        let mut ranges = vec![Range { low: -1.0, high: 1.0 }; a.net.tensors.len()];
        ranges[x.at()] = Range { low: -5.0, high: 0.0 };
        ranges[y.at()] = Range { low: 0.0, high: 3.0 };
        let input_range = Range { low: 0.0, high: 2.0 };
        let scales = assign(&a.net, &fuse(&a.net), &ranges, input_range);
        for id in [x, y, z, both] {
            assert_eq!(scales[id.at()], Scale::over(-5.0, 3.0));
        }
        assert_eq!(scales[input.at()], Scale { scale: 2.0 / 255.0, zero: -128 });
        assert_eq!((scales[tanh.at()], scales[pooled.at()]), (Scale::TANH, Scale::TANH));
        assert_eq!(scales[end.at()], Scale::SOFTMAX);
    }

    #[test]
    fn a_silent_tensor_takes_the_widest_range() {
        let mut a = Author::new(Shape::new(4, 4, 2), 0.0, 1);
        let input = a.net.input;
        let x = a.push(conv(2, 1, 2, Bias::Channel), &[input]);
        let y = a.push(conv(2, 1, 2, Bias::Channel), &[x]);
        let mut ranges = vec![Range::default(); a.net.tensors.len()];
        let range = Range { low: 0.0, high: 2.0 };
        let scales = assign(&a.net, &fuse(&a.net), &ranges, range);
        assert_eq!(scales[y.at()], Scale::over(0.0, 1.0));
        ranges[x.at()] = Range { low: -3.0, high: 4.0 };
        ranges[y.at()] = Range { low: 0.0, high: 1e-7 };
        assert_eq!(assign(&a.net, &fuse(&a.net), &ranges, range)[y.at()], Scale::over(0.0, 7.0));
    }

    #[test]
    fn a_relu_that_was_taken_over_hides_what_it_cuts() {
        let mut a = Author::new(Shape::new(4, 4, 2), 0.0, 1);
        let input = a.net.input;
        let x = a.push(conv(2, 1, 2, Bias::Channel), &[input]);
        let y = a.push(Op::Relu, &[x]);
        let mut ranges = vec![Range { low: -9.0, high: 9.0 }; 3];
        ranges[y.at()] = Range { low: 0.0, high: 2.0 };
        let scales = assign(&a.net, &fuse(&a.net), &ranges, Range { low: 0.0, high: 2.0 });
        assert_eq!(scales[y.at()], Scale::over(0.0, 2.0));
    }
}
