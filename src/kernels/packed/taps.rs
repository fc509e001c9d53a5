//! Convolution whose windows are copied together out of an image that lies with its border.
//!
//! Rows of the image are copied to scratch, with as much border as windows see: all at once, or as some rows of outputs ask for
//! them. So all windows are alike, however far their taps are apart. As many of them as there is room for are widened to int16
//! and interleaved word by word, two by two; they are a matrix times vectors, four units and two pixels a time.
//!
//! Rows are read in order, each before the output that lies as far down is written.

use super::{activate_all, factors, quads, shared};
use crate::arch::Isa;
use crate::arch::packed::{Laid, Quads, Runs};
use crate::arch::runs::EvenRuns;
use crate::ir::{Bias, Bunches, Conv2d, IntData, Portion, Shape, Taps};
use crate::kernels::{Flow, both};

/// Convolution of `x` into `y`, weights packed as [`DspTaps`](crate::ir::Packing::DspTaps). `rests` tells how many units
/// there may be behind quads.
#[inline(never)]
pub(crate) fn taps_conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, flow: &mut Flow<'_>, rests: u8) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, x_zero), (_, zero)) = (flow.x, flow.y);
    let Some(taps) = Taps::new(conv, x) else { return };
    let Portion { rows, strip, columns } = taps.portion(scratch.len());
    let Some((image, scratch)) = scratch.split_at_mut_checked(taps.held(rows)) else { return };
    let Some((table, windows)) = scratch.split_at_mut_checked(taps.table()) else { return };
    let ([height, width], pitch) = (taps.output, taps.pitch());
    let mut band = Band::new(&taps, conv, x, rows);
    isa.fill([x_zero; 4], image);
    let [down, right] = both(conv.window.stride);
    let [across, along] = both(conv.window.dilation);
    let mut laid = Laid {
        x: &[],
        taps: taps.taps,
        tap_steps: [across * pitch, along * taps.channels],
        len: taps.len,
        windows: [0, 0],
        steps: [down * pitch, right * taps.channels],
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
    while oy < height && columns > 0 {
        let count = strip.min(height - oy);
        let top = band.fill(isa, flow.input().data, image, x_zero, oy * down, taps.band(count));
        for ox in (0..width).step_by(columns) {
            laid.windows = [count, columns.min(width - ox)];
            of_group.pixels = count * laid.windows[1];
            let first = oy * width + ox;
            for group in 0..taps.groups {
                let from = top * pitch + ox * laid.steps[1] + group * taps.merged * usize::from(conv.span);
                let x = image.get(from..).unwrap_or_default();
                isa.lay_windows(&Laid { x, ..laid }, table, windows, window);
                (of_group.requant, of_group.requant_step) = factors(data.requant, group * each, &quad);
                of_group.weights = data.weights.get(group * each * 2 * taps.pairs..).unwrap_or_default();
                of_group.bias = data.bias.get(first * bias_step + group * each..).unwrap_or_default();
                let y = flow.output().get_mut(first * units + group * taps.units..).unwrap_or_default();
                quads::<I, false>(isa, &of_group, (1, Runs::one(windows)), y, taps.units, rests);
            }
        }
        oy += count;
    }
    activate_all(isa, flow, data.clamp);
}

/// Rows of the image with its border, some at a time, all of them border at first. They are numbered with the border above.
struct Band {
    /// The first row that is there, the first one that is not yet, and room for how many.
    first: usize,
    next: usize,
    rows: usize,
    /// Bytes of a row.
    pitch: usize,
    /// Where a row of the image begins in a row, and its elements as far as windows see them; bytes of a row of the image.
    left: usize,
    len: usize,
    row: usize,
    /// Rows of the image, and those of the border above it.
    inside: usize,
    above: usize,
}

impl Band {
    #[inline(always)]
    fn new(taps: &Taps, conv: &Conv2d, x: Shape, rows: usize) -> Self {
        let [above, left] = [conv.window.padding.top, conv.window.padding.left].map(usize::from);
        let [inside, width] = both([x.h, x.w]);
        let channels = taps.channels;
        Self {
            first: 0,
            next: above,
            rows,
            pitch: taps.pitch(),
            left: left * channels,
            len: width.min(taps.seen[1].saturating_sub(left)) * channels,
            row: width * channels,
            inside,
            above,
        }
    }

    /// Sees to it that `count` rows from row `top` on are there. Gives how far the first of them lies behind the first one that
    /// is there.
    #[inline(never)]
    fn fill<I: Isa>(
        &mut self,
        isa: I,
        x: &[i8],
        image: &mut [i8],
        zero: i8,
        top: usize,
        count: usize,
    ) -> usize {
        let end = top + count;
        if end > self.first + self.rows {
            // Those that are seen once more move to the front.
            let kept = self.next.saturating_sub(top).min(self.rows);
            let from = (top - self.first) * self.pitch;
            if from + kept * self.pitch <= image.len() {
                image.copy_within(from..from + kept * self.pitch, 0);
            }
            (self.first, self.next) = (top, self.next.max(top));
        }
        let behind = self.above + self.inside;
        let inside = behind.min(end).saturating_sub(self.next);
        let at = |row: usize| row.saturating_sub(self.first) * self.pitch;
        if inside > 0 {
            let runs = EvenRuns { len: self.len, count: inside, steps: [self.row, self.pitch] };
            let from = self.next.saturating_sub(self.above) * self.row;
            let to = image.get_mut(at(self.next) + self.left..).unwrap_or_default();
            isa.copy_runs(x.get(from..).unwrap_or_default(), to, &runs);
            self.next += inside;
        }
        if end > self.next {
            // Rows of the border, of which some lie where rows of the image did.
            let (from, to) = (at(self.next), at(end));
            image.get_mut(from..to).unwrap_or_default().fill(zero);
            self.next = end;
        }
        top - self.first
    }
}
