//! How weights lie in a table for the CPU that will read them, and what its kernels need for it.
//!
//! A packing is chosen node by node when a table is exported. Every engine reads every packing and gives the same
//! bytes; the CPU for which it was made does so fast.
//!
//! # Two units in a halfword
//! Packings for the DSP instructions hold the weights `a` and `b` of two units as the int16 `256 a + b`, two such
//! halfwords a word. A dual multiplication by two elements adds `256 A + B` to a sum; the low bytes alone, extended by
//! their signs, add `B` to another; `(sum - B) >> 8` is `A`, exact while `-2^23 <= A < 2^23`, bias included. So
//! weights take one byte each and one extension serves four products.
//!
//! # Factors in two multiplications
//! The factor `multiplier * 2^(-e-31)` lies as `Requant { multiplier: 2 * multiplier mod 2^32, shift: 2^(32-e) }`, or
//! `shift: 0` for the factor 0, so that with `smmlar(c, a, b) = c + ((a * b + 2^31) >> 32)`
//!
//! ```text
//! v = smmlar(acc, acc, 2 * multiplier - 2^32)   // the product, rounded to nearest, ties upwards
//! v = v + (v >> 31)                             // ties away from zero are ties upwards now
//! y = smmlar(zero, v, 2^(32-e))                 // the shift, rounded to nearest, and the zero point
//! ```
//!
//! gives what [`requantise`](crate::fixed::requantise) gives, for `e` from 2 to 31.

use super::{Bias, Conv2d, DepthwiseConv2d, Op, Requant, Shape, Window};

/// The order in which weights lie, chosen at export for the CPU that will read them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Packing {
    /// Row by row as [`IntData::weights`](super::IntData::weights) says: read by the portable kernels.
    #[default]
    Plain,
    /// Conv2d whose windows are copied together: `[group][quad of units][pair of elements][2 pairs of units]`, each a
    /// word. Biases are `[group][quad][256 b0 + b1, 256 b2 + b3, b1, b3]`, once or for each pixel; factors
    /// `[group][quad][4]`. The last quad of a group is filled up with zeros.
    DspPatch,
    /// Dense: `[eight units][pair of elements][4 pairs of units]`, each a word. Biases are `[eight][256 b0 + b1, ..,
    /// 256 b6 + b7, b1, b3, b5, b7]`, factors `[eight][8]`. The last eight are filled up with zeros.
    DspDense,
    /// Depthwise convolution with one output a channel and one bias a channel. A record for each channel: bias, factor
    /// (two words), words of taps `[parity][pair of rows][column]`. Rows of the padded image are joined two by two, the
    /// even one in the low half; parity 0 is for outputs whose window begins in an even row, parity 1, left out where
    /// the rows' stride is even, for the others. A half that no tap falls on is 0. See [`Joined`].
    DspDepthwise,
    /// Depthwise 3x3 at stride 1, as before, but the words of taps are those of rows 0 and 1, then of rows 1 and 2.
    DspDepthwise3,
    /// Add of two inputs of one shape: the three biases `[a, b, c]` are such that the sum is
    /// `clamp((256 a x0 >> 16) + (256 b x1 >> 16) + c) >> 21`, which export has tried for all pairs of inputs.
    DspAdd,
}

/// Numbers of elements that a packed node has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packed {
    /// Bytes of weights.
    pub weights: usize,
    /// Biases.
    pub bias: usize,
    /// Factors.
    pub requant: usize,
    /// Bytes of scratch.
    pub scratch: usize,
}

impl Packing {
    /// Number of variants.
    pub const COUNT: usize = 6;

    /// The variant's number.
    pub const fn at(self) -> usize {
        self as usize
    }

    /// What a packed `op` over `x` into `y` has; `None` where this is no packing for it, and for [`Packing::Plain`].
    pub const fn lengths(self, op: &Op, x: Shape, y: Shape) -> Option<Packed> {
        match (self, op) {
            (Packing::DspPatch, Op::Conv2d(conv)) => Some(patches(conv, y)),
            (Packing::DspDense, Op::Dense(dense)) => {
                let (eights, pairs) = ((dense.units as usize).div_ceil(8), x.len().div_ceil(2));
                let units = 8 * eights;
                Some(Packed { weights: 2 * units * pairs, bias: units, requant: units, scratch: 4 * pairs })
            }
            (Packing::DspDepthwise | Packing::DspDepthwise3, Op::DepthwiseConv2d(conv)) => {
                let Some(joined) = Joined::new(conv, x) else { return None };
                let three = matches!(self, Packing::DspDepthwise3);
                if three && !joined.is_three() {
                    return None;
                }
                let record = if three { 36 } else { joined.record() };
                let weights = record * x.c as usize;
                Some(Packed { weights, bias: 0, requant: 0, scratch: joined.scratch() })
            }
            (Packing::DspAdd, Op::Add(super::Operands::Equal)) => {
                Some(Packed { weights: 0, bias: 3, requant: 0, scratch: 0 })
            }
            _ => None,
        }
    }
}

const fn patches(conv: &Conv2d, y: Shape) -> Packed {
    let quads = conv.groups as usize * (conv.units / conv.groups).div_ceil(4) as usize;
    let pairs = (conv.window.taps() * conv.span as usize).div_ceil(2);
    let pixels = if matches!(conv.bias, Bias::Unit) { y.h as usize * y.w as usize } else { 1 };
    Packed { weights: 8 * quads * pairs, bias: 4 * quads * pixels, requant: 4 * quads, scratch: 8 * pairs }
}

/// How the rows of a depthwise convolution are joined, and what that takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The window. One of a single column over an image of a single column lies on its side: rows are columns then.
    pub window: Window,
    /// The image as the window sees it.
    pub image: Shape,
    /// Rows and columns of the output, likewise.
    pub output: [u16; 2],
    /// Joined rows that are kept at once.
    pub kept: usize,
    /// Columns of a joined row, border included.
    pub columns: usize,
    /// Channels that are computed at once, as many as keep the joined rows within about [`Joined::ROOM`]; all but the
    /// last such a multiple of 4.
    pub channels: usize,
}

impl Joined {
    /// Most joined rows that are kept at once.
    pub const MOST: usize = 8;
    /// Bytes that joined rows shall take, unless four channels take more.
    pub const ROOM: usize = 2048;

    /// `None` where rows cannot be joined: several outputs or biases a channel, or a window of too many rows.
    pub const fn new(conv: &DepthwiseConv2d, x: Shape) -> Option<Self> {
        let (mut window, mut image) = (conv.window, x);
        if x.w == 1 && window.kernel[1] == 1 && window.padding.left == 0 && window.padding.right == 0 {
            image = Shape::new(1, x.h, x.c);
            window = Window {
                kernel: [1, window.kernel[0]],
                stride: [1, window.stride[0]],
                dilation: [1, window.dilation[0]],
                padding: super::Padding {
                    top: 0,
                    bottom: 0,
                    left: window.padding.top,
                    right: window.padding.bottom,
                },
            };
        }
        let Some(output) = window.output(image.h, image.w) else { return None };
        let odd = window.stride[0] % 2 == 1;
        let mut joined = Self { window, image, output, kept: 0, columns: 0, channels: 0 };
        joined.kept = joined.pairs(odd as usize);
        if conv.multiplier != 1 || matches!(conv.bias, Bias::Unit) || joined.kept > Self::MOST {
            return None;
        }
        let [_, stride] = window.stride;
        let [_, dilation] = window.dilation;
        let read = (output[1] as usize - 1) * stride as usize
            + (window.kernel[1] as usize - 1) * dilation as usize
            + 1;
        let there = window.padding.left as usize + image.w as usize;
        joined.columns = if read > there { read } else { there };
        let each = 4 * joined.kept * joined.columns;
        let all = (x.c as usize).next_multiple_of(4);
        let parts = (all * each).div_ceil(Self::ROOM);
        let channels = all.div_ceil(parts).next_multiple_of(4);
        joined.channels = if channels > x.c as usize { x.c as usize } else { channels };
        Some(joined)
    }

    /// Joined rows that a window spans which begins in an even (0) or odd (1) row.
    pub const fn pairs(&self, parity: usize) -> usize {
        ((self.window.kernel[0] as usize - 1) * self.window.dilation[0] as usize + parity) / 2 + 1
    }

    /// Bytes of a channel's record in [`Packing::DspDepthwise`].
    pub const fn record(&self) -> usize {
        let odd = if self.window.stride[0] % 2 == 1 { self.pairs(1) } else { 0 };
        12 + 4 * self.window.kernel[1] as usize * (self.pairs(0) + odd)
    }

    /// Whether [`Packing::DspDepthwise3`] is for it.
    pub const fn is_three(&self) -> bool {
        let Window { kernel: [h, w], stride: [sh, sw], dilation: [dh, dw], .. } = self.window;
        h == 3 && w == 3 && sh == 1 && sw == 1 && dh == 1 && dw == 1
    }

    /// Bytes of scratch: the joined rows, and a pixel that stands for a row of the border.
    pub const fn scratch(&self) -> usize {
        (4 * self.kept * self.columns + 1) * self.channels
    }
}

impl Requant {
    /// Whether this is a factor of the packed form.
    pub const fn is_packed(self) -> bool {
        let power = self.shift >= 2 && self.shift & (self.shift - 1) == 0;
        self.shift == 0 || (power && self.multiplier < 0)
    }

    /// The packed form; `None` where it has none, which is where the factor is a quarter or more.
    pub const fn packed(self) -> Option<Self> {
        if self.multiplier == 0 {
            return Some(Self { multiplier: 0, shift: 0 });
        }
        if self.shift > -2 {
            return None;
        }
        Some(Self { multiplier: self.multiplier.wrapping_mul(2), shift: 1 << (32 + self.shift) })
    }
}

/// Data at an address that is a multiple of 4, where words are read fastest.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(4))]
pub struct Aligned<T>(pub T);
