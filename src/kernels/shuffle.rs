//! Channel shuffle: the channels of a pixel, seen as a matrix `[groups][c / groups]`, are transposed.
//!
//! ```text
//! y[h][w][i * groups + g] = x[h][w][g * (c / groups) + i]
//! ```
//!
//! So the next grouped convolution sees channels of every group. Source: ShuffleNet, arXiv 1707.01083.

use super::{Input, Output};

/// Shuffles the channels of `x` into `y`.
pub(crate) fn channel_shuffle(groups: u16, x: Input<'_>, y: Output<'_>) {
    let (channels, groups) = (usize::from(x.shape.c), usize::from(groups));
    let each = channels.checked_div(groups).unwrap_or(0);
    let (mut x, mut y) = (x.data, y.data);
    while let (Some(from), Some(to)) = (x.split_off(..channels), y.split_off_mut(..channels)) {
        let mut to = to.iter_mut();
        for i in 0..each {
            let mut at = i;
            for to in to.by_ref().take(groups) {
                if let Some(&x) = from.get(at) {
                    *to = x;
                }
                at += each;
            }
        }
        if channels == 0 {
            return;
        }
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
    fn channels_are_transposed() {
        hold(256, (1..=4u16, 1..=4u16, 1..=6u16, 1..=6u16, any::<u64>()), |(h, w, groups, each, seed)| {
            let shape = Shape::new(h, w, groups * each);
            let x = Numbers(seed).int8s(shape.len());
            let mut got = vec![55; shape.len()];
            let input = Input { shape, zero: 0, data: &x };
            channel_shuffle(groups, input, Output { shape, zero: 0, data: &mut got });
            let (groups, each) = (usize::from(groups), usize::from(each));
            for (i, (_, _, c)) in outputs(shape).enumerate() {
                prop_assert_eq!(got[i], x[i - c + c % groups * each + c / groups]);
            }
            Ok(())
        });
    }
}
