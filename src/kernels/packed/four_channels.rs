//! Convolution of each channel by itself, four channels at a time.
//!
//! Rows of the image are copied to a ring of as many as a window spans, or more where there is room, with their border; as
//! many channels at a time as keep it small. So all windows are alike, and a row is read before any output is written that
//! lies as far down.

use super::activate;
use crate::arch::Isa;
use crate::arch::packed::Channels;
use crate::arch::runs::EvenRuns;
use crate::ir::{DepthwiseConv2d, FourChannels, IntData};
use crate::kernels::{Flow, Input};

/// Bytes that are filled as fast as two runs are begun.
const FILLED: usize = 100;

/// Depthwise convolution of `x` into `y`, weights packed as
/// [`DspFourChannels`](crate::ir::Packing::DspFourChannels).
#[inline(never)]
pub(crate) fn four_channels<I: Isa>(isa: I, conv: &DepthwiseConv2d, data: &IntData<'_>, flow: &mut Flow<'_>) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, x_zero), (_, zero)) = (flow.x, flow.y);
    let Some(four) = FourChannels::new(conv, x) else { return };
    let Some((table, scratch)) = scratch.split_at_mut_checked(four.table()) else { return };
    let (step, record) = (usize::from(x.c), four.record());
    let singles = data.weights.get(four.fours() * record..).unwrap_or_default();
    let [height, width] = four.output.map(usize::from);
    let [stride_y, stride] = four.window.stride.map(usize::from);
    let [dilation_y, dilation] = four.window.dilation.map(usize::from);
    let mut c = 0;
    while c < step {
        let channels = four.from(c);
        let Some(mut ring) = Ring::new(&four, x_zero, c, channels, scratch) else { return };
        let mut windows = Channels {
            records: data.weights.get(c / 4 * record..).unwrap_or_default(),
            record,
            singles,
            single: four.single(),
            taps: four.window.kernel.map(usize::from),
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
        let mut oy = 0;
        while oy < height {
            // As many rows of windows at once as do not go round the ring.
            let top = oy * stride_y;
            let slot = ring.slot(top);
            let more = ring.kept.checked_sub(slot + four.kept).and_then(|room| room.checked_div(stride_y));
            let count = more.map_or(1, |more| (1 + more).min(height - oy));
            ring.fill(isa, flow.input(), top, (count - 1) * stride_y + four.kept);
            windows.first = slot * ring.pitch;
            windows.output[0] = count;
            let y = flow.output().get_mut(oy * width * step + c..).unwrap_or_default();
            isa.four_channels(&windows, ring.rows, table, y);
            oy += count;
        }
        c += channels;
    }
    activate(isa, flow.output(), data.clamp);
}

/// The latest rows of some channels with their border.
struct Ring<'a> {
    four: &'a FourChannels,
    zero: i8,
    /// The first channel.
    from: usize,
    channels: usize,
    /// Bytes from one row to the next.
    pitch: usize,
    /// Rows that are kept.
    kept: usize,
    /// The next row to be copied.
    next: usize,
    rows: &'a mut [i8],
}

impl<'a> Ring<'a> {
    /// As many rows as there is room for, but no more than there are; the first ones are border.
    fn new(
        four: &'a FourChannels,
        zero: i8,
        from: usize,
        channels: usize,
        scratch: &'a mut [i8],
    ) -> Option<Self> {
        let pitch = four.columns * channels;
        let kept = scratch.len().checked_div(pitch)?.min(four.rows()).max(four.kept);
        let rows = scratch.get_mut(..kept * pitch)?;
        let above = usize::from(four.window.padding.top).min(kept) * pitch;
        let left = usize::from(four.window.padding.left) * channels;
        let behind = left + usize::from(four.image.w) * channels;
        let border = pitch.saturating_sub(behind - left);
        // Short rows, and those with much border, are filled whole.
        if border == 0 || (3 * border < pitch && pitch > border + FILLED) {
            let (above, rows) = rows.split_at_mut_checked(above)?;
            above.fill(zero);
            if border > 0 {
                for row in rows.chunks_exact_mut(pitch) {
                    row.get_mut(..left)?.fill(zero);
                    row.get_mut(behind..)?.fill(zero);
                }
            }
        } else {
            rows.fill(zero);
        }
        Some(Self { four, zero, from, channels, pitch, kept, next: 0, rows })
    }

    /// Which of the rows kept one is.
    #[inline(always)]
    fn slot(&self, row: usize) -> usize {
        row.checked_rem(self.kept).unwrap_or(0)
    }

    /// Copies those of `count` rows from row `top` on that are not there yet.
    fn fill<I: Isa>(&mut self, isa: I, x: Input<'_>, top: usize, count: usize) {
        let [above, left] = [self.four.window.padding.top, self.four.window.padding.left].map(usize::from);
        let [height, width, step] = [x.shape.h, x.shape.w, x.shape.c].map(usize::from);
        // What lies above has been there from the beginning on.
        let (mut next, end) = (self.next.max(top).max(above), top + count);
        let across = width * step;
        while next < end {
            let slot = self.slot(next);
            let at = slot * self.pitch + left * self.channels;
            let to = self.rows.get_mut(at..).unwrap_or_default();
            let inside = (height + above).saturating_sub(next);
            let rows = if inside > 0 {
                let x = x.data.get((next - above) * across + self.from..).unwrap_or_default();
                // Where all channels are taken, or there is one pixel, a row is one run.
                if self.channels == step || width == 1 {
                    let rows = inside.min(end - next).min(self.kept - slot);
                    let steps = [across, self.pitch];
                    isa.copy_runs(x, to, &EvenRuns { len: width * self.channels, count: rows, steps });
                    rows
                } else {
                    let steps = [step, self.channels];
                    isa.copy_runs(x, to, &EvenRuns { len: self.channels, count: width, steps });
                    1
                }
            } else {
                to.get_mut(..width * self.channels).unwrap_or_default().fill(self.zero);
                1
            };
            next += rows;
        }
        self.next = next;
    }
}
