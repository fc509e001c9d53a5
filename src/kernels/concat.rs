//! Several tensors one after another along an axis.
//!
//! ```text
//! y[h][w][at + c] = x[h][w][c],  at = channels of the inputs before x; rows and columns alike
//! ```
//!
//! All inputs have the output's scale and zero point; nothing but bytes moves.

use super::Output;
use crate::arch::Isa;
use crate::arch::runs::EvenRuns;
use crate::ir::Axis;

/// A tensor that is made of others, one after another.
///
/// What lies within the axis is side by side in memory, so all tensors are seen as `[outer][inner]`: `inner` elements
/// from one step of the outer axes to the next.
pub(crate) struct Joint<'a> {
    /// The output, from where the next input starts.
    rest: &'a mut [i8],
    /// Steps of the outer axes.
    outer: usize,
    /// Elements from one to the next.
    inner: usize,
}

impl<'a> Joint<'a> {
    /// `y`, to be made of tensors along `axis`, none of which is there yet.
    pub(crate) fn new(axis: Axis, y: Output<'a>) -> Self {
        let (h, w, c) = (usize::from(y.shape.h), usize::from(y.shape.w), usize::from(y.shape.c));
        let (outer, inner) = match axis {
            Axis::Rows => (1, h * w * c),
            Axis::Columns => (h, w * c),
            Axis::Channels => (h * w, c),
        };
        Self { rest: y.data, outer, inner }
    }

    /// Copies `x` behind those that are there.
    pub(crate) fn append<I: Isa>(&mut self, isa: I, x: &[i8]) {
        let len = x.len().checked_div(self.outer).unwrap_or(0);
        isa.copy_runs(x, self.rest, &EvenRuns { len, count: self.outer, steps: [len, self.inner] });
        let rest = core::mem::take(&mut self.rest);
        self.rest = rest.get_mut(len..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Shape;
    use crate::kernels::oracle::{Numbers, hold, on_every_isa, outputs, place};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    fn every_element_lands_in_its_place<I: Isa>(isa: I) {
        let parts = prop::collection::vec(1..=9u16, 2..=8);
        let axes = prop::sample::select(vec![Axis::Rows, Axis::Columns, Axis::Channels]);
        hold(256, (1..=4u16, 1..=4u16, parts, axes, any::<u64>()), |(a, b, parts, axis, seed)| {
            let of = |extent: u16| match axis {
                Axis::Rows => Shape::new(extent, a, b),
                Axis::Columns => Shape::new(a, extent, b),
                Axis::Channels => Shape::new(a, b, extent),
            };
            let (mut numbers, out) = (Numbers(seed), of(parts.iter().sum()));
            let mut got = vec![55; out.len()];
            // For each element along the axis: which part, and which element of that.
            let mut origins = vec![];
            let mut inputs = vec![];
            for (part, &extent) in parts.iter().enumerate() {
                origins.extend((0..usize::from(extent)).map(|i| (part, i)));
                inputs.push(numbers.int8s(of(extent).len()));
            }
            let mut joint = Joint::new(axis, Output { shape: out, zero: 0, data: &mut got });
            inputs.iter().for_each(|x| joint.append(isa, x));
            for (i, (y, x, c)) in outputs(out).enumerate() {
                let (part, along) = origins[[y, x, c][axis.at()]];
                let from = match axis {
                    Axis::Rows => (along, x, c),
                    Axis::Columns => (y, along, c),
                    Axis::Channels => (y, x, along),
                };
                prop_assert_eq!(got[i], inputs[part][place(of(parts[part]), from)]);
            }
            Ok(())
        });
    }

    #[test]
    fn on_every_isa_every_element_lands_in_its_place() {
        on_every_isa!(every_element_lands_in_its_place);
    }
}
