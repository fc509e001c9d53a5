//! Windows of an image that lies with its border, so that all of them are alike: for few channels, however far taps are
//! apart.

use super::lanes::{MERGED, fewest};
use super::{Bunches, bordered};
use crate::ir::{Conv2d, Shape, Window};

/// How windows are copied together out of an image that lies in scratch with its border, and what that takes.
///
/// Scratch holds rows of the image, all of them or those that some rows of outputs see; a table of where taps lie; and the
/// windows of those rows of outputs, or of a part of a single one.
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
    /// Rows that a window sees, and rows from one output to the next.
    pub span: usize,
    /// See there.
    pub below: usize,
    /// Channels of the image.
    pub channels: usize,
    /// Rows and columns of outputs.
    pub output: [usize; 2],
}

impl Taps {
    /// Bytes that windows shall take, unless those of a single row of outputs take more.
    pub const ROOM: usize = 2048;
    /// Elements of a tap up to which taps of a row are not made one.
    const SHORT: usize = 4;
    /// Bytes behind an image that are read with its last element, and behind windows that are written with the last one.
    const BEHIND: usize = 24;

    /// `None` where groups share channels, and for a kernel of one element.
    pub const fn new(conv: &Conv2d, x: Shape) -> Option<Self> {
        let Window { kernel, stride: [down, _], dilation: [across, along], .. } = conv.window;
        let Some([height, width]) = conv.window.output(x.h, x.w) else { return None };
        if conv.groups as usize * conv.span as usize != x.c as usize || conv.window.taps() == 1 {
            return None;
        }
        let merged = Self::merge(conv);
        let Some(groups) = (conv.groups as usize).checked_div(merged) else { return None };
        let Some(units) = (conv.units as usize).checked_div(groups) else { return None };
        let [rows, columns] = [kernel[0] as usize, kernel[1] as usize];
        let (below, span) = (down as usize, (rows - 1) * across as usize + 1);
        let seen = [(height as usize - 1) * below + span, bordered(&conv.window, x.w, width as usize)];
        let (taps, len) = Self::runs(conv, merged, along == 1 && groups == 1);
        Some(Self {
            groups,
            merged,
            units,
            pairs: (rows * columns * conv.span as usize * merged).div_ceil(2),
            taps,
            len,
            seen,
            span,
            below,
            channels: x.c as usize,
            output: [height as usize, width as usize],
        })
    }

    /// How many groups to compute as one.
    const fn merge(conv: &Conv2d) -> usize {
        let mut cycles = [usize::MAX; MERGED];
        let mut i = 0;
        while i < MERGED {
            if conv.groups.is_multiple_of(i as u16 + 1) {
                cycles[i] = Self::of_groups(conv, i + 1);
            }
            i += 1;
        }
        fewest(cycles)
    }

    /// About so many cycles for two windows with so many groups as one.
    const fn of_groups(conv: &Conv2d, merged: usize) -> usize {
        let Some(groups) = (conv.groups as usize).checked_div(merged) else { return usize::MAX };
        let Some(units) = (conv.units as usize).checked_div(groups) else { return usize::MAX };
        let (taps, len) = Self::runs(conv, merged, groups == 1 && conv.window.dilation[1] == 1);
        let pairs = (conv.window.taps() * conv.span as usize * merged).div_ceil(2);
        groups * (2 * Self::reading(taps, len) + Bunches::cycles(units, 1, pairs))
    }

    /// Rows and columns of taps and elements of each, of so many groups as one; those of a row are one where they touch and it
    /// pays.
    const fn runs(conv: &Conv2d, merged: usize, touch: bool) -> ([usize; 2], usize) {
        let [rows, columns] = [conv.window.kernel[0] as usize, conv.window.kernel[1] as usize];
        let len = conv.span as usize * merged;
        if touch && (len > Self::SHORT || (len == 1 && columns <= Self::SHORT)) {
            ([rows, 1], columns * len)
        } else {
            ([rows, columns], len)
        }
    }

    /// About so many cycles to copy a window together.
    const fn reading([rows, columns]: [usize; 2], len: usize) -> usize {
        let runs = rows * columns;
        13 + match len {
            1 => 19 * runs.div_ceil(4),
            2 => 19 * runs.div_ceil(2),
            3 => 22 * runs.div_ceil(2),
            4 => 23 * runs.div_ceil(2),
            _ => runs * (20 + 3 * len),
        }
    }

    /// Bytes of a row of the image with its border.
    pub const fn pitch(&self) -> usize {
        self.seen[1] * self.channels
    }

    /// Rows that the windows of so many rows of outputs see.
    pub const fn band(&self, strip: usize) -> usize {
        (strip - 1) * self.below + self.span
    }

    /// Bytes of so many rows, whole words, and of what is read behind them.
    pub const fn held(&self, rows: usize) -> usize {
        (rows * self.pitch()).next_multiple_of(4) + 4
    }

    /// Bytes of the table of places of taps, whole fours.
    pub const fn table(&self) -> usize {
        4 * (self.taps[0] * self.taps[1]).next_multiple_of(4)
    }

    /// Bytes of two windows.
    pub const fn window(&self) -> usize {
        8 * self.pairs
    }

    /// Bytes of so many windows, and of all but them and rows.
    const fn windows(&self, count: usize) -> usize {
        self.table() + count.div_ceil(2) * self.window() + Self::BEHIND
    }

    /// Bytes of scratch for so many rows of outputs at a time, the image whole or only as many rows as those see.
    pub const fn scratch(&self, strip: usize, whole: bool) -> usize {
        let rows = if whole { self.seen[0] } else { self.band(strip) };
        self.held(rows) + self.windows(strip * self.output[1])
    }

    /// The least scratch: two windows at a time.
    pub const fn least(&self) -> usize {
        self.held(self.band(1)) + self.windows(2)
    }

    /// As much scratch as serves where there is so much room: for the image whole, or as many rows of it as some rows of outputs
    /// see, and for windows, up to [`Taps::ROOM`]. `None` where there is too little.
    pub const fn enough(&self, room: usize) -> Option<usize> {
        let whole = room >= self.scratch(1, true);
        let fits = if whole { self.scratch(1, true) } else { self.scratch(1, false) };
        if room < fits {
            let Some(left) = room.checked_sub(self.least()) else { return None };
            return Some(self.least() + left / self.window() * self.window());
        }
        let mut strip = 1;
        while strip < self.output[0]
            && self.windows((strip + 1) * self.output[1]) <= Self::ROOM
            && self.scratch(strip + 1, whole) <= room
        {
            strip += 1;
        }
        Some(self.scratch(strip, whole))
    }

    /// What is done with so much scratch.
    pub const fn portion(&self, scratch: usize) -> Portion {
        let [height, width] = self.output;
        if let Some(left) = scratch.checked_sub(self.held(self.seen[0]) + self.windows(width)) {
            let strip = (width.next_multiple_of(2) + 2 * (left / self.window())) / width;
            return Portion {
                rows: self.seen[0],
                strip: if strip < height { strip } else { height },
                columns: width,
            };
        }
        let mut strip = 1;
        while strip < height && scratch >= self.scratch(strip + 1, false) {
            strip += 1;
        }
        let rows = self.band(strip);
        let left = scratch.saturating_sub(self.held(rows) + self.windows(0));
        let count = 2 * (left / self.window());
        Portion { rows, strip, columns: if count < width { count } else { width } }
    }

    /// About so many cycles, with so much scratch.
    pub const fn cycles(&self, scratch: usize) -> usize {
        let Portion { rows, strip, columns } = self.portion(scratch);
        let [height, width] = self.output;
        let windows = 2 * Self::reading(self.taps, self.len) + Bunches::cycles(self.units, 1, self.pairs);
        let Some(across) = width.checked_div(columns) else { return usize::MAX };
        let times = height.div_ceil(strip) * width.div_ceil(columns);
        // The last window of an odd number is both of a pair.
        let pairs = if columns < width {
            height * (across * columns.div_ceil(2) + (width % columns).div_ceil(2))
        } else {
            height / strip * (strip * width).div_ceil(2) + (height % strip * width).div_ceil(2)
        };
        let moved =
            if rows < self.seen[0] { height.div_ceil(strip) * (100 + rows * self.pitch() / 2) } else { 0 };
        let strips = times * (700 + 8 * self.taps[0] * self.taps[1]) + 30 * height;
        2400 + moved + self.seen[0] * self.pitch() + self.groups * (pairs * windows + strips)
    }
}

/// How much of a convolution by [`Taps`] is done at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Portion {
    /// Rows of the image with its border that are there at once.
    pub rows: usize,
    /// Rows of outputs, and columns: an even number, or all.
    pub strip: usize,
    /// See there; 0 where scratch does not suffice.
    pub columns: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Bias, Padding};

    #[test]
    fn what_is_done_at_a_time_fits_its_scratch() {
        let mut parts = [0; 3];
        for (channels, dilation, stride) in
            (1..=5).flat_map(|c| (1..=4).flat_map(move |d| (1..=3).map(move |s| (c, d, s))))
        {
            let window = Window::new(3, 3).stride(stride).padding(Padding::all(dilation)).dilation(dilation);
            let conv = Conv2d { units: 6, window, groups: 1, span: channels, bias: Bias::Channel };
            let taps = Taps::new(&conv, Shape::new(13, 11, channels)).expect("several taps");
            assert_eq!(taps.enough(taps.least() - 1), None);
            for room in (taps.least()..taps.least() + 6000).step_by(40) {
                let scratch = taps.enough(room).expect("room");
                assert!(scratch <= room, "{taps:?} within {room}");
                let Portion { rows, strip, columns } = taps.portion(scratch);
                let needed = taps.held(rows) + taps.windows(strip * columns);
                assert!(needed <= scratch && columns > 0, "{taps:?} within {scratch}");
                assert!(rows >= taps.band(strip) && strip <= taps.output[0]);
                assert!(columns == taps.output[1] || (strip == 1 && columns % 2 == 0));
                parts[usize::from(columns == taps.output[1]) + usize::from(rows == taps.seen[0])] += 1;
            }
        }
        assert!(parts.iter().all(|&count| count > 100), "parts of rows, rows, whole images: {parts:?}");
    }

    #[test]
    fn taps_that_touch_are_one_where_that_pays() {
        let taps = |channels, dilation| {
            let window = Window::new(3, 3).dilation(dilation);
            let conv = Conv2d { units: 4, window, groups: 1, span: channels, bias: Bias::Channel };
            Taps::new(&conv, Shape::new(12, 12, channels)).map(|taps| (taps.taps, taps.len))
        };
        assert_eq!(taps(1, 1), Some(([3, 1], 3)));
        assert_eq!(taps(1, 2), Some(([3, 3], 1)));
        assert_eq!(taps(3, 1), Some(([3, 3], 3)));
        assert_eq!(taps(8, 1), Some(([3, 1], 24)));
    }
}
