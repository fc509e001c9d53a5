//! The windows of pixels, one after another.

use crate::arch::fours::Sixteens;

/// A walk over the pixels of the grid, row after row.
pub(super) struct Walk<'a> {
    s: &'a Sixteens<'a>,
    row: usize,
    column: usize,
    /// Where the pixel's window begins.
    x: usize,
}

impl<'a> Walk<'a> {
    /// From the first pixel on.
    pub(super) const fn new(s: &'a Sixteens<'a>) -> Self {
        Self { s, row: 0, column: 0, x: 0 }
    }

    /// Windows of the next `P` pixels.
    ///
    /// # Safety
    /// There are so many, and `s.fits` the image that begins at `x`.
    #[inline(always)]
    pub(super) unsafe fn next<const P: usize>(&mut self, x: *const i8) -> [*const i8; P] {
        let mut windows = [x; P];
        for window in &mut windows {
            debug_assert!(self.row < self.s.grid[0]);
            // SAFETY: windows of pixels in the grid lie within the image.
            *window = unsafe { x.add(self.x) };
            self.column += 1;
            self.x += self.s.steps[1];
            if self.column == self.s.grid[1] {
                (self.row, self.column) = (self.row + 1, 0);
                self.x = self.row * self.s.steps[0];
            }
        }
        windows
    }
}
