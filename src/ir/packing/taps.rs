//! Windows of an image that lies with its border, so that all of them are alike: for few channels, however far taps are
//! apart.

use super::lanes::Reading;
use super::{Bunches, bordered};
use crate::ir::{Conv2d, Shape, Window};

/// How windows are copied together out of an image that lies in scratch with its border, and what that takes.
///
/// Scratch holds the image as far as windows see it, a table of where taps lie, and the windows of some rows of outputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taps {
    /// Groups, and how many of the convolution's each of them is, whose units have weights of 0 for what the others see.
    pub groups: usize,
    /// See there.
    pub merged: usize,
    /// Units of a group.
    pub units: usize,
    /// Pairs of elements of a window.
    pub pairs: usize,
    /// Rows and columns of taps; those of a row that touch each other may be one.
    pub taps: [usize; 2],
    /// Elements of a tap.
    pub len: usize,
    /// Rows and columns of the image with its border.
    pub seen: [usize; 2],
    /// Channels of the image.
    pub channels: usize,
    /// Rows and columns of outputs.
    pub output: [usize; 2],
}

impl Taps {
    /// Bytes that windows shall take, unless those of a single row of outputs take more.
    pub const ROOM: usize = 1024;
    /// Elements of a tap up to which taps of a row are not made one.
    const SHORT: usize = 4;
    /// Bytes behind an image that are read with its last element, and behind windows that are written with the last one.
    const BEHIND: usize = 24;

    /// `None` where groups share channels, and for a kernel of one element.
    pub const fn new(conv: &Conv2d, x: Shape) -> Option<Self> {
        let Window { kernel, stride: [down, _], dilation: [across, along], padding } = conv.window;
        let Some([height, width]) = conv.window.output(x.h, x.w) else { return None };
        if conv.groups as usize * conv.span as usize != x.c as usize || conv.window.taps() == 1 {
            return None;
        }
        let merged = Reading::Bordered.merged(conv);
        let Some(groups) = (conv.groups as usize).checked_div(merged) else { return None };
        let Some(units) = (conv.units as usize).checked_div(groups) else { return None };
        let [rows, columns] = [kernel[0] as usize, kernel[1] as usize];
        let below = (height as usize - 1) * down as usize + (rows - 1) * across as usize + 1;
        let there = padding.top as usize + x.h as usize;
        let seen = [if below > there { below } else { there }, bordered(&conv.window, x.w, width as usize)];
        let (taps, len) = Self::runs(conv, merged, along == 1 && groups == 1);
        Some(Self {
            groups,
            merged,
            units,
            pairs: (rows * columns * conv.span as usize * merged).div_ceil(2),
            taps,
            len,
            seen,
            channels: x.c as usize,
            output: [height as usize, width as usize],
        })
    }

    /// Rows and columns of taps and elements of each, of so many groups as one; those of a row are one where they touch and it
    /// pays.
    pub(super) const fn runs(conv: &Conv2d, merged: usize, touch: bool) -> ([usize; 2], usize) {
        let [rows, columns] = [conv.window.kernel[0] as usize, conv.window.kernel[1] as usize];
        let len = conv.span as usize * merged;
        if touch && (len > Self::SHORT || (len == 1 && columns <= Self::SHORT)) {
            ([rows, 1], columns * len)
        } else {
            ([rows, columns], len)
        }
    }

    /// About so many cycles to copy a window together.
    pub(super) const fn reading([rows, columns]: [usize; 2], len: usize) -> usize {
        let runs = rows * columns;
        13 + match len {
            1 => 19 * runs.div_ceil(4),
            2 => 19 * runs.div_ceil(2),
            3 => 22 * runs.div_ceil(2),
            4 => 23 * runs.div_ceil(2),
            _ => runs * (20 + 3 * len),
        }
    }

    /// Bytes of the image, whole words.
    pub const fn image(&self) -> usize {
        (self.seen[0] * self.seen[1] * self.channels).next_multiple_of(4)
    }

    /// Bytes of the image and of what is read behind it.
    pub const fn held(&self) -> usize {
        self.image() + 4
    }

    /// Bytes of the table of places of taps, whole fours.
    pub const fn table(&self) -> usize {
        4 * (self.taps[0] * self.taps[1]).next_multiple_of(4)
    }

    /// Bytes of two windows.
    pub const fn window(&self) -> usize {
        8 * self.pairs
    }

    /// Bytes of scratch for the windows of so many rows of outputs at a time.
    pub const fn scratch(&self, strip: usize) -> usize {
        let windows = (strip * self.output[1]).div_ceil(2) * self.window();
        self.held() + self.table() + windows + Self::BEHIND
    }

    /// Rows of outputs at a time for so much scratch; 0 where it is too little.
    pub const fn strip(&self, scratch: usize) -> usize {
        let Some(left) = scratch.checked_sub(self.scratch(0)) else { return 0 };
        let [height, width] = self.output;
        match (2 * (left / self.window())).checked_div(width) {
            Some(strip) if strip < height => strip,
            Some(_) => height,
            None => 0,
        }
    }

    /// About so many cycles, with so many rows of outputs at a time.
    pub const fn cycles(&self, strip: usize) -> usize {
        let [height, width] = self.output;
        let windows = 2 * Self::reading(self.taps, self.len) + Bunches::cycles(self.units, 1, self.pairs);
        let strips = height.div_ceil(strip) * (700 + 8 * self.taps[0] * self.taps[1]) + 30 * height;
        900 + self.image() + self.groups * ((height * width).div_ceil(2) * windows + strips)
    }
}
