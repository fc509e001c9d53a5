//! Pixels two by two, for convolution: what the windows of neighbouring outputs see lies interleaved word by word, so
//! that one address serves both.

use super::{Bunches, Sections};
use crate::ir::{Conv2d, Dense, Op, Shape, Window};

/// Windows that are copied together before they are multiplied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// Groups that are computed as one, whose units have weights of 0 for what the other groups see.
    pub merged: usize,
    /// Elements of a window.
    pub elements: usize,
    /// Pairs of them.
    pub pairs: usize,
    /// Pixels at a time, an even number.
    pub pixels: usize,
}

impl Chunk {
    /// Windows of a group of a convolution over so many channels, as many as fit so much scratch; none where not two do.
    pub const fn new(conv: &Conv2d, channels: u16, scratch: usize) -> Self {
        let apart = conv.groups as usize * conv.span as usize == channels as usize;
        let merged = if apart { Reading::Windows.merged(conv) } else { 1 };
        let elements = conv.window.taps() * conv.span as usize * merged;
        Self { merged, elements, pairs: elements.div_ceil(2), pixels: 0 }.within(scratch)
    }

    /// The same for windows in sections, filled up to whole ones.
    pub const fn long(conv: &Conv2d, channels: u16, scratch: usize) -> Self {
        let chunk = Self::new(conv, channels, 0);
        let Sections { count, pairs } = Sections::of(chunk.pairs);
        Self { pairs: count * pairs, ..chunk }.within(scratch)
    }

    /// As many windows of these as fit so much scratch.
    const fn within(mut self, scratch: usize) -> Self {
        if let Some(count) = scratch.checked_div(8 * self.pairs) {
            self.pixels = 2 * count;
        }
        self
    }

    /// An operator over `x` as a convolution whose windows are single pixels, all channels of them once, and the image that
    /// it reads: a 1x1, or a dense layer, whose input is one pixel. `None` for others.
    pub const fn point(op: &Op, x: Shape) -> Option<(Conv2d, Shape)> {
        if let Op::Conv2d(conv) = op
            && conv.groups as usize * conv.span as usize == x.c as usize
            && conv.window.taps() == 1
        {
            return Some((*conv, x));
        }
        let Op::Dense(Dense { units, bias }) = op else { return None };
        if x.len() > u16::MAX as usize {
            return None;
        }
        let (span, window) = (x.len() as u16, Window::new(1, 1));
        let conv = Conv2d { units: *units, window, groups: 1, span, bias: *bias };
        Some((conv, Shape::flat(span)))
    }

    /// Bytes of scratch.
    pub const fn scratch(&self) -> usize {
        4 * self.pixels * self.pairs
    }
}

/// How windows are brought together, which decides how many groups are computed as one.
#[derive(Clone, Copy)]
enum Reading {
    /// Copied one by one.
    Windows,
    /// Read where rows lie widened; taps of a row and of a column, columns of the output.
    Rows { kernel: [usize; 2], width: usize },
}

impl Reading {
    /// The most groups that are computed as one.
    const MERGED: usize = 8;

    /// How many groups to compute as one: as few as come within an eighth of the fewest cycles.
    const fn merged(self, conv: &Conv2d) -> usize {
        if conv.groups == 1 {
            return 1;
        }
        let mut cycles = [usize::MAX; Self::MERGED];
        let (mut best, mut i) = (usize::MAX, 0);
        while i < Self::MERGED {
            if conv.groups.is_multiple_of(i as u16 + 1) {
                cycles[i] = self.cycles(conv, i + 1);
            }
            best = if cycles[i] < best { cycles[i] } else { best };
            i += 1;
        }
        let mut merged = 1;
        while cycles[merged - 1] > best + best / 8 {
            merged += 1;
        }
        merged
    }

    /// About so many cycles for two pixels with so many groups as one.
    const fn cycles(self, conv: &Conv2d, merged: usize) -> usize {
        let (groups, channels) = (conv.groups as usize / merged, conv.span as usize * merged);
        let units = conv.units as usize / groups;
        let of_group = match self {
            Reading::Windows => {
                let taps = conv.window.taps();
                let elements = taps * channels;
                let runs = if groups == 1 { conv.window.kernel[0] as usize } else { taps };
                let read = if taps == 1 { 50 + 5 * elements } else { 760 + 72 * runs + 6 * elements };
                read + Bunches::cycles(units, 1, elements.div_ceil(2))
            }
            Reading::Rows { kernel: [rows, columns], width } => {
                let read = 4 * (25 + 3 * channels) + 3000 / width;
                read + Bunches::cycles(units, rows, (columns * channels).div_ceil(2))
            }
        };
        groups * of_group
    }
}

/// Rows of an image, widened, in a ring of as many as the kernel has, each twice: lane 0 as it is, lane 1 ahead by what
/// lies between two outputs. Groups are computed one after another, each from a ring of its own channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lanes {
    /// Groups, and how many of the convolution's each of them is, whose units have weights of 0 for what the others see.
    pub groups: u16,
    /// See there.
    pub merged: u16,
    /// Units of a group.
    pub units: u16,
    /// Channels of a group.
    pub channels: u16,
    /// The image. One of a single column, where the kernel is one too, lies on its side: rows are columns then.
    pub image: Shape,
    /// Rows of the border above.
    pub top: u16,
    /// Rows from one output to the next.
    pub below: u16,
    /// Rows and columns of the output.
    pub output: [u16; 2],
    /// Rows of the kernel.
    pub rows: u16,
    /// Pairs of elements in a row of a window.
    pub pairs: usize,
    /// Elements of a lane, an even number.
    pub elements: usize,
    /// Pixels of a lane.
    pub pixels: usize,
    /// Pixels of the border before a row.
    pub left: u16,
    /// Pixels by which lane 1 is ahead.
    pub ahead: u16,
}

impl Lanes {
    /// The most rows of a kernel.
    pub const MOST: usize = 16;
    /// The most elements of a lane, all rows of it: where rows begin is told in eights of bytes, as 16 bits.
    pub const LARGEST: usize = 2 * 0x1_0000;

    /// `None` where a row of a window is not one run of a row: groups that share channels, dilation; or where there is
    /// nothing to gain: a kernel of one element, one output a row; or where the ring is larger than can be told.
    pub const fn new(conv: &Conv2d, x: Shape) -> Option<Self> {
        let p = conv.window.padding;
        let turned = x.w == 1 && conv.window.kernel[1] == 1 && p.left == 0 && p.right == 0;
        let ([rows, columns], [below, right], [top, left]) = if turned {
            ([1, conv.window.kernel[0]], [1, conv.window.stride[0]], [0, p.top])
        } else {
            (conv.window.kernel, conv.window.stride, [p.top, p.left])
        };
        let Some([height, width]) = conv.window.output(x.h, x.w) else { return None };
        let output = if turned { [width, height] } else { [height, width] };
        let width = output[1] as usize;
        let apart = conv.groups as usize * conv.span as usize == x.c as usize;
        let [across, along] = conv.window.dilation;
        let (rows, columns) = (rows as usize, columns as usize);
        if !apart || across != 1 || along != 1 || rows > Self::MOST || rows * columns == 1 || width == 1 {
            return None;
        }
        let merged = Reading::Rows { kernel: [rows, columns], width }.merged(conv);
        let (groups, channels) = (conv.groups as usize / merged, conv.span as usize * merged);
        let pairs = (columns * channels).div_ceil(2);
        let before_last = (width - 1) / 2 * 2 * right as usize;
        let elements = before_last * channels + 2 * pairs;
        if elements * rows > Self::LARGEST {
            return None;
        }
        Some(Self {
            groups: groups as u16,
            merged: merged as u16,
            units: conv.units / groups as u16,
            channels: channels as u16,
            image: if turned { Shape::new(1, x.h, x.c) } else { x },
            top,
            below,
            output,
            rows: rows as u16,
            pairs,
            elements,
            pixels: before_last + columns,
            left,
            ahead: right,
        })
    }

    /// Whether rows of windows are so short that copying those of a window together costs less than to find them for each
    /// bunch of units.
    pub const fn collects(&self) -> bool {
        let Bunches { large, twos, .. } = Bunches::quads(self.units as usize);
        let rows = self.rows as usize;
        (rows - 1) * (23 * large + 18 * twos) > rows * (10 + 11 * self.pairs) + 20
    }

    /// Bytes from two windows to the next two in a row.
    pub const fn step(&self) -> usize {
        8 * self.ahead as usize * self.channels as usize
    }

    /// Bytes of a row: a multiple of eight.
    pub const fn pitch(&self) -> usize {
        4 * self.elements
    }

    /// Bytes of the ring.
    pub const fn ring(&self) -> usize {
        self.pitch() * self.rows as usize
    }

    /// Bytes of two windows copied together.
    pub const fn window(&self) -> usize {
        8 * self.rows as usize * self.pairs
    }

    /// Bytes of scratch: the ring; where a row of the output has an odd one out, the windows of two such.
    pub const fn scratch(&self) -> usize {
        self.ring() + self.output[1] as usize % 2 * self.window()
    }

    /// Bytes of scratch where windows of a row of the output are copied together, too.
    pub const fn collected(&self) -> usize {
        self.scratch() + self.output[1] as usize / 2 * self.window()
    }
}
