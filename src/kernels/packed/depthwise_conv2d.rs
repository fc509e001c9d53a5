//! Convolution of each channel by itself, over rows joined two by two.
//!
//! Some channels at a time, so that their joined rows fit a small scratch: a ring of as many joined rows as a window
//! spans, or more. Each row of the image is read once for each of those portions, before any output is written that lies
//! as far down; the border is written once where it is columns, and joined like any other row where it is rows. All rows
//! of outputs are computed at once whose windows do not go round the ring. Where a channel has several outputs they are computed side
//! by side, from the same joined channel. Of an image of one row columns are joined instead.

use super::activate_all;
use crate::arch::packed::{Joins, Taps};
use crate::arch::{Isa, run};
use crate::ir::{DepthwiseConv2d, IntData, Joined};
use crate::kernels::{Flow, Input, both};
use core::ops::Range;

/// Depthwise convolution of `x` into `y`, weights packed as [`DspDepthwise`](crate::ir::Packing::DspDepthwise).
#[inline(never)]
pub(crate) fn depthwise_conv2d<I: Isa>(
    isa: I,
    conv: &DepthwiseConv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, x_zero), (y, zero)) = (flow.x, flow.y);
    let Some(joined) = Joined::into(conv, x, [y.h, y.w]) else { return };
    let Some((table, scratch)) = scratch.split_at_mut_checked(joined.table()) else { return };
    let multiplier = joined.multiplier;
    let [height, width] = both(joined.output);
    let row_step = width * usize::from(x.c) * multiplier;
    let stride = usize::from(joined.window.stride[0]);
    let columns = joined.words();
    let record = joined.record();
    let Some(mut ring) = Ring::new(isa, &joined, x_zero, scratch) else { return };
    // Rows of windows that begin in an even row and in an odd one take turns where the stride is odd.
    let turns = 1 + stride % 2;
    let mut c = 0;
    while c < usize::from(x.c) {
        let channels = joined.channels.min(usize::from(x.c) - c);
        ring.begin(&joined, c, channels);
        let parts = Parts::new(&joined, channels);
        let mut taps = Taps { row_step: turns * row_step, ..ring.taps(&joined, &parts, zero) };
        taps.record = record;
        if joined.line {
            taps.tap *= 2;
        }
        taps.below = turns * stride / 2 * taps.row;
        let mut oy = 0;
        while oy < height {
            let (first, odd) = (oy * stride / 2, oy * stride % 2);
            let more =
                ring.room(first, joined.span).and_then(|room| (2 * room + 1 - odd).checked_div(stride));
            let count = more.map_or(1, |more| 1 + more).min(height - oy);
            if joined.line {
                ring.join_columns(isa, flow.input(), joined.window.dilation[1].into());
            } else {
                ring.fill(isa, flow.input(), first..(oy + count - 1) * stride / 2 + joined.span);
            }
            for turn in 0..turns.min(count) {
                let top = (oy + turn) * stride;
                let parity = top % 2;
                taps.place = ring.at(top / 2);
                taps.taps = [joined.pairs(parity), columns];
                taps.first = 12 + 4 * columns * if parity == 0 { 0 } else { joined.pairs(0) };
                taps.output[0] = (count - turn).div_ceil(turns);
                for part in 0..parts.count {
                    let channel = (c + part) * multiplier;
                    taps.records = run(data.weights, channel * record, parts.channels * record);
                    let y = flow.output().get_mut((oy + turn) * row_step + channel..).unwrap_or_default();
                    isa.taps(&taps, ring.rows.get(part * ring.pitch..).unwrap_or_default(), table, y);
                }
            }
            oy += count;
        }
        c += channels;
    }
    activate_all(isa, flow, data.clamp);
}

/// The same of a kernel of up to 3x3 taps at stride 1, packed as [`DspDepthwise3`](crate::ir::Packing::DspDepthwise3): two rows of
/// outputs at a time, and of a kernel that is `dilated`, where there are such, those that see the same rows and columns.
#[inline(never)]
pub(crate) fn depthwise_conv2d_3x3<I: Isa>(
    isa: I,
    conv: &DepthwiseConv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
    dilated: bool,
) {
    let scratch = core::mem::take(&mut flow.scratch);
    let (x, y) = (flow.x.0, [flow.y.0.h, flow.y.0.w]);
    if dilated {
        let [down, right] = conv.window.dilation;
        for phase in (0..down).flat_map(|row| (0..right).map(move |column| [row, column])) {
            let Some(joined) = Joined::three(conv, x, phase) else { continue };
            three(isa, &joined, [conv.window.dilation, phase], data, flow, scratch);
        }
    } else if let Some(joined) = Joined::three_into(conv, x, y) {
        three(isa, &joined, [[1, 1], [0, 0]], data, flow, scratch);
    }
    activate_all(isa, flow, data.clamp);
}

/// The outputs of a phase of a dilation: [`Joined::three`].
#[inline(always)]
fn three<I: Isa>(
    isa: I,
    joined: &Joined,
    [dilation, phase]: [[u16; 2]; 2],
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
    scratch: &mut [i8],
) {
    let ((x, x_zero), (y, zero)) = (flow.x, flow.y);
    let multiplier = joined.multiplier;
    let ([down, right], [row, column]) = (both(dilation), both(phase));
    let (width, channels) = (usize::from(y.w), usize::from(x.c));
    let (step, row_step) = (right * channels * multiplier, down * width * channels * multiplier);
    let first = (row * width + column) * channels * multiplier;
    let height = usize::from(joined.output[0]);
    let record = Joined::RECORD_OF_THREE;
    let Some(mut ring) = Ring::new(isa, joined, x_zero, scratch) else { return };
    (ring.step, ring.across) = (right * channels, down * usize::from(x.w) * channels);
    let begin = (row * usize::from(x.w) + column) * channels;
    let mut c = 0;
    while c < channels {
        let once = joined.channels.min(channels - c);
        ring.begin(joined, begin + c, once);
        let parts = Parts::new(joined, once);
        let mut taps = ring.taps(joined, &parts, zero);
        (taps.record, taps.step, taps.row_step) = (record, step, row_step);
        let mut i = 0;
        while 2 * i < height {
            let count = ring.room(i, 2).map_or(1, |room| 1 + room).min(height.div_ceil(2) - i);
            ring.fill(isa, flow.input(), i..i + count + 1);
            taps.place = ring.at(i);
            taps.output[0] = (2 * count).min(height - 2 * i);
            for part in 0..parts.count {
                let channel = (c + part) * multiplier;
                taps.records = run(data.weights, channel * record, parts.channels * record);
                let y = flow.output().get_mut(first + 2 * i * row_step + channel..).unwrap_or_default();
                isa.two_rows(&taps, ring.rows.get(part * ring.pitch..).unwrap_or_default(), y);
            }
            i += count;
        }
        c += once;
    }
}

/// How joined channels are taken: all at once, or, where each has several outputs, one by one with all of those, which see
/// the same.
struct Parts {
    count: usize,
    /// Channels of the output in a part.
    channels: usize,
}

impl Parts {
    fn new(joined: &Joined, channels: usize) -> Self {
        match joined.multiplier {
            1 => Self { count: 1, channels },
            multiplier => Self { count: channels, channels: multiplier },
        }
    }
}

/// Joined rows of some channels, the latest few.
struct Ring<'a> {
    /// Place of the first channel in the image.
    from: usize,
    channels: usize,
    /// Elements from a pixel to the next and from a row to the next.
    step: usize,
    across: usize,
    /// Bytes from one channel to the next.
    pitch: usize,
    kept: usize,
    top: usize,
    left: usize,
    width: usize,
    height: usize,
    /// The next joined row to be made, and how many are border from the beginning on, until they are made.
    next: usize,
    fresh: usize,
    rows: &'a mut [i8],
    /// What stands for a row of the border.
    border: &'a [i8],
}

impl<'a> Ring<'a> {
    /// Words of border throughout; those in front of and behind the columns of an image stay so.
    fn new<I: Isa>(isa: I, joined: &Joined, zero: i8, scratch: &'a mut [i8]) -> Option<Self> {
        let pitch = 4 * joined.columns;
        let (rows, border) = scratch.split_at_mut_checked(joined.kept * pitch * joined.channels)?;
        isa.fill([zero, zero >> 7, zero, zero >> 7], rows);
        let border = border.get_mut(..joined.border())?;
        border.fill(zero);
        Some(Self {
            from: 0,
            channels: 0,
            step: joined.image.c.into(),
            across: usize::from(joined.image.w) * usize::from(joined.image.c),
            pitch,
            kept: joined.kept,
            top: joined.window.padding.top.into(),
            left: joined.window.padding.left.into(),
            width: joined.image.w.into(),
            height: joined.image.h.into(),
            next: 0,
            fresh: joined.kept,
            rows,
            border,
        })
    }

    /// Goes on to some channels, no more than at first. Rows of border are made again where others have lain there.
    #[inline(always)]
    fn begin(&mut self, joined: &Joined, from: usize, channels: usize) {
        if self.next > 0 && !(joined.whole && channels == self.channels) {
            self.fresh = 0;
        }
        (self.from, self.channels, self.next) = (from, channels, 0);
    }

    /// What is the same for all windows.
    fn taps<'b>(&self, joined: &Joined, parts: &Parts, zero: i8) -> Taps<'b> {
        let (row, width) = (self.pitch * self.channels, usize::from(joined.output[1]));
        let step = usize::from(joined.image.c) * joined.multiplier;
        Taps {
            records: &[],
            record: 0,
            first: 12,
            taps: [2, 3],
            place: 0,
            row,
            ring: self.kept * row,
            tap: 4 * usize::from(joined.window.dilation[1]),
            pixel: 4 * usize::from(joined.window.stride[1]),
            below: row,
            pitch: if joined.multiplier == 1 { self.pitch } else { 0 },
            channels: parts.channels,
            output: [0, width],
            step,
            row_step: width * step,
            zero,
        }
    }

    /// Which of the rows kept a joined row is.
    #[inline(always)]
    fn slot(&self, row: usize) -> usize {
        row.checked_rem(self.kept).unwrap_or(0)
    }

    /// Where a joined row lies.
    #[inline(always)]
    fn at(&self, row: usize) -> usize {
        self.slot(row) * self.pitch * self.channels
    }

    /// How many rows further down a window may begin than in row `row` where it spans so many and does not go round; `None`
    /// where that one does.
    #[inline(always)]
    fn room(&self, row: usize, span: usize) -> Option<usize> {
        self.kept.checked_sub(self.slot(row) + span)
    }

    /// Makes those of some joined rows that are not there yet.
    fn fill<I: Isa>(&mut self, isa: I, x: Input<'_>, rows: Range<usize>) {
        let (step, across, row) = (self.step, self.across, self.pitch * self.channels);
        self.next = self.next.max(rows.start);
        while self.next < rows.end {
            // The row of the image, if it is one.
            let upper = (2 * self.next).wrapping_sub(self.top);
            let lower = upper.wrapping_add(1);
            let slot = self.slot(self.next);
            let mut joins = Joins {
                rows: [self.border; 2],
                steps: [0; 2],
                channels: self.channels,
                columns: self.width,
                count: 1,
                below: 2 * across,
                pitch: self.pitch,
                row,
            };
            if upper < self.height {
                joins.rows[0] = x.data.get(upper * across + self.from..).unwrap_or_default();
                joins.steps[0] = step;
            }
            if lower < self.height {
                joins.rows[1] = x.data.get(lower * across + self.from..).unwrap_or_default();
                joins.steps[1] = step;
                // As many pairs at once as lie in the image.
                if upper < self.height {
                    let there = (self.height - upper) / 2;
                    joins.count = there.min(rows.end - self.next).min(self.kept - slot);
                }
            }
            if step == 1 {
                // A row is one pixel of as many channels.
                (joins.channels, joins.columns, joins.pitch) = (self.width, 1, 4);
            }
            if upper < self.height || lower < self.height || self.next >= self.fresh {
                let at = slot * row + 4 * self.left;
                isa.join_rows(&joins, self.rows.get_mut(at..).unwrap_or_default());
            }
            self.next += joins.count;
        }
    }

    /// Joins each column of a row with the one `apart` columns behind it.
    fn join_columns<I: Isa>(&mut self, isa: I, x: Input<'_>, apart: usize) {
        let (step, behind) = (usize::from(x.shape.c), self.left + self.width);
        // Words whose second half is the border, and those whose first one is, both or one of which may be none.
        let (last, first) = (behind.saturating_sub(apart), self.left.saturating_sub(apart));
        for (from, to) in [(first, self.left.min(last)), (self.left, last), (self.left.max(last), behind)] {
            let row = |column: usize| {
                let inside = column.checked_sub(self.left).filter(|&column| column < self.width);
                let x = inside.and_then(|column| x.data.get(column * step + self.from..));
                x.map_or((self.border, 0), |x| (x, step))
            };
            let ((upper, first), (lower, second)) = (row(from), row(from + apart));
            let mut joins = Joins {
                rows: [upper, lower],
                steps: [first, second],
                channels: self.channels,
                columns: to.saturating_sub(from),
                count: 1,
                below: 0,
                pitch: self.pitch,
                row: 0,
            };
            if step == 1 {
                (joins.channels, joins.columns, joins.pitch) = (joins.columns, 1, 4);
            }
            isa.join_rows(&joins, self.rows.get_mut(4 * from..).unwrap_or_default());
        }
    }
}
