//! Rows of an image with their border, the latest few of them, where the windows of some neighbouring outputs lie. An image
//! that a window never leaves is read where it is.

use crate::arch::{Isa, run};
use crate::ir::Ring;
use crate::kernels::{Bytes, Input};

/// The rows, from the top of the border down.
pub(super) struct Rows<'a> {
    ring: Ring,
    zero: i8,
    kept: &'a mut [i8],
    /// The next row to be copied.
    next: usize,
    /// Where it goes.
    slot: usize,
}

impl<'a> Rows<'a> {
    /// None so far; `kept` are as many bytes as the ring has.
    pub(super) fn new(ring: Ring, zero: i8, kept: &'a mut [i8]) -> Self {
        kept.fill(zero);
        Self { ring, zero, kept, next: 0, slot: 0 }
    }

    /// Copies all rows before `end`.
    #[inline(never)]
    pub(super) fn fill(&mut self, isa: impl Isa, x: Input<'_>, end: usize) {
        let Ring { pitch, kept, top, left, direct } = self.ring;
        while !direct && self.next < end {
            let row = usize::from(x.shape.w) * usize::from(x.shape.c);
            let to = self.kept.get_mut(self.slot * pitch + left..).unwrap_or_default();
            let to = to.get_mut(..row).unwrap_or_default();
            match self.next.checked_sub(top) {
                Some(at) if at < usize::from(x.shape.h) => {
                    isa.copy(run(x.data, at * row, row), to);
                }
                _ => to.fill(self.zero),
            }
            self.next += 1;
            self.slot = if self.slot + 1 == kept { 0 } else { self.slot + 1 };
        }
    }

    /// Where a row begins that is among the latest.
    #[inline(always)]
    pub(super) fn at(&self, row: usize) -> usize {
        let Ring { pitch, kept, direct, .. } = self.ring;
        if direct {
            return row * pitch;
        }
        let back = self.next - row;
        (if self.slot >= back { self.slot - back } else { self.slot + kept - back }) * pitch
    }

    /// Where four pixels lie, `below` rows under those in `tops`, at places within their row.
    #[inline(always)]
    pub(super) fn places(&self, tops: &[usize; 4], below: usize, in_row: &[usize; 4]) -> [usize; 4] {
        let first = self.at(tops[0] + below);
        let mut places = in_row.map(|place| place + first);
        if tops[3] != tops[0] {
            for (place, (top, in_row)) in places.iter_mut().zip(tops.iter().zip(in_row)) {
                *place = self.at(top + below) + in_row;
            }
        }
        places
    }

    /// The bytes that hold them.
    #[inline(always)]
    pub(super) fn data<'s>(&'s self, x: Input<'s>) -> &'s [i8] {
        if self.ring.direct { x.data } else { self.kept }
    }

    /// The same, and what the output begins; where both tensors share bytes, the ring and the output.
    #[inline(always)]
    pub(super) fn apart<'s>(&'s self, bytes: &'s mut Bytes<'_>) -> (&'s [i8], &'s mut [i8]) {
        match bytes {
            Bytes::Apart(x, y) => (if self.ring.direct { x } else { self.kept }, y),
            Bytes::Over(both, [_, y]) => (self.kept, both.get_mut(*y..).unwrap_or_default()),
        }
    }
}

/// Pixels of an image in order, row by row, so many at a time.
pub(super) struct Pixels {
    width: usize,
    /// Row and column of the next.
    next: (usize, usize),
    left: usize,
}

impl Pixels {
    /// All of them.
    pub(super) fn new([height, width]: [usize; 2]) -> Self {
        Self { width, next: (0, 0), left: height * width }
    }

    /// Rows and columns of the next four, and how many there are; where there are fewer the last is repeated.
    #[inline(always)]
    pub(super) fn four(&mut self) -> Option<([(usize, usize); 4], usize)> {
        let count = self.left.min(4);
        if count == 0 {
            return None;
        }
        let mut four = [self.next; 4];
        for (i, pixel) in four.iter_mut().enumerate() {
            if i > 0 && i < count {
                self.step();
            }
            *pixel = self.next;
        }
        self.step();
        self.left -= count;
        Some((four, count))
    }

    #[inline(always)]
    fn step(&mut self) {
        let (row, column) = self.next;
        self.next = if column + 1 == self.width { (row + 1, 0) } else { (row, column + 1) };
    }
}
