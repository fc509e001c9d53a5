//! Convolution of each channel by itself, 64 lanes at a time, for several samples back to back.
//!
//! A lane is a channel. Where a pixel has so few channels that several pixels fit 64 lanes, and neighbouring outputs see
//! neighbouring pixels, a row of outputs is one long pixel whose weights repeat.

use super::{biases, lay};
use crate::arch::fours::Lanes;
use crate::arch::{Isa, run};
use crate::ir::{DepthwiseConv2d, FourTaps, IntData};
use crate::kernels::{Input, Output};

/// Depthwise convolution of `x` into `y`, weights packed as [`FoursDepthwise`](crate::ir::Packing::FoursDepthwise).
#[inline(never)]
pub(crate) fn depthwise_conv2d<I: Isa>(
    isa: I,
    conv: &DepthwiseConv2d,
    data: &IntData<'_>,
    x: Input<'_>,
    y: Output<'_>,
    scratch: &mut [i8],
) {
    let Some(taps) = FourTaps::new(conv, x.shape) else { return };
    let mut places = [0; FourTaps::MOST];
    for (at, place) in places.iter_mut().enumerate().take(4 * taps.quads()) {
        *place = taps.place(at);
    }
    let [height, width] = [y.shape.h, y.shape.w].map(usize::from);
    let repeated = taps.pixels > 1;
    let (grid, channels) =
        if repeated { ([height, 1], width * taps.channels) } else { ([height, width], taps.channels) };
    let lanes = Lanes {
        weights: data.weights,
        requant: data.requant,
        bias: biases::<I>(data.bias),
        taps: run(&places, 0, 4 * taps.quads()),
        columns: if taps.by_columns { taps.kernel[1] } else { 0 },
        column_step: taps.column_step,
        channels,
        repeated,
        grid,
        steps: taps.image.steps,
        store: y.store(data.clamp),
    };
    // A sample at a time: what is laid for one is still at hand when it is read.
    let (x_len, y_len) = (x.shape.len().max(1), y.shape.len().max(1));
    for (data, y) in x.data.chunks_exact(x_len).zip(y.data.chunks_exact_mut(y_len)) {
        let (image, _) = lay(isa, &taps.image, Input { data, ..x }, scratch);
        isa.lanes(&lanes, image, y);
    }
}
