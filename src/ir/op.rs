//! The operators, and the one shape rule of each.
//!
//! A new operator is a variant here with its arms in [`Op::output`] and [`Op::macs`]; the matches in the rest of
//! the project are exhaustive, so the compiler lists what is left to do.

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

/// What a node computes. No numbers here: weights are the node's [`data`](super::Node::data).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Op {
    /// Convolution, plain or grouped.
    Conv2d(Conv2d),
    /// Convolution channel by channel.
    DepthwiseConv2d(DepthwiseConv2d),
    /// Fully connected.
    Dense(Dense),
    /// Greatest element of each window.
    MaxPool2d(Pool2d),
    /// Mean of each window, over the elements that are not border.
    AvgPool2d(Pool2d),
    /// Sum of two tensors of one shape.
    Add,
    /// Channels of several tensors of the same height and width, one after another.
    Concat,
    /// Channels seen as `[groups][c / groups]` are transposed: output channel `i * groups + g` is input channel
    /// `g * (c / groups) + i`.
    ChannelShuffle {
        /// Groups; divides the channel count.
        groups: u16,
    },
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// Hyperbolic tangent.
    Tanh,
    /// `exp(x - max) / sum` over the channels of each pixel.
    Softmax,
    /// The same elements in another shape.
    Reshape {
        /// The new shape, of as many elements.
        shape: Shape,
    },
    /// `gamma * (x - mean) / sqrt(variance + epsilon) + beta` for each channel. Float phase only: quantising
    /// folds it into the operator before it.
    BatchNorm,
}

impl Op {
    /// The shape rule: what the operator makes of inputs of these shapes.
    ///
    /// # Errors
    /// The [`Fault`] that keeps the inputs and the operator from meeting.
    pub const fn output(&self, inputs: &[Shape]) -> Result<Shape, Fault> {
        let arity = match self {
            Op::Add => inputs.len() == 2,
            Op::Concat => inputs.len() >= 2 && inputs.len() <= super::MAX_INPUTS,
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) | Op::MaxPool2d(_) | Op::AvgPool2d(_) => {
                inputs.len() == 1
            }
            Op::ChannelShuffle { .. } | Op::Relu | Op::Relu6 | Op::Tanh | Op::Softmax => inputs.len() == 1,
            Op::Reshape { .. } | Op::BatchNorm => inputs.len() == 1,
        };
        if !arity {
            return Err(Fault::Arity);
        }
        let x = inputs[0];
        if x.len() == 0 {
            return Err(Fault::Empty);
        }
        match self {
            Op::Conv2d(conv) => {
                let (g, s) = (conv.groups, conv.span);
                if g == 0
                    || conv.units == 0
                    || !conv.units.is_multiple_of(g)
                    || !x.c.is_multiple_of(g)
                    || s < x.c / g
                    || s > x.c
                {
                    return Err(Fault::Groups);
                }
                window(&conv.window, x, conv.units as u32)
            }
            Op::DepthwiseConv2d(conv) => {
                if conv.multiplier == 0 {
                    return Err(Fault::Empty);
                }
                window(&conv.window, x, x.c as u32 * conv.multiplier as u32)
            }
            Op::Dense(dense) => match (dense.units, dense.bias) {
                (0, _) => Err(Fault::Empty),
                (_, Bias::Unit) => Err(Fault::Bias),
                (units, Bias::None | Bias::Channel) => Ok(Shape::flat(units)),
            },
            Op::MaxPool2d(pool) | Op::AvgPool2d(pool) => {
                if pool.window.dilation[0] != 1 || pool.window.dilation[1] != 1 {
                    return Err(Fault::Window);
                }
                window(&pool.window, x, x.c as u32)
            }
            Op::Add => {
                if x.same(inputs[1]) {
                    Ok(x)
                } else {
                    Err(Fault::Unequal)
                }
            }
            Op::Concat => {
                let (mut c, mut i) = (0u32, 0);
                while i < inputs.len() {
                    if inputs[i].h != x.h || inputs[i].w != x.w {
                        return Err(Fault::Unequal);
                    }
                    c += inputs[i].c as u32;
                    i += 1;
                }
                channels(x.h, x.w, c)
            }
            Op::ChannelShuffle { groups } => {
                if *groups == 0 || !x.c.is_multiple_of(*groups) {
                    Err(Fault::Groups)
                } else {
                    Ok(x)
                }
            }
            Op::Relu | Op::Relu6 | Op::Tanh | Op::Softmax | Op::BatchNorm => Ok(x),
            Op::Reshape { shape } => {
                if shape.len() == x.len() {
                    Ok(*shape)
                } else {
                    Err(Fault::Unequal)
                }
            }
        }
    }

    /// Multiplications by a weight, border included; 0 for operators without weights.
    pub const fn macs(&self, input: Shape, output: Shape) -> u64 {
        match self {
            Op::Conv2d(conv) => output.len() as u64 * (conv.window.taps() * conv.span as usize) as u64,
            Op::DepthwiseConv2d(conv) => output.len() as u64 * conv.window.taps() as u64,
            Op::Dense(_) => input.len() as u64 * output.len() as u64,
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Add | Op::Concat | Op::ChannelShuffle { .. } => 0,
            Op::Relu | Op::Relu6 | Op::Tanh | Op::Softmax | Op::Reshape { .. } | Op::BatchNorm => 0,
        }
    }

    /// Number of weights for an input of `input`: `[units][kh][kw][span]`, `[kh][kw][c * multiplier]`,
    /// `[units][inputs]`; 0 for operators without (the table of a tanh and the scale of a batch norm are no weights).
    pub const fn weights(&self, input: Shape) -> usize {
        match self {
            Op::Conv2d(conv) => conv.units as usize * conv.window.taps() * conv.span as usize,
            Op::DepthwiseConv2d(conv) => conv.window.taps() * input.c as usize * conv.multiplier as usize,
            Op::Dense(dense) => dense.units as usize * input.len(),
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Add | Op::Concat | Op::ChannelShuffle { .. } => 0,
            Op::Relu | Op::Relu6 | Op::Tanh | Op::Softmax | Op::Reshape { .. } | Op::BatchNorm => 0,
        }
    }

    /// How the operator's bias is shared.
    pub const fn bias(&self) -> Bias {
        match self {
            Op::Conv2d(conv) => conv.bias,
            Op::DepthwiseConv2d(conv) => conv.bias,
            Op::Dense(dense) => dense.bias,
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Add | Op::Concat | Op::ChannelShuffle { .. } => {
                Bias::None
            }
            Op::Relu | Op::Relu6 | Op::Tanh | Op::Softmax | Op::Reshape { .. } | Op::BatchNorm => Bias::None,
        }
    }

    /// Whether the output may lie in the very bytes of input `i`: element by element, each read before it is
    /// written.
    pub const fn in_place(&self, i: usize) -> bool {
        match self {
            Op::Relu | Op::Relu6 | Op::Tanh | Op::Reshape { .. } => i == 0,
            Op::Add => i < 2,
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) | Op::MaxPool2d(_) | Op::AvgPool2d(_) => {
                false
            }
            Op::Concat | Op::ChannelShuffle { .. } | Op::Softmax | Op::BatchNorm => false,
        }
    }

    /// Whether the operator only moves bytes, so that input and output must mean the same by them.
    pub const fn keeps_quantisation(&self) -> bool {
        match self {
            Op::MaxPool2d(_)
            | Op::AvgPool2d(_)
            | Op::Concat
            | Op::ChannelShuffle { .. }
            | Op::Reshape { .. } => true,
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) | Op::Add | Op::BatchNorm => false,
            Op::Relu | Op::Relu6 | Op::Tanh | Op::Softmax => false,
        }
    }

    /// The operator's name in recipes, reports and error messages.
    pub const fn name(&self) -> &'static str {
        match self {
            Op::Conv2d(_) => "conv2d",
            Op::DepthwiseConv2d(_) => "depthwise_conv2d",
            Op::Dense(_) => "dense",
            Op::MaxPool2d(_) => "max_pool2d",
            Op::AvgPool2d(_) => "avg_pool2d",
            Op::Add => "add",
            Op::Concat => "concat",
            Op::ChannelShuffle { .. } => "channel_shuffle",
            Op::Relu => "relu",
            Op::Relu6 => "relu6",
            Op::Tanh => "tanh",
            Op::Softmax => "softmax",
            Op::Reshape { .. } => "reshape",
            Op::BatchNorm => "batch_norm",
        }
    }
}

const fn window(window: &Window, x: Shape, c: u32) -> Result<Shape, Fault> {
    match window.output(x.h, x.w) {
        Some([h, w]) => channels(h, w, c),
        None => Err(Fault::Window),
    }
}

const fn channels(h: u16, w: u16, c: u32) -> Result<Shape, Fault> {
    if c > u16::MAX as u32 { Err(Fault::TooLarge) } else { Ok(Shape::new(h, w, c as u16)) }
}

/// Which kernels a graph needs. The engine guards each arm by one of these, so that a kernel that no operator of
/// the model calls is not linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // one flag an operator, named like it
pub struct Uses {
    pub conv2d: bool,
    pub depthwise_conv2d: bool,
    pub dense: bool,
    pub max_pool2d: bool,
    pub avg_pool2d: bool,
    pub add: bool,
    pub concat: bool,
    pub channel_shuffle: bool,
    pub relu: bool,
    pub tanh: bool,
    pub softmax: bool,
    pub reshape: bool,
}

impl Uses {
    /// No kernel.
    pub const NONE: Self = Self::every(false);
    /// All kernels: what a host needs that runs graphs it has not seen.
    pub const ALL: Self = Self::every(true);

    const fn every(on: bool) -> Self {
        Self {
            conv2d: on,
            depthwise_conv2d: on,
            dense: on,
            max_pool2d: on,
            avg_pool2d: on,
            add: on,
            concat: on,
            channel_shuffle: on,
            relu: on,
            tanh: on,
            softmax: on,
            reshape: on,
        }
    }

    /// Whether every kernel of `other` is among these.
    pub const fn covers(&self, other: Self) -> bool {
        (self.conv2d || !other.conv2d)
            && (self.depthwise_conv2d || !other.depthwise_conv2d)
            && (self.dense || !other.dense)
            && (self.max_pool2d || !other.max_pool2d)
            && (self.avg_pool2d || !other.avg_pool2d)
            && (self.add || !other.add)
            && (self.concat || !other.concat)
            && (self.channel_shuffle || !other.channel_shuffle)
            && (self.relu || !other.relu)
            && (self.tanh || !other.tanh)
            && (self.softmax || !other.softmax)
            && (self.reshape || !other.reshape)
    }

    /// These and the kernel of `op`.
    pub const fn with(mut self, op: &Op) -> Self {
        match op {
            Op::Conv2d(_) => self.conv2d = true,
            Op::DepthwiseConv2d(_) => self.depthwise_conv2d = true,
            Op::Dense(_) => self.dense = true,
            Op::MaxPool2d(_) => self.max_pool2d = true,
            Op::AvgPool2d(_) => self.avg_pool2d = true,
            Op::Add => self.add = true,
            Op::Concat => self.concat = true,
            Op::ChannelShuffle { .. } => self.channel_shuffle = true,
            Op::Relu | Op::Relu6 => self.relu = true,
            Op::Tanh => self.tanh = true,
            Op::Softmax => self.softmax = true,
            Op::Reshape { .. } => self.reshape = true,
            Op::BatchNorm => {} // folded before the integer phase
        }
        self
    }
}
