//! Convolution whose windows are read where rows lie widened.
//!
//! Each row of the image is widened to int16 once, into a ring of as many rows as the kernel has, and there twice,
//! interleaved word by word: as it is, and ahead by what lies between two outputs. So the windows of two neighbouring
//! outputs are runs that one address serves; nothing is copied together, unless rows of windows are so short that
//! finding them costs more. The border is in the ring like any other element.
//!
//! Rows are read in order, each before the output that lies as far down is written.

use super::{activate, factors, quads, shared};
use crate::arch::packed::{Lines, Quads};
use crate::arch::{Isa, run};
use crate::ir::{Bias, Conv2d, IntData, Lanes};
use crate::kernels::{Flow, Input};

/// Convolution of `x` into `y`, weights packed as [`DspRows`](crate::ir::Packing::DspRows).
#[inline(never)]
pub(crate) fn rows_conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    mut flow: Flow<'_>,
    scratch: &mut [i8],
) {
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
        let mut rows = [&[][..]; Lanes::MOST];
        for (i, row) in rows.iter_mut().take(lanes.rows).enumerate() {
            *row = ring.row(top + i);
        }
        let rows = rows.get(..lanes.rows).unwrap_or_default();
        let y_row = flow.output().get_mut(oy * row..).unwrap_or_default();
        of_row.bias = data.bias.get(oy * lanes.width * bias_step..).unwrap_or_default();
        if lanes.collected {
            isa.collect(rows, lanes.pairs, 8 * lanes.ahead, lanes.width / 2, windows);
            quads(isa, &of_row, &[windows], y_row, units);
        } else {
            quads(isa, &of_row, rows, y_row, units);
        }
        if odd == 1 {
            collect_first(&lanes, rows, 8 * lanes.ahead * (lanes.width / 2), odd_ones, oy % 2);
            // The odd ones of two rows are a pair, a row apart.
            let last = oy + 1 == usize::from(y.h);
            let pixels = if oy % 2 == 1 { 2 } else { usize::from(last) };
            let above = oy + 1 - pixels.max(1);
            let first_bias = (above * lanes.width + lanes.width - 1) * bias_step;
            let of_odd = Quads {
                bias: data.bias.get(first_bias..).unwrap_or_default(),
                bias_step: lanes.width * bias_step,
                pixels,
                pairs: all,
                y_step: row,
                ..of_row
            };
            let y = flow.output().get_mut(above * row + row - units..).unwrap_or_default();
            quads(isa, &of_odd, &[odd_ones], y, units);
        }
    }
    activate(isa, flow.output(), data.clamp);
}

/// Copies lane 0 of a window together, to be pixel `lane` of a pair.
fn collect_first(lanes: &Lanes, rows: &[&[i8]], from: usize, to: &mut [i8], lane: usize) {
    let mut to = to.as_chunks_mut::<8>().0.iter_mut();
    for row in rows {
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
    /// Zero point of the image.
    zero: i8,
    rows: &'a mut [i8],
    /// Bytes of a row.
    pitch: usize,
    kept: usize,
    elements: usize,
    left: usize,
    ahead: usize,
    top: usize,
    /// The next row to be widened.
    next: usize,
}

impl<'a> Ring<'a> {
    fn new(lanes: &Lanes, top: usize, zero: i8, rows: &'a mut [i8]) -> Self {
        let pitch = 4 * lanes.elements;
        let Lanes { rows: kept, elements, left, ahead, .. } = *lanes;
        let mut ring = Self { zero, rows, pitch, kept, elements, left, ahead, top, next: 0 };
        for row in 0..kept {
            ring.border(row);
        }
        ring
    }

    #[inline(always)]
    fn at(&self, row: usize) -> usize {
        row.checked_rem(self.kept).unwrap_or(0) * self.pitch
    }

    /// A row that has been widened and not yet been written over.
    #[inline(always)]
    fn row(&self, row: usize) -> &[i8] {
        run(self.rows, self.at(row), self.pitch)
    }

    /// A row of zero points.
    fn border(&mut self, row: usize) {
        let (at, pitch) = (self.at(row), self.pitch);
        let to = self.rows.get_mut(at..).and_then(|rows| rows.get_mut(..pitch)).unwrap_or_default();
        let [low, high] = [self.zero, self.zero >> 7];
        to.as_chunks_mut().0.fill([low, high, low, high]);
    }

    /// Widens all rows before `end`.
    fn fill<I: Isa>(&mut self, isa: I, x: Input<'_>, end: usize) {
        let Input { shape, data, .. } = x;
        let len = usize::from(shape.w) * usize::from(shape.c);
        while self.next < end {
            match self.next.checked_sub(self.top) {
                Some(row) if row < usize::from(shape.h) => {
                    let (at, elements) = (self.at(self.next), self.elements);
                    let to = self.rows.get_mut(at..).unwrap_or_default();
                    let x = run(data, row * len, len);
                    let x = x.get(..elements.saturating_sub(self.left)).unwrap_or(x);
                    isa.widen_pixels(&Lines { x, len: x.len(), step: 0, count: 1 }, to, 0, self.left, 0);
                    let behind = self.ahead.saturating_sub(self.left);
                    let x = run(data, row * len, len).get(behind..).unwrap_or_default();
                    let place = self.left.saturating_sub(self.ahead);
                    let x = x.get(..elements - place).unwrap_or(x);
                    isa.widen_pixels(&Lines { x, len: x.len(), step: 0, count: 1 }, to, 0, place, 1);
                }
                _ => self.border(self.next),
            }
            self.next += 1;
        }
    }
}
