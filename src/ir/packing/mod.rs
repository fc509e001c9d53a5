//! How weights lie in a table for the CPU that will read them, and what its kernels need for it.
//!
//! A packing is chosen node by node when a table is exported. Every engine reads every packing and gives the same
//! bytes; the CPU for which it was made does so fast.
//!
//! # Two units in a halfword
//! Packings for the DSP instructions hold the weights `a` and `b` of two units as the int16 `256 a + b`, two such
//! halfwords a word. A dual multiplication by two elements adds `256 A + B` to a sum; the low bytes alone, extended by
//! their signs, add `B` to another; `(sum - B) >> 8` is `A`, exact while `-2^23 <= A < 2^23`, bias included. So
//! weights take one byte each and one extension serves four products. Where a sum may need more than 24 bits it is made in
//! sections, each told apart for itself, and those are added up in 32 bits.
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

mod bunches;
mod channels;
mod fours;
mod halves;
mod joined;
mod lanes;
mod nibbles;
mod overlap;
mod squares;
mod taps;
mod vectors;
mod views;
mod winograd;

pub use bunches::{Bunches, Sections};
pub use channels::FourChannels;
pub use fours::{Bordered, FourTaps, Fours};
pub use halves::{Halves, Ring};
pub use joined::Joined;
pub use lanes::{Chunk, Lanes};
pub use nibbles::Nibbles;
pub use overlap::Lead;
pub use squares::Squares;
pub use taps::{Portion, Taps};
pub use vectors::Vectors;
pub use views::{Parts, Slide, Views};
pub use winograd::Winograd;

use super::{Bias, Conv2d, Op, Operands, Requant, Shape, Window};

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
    /// `[group][quad][4]`. Behind the quads of a group lie one to three units more: one or two as `[pair of elements]`, biases
    /// `[256 b0 + b1, b1]`, two factors, of which the first unit's are 0 where there is but one; three as a quad of which the
    /// third unit is 0. See [`Bunches`].
    /// More scratch than is needed copies more windows at a time. See [`Chunk`].
    DspPatch,
    /// Conv2d of a 1x1 kernel whose groups share no channels, or Dense, which is one over a single pixel: as
    /// [`Packing::DspPatch`], but pixels are widened as they lie. For Dense the kernel is slower than
    /// [`Packing::DspDense`]'s, but one that a net with convolutions has anyway.
    DspPoint,
    /// As [`Packing::DspPatch`], for sums of any size: windows are filled up to whole sections, and biases are
    /// `[group][quad][b0, b2, b1, b3]` and `[two][b0, b1]`. See [`Sections`].
    DspLongPatch,
    /// Conv2d whose windows are read where rows lie widened: as [`Packing::DspPatch`], but each row of the kernel is
    /// filled up to whole pairs, `[group][quad][row][pair of elements][2]`. For groups that share no channels, no dilation.
    /// More scratch than is needed copies windows of many short rows together, and computes several rows of outputs at a
    /// time. See [`Lanes`].
    DspRows,
    /// Conv2d as [`Packing::DspRows`], of an image that is seen on its side, so that columns of the kernel are its rows, or in
    /// parts, which is what a dilated kernel sees. See [`Views`].
    DspViews,
    /// Conv2d as [`Packing::DspPatch`], whose windows are copied together out of an image that lies with its border: for few
    /// channels, however far taps are apart. For groups that share no channels. More scratch than is needed copies more windows
    /// at a time, and the image at once. See [`Taps`].
    DspTaps,
    /// Conv2d with three columns of taps, by minimal filtering along rows: for each four units, each four channels, each of those
    /// units, each row the three taps of the channels, four bytes `weight + 128` each. Biases are such that elements are
    /// `x + 128`, times -6. For sums within 28 bits. More scratch than is needed makes it faster. See [`Winograd`].
    DspWinograd,
    /// Conv2d of a 3x3 kernel at stride 1, by minimal filtering in both directions: for each two units, each four channels,
    /// each of those units, the nine taps of the channels, four bytes each. Biases times 36. For sums within 26 bits. More
    /// scratch than is needed makes it faster. See [`Squares`].
    DspSquares,
    /// Dense, eight units a time: `[eight units][pair of elements][4 pairs of units]`, each a word. Biases are
    /// `[eight][256 b0 + b1, .., 256 b6 + b7, b1, b3, b5, b7]`, factors `[eight][8]`. Elements are filled up to an even number
    /// of pairs with zeros. Behind the eights lie one to six units more two by two,
    /// `[two][four elements][elements 0 and 2, then 1 and 3]`, biases `[two][256 b0 + b1, b1]`, factors `[two][2]`, of which
    /// the first of a two that is but one unit is 0; or seven, as an eight filled up with zeros. See [`Bunches`].
    DspDense,
    /// As [`Packing::DspDense`], for sums of any size: biases are `[eight][b0, b2, b4, b6, b1, b3, b5, b7]` and `[two][b0, b1]`.
    DspLongDense,
    /// Depthwise convolution with one bias a channel. A record for each channel of the output: bias, factor (two words),
    /// words of taps `[parity][pair of rows][column]`. Rows of the padded image are joined two by two, the even one in the
    /// low half; parity 0 is for outputs whose window begins in an even row, parity 1, left out where
    /// the rows' stride is even, for the others. A half that no tap falls on is 0. Where image and kernel have one row, columns
    /// are joined, and words hold two taps each, the last of an odd number with a 0. See [`Joined`].
    DspDepthwise,
    /// Depthwise of up to 3x3 taps at stride 1, as before, but a word a column, three of them, whose bytes are the taps; the
    /// last byte is 0, and so is any other without a tap. Where dilated, the border in front must be whole dilations: rows
    /// and columns that lie whole dilations apart are an image of their own.
    DspDepthwise3,
    /// Depthwise convolution of one output and one bias a channel, four channels at a time. A record for each four channels:
    /// biases, a word a channel; for each two taps, row by row, a word a channel, the first tap in the low half; for the
    /// last of an odd number two words, of channels 0 and 2, 1 and 3; factors, the first words of all four and then the
    /// second ones. Where two or three channels are left the last four have one more. A single channel that is left, or each of
    /// fewer than four, has bias, factor, and a word for each two taps. See [`FourChannels`].
    DspFourChannels,
    /// Add of two inputs of one shape: the three biases `[a, b, c]` are such that the sum is
    /// `clamp((256 a x0 >> 16) + (256 b x1 >> 16) + c) >> 21`, which export has tried for all pairs of inputs.
    DspAdd,
    /// Conv2d or Dense by fours: `[group][block of 16 units][run][four elements][16 units][4]`. Runs are filled up to
    /// whole fours with zeros, blocks to whole sixteens. Factors are `[group][block][16]`, plain ones; biases
    /// `[2][pixel or once][group][block][16]`: as they are, then less 128 times the sum of the unit's weights, for CPUs
    /// that multiply elements with 128 added. No weight is -128. See [`Fours`].
    Fours,
    /// Depthwise convolution by fours: `[block of 64 lanes][four taps][64 lanes][4]`, factors `[block][64]`, plain ones,
    /// biases `[2][block][64]` as before. No weight is -128. See [`FourTaps`] for the order of lanes.
    FoursDepthwise,
    /// Conv2d with weights of 4 bits, two a byte: row by row as in plain order, each row from a byte on. For every CPU. See
    /// [`Nibbles`].
    Nibbles,
    /// The same with biases of 16 bits, two a word, the first in its low half, in plain order.
    NibblesShort,
    /// Dense with weights of 4 bits, as [`Packing::Nibbles`].
    NibblesDense,
    /// Depthwise convolution with weights of 4 bits in plain order, `[kh][kw][channels]` without gaps.
    NibblesDepthwise,
    /// Conv2d four pixels at a time, two in a word: `[group][block of 8 units][pair of elements][element][8 units]`, filled
    /// up with zeros to whole blocks and pairs; weights from -127. Biases and factors are plain ones, biases of each pixel
    /// filled up with zeros to whole fours of pixels; shifts of factors from -20 to -1. For sums, bias included, within 24
    /// bits. See [`Halves`].
    Halves,
    /// Depthwise convolution of one output and one bias a channel, whose windows are read where rows lie with their border.
    /// Weights, biases and factors are plain ones; weights from -127, shifts of factors from -20 to -1. For sums, bias
    /// included, within 24 bits, and at most 32 taps. See [`Ring`].
    RingDepthwise,
    /// Conv2d by vectors of sixteen elements: `[group][quad of units][vector][4 units][16]`, windows filled up with zeros to
    /// whole vectors, groups to whole quads. Biases and factors are plain ones; shifts of factors from -20 to -1. See
    /// [`Vectors`].
    Vectors,
}

/// Numbers of elements that a packed node has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packed {
    /// Bytes of weights.
    pub weights: usize,
    /// Biases.
    pub bias: usize,
    /// Factors, where they are not one for all units.
    pub requant: usize,
    /// Bytes of scratch.
    pub scratch: usize,
}

impl Packing {
    /// Number of variants.
    pub const COUNT: usize = 24;

    /// The variant's number.
    pub const fn at(self) -> usize {
        self as usize
    }

    /// Whether factors have the packed form.
    pub const fn packs_factors(self) -> bool {
        match self {
            Packing::Plain | Packing::Fours | Packing::FoursDepthwise => false,
            Packing::Nibbles | Packing::NibblesShort => false,
            Packing::NibblesDense | Packing::NibblesDepthwise => false,
            Packing::Halves | Packing::RingDepthwise | Packing::Vectors => false,
            Packing::DspPatch | Packing::DspPoint | Packing::DspRows | Packing::DspViews => true,
            Packing::DspTaps => true,
            Packing::DspLongPatch | Packing::DspLongDense => true,
            Packing::DspWinograd
            | Packing::DspSquares
            | Packing::DspDense
            | Packing::DspDepthwise
            | Packing::DspDepthwise3
            | Packing::DspFourChannels
            | Packing::DspAdd => true,
        }
    }

    /// Whether factors are plain ones of fewer shifts: [`Halves::takes`].
    pub const fn narrows_factors(self) -> bool {
        matches!(self, Packing::Halves | Packing::RingDepthwise | Packing::Vectors)
    }

    /// Whether it is for microcontrollers of one kind: on others and on hosts slower than plain order would be.
    pub const fn is_of_boards(self) -> bool {
        self.packs_factors() || self.narrows_factors()
    }

    /// Whether no weight may be -128.
    pub const fn lacks_least(self) -> bool {
        matches!(self, Packing::Fours | Packing::FoursDepthwise | Packing::Halves | Packing::RingDepthwise)
    }

    /// Whether one factor may stand for those of all units of `op`.
    pub const fn shares_factors(self, op: &Op) -> bool {
        let each = matches!(self, Packing::Fours | Packing::Halves | Packing::Vectors);
        matches!(op, Op::Conv2d(_) | Op::Dense(_)) && !each
    }

    /// Units of a group of a packed `op` over `x` where they are computed in quads, else `None`.
    pub(super) const fn in_quads(self, op: &Op, x: Shape) -> Option<usize> {
        let conv = if let Op::Conv2d(conv) = op {
            *conv
        } else {
            match Chunk::point(op, x) {
                Some((conv, _)) => conv,
                None => return None,
            }
        };
        match self {
            Packing::DspPatch | Packing::DspLongPatch => {
                Some(conv.units as usize * Chunk::new(&conv, x.c, 0).merged / conv.groups as usize)
            }
            Packing::DspPoint => {
                let chunk = Chunk::new(&conv, conv.groups * conv.span, 0);
                Some(conv.units as usize * chunk.merged / conv.groups as usize)
            }
            Packing::DspRows => match Lanes::new(&conv, x) {
                Some(lanes) => Some(lanes.units),
                None => None,
            },
            Packing::DspViews => match Views::new(&conv, x) {
                Some(views) => Some(views.lanes.units),
                None => None,
            },
            Packing::DspTaps => match Taps::new(&conv, x) {
                Some(taps) => Some(taps.units),
                None => None,
            },
            _ => None,
        }
    }

    /// Whether several rows of outputs of a packed `op` over `x` are computed at a time, with so much scratch.
    pub(super) const fn strips(self, op: &Op, x: Shape, scratch: usize) -> bool {
        let Op::Conv2d(conv) = op else { return false };
        let lanes = match self {
            Packing::DspRows => Lanes::new(conv, x),
            Packing::DspViews => match Views::new(conv, x) {
                Some(views) => Some(views.lanes),
                None => None,
            },
            _ => None,
        };
        match lanes {
            Some(lanes) => lanes.strip(scratch, lanes.collected(conv, scratch)) > 1,
            None => false,
        }
    }

    /// What a packed `op` over `x` into `y` has; `None` where this is no packing for it, and for [`Packing::Plain`].
    pub const fn lengths(self, op: &Op, x: Shape, y: Shape) -> Option<Packed> {
        match self {
            Packing::Plain => None,
            Packing::DspPatch => {
                let Op::Conv2d(conv) = op else { return None };
                let Chunk { merged, pairs, .. } = Chunk::new(conv, x.c, 0);
                Some(quads(conv, conv.groups as usize / merged, y, pairs, 8 * pairs))
            }
            Packing::DspLongPatch => {
                let Op::Conv2d(conv) = op else { return None };
                let Chunk { merged, pairs, .. } = Chunk::long(conv, x.c, 0);
                if Sections::of(pairs).count > Sections::MOST {
                    return None;
                }
                Some(quads(conv, conv.groups as usize / merged, y, pairs, 8 * pairs))
            }
            Packing::DspPoint => {
                let Some((conv, _)) = Chunk::point(op, x) else { return None };
                let Chunk { merged, pairs, .. } = Chunk::new(&conv, conv.groups * conv.span, 0);
                Some(quads(&conv, conv.groups as usize / merged, y, pairs, 8 * pairs))
            }
            Packing::DspRows => {
                let Op::Conv2d(conv) = op else { return None };
                let Some(lanes) = Lanes::new(conv, x) else { return None };
                Some(quads(conv, lanes.groups, y, lanes.pairs * lanes.rows, lanes.scratch(1, false)))
            }
            Packing::DspViews => {
                let Op::Conv2d(conv) = op else { return None };
                let Some(Views { lanes, .. }) = Views::new(conv, x) else { return None };
                Some(quads(conv, lanes.groups, y, lanes.pairs * lanes.rows, lanes.scratch(1, false)))
            }
            Packing::DspTaps => {
                let Op::Conv2d(conv) = op else { return None };
                let Some(taps) = Taps::new(conv, x) else { return None };
                Some(quads(conv, taps.groups, y, taps.pairs, taps.least()))
            }
            Packing::DspWinograd => {
                let Op::Conv2d(conv) = op else { return None };
                let Some(winograd) = Winograd::new(conv, x) else { return None };
                Some(winograd.lengths())
            }
            Packing::DspSquares => {
                let Op::Conv2d(conv) = op else { return None };
                let Some(squares) = Squares::new(conv, x) else { return None };
                Some(squares.lengths())
            }
            Packing::DspDense | Packing::DspLongDense => {
                let Op::Dense(dense) = op else { return None };
                Some(Bunches::eights(dense.units as usize).lengths(x.len()))
            }
            Packing::DspDepthwise => {
                let Op::DepthwiseConv2d(conv) = op else { return None };
                let Some(joined) = Joined::new(conv, x) else { return None };
                Some(joined.lengths(joined.record(), joined.table()))
            }
            Packing::DspDepthwise3 => {
                let Op::DepthwiseConv2d(conv) = op else { return None };
                Joined::lengths_of_three(conv, x)
            }
            Packing::DspFourChannels => {
                let Op::DepthwiseConv2d(conv) = op else { return None };
                let Some(four) = FourChannels::new(conv, x) else { return None };
                Some(four.lengths())
            }
            Packing::Fours => {
                let (fours, pixels) = if let Op::Dense(dense) = op {
                    (Fours::dense(dense, x), 1)
                } else {
                    let Op::Conv2d(conv) = op else { return None };
                    let Some(fours) = Fours::conv2d(conv, x) else { return None };
                    let once = !matches!(conv.bias, Bias::Unit);
                    (fours, if once { 1 } else { y.h as usize * y.w as usize })
                };
                Some(fours.lengths(pixels))
            }
            Packing::FoursDepthwise => {
                let Op::DepthwiseConv2d(conv) = op else { return None };
                let Some(taps) = FourTaps::new(conv, x) else { return None };
                Some(taps.lengths())
            }
            Packing::Nibbles | Packing::NibblesShort => {
                let Op::Conv2d(conv) = op else { return None };
                Some(Nibbles::conv2d(conv, x, y, matches!(self, Packing::NibblesShort)))
            }
            Packing::NibblesDense => {
                let Op::Dense(dense) = op else { return None };
                Some(Nibbles::dense(dense, x))
            }
            Packing::NibblesDepthwise => {
                let Op::DepthwiseConv2d(conv) = op else { return None };
                Some(Nibbles::depthwise(conv, y))
            }
            Packing::Halves => {
                let Op::Conv2d(conv) = op else { return None };
                Some(Halves::new(conv).lengths(conv, x, y))
            }
            Packing::RingDepthwise => {
                let Op::DepthwiseConv2d(conv) = op else { return None };
                if !Ring::takes(conv) {
                    return None;
                }
                let (c, scratch) = (x.c as usize, Ring::new(&conv.window, x).len());
                Some(Packed { weights: op.weights(x), bias: c, requant: c, scratch })
            }
            Packing::Vectors => {
                let Op::Conv2d(conv) = op else { return None };
                Some(Vectors::new(conv).lengths(conv, x, y))
            }
            Packing::DspAdd => {
                let Op::Add(Operands::Equal) = op else { return None };
                Some(Packed { weights: 0, bias: 3, requant: 0, scratch: 0 })
            }
        }
    }
}

/// Whether a convolution is of one group that sees all channels, its taps side by side.
const fn is_plain(conv: &Conv2d, x: Shape) -> bool {
    let [rows, columns] = conv.window.dilation;
    conv.groups == 1 && conv.span == x.c && rows == 1 && columns == 1
}

/// Columns of a row of an image that is `w` wide, with the border that the windows of so many outputs see.
const fn bordered(window: &Window, w: u16, outputs: usize) -> usize {
    let ([_, taps], [_, stride], [_, dilation]) = (window.kernel, window.stride, window.dilation);
    let read = (outputs - 1) * stride as usize + (taps as usize - 1) * dilation as usize + 1;
    let there = window.padding.left as usize + w as usize;
    if read > there { read } else { there }
}

/// A convolution in so many groups whose units have so many pairs of weights, in quads.
const fn quads(conv: &Conv2d, groups: usize, y: Shape, pairs: usize, scratch: usize) -> Packed {
    let units = groups * Bunches::quads(conv.units as usize / groups).units();
    let pixels = if matches!(conv.bias, Bias::Unit) { y.h as usize * y.w as usize } else { 1 };
    Packed { weights: 2 * units * pairs, bias: units * pixels, requant: units, scratch }
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
