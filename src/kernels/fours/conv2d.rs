//! Convolution and matrix times vector, sixteen units at a time, for several samples back to back.

use super::{biases, lay, spread};
use crate::arch::fours::Sixteens;
use crate::arch::{Isa, run};
use crate::ir::{Bias, Conv2d, Dense, Fours, IntData};
use crate::kernels::{Input, Output};

/// Convolution of `x` into `y`, weights packed as [`Fours`](crate::ir::Packing::Fours).
#[inline(never)]
pub(crate) fn conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    x: Input<'_>,
    y: Output<'_>,
    scratch: &mut [i8],
) {
    if let Some(fours) = Fours::conv2d(conv, x.shape) {
        let grid = [y.shape.h, y.shape.w].map(usize::from);
        groups(isa, &fours, grid, conv.bias == Bias::Unit, data, x, y, scratch);
    }
}

/// `W x + b` into `y`, weights packed as [`Fours`](crate::ir::Packing::Fours).
#[inline(never)]
pub(crate) fn dense<I: Isa>(
    isa: I,
    dense: &Dense,
    data: &IntData<'_>,
    x: Input<'_>,
    y: Output<'_>,
    scratch: &mut [i8],
) {
    groups(isa, &Fours::dense(dense, x.shape), [1, 1], false, data, x, y, scratch);
}

/// Bytes of image, bordered image and output that as many samples as are done at once may take, unless weights take more:
/// about what a data cache of the first level holds.
const AT_ONCE: usize = 32 << 10;

/// Some samples after others, group after group.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // an operator and its tensors
fn groups<I: Isa>(
    isa: I,
    fours: &Fours,
    grid: [usize; 2],
    bias_of_pixel: bool,
    data: &IntData<'_>,
    x: Input<'_>,
    y: Output<'_>,
    scratch: &mut [i8],
) {
    let mut places = [0; Fours::MOST];
    let places = spread(&mut places, fours.runs, fours.run_steps);
    let each = Fours::UNITS * fours.blocks();
    let bias = biases::<I>(data.bias);
    let y_step = fours.groups * fours.units;
    let (x_len, y_len) = (x.shape.len(), grid[0] * grid[1] * y_step);
    let sample = x_len + fours.image.len + y_len;
    let room = if data.weights.len() > AT_ONCE { data.weights.len() } else { AT_ONCE };
    let alone = bias_of_pixel || x.data.len() == x_len; // no division for what is only one
    let most = if alone { 1 } else { room.checked_div(sample).unwrap_or(0).max(1) };
    let store = y.store(data.clamp);
    // Where windows of rows lie on end, as those of single pixels do, all rows are one.
    let joined = fours.image.steps[0] == grid[1] * fours.image.steps[1];
    let [rows, columns] = if joined { [1, grid[0] * grid[1]] } else { grid };
    for (x_data, y) in x.data.chunks(most * x_len).zip(y.data.chunks_mut(most * y_len)) {
        let count = if alone { 1 } else { x_data.len().checked_div(x_len).unwrap_or(0) };
        let (image, step) = lay(isa, &fours.image, Input { data: x_data, ..x }, scratch);
        for group in 0..fours.groups {
            let sixteens = Sixteens {
                weights: run(data.weights, group * fours.weights(), fours.weights()),
                requant: run(data.requant, group * each, each),
                bias: bias.get(group * each..).unwrap_or_default(),
                bias_step: if bias_of_pixel { each * fours.groups } else { 0 },
                units: fours.units,
                runs: places,
                quads: fours.quads(),
                grid: [count, rows, columns],
                steps: [step, fours.image.steps[0], fours.image.steps[1]],
                y_step,
                store,
            };
            let x = image.get(group * fours.channels..).unwrap_or_default();
            isa.sixteens(&sixteens, x, y.get_mut(group * fours.units..).unwrap_or_default());
        }
    }
}
