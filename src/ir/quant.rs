//! The two phases: what the numbers of a graph are.

use super::{Op, Packing, Phase};

/// Numbers are f32: a net in training or just trained. Lives on the host only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Float {}

/// Numbers are int8 with a scale and a zero point: what the engine runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Int {}

impl Phase for Float {
    type Tensor = Real;
    type Data<'a> = FloatData<'a>;
}

impl Phase for Int {
    type Tensor = IntTensor;
    type Data<'a> = IntData<'a>;
}

/// What a float tensor carries.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Real {
    /// The value that stands for nothing, which padding writes: 0 inside a net; -1 for an image whose background
    /// is -1. Only a graph's input may have one other than 0, and quantising moves it to 0 by folding it into the
    /// biases that follow.
    pub origin: f32,
}

/// What a node of a float graph carries. Layouts as in [`IntData`].
///
/// A batch norm keeps gamma in `weights`, beta in `bias`, and uses `mean` and `variance`, each one a channel;
/// its epsilon is [`FloatData::EPSILON`].
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct FloatData<'a> {
    /// `[units][kh][kw][span]`, `[kh][kw][channels]` when depthwise, `[units][inputs]` when dense.
    pub weights: &'a [f32],
    /// As [`Bias`](super::Bias) says.
    pub bias: &'a [f32],
    /// Running mean of a batch norm.
    pub mean: &'a [f32],
    /// Running variance of a batch norm.
    pub variance: &'a [f32],
}

impl FloatData<'_> {
    /// Added to a variance before its root is taken.
    pub const EPSILON: f32 = 1e-5;
}

/// What an int8 tensor carries: `real = scale * (q - zero)`, and its place in the arena.
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct IntTensor {
    /// Real value of one step. For reports and for the caller; the engine never reads it.
    pub scale: f32,
    /// The int8 that stands for real 0.
    pub zero: i8,
    /// First byte in the arena.
    pub offset: u32,
}

/// A positive real factor as integers: `multiplier * 2^(shift - 31)`.
///
/// # Ranges
/// `multiplier` is 0 or from `2^30` up; `shift` from -31 to 30, positive to the left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(C)]
pub struct Requant {
    /// Q31 mantissa.
    pub multiplier: i32,
    /// Power of two.
    pub shift: i32,
}

impl Requant {
    /// From mantissa and power of two.
    pub const fn new(multiplier: i32, shift: i32) -> Self {
        Self { multiplier, shift }
    }

    /// Whether both lie in their ranges.
    pub const fn is_legal(self) -> bool {
        (self.multiplier == 0 || self.multiplier >= 1 << 30) && self.shift >= -31 && self.shift <= 30
    }
}

/// Least and greatest int8 an operator may write: its activation, folded in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Clamp {
    /// Least.
    pub low: i8,
    /// Greatest; not below `low`.
    pub high: i8,
}

impl Clamp {
    /// The whole of int8: no activation.
    pub const FULL: Self = Self { low: i8::MIN, high: i8::MAX };

    /// From least to greatest.
    pub const fn new(low: i8, high: i8) -> Self {
        Self { low, high }
    }
}

/// Bytes of the arena that a kernel may use while its node runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Scratch {
    /// First byte.
    pub offset: u32,
    /// Number of bytes; at least what [`Packing::lengths`] tells.
    pub len: u32,
}

/// What a node of an int8 graph carries.
///
/// | operator | `weights` | `bias` | `requant` | `clamp` |
/// |---|---|---|---|---|
/// | conv2d | `[units][kh][kw][span]` | zero point folded in | one a unit, or one for all | yes |
/// | depthwise_conv2d | `[kh][kw][channels]` | zero point folded in | one a channel | yes |
/// | dense | `[units][inputs]` | zero point folded in | one a unit, or one for all | yes |
/// | max_pool2d, avg_pool2d | | | | yes |
/// | add, sub | the constant operand | its zero point | of the left operand, of the right one, of the sum | yes |
/// | mul | the constant operand | its zero point | one | yes |
/// | prelu | alpha | its zero point | of the input, of its product with alpha | yes |
/// | relu, relu6, relu_n1_to_1, requantize | | | one, or none: bytes are clamped as they are | yes |
/// | leaky_relu, hard_swish, logistic, tanh | output of each input -128 to 127 | | | |
/// | mean | | | one, its mantissa from 0 up | yes |
/// | softmax | | | one: input scale times beta times 2^26 | |
/// | pad | | the value written | | |
/// | resize_nearest | | the row of each output row, then the column of each output column | | |
/// | concat, slice, transpose, channel_shuffle, reshape | | | | |
///
/// Operators without a constant operand keep no weights and no zero point for it.
///
/// A folded bias is `bias - zero * sum(weights)` with the input's zero point, so that kernels multiply the stored
/// int8 as they are and a border tap reads the zero point. Every partial sum must stay within i32; quantising
/// proves that from the weights.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IntData<'a> {
    /// Weights from -127 to 127, two of 4 bits a byte where the packing says so, or a table.
    pub weights: &'a [i8],
    /// Biases at the scale of the accumulator, which is input scale times weight scale.
    pub bias: &'a [i32],
    /// Factors from accumulator to output.
    pub requant: &'a [Requant],
    /// The activation.
    pub clamp: Clamp,
    /// Memory besides inputs and output.
    pub scratch: Scratch,
    /// The order of `weights`.
    pub packing: Packing,
}

impl IntData<'_> {
    /// No weights, no bounds: for operators that only move bytes.
    pub const NONE: Self = IntData {
        weights: &[],
        bias: &[],
        requant: &[],
        clamp: Clamp::FULL,
        scratch: Scratch { offset: 0, len: 0 },
        packing: Packing::Plain,
    };

    /// Whether one factor stands for those of all units of `op`.
    pub(super) const fn shares_factors(&self, op: &Op) -> bool {
        self.requant.len() == 1 && self.packing.shares_factors(op)
    }
}
