//! Two pixels in the halves of a word, for CPUs that multiply 32 bits by 32 and keep the lower 32: one multiplication by a
//! weight serves both.

use super::{Packed, bordered};
use crate::ir::{Bias, Conv2d, DepthwiseConv2d, Requant, Shape, Window};

/// How a convolution is computed four pixels at a time, and what that takes.
///
/// Elements of the windows of four neighbouring outputs lie in scratch as `[pair of elements][2 pairs of pixels][element]`
/// words, each `x + 65536 x'` of a pair of pixels. For two elements `s = w0 X0 + w1 X1` is `a + 65536 b` with sums of two
/// products, one for each pixel, that are less than 2^15 off zero; so `b` is the upper half of `s` rounded to nearest.
/// With `T` the sum of all `s` modulo 2^32 and `B` that of all `b`, the sum of the first pixel is `T - 65536 B`, that of the
/// second `B`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Halves {
    /// Groups.
    pub groups: usize,
    /// Units of a group.
    pub units: usize,
    /// Pairs of elements of a window of a group.
    pub pairs: usize,
}

impl Halves {
    /// Units whose weights lie together.
    pub const UNITS: usize = 8;
    /// Pixels that are computed at once.
    pub const PIXELS: usize = 4;
    /// Shifts of factors.
    pub const SHIFTS: [i32; 2] = [-20, -1];
    /// Bits of an accumulator, bias included, besides its sign.
    pub const BITS: u32 = 23;

    /// Of a convolution that is legal.
    pub const fn new(conv: &Conv2d) -> Self {
        let groups = conv.groups as usize;
        Self {
            groups,
            units: match (conv.units as usize).checked_div(groups) {
                Some(units) => units,
                None => 0,
            },
            pairs: (conv.window.taps() * conv.span as usize).div_ceil(2),
        }
    }

    /// Bytes of weights of a block of units.
    pub const fn block(&self) -> usize {
        2 * Self::UNITS * self.pairs
    }

    /// Bytes of weights of a group.
    pub const fn weights(&self) -> usize {
        self.units.div_ceil(Self::UNITS) * self.block()
    }

    /// Bytes of the words of four windows, which come first in scratch.
    pub const fn words(&self) -> usize {
        16 * self.pairs
    }

    /// What a node over `x` has that makes `y`: biases of each pixel are those of whole fours of pixels.
    pub(super) const fn lengths(&self, conv: &Conv2d, x: Shape, y: Shape) -> Packed {
        let pixels = y.h as usize * y.w as usize;
        let pixels = if matches!(conv.bias, Bias::Unit) { pixels.next_multiple_of(Self::PIXELS) } else { 1 };
        let units = self.groups * self.units;
        Packed {
            weights: self.groups * self.weights(),
            bias: pixels * units,
            requant: units,
            scratch: self.words() + Ring::new(&conv.window, x).len(),
        }
    }

    /// Whether a factor is in range.
    pub const fn takes(factor: Requant) -> bool {
        factor.shift >= Self::SHIFTS[0] && factor.shift <= Self::SHIFTS[1]
    }
}

/// Rows of an image with their border, as many as the windows of four neighbouring outputs see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ring {
    /// Bytes from a row to the next.
    pub pitch: usize,
    /// How many rows are kept.
    pub kept: usize,
    /// Rows of the border above.
    pub top: usize,
    /// Bytes of the border before a row.
    pub left: usize,
    /// Whether there is no border: then rows are read where the image lies.
    pub direct: bool,
}

impl Ring {
    /// The most taps of a depthwise window.
    pub const TAPS: usize = 32;

    /// The image `x` as a window that is legal sees it.
    pub const fn new(window: &Window, x: Shape) -> Self {
        let (p, c) = (window.padding, x.c as usize);
        let rows = window.kernel[0] as usize;
        let width = match window.output(x.h, x.w) {
            Some([_, width]) => width as usize,
            None => 1,
        };
        // Rows of the output that four pixels lie in, at most.
        let spanned = if width.is_multiple_of(4) {
            1
        } else if width == 1 {
            4
        } else {
            2
        };
        Self {
            pitch: bordered(window, x.w, width) * c,
            kept: (spanned - 1) * window.stride[0] as usize + (rows - 1) * window.dilation[0] as usize + 1,
            top: p.top as usize,
            left: p.left as usize * c,
            direct: p.top == 0 && p.bottom == 0 && p.left == 0 && p.right == 0,
        }
    }

    /// Bytes of scratch.
    pub const fn len(&self) -> usize {
        if self.direct { 0 } else { self.kept * self.pitch }
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.direct
    }

    /// Whether [`Packing::RingDepthwise`](super::Packing::RingDepthwise) is for it.
    pub const fn takes(conv: &DepthwiseConv2d) -> bool {
        conv.multiplier == 1 && conv.window.taps() <= Self::TAPS && matches!(conv.bias, Bias::Channel)
    }
}
