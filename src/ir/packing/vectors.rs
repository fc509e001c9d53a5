//! Vectors of sixteen elements, for CPUs that multiply so many at once and sum the products.

use super::{Packed, Ring};
use crate::ir::{Conv2d, Shape};

/// How a convolution is computed by vectors, and what that takes.
///
/// Elements of the windows of four neighbouring outputs lie in scratch one window after another, each filled up to whole
/// vectors with whatever is there, which weights of 0 multiply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vectors {
    /// Groups.
    pub groups: usize,
    /// Units of a group.
    pub units: usize,
    /// Vectors of a window of a group.
    pub vectors: usize,
}

impl Vectors {
    /// Elements of a vector.
    pub const ELEMENTS: usize = 16;
    /// Units whose weights lie together.
    pub const UNITS: usize = 4;
    /// Windows that are laid at once.
    pub const PIXELS: usize = 4;

    /// Of a convolution that is legal.
    pub const fn new(conv: &Conv2d) -> Self {
        let groups = conv.groups as usize;
        Self {
            groups,
            units: match (conv.units as usize).checked_div(groups) {
                Some(units) => units,
                None => 0,
            },
            vectors: (conv.window.taps() * conv.span as usize).div_ceil(Self::ELEMENTS),
        }
    }

    /// Bytes of a window.
    pub const fn pitch(&self) -> usize {
        Self::ELEMENTS * self.vectors
    }

    /// Bytes of weights of a group.
    pub const fn weights(&self) -> usize {
        self.units.next_multiple_of(Self::UNITS) * self.pitch()
    }

    /// Bytes of four windows, which come first in scratch.
    pub const fn windows(&self) -> usize {
        Self::PIXELS * self.pitch()
    }

    /// What a node over `x` has that makes `y`.
    pub(super) const fn lengths(&self, conv: &Conv2d, x: Shape, y: Shape) -> Packed {
        let units = self.groups * self.units;
        Packed {
            weights: self.groups * self.weights(),
            bias: conv.bias.len(y),
            requant: units,
            scratch: self.windows() + Ring::new(&conv.window, x).len(),
        }
    }
}
