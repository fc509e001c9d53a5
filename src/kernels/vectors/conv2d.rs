//! Convolution, plain and grouped. The windows of four neighbouring outputs are runs of the ring; they are copied together,
//! each on end, and each unit is a dot product with them. This asks for nothing of the window, so it takes every
//! convolution there is.

use crate::arch::vectors::Dots;
use crate::arch::{Isa, run};
use crate::ir::{Bias, Conv2d, IntData, Ring, Vectors};
use crate::kernels::Flow;
use crate::kernels::ring::{Pixels, Rows};

/// Convolution of `x` into `y`, weights packed as [`Vectors`](crate::ir::Packing::Vectors).
#[inline(never)]
pub(crate) fn conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, flow: &mut Flow<'_>) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, zero), (y, _)) = (flow.x, flow.y);
    let vectors = Vectors::new(conv);
    let [units, channels, span] = [conv.units, x.c, conv.span].map(usize::from);
    let [kernel, stride, dilation] = [conv.window.kernel, conv.window.stride, conv.window.dilation];
    let [rows, columns] = kernel.map(usize::from);
    let [row_step, column_step] = stride.map(usize::from);
    let [row_dilation, column_dilation] = dilation.map(usize::from);
    let group_step = channels.checked_div(vectors.groups).unwrap_or(0);
    // Whether a kernel row is one run.
    let whole = vectors.groups == 1 && span == channels && column_dilation == 1;
    let bias_step = if conv.bias == Bias::Unit { units } else { 0 };
    let Some((windows, kept)) = scratch.split_at_mut_checked(vectors.windows()) else { return };
    let mut image = Rows::new(Ring::new(&conv.window, x), zero, kept);
    let mut pixels = Pixels::new([y.h, y.w].map(usize::from));
    let mut pixel = 0;
    while let Some((four, count)) = pixels.four() {
        let (tops, in_row) =
            (four.map(|(oy, _)| oy * row_step), four.map(|(_, ox)| ox * column_step * channels));
        image.fill(isa, flow.input(), tops[3] + (rows - 1) * row_dilation + 1);
        for group in 0..vectors.groups {
            let channel = group * group_step;
            let mut runs = Runs::new(image.data(flow.input()), windows, vectors.pitch());
            for ky in 0..rows {
                let places = image.places(&tops, ky * row_dilation, &in_row);
                if whole {
                    runs.push(isa, places, columns * channels);
                    continue;
                }
                for kx in 0..columns {
                    // Channels of a group from `channel` on, then after wrapping round.
                    let head = span.min(channels - channel);
                    let first = kx * column_dilation * channels;
                    runs.push(isa, places.map(|place| place + first + channel), head);
                    if head < span {
                        runs.push(isa, places.map(|place| place + first), span - head);
                    }
                }
            }
            runs.lay(isa);
            let first = group * vectors.units;
            let dots = Dots {
                weights: run(data.weights, group * vectors.weights(), vectors.weights()),
                requant: run(data.requant, first, vectors.units),
                bias: data.bias.get(pixel * bias_step + first..).unwrap_or_default(),
                bias_step,
                units: vectors.units,
                vectors: vectors.vectors,
                pixels: count,
                y_step: units,
                store: flow.store(data.clamp),
            };
            let y = flow.output().get_mut(pixel * units + first..).unwrap_or_default();
            isa.dots(&dots, windows, y);
        }
        pixel += count;
    }
}

/// Runs of four windows that are to be copied together.
struct Runs<'a> {
    x: &'a [i8],
    windows: &'a mut [i8],
    pitch: usize,
    /// Elements of a window that are there.
    at: usize,
    /// Where runs that are not begin, and elements of each.
    places: [[usize; Vectors::PIXELS]; MANY],
    count: usize,
    len: usize,
}

/// Runs that are copied at once.
const MANY: usize = 8;

impl<'a> Runs<'a> {
    fn new(x: &'a [i8], windows: &'a mut [i8], pitch: usize) -> Self {
        Self { x, windows, pitch, at: 0, places: [[0; Vectors::PIXELS]; MANY], count: 0, len: 0 }
    }

    /// The next run of each window.
    #[inline(always)]
    fn push(&mut self, isa: impl Isa, places: [usize; Vectors::PIXELS], len: usize) {
        if len != self.len || self.count == MANY {
            self.lay(isa);
            self.len = len;
        }
        if let Some(to) = self.places.get_mut(self.count) {
            *to = places;
        }
        self.count += 1;
    }

    /// Copies those that are not there.
    #[inline(never)]
    fn lay(&mut self, isa: impl Isa) {
        let to = self.windows.get_mut(self.at..).unwrap_or_default();
        isa.lay_runs(self.x, run(&self.places, 0, self.count), self.len, to, self.pitch);
        self.at += self.count * self.len;
        self.count = 0;
    }
}
