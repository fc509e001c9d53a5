//! Convolution of a 3x3 kernel by Winograd's minimal filtering F(4x4, 3x3): 36 products in place of 144.

use super::{Packed, is_plain};
use crate::ir::{Bias, Conv2d, Shape};

/// What a convolution by minimal filtering in both directions takes. The output is computed in squares of four rows and
/// columns, numbered row by row, four squares and two units at a time.
///
/// Scratch holds the transforms of some fours of squares, then the rows of the image that a row of squares sees with
/// their border, then transformed filters of two units and products. Where all squares' transforms are there, filters
/// and products lie over the rows, which nobody needs again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Squares {
    /// Pairs of input channels.
    pub pairs: usize,
    /// Squares in a row of them.
    pub across: usize,
    /// Squares in all.
    pub count: usize,
    /// Output channels.
    pub units: usize,
}

impl Squares {
    /// Products in a square.
    pub const POINTS: usize = 36;
    /// Rows and columns of the image that a square sees.
    pub const SEEN: usize = 6;
    /// Bytes of the columns of four squares, of four channels, after the first transform.
    pub const COLUMNS: usize = 48 * 18;
    /// Bytes of the products of four squares and two units.
    pub const PRODUCTS: usize = 32 * Self::POINTS;

    /// `None` where it cannot be: groups, another kernel than 3x3, a stride, dilation, a bias an element, channels that
    /// are no multiple of four, an odd number of units.
    pub const fn new(conv: &Conv2d, x: Shape) -> Option<Self> {
        let window = &conv.window;
        let Some([height, width]) = window.output(x.h, x.w) else { return None };
        let three = window.kernel[0] == 3 && window.kernel[1] == 3;
        let close = window.stride[0] == 1 && window.stride[1] == 1;
        let even =
            x.c.is_multiple_of(4) && conv.units.is_multiple_of(2) && matches!(conv.bias, Bias::Channel);
        if !is_plain(conv, x) || !three || !close || !even {
            return None;
        }
        let across = (width as usize).div_ceil(4);
        Some(Self {
            pairs: x.c as usize / 2,
            across,
            count: across * (height as usize).div_ceil(4),
            units: conv.units as usize,
        })
    }

    /// Fours of squares, the last of them filled up.
    pub const fn quads(&self) -> usize {
        self.count.div_ceil(4)
    }

    /// Bytes of the transform of four squares.
    pub const fn quad(&self) -> usize {
        16 * Self::POINTS * self.pairs
    }

    /// Bytes of a row of the image with its border.
    pub const fn pitch(&self) -> usize {
        2 * self.pairs * (4 * self.across + 2)
    }

    /// Bytes of the rows that a row of squares sees.
    pub const fn seen(&self) -> usize {
        Self::SEEN * self.pitch()
    }

    /// Bytes of the transformed filters of two units.
    pub const fn filters(&self) -> usize {
        8 * Self::POINTS * self.pairs
    }

    /// Bytes besides the transforms of so many fours of squares.
    const fn besides(&self, quads: usize) -> usize {
        let later = self.filters() + Self::PRODUCTS;
        if quads < self.quads() {
            return self.seen() + later;
        }
        let before = self.seen() + Self::COLUMNS;
        if later > before { later } else { before }
    }

    /// Bytes of scratch for the transforms of so many fours of squares. More of them transform filters less often.
    pub const fn scratch(&self, quads: usize) -> usize {
        quads * self.quad() + self.besides(quads)
    }

    /// Fours of squares at a time, for so much scratch; 0 where it is too little.
    pub const fn strip(&self, scratch: usize) -> usize {
        if scratch >= self.scratch(self.quads()) {
            return self.quads();
        }
        match scratch.checked_sub(self.besides(0)) {
            Some(left) => {
                let quads = left / self.quad();
                if quads < self.quads() { quads } else { self.quads() - 1 }
            }
            None => 0,
        }
    }

    pub(super) const fn lengths(&self) -> Packed {
        let (one, all) = (self.scratch(1), self.scratch(self.quads()));
        Packed {
            weights: 18 * self.pairs * self.units,
            bias: self.units,
            requant: self.units,
            scratch: if all < one { all } else { one },
        }
    }
}
