//! Several tensors one after another along an axis.
//!
//! ```text
//! y[h][w][at + c] = x[h][w][c],  at = channels of the inputs before x; rows and columns alike
//! ```
//!
//! All inputs have the output's scale and zero point; nothing but bytes moves.

use super::{Input, Output};
use crate::arch::run;
use crate::ir::{Axis, Shape};

/// Copies `x` to `y`, where it starts `at` elements after the first along `axis`. Returns where the next input starts.
///
/// What lies within the axis is side by side in memory, so both tensors are seen as `[outer][inner]`: `inner` elements
/// from one step of the outer axes to the next.
pub(crate) fn concat(axis: Axis, x: Input<'_>, at: usize, y: Output<'_>) -> usize {
    let of = |shape: Shape| {
        let [h, w, c] = [shape.h, shape.w, shape.c].map(usize::from);
        match axis {
            Axis::Rows => (1, h * w * c),
            Axis::Columns => (h, w * c),
            Axis::Channels => (h * w, c),
        }
    };
    let ((outer, from), (_, to)) = (of(x.shape), of(y.shape));
    for i in 0..outer {
        let place = y.data.get_mut(i * to + at..).unwrap_or_default();
        place.iter_mut().zip(run(x.data, i * from, from)).for_each(|(y, &x)| *y = x);
    }
    at + from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::oracle::{Numbers, hold, outputs};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    #[test]
    fn every_channel_lands_in_its_place() {
        let parts = prop::collection::vec(1..=9u16, 2..=8);
        hold(256, (1..=4u16, 1..=4u16, parts, any::<u64>()), |(h, w, parts, seed)| {
            let (mut numbers, out) = (Numbers(seed), Shape::new(h, w, parts.iter().sum()));
            let (mut got, mut at) = (vec![55; out.len()], 0);
            let mut inputs = vec![];
            for &c in &parts {
                let shape = Shape::new(h, w, c);
                inputs.push((shape, numbers.int8s(shape.len())));
                let x = Input { shape, zero: 0, data: &inputs.last().unwrap().1 };
                concat(Axis::Channels, x, at, Output { shape: out, zero: 0, data: &mut got });
                at += usize::from(c);
            }
            for (i, (y, x, mut c)) in outputs(out).enumerate() {
                let mut parts = inputs.iter();
                let (shape, data) = parts
                    .find(|(s, _)| {
                        c < s.c.into() || {
                            c -= usize::from(s.c);
                            false
                        }
                    })
                    .unwrap();
                prop_assert_eq!(got[i], data[(y * usize::from(w) + x) * usize::from(shape.c) + c]);
            }
            Ok(())
        });
    }
}
