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
