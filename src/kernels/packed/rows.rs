//! Convolution whose windows are read where rows lie widened.
//!
//! Each row of the image is widened to int16 once, into a ring of as many rows as the kernel has, and there twice,
//! interleaved word by word: as it is, and ahead by what lies between two outputs. So the windows of two neighbouring
//! outputs are runs that one address serves; nothing is copied together, unless rows of windows are so short that
//! finding them costs more. The border is in the ring like any other element.
//!
//! Rows are read in order, each before the output that lies as far down is written.

use super::{activate, factors, quads, shared};
use crate::arch::packed::{Quads, Runs};
use crate::arch::{Isa, run};
use crate::ir::{Bias, Conv2d, IntData, Lanes};
use crate::kernels::{Flow, Input};

/// Convolution of `x` into `y`, weights packed as [`DspRows`](crate::ir::Packing::DspRows).
#[inline(never)]
pub(crate) fn rows_conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, flow: &mut Flow<'_>) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, x_zero), (y, zero)) = (flow.x, flow.y);
    let Some(lanes) = Lanes::new(conv, x) else { return };
    let units = usize::from(conv.units);
    let bias_step = if conv.bias == Bias::Unit { 4 * units.div_ceil(4) } else { 0 };
    let Some((ring, scratch)) = scratch.split_at_mut_checked(lanes.ring()) else { return };
    let odd = lanes.width % 2;
    let Some((odd_ones, windows)) = scratch.split_at_mut_checked(odd * lanes.window()) else { return };
    let mut ring = Ring::new(&lanes, usize::from(conv.window.padding.top), x_zero, ring);
    let row = units * lanes.width;
    let quad: [_; 4] = shared(data.requant);
    let (requant, requant_step) = factors(data.requant, 0, &quad);
    let all = lanes.pairs * lanes.rows;
    let mut of_row = Quads {
        weights: data.weights,
        requant,
        requant_step,
        bias: data.bias,
        bias_step,
        count: units / 4,
        pixels: lanes.width - odd,
        pairs: if lanes.collected { all } else { lanes.pairs },
        x_from: 0,
        x_step: if lanes.collected { 8 * all } else { 8 * lanes.ahead },
        y_step: units,
        zero,
    };
    for oy in 0..usize::from(y.h) {
        let top = oy * usize::from(conv.window.stride[0]);
        ring.fill(isa, flow.input(), top + lanes.rows);
        let mut begins = [0; Lanes::MOST];
        let runs = ring.window(top, &mut begins);
        let y_row = flow.output().get_mut(oy * row..).unwrap_or_default();
        of_row.bias = data.bias.get(oy * lanes.width * bias_step..).unwrap_or_default();
        if lanes.collected {
            isa.collect(runs, lanes.pairs, 8 * lanes.ahead, lanes.width / 2, windows);
            quads(isa, &of_row, Runs::one(windows), y_row, units);
        } else {
            quads(isa, &of_row, runs, y_row, units);
        }
        if odd == 1 {
            let last = oy + 1 == usize::from(y.h);
            odd_one(isa, &of_row, &lanes, runs, odd_ones, (oy, last), data.bias, flow.output());
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
    (oy, last): (usize, bool),
    bias: &[i32],
    y: &mut [i8],
) {
    collect_first(lanes, runs, 8 * lanes.ahead * (lanes.width / 2), windows, oy % 2);
    if oy % 2 == 0 && !last {
        return;
    }
    // The odd ones of two rows are a pair, a row apart.
    let above = oy - oy % 2;
    let (pixel, units) = (above * lanes.width + lanes.width - 1, of_row.y_step);
    let of_odd = Quads {
        bias: bias.get(pixel * of_row.bias_step..).unwrap_or_default(),
        bias_step: lanes.width * of_row.bias_step,
        pixels: 1 + oy % 2,
        pairs: lanes.pairs * lanes.rows,
        y_step: lanes.width * units,
        ..*of_row
    };
    let y = y.get_mut(pixel * units..).unwrap_or_default();
    quads(isa, &of_odd, Runs::one(windows), y, units);
}

/// Copies lane 0 of a window together, to be pixel `lane` of a pair.
fn collect_first(lanes: &Lanes, rows: Runs<'_>, from: usize, to: &mut [i8], lane: usize) {
    let mut to = to.as_chunks_mut::<8>().0.iter_mut();
    for row in rows.iter() {
        for (from, to) in run(row, from, 8 * lanes.pairs).as_chunks::<8>().0.iter().zip(to.by_ref()) {
            let ([a, b, c, d, ..], [ta, tb, tc, td, ua, ub, uc, ud]) = (*from, to);
            if lane == 0 {
                (*ta, *tb, *tc, *td) = (a, b, c, d);
            } else {
                (*ua, *ub, *uc, *ud) = (a, b, c, d);
            }
        }
    }
}

/// Widened rows, the latest few.
struct Ring<'a> {
    lanes: &'a Lanes,
    /// Zero point of the image.
    zero: i8,
    rows: &'a mut [i8],
    top: usize,
    /// The next row to be widened.
    next: usize,
}

impl<'a> Ring<'a> {
    fn new(lanes: &'a Lanes, top: usize, zero: i8, rows: &'a mut [i8]) -> Self {
        let mut ring = Self { lanes, zero, rows, top, next: 0 };
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
    fn fill<I: Isa>(&mut self, isa: I, x: Input<'_>, end: usize) {
        let Input { shape, data, .. } = x;
        let Lanes { elements, left, ahead, .. } = *self.lanes;
        let len = usize::from(shape.w) * usize::from(shape.c);
        while self.next < end {
            match self.next.checked_sub(self.top) {
                Some(row) if row < usize::from(shape.h) => {
                    let to = self.row(self.next);
                    // What lies before lane 1 begins, and where in it the row does.
                    for (lane, before, place) in
                        [(0, 0, left), (1, ahead.saturating_sub(left), left.saturating_sub(ahead))]
                    {
                        let x = run(data, row * len, len).get(before..).unwrap_or_default();
                        let x = x.get(..elements.saturating_sub(place)).unwrap_or(x);
                        isa.widen_lane(x, to, place, lane);
                    }
                }
                _ => self.border(self.next),
            }
            self.next += 1;
        }
    }
}
