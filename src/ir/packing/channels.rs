//! Depthwise convolution four channels at a time.

use super::{Packed, bordered};
use crate::ir::{Bias, DepthwiseConv2d, Shape, Window};

/// How the image of a depthwise convolution is kept while it is computed four channels at a time, and what that takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FourChannels {
    /// The window.
    pub window: Window,
    /// The image.
    pub image: Shape,
    /// Rows and columns of the output.
    pub output: [u16; 2],
    /// Rows that are kept at once, as many as a window spans; more where there is more scratch.
    pub kept: usize,
    /// Columns of a row, border included.
    pub columns: usize,
    /// Channels that are computed at once, fours, as many as keep their rows within about [`FourChannels::ROOM`]; with the
    /// last come those that are left: [`FourChannels::from`]. All where there are fewer than four.
    pub channels: usize,
}

impl FourChannels {
    /// Bytes that rows shall take, unless four channels take more.
    pub const ROOM: usize = 2048;

    /// `None` where there are several outputs or several biases a channel.
    pub const fn new(conv: &DepthwiseConv2d, x: Shape) -> Option<Self> {
        let Some(output) = conv.window.output(x.h, x.w) else { return None };
        Self::into(conv, x, output)
    }

    /// The same where rows and columns of the output are known.
    pub(crate) const fn into(conv: &DepthwiseConv2d, x: Shape, output: [u16; 2]) -> Option<Self> {
        if conv.multiplier != 1 || matches!(conv.bias, Bias::Unit) {
            return None;
        }
        let window = conv.window;
        let kept = (window.kernel[0] as usize - 1) * window.dilation[0] as usize + 1;
        let columns = bordered(&window, x.w, output[1] as usize);
        let fours = x.c as usize / 4;
        let channels = if fours == 0 {
            x.c as usize
        } else {
            4 * fours.div_ceil((4 * fours * kept * columns).div_ceil(Self::ROOM))
        };
        Some(Self { window, image: x, output, kept, columns, channels })
    }

    /// Channels that are computed at once from channel `c` on.
    pub const fn from(&self, c: usize) -> usize {
        let rest = (self.image.c as usize).saturating_sub(c);
        if rest < self.channels + 4 { rest } else { self.channels }
    }

    /// Rows that windows see, border included.
    pub const fn rows(&self) -> usize {
        (self.output[0] as usize - 1) * self.window.stride[0] as usize + self.kept
    }

    /// Bytes of the record of four channels: biases, taps, factors.
    pub const fn record(&self) -> usize {
        let taps = self.window.taps();
        48 + 16 * (taps / 2) + 8 * (taps % 2)
    }

    /// Bytes of the record of a channel by itself.
    pub const fn single(&self) -> usize {
        12 + 4 * self.window.taps().div_ceil(2)
    }

    /// So many channels as fours, of which the last one is of the last four where two or three are left, and as channels by
    /// themselves: one that is left, or all where there are fewer than four.
    pub const fn parts(channels: usize) -> [usize; 2] {
        if channels < 4 { [0, channels] } else { [(channels + 2) / 4, (channels % 4 == 1) as usize] }
    }

    /// Records of four channels.
    pub const fn fours(&self) -> usize {
        Self::parts(self.image.c as usize)[0]
    }

    /// Channels that have a record each.
    pub const fn singles(&self) -> usize {
        Self::parts(self.image.c as usize)[1]
    }

    /// Bytes of the table of places of taps, whole pairs.
    pub const fn table(&self) -> usize {
        4 * self.window.taps().next_multiple_of(2)
    }

    pub(super) const fn lengths(&self) -> Packed {
        let weights = self.fours() * self.record() + self.singles() * self.single();
        Packed { weights, bias: 0, requant: 0, scratch: self.scratch(self.kept) }
    }

    /// Bytes of scratch in which so many rows are kept. Behind a channel by itself lies one more, for its taps are read as words.
    pub const fn scratch(&self, rows: usize) -> usize {
        let left = if self.image.c < 4 { 0 } else { self.image.c as usize % 4 };
        self.table() + rows * self.columns * (self.channels + left) + (self.image.c == 1) as usize
    }

    /// Bytes of scratch in which as many rows are kept as there is room for, `room` or [`FourChannels::ROOM`] bytes, but no more
    /// than there are.
    pub const fn scratch_within(&self, room: usize) -> usize {
        let room = if room < Self::ROOM { room } else { Self::ROOM };
        let (least, row) = (self.scratch(self.kept), self.scratch(1) - self.scratch(0));
        let more = room.saturating_sub(least) / row;
        let most = self.rows() - self.kept;
        least + row * if more < most { more } else { most }
    }
}
