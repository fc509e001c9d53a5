//! Convolution, plain and grouped.
//!
//! Each window is copied together, border and all, unless it is one run of the input; then a pixel of a group is a matrix
//! times a vector, four units at a time, a byte of weights for two elements.

use super::{Biases, units};
use crate::arch::{Isa, Matrix};
use crate::ir::{Bias, Conv2d, IntData, Nibbles, Packing};
use crate::kernels::window::Windows;
use crate::kernels::{Input, Output};

/// Convolution of `x` into `y`, weights packed as [`Nibbles`](Packing::Nibbles) or [`NibblesShort`](Packing::NibblesShort).
#[inline(never)]
pub(crate) fn conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    x: Input<'_>,
    mut y: Output<'_>,
    scratch: &mut [i8],
) {
    let [all, channels, groups] = [conv.units, x.shape.c, conv.groups].map(usize::from);
    let windows = Windows::new(conv, x);
    let k = Nibbles::bytes(windows.len());
    let matrix = Matrix::new(data, k, y.store(data.clamp));
    let biases = match data.packing {
        Packing::NibblesShort => Biases::Halves(data.bias),
        _ => Biases::Words(data.bias),
    };
    let bias_step = if conv.bias == Bias::Unit { all } else { 0 };
    let per_group = all.checked_div(groups).unwrap_or(0);
    let group_step = channels.checked_div(groups).unwrap_or(0);
    let window = scratch.get_mut(..windows.len()).unwrap_or_default();
    let mut bias = 0;
    for oy in 0..y.shape.h.into() {
        let rows = windows.rows.taps(oy);
        for ox in 0..y.shape.w.into() {
            let columns = windows.columns.taps(ox);
            let y = y.next(all);
            if let Some(x) = windows.in_place(rows, columns) {
                units(isa, &matrix, 0..all, x, (biases, bias), y);
            } else {
                for group in 0..groups {
                    windows.gather(rows, columns, group * group_step, window);
                    let of_group = group * per_group..(group + 1) * per_group;
                    units(isa, &matrix, of_group, window, (biases, bias), y);
                }
            }
            bias += bias_step;
        }
    }
}
