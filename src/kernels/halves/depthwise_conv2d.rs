//! Convolution of each channel by itself, four windows at a time, which share their weights.

use super::ring::{Pixels, Rows};
use crate::arch::halves::Windows;
use crate::arch::{Isa, run};
use crate::ir::{DepthwiseConv2d, Halves, IntData, Ring};
use crate::kernels::Flow;

/// Depthwise convolution of `x` into `y`, packed as [`RingDepthwise`](crate::ir::Packing::RingDepthwise).
#[inline(never)]
pub(crate) fn depthwise_conv2d<I: Isa>(
    isa: I,
    conv: &DepthwiseConv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, zero), (y, _)) = (flow.x, flow.y);
    let channels = usize::from(x.c);
    let [kernel, stride, dilation] = [conv.window.kernel, conv.window.stride, conv.window.dilation];
    let [rows, columns] = kernel.map(usize::from);
    let [row_step, column_step] = stride.map(usize::from);
    let [row_dilation, column_dilation] = dilation.map(usize::from);
    let mut image = Rows::new(Ring::new(&conv.window, x), zero, scratch);
    let windows = Windows {
        weights: data.weights,
        requant: data.requant,
        bias: data.bias,
        channels,
        pixels: 0,
        store: flow.store(data.clamp),
    };
    let mut pixels = Pixels::new([y.h, y.w].map(usize::from));
    let mut pixel = 0;
    while let Some((four, count)) = pixels.four() {
        image.fill(flow.input(), four[3].0 * row_step + (rows - 1) * row_dilation + 1);
        let mut taps = [[0; Halves::PIXELS]; Ring::TAPS];
        let mut next = taps.iter_mut();
        for ky in 0..rows {
            let mut places = four
                .map(|(oy, ox)| image.at(oy * row_step + ky * row_dilation) + ox * column_step * channels);
            for tap in next.by_ref().take(columns) {
                *tap = places;
                places.iter_mut().for_each(|place| *place += column_dilation * channels);
            }
        }
        let taps = run(&taps, 0, rows * columns);
        let (source, y) = image.apart(&mut flow.bytes);
        let y = y.get_mut(pixel * channels..).unwrap_or_default();
        isa.four_windows(&Windows { pixels: count, ..windows }, source, taps, y);
        pixel += count;
    }
}
