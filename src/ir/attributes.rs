//! What an operator says besides its name: windows, groups, axes, operands. Plain data, and no weights.

use super::op::broadcast;
use super::{Fault, Shape, Window};

/// How an operator's bias is shared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Bias {
    /// Float phase: no bias. The integer phase always has one, for the zero point is folded into it.
    None,
    /// One for each output channel.
    Channel,
    /// One for each output element, `[h][w][c]`, as in the 1989 net.
    Unit,
}

impl Bias {
    /// Number of bias values for an output of `shape`.
    pub const fn len(self, shape: Shape) -> usize {
        match self {
            Bias::None => 0,
            Bias::Channel => shape.c as usize,
            Bias::Unit => shape.len(),
        }
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        matches!(self, Bias::None)
    }
}

/// Convolution over rows, columns and channels.
///
/// The output channels form `groups` groups of `units / groups`. Group `g` reads `span` consecutive input
/// channels from `g * (c / groups)` on, wrapping round after the last. So `groups = 1, span = c` is the plain
/// convolution, `span = c / groups` the usual grouped one, and a wider span lets neighbouring groups overlap:
/// the second layer of the 1989 net has 12 channels in 3 groups of which each sees 8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Conv2d {
    /// Output channels.
    pub units: u16,
    /// The window.
    pub window: Window,
    /// Groups; divides both channel counts.
    pub groups: u16,
    /// Input channels a group reads; from `c / groups` to `c`.
    pub span: u16,
    /// How the bias is shared.
    pub bias: Bias,
}

/// Convolution of each channel by itself: output channel `c * multiplier + m` reads input channel `c`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DepthwiseConv2d {
    /// Output channels for each input channel.
    pub multiplier: u16,
    /// The window.
    pub window: Window,
    /// How the bias is shared.
    pub bias: Bias,
}

impl DepthwiseConv2d {
    /// The same over `c` channels as a convolution of as many groups. Its weights lie in another order, those of a unit one
    /// after another.
    pub const fn grouped(&self, c: u16) -> Conv2d {
        let &Self { multiplier, window, bias } = self;
        Conv2d { units: c * multiplier, window, groups: c, span: 1, bias }
    }
}

/// Matrix times the flattened input: `y = W x + b`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Dense {
    /// Outputs.
    pub units: u16,
    /// [`Bias::Channel`] or [`Bias::None`]; a unit is a channel here.
    pub bias: Bias,
}

/// Pooling; border elements do not take part. Dilation must be 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Pool2d {
    /// The window.
    pub window: Window,
}

/// What an elementwise operator of two operands reads: `y = a . b`, with `a` on the left.
///
/// Operands broadcast: along each axis both extents are the output's, or one of them is 1 and repeated. A constant
/// lies in the node's weights, `[h][w][c]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operands {
    /// Two inputs of one shape.
    Equal,
    /// Two inputs that broadcast.
    Broadcast,
    /// `a` is a constant of this shape, `b` the input.
    Left(Shape),
    /// `a` is the input, `b` a constant of this shape.
    Right(Shape),
}

impl Operands {
    /// Number of inputs.
    pub(super) const fn arity(self) -> usize {
        match self {
            Operands::Equal | Operands::Broadcast => 2,
            Operands::Left(_) | Operands::Right(_) => 1,
        }
    }

    /// The shape of the constant operand, if there is one.
    pub const fn constant(self) -> Option<Shape> {
        match self {
            Operands::Equal | Operands::Broadcast => None,
            Operands::Left(shape) | Operands::Right(shape) => Some(shape),
        }
    }

    /// The shape rule of the operators that have them.
    pub(super) const fn output(self, inputs: &[Shape]) -> Result<Shape, Fault> {
        match self {
            Operands::Equal if inputs[0].same(inputs[1]) => Ok(inputs[0]),
            Operands::Equal => Err(Fault::Unequal),
            Operands::Broadcast => broadcast(inputs[0], inputs[1]),
            Operands::Left(constant) | Operands::Right(constant) => broadcast(inputs[0], constant),
        }
    }
}

/// One axis of a tensor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Axis {
    /// Height.
    Rows,
    /// Width.
    Columns,
    /// Depth.
    Channels,
}

impl Axis {
    /// The axis' place in `[h, w, c]`.
    pub const fn at(self) -> usize {
        match self {
            Axis::Rows => 0,
            Axis::Columns => 1,
            Axis::Channels => 2,
        }
    }
}

/// Elements added around a tensor, `[h, w, c]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Pad {
    /// Before the first.
    pub before: [u16; 3],
    /// After the last.
    pub after: [u16; 3],
}

/// Which elements of a tensor are kept, `[h, w, c]`: output element `i` of an axis is input element
/// `begin + i * stride`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Slice {
    /// The first element.
    pub begin: [u16; 3],
    /// From one element to the next; negative runs backwards, 0 is for an axis of one element.
    pub stride: [i16; 3],
    /// How many elements.
    pub shape: Shape,
}
