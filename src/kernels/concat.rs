//! Channels of several tensors side by side.
//!
//! ```text
//! y[h][w][at + c] = x[h][w][c],  at = channels of the inputs before x
//! ```
//!
//! All inputs have the output's scale and zero point; nothing but bytes moves.

use super::{Input, Output};
use crate::arch::run;

/// Copies `x` to the channels of `y` from `at` on.
pub(crate) fn concat(x: Input<'_>, at: usize, y: Output<'_>) {
    let [from, to] = [x.shape.c, y.shape.c].map(usize::from);
    let pixels = usize::from(y.shape.h) * usize::from(y.shape.w);
    for pixel in 0..pixels {
        let place = y.data.get_mut(pixel * to + at..).unwrap_or_default();
        place.iter_mut().zip(run(x.data, pixel * from, from)).for_each(|(y, &x)| *y = x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Shape;
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
                concat(x, at, Output { shape: out, zero: 0, data: &mut got });
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
