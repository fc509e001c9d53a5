//! The operators, and the one shape rule of each.
//!
//! A new operator is a variant here with its arms in [`Op::output`] and [`Op::macs`]; the matches in the rest of
//! the project are exhaustive, so the compiler lists what is left to do.

use super::{Axis, Bias, Conv2d, Dense, DepthwiseConv2d, Fault, Operands, Pad, Pool2d, Shape, Slice, Window};

/// What a node computes. No weights here: they are the node's [`data`](super::Node::data).
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
    /// `a + b`.
    Add(Operands),
    /// `a - b`.
    Sub(Operands),
    /// `a * b`.
    Mul(Operands),
    /// Several tensors one after another along an axis; their other extents agree.
    Concat {
        /// The axis.
        axis: Axis,
    },
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
    /// `min(max(x, -1), 1)`.
    ReluN1To1,
    /// `x` where it is positive, `alpha * x` elsewhere, alpha being the node's one weight.
    LeakyRelu,
    /// `x` where it is positive, `alpha * x` elsewhere; alpha lies in the node's weights.
    Prelu {
        /// Shape of alpha: each extent the input's, or 1.
        alpha: Shape,
    },
    /// `x * min(max(x + 3, 0), 6) / 6`.
    HardSwish,
    /// `1 / (1 + exp(-x))`.
    Logistic,
    /// Hyperbolic tangent.
    Tanh,
    /// The same values on another scale.
    Requantize,
    /// `exp(x - max) / sum` over the channels of each pixel.
    Softmax,
    /// Mean over whole axes, whose extents become 1.
    Mean {
        /// Whether it runs over rows, columns, channels; over one of them at least.
        axes: [bool; 3],
    },
    /// More elements around, all of one value.
    Pad(Pad),
    /// Some of the elements.
    Slice(Slice),
    /// Axes in another order: axis `i` of the output is axis `order[i]` of the input.
    Transpose {
        /// 0, 1 and 2, each once; for rows, columns, channels.
        order: [u8; 3],
    },
    /// Another height and width. Which row and column each output takes is the node's data.
    ResizeNearest {
        /// Rows of the output.
        height: u16,
        /// Columns of the output.
        width: u16,
    },
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
            Op::Add(operands) | Op::Sub(operands) | Op::Mul(operands) => inputs.len() == operands.arity(),
            Op::Concat { .. } => inputs.len() >= 2 && inputs.len() <= super::MAX_INPUTS,
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) => inputs.len() == 1,
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Mean { .. } => inputs.len() == 1,
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::LeakyRelu | Op::Prelu { .. } => inputs.len() == 1,
            Op::HardSwish | Op::Logistic | Op::Tanh | Op::Softmax | Op::Requantize => inputs.len() == 1,
            Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => inputs.len() == 1,
            Op::ChannelShuffle { .. } | Op::Reshape { .. } | Op::BatchNorm => inputs.len() == 1,
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
            Op::Add(operands) | Op::Sub(operands) | Op::Mul(operands) => operands.output(inputs),
            Op::Concat { axis } => {
                let (mut extents, axis) = (extents(x), axis.at());
                let mut i = 1;
                while i < inputs.len() {
                    let next = self::extents(inputs[i]);
                    let mut j = 0;
                    while j < 3 {
                        if j == axis {
                            extents[j] += next[j];
                        } else if extents[j] != next[j] {
                            return Err(Fault::Unequal);
                        }
                        j += 1;
                    }
                    i += 1;
                }
                shape(extents)
            }
            Op::Mean { axes: [rows, columns, channels] } => {
                if !*rows && !*columns && !*channels {
                    return Err(Fault::Axes);
                }
                let [h, w, c] = extents(x);
                shape([
                    if *rows { 1 } else { h },
                    if *columns { 1 } else { w },
                    if *channels { 1 } else { c },
                ])
            }
            Op::Pad(Pad { before, after }) => {
                let (mut extents, mut j) = (extents(x), 0);
                while j < 3 {
                    extents[j] += before[j] as u32 + after[j] as u32;
                    j += 1;
                }
                shape(extents)
            }
            Op::Slice(slice) => {
                let (from, to) = (extents(x), extents(slice.shape));
                let mut j = 0;
                while j < 3 {
                    if to[j] == 0 {
                        return Err(Fault::Empty);
                    }
                    let last = slice.begin[j] as i64 + (to[j] as i64 - 1) * slice.stride[j] as i64;
                    let still = slice.stride[j] == 0 && to[j] > 1;
                    if still || slice.begin[j] as u32 >= from[j] || last < 0 || last >= from[j] as i64 {
                        return Err(Fault::Axes);
                    }
                    j += 1;
                }
                Ok(slice.shape)
            }
            Op::Transpose { order: [a, b, c] } => {
                if *a > 2 || *b > 2 || *c > 2 || *a == *b || *b == *c || *a == *c {
                    return Err(Fault::Axes);
                }
                let extents = extents(x);
                shape([extents[*a as usize], extents[*b as usize], extents[*c as usize]])
            }
            Op::ResizeNearest { height, width } => {
                if *height == 0 || *width == 0 {
                    return Err(Fault::Empty);
                }
                Ok(Shape::new(*height, *width, x.c))
            }
            Op::Prelu { alpha } => match broadcast(x, *alpha) {
                Ok(y) if y.same(x) => Ok(x),
                Ok(_) => Err(Fault::Unequal),
                Err(fault) => Err(fault),
            },
            Op::ChannelShuffle { groups } => {
                if *groups == 0 || !x.c.is_multiple_of(*groups) {
                    Err(Fault::Groups)
                } else {
                    Ok(x)
                }
            }
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish => Ok(x),
            Op::Logistic | Op::Tanh | Op::Softmax | Op::Requantize | Op::BatchNorm => Ok(x),
            Op::Reshape { shape } => {
                if shape.len() == x.len() {
                    Ok(*shape)
                } else {
                    Err(Fault::Unequal)
                }
            }
        }
    }

    /// Whether so few channels are pooled or summed apart that they have a kernel of their own: fewer than four, or none.
    pub(crate) const fn is_thin(&self, input: Shape) -> bool {
        match self {
            Op::MaxPool2d(_) | Op::AvgPool2d(_) => input.c < 4,
            Op::Mean { axes } => input.c < 4 || axes[2],
            Op::Conv2d(_)
            | Op::DepthwiseConv2d(_)
            | Op::Dense(_)
            | Op::Add(_)
            | Op::Sub(_)
            | Op::Mul(_)
            | Op::Prelu { .. }
            | Op::Concat { .. }
            | Op::ChannelShuffle { .. }
            | Op::Relu
            | Op::Relu6
            | Op::ReluN1To1
            | Op::Requantize
            | Op::LeakyRelu
            | Op::HardSwish
            | Op::Logistic
            | Op::Tanh
            | Op::Softmax
            | Op::Pad(_)
            | Op::Slice(_)
            | Op::Transpose { .. }
            | Op::ResizeNearest { .. }
            | Op::Reshape { .. }
            | Op::BatchNorm => false,
        }
    }

    /// Multiplications by a weight, border included; 0 for operators without weights.
    pub const fn macs(&self, input: Shape, output: Shape) -> u64 {
        match self {
            Op::Conv2d(conv) => output.len() as u64 * (conv.window.taps() * conv.span as usize) as u64,
            Op::DepthwiseConv2d(conv) => output.len() as u64 * conv.window.taps() as u64,
            Op::Dense(_) => input.len() as u64 * output.len() as u64,
            Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } => 0,
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Mean { .. } | Op::Concat { .. } => 0,
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish => 0,
            Op::Logistic | Op::Tanh | Op::Softmax | Op::Requantize | Op::BatchNorm => 0,
            Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => 0,
            Op::ChannelShuffle { .. } | Op::Reshape { .. } => 0,
        }
    }

    /// Number of weights for an input of `input`: `[units][kh][kw][span]`, `[kh][kw][c * multiplier]`,
    /// `[units][inputs]`, the elements of a constant operand; 0 for operators without (the table of a tanh, the alpha
    /// of a leaky relu and the scale of a batch norm are no weights).
    pub const fn weights(&self, input: Shape) -> usize {
        match self {
            Op::Conv2d(conv) => conv.units as usize * conv.window.taps() * conv.span as usize,
            Op::DepthwiseConv2d(conv) => conv.window.taps() * input.c as usize * conv.multiplier as usize,
            Op::Dense(dense) => dense.units as usize * input.len(),
            Op::Add(operands) | Op::Sub(operands) | Op::Mul(operands) => match operands.constant() {
                Some(shape) => shape.len(),
                None => 0,
            },
            Op::Prelu { alpha } => alpha.len(),
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Mean { .. } | Op::Concat { .. } => 0,
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish => 0,
            Op::Logistic | Op::Tanh | Op::Softmax | Op::Requantize | Op::BatchNorm => 0,
            Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => 0,
            Op::ChannelShuffle { .. } | Op::Reshape { .. } => 0,
        }
    }

    /// How the operator's bias is shared.
    pub const fn bias(&self) -> Bias {
        match self {
            Op::Conv2d(conv) => conv.bias,
            Op::DepthwiseConv2d(conv) => conv.bias,
            Op::Dense(dense) => dense.bias,
            Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } => Bias::None,
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Mean { .. } | Op::Concat { .. } => Bias::None,
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish => Bias::None,
            Op::Logistic | Op::Tanh | Op::Softmax | Op::Requantize | Op::BatchNorm => Bias::None,
            Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => Bias::None,
            Op::ChannelShuffle { .. } | Op::Reshape { .. } => Bias::None,
        }
    }

    /// Whether the output may lie in the very bytes of input `i`, where that has as many: element by element, each
    /// read before it is written. An operand that is repeated has fewer.
    pub const fn in_place(&self, i: usize) -> bool {
        match self {
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::LeakyRelu | Op::Prelu { .. } => i == 0,
            Op::HardSwish | Op::Logistic | Op::Tanh | Op::Requantize | Op::Reshape { .. } => i == 0,
            Op::Add(operands) | Op::Sub(operands) | Op::Mul(operands) => i < operands.arity(),
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) => false,
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Mean { .. } | Op::Concat { .. } => false,
            Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => false,
            Op::ChannelShuffle { .. } | Op::Softmax | Op::BatchNorm => false,
        }
    }

    /// Whether the operator only moves bytes, so that input and output must mean the same by them.
    pub const fn keeps_quantisation(&self) -> bool {
        match self {
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Concat { .. } | Op::ChannelShuffle { .. } => true,
            Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => true,
            Op::Reshape { .. } => true,
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) | Op::Mean { .. } => false,
            Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::BatchNorm => false,
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish => false,
            Op::Logistic | Op::Tanh | Op::Softmax | Op::Requantize => false,
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
            Op::Add(_) => "add",
            Op::Sub(_) => "sub",
            Op::Mul(_) => "mul",
            Op::Concat { .. } => "concat",
            Op::ChannelShuffle { .. } => "channel_shuffle",
            Op::Relu => "relu",
            Op::Relu6 => "relu6",
            Op::ReluN1To1 => "relu_n1_to_1",
            Op::LeakyRelu => "leaky_relu",
            Op::Prelu { .. } => "prelu",
            Op::HardSwish => "hard_swish",
            Op::Logistic => "logistic",
            Op::Requantize => "requantize",
            Op::Mean { .. } => "mean",
            Op::Pad(_) => "pad",
            Op::Slice(_) => "slice",
            Op::Transpose { .. } => "transpose",
            Op::ResizeNearest { .. } => "resize_nearest",
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

const fn extents(shape: Shape) -> [u32; 3] {
    [shape.h as u32, shape.w as u32, shape.c as u32]
}

const fn shape([h, w, c]: [u32; 3]) -> Result<Shape, Fault> {
    const MOST: u32 = u16::MAX as u32;
    if h > MOST || w > MOST || c > MOST {
        Err(Fault::TooLarge)
    } else {
        Ok(Shape::new(h as u16, w as u16, c as u16))
    }
}

/// The shape to which two broadcast.
pub(super) const fn broadcast(a: Shape, b: Shape) -> Result<Shape, Fault> {
    let (mut extents, b) = (extents(a), extents(b));
    let mut j = 0;
    while j < 3 {
        if b[j] == 0 {
            return Err(Fault::Empty);
        }
        if extents[j] != b[j] && extents[j] != 1 && b[j] != 1 {
            return Err(Fault::Unequal);
        }
        if extents[j] == 1 {
            extents[j] = b[j];
        }
        j += 1;
    }
    shape(extents)
}

const fn channels(h: u16, w: u16, c: u32) -> Result<Shape, Fault> {
    if c > u16::MAX as u32 { Err(Fault::TooLarge) } else { Ok(Shape::new(h, w, c as u16)) }
}
