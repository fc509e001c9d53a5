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
    activate(isa, flow.output(), data.clamp);
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
    let Some((ring, scratch)) = scratch.split_at_mut_checked(lanes.ring()) else { return };
    let Some((odd_ones, windows)) = scratch.split_at_mut_checked(lanes.odd_ones()) else { return };
    let (height, width, [down, along]) = (part.rows.outputs, part.columns.outputs, part.apart);
    let quad: [_; 4] = shared(data.requant);
    let all = lanes.pairs * lanes.rows;
    for group in 0..lanes.groups {
        let (requant, requant_step) = factors(data.requant, group * each, &quad);
        let mut of_row = Quads {
            weights: data.weights.get(group * each * 2 * all..).unwrap_or_default(),
            requant,
            requant_step,
            bias: data.bias,
            bias_step: along * bias_step,
            count: in_group / 4,
            pixels: width - width % 2,
            pairs: if collected { all } else { lanes.pairs },
            x_from: 0,
            x_step: if collected { 8 * all } else { lanes.step() },
            y_step: along * units,
            zero: flow.y.1,
        };
        let mut ring = Ring::new(isa, lanes, part, (group, flow.x.1), ring);
        let mut begins = [0; Lanes::MOST];
        let begins = begins.get_mut(..lanes.rows).unwrap_or_default();
        for oy in 0..height {
            ring.fill(isa, flow.input().data, oy * lanes.below + lanes.rows);
            let runs = ring.window(begins);
            // The bytes of outputs, and the biases, of this group from a pixel on.
            let places = |pixel: usize| (pixel * units + group * in_group, pixel * bias_step + group * each);
            let pixel = part.to + oy * down;
            if width > 1 {
                let seen = if collected {
                    isa.collect(runs, lanes.pairs, lanes.step(), width / 2, windows);
                    Runs::one(windows)
                } else {
                    runs
                };
                let (to, bias) = places(pixel);
                of_row.bias = data.bias.get(bias..).unwrap_or_default();
                let y = flow.output().get_mut(to..).unwrap_or_default();
                quads(isa, &of_row, seen, y, in_group, rests);
            }
            if width % 2 == 1 {
                isa.collect_first(runs, lanes.pairs, lanes.step() * (width / 2), odd_ones, oy % 2);
                // It waits for that of the next row, unless this one is the last. Those of two rows are a pair, a row apart.
                if oy % 2 == 1 || oy + 1 == height {
                    let (to, bias) = places(pixel - oy % 2 * down + (width - 1) * along);
                    of_row.bias = data.bias.get(bias..).unwrap_or_default();
                    let y = flow.output().get_mut(to..).unwrap_or_default();
                    let row = (of_row.pixels, of_row.pairs, of_row.bias_step, of_row.y_step);
                    (of_row.pixels, of_row.pairs) = (1 + oy % 2, all);
                    (of_row.bias_step, of_row.y_step) = (down * bias_step, down * units);
                    quads(isa, &of_row, Runs::one(odd_ones), y, in_group, rests);
                    (of_row.pixels, of_row.pairs, of_row.bias_step, of_row.y_step) = row;
                }
            }
        }
    }
}

/// Widened rows of a group, the latest few.
struct Ring<'a> {
    rows: &'a mut [i8],
    /// Bytes of a row.
    pitch: usize,
    /// The border, as a word.
    border: [i8; 4],
    /// The next row to be widened, and where.
    next: usize,
    at: usize,
    /// Rows of the border before the image, rows of the image, and elements from one to the next.
    before: usize,
    inputs: usize,
    step: usize,
    /// What either lane takes of a row.
    takes: [Take; 2],
}

/// Runs of a row that go to a lane.
#[derive(Clone, Copy)]
struct Take {
    /// The first element in the image.
    from: usize,
    /// Elements of a run, elements to the next run, and how many runs.
    len: usize,
    step: usize,
    count: usize,
    /// The first element in the lane.
    to: usize,
}

impl<'a> Ring<'a> {
    /// Rows of zero points, for a group of channels.
    #[inline(always)]
    fn new<I: Isa>(
        isa: I,
        lanes: &Lanes,
        part: &Part,
        (group, zero): (usize, i8),
        rows: &'a mut [i8],
    ) -> Self {
        let [low, high] = [zero, zero >> 7];
        let border = [low, high, low, high];
        isa.fill(border, rows);
        let (channels, left, [step, beside]) = (lanes.channels, part.columns.before, part.steps);
        let takes = [0, lanes.ahead].map(|ahead| {
            // The first pixel that the lane holds, and where.
            let (first, place) = (ahead.saturating_sub(left), left.saturating_sub(ahead));
            let room = lanes.pixels.saturating_sub(place);
            let count = room.min(part.columns.inputs.saturating_sub(first));
            // Where all channels are the group's, all are one run.
            let joined = channels == beside;
            let (len, count) = if joined { (count * channels, count.min(1)) } else { (channels, count) };
            let from = part.from + first * beside + group * channels;
            Take { from, len, step: beside, count, to: place * channels }
        });
        let (before, inputs) = (part.rows.before, part.rows.inputs);
        Ring { rows, pitch: lanes.pitch(), border, next: 0, at: 0, before, inputs, step, takes }
    }

    /// The rows that the next window reads, all of which have been widened, and none behind them.
    #[inline(always)]
    fn window<'s>(&'s self, begins: &'s mut [u16]) -> Runs<'s> {
        let (mut at, end, step) = (self.at / 8, self.rows.len() / 8, self.pitch / 8);
        for begin in begins.iter_mut() {
            *begin = at as u16;
            at += step;
            at = if at == end { 0 } else { at };
        }
        Runs { bytes: self.rows, begins }
    }

    /// Widens all rows before `end` to both lanes.
    #[inline(never)]
    fn fill<I: Isa>(&mut self, isa: I, x: &[i8], end: usize) {
        while self.next < end {
            let row = self.next.wrapping_sub(self.before);
            self.next += 1;
            let all = self.rows.len();
            let to = self.rows.get_mut(self.at..).and_then(|rows| rows.get_mut(..self.pitch));
            let to = to.unwrap_or_default();
            self.at = if self.at + self.pitch == all { 0 } else { self.at + self.pitch };
            if row >= self.inputs {
                isa.fill(self.border, to);
                continue;
            }
            for (lane, take) in self.takes.iter().enumerate() {
                let &Take { from, len, step, count, to: at } = take;
                let x = x.get(row * self.step + from..).unwrap_or_default();
                isa.widen_runs(&Lines { x, len, step, count }, to, at, lane);
            }
        }
    }
}
