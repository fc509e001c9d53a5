//! Convolution whose windows are copied together out of an image that lies with its border.
//!
//! The image is copied to scratch first, with as much border as windows see. So all windows are alike, however far their taps
//! are apart, and the output may lie over the input. Then, some rows of outputs at a time, windows are widened to int16 and
//! interleaved word by word for each two of them; they are a matrix times vectors, four units and two pixels a time.

use super::{activate_all, factors, quads, shared};
use crate::arch::packed::{Laid, Quads, Runs};
use crate::arch::runs::EvenRuns;
use crate::arch::Isa;
use crate::ir::{Bias, Bunches, Conv2d, IntData, Taps};
use crate::kernels::{Flow, both};

/// Convolution of `x` into `y`, weights packed as [`DspTaps`](crate::ir::Packing::DspTaps). `rests` tells how many units
/// there may be behind quads.
#[inline(never)]
pub(crate) fn taps_conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, flow: &mut Flow<'_>, rests: u8) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, x_zero), (_, zero)) = (flow.x, flow.y);
    let Some(taps) = Taps::new(conv, x) else { return };
    let strip = taps.strip(scratch.len());
    let Some((image, scratch)) = scratch.split_at_mut_checked(taps.held()) else { return };
    let Some((table, windows)) = scratch.split_at_mut_checked(taps.table()) else { return };
    let ([height, width], [rows, columns], channels) = (taps.output, taps.seen, taps.channels);
    let pitch = columns * channels;
    isa.fill([x_zero; 4], image);
    let [top, left] = [conv.window.padding.top, conv.window.padding.left].map(usize::from);
    let [h, w] = both([x.h, x.w]);
    let seen = EvenRuns {
        len: w.min(columns.saturating_sub(left)) * channels,
        count: h.min(rows.saturating_sub(top)),
        steps: [w * channels, pitch],
    };
    isa.copy_runs(flow.input().data, image.get_mut(top * pitch + left * channels..).unwrap_or_default(), &seen);
    let [down, right] = both(conv.window.stride);
    let [across, along] = both(conv.window.dilation);
    let mut laid = Laid {
        x: &[],
        taps: taps.taps,
        tap_steps: [across * pitch, along * channels],
        len: taps.len,
        windows: [0, width],
        steps: [down * pitch, right * channels],
    };
    let units = usize::from(conv.units);
    let (each, window) = (Bunches::quads(taps.units).units(), taps.window());
    let bias_step = if conv.bias == Bias::Unit { taps.groups * each } else { 0 };
    let quad: [_; 4] = shared(data.requant);
    let mut of_group = Quads {
        weights: data.weights,
        requant: data.requant,
        requant_step: 0,
        bias: data.bias,
        bias_step,
        count: taps.units / 4,
        pixels: 0,
        pairs: taps.pairs,
        x_from: 0,
        x_step: window,
        y_step: units,
        row_steps: [0; 2],
        zero,
    };
    let mut oy = 0;
    while oy < height && strip > 0 {
        let count = strip.min(height - oy);
        (laid.windows[0], of_group.pixels) = (count, count * width);
        let first = oy * width;
        for group in 0..taps.groups {
            let from = oy * laid.steps[0] + group * taps.merged * usize::from(conv.span);
            laid.x = image.get(from..).unwrap_or_default();
            isa.lay_windows(&laid, table, windows, window);
            (of_group.requant, of_group.requant_step) = factors(data.requant, group * each, &quad);
            of_group.weights = data.weights.get(group * each * 2 * taps.pairs..).unwrap_or_default();
            of_group.bias = data.bias.get(first * bias_step + group * each..).unwrap_or_default();
            let y = flow.output().get_mut(first * units + group * taps.units..).unwrap_or_default();
            quads::<I, false>(isa, &of_group, (1, Runs::one(windows)), y, taps.units, rests);
        }
        oy += count;
    }
    activate_all(isa, flow, data.clamp);
}
