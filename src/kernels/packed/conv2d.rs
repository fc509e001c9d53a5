//! Convolution, plain and grouped, by windows copied together.
//!
//! Some pixels at a time: what their windows see is widened to int16 and interleaved word by word for each two of them,
//! border and all. They are then a matrix times vectors, four units and two pixels a time. This asks for nothing of the
//! window, so it takes every convolution there is.
//!
//! Windows so long that sums of two units in one could not be told apart are cut into sections, each a run of its own.

use super::{activate, factors, quads, shared};
use crate::arch::packed::{Quads, Runs, Sight};
use crate::arch::{Isa, run};
use crate::ir::{Bias, Bunches, Chunk, Conv2d, IntData, Sections};
use crate::kernels::{Axis, Flow, Input};

/// Convolution of `x` into `y`, weights packed as [`DspPatch`](crate::ir::Packing::DspPatch). `rests` tells how many units
/// there may be behind quads.
#[inline(never)]
pub(crate) fn conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, flow: &mut Flow<'_>, rests: u8) {
    by_patches::<I, false>(isa, conv, data, flow, rests);
}

/// The same of sums of any size, packed as [`DspLongPatch`](crate::ir::Packing::DspLongPatch).
#[inline(never)]
pub(crate) fn long_conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, flow: &mut Flow<'_>, rests: u8) {
    by_patches::<I, true>(isa, conv, data, flow, rests);
}

#[inline(always)]
fn by_patches<I: Isa, const LONG: bool>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
    rests: u8,
) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, _), (y, zero)) = (flow.x, flow.y);
    let [units, channels] = [conv.units, x.c].map(usize::from);
    let (rows, columns) = (Axis::rows(&conv.window, x), Axis::columns(&conv.window, x));
    let chunk = if LONG { Chunk::long } else { Chunk::new }(conv, x.c, scratch.len());
    let groups = usize::from(conv.groups).checked_div(chunk.merged).unwrap_or(0);
    let span = usize::from(conv.span) * chunk.merged;
    if chunk.pixels == 0 {
        return;
    }
    let Some(patches) = scratch.get_mut(..chunk.scratch()) else { return };
    if chunk.elements % 2 == 1 || LONG {
        patches.fill(0); // the last element has a neighbour whose weight is 0
    }
    let per_group = units.checked_div(groups).unwrap_or(0);
    let each = Bunches::quads(per_group).units();
    let all = groups * each;
    let bias_step = if conv.bias == Bias::Unit { all } else { 0 };
    let (width, end) = (usize::from(y.w), usize::from(y.h) * usize::from(y.w));
    let patch = 8 * chunk.pairs;
    let quad: [_; 4] = shared(data.requant);
    let (mut oy, mut ox, mut pixel) = (0, 0, 0);
    while pixel < end {
        let pixels = chunk.pixels.min(end - pixel);
        let bias = run(data.bias, pixel * bias_step, if bias_step == 0 { all } else { pixels * all });
        let (mut next, mut weights, mut first) = ((oy, ox), 0, 0);
        for group in 0..groups {
            next = (oy, ox);
            let channel = group * channels.checked_div(groups).unwrap_or(0);
            let window = Patches { x: flow.input(), rows, columns, span };
            let mut i = 0;
            while i < pixels {
                let to = patches.get_mut(i / 2 * patch..).unwrap_or_default();
                let count = columns.alike(next.1).min(width - next.1).min(pixels - i);
                window.gather(isa, next, channel, count, to, patch, i % 2);
                i += count;
                next.1 += count;
                if next.1 >= width {
                    next = (next.0 + 1, 0);
                }
            }
            let (requant, requant_step) = factors(data.requant, first, &quad);
            let of_group = Quads {
                weights: run(data.weights, weights, patch / 4 * each),
                requant,
                requant_step,
                bias: bias.get(first..).unwrap_or_default(),
                bias_step,
                count: per_group / 4,
                pixels,
                pairs: chunk.pairs,
                x_from: 0,
                x_step: patch,
                y_step: units,
                row_steps: [0; 2],
                zero,
            };
            let y = flow.output().get_mut(pixel * units + group * per_group..).unwrap_or_default();
            if LONG {
                long_quads(isa, of_group, patches, y, (per_group, rests));
            } else {
                quads::<I, false>(isa, &of_group, (1, Runs::one(patches)), y, per_group, rests);
            }
            (weights, first) = (weights + patch / 4 * each, first + each);
        }
        (oy, ox) = next;
        let y = flow.output().get_mut(pixel * units..).unwrap_or_default();
        activate(isa, y.get_mut(..pixels * units).unwrap_or_default(), data.clamp);
        pixel += pixels;
    }
}

/// [`quads`] of long sums over windows in sections.
#[inline(never)]
fn long_quads<I: Isa>(isa: I, mut all: Quads<'_>, patches: &[i8], y: &mut [i8], (units, rests): (usize, u8)) {
    let sections = Sections::of(all.pairs);
    let mut begins = [0; Sections::MOST];
    begins.iter_mut().enumerate().for_each(|(i, begin)| *begin = (i * sections.pairs) as u16);
    let runs = Runs { bytes: patches, begins: begins.get(..sections.count).unwrap_or_default() };
    all.pairs = sections.pairs;
    quads::<I, true>(isa, &all, (1, runs), y, units, rests);
}

/// What stays the same for all windows.
struct Patches<'a> {
    x: Input<'a>,
    rows: Axis,
    columns: Axis,
    span: usize,
}

impl Patches<'_> {
    /// Widens what the windows of `count` neighbouring outputs read, from that in row and column `(oy, ox)` on, which see
    /// as much of the image, for the group from `channel` on, in the order of the weights.
    #[inline(never)]
    #[allow(clippy::too_many_arguments)] // which windows, and where to
    fn gather<I: Isa>(
        &self,
        isa: I,
        (oy, ox): (usize, usize),
        channel: usize,
        count: usize,
        to: &mut [i8],
        pitch: usize,
        lane: usize,
    ) {
        let (rows, columns) = (self.rows.taps(oy), self.columns.taps(ox));
        let c = usize::from(self.x.shape.c);
        let mut sight = Sight {
            x: self.x.data.get(self.x.at(rows.at, columns.at) + channel..).unwrap_or_default(),
            rows: rows.thirds(self.rows.kernel),
            row_step: self.rows.dilation * usize::from(self.x.shape.w) * c,
            columns: columns.thirds(self.columns.kernel),
            column_step: self.columns.dilation * c,
            len: self.span,
            border: self.x.zero,
            pixels: count,
            pixel_step: self.columns.stride * c,
        };
        if channel + self.span <= c {
            return isa.gather(&sight, to, pitch, 0, lane);
        }
        // The channels wrap round: each tap is two runs.
        let parts = [(channel, c - channel), (0, self.span + channel - c)];
        let mut at = 0;
        for ky in 0..self.rows.kernel {
            for kx in 0..self.columns.kernel {
                let place = rows.place(ky, self.rows.dilation).zip(columns.place(kx, self.columns.dilation));
                for (part, len) in parts {
                    let (x, inside) = match place {
                        Some((row, column)) => (self.x.data.get(self.x.at(row, column) + part..), 1),
                        None => (None, 0),
                    };
                    sight.x = x.unwrap_or_default();
                    (sight.rows, sight.columns, sight.len) = ([0, inside, 1 - inside], [0, 1, 0], len);
                    isa.gather(&sight, to, pitch, at, lane);
                    at += len;
                }
            }
        }
    }
}
