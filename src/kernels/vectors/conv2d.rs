//! Convolution, plain and grouped. The windows of four neighbouring outputs are runs of the ring; they are copied together,
//! each on end, and each unit is a dot product with them. This asks for nothing of the window, so it takes every
//! convolution there is.

use crate::arch::vectors::Dots;
use crate::arch::{Isa, Store, run};
use crate::ir::{Bias, Conv2d, IntData, Ring, Vectors};
use crate::kernels::Flow;
use crate::kernels::ring::{Pixels, Rows};

/// Convolution of `x` into `y`, weights packed as [`Vectors`](crate::ir::Packing::Vectors).
#[inline(never)]
pub(crate) fn conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, flow: &mut Flow<'_>) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, zero), (y, _)) = (flow.x, flow.y);
    let vectors = Vectors::new(conv);
    let [channels, span] = [x.c, conv.span].map(usize::from);
    let Some((windows, kept)) = scratch.split_at_mut_checked(vectors.windows()) else { return };
    let image = Rows::new(Ring::new(&conv.window, x), zero, kept);
    let group_step = channels.checked_div(vectors.groups).unwrap_or(0);
    let in_row = conv.window.dilation[1] == 1 || conv.window.kernel[1] == 1;
    let whole = vectors.groups == 1 && span == channels && in_row;
    let mut size = [y.h, y.w].map(usize::from);
    if whole && conv.window.is_point() {
        size = [1, size[0] * size[1]]; // neighbours all of them
    }
    let [rows, columns] = conv.window.kernel.map(usize::from);
    let runs = if whole { [rows, 1] } else { [rows, columns] };
    let job = Job {
        isa,
        vectors,
        data,
        store: flow.store(data.clamp),
        size,
        steps: [usize::from(conv.window.stride[0]), usize::from(conv.window.stride[1]) * channels],
        runs,
        run_steps: [usize::from(conv.window.dilation[0]), usize::from(conv.window.dilation[1]) * channels],
        len: if whole { columns * channels } else { span },
        channels,
        group_step,
        wraps: (vectors.groups - 1) * group_step + span > channels,
        bias_step: if conv.bias == Bias::Unit { conv.units.into() } else { 0 },
    };
    if size[1] >= Vectors::PIXELS && !job.wraps && runs[0] * runs[1] <= MANY {
        job.by_rows(image, windows, flow);
    } else {
        job.by_fours(image, windows, flow);
    }
}

/// Runs that are copied at once.
const MANY: usize = 12;

/// Where runs of four windows begin.
type Places = [[usize; Vectors::PIXELS]; MANY];

/// What stays the same for all windows.
struct Job<'a, I> {
    isa: I,
    vectors: Vectors,
    data: &'a IntData<'a>,
    store: Store,
    /// Rows and columns of outputs.
    size: [usize; 2],
    /// From a window to the one below, in rows, and to the one on its right, in elements.
    steps: [usize; 2],
    /// Rows and columns of runs in a window: a kernel row is one, or each of its taps.
    runs: [usize; 2],
    /// From a run to the one below, in rows, and to the one on its right, in elements.
    run_steps: [usize; 2],
    /// Elements of a run.
    len: usize,
    channels: usize,
    /// Channels from a group to the next.
    group_step: usize,
    /// Whether the last groups read beyond the last channel, from the first one on.
    wraps: bool,
    bias_step: usize,
}

impl<I: Isa> Job<'_, I> {
    /// Units of all groups.
    fn units(&self) -> usize {
        self.vectors.groups * self.vectors.units
    }

    /// Rows that a window spans.
    fn reach(&self) -> usize {
        (self.runs[0] - 1) * self.run_steps[0] + 1
    }

    /// What the units of a group read, and where their first output and bias is.
    #[inline(always)]
    fn dots(&self, group: usize) -> (Dots<'_>, usize) {
        let Vectors { units, vectors, .. } = self.vectors;
        let (first, weights) = (group * units, self.vectors.weights());
        let dots = Dots {
            weights: run(self.data.weights, group * weights, weights),
            requant: run(self.data.requant, first, units),
            bias: &[],
            bias_step: self.bias_step,
            units,
            vectors,
            pixels: 0,
            y_step: self.units(),
            store: self.store,
        };
        (dots, first)
    }

    /// The outputs of some pixels from `pixel` on.
    #[inline(always)]
    fn finish(&self, (dots, first): (Dots<'_>, usize), pixel: usize, pixels: usize, x: &[i8], y: &mut [i8]) {
        let bias = self.data.bias.get(pixel * self.bias_step + first..).unwrap_or_default();
        let y = y.get_mut(pixel * dots.y_step + first..).unwrap_or_default();
        self.isa.dots(&Dots { bias, pixels, ..dots }, x, y);
    }

    /// Row after row, four pixels of one at a time, whose windows are as far apart as any.
    #[inline(never)]
    fn by_rows(&self, mut image: Rows<'_>, windows: &mut [i8], flow: &mut Flow<'_>) {
        let (isa, [height, width], pitch) = (self.isa, self.size, self.vectors.pitch());
        let mut places: Places = [[0; Vectors::PIXELS]; MANY];
        for oy in 0..height {
            let top = oy * self.steps[0];
            image.fill(isa, flow.input(), top + self.reach());
            for group in 0..self.vectors.groups {
                let dots = self.dots(group);
                let mut next = places.iter_mut();
                for ky in 0..self.runs[0] {
                    let mut place = image.at(top + ky * self.run_steps[0]) + group * self.group_step;
                    for to in next.by_ref().take(self.runs[1]) {
                        *to = core::array::from_fn(|i| place + i * self.steps[1]);
                        place += self.run_steps[1];
                    }
                }
                let runs = places.get_mut(..self.runs[0] * self.runs[1]).unwrap_or_default();
                let mut ox = 0;
                while ox < width {
                    let count = Vectors::PIXELS.min(width - ox);
                    if count < Vectors::PIXELS {
                        // The first one stands for those that are not there.
                        for run in runs.iter_mut() {
                            *run = core::array::from_fn(|i| run[if i < count { i } else { 0 }]);
                        }
                    }
                    isa.lay_runs(image.data(flow.input()), runs, self.len, windows, pitch);
                    self.finish(dots, oy * width + ox, count, windows, flow.output());
                    let step = Vectors::PIXELS * self.steps[1];
                    for [p0, p1, p2, p3] in runs.iter_mut() {
                        (*p0, *p1, *p2, *p3) = (*p0 + step, *p1 + step, *p2 + step, *p3 + step);
                    }
                    ox += count;
                }
            }
        }
    }

    /// Four pixels at a time wherever they lie, and windows of any number of runs.
    #[inline(never)]
    fn by_fours(&self, mut image: Rows<'_>, windows: &mut [i8], flow: &mut Flow<'_>) {
        let isa = self.isa;
        let mut places: Places = [[0; Vectors::PIXELS]; MANY];
        let mut pixels = Pixels::new(self.size);
        let mut pixel = 0;
        while let Some((four, count)) = pixels.four() {
            let (tops, in_row) =
                (four.map(|(oy, _)| oy * self.steps[0]), four.map(|(_, ox)| ox * self.steps[1]));
            image.fill(isa, flow.input(), tops[3] + self.reach());
            for group in 0..self.vectors.groups {
                let channel = group * self.group_step;
                // Channels of a group from `channel` on, then after wrapping round.
                let head = if self.wraps { self.len.min(self.channels - channel) } else { self.len };
                let x = image.data(flow.input());
                let mut runs = Runs {
                    isa,
                    x,
                    windows,
                    pitch: self.vectors.pitch(),
                    at: 0,
                    places: &mut places,
                    count: 0,
                    len: 0,
                };
                for ky in 0..self.runs[0] {
                    let mut from = image.places(&tops, ky * self.run_steps[0], &in_row);
                    for _ in 0..self.runs[1] {
                        runs.push(from.map(|place| place + channel), head);
                        if head < self.len {
                            runs.push(from, self.len - head);
                        }
                        from.iter_mut().for_each(|place| *place += self.run_steps[1]);
                    }
                }
                runs.lay();
                self.finish(self.dots(group), pixel, count, windows, flow.output());
            }
            pixel += count;
        }
    }
}

/// Runs of four windows that are to be copied together.
struct Runs<'a, I> {
    isa: I,
    x: &'a [i8],
    windows: &'a mut [i8],
    pitch: usize,
    /// Elements of a window that are there.
    at: usize,
    /// Where runs that are not begin, how many these are, and elements of each.
    places: &'a mut Places,
    count: usize,
    len: usize,
}

impl<I: Isa> Runs<'_, I> {
    /// The next run of each window.
    #[inline(always)]
    fn push(&mut self, places: [usize; Vectors::PIXELS], len: usize) {
        if len != self.len || self.count == MANY {
            self.lay();
            self.len = len;
        }
        if let Some(to) = self.places.get_mut(self.count) {
            *to = places;
        }
        self.count += 1;
    }

    /// Copies those that are not there.
    #[inline(never)]
    fn lay(&mut self) {
        let to = self.windows.get_mut(self.at..).unwrap_or_default();
        self.isa.lay_runs(self.x, run(self.places, 0, self.count), self.len, to, self.pitch);
        self.at += self.count * self.len;
        self.count = 0;
    }
}
