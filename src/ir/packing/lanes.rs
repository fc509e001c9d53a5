//! Pixels two by two, for convolution: what the windows of neighbouring outputs see lies interleaved word by word, so
//! that one address serves both.

use crate::ir::{Bias, Conv2d, Dense, Op, Shape, Window};

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
        let merged = if apart { Self::merged(conv) } else { 1 };
        let elements = conv.window.taps() * conv.span as usize * merged;
        let pairs = elements.div_ceil(2);
        let count = match scratch.checked_div(8 * pairs) {
            Some(count) => count,
            None => 0,
        };
        Self { merged, elements, pairs, pixels: 2 * count }
    }

    /// How many groups to compute as one: as few as come within a quarter of the fewest cycles, for small groups cost more
    /// to enter than to compute. At most eight.
    const fn merged(conv: &Conv2d) -> usize {
        let groups = conv.groups as usize;
        let mut best = usize::MAX;
        let mut found = 1;
        // Downwards, the first time for the least of cycles, the second time for the least of groups.
        let mut merged = 8;
        while merged > 0 {
            if groups.is_multiple_of(merged) {
                let cycles = Self::cycles(conv, merged);
                best = if cycles < best { cycles } else { best };
            }
            merged -= 1;
        }
        merged = 8;
        while merged > 0 {
            if groups.is_multiple_of(merged) && 4 * Self::cycles(conv, merged) <= 5 * best {
                found = merged;
            }
            merged -= 1;
        }
        found
    }

    /// About so many cycles for two pixels with so many groups as one.
    const fn cycles(conv: &Conv2d, merged: usize) -> usize {
        let (groups, taps) = (conv.groups as usize / merged, conv.window.taps());
        let elements = taps * conv.span as usize * merged;
        let runs = if groups == 1 { conv.window.kernel[0] as usize } else { taps };
        let copied = 2 * (180 + 36 * runs + 3 * elements);
        let quads = (conv.units as usize / groups).div_ceil(4);
        groups * (copied + 400 + quads * (120 + 15 * elements.div_ceil(2)))
    }

    /// An operator over `x` as a convolution whose windows are single pixels, all channels of them, and the image that it
    /// reads: a 1x1 of one group, or a dense layer, whose input is one pixel. `None` for others.
    pub const fn point(op: &Op, x: Shape) -> Option<(Conv2d, Shape)> {
        if let Op::Conv2d(conv) = op
            && conv.groups == 1
            && conv.span == x.c
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

/// Rows of an image, widened, in a ring of as many as the kernel has, each twice: lane 0 as it is, lane 1 ahead by what
/// lies between two outputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lanes {
    /// Rows of the kernel.
    pub rows: usize,
    /// Pairs of elements in a row of a window.
    pub pairs: usize,
    /// Elements of a lane, an even number.
    pub elements: usize,
    /// Elements of the border before a row.
    pub left: usize,
    /// Elements by which lane 1 is ahead.
    pub ahead: usize,
    /// Whether rows of windows are so short that those of a window are copied together.
    pub collected: bool,
    /// Pixels of a row of the output.
    pub width: usize,
}

impl Lanes {
    /// The most rows of a kernel.
    pub const MOST: usize = 16;
    /// The most elements of a lane, all rows of it: where rows begin is told in eights of bytes, as 16 bits.
    pub const LARGEST: usize = 2 * 0x1_0000;

    /// `None` where a row of a window is not one run of a row: groups, dilation; or where there is nothing to gain: a
    /// kernel of one element, one output a row; or where the ring is larger than can be told.
    pub const fn new(conv: &Conv2d, x: Shape) -> Option<Self> {
        let window = &conv.window;
        let Some([_, width]) = window.output(x.h, x.w) else { return None };
        let [rows, columns] = [window.kernel[0] as usize, window.kernel[1] as usize];
        let one_run =
            conv.groups == 1 && conv.span == x.c && window.dilation[0] == 1 && window.dilation[1] == 1;
        if !one_run || rows > Self::MOST || rows * columns == 1 || width == 1 {
            return None;
        }
        let (c, width) = (x.c as usize, width as usize);
        let pairs = (columns * c).div_ceil(2);
        let ahead = window.stride[1] as usize * c;
        let elements = (width - 1) / 2 * 2 * ahead + 2 * pairs;
        if elements * rows > Self::LARGEST {
            return None;
        }
        Some(Self {
            rows,
            pairs,
            elements,
            left: window.padding.left as usize * c,
            ahead,
            collected: pairs <= 8 && rows > 1 && conv.units >= 16 && !matches!(conv.bias, Bias::Unit),
            width,
        })
    }

    /// Bytes of a row: a multiple of eight.
    pub const fn pitch(&self) -> usize {
        4 * self.elements
    }

    /// Bytes of the ring.
    pub const fn ring(&self) -> usize {
        self.pitch() * self.rows
    }

    /// Bytes of two windows copied together.
    pub const fn window(&self) -> usize {
        8 * self.rows * self.pairs
    }

    /// Bytes of scratch: the ring; where a row of the output has an odd one out, the windows of two such; collected
    /// windows of a row of the output.
    pub const fn scratch(&self) -> usize {
        let collected = if self.collected { self.width / 2 } else { 0 };
        self.ring() + (collected + self.width % 2) * self.window()
    }
}
