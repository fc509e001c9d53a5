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
    let Some(lanes) = &Lanes::new(conv, x) else { return };
    flow.x.0 = lanes.image;
    let [units, in_group, groups] = [conv.units, lanes.units, lanes.groups].map(usize::from);
    let each = Bunches::quads(in_group).units();
    let bias_step = if conv.bias == Bias::Unit { groups * each } else { 0 };
    let collected = lanes.collects() && bias_step == 0 && scratch.len() >= lanes.collected();
    let Some((ring, scratch)) = scratch.split_at_mut_checked(lanes.ring()) else { return };
    let [height, width] = lanes.output.map(usize::from);
    let Some((odd_ones, windows)) = scratch.split_at_mut_checked(width % 2 * lanes.window()) else { return };
    let quad: [_; 4] = shared(data.requant);
    let all = lanes.pairs * usize::from(lanes.rows);
    for group in 0..groups {
        let (requant, requant_step) = factors(data.requant, group * each, &quad);
        let mut of_row = Quads {
            weights: data.weights.get(group * each * 2 * all..).unwrap_or_default(),
            requant,
            requant_step,
            bias: data.bias,
            bias_step,
            count: in_group / 4,
            pixels: width - width % 2,
            pairs: if collected { all } else { lanes.pairs },
            x_from: 0,
            x_step: if collected { 8 * all } else { lanes.step() },
            y_step: units,
            zero,
        };
        let mut ring = Ring { lanes, group, zero: x_zero, rows: ring, next: 0, slot: 0 };
        for _ in 0..lanes.rows {
            ring.border(isa);
        }
        for oy in 0..height {
            ring.fill(isa, &flow.input(), oy * usize::from(lanes.below) + usize::from(lanes.rows));
            let mut begins = [0; Lanes::MOST];
            let runs = ring.window(&mut begins);
            let y = flow.output().get_mut(oy * width * units + group * in_group..).unwrap_or_default();
            of_row.bias = data.bias.get(oy * width * bias_step + group * each..).unwrap_or_default();
            let seen = if collected {
                isa.collect(runs, lanes.pairs, lanes.step(), width / 2, windows);
                Runs::one(windows)
            } else {
                runs
            };
            quads(isa, &of_row, seen, y, in_group, twos);
            if width % 2 == 1 {
                isa.collect_first(runs, lanes.pairs, lanes.step() * (width / 2), odd_ones, oy % 2);
                // It waits for that of the next row, unless this one is the last.
                if oy % 2 == 1 || oy + 1 == height {
                    odd_ones_of(isa, &of_row, (lanes, data), odd_ones, (oy, group), flow.output(), twos);
                }
            }
        }
    }
    activate(isa, flow.output(), data.clamp);
}

/// The last window of row `oy`, which has none beside it, and, where that row is an odd one, that of the row above.
#[inline(never)]
fn odd_ones_of<I: Isa>(
    isa: I,
    of_row: &Quads<'_>,
    (lanes, data): (&Lanes, &IntData<'_>),
    windows: &[i8],
    (oy, group): (usize, usize),
    y: &mut [i8],
    twos: bool,
) {
    // Those of two rows are a pair, a row apart.
    let (width, in_group) = (usize::from(lanes.output[1]), usize::from(lanes.units));
    let pixel = (oy - oy % 2) * width + width - 1;
    let (units, each) = (of_row.y_step, Bunches::quads(in_group).units());
    let of_odd = Quads {
        bias: data.bias.get(pixel * of_row.bias_step + group * each..).unwrap_or_default(),
        bias_step: width * of_row.bias_step,
        pixels: 1 + oy % 2,
        pairs: lanes.pairs * usize::from(lanes.rows),
        y_step: width * units,
        ..*of_row
    };
    let y = y.get_mut(pixel * units + group * in_group..).unwrap_or_default();
    quads(isa, &of_odd, Runs::one(windows), y, in_group, twos);
}

/// Widened rows of a group, the latest few.
struct Ring<'a> {
    lanes: &'a Lanes,
    group: usize,
    /// Zero point of the image.
    zero: i8,
    rows: &'a mut [i8],
    /// The next row to be widened, and where.
    next: usize,
    slot: usize,
}

impl Ring<'_> {
    /// The rows that the next window reads, all of which have been widened, and none behind them.
    #[inline(always)]
    fn window<'s>(&'s self, begins: &'s mut [u16]) -> Runs<'s> {
        let begins = begins.get_mut(..usize::from(self.lanes.rows)).unwrap_or_default();
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
        self.slot = if self.slot + 1 == usize::from(self.lanes.rows) { 0 } else { self.slot + 1 };
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
    fn fill<I: Isa>(&mut self, isa: I, x: &Input<'_>, end: usize) {
        while self.next < end {
            let row = self.next.wrapping_sub(self.lanes.top.into());
            self.next += 1;
            if row < usize::from(x.shape.h) {
                self.widen(isa, x, row);
            } else {
                self.border(isa);
            }
        }
    }

    /// Widens a row of the image to both lanes.
    #[inline(always)]
    fn widen<I: Isa>(&mut self, isa: I, x: &Input<'_>, row: usize) {
        let lanes = self.lanes;
        let [w, c, channels] = [x.shape.w, x.shape.c, lanes.channels].map(usize::from);
        let x = x.data.get(row * w * c + self.group * channels..).unwrap_or_default();
        let to = self.row();
        let [left, ahead] = [lanes.left, lanes.ahead].map(usize::from);
        for lane in 0..2 {
            // The first pixel that the lane holds, and where; lane 1 begins ahead.
            let (first, place) =
                if lane == 0 { (0, left) } else { (ahead.saturating_sub(left), left.saturating_sub(ahead)) };
            let count = lanes.pixels.saturating_sub(place).min(w.saturating_sub(first));
            // Where all channels are the group's, all are one run.
            let (len, count) = if channels == c { (count * c, 1) } else { (channels, count) };
            let x = x.get(first * c..).unwrap_or_default();
            isa.widen_runs(&Lines { x, len, step: c, count }, to, place * channels, lane);
        }
    }
}
