//! Convolution whose windows are read where rows lie widened.
//!
//! Each row of the image is widened to int16 once, into a ring of as many rows as the kernel has, and there twice,
//! interleaved word by word: as it is, and ahead by what lies between two outputs. So the windows of two neighbouring
//! outputs are runs that one address serves; nothing is copied together, unless rows of windows are so short that
//! finding them costs more. The border is in the ring like any other element.
//!
//! Rows are read in order, each before the output that lies as far down is written.

use super::{activate, factors, quads, shared};
use crate::arch::packed::{Lines, Quads, Runs, Sight};
use crate::arch::{Isa, run};
use crate::ir::{Bias, Bunches, Conv2d, IntData, Lanes, Parts};
use crate::kernels::{Flow, Input};

/// Convolution of `x` into `y`, weights packed as [`DspRows`](crate::ir::Packing::DspRows). `parts` may
/// be told to be absent where no net has them.
#[inline(never)]
pub(crate) fn rows_conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
    parts: Parts,
) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, x_zero), (_, zero)) = (flow.x, flow.y);
    let Some(lanes) = Lanes::new(conv, x) else { return };
    flow.x.0 = lanes.image;
    let (units, each) = (usize::from(conv.units), Bunches::quads(lanes.units).units());
    let bias_step = if conv.bias == Bias::Unit { lanes.groups * each } else { 0 };
    let collected = lanes.collects() && bias_step == 0 && scratch.len() >= lanes.collected();
    let Some((ring, scratch)) = scratch.split_at_mut_checked(lanes.ring()) else { return };
    let [height, width] = lanes.output;
    let Some((odd_ones, windows)) = scratch.split_at_mut_checked(width % 2 * lanes.window()) else { return };
    let quad: [_; 4] = shared(data.requant);
    let all = lanes.pairs * lanes.rows;
    for group in 0..lanes.groups {
        let (requant, requant_step) = factors(data.requant, group * each, &quad);
        let mut of_row = Quads {
            weights: data.weights.get(group * each * 2 * all..).unwrap_or_default(),
            requant,
            requant_step,
            bias: data.bias,
            bias_step,
            count: lanes.units / 4,
            pixels: width - width % 2,
            pairs: if collected { all } else { lanes.pairs },
            x_from: 0,
            x_step: if collected { 8 * all } else { 8 * lanes.ahead },
            y_step: units,
            zero,
        };
        let mut ring = Ring::new(&lanes, group * lanes.channels, x_zero, ring);
        for oy in 0..height {
            let top = oy * lanes.below;
            ring.fill(isa, flow.input(), top + lanes.rows, parts.groups);
            let mut begins = [0; Lanes::MOST];
            let runs = ring.window(top, &mut begins);
            let from = oy * width * units + group * lanes.units;
            let y = flow.output().get_mut(from..).unwrap_or_default();
            of_row.bias = data.bias.get(oy * width * bias_step + group * each..).unwrap_or_default();
            if collected {
                isa.collect(runs, lanes.pairs, 8 * lanes.ahead, width / 2, windows);
                quads(isa, &of_row, Runs::one(windows), y, lanes.units, parts);
            } else {
                quads(isa, &of_row, runs, y, lanes.units, parts);
            }
            if width % 2 == 1 {
                odd_one(isa, &of_row, &lanes, runs, odd_ones, (oy, group), data.bias, flow.output(), parts);
            }
        }
    }
    activate(isa, flow.output(), data.clamp);
}

/// The last window of row `oy`, which has none beside it: it waits for that of the next row, unless this one is the last.
#[inline(never)]
#[allow(clippy::too_many_arguments)] // which windows, and where to
fn odd_one<I: Isa>(
    isa: I,
    of_row: &Quads<'_>,
    lanes: &Lanes,
    runs: Runs<'_>,
    windows: &mut [i8],
    (oy, group): (usize, usize),
    bias: &[i32],
    y: &mut [i8],
    parts: Parts,
) {
    let [height, width] = lanes.output;
    isa.collect_first(runs, lanes.pairs, 8 * lanes.ahead * (width / 2), windows, oy % 2);
    if oy % 2 == 0 && oy + 1 < height {
        return;
    }
    // The odd ones of two rows are a pair, a row apart.
    let pixel = (oy - oy % 2) * width + width - 1;
    let (units, each) = (of_row.y_step, Bunches::quads(lanes.units).units());
    let of_odd = Quads {
        bias: bias.get(pixel * of_row.bias_step + group * each..).unwrap_or_default(),
        bias_step: width * of_row.bias_step,
        pixels: 1 + oy % 2,
        pairs: lanes.pairs * lanes.rows,
        y_step: width * units,
        ..*of_row
    };
    let y = y.get_mut(pixel * units + group * lanes.units..).unwrap_or_default();
    quads(isa, &of_odd, Runs::one(windows), y, lanes.units, parts);
}

/// Widened rows of a group, the latest few.
struct Ring<'a> {
    lanes: &'a Lanes,
    /// The group's first channel.
    channel: usize,
    /// Zero point of the image.
    zero: i8,
    rows: &'a mut [i8],
    /// The next row to be widened.
    next: usize,
}

impl<'a> Ring<'a> {
    fn new(lanes: &'a Lanes, channel: usize, zero: i8, rows: &'a mut [i8]) -> Self {
        let mut ring = Self { lanes, channel, zero, rows, next: 0 };
        for row in 0..lanes.rows {
            ring.border(row);
        }
        ring
    }

    /// Where a row begins, in eights of bytes.
    #[inline(always)]
    fn at(&self, row: usize) -> u16 {
        (row.checked_rem(self.lanes.rows).unwrap_or(0) * self.lanes.pitch() / 8) as u16
    }

    /// The rows that a window from `top` on reads.
    #[inline(always)]
    fn window<'s>(&'s self, top: usize, begins: &'s mut [u16]) -> Runs<'s> {
        let begins = begins.get_mut(..self.lanes.rows).unwrap_or_default();
        for (i, begin) in begins.iter_mut().enumerate() {
            *begin = self.at(top + i);
        }
        Runs { bytes: self.rows, begins }
    }

    /// A row, to be written.
    fn row(&mut self, row: usize) -> &mut [i8] {
        let (at, pitch) = (8 * usize::from(self.at(row)), self.lanes.pitch());
        self.rows.get_mut(at..).and_then(|rows| rows.get_mut(..pitch)).unwrap_or_default()
    }

    /// A row of zero points.
    fn border(&mut self, row: usize) {
        let [low, high] = [self.zero, self.zero >> 7];
        self.row(row).as_chunks_mut().0.fill([low, high, low, high]);
    }

    /// Widens all rows before `end`.
    #[inline(never)]
    fn fill<I: Isa>(&mut self, isa: I, x: Input<'_>, end: usize, groups: bool) {
        let Input { shape, data, .. } = x;
        let Lanes { channels, elements, left, ahead, top, .. } = *self.lanes;
        let (c, width) = (usize::from(shape.c), usize::from(shape.w));
        let channel = self.channel;
        while self.next < end {
            match self.next.checked_sub(top) {
                Some(row) if row < usize::from(shape.h) => {
                    let to = self.row(self.next);
                    let x = run(data, row * width * c, width * c);
                    // What lies before lane 1 begins, and where in it the row does.
                    for (lane, before, place) in
                        [(0, 0, left), (1, ahead.saturating_sub(left), left.saturating_sub(ahead))]
                    {
                        if channels == c || !groups {
                            let x = x.get(before..).unwrap_or_default();
                            let x = x.get(..elements.saturating_sub(place)).unwrap_or(x);
                            isa.widen_pixels(&Lines { x, len: x.len(), step: 0, count: 1 }, to, 0, place, lane);
                            continue;
                        }
                        // The same for channels of some pixels.
                        let first = before / channels;
                        let last = width.min(first + (elements.saturating_sub(place)) / channels);
                        let sight = Sight {
                            x: x.get(first * c + channel..).unwrap_or_default(),
                            rows: [0, 1, 0],
                            row_step: 0,
                            columns: [0, last.saturating_sub(first), 0],
                            column_step: c,
                            len: channels,
                            border: 0,
                            pixels: 1,
                            pixel_step: 0,
                        };
                        isa.gather(&sight, to, 0, place, lane);
                    }
                }
                _ => self.border(self.next),
            }
            self.next += 1;
        }
    }
}
