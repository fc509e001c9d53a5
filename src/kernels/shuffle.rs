//! Channel shuffle: the channels of a pixel, seen as a matrix `[groups][c / groups]`, are transposed.
//!
//! ```text
//! y[h][w][i * groups + g] = x[h][w][g * (c / groups) + i]
//! ```
//!
//! So the next grouped convolution sees channels of every group. Source: ShuffleNet, arXiv 1707.01083.
//!
//! Tricks:
//! 1. One channel of all pixels at a time, or, where there are few pixels, one group of a pixel, or one channel of all groups.

use super::{Input, Output};
use crate::arch::Isa;
use crate::arch::runs::EvenRuns;

/// Shuffles the channels of `x` into `y`.
pub(crate) fn channel_shuffle<I: Isa>(isa: I, groups: u16, x: Input<'_>, y: Output<'_>) {
    let (channels, groups) = (usize::from(x.shape.c), usize::from(groups));
    let pixels = usize::from(x.shape.h) * usize::from(x.shape.w);
    let Some(each) = channels.checked_div(groups) else { return };
    let (x, y) = (x.data, y.data);
    let mut copy = |from: usize, to: usize, count: usize, steps: [usize; 2]| {
        let (Some(x), Some(y)) = (x.get(from..), y.get_mut(to..)) else { return };
        isa.copy_runs(x, y, &EvenRuns { len: 1, count, steps });
    };
    if channels <= pixels * each.min(groups) {
        for group in 0..groups {
            (0..each).for_each(|i| copy(group * each + i, i * groups + group, pixels, [channels; 2]));
        }
        return;
    }
    for pixel in (0..pixels * channels).step_by(channels.max(1)) {
        if groups < each {
            (0..groups).for_each(|group| copy(pixel + group * each, pixel + group, each, [1, groups]));
        } else {
            (0..each).for_each(|i| copy(pixel + i, pixel + i * groups, groups, [each, 1]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Shape;
    use crate::kernels::oracle::{Numbers, hold, on_every_isa, outputs};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    fn channels_are_transposed<I: Isa>(isa: I) {
        hold(256, (1..=4u16, 1..=4u16, 1..=6u16, 1..=6u16, any::<u64>()), |(h, w, groups, each, seed)| {
            let shape = Shape::new(h, w, groups * each);
            let x = Numbers(seed).int8s(shape.len());
            let mut got = vec![55; shape.len()];
            let input = Input { shape, zero: 0, data: &x };
            channel_shuffle(isa, groups, input, Output { shape, zero: 0, data: &mut got });
            let (groups, each) = (usize::from(groups), usize::from(each));
            for (i, (_, _, c)) in outputs(shape).enumerate() {
                prop_assert_eq!(got[i], x[i - c + c % groups * each + c / groups]);
            }
            Ok(())
        });
    }

    #[test]
    fn on_every_isa_channels_are_transposed() {
        on_every_isa!(channels_are_transposed);
    }
}
