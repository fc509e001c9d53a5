//! Convolution and matrix times vector, sixteen units at a time.

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

/// Group after group.
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
    let image = lay::<I>(&fours.image, x, scratch);
    let mut places = [0; Fours::MOST];
    let places = spread(&mut places, fours.runs, fours.run_steps);
    let each = Fours::UNITS * fours.blocks();
    let bias = biases::<I>(data.bias);
    let y_step = fours.groups * fours.units;
    for group in 0..fours.groups {
        let sixteens = Sixteens {
            weights: run(data.weights, group * fours.weights(), fours.weights()),
            requant: run(data.requant, group * each, each),
            bias: bias.get(group * each..).unwrap_or_default(),
            bias_step: if bias_of_pixel { each * fours.groups } else { 0 },
            units: fours.units,
            runs: places,
            quads: fours.quads(),
            grid,
            steps: fours.image.steps,
            y_step,
            store: y.store(data.clamp),
        };
        let x = image.get(group * fours.channels..).unwrap_or_default();
        isa.sixteens(&sixteens, x, y.data.get_mut(group * fours.units..).unwrap_or_default());
    }
}
