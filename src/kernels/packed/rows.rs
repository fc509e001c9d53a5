//! Convolution whose windows are read where rows lie widened.
//!
//! Each row of the image is widened to int16 once, into a ring of as many rows as the kernel has, and there twice,
//! interleaved word by word: as it is, and ahead by what lies between two outputs. So the windows of two neighbouring
//! outputs are runs that one address serves; nothing is copied together, unless rows of windows are so short that
//! finding them costs more. The border is in the ring like any other element.
//!
//! Rows are read in order, each before the output that lies as far down is written.

use super::{activate_all, factors, quads, shared};
use crate::arch::packed::{Lines, Quads, Runs};
use crate::arch::{Isa, run};
use crate::ir::{Bias, Bunches, Conv2d, IntData, Lanes, Slide};
use crate::kernels::Flow;

/// Convolution of `x` into `y`, weights packed as [`DspRows`](crate::ir::Packing::DspRows). `rests` tells how many units
/// there may be behind quads, `strips` whether several rows of outputs may be computed at a time.
#[inline(never)]
pub(crate) fn rows_conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
    rests: u8,
    strips: bool,
) {
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
    part_conv2d(isa, conv, data, flow, (&lanes, &part, scratch), rests, strips);
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
    strips: bool,
) {
    let (units, in_group) = (usize::from(conv.units), lanes.units);
    let each = Bunches::quads(in_group).units();
    let bias_step = if conv.bias == Bias::Unit { lanes.groups * each } else { 0 };
    let collected = lanes.collected(conv, scratch.len());
    let strip = if strips { lanes.strip(scratch.len(), collected) } else { 1 };
    let Some((rows, scratch)) = scratch.split_at_mut_checked(lanes.ring(strip)) else { return };
    let Some((odd_ones, windows)) = scratch.split_at_mut_checked(lanes.odd_ones(strip)) else { return };
    let (height, width, [down, along]) = (part.rows.outputs, part.columns.outputs, part.apart);
    let quad: [_; 4] = shared(data.requant);
    let (all, window) = (lanes.pairs * lanes.rows, lanes.window());
    let (pairs, x_step) = if collected { (all, window) } else { (lanes.pairs, lanes.step()) };
    let (to_row, bias_row) = (down * units, down * bias_step);
    let mut of_rows = Quads {
        weights: data.weights,
        requant: data.requant,
        requant_step: 0,
        bias: data.bias,
        bias_step: along * bias_step,
        count: in_group / 4,
        pixels: width - width % 2,
        pairs,
        x_from: 0,
        x_step,
        y_step: along * units,
        row_steps: [to_row, bias_row],
        zero: flow.y.1,
    };
    let mut ring = Ring::new(lanes, part, flow.x.1);
    isa.fill(ring.border, rows);
    let mut begins = [0; Lanes::MOST];
    for group in 0..lanes.groups {
        (of_rows.requant, of_rows.requant_step) = factors(data.requant, group * each, &quad);
        of_rows.weights = data.weights.get(group * each * 2 * all..).unwrap_or_default();
        ring.begin(part.from + group * lanes.channels, part.rows.before);
        // Outputs and biases of the group, from the row's first pixel on.
        let (mut to, mut bias) = (part.to * units + group * in_group, part.to * bias_step + group * each);
        let (mut oy, mut odd) = (0, 0);
        while oy < height {
            let count = if strips { strip.min(height - oy) } else { 1 };
            let end = ((oy + count - 1) * lanes.below + lanes.rows).wrapping_sub(part.rows.before);
            ring.fill(isa, flow.input().data, rows, end, strips);
            let begins = begins.get_mut(..count * lanes.rows).unwrap_or_default();
            ring.windows(lanes, rows.len(), begins, count, strips);
            for i in 0..count {
                let runs = Runs { bytes: rows, begins: run(begins, i * lanes.rows, lanes.rows) };
                if width % 2 == 1 {
                    let to = odd_ones.get_mut((odd + i) / 2 * window..).unwrap_or_default();
                    isa.collect_first(runs, lanes.pairs, lanes.step() * (width / 2), to, (odd + i) % 2);
                }
                if collected {
                    let to = windows.get_mut(i * (width / 2) * window..).unwrap_or_default();
                    isa.collect(runs, lanes.pairs, lanes.step(), width / 2, to);
                }
            }
            if width > 1 {
                of_rows.bias = data.bias.get(bias..).unwrap_or_default();
                let y = flow.output().get_mut(to..).unwrap_or_default();
                let mut seen = Runs { bytes: rows, begins };
                if collected {
                    let row = width / 2 * window / 8;
                    begins.iter_mut().enumerate().for_each(|(i, begin)| *begin = (i * row) as u16);
                    seen = Runs { bytes: windows, begins: begins.get(..count).unwrap_or_default() };
                }
                quads::<I, false>(isa, &of_rows, (count, seen), y, in_group, rests);
            }
            (to, bias, oy) = (to + count * to_row, bias + count * bias_row, oy + count);
            odd += count;
            // Odd ones wait for those of the rows to come while there is room. They are neighbours, a row apart.
            if width % 2 == 1 && (oy == height || odd + strip > strip.next_multiple_of(2)) {
                let bias = bias + (width - 1) * of_rows.bias_step - odd * bias_row;
                let to = to + (width - 1) * of_rows.y_step - odd * to_row;
                of_rows.bias = data.bias.get(bias..).unwrap_or_default();
                (of_rows.pixels, of_rows.pairs, of_rows.x_step) = (odd, all, window);
                (of_rows.bias_step, of_rows.y_step) = (bias_row, to_row);
                let y = flow.output().get_mut(to..).unwrap_or_default();
                quads::<I, false>(isa, &of_rows, (1, Runs::one(odd_ones)), y, in_group, rests);
                (of_rows.pixels, of_rows.pairs, of_rows.x_step) = (width - 1, pairs, x_step);
                (of_rows.bias_step, of_rows.y_step) = (along * bias_step, along * units);
                odd = 0;
            }
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

    /// Begins a group whose first element is at `from` in the image, `before` rows above the image.
    #[inline(always)]
    fn begin(&mut self, from: usize, before: usize) {
        (self.from, self.next, self.at) = (from, 0usize.wrapping_sub(before), 0);
    }

    /// Where the rows begin that the windows of `count` rows of outputs read, in a ring of so many bytes, which holds more than
    /// one window's if `strips` says so. The last of those is the latest that has been widened.
    #[inline(always)]
    fn windows(&self, lanes: &Lanes, ring: usize, begins: &mut [u16], count: usize, strips: bool) {
        let (end, step) = (ring / 8, self.pitch / 8);
        let behind = |at: usize| if at >= end { at - end } else { at };
        let (mut first, mut begins) = (self.at / 8, begins.iter_mut());
        if strips {
            first = behind(first + end - ((count - 1) * lanes.below + lanes.rows) * step);
        }
        for _ in 0..count {
            let mut at = first;
            for begin in begins.by_ref().take(lanes.rows) {
                *begin = at as u16;
                at = behind(at + step);
            }
            first = behind(first + lanes.below * step);
        }
    }

    /// Widens all rows before `end` to both lanes.
    #[inline(never)]
    fn fill<I: Isa>(&mut self, isa: I, x: &[i8], rows: &mut [i8], end: usize, strips: bool) {
        while self.next != end {
            let row = self.next;
            let to = rows.get_mut(self.at..).unwrap_or_default();
            // Where all channels are the group's, a row is one run, and several rows are alike.
            let joined = self.channels == self.beside;
            let mut count = 1;
            if row >= self.inputs {
                isa.fill(self.border, to.get_mut(..self.pitch).unwrap_or_default());
            } else {
                if joined && strips {
                    let free = to.len() / self.pitch.max(1);
                    count = end.wrapping_sub(row).min(self.inputs - row).min(free);
                }
                for (lane, take) in self.takes.iter().enumerate() {
                    let x = x.get(self.from + row * self.step + take.from..).unwrap_or_default();
                    let len = self.channels;
                    let (lines, apart) = if joined {
                        (Lines { x, len: take.count * len, step: self.step, count }, self.pitch / 4)
                    } else {
                        (Lines { x, len, step: self.beside, count: take.count }, len)
                    };
                    isa.widen_runs(&lines, to, take.to, apart, lane);
                }
            }
            self.next = row.wrapping_add(count);
            self.at += count * self.pitch;
            if self.at == rows.len() {
                self.at = 0;
            }
        }
    }
}
