//! Convolution of each channel by itself, four windows at a time, which share their weights.

use crate::arch::halves::Windows;
use crate::arch::{Isa, run};
use crate::ir::{DepthwiseConv2d, Halves, IntData, Ring};
use crate::kernels::Flow;
use crate::kernels::ring::{Pixels, Rows};

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
    let step = column_dilation * channels;
    let mut taps = [[0; Halves::PIXELS]; Ring::TAPS];
    let mut pixels = Pixels::new([y.h, y.w].map(usize::from));
    let (ahead, mut row) = (Halves::PIXELS * column_step * channels, None);
    let mut pixel = 0;
    while let Some((four, count)) = pixels.four() {
        let (tops, in_row) =
            (four.map(|(oy, _)| oy * row_step), four.map(|(_, ox)| ox * column_step * channels));
        image.fill(isa, flow.input(), tops[3] + (rows - 1) * row_dilation + 1);
        // Behind four of one row lie the next four of it.
        let in_one = tops[0] == tops[3] && count == Halves::PIXELS;
        if in_one && row == Some(tops[0]) {
            for [p0, p1, p2, p3] in taps.iter_mut().take(rows * columns) {
                (*p0, *p1, *p2, *p3) = (*p0 + ahead, *p1 + ahead, *p2 + ahead, *p3 + ahead);
            }
        } else {
            let mut next = taps.iter_mut();
            for ky in 0..rows {
                let [mut p0, mut p1, mut p2, mut p3] = image.places(&tops, ky * row_dilation, &in_row);
                for _ in 0..columns {
                    if let Some(tap) = next.next() {
                        *tap = [p0, p1, p2, p3];
                    }
                    (p0, p1, p2, p3) = (p0 + step, p1 + step, p2 + step, p3 + step);
                }
            }
        }
        row = in_one.then_some(tops[0]);
        let taps = run(&taps, 0, rows * columns);
        let (source, y) = image.apart(&mut flow.bytes);
        let y = y.get_mut(pixel * channels..).unwrap_or_default();
        isa.four_windows(&Windows { pixels: count, ..windows }, source, taps, y);
        pixel += count;
    }
}
