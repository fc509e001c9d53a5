//! Pixels two by two, for convolution: what the windows of neighbouring outputs see lies interleaved word by word, so
//! that one address serves both.

use super::{Bunches, Sections, Slide};
use crate::ir::{Bias, Conv2d, Dense, Op, Shape, Window};

/// Windows that are copied together before they are multiplied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// Groups that are computed as one, whose units have weights of 0 for what the other groups see.
    pub merged: usize,
    /// Elements of a window.
    pub elements: usize,
    /// Pairs of them.
    pub pairs: usize,
    /// Pixels at a time, an even number.
    pub pixels: usize,
}

impl Chunk {
    /// Windows of a group of a convolution over so many channels, as many as fit so much scratch; none where not two do.
    pub const fn new(conv: &Conv2d, channels: u16, scratch: usize) -> Self {
        let apart = conv.groups as usize * conv.span as usize == channels as usize;
        let merged = if apart { Reading::Windows.merged(conv) } else { 1 };
        let elements = conv.window.taps() * conv.span as usize * merged;
        Self { merged, elements, pairs: elements.div_ceil(2), pixels: 0 }.within(scratch)
    }

    /// The same for windows in sections, filled up to whole ones.
    pub const fn long(conv: &Conv2d, channels: u16, scratch: usize) -> Self {
        let chunk = Self::new(conv, channels, 0);
        let Sections { count, pairs } = Sections::of(chunk.pairs);
        Self { pairs: count * pairs, ..chunk }.within(scratch)
    }

    /// As many windows of these as fit so much scratch.
    const fn within(mut self, scratch: usize) -> Self {
        if let Some(count) = scratch.checked_div(8 * self.pairs) {
            self.pixels = 2 * count;
        }
        self
    }

    /// An operator over `x` as a convolution whose windows are single pixels, all channels of them once, and the image that
    /// it reads: a 1x1, or a dense layer, whose input is one pixel. `None` for others.
    pub const fn point(op: &Op, x: Shape) -> Option<(Conv2d, Shape)> {
        if let Op::Conv2d(conv) = op
            && conv.groups as usize * conv.span as usize == x.c as usize
            && conv.window.taps() == 1
        {
            return Some((*conv, x));
        }
        let Op::Dense(Dense { units, bias }) = op else { return None };
        if x.len() > u16::MAX as usize {
            return None;
        }
        let (span, window) = (x.len() as u16, Window::new(1, 1));
        let conv = Conv2d { units: *units, window, groups: 1, span, bias: *bias };
        Some((conv, Shape::flat(span)))
    }

    /// Bytes of scratch.
    pub const fn scratch(&self) -> usize {
        4 * self.pixels * self.pairs
    }

    /// About so many cycles for so many pixels of a convolution.
    pub const fn cycles(&self, conv: &Conv2d, pixels: usize) -> usize {
        Reading::Windows.cycles(conv, self.merged) * pixels.div_ceil(2)
    }
}

/// The most groups that are computed as one.
pub(super) const MERGED: usize = 8;

/// How many groups to compute as one, of so many cycles with one, two, ... as one: as few as come within an eighth of the
/// fewest.
pub(super) const fn fewest(cycles: [usize; MERGED]) -> usize {
    let (mut best, mut i) = (usize::MAX, 0);
    while i < MERGED {
        best = if cycles[i] < best { cycles[i] } else { best };
        i += 1;
    }
    let mut merged = 1;
    while cycles[merged - 1] > best + best / 8 {
        merged += 1;
    }
    merged
}

/// How windows are brought together, which decides how many groups are computed as one.
#[derive(Clone, Copy)]
enum Reading {
    /// Copied one by one.
    Windows,
    /// Read where rows lie widened; taps of a row and of a column, columns of the output.
    Rows { kernel: [usize; 2], width: usize },
}

impl Reading {
    /// How many groups to compute as one.
    const fn merged(self, conv: &Conv2d) -> usize {
        if conv.groups == 1 {
            return 1;
        }
        let mut cycles = [usize::MAX; MERGED];
        let mut i = 0;
        while i < MERGED {
            if conv.groups.is_multiple_of(i as u16 + 1) {
                cycles[i] = self.cycles(conv, i + 1);
            }
            i += 1;
        }
        fewest(cycles)
    }

    /// About so many cycles for two pixels with so many groups as one.
    const fn cycles(self, conv: &Conv2d, merged: usize) -> usize {
        let channels = conv.span as usize * merged;
        let Some(groups) = (conv.groups as usize).checked_div(merged) else { return usize::MAX };
        let Some(units) = (conv.units as usize).checked_div(groups) else { return usize::MAX };
        let of_group = match self {
            Reading::Windows => {
                let taps = conv.window.taps();
                let elements = taps * channels;
                let joined = groups == 1 && conv.window.dilation[1] == 1;
                let runs = if joined { conv.window.kernel[0] as usize } else { taps };
                let read = if taps == 1 { 50 + 5 * elements } else { 760 + 72 * runs + 6 * elements };
                read + Bunches::cycles(units, 1, elements.div_ceil(2))
            }
            Reading::Rows { kernel: [rows, columns], width } => {
                let Some(row) = 1800_usize.checked_div(width) else { return usize::MAX };
                let read = 4 * (14 + 3 * channels) + row;
                read + Bunches::cycles(units, rows, (columns * channels).div_ceil(2))
            }
        };
        groups * of_group
    }
}

/// Rows of an image, or of a part of it, widened, in a ring of as many as the kernel has, each twice: lane 0 as it is, lane 1
/// ahead by what lies between two outputs. Groups are computed one after another, each from a ring of its own channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lanes {
    /// Groups, and how many of the convolution's each of them is, whose units have weights of 0 for what the others see.
    pub groups: usize,
    /// See there.
    pub merged: usize,
    /// Units of a group.
    pub units: usize,
    /// Channels of a group.
    pub channels: usize,
    /// Rows of the kernel.
    pub rows: usize,
    /// Rows from one output to the next.
    pub below: usize,
    /// Pixels from one output to the next, by which lane 1 is ahead.
    pub ahead: usize,
    /// Rows of outputs, and outputs in a row, at most.
    pub height: usize,
    /// See there.
    pub width: usize,
    /// Whether a row of the output may have an odd one out.
    pub odd: bool,
    /// Pairs of elements in a row of a window.
    pub pairs: usize,
    /// Elements of a lane, an even number.
    pub elements: usize,
    /// Pixels of a lane.
    pub pixels: usize,
}

impl Lanes {
    /// The most rows of a kernel, or of the kernels of all rows of outputs at a time.
    pub const MOST: usize = 16;
    /// Bytes that rows shall take, unless a single row of outputs takes more.
    pub const ROOM: usize = 2048;
    /// The most elements of a lane, all rows of it: where rows begin is told in eights of bytes, as 16 bits.
    pub const LARGEST: usize = 2 * 0x1_0000;

    /// `None` where a row of a window is not one run of a row: groups that share channels, dilation; or where there is
    /// nothing to gain: a kernel of one element, one output a row; or where the ring is larger than can be told.
    pub const fn new(conv: &Conv2d, x: Shape) -> Option<Self> {
        let Some(slides) = Slide::both(&conv.window, x) else { return None };
        Self::upright(conv, x, &slides)
    }

    /// The same, told how its window slides along rows and along columns.
    pub const fn upright(conv: &Conv2d, x: Shape, slides: &[Slide; 2]) -> Option<Self> {
        let ([across, along], [rows, columns]) = (conv.window.dilation, slides);
        if across != 1 || along != 1 || columns.outputs == 1 {
            return None;
        }
        Self::over(conv, x, rows, columns, columns.outputs % 2 == 1)
    }

    /// Over an image, or parts of it of which none is larger, `odd` where one of them has an odd number of outputs in a row.
    /// As before but for dilation and a single output.
    pub(super) const fn over(
        conv: &Conv2d,
        x: Shape,
        rows: &Slide,
        columns: &Slide,
        odd: bool,
    ) -> Option<Self> {
        let apart = conv.groups as usize * conv.span as usize == x.c as usize;
        let (taps, width) = (columns.taps, columns.outputs);
        if !apart || rows.taps > Self::MOST || rows.taps * taps == 1 {
            return None;
        }
        let merged = Reading::Rows { kernel: [rows.taps, taps], width }.merged(conv);
        let Some(groups) = (conv.groups as usize).checked_div(merged) else { return None };
        let Some(units) = (conv.units as usize).checked_div(groups) else { return None };
        let channels = conv.span as usize * merged;
        let pairs = (taps * channels).div_ceil(2);
        let before_last = (width - 1) / 2 * 2 * columns.step;
        let elements = before_last * channels + 2 * pairs;
        if elements * rows.taps > Self::LARGEST {
            return None;
        }
        Some(Self {
            groups,
            merged,
            units,
            channels,
            rows: rows.taps,
            below: rows.step,
            ahead: columns.step,
            height: rows.outputs,
            width,
            odd,
            pairs,
            elements,
            pixels: before_last + taps,
        })
    }

    /// Whether rows of windows are so short that copying those of a window together costs less than to find them for each
    /// bunch of units.
    pub const fn collects(&self) -> bool {
        let Bunches { large, twos, .. } = Bunches::quads(self.units);
        let found = 23 * large + 20 * (twos > 0) as usize;
        (self.rows - 1) * found > self.collecting()
    }

    /// Whether that is done with so much scratch: not where each pixel has biases of its own.
    pub const fn collected(&self, conv: &Conv2d, scratch: usize) -> bool {
        self.collects() && !matches!(conv.bias, Bias::Unit) && scratch >= self.scratch(1, true)
    }

    /// About so many cycles to copy two windows together.
    const fn collecting(&self) -> usize {
        self.rows * (10 + 11 * self.pairs) + 20
    }

    /// About so many cycles that computing so many rows of outputs at a time saves, of an image or a part of it.
    pub const fn saved(&self, strip: usize) -> usize {
        500 * self.groups * (self.height - self.height.div_ceil(strip))
    }

    /// About so many cycles for an image, or a part of it, as many rows of outputs at a time as there is usually scratch for;
    /// `joined` where neighbouring pixels are one run.
    pub const fn cycles(&self, joined: bool) -> usize {
        let (height, usual) = (self.height, self.strip(Self::ROOM, self.collects()));
        let pixel = match self.channels {
            c if joined => 3 * c,
            c @ 0..=4 => 9 + 2 * c,
            c => 18 + 3 * c,
        };
        let widen = 220 + 2 * self.pixels * pixel;
        let all = self.rows * self.pairs;
        let (collect, runs, pairs) =
            if self.collects() { (self.collecting(), 1, all) } else { (0, self.rows, self.pairs) };
        let two = collect + Bunches::cycles(self.units, runs, pairs);
        let rows = height * (760 + self.width / 2 * two);
        let odd =
            if self.width % 2 == 1 { height * (100 + 4 * all) + height.div_ceil(2) * (two + 300) } else { 0 };
        let group = ((height - 1) * self.below + self.rows) * widen + rows + odd + 1300;
        700 + self.groups * group - self.saved(usual)
    }

    /// Bytes from two windows to the next two in a row.
    pub const fn step(&self) -> usize {
        8 * self.ahead * self.channels
    }

    /// Bytes of a row: a multiple of eight.
    pub const fn pitch(&self) -> usize {
        4 * self.elements
    }

    /// Bytes of the ring, for so many rows of outputs at a time.
    pub const fn ring(&self, strip: usize) -> usize {
        self.pitch() * ((strip - 1) * self.below + self.rows)
    }

    /// Bytes of two windows copied together.
    pub const fn window(&self) -> usize {
        8 * self.rows * self.pairs
    }

    /// Bytes of the windows of outputs that are odd ones out, if there may be such: one for each row of a strip, two by two.
    pub const fn odd_ones(&self, strip: usize) -> usize {
        if self.odd { strip.div_ceil(2) * self.window() } else { 0 }
    }

    /// Bytes of scratch for so many rows of outputs at a time: the ring; where a row has an odd one out, the windows of such;
    /// where windows are copied together, those, too.
    pub const fn scratch(&self, strip: usize, collected: bool) -> usize {
        let windows = if collected { strip * (self.width / 2) * self.window() } else { 0 };
        self.ring(strip) + self.odd_ones(strip) + windows
    }

    /// Rows of outputs at a time for which so much scratch suffices, one at least, as many as there are at most, or as can be
    /// told.
    pub const fn strip(&self, scratch: usize, collected: bool) -> usize {
        let told = Self::MOST / self.rows;
        let most = if told < self.height { told } else { self.height };
        let scratch = if scratch < 4 * Self::LARGEST { scratch } else { 4 * Self::LARGEST };
        let mut strip = 1;
        while strip < most && self.scratch(strip + 1, collected) <= scratch {
            strip += 1;
        }
        strip
    }
}
