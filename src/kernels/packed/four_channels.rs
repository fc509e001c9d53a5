//! Convolution of each channel by itself, four channels at a time.
//!
//! Rows of the image are copied to a ring of as many as a window spans, or more where there is room, with their border; as
//! many channels at a time as keep it small. So all windows are alike, and a row is read before any output is written that
//! lies as far down.

use super::activate_all;
use crate::arch::Isa;
use crate::arch::packed::Channels;
use crate::arch::runs::EvenRuns;
use crate::ir::{DepthwiseConv2d, FourChannels, IntData};
use crate::kernels::{Flow, both};

/// Bytes that are filled as fast as two runs are begun.
const FILLED: usize = 100;

/// Depthwise convolution of `x` into `y`, weights packed as
/// [`DspFourChannels`](crate::ir::Packing::DspFourChannels); `alone` tells whether there are channels by themselves.
#[inline(never)]
pub(crate) fn four_channels<I: Isa>(
    isa: I,
    conv: &DepthwiseConv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
    alone: bool,
) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, x_zero), (y, zero)) = (flow.x, flow.y);
    let Some(four) = FourChannels::into(conv, x, [y.h, y.w]) else { return };
    let Some((table, scratch)) = scratch.split_at_mut_checked(four.table()) else { return };
    let (step, record) = (usize::from(x.c), four.record());
    let singles = data.weights.get(four.fours() * record..).unwrap_or_default();
    let [height, width] = both(four.output);
    let [stride_y, stride] = both(four.window.stride);
    let [dilation_y, dilation] = both(four.window.dilation);
    let mut c = 0;
    while c < step {
        let channels = four.from(c);
        let Some(mut ring) = Ring::new(isa, &four, x_zero, c, channels, scratch) else { return };
        let mut windows = Channels {
            records: data.weights.get(c / 4 * record..).unwrap_or_default(),
            record,
            singles,
            single: four.single(),
            taps: both(four.window.kernel),
            first: 0,
            // A kernel of one row has none to step to.
            row: (dilation_y * ring.pitch).min(ring.kept * ring.pitch),
            ring: ring.kept * ring.pitch,
            tap: dilation * channels,
            pixel: stride * channels,
            below: stride_y * ring.pitch,
            channels,
            output: [0, width],
            step,
            row_step: width * step,
            zero,
        };
        // The first row of windows to come, where it begins, and the row of the ring where it does.
        let (mut oy, mut top, mut slot) = (0, 0, 0);
        while oy < height {
            // As many rows of windows at once as do not go round the ring.
            let room = ring.kept.checked_sub(slot + four.kept).and_then(|room| room.checked_div(stride_y));
            let count = room.map_or(1, |more| (1 + more).min(height - oy));
            ring.fill(isa, flow.input().data, top, top + (count - 1) * stride_y + four.kept);
            windows.first = slot * ring.pitch;
            windows.output[0] = count;
            let y = flow.output().get_mut(oy * windows.row_step + c..).unwrap_or_default();
            if channels >= 4 {
                isa.four_channels(&windows, ring.rows, table, y);
            }
            if alone && FourChannels::parts(channels)[1] > 0 {
                isa.single_channels(&windows, ring.rows, table, y);
            }
            oy += count;
            top += count * stride_y;
            slot = ring.behind(slot + count * stride_y);
        }
        c += channels;
    }
    activate_all(isa, flow, data.clamp);
}

/// The latest rows of some channels with their border.
struct Ring<'a> {
    /// The first channel.
    from: usize,
    channels: usize,
    /// Elements from a pixel of the image to the next, from a row to the next, and of a row of these channels.
    step: usize,
    across: usize,
    len: usize,
    /// The first row of the image, and the first one behind it, with the border above.
    above: usize,
    below: usize,
    /// Bytes of border in front of a row.
    left: usize,
    zero: i8,
    /// Bytes from one row to the next.
    pitch: usize,
    /// Rows that are kept.
    kept: usize,
    /// The next row to be copied, and where it goes.
    next: usize,
    slot: usize,
    /// Rows that have been border from the beginning on, until they are copied to.
    filled: usize,
    rows: &'a mut [i8],
}

impl<'a> Ring<'a> {
    /// As many rows as there is room for, but no more than there are; the first ones are border.
    #[inline(always)]
    fn new(
        isa: impl Isa,
        four: &FourChannels,
        zero: i8,
        from: usize,
        channels: usize,
        scratch: &'a mut [i8],
    ) -> Option<Self> {
        let (step, padding) = (usize::from(four.image.c), four.window.padding);
        let pitch = four.columns * channels;
        let kept = scratch.len().checked_div(pitch)?.min(four.rows()).max(four.kept);
        let rows = scratch.get_mut(..kept * pitch)?;
        let above = usize::from(padding.top);
        let left = usize::from(padding.left) * channels;
        let len = usize::from(four.image.w) * channels;
        let border = pitch.saturating_sub(len);
        // Short rows, and those with much border, are filled whole.
        let whole = border > 0 && (3 * border >= pitch || pitch <= border + FILLED);
        if !whole {
            let (above, rows) = rows.split_at_mut_checked(above.min(kept) * pitch)?;
            above.fill(zero);
            if border > 0 {
                for row in rows.chunks_exact_mut(pitch) {
                    row.get_mut(..left)?.fill(zero);
                    row.get_mut(left + len..)?.fill(zero);
                }
            }
        } else {
            isa.fill([zero; 4], rows);
            match rows.last_chunk_mut() {
                Some(last) => *last = [zero; 4],
                None => rows.fill(zero),
            }
        }
        Some(Self {
            from,
            channels,
            step,
            across: usize::from(four.image.w) * step,
            len,
            above,
            below: above + usize::from(four.image.h),
            left,
            zero,
            pitch,
            kept,
            next: above,
            slot: above,
            filled: if whole { kept } else { 0 },
            rows: scratch,
        })
    }

    /// Which of the rows kept one is.
    #[inline(always)]
    fn behind(&self, row: usize) -> usize {
        if row < self.kept { row } else { row.checked_rem(self.kept).unwrap_or(0) }
    }

    /// Copies those rows before `end` that are not there yet, but for those before `top`, which no window sees any more.
    #[inline(always)]
    fn fill(&mut self, isa: impl Isa, x: &[i8], top: usize, end: usize) {
        if self.next < top {
            self.slot = self.behind(self.slot + top - self.next);
            self.next = top;
        }
        // Where all channels are taken, or there is one pixel, a row is one run.
        let whole = self.channels == self.step || self.across == self.step;
        while self.next < end {
            let to = self.rows.get_mut(self.slot * self.pitch + self.left..).unwrap_or_default();
            let inside = self.below.saturating_sub(self.next);
            let mut rows = 1;
            if inside == 0 {
                if self.next >= self.filled {
                    to.get_mut(..self.len).unwrap_or_default().fill(self.zero);
                }
            } else {
                let from = self.next.saturating_sub(self.above) * self.across + self.from;
                let runs = if whole {
                    rows = inside.min(end - self.next).min(self.kept - self.slot);
                    EvenRuns { len: self.len, count: rows, steps: [self.across, self.pitch] }
                } else {
                    let count = self.across.checked_div(self.step).unwrap_or(0);
                    EvenRuns { len: self.channels, count, steps: [self.step, self.channels] }
                };
                isa.copy_runs(x.get(from..).unwrap_or_default(), to, &runs);
            }
            self.next += rows;
            self.slot = self.behind(self.slot + rows);
        }
    }
}
