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
