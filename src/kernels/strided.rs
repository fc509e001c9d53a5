//! Elements at even steps along each axis: what slicing, transposing and repeating have in common.
//!
//! ```text
//! y[h][w][c] = x[start + h * rows + w * columns + c * channels]
//! ```
//!
//! A step of 0 repeats, a negative one runs backwards. The data-movement operators round nothing: TensorFlow Lite
//! Micro copies bytes, and so do these.
//!
//! Tricks:
//! 1. Channels that lie side by side are copied as a run.

use super::{Input, Output};
use crate::arch::run;
use crate::ir::{Shape, Slice};

/// Distance in memory from an element to its neighbour along each axis.
type Steps = [isize; 3];

/// The steps of a tensor that lies row by row.
fn steps(shape: Shape) -> Steps {
    let [w, c] = [shape.w, shape.c].map(|extent| extent as isize);
    [w * c, c, 1]
}

/// The steps that repeat a tensor along every axis on which it has one element.
pub(super) fn repeated(shape: Shape) -> Steps {
    let [rows, columns, channels] = steps(shape);
    let of = |extent: u16, step: isize| if extent == 1 { 0 } else { step };
    [of(shape.h, rows), of(shape.w, columns), of(shape.c, channels)]
}

/// Fills `y` with elements of `x` from `start` on.
fn gather(x: &[i8], start: usize, steps: Steps, mut y: Output<'_>) {
    let channels = usize::from(y.shape.c);
    let mut row = start;
    for _ in 0..y.shape.h {
        let mut pixel = row;
        for _ in 0..y.shape.w {
            let to = y.next(channels);
            if steps[2] == 1 {
                to.iter_mut().zip(run(x, pixel, channels)).for_each(|(y, &x)| *y = x);
            } else {
                let mut at = pixel;
                for y in to {
                    *y = x.get(at).copied().unwrap_or(*y);
                    at = at.wrapping_add_signed(steps[2]);
                }
            }
            pixel = pixel.wrapping_add_signed(steps[1]);
        }
        row = row.wrapping_add_signed(steps[0]);
    }
}

/// Repeats `x` along its axes of one element to the shape of `y`.
#[inline(never)]
pub(crate) fn repeat(x: Input<'_>, y: Output<'_>) {
    gather(x.data, 0, repeated(x.shape), y);
}

/// The elements of `x` that `slice` names.
#[inline(never)]
pub(crate) fn slice(slice: &Slice, x: Input<'_>, y: Output<'_>) {
    let whole = steps(x.shape);
    let (mut start, mut picked) = (0, whole);
    for (((picked, &whole), begin), stride) in
        picked.iter_mut().zip(&whole).zip(slice.begin).zip(slice.stride)
    {
        start += usize::from(begin) * whole as usize;
        *picked = whole.wrapping_mul(stride.into());
    }
    gather(x.data, start, picked, y);
}

/// `x` with its axes in another order: axis `i` of `y` is axis `order[i]` of `x`.
#[inline(never)]
pub(crate) fn transpose(order: [u8; 3], x: Input<'_>, y: Output<'_>) {
    let from = steps(x.shape);
    let turned = order.map(|axis| from.get(usize::from(axis)).copied().unwrap_or(0));
    gather(x.data, 0, turned, y);
}
