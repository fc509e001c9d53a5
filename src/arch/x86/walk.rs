//! The windows of pixels, one after another.

use crate::arch::fours::Sixteens;

/// A walk over the pixels of the grid, sample after sample, row after row.
pub(super) struct Walk<'a> {
    s: &'a Sixteens<'a>,
    sample: usize,
    row: usize,
    column: usize,
    /// Where the pixel's window begins.
    x: usize,
}

impl<'a> Walk<'a> {
    /// From the first pixel on.
    pub(super) const fn new(s: &'a Sixteens<'a>) -> Self {
        Self { s, sample: 0, row: 0, column: 0, x: 0 }
    }

    /// Where the windows of the next `P` pixels begin, of which there must be so many.
    #[inline(always)]
    pub(super) fn next<const P: usize>(&mut self) -> [usize; P] {
        let mut windows = [0; P];
        for window in &mut windows {
            debug_assert!(self.sample < self.s.grid[0]);
            *window = self.x;
            self.column += 1;
            self.x += self.s.steps[2];
            if self.column == self.s.grid[2] {
                self.turn();
            }
        }
        windows
    }

    /// Where the window of the next pixel begins, if it and the `count - 1` after it lie in one row, which are passed.
    #[inline(always)]
    pub(super) fn straight(&mut self, count: usize) -> Option<usize> {
        let (first, end) = (self.x, self.column + count);
        if end > self.s.grid[2] {
            return None;
        }
        (self.column, self.x) = (end, first + count * self.s.steps[2]);
        if end == self.s.grid[2] {
            self.turn();
        }
        Some(first)
    }

    /// To the next row.
    fn turn(&mut self) {
        (self.row, self.column) = (self.row + 1, 0);
        if self.row == self.s.grid[1] {
            (self.sample, self.row) = (self.sample + 1, 0);
        }
        self.x = self.sample * self.s.steps[0] + self.row * self.s.steps[1];
    }
}
