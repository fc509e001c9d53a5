//! Windows copied together out of an image that lies with its border.

use super::widen_lane;
use crate::arch::run;

/// Windows that are alike: taps, each of them a run of elements.
#[derive(Clone, Copy)]
pub(crate) struct Laid<'a> {
    /// The image, from the first window's first element on.
    pub(crate) x: &'a [i8],
    /// Rows and columns of taps.
    pub(crate) taps: [usize; 2],
    /// Elements from a row of taps to the next, and from a column.
    pub(crate) tap_steps: [usize; 2],
    /// Elements of a tap.
    pub(crate) len: usize,
    /// Rows and columns of windows.
    pub(crate) windows: [usize; 2],
    /// Elements from a row of windows to the next, and from a column.
    pub(crate) steps: [usize; 2],
}

/// Row by row, what lies at such steps.
fn places([rows, columns]: [usize; 2], [row, column]: [usize; 2]) -> impl Iterator<Item = usize> {
    (0..rows).flat_map(move |i| (0..columns).map(move |j| i * row + j * column))
}

/// See [`Isa::lay_windows`](crate::arch::Isa::lay_windows).
pub(crate) fn lay_windows(laid: &Laid<'_>, to: &mut [i8], pitch: usize) {
    for (i, at) in places(laid.windows, laid.steps).enumerate() {
        let to = to.get_mut(i / 2 * pitch..).unwrap_or_default();
        for (j, tap) in places(laid.taps, laid.tap_steps).enumerate() {
            widen_lane(run(laid.x, at + tap, laid.len), to, j * laid.len, i % 2);
        }
    }
}
