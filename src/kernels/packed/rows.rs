//! Convolution whose windows are read where rows lie widened.
//!
//! Each row of the image is widened to int16 once, into a ring of as many rows as the kernel has, and there twice,
//! interleaved word by word: as it is, and ahead by what lies between two outputs. So the windows of two neighbouring
//! outputs are runs that one address serves; nothing is copied together, unless rows of windows are so short that
//! finding them costs more. The border is in the ring like any other element.
//!
//! Rows are read in order, each before the output that lies as far down is written.

use super::{activate, factors, quads, shared};
use crate::arch::Isa;
use crate::arch::packed::{Lines, Quads, Runs};
use crate::ir::{Bias, Bunches, Conv2d, IntData, Lanes};
use crate::kernels::{Flow, Input};

/// Convolution of `x` into `y`, weights packed as [`DspRows`](crate::ir::Packing::DspRows). `twos` tells whether there may
/// be units that are no whole quad.
#[inline(never)]
pub(crate) fn rows_conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
    twos: bool,
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
        let mut ring = Ring::new(isa, &lanes, group, x_zero, ring);
        for oy in 0..height {
            ring.fill(isa, flow.input(), oy * lanes.below + lanes.rows);
            let mut begins = [0; Lanes::MOST];
            let runs = ring.window(&mut begins);
            let from = oy * width * units + group * lanes.units;
            let y = flow.output().get_mut(from..).unwrap_or_default();
            of_row.bias = data.bias.get(oy * width * bias_step + group * each..).unwrap_or_default();
            if collected {
                isa.collect(runs, lanes.pairs, 8 * lanes.ahead, width / 2, windows);
                quads(isa, &of_row, Runs::one(windows), y, lanes.units, twos);
            } else {
                quads(isa, &of_row, runs, y, lanes.units, twos);
            }
            if width % 2 == 1 {
                odd_one(isa, &of_row, &lanes, runs, odd_ones, (oy, group), data.bias, flow.output(), twos);
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
    twos: bool,
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
    quads(isa, &of_odd, Runs::one(windows), y, lanes.units, twos);
}

/// Widened rows of a group, the latest few.
struct Ring<'a> {
    lanes: &'a Lanes,
    /// What of a row each lane holds.
    parts: [Part; 2],
    /// Zero point of the image.
    zero: i8,
    rows: &'a mut [i8],
    /// The next row to be widened, and where.
    next: usize,
    slot: usize,
}

/// Pixels of a row of the image in a lane.
#[derive(Clone, Copy)]
struct Part {
    /// Elements before the first one.
    from: usize,
    /// Elements of a run, and how many there are.
    len: usize,
    count: usize,
    /// Elements of the lane before it.
    place: usize,
}

impl<'a> Ring<'a> {
    fn new<I: Isa>(isa: I, lanes: &'a Lanes, group: usize, zero: i8, rows: &'a mut [i8]) -> Self {
        let Lanes { image, channels, elements, left, ahead, .. } = *lanes;
        let [c, width] = [image.c, image.w].map(usize::from);
        // What lies before lane 1 begins, and where in it the row does.
        let lane1 = (ahead.saturating_sub(left), left.saturating_sub(ahead));
        let parts = [(0, left), lane1].map(|(before, place)| {
            let before = before.checked_div(channels).unwrap_or(0);
            let there = elements.saturating_sub(place).checked_div(channels).unwrap_or(0);
            let count = there.min(width.saturating_sub(before));
            // Where all channels are the group's, all are one run.
            let (len, count) = if channels == c { (count * c, 1) } else { (channels, count) };
            Part { from: before * c + group * channels, len, count, place }
        });
        let mut ring = Self { lanes, parts, zero, rows, next: 0, slot: 0 };
        for _ in 0..lanes.rows {
            ring.border(isa);
        }
        ring
    }

    /// The rows that the next window reads, all of which have been widened, and none behind them.
    #[inline(always)]
    fn window<'s>(&'s self, begins: &'s mut [u16]) -> Runs<'s> {
        let begins = begins.get_mut(..self.lanes.rows).unwrap_or_default();
        let eights = self.lanes.pitch() / 8;
        let (mut at, end) = (self.slot * eights, begins.len() * eights);
        for begin in begins.iter_mut() {
            *begin = at as u16;
            at += eights;
            at = if at == end { 0 } else { at };
        }
        Runs { bytes: self.rows, begins }
    }

    /// Where the next row goes.
    #[inline(always)]
    fn row(&mut self) -> &mut [i8] {
        let pitch = self.lanes.pitch();
        let at = self.slot * pitch;
        self.slot = if self.slot + 1 == self.lanes.rows { 0 } else { self.slot + 1 };
        self.rows.get_mut(at..).and_then(|rows| rows.get_mut(..pitch)).unwrap_or_default()
    }

    /// A row of zero points.
    #[inline(never)]
    fn border<I: Isa>(&mut self, isa: I) {
        let [low, high] = [self.zero, self.zero >> 7];
        isa.fill([low, high, low, high], self.row());
    }

    /// Widens all rows before `end`.
    #[inline(never)]
    fn fill<I: Isa>(&mut self, isa: I, x: Input<'_>, end: usize) {
        let c = usize::from(x.shape.c);
        let len = usize::from(x.shape.w) * c;
        while self.next < end {
            match self.next.checked_sub(self.lanes.top) {
                Some(row) if row < usize::from(x.shape.h) => {
                    let parts = self.parts;
                    let to = self.row();
                    for (lane, part) in parts.iter().enumerate() {
                        let &Part { from, len: of_run, count, place } = part;
                        let x = x.data.get(row * len + from..).unwrap_or_default();
                        isa.widen_runs(&Lines { x, len: of_run, step: c, count }, to, place, lane);
                    }
                }
                _ => self.border(isa),
            }
            self.next += 1;
        }
    }
}
