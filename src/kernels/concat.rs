//! Several tensors one after another along an axis.
//!
//! ```text
//! y[h][w][at + c] = x[h][w][c],  at = channels of the inputs before x; rows and columns alike
//! ```
//!
//! All inputs have the output's scale and zero point; nothing but bytes moves.

use super::{Input, Output};
use crate::arch::Isa;
use crate::arch::runs::EvenRuns;
use crate::ir::{Axis, Shape};

/// Copies `x` to `y`, where it starts `at` elements after the first along `axis`. Returns where the next input starts.
///
/// What lies within the axis is side by side in memory, so both tensors are seen as `[outer][inner]`: `inner` elements
/// from one step of the outer axes to the next.
pub(crate) fn concat<I: Isa>(isa: I, axis: Axis, x: Input<'_>, at: usize, y: Output<'_>) -> usize {
    let of = |shape: Shape| {
        let (h, w, c) = (usize::from(shape.h), usize::from(shape.w), usize::from(shape.c));
        match axis {
            Axis::Rows => (1, h * w * c),
            Axis::Columns => (h, w * c),
            Axis::Channels => (h * w, c),
        }
    };
    let ((count, len), (_, to)) = (of(x.shape), of(y.shape));
    isa.copy_runs(
        x.data,
        y.data.get_mut(at..).unwrap_or_default(),
        &EvenRuns { len, count, steps: [len, to] },
    );
    at + len
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let (mut got, mut at) = (vec![55; out.len()], 0);
            // For each element along the axis: which part, and which element of that.
            let mut origins = vec![];
            let mut inputs = vec![];
            for (part, &extent) in parts.iter().enumerate() {
                origins.extend((0..usize::from(extent)).map(|i| (part, i)));
                inputs.push(numbers.int8s(of(extent).len()));
                let x = Input { shape: of(extent), zero: 0, data: &inputs[part] };
                at = concat(isa, axis, x, at, Output { shape: out, zero: 0, data: &mut got });
            }
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
