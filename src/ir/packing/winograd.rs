//! Convolution with three columns of taps by Winograd's minimal filtering F(4, 3) along rows: six products in place of
//! twelve.

use super::{Packed, is_plain};
use crate::ir::{Bias, Conv2d, Shape};

/// What a convolution by minimal filtering takes. Outputs are computed four columns a tile, two tiles at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Winograd {
    /// Rows of the kernel.
    pub rows: usize,
    /// Pairs of input channels.
    pub pairs: usize,
    /// Pairs of tiles in a row of the output.
    pub tiles: usize,
    /// Output channels.
    pub units: usize,
    /// Rows from one output to the next.
    pub stride: usize,
}

impl Winograd {
    /// Products in a tile.
    pub const POINTS: usize = 6;

    /// `None` where it cannot be: groups, another stride or another number of taps along rows, dilation, a bias an
    /// element, channels that are no multiple of four.
    pub const fn new(conv: &Conv2d, x: Shape) -> Option<Self> {
        let window = &conv.window;
        let Some([_, width]) = window.output(x.h, x.w) else { return None };
        let three = window.kernel[1] == 3 && window.stride[1] == 1;
        let fours =
            x.c.is_multiple_of(4) && conv.units.is_multiple_of(4) && matches!(conv.bias, Bias::Channel);
        if !is_plain(conv, x) || !three || !fours {
            return None;
        }
        Some(Self {
            rows: window.kernel[0] as usize,
            pairs: x.c as usize / 2,
            tiles: (width as usize).div_ceil(8),
            units: conv.units as usize,
            stride: window.stride[0] as usize,
        })
    }

    /// Columns of the widened image that tiles read.
    pub const fn columns(&self) -> usize {
        8 * self.tiles + 2
    }

    /// Bytes of one transformed row.
    pub const fn row(&self) -> usize {
        8 * Self::POINTS * self.tiles * self.pairs
    }

    /// Transformed rows for so many rows of the output.
    pub const fn kept(&self, strip: usize) -> usize {
        (strip - 1) * self.stride + self.rows
    }

    /// Bytes of a widened row.
    pub const fn wide(&self) -> usize {
        4 * self.columns() * self.pairs
    }

    /// Bytes besides transformed rows: the transformed filters of four units and products of a row, and before those a
    /// widened row in their place.
    pub const fn besides(&self) -> usize {
        let later = self.filters() + 32 * Self::POINTS * self.tiles;
        if later > self.wide() { later } else { self.wide() }
    }

    /// Bytes of the transformed filters of four units.
    pub const fn filters(&self) -> usize {
        16 * Self::POINTS * self.rows * self.pairs
    }

    /// Bytes of scratch for strips of so many rows of the output. More rows transform filters less often.
    pub const fn scratch(&self, strip: usize) -> usize {
        self.kept(strip) * self.row() + self.besides()
    }

    /// Rows of the output in a strip, for so much scratch; 0 where it is too little.
    pub const fn strip(&self, scratch: usize) -> usize {
        let kept = match scratch.checked_sub(self.besides()) {
            Some(left) => left / self.row(),
            None => 0,
        };
        if kept < self.rows { 0 } else { (kept - self.rows) / self.stride + 1 }
    }

    pub(super) const fn lengths(&self) -> Packed {
        Packed {
            weights: 6 * self.rows * self.pairs * self.units,
            bias: self.units,
            requant: self.units,
            scratch: self.scratch(1),
        }
    }
}
