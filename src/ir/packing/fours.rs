//! Elements four by four, for dot-product instructions: an image lies with its border, so that every window is runs of
//! it at fixed distances, and nothing is copied together.

use crate::ir::{Conv2d, Dense, DepthwiseConv2d, Packed, Shape, Window};

/// Bytes after a bordered image that may be read along with its last ones.
const SLACK: usize = 64;

/// An image with its border.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bordered {
    /// Bytes of a row, border included.
    pub pitch: usize,
    /// Bytes before the first pixel inside, and of the border before each row of the image.
    pub before: [usize; 2],
    /// Bytes from an output to the one below and to the one on its right.
    pub steps: [usize; 2],
    /// Bytes of all of it.
    pub len: usize,
}

impl Bordered {
    /// The image `x` as `window` sees it.
    const fn new(window: &Window, x: Shape) -> Self {
        let (p, c) = (window.padding, x.c as usize);
        let pitch = (p.left as usize + x.w as usize + p.right as usize) * c;
        let left = p.left as usize * c;
        Self {
            pitch,
            before: [p.top as usize * pitch + left, left],
            steps: [window.stride[0] as usize * pitch, window.stride[1] as usize * c],
            len: (p.top as usize + x.h as usize + p.bottom as usize) * pitch,
        }
    }

    /// What the address is a multiple of.
    pub const ALIGN: usize = 64;

    /// Bytes of scratch, wherever it begins.
    pub const fn scratch(&self) -> usize {
        self.len + SLACK + Self::ALIGN
    }
}

/// How the units of a convolution or of a dense layer are computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fours {
    /// What windows lie in.
    pub image: Bordered,
    /// Groups that are computed one after another.
    pub groups: usize,
    /// Channels from a group's first to the next one's.
    pub channels: usize,
    /// Units of a group.
    pub units: usize,
    /// Runs of a window, `[rows][columns]`.
    pub runs: [usize; 2],
    /// Bytes from one run to the next, likewise.
    pub run_steps: [usize; 2],
    /// Elements of a run.
    pub run: usize,
}

impl Fours {
    /// The most runs of a window.
    pub const MOST: usize = 64;
    /// Units that are computed at once.
    pub const UNITS: usize = 16;

    /// `None` for a window of too many runs.
    ///
    /// Groups are computed as one group, whose weights are 0 where a unit does not look, where that takes no more
    /// blocks of [`Fours::UNITS`], and where a group wraps round after the last channel.
    pub const fn conv2d(conv: &Conv2d, x: Shape) -> Option<Self> {
        let (window, c) = (&conv.window, x.c as usize);
        let (groups, span, units) = (conv.groups as usize, conv.span as usize, conv.units as usize);
        let step = c / groups;
        let wraps = (groups - 1) * step + span > c;
        let apart = groups * (units / groups).div_ceil(Self::UNITS) * span;
        let whole = wraps || units.div_ceil(Self::UNITS) * c <= apart;
        let [rows, columns] = [window.kernel[0] as usize, window.kernel[1] as usize];
        let image = Bordered::new(window, x);
        let row_step = window.dilation[0] as usize * image.pitch;
        let (columns, run) = if whole && window.dilation[1] == 1 {
            (1, columns * c)
        } else {
            (columns, if whole { c } else { span })
        };
        if rows * columns > Self::MOST {
            return None;
        }
        Some(Self {
            image,
            groups: if whole { 1 } else { groups },
            channels: step,
            units: if whole { units } else { units / groups },
            runs: [rows, columns],
            run_steps: [row_step, window.dilation[1] as usize * c],
            run,
        })
    }

    /// A dense layer is a convolution whose window is all of the input.
    pub const fn dense(dense: &Dense, x: Shape) -> Self {
        let len = x.len();
        Self {
            image: Bordered { pitch: len, before: [0, 0], steps: [0, 0], len },
            groups: 1,
            channels: 0,
            units: dense.units as usize,
            runs: [1, 1],
            run_steps: [0, 0],
            run: len,
        }
    }

    /// Blocks of units of a group.
    pub const fn blocks(&self) -> usize {
        self.units.div_ceil(Self::UNITS)
    }

    /// Four elements each, of a run.
    pub const fn quads(&self) -> usize {
        self.run.div_ceil(4)
    }

    /// Bytes of weights of a group.
    pub const fn weights(&self) -> usize {
        self.blocks() * self.runs[0] * self.runs[1] * self.quads() * 4 * Self::UNITS
    }

    /// What a node has, with biases for so many pixels.
    pub(super) const fn lengths(&self, pixels: usize) -> Packed {
        let units = self.groups * self.blocks() * Self::UNITS;
        Packed {
            weights: self.groups * self.weights(),
            bias: 2 * pixels * units,
            requant: units,
            scratch: self.image.scratch(),
        }
    }
}

/// How the channels of a depthwise convolution are computed: 64 lanes at once, four taps an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FourTaps {
    /// What windows lie in.
    pub image: Bordered,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Bytes from one tap to the next.
    pub tap_steps: [usize; 2],
    /// Pixels whose channels share a block of lanes: neighbouring outputs, whose channels lie on end in the image too;
    /// 1 where they do not, or where a pixel fills a block.
    pub pixels: usize,
    /// Whether taps lie column by column of the kernel, each filled up to whole fours: then neighbouring outputs share
    /// columns. Else they lie row by row.
    pub by_columns: bool,
    /// Columns of the image from an output to the next.
    pub column_step: usize,
    /// Channels of a pixel.
    pub channels: usize,
}

impl FourTaps {
    /// The most taps, filled up to fours.
    pub const MOST: usize = 64;
    /// Lanes of a block.
    pub const LANES: usize = 64;
    /// The most fours of taps that are held interleaved for neighbouring outputs.
    pub const COLUMNS: usize = 64;

    /// `None` for several outputs a channel, or too many taps.
    pub const fn new(conv: &DepthwiseConv2d, x: Shape) -> Option<Self> {
        let (window, c) = (&conv.window, x.c as usize);
        if conv.multiplier != 1
            || !matches!(conv.bias, crate::ir::Bias::Channel)
            || window.taps() > Self::MOST
        {
            return None;
        }
        let image = Bordered::new(window, x);
        let several = window.stride[1] == 1 && Self::LANES.is_multiple_of(c) && Self::LANES > c;
        let kernel = [window.kernel[0] as usize, window.kernel[1] as usize];
        let stride = window.stride[1] as usize;
        // To interleave a four of taps takes about eight instructions, to multiply it four.
        let (column, rows) = (kernel[0].div_ceil(4), (kernel[0] * kernel[1]).div_ceil(4));
        let new_columns = if stride < kernel[1] { stride } else { kernel[1] };
        let by_columns = !several
            && 4 * column * kernel[1] <= Self::MOST
            && window.dilation[1] == 1
            && column * (2 * new_columns + kernel[1]) < 3 * rows;
        Some(Self {
            image,
            kernel,
            tap_steps: [window.dilation[0] as usize * image.pitch, window.dilation[1] as usize * c],
            pixels: if several { Self::LANES / c } else { 1 },
            by_columns,
            column_step: stride,
            channels: c,
        })
    }

    /// Blocks of lanes that have weights of their own.
    pub const fn blocks(&self) -> usize {
        (self.pixels * self.channels).div_ceil(Self::LANES)
    }

    /// Four taps each.
    pub const fn quads(&self) -> usize {
        let [rows, columns] = self.kernel;
        if self.by_columns { columns * rows.div_ceil(4) } else { (rows * columns).div_ceil(4) }
    }

    /// Row and column of a tap, beyond the kernel for those that only fill up.
    const fn at(&self, tap: usize) -> [usize; 2] {
        let [rows, columns] = self.kernel;
        let column = 4 * rows.div_ceil(4);
        if self.by_columns { [tap % column, tap / column] } else { [tap / columns, tap % columns] }
    }

    /// Row and column of a tap; `None` for those that only fill up.
    pub const fn tap(&self, tap: usize) -> Option<[usize; 2]> {
        let [row, column] = self.at(tap);
        if row < self.kernel[0] && column < self.kernel[1] { Some([row, column]) } else { None }
    }

    /// Where a tap lies from the first one on. One that only fills up lies where another of its column does, or the first.
    pub const fn place(&self, tap: usize) -> usize {
        let [row, column] = self.at(tap);
        let row = if row < self.kernel[0] { row } else { 0 };
        row * self.tap_steps[0] + column * self.tap_steps[1]
    }

    /// What a node has.
    pub(super) const fn lengths(&self) -> Packed {
        let lanes = self.blocks() * Self::LANES;
        Packed {
            weights: 4 * lanes * self.quads(),
            bias: 2 * lanes,
            requant: lanes,
            scratch: self.image.scratch(),
        }
    }

    /// The channel of a lane of a block; `None` for lanes that only fill it up. Lanes lie as interleaving bytes four by
    /// four within 16 leaves them: `[4 of sixteen][4 sixteens][4]`.
    pub const fn channel(&self, block: usize, lane: usize) -> Option<usize> {
        let element = 16 * (lane / 4 % 4) + 4 * (lane / 16) + lane % 4;
        let at = block * Self::LANES + element;
        if at < self.pixels * self.channels { Some(at % self.channels) } else { None }
    }
}
