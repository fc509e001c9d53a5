//! Rows of an image joined two by two, for depthwise convolution.

use super::{Packed, bordered};
use crate::ir::{Bias, DepthwiseConv2d, Padding, Shape, Window};

/// How the rows of a depthwise convolution are joined, and what that takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The window. One of a single column over an image of a single column lies on its side: rows are columns then.
    pub window: Window,
    /// The image as the window sees it.
    pub image: Shape,
    /// Rows and columns of the output, likewise.
    pub output: [u16; 2],
    /// Joined rows that a window spans, at most.
    pub span: usize,
    /// Joined rows that are kept at once: as many as windows see, or as keep within [`Joined::ROOM`], or as a window spans.
    pub kept: usize,
    /// Columns of a joined row, border included.
    pub columns: usize,
    /// Outputs of a channel.
    pub multiplier: usize,
    /// Channels that are joined at once, as many as keep the joined rows that a window spans within about [`Joined::ROOM`];
    /// all but the last such a multiple of 4.
    pub channels: usize,
}

impl Joined {
    /// Bytes that joined rows shall take, unless four channels take more.
    pub const ROOM: usize = 2048;

    /// Bytes of an output channel's record in [`Packing::DspDepthwise3`](super::Packing::DspDepthwise3).
    pub const RECORD_OF_THREE: usize = 24;

    /// `None` where there are several biases a channel.
    pub const fn new(conv: &DepthwiseConv2d, x: Shape) -> Option<Self> {
        let (mut window, mut image) = (conv.window, x);
        if x.w == 1 && window.kernel[1] == 1 && window.padding.left == 0 && window.padding.right == 0 {
            image = Shape::new(1, x.h, x.c);
            window = Window {
                kernel: [1, window.kernel[0]],
                stride: [1, window.stride[0]],
                dilation: [1, window.dilation[0]],
                padding: Padding {
                    top: 0,
                    bottom: 0,
                    left: window.padding.top,
                    right: window.padding.bottom,
                },
            };
        }
        let Some(output) = window.output(image.h, image.w) else { return None };
        let odd = window.stride[0] % 2 == 1;
        let mut joined = Self {
            window,
            image,
            output,
            span: 0,
            kept: 0,
            columns: 0,
            multiplier: conv.multiplier as usize,
            channels: 0,
        };
        joined.span = joined.pairs(odd as usize);
        if matches!(conv.bias, Bias::Unit) {
            return None;
        }
        joined.columns = bordered(&window, image.w, output[1] as usize);
        // Where a channel has several outputs they are computed channel by channel, however many are joined.
        let once = joined.multiplier == 1;
        let all = if once || x.c < 4 { (x.c as usize).next_multiple_of(4) } else { 4 };
        let parts = (all * 4 * joined.span * joined.columns).div_ceil(Self::ROOM);
        let channels = all.div_ceil(parts).next_multiple_of(4);
        joined.channels = if channels > x.c as usize { x.c as usize } else { channels };
        let seen = (output[0] as usize - 1) * window.stride[0] as usize / 2 + joined.span;
        let room = Self::ROOM / (4 * joined.columns * joined.channels);
        let room = if room < joined.span { joined.span } else { room };
        joined.kept = if room < seen { room } else { seen };
        Some(joined)
    }

    /// Joined rows that a window spans which begins in an even (0) or odd (1) row.
    pub const fn pairs(&self, parity: usize) -> usize {
        ((self.window.kernel[0] as usize - 1) * self.window.dilation[0] as usize + parity) / 2 + 1
    }

    /// Bytes of an output channel's record in [`Packing::DspDepthwise`](super::Packing::DspDepthwise).
    pub const fn record(&self) -> usize {
        let odd = if self.window.stride[0] % 2 == 1 { self.pairs(1) } else { 0 };
        12 + 4 * self.window.kernel[1] as usize * (self.pairs(0) + odd)
    }

    /// Whether [`Packing::DspDepthwise3`](super::Packing::DspDepthwise3) is for it.
    pub const fn is_three(&self) -> bool {
        let Window { kernel: [h, w], stride: [sh, sw], dilation: [dh, dw], .. } = self.window;
        h == 3 && w == 3 && sh == 1 && sw == 1 && dh == 1 && dw == 1
    }

    /// Bytes of the table of places of taps.
    pub const fn table(&self) -> usize {
        4 * self.span * self.window.kernel[1] as usize
    }

    /// Bytes of a run of border that stands for a row: a pixel, or a row where those are single bytes.
    pub const fn border(&self) -> usize {
        if self.image.c == 1 { self.image.w as usize } else { self.channels }
    }

    /// What a convolution has whose channels have records of so many bytes.
    pub(super) const fn lengths(&self, record: usize) -> Packed {
        let table = if self.is_three() && record == Self::RECORD_OF_THREE { 0 } else { self.table() };
        Packed {
            weights: record * self.multiplier * self.image.c as usize,
            bias: 0,
            requant: 0,
            scratch: table + 4 * self.kept * self.columns * self.channels + self.border(),
        }
    }
}
