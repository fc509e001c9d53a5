//! Rows of an image joined two by two, for depthwise convolution; columns, where there is one row only.

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
    /// Whether there is one row only, of the image and of the kernel. Then each column is joined with the next one that a window
    /// sees, and a window reads every other tap.
    pub line: bool,
    /// Joined rows that a window spans, at most.
    pub span: usize,
    /// Joined rows that are kept at once: as many as windows see, or as keep within [`Joined::ROOM`], or as a window spans.
    pub kept: usize,
    /// Columns of a joined row, border included.
    pub columns: usize,
    /// Outputs of a channel.
    pub multiplier: usize,
    /// Channels that are joined at once, as many as keep all joined rows that windows see within [`Joined::ROOM`], or, where
    /// not even four do, those that a window spans within about as much; all but the last such a multiple of 4.
    pub channels: usize,
}

impl Joined {
    /// Bytes that joined rows shall take, unless four channels take more.
    pub const ROOM: usize = 2048;

    /// Bytes of an output channel's record in [`Packing::DspDepthwise3`](super::Packing::DspDepthwise3).
    pub const RECORD_OF_THREE: usize = 24;

    /// `None` where there are several biases a channel.
    pub const fn new(conv: &DepthwiseConv2d, x: Shape) -> Option<Self> {
        let Some([rows, columns]) = conv.window.output(x.h, x.w) else { return None };
        Self::into(conv, x, [rows, columns])
    }

    /// The same where rows and columns of the output are known.
    pub(crate) const fn into(conv: &DepthwiseConv2d, x: Shape, output: [u16; 2]) -> Option<Self> {
        if matches!(conv.bias, Bias::Unit) {
            return None;
        }
        let (mut window, mut image, mut output) = (conv.window, x, output);
        if x.w == 1 && window.kernel[1] == 1 && window.padding.left == 0 && window.padding.right == 0 {
            image = Shape::new(1, x.h, x.c);
            output = [output[1], output[0]];
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
        let mut joined = Self {
            window,
            image,
            output,
            line: image.h == 1 && window.kernel[0] == 1,
            span: 0,
            kept: 0,
            columns: bordered(&window, image.w, output[1] as usize),
            multiplier: conv.multiplier as usize,
            channels: 0,
        };
        joined.span = joined.pairs((window.stride[0] % 2) as usize);
        let (row, c) = (4 * joined.columns, x.c as usize);
        let seen = (output[0] as usize - 1) * window.stride[0] as usize / 2 + joined.span;
        // Where a channel has several outputs they are computed channel by channel, however many are joined.
        let all = if joined.multiplier == 1 || c < 4 { c.next_multiple_of(4) } else { 4 };
        let fit = Self::ROOM / (row * seen) / 4 * 4;
        let parts = if fit > 0 { all.div_ceil(fit) } else { (all * row * joined.span).div_ceil(Self::ROOM) };
        let channels = all.div_ceil(parts).next_multiple_of(4);
        joined.channels = if channels > c { c } else { channels };
        let room = Self::ROOM / (row * joined.channels);
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
        if self.line {
            return 12 + 4 * self.words();
        }
        let odd = if self.window.stride[0] % 2 == 1 { self.pairs(1) } else { 0 };
        12 + 4 * self.window.kernel[1] as usize * (self.pairs(0) + odd)
    }

    /// Words of taps in a row of a kernel.
    pub const fn words(&self) -> usize {
        let columns = self.window.kernel[1] as usize;
        if self.line { columns.div_ceil(2) } else { columns }
    }

    /// Whether [`Packing::DspDepthwise3`](super::Packing::DspDepthwise3) is for it.
    pub const fn is_three(&self) -> bool {
        let Window { kernel: [h, w], stride: [sh, sw], dilation: [dh, dw], .. } = self.window;
        h == 3 && w == 3 && sh == 1 && sw == 1 && dh == 1 && dw == 1
    }

    /// Bytes of the table of places of taps.
    pub const fn table(&self) -> usize {
        4 * self.span * self.words()
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
