//! Convolution whose windows are read where rows lie widened.
//!
//! Each row of the image is widened to int16 once, into a ring of as many rows as the kernel has, and there twice,
//! interleaved word by word: as it is, and ahead by what lies between two outputs. So the windows of two neighbouring
//! outputs are runs that one address serves; nothing is copied together, unless rows of windows are so short that
//! finding them costs more. The border is in the ring like any other element.
//!
//! Rows are read in order, each before the output that lies as far down is written.

use super::{activate_all, factors, quads, shared};
use crate::arch::Isa;
use crate::arch::packed::{Lines, Quads, Runs};
use crate::ir::{Bias, Bunches, Conv2d, IntData, Lanes, Slide};
use crate::kernels::Flow;

/// Convolution of `x` into `y`, weights packed as [`DspRows`](crate::ir::Packing::DspRows). `rests` tells how many units
/// there may be behind quads.
#[inline(never)]
pub(crate) fn rows_conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, flow: &mut Flow<'_>, rests: u8) {
    let x = flow.x.0;
    let Some(slides) = Slide::both(&conv.window, x) else { return };
    let Some(lanes) = Lanes::upright(conv, x, &slides) else { return };
    let [rows, columns] = slides;
    let part = Part {
        steps: [columns.inputs * usize::from(x.c), x.c.into()],
        apart: [columns.outputs, 1],
        rows,
        columns,
        from: 0,
        to: 0,
    };
    let scratch = core::mem::take(&mut flow.scratch);
    part_conv2d(isa, conv, data, flow, (&lanes, &part, scratch), rests);
    activate_all(isa, flow, data.clamp);
}

/// What is seen of an image, and where its outputs go.
pub(super) struct Part {
    /// Along its rows and columns.
    pub(super) rows: Slide,
    /// See there.
    pub(super) columns: Slide,
    /// Its first element in the image.
    pub(super) from: usize,
    /// Elements to the next row, and to the next pixel.
    pub(super) steps: [usize; 2],
    /// The first pixel of the output.
    pub(super) to: usize,
    /// Pixels of the output to the next row, and to the next pixel of a row.
    pub(super) apart: [usize; 2],
}

/// Convolution of a part of an image, in groups as `lanes` says, but for its activation.
pub(super) fn part_conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
    (lanes, part, scratch): (&Lanes, &Part, &mut [i8]),
    rests: u8,
) {
    let (units, in_group) = (usize::from(conv.units), lanes.units);
    let each = Bunches::quads(in_group).units();
    let bias_step = if conv.bias == Bias::Unit { lanes.groups * each } else { 0 };
    let collected = lanes.collects() && bias_step == 0 && scratch.len() >= lanes.collected();
    let Some((rows, scratch)) = scratch.split_at_mut_checked(lanes.ring()) else { return };
    let Some((odd_ones, windows)) = scratch.split_at_mut_checked(lanes.odd_ones()) else { return };
    let (height, width, [down, along]) = (part.rows.outputs, part.columns.outputs, part.apart);
    let quad: [_; 4] = shared(data.requant);
    let all = lanes.pairs * lanes.rows;
    let pairs = if collected { all } else { lanes.pairs };
    let mut of_row = Quads {
        weights: data.weights,
        requant: data.requant,
        requant_step: 0,
        bias: data.bias,
        bias_step: along * bias_step,
        count: in_group / 4,
        pixels: width - width % 2,
        pairs,
        x_from: 0,
        x_step: if collected { 8 * all } else { lanes.step() },
        y_step: along * units,
        zero: flow.y.1,
    };
    let mut ring = Ring::new(lanes, part, flow.x.1);
    let mut begins = [0; Lanes::MOST];
    let begins = begins.get_mut(..lanes.rows).unwrap_or_default();
    for group in 0..lanes.groups {
        (of_row.requant, of_row.requant_step) = factors(data.requant, group * each, &quad);
        of_row.weights = data.weights.get(group * each * 2 * all..).unwrap_or_default();
        ring.begin(isa, part.from + group * lanes.channels, rows, part.rows.before);
        // Outputs and biases of the group, from the row's first pixel on.
        let (mut to, mut bias) = (part.to * units + group * in_group, part.to * bias_step + group * each);
        let (to_row, bias_row) = (down * units, down * bias_step);
        for oy in 0..height {
            let end = (oy * lanes.below + lanes.rows).wrapping_sub(part.rows.before);
            ring.fill(isa, flow.input().data, rows, end);
            let runs = ring.window(rows, begins);
            if width > 1 {
                let seen = if collected {
                    isa.collect(runs, lanes.pairs, lanes.step(), width / 2, windows);
                    Runs::one(windows)
                } else {
                    runs
                };
                of_row.bias = data.bias.get(bias..).unwrap_or_default();
                let y = flow.output().get_mut(to..).unwrap_or_default();
                quads::<I, false>(isa, &of_row, seen, y, in_group, rests);
            }
            if width % 2 == 1 {
                isa.collect_first(runs, lanes.pairs, lanes.step() * (width / 2), odd_ones, oy % 2);
                // It waits for that of the next row, unless this one is the last. Those of two rows are a pair, a row apart.
                if oy % 2 == 1 || oy + 1 == height {
                    let bias = bias + (width - 1) * of_row.bias_step - oy % 2 * bias_row;
                    let to = to + (width - 1) * of_row.y_step - oy % 2 * to_row;
                    of_row.bias = data.bias.get(bias..).unwrap_or_default();
                    (of_row.pixels, of_row.pairs, of_row.bias_step, of_row.y_step) =
                        (1 + oy % 2, all, bias_row, to_row);
                    let y = flow.output().get_mut(to..).unwrap_or_default();
                    quads::<I, false>(isa, &of_row, Runs::one(odd_ones), y, in_group, rests);
                    (of_row.pixels, of_row.bias_step) = (width - 1, along * bias_step);
                    (of_row.pairs, of_row.y_step) = (pairs, along * units);
                }
            }
            (to, bias) = (to + to_row, bias + bias_row);
        }
    }
}

/// Widened rows of a group, the latest few.
struct Ring {
    /// Bytes of a row.
    pitch: usize,
    /// The border, as a word.
    border: [i8; 4],
    /// The group's first element in the image.
    from: usize,
    /// The next row to be widened, less than 0 on the border before the image, and where.
    next: usize,
    at: usize,
    /// Rows of the image, and elements from one to the next.
    inputs: usize,
    step: usize,
    /// Elements from a pixel to the next.
    beside: usize,
    /// Channels of the group.
    channels: usize,
    /// What either lane takes of a row.
    takes: [Take; 2],
}

/// Pixels of a row that go to a lane.
struct Take {
    /// The first element, counted from the row's first.
    from: usize,
    count: usize,
    /// The first element in the lane.
    to: usize,
}

impl Take {
    /// What a lane takes that is so many pixels ahead.
    #[inline(always)]
    fn new(lanes: &Lanes, part: &Part, ahead: usize) -> Self {
        let (before, inputs) = (part.columns.before, part.columns.inputs);
        // The first pixel that the lane holds, and where.
        let (first, place) = (ahead.saturating_sub(before), before.saturating_sub(ahead));
        let count = lanes.pixels.saturating_sub(place).min(inputs.saturating_sub(first));
        Self { from: first * part.steps[1], count, to: place * lanes.channels }
    }
}

impl Ring {
    /// For groups of the image whose zero point is `zero`, of which none is begun.
    #[inline(always)]
    fn new(lanes: &Lanes, part: &Part, zero: i8) -> Self {
        let [low, high] = [zero, zero >> 7];
        Self {
            pitch: lanes.pitch(),
            border: [low, high, low, high],
            from: 0,
            next: 0,
            at: 0,
            inputs: part.rows.inputs,
            step: part.steps[0],
            beside: part.steps[1],
            channels: lanes.channels,
            takes: [Take::new(lanes, part, 0), Take::new(lanes, part, lanes.ahead)],
        }
    }

    /// Begins a group whose first element is at `from` in the image, with rows of zero points, `before` rows above the image.
    #[inline(always)]
    fn begin<I: Isa>(&mut self, isa: I, from: usize, rows: &mut [i8], before: usize) {
        isa.fill(self.border, rows);
        (self.from, self.next, self.at) = (from, 0usize.wrapping_sub(before), 0);
    }

    /// The rows that the next window reads, all of which have been widened, and none behind them.
    #[inline(always)]
    fn window<'s>(&self, rows: &'s [i8], begins: &'s mut [u16]) -> Runs<'s> {
        let (mut at, end, step) = (self.at / 8, rows.len() / 8, self.pitch / 8);
        for begin in begins.iter_mut() {
            *begin = at as u16;
            at += step;
            at = if at == end { 0 } else { at };
        }
        Runs { bytes: rows, begins }
    }

    /// Widens all rows before `end` to both lanes.
    #[inline(never)]
    fn fill<I: Isa>(&mut self, isa: I, x: &[i8], rows: &mut [i8], end: usize) {
        while self.next != end {
            let row = self.next;
            self.next = row.wrapping_add(1);
            let all = rows.len();
            let to = rows.get_mut(self.at..).and_then(|rows| rows.get_mut(..self.pitch));
            let to = to.unwrap_or_default();
            self.at = if self.at + self.pitch == all { 0 } else { self.at + self.pitch };
            if row >= self.inputs {
                isa.fill(self.border, to);
                continue;
            }
            for (lane, take) in self.takes.iter().enumerate() {
                let x = x.get(self.from + row * self.step + take.from..).unwrap_or_default();
                let (len, count) = (self.channels, take.count);
                // Where all channels are the group's, all are one run.
                let joined = len == self.beside;
                let (len, count) = if joined { (count * len, count.min(1)) } else { (len, count) };
                isa.widen_runs(&Lines { x, len, step: self.beside, count }, to, take.to, lane);
            }
        }
    }
}
