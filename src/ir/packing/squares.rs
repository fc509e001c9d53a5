//! Convolution of a 3x3 kernel by Winograd's minimal filtering F(4x4, 3x3): 36 products in place of 144.

use super::{Packed, is_plain};
use crate::ir::{Bias, Conv2d, Shape};

/// What a convolution by minimal filtering in both directions takes. The output is computed in squares of four rows and
/// columns, numbered row by row, four squares and two units at a time.
///
/// Scratch holds the transforms of some fours of squares, then the rows of the image that a row of squares sees with
/// their border, then transformed filters of two units and products. Where all squares' transforms are there, filters
/// and products lie over the rows, which nobody needs again. An output that lies apart from the input has room for more
/// transforms where it is not written yet.
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

    /// Fours of squares from `first` on that are computed at once where scratch holds the transforms of `kept`: more lie in the
    /// output of so many rows and bytes a row, behind the rows that they become, from [`Squares::behind`] on.
    pub const fn at_once(&self, first: usize, kept: usize, [height, row]: [usize; 2]) -> usize {
        let left = self.quads().saturating_sub(first);
        let mut count = if kept < left { kept } else { left };
        while count < left {
            let behind = (height * row).saturating_sub(self.behind(first + count + 1, row));
            if count - kept >= behind / self.quad() {
                break;
            }
            count += 1;
        }
        count
    }

    /// How often filters are transformed where scratch holds the transforms of `kept` fours of squares: see
    /// [`Squares::at_once`].
    pub const fn times(&self, kept: usize, behind: [usize; 2]) -> usize {
        let (mut first, mut times) = (0, 0);
        while first < self.quads() {
            let count = self.at_once(first, kept, behind);
            if count == 0 {
                return usize::MAX;
            }
            (first, times) = (first + count, times + 1);
        }
        times
    }

    /// The byte of an output of so many bytes a row from which on nothing is written for the first fours of squares; a multiple
    /// of 4.
    pub const fn behind(&self, quads: usize, row: usize) -> usize {
        (4 * row * (4 * quads).div_ceil(self.across)).next_multiple_of(4)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Padding, Window};

    #[test]
    fn an_output_that_is_not_written_yet_holds_transforms() {
        let window = Window::new(3, 3).padding(Padding::all(1));
        let conv = Conv2d { units: 16, window, groups: 1, span: 16, bias: Bias::Channel };
        let squares = Squares::new(&conv, Shape::new(32, 32, 16)).unwrap();
        // Sixteen fours of squares, two of which make four rows of 512 bytes; a transform has 4608.
        assert_eq!((squares.quads(), squares.quad()), (16, 4608));
        let behind = [32, 512];
        assert_eq!(squares.behind(3, 512), 4096);
        // Behind eight rows lie 12288 bytes, behind twenty 6144.
        assert_eq!(squares.at_once(0, 1, behind), 3);
        assert_eq!(squares.at_once(6, 1, behind), 2);
        assert_eq!(squares.at_once(15, 1, behind), 1);
        assert_eq!(squares.at_once(14, 16, behind), 2);
        // 3 + 3 + 2 + 2 and six alone.
        assert_eq!(squares.times(1, behind), 10);
        assert_eq!(squares.times(1, [0; 2]), 16);
        assert_eq!(squares.times(0, [0; 2]), usize::MAX);
    }
}
