//! A tensor with elements of one value around it.
//!
//! ```text
//! y[h + top][w + left][c + front] = x[h][w][c],  value elsewhere
//! ```
//!
//! Nothing is rounded. Source of the semantics: TensorFlow Lite Micro, `micro/kernels/pad_common.cc`: PAD writes the
//! output's zero point, PADV2 its constant.

use super::{Input, Output};
use crate::arch::run;
use crate::ir::Pad;

/// `x` within a border of `value`.
#[inline(never)]
pub(crate) fn pad(pad: &Pad, value: &[i32], x: Input<'_>, mut y: Output<'_>) {
    let &[value] = value else { return };
    let [top, left, front] = pad.before.map(usize::from);
    let [_, _, back] = pad.after.map(usize::from);
    let [h, w, c] = [x.shape.h, x.shape.w, x.shape.c].map(usize::from);
    let row = usize::from(y.shape.w) * usize::from(y.shape.c);
    y.next(top * row).fill(value as i8);
    for iy in 0..h {
        let mut line = Output { data: y.next(row), ..y };
        line.next(left * usize::from(y.shape.c)).fill(value as i8);
        for ix in 0..w {
            line.next(front).fill(value as i8);
            let x = run(x.data, x.at(iy, ix), c);
            line.next(c).iter_mut().zip(x).for_each(|(y, &x)| *y = x);
            line.next(back).fill(value as i8);
        }
        line.data.fill(value as i8);
    }
    y.data.fill(value as i8);
}
