//! Convolution of each channel by itself, over rows joined two by two.
//!
//! Some channels at a time, so that their joined rows fit a small scratch: a ring of as many joined rows as a window
//! spans. Each row of the image is read once for each of those portions, before any output is written that lies as far
//! down; the border is written once where it is columns, and joined like any other row where it is rows. Where a channel has
//! several outputs they are computed side by side, from the same joined channel.

use super::activate;
use crate::arch::packed::Taps;
use crate::arch::{Isa, run};
use crate::ir::{DepthwiseConv2d, IntData, Joined};
use crate::kernels::{Flow, Input};

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
    let (step, multiplier) = (usize::from(x.c) * joined.multiplier, joined.multiplier);
    let [height, width] = joined.output.map(usize::from);
    let [stride_y, stride] = joined.window.stride.map(usize::from);
    let [_, dilation] = joined.window.dilation.map(usize::from);
    let [_, columns] = joined.window.kernel.map(usize::from);
    let record = joined.record();
    let mut c = 0;
    while c < usize::from(x.c) {
        let channels = joined.channels.min(usize::from(x.c) - c);
        let Some(mut ring) = Ring::new(&joined, x_zero, c, channels, scratch) else { return };
        let parts = Parts::new(&joined, channels, ring.pitch);
        let mut taps = Taps {
            records: &[],
            record,
            first: 0,
            columns,
            stride,
            dilation,
            channels: parts.channels,
            step,
            width,
            pitch: parts.pitch,
            zero,
        };
        for oy in 0..height {
            let top = oy * stride_y;
            let (from, parity) = (top / 2, top % 2);
            let pairs = joined.pairs(parity);
            ring.fill(isa, flow.input(), from + pairs);
            taps.first = if parity == 0 { 12 } else { 12 + 4 * columns * joined.pairs(0) };
            for part in 0..parts.count {
                let mut rows = [&[][..]; Joined::MOST];
                for (i, row) in rows.iter_mut().take(pairs).enumerate() {
                    *row = ring.row(from + i).get(part * ring.pitch..).unwrap_or_default();
                }
                let channel = (c + part) * multiplier;
                taps.records = run(data.weights, channel * record, parts.channels * record);
                let y = flow.output().get_mut(oy * width * step + channel..).unwrap_or_default();
                isa.taps(&taps, rows.get(..pairs).unwrap_or_default(), y);
            }
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
    let (step, multiplier) = (usize::from(x.c) * joined.multiplier, joined.multiplier);
    let [height, width] = joined.output.map(usize::from);
    let record = Joined::RECORD_OF_THREE;
    let mut c = 0;
    while c < usize::from(x.c) {
        let channels = joined.channels.min(usize::from(x.c) - c);
        let Some(mut ring) = Ring::new(&joined, x_zero, c, channels, scratch) else { return };
        let parts = Parts::new(&joined, channels, ring.pitch);
        let mut taps = Taps {
            records: &[],
            record,
            first: 12,
            columns: 3,
            stride: 1,
            dilation: 1,
            channels: parts.channels,
            step,
            width,
            pitch: parts.pitch,
            zero,
        };
        for i in 0..height.div_ceil(2) {
            ring.fill(isa, flow.input(), i + 2);
            let rows = flow.output().get_mut(2 * i * width * step..).unwrap_or_default();
            let Some((upper, lower)) = rows.split_at_mut_checked(width * step) else { return };
            for part in 0..parts.count {
                let pairs = [i, i + 1].map(|i| ring.row(i).get(part * ring.pitch..).unwrap_or_default());
                let channel = (c + part) * multiplier;
                taps.records = run(data.weights, channel * record, parts.channels * record);
                let upper = upper.get_mut(channel..).unwrap_or_default();
                isa.two_rows(&taps, pairs, upper, lower.get_mut(channel..));
            }
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
    /// Bytes in a joined row from one of those to the next.
    pitch: usize,
}

impl Parts {
    fn new(joined: &Joined, channels: usize, pitch: usize) -> Self {
        match joined.multiplier {
            1 => Self { count: 1, channels, pitch },
            multiplier => Self { count: channels, channels: multiplier, pitch: 0 },
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
    /// A pixel of the border.
    border: &'a [i8],
}

impl<'a> Ring<'a> {
    fn new(joined: &Joined, zero: i8, from: usize, channels: usize, scratch: &'a mut [i8]) -> Option<Self> {
        let pitch = 4 * joined.columns;
        let (rows, border) = scratch.split_at_mut_checked(joined.kept * pitch * channels)?;
        let (a, b) = (zero, zero >> 7);
        let (fours, rest) = rows.as_chunks_mut();
        fours.fill([a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, b]);
        rest.as_chunks_mut().0.fill([a, b, a, b]);
        let border = border.get_mut(..channels)?;
        border.fill(zero);
        Some(Self {
            from,
            channels,
            pitch,
            kept: joined.kept,
            top: joined.window.padding.top.into(),
            left: joined.window.padding.left.into(),
            width: joined.image.w.into(),
            height: joined.image.h.into(),
            next: 0,
            rows,
            border,
        })
    }

    /// Where a joined row lies.
    #[inline(always)]
    fn at(&self, row: usize) -> usize {
        row.checked_rem(self.kept).unwrap_or(0) * self.pitch * self.channels
    }

    /// A joined row that has been made and not yet been made over.
    #[inline(always)]
    fn row(&self, row: usize) -> &[i8] {
        run(self.rows, self.at(row), self.pitch * self.channels)
    }

    /// Makes all joined rows before `end`.
    fn fill<I: Isa>(&mut self, isa: I, x: Input<'_>, end: usize) {
        while self.next < end {
            let step = usize::from(x.shape.c);
            let mut steps = [step; 2];
            let rows = [0, 1].map(|i| match (2 * self.next + i).checked_sub(self.top) {
                Some(row) if row < self.height => {
                    let at = row * self.width * step;
                    run(x.data, at + self.from, (self.width * step).saturating_sub(self.from))
                }
                _ => {
                    steps[i] = 0;
                    self.border
                }
            });
            let at = self.at(self.next) + 4 * self.left;
            let to = self.rows.get_mut(at..).unwrap_or_default();
            isa.join_rows(rows, steps, self.channels, self.width, to, self.pitch);
            self.next += 1;
        }
    }
}
