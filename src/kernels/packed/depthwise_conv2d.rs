//! Convolution of each channel by itself, over rows joined two by two.
//!
//! Some channels at a time, so that their joined rows fit a small scratch: a ring of as many joined rows as a window
//! spans, or more. Each row of the image is read once for each of those portions, before any output is written that lies
//! as far down; the border is written once where it is columns, and joined like any other row where it is rows. All rows
//! of outputs are computed at once whose windows do not go round the ring. Where a channel has several outputs they are computed side
//! by side, from the same joined channel.

use super::activate;
use crate::arch::packed::{Joins, Taps};
use crate::arch::{Isa, run};
use crate::ir::{DepthwiseConv2d, IntData, Joined};
use crate::kernels::{Flow, Input};
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
    let ((x, x_zero), (_, zero)) = (flow.x, flow.y);
    let Some(joined) = Joined::new(conv, x) else { return };
    let Some((table, scratch)) = scratch.split_at_mut_checked(joined.table()) else { return };
    let multiplier = joined.multiplier;
    let [height, width] = joined.output.map(usize::from);
    let row_step = width * usize::from(x.c) * multiplier;
    let stride = usize::from(joined.window.stride[0]);
    let columns = usize::from(joined.window.kernel[1]);
    let record = joined.record();
    // Rows of windows that begin in an even row and in an odd one take turns where the stride is odd.
    let turns = 1 + stride % 2;
    let mut c = 0;
    while c < usize::from(x.c) {
        let channels = joined.channels.min(usize::from(x.c) - c);
        let Some(mut ring) = Ring::new(&joined, x_zero, c, channels, scratch) else { return };
        let parts = Parts::new(&joined, channels);
        let mut taps = Taps { row_step: turns * row_step, ..ring.taps(&joined, &parts, zero) };
        taps.record = record;
        taps.below = turns * stride / 2 * taps.row;
        let mut oy = 0;
        while oy < height {
            let (first, odd) = (oy * stride / 2, oy * stride % 2);
            let more =
                ring.room(first, joined.span).and_then(|room| (2 * room + 1 - odd).checked_div(stride));
            let count = more.map_or(1, |more| 1 + more).min(height - oy);
            ring.fill(isa, flow.input(), first..(oy + count - 1) * stride / 2 + joined.span);
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
    activate(isa, flow.output(), data.clamp);
}

/// The same of a 3x3 kernel at stride 1, packed as [`DspDepthwise3`](crate::ir::Packing::DspDepthwise3): two rows of
/// outputs at a time.
#[inline(never)]
pub(crate) fn depthwise_conv2d_3x3<I: Isa>(
    isa: I,
    conv: &DepthwiseConv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, x_zero), (_, zero)) = (flow.x, flow.y);
    let Some(joined) = Joined::new(conv, x) else { return };
    let multiplier = joined.multiplier;
    let [height, width] = joined.output.map(usize::from);
    let row_step = width * usize::from(x.c) * multiplier;
    let record = Joined::RECORD_OF_THREE;
    let mut c = 0;
    while c < usize::from(x.c) {
        let channels = joined.channels.min(usize::from(x.c) - c);
        let Some(mut ring) = Ring::new(&joined, x_zero, c, channels, scratch) else { return };
        let parts = Parts::new(&joined, channels);
        let mut taps = ring.taps(&joined, &parts, zero);
        taps.record = record;
        let mut i = 0;
        while 2 * i < height {
            let count = ring.room(i, 2).map_or(1, |room| 1 + room).min(height.div_ceil(2) - i);
            ring.fill(isa, flow.input(), i..i + count + 1);
            taps.place = ring.at(i);
            taps.output[0] = (2 * count).min(height - 2 * i);
            for part in 0..parts.count {
                let channel = (c + part) * multiplier;
                taps.records = run(data.weights, channel * record, parts.channels * record);
                let y = flow.output().get_mut(2 * i * row_step + channel..).unwrap_or_default();
                isa.two_rows(&taps, ring.rows.get(part * ring.pitch..).unwrap_or_default(), y);
            }
            i += count;
        }
        c += channels;
    }
    activate(isa, flow.output(), data.clamp);
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
    /// The first channel.
    from: usize,
    channels: usize,
    /// Bytes from one channel to the next.
    pitch: usize,
    kept: usize,
    top: usize,
    left: usize,
    width: usize,
    height: usize,
    /// The next joined row to be made.
    next: usize,
    rows: &'a mut [i8],
    /// What stands for a row of the border.
    border: &'a [i8],
}

impl<'a> Ring<'a> {
    fn new(joined: &Joined, zero: i8, from: usize, channels: usize, scratch: &'a mut [i8]) -> Option<Self> {
        let pitch = 4 * joined.columns;
        let (rows, border) = scratch.split_at_mut_checked(joined.kept * pitch * channels)?;
        let (left, width) = (usize::from(joined.window.padding.left), usize::from(joined.image.w));
        let word = [zero, zero >> 7, zero, zero >> 7];
        for row in rows.as_chunks_mut().0.chunks_exact_mut(joined.columns) {
            let (before, rest) = row.split_at_mut_checked(left)?;
            before.fill(word);
            rest.get_mut(width..)?.fill(word);
        }
        let border = border.get_mut(..joined.border())?;
        border.fill(zero);
        Some(Self {
            from,
            channels,
            pitch,
            kept: joined.kept,
            top: joined.window.padding.top.into(),
            left,
            width,
            height: joined.image.h.into(),
            next: 0,
            rows,
            border,
        })
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
        let step = usize::from(x.shape.c);
        let (across, row) = (self.width * step, self.pitch * self.channels);
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
            let at = slot * row + 4 * self.left;
            isa.join_rows(&joins, self.rows.get_mut(at..).unwrap_or_default());
            self.next += joins.count;
        }
    }
}
