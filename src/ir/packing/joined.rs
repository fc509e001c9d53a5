//! Rows of an image joined two by two, for depthwise convolution; columns, where there is one row only.

use super::{Packed, Parts, Slide, bordered};
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
    /// Whether those are as many as windows see.
    pub whole: bool,
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
            whole: false,
            columns: bordered(&window, image.w, output[1] as usize),
            multiplier: conv.multiplier as usize,
            channels: 0,
        };
        joined.span = joined.pairs((window.stride[0] % 2) as usize);
        let (row, c) = (4 * joined.columns, x.c as usize);
        let seen = (output[0] as usize - 1) * window.stride[0] as usize / 2 + joined.span;
        // Where a channel has several outputs they are computed channel by channel, however many are joined.
        let all = if joined.multiplier == 1 || c < 4 { c.next_multiple_of(4) } else { 4 };
        if row * seen == 0 || all == 0 {
            return None;
        }
        let fit = Self::ROOM / (row * seen) / 4 * 4;
        let parts = if fit > 0 { all.div_ceil(fit) } else { (all * row * joined.span).div_ceil(Self::ROOM) };
        let channels = if parts == 0 { 4 } else { all.div_ceil(parts).next_multiple_of(4) };
        joined.channels = if channels > c { c } else { channels };
        let Some(room) = Self::ROOM.checked_div(row * joined.channels) else { return None };
        let room = if room < joined.span { joined.span } else { room };
        joined.whole = room >= seen;
        joined.kept = if joined.whole { seen } else { room };
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

    /// What [`Packing::DspDepthwise3`](super::Packing::DspDepthwise3) makes of the [parts](Parts) of rows and of columns that
    /// are `phase`: a convolution without dilation. `None` where it is no packing for it, and where there are no such
    /// outputs.
    pub const fn three(conv: &DepthwiseConv2d, x: Shape, phase: [u16; 2]) -> Option<Self> {
        let Window { kernel: [h, w], stride: [sh, sw], dilation: [dy, dx], padding } = conv.window;
        if h > 3 || w > 3 || sh != 1 || sw != 1 || dy == 0 || dx == 0 {
            return None;
        }
        // A line has taps for fewer cycles.
        if h * w < 9 && (h * w == 1 || x.h == 1 || x.w == 1) {
            return None;
        }
        if !padding.top.is_multiple_of(dy) || !padding.left.is_multiple_of(dx) {
            return None;
        }
        let Some([rows, columns]) = Slide::both(&conv.window, x) else { return None };
        let (rows, _) = Parts::of(&rows, dy).part(phase[0] as usize);
        let (columns, _) = Parts::of(&columns, dx).part(phase[1] as usize);
        let (top, left) = (rows.before as u16, columns.before as u16);
        let padding = Padding { top, bottom: 0, left, right: 0 };
        let conv = DepthwiseConv2d { window: Window { dilation: [1, 1], padding, ..conv.window }, ..*conv };
        let image = Shape::new(rows.inputs as u16, columns.inputs as u16, x.c);
        let output = [rows.outputs as u16, columns.outputs as u16];
        if output[0] == 0 || output[1] == 0 { None } else { Self::three_into(&conv, image, output) }
    }

    /// The same of a window without dilation where rows and columns of the output are known. A kernel of fewer taps is one of nine,
    /// some of them 0.
    pub(crate) const fn three_into(conv: &DepthwiseConv2d, x: Shape, output: [u16; 2]) -> Option<Self> {
        let window = Window { kernel: [3, 3], ..conv.window };
        Self::into(&DepthwiseConv2d { window, ..*conv }, x, output)
    }

    /// Whether [`Packing::DspDepthwise3`](super::Packing::DspDepthwise3) is for a convolution.
    pub const fn is_three(conv: &DepthwiseConv2d, x: Shape) -> bool {
        Self::three(conv, x, [0, 0]).is_some()
    }

    /// Bytes of the table of places of taps.
    pub const fn table(&self) -> usize {
        4 * self.span * self.words()
    }

    /// Bytes of a run of border that stands for a row: a pixel, or a row where those are single bytes.
    pub const fn border(&self) -> usize {
        if self.image.c == 1 { self.image.w as usize } else { self.channels }
    }

    /// What a convolution has whose channels have records of so many bytes, with a table or without.
    pub(super) const fn lengths(&self, record: usize, table: usize) -> Packed {
        Packed {
            weights: record * self.multiplier * self.image.c as usize,
            bias: 0,
            requant: 0,
            scratch: table + 4 * self.kept * self.columns * self.channels + self.border(),
        }
    }

    /// What [`Packing::DspDepthwise3`](super::Packing::DspDepthwise3) has: scratch for any phase.
    pub(super) const fn lengths_of_three(conv: &DepthwiseConv2d, x: Shape) -> Option<Packed> {
        let Some(first) = Self::three(conv, x, [0, 0]) else { return None };
        let mut most = first.lengths(Self::RECORD_OF_THREE, 0);
        // Phases have one of two heights and one of two widths.
        let [down, right] = conv.window.dilation;
        let others = [[0, right - 1], [down - 1, 0], [down - 1, right - 1]];
        let mut i = 0;
        while i < others.len() {
            if let Some(phase) = Self::three(conv, x, others[i]) {
                let scratch = phase.lengths(Self::RECORD_OF_THREE, 0).scratch;
                most.scratch = if scratch > most.scratch { scratch } else { most.scratch };
            }
            i += 1;
        }
        Some(most)
    }
}
