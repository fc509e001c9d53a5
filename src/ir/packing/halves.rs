//! Two pixels in the halves of a word, for CPUs that multiply 32 bits by 32 and keep the lower 32: one multiplication by a
//! weight serves both.

use super::Packed;
use crate::ir::{Bias, Conv2d, Requant, Shape};

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
            units: conv.units as usize / groups,
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

    /// Bytes of scratch.
    pub const fn scratch(&self) -> usize {
        16 * self.pairs
    }

    /// What a node has that makes `y`: biases of each pixel are those of whole fours of pixels.
    pub(super) const fn lengths(&self, conv: &Conv2d, y: Shape) -> Packed {
        let pixels = y.h as usize * y.w as usize;
        let pixels = if matches!(conv.bias, Bias::Unit) { pixels.next_multiple_of(Self::PIXELS) } else { 1 };
        let units = self.groups * self.units;
        Packed {
            weights: self.groups * self.weights(),
            bias: pixels * units,
            requant: units,
            scratch: self.scratch(),
        }
    }

    /// Whether a factor is in range.
    pub const fn takes(factor: Requant) -> bool {
        factor.shift >= Self::SHIFTS[0] && factor.shift <= Self::SHIFTS[1]
    }
}
