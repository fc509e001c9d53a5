//! What a recipe says of a layer.

use serde::Deserialize;

/// A number for both axes, or `[rows, columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Pair {
    /// The same for both.
    Both(u16),
    /// Rows, columns.
    Each([u16; 2]),
}

impl Pair {
    /// Rows, columns.
    pub fn each(self) -> [u16; 2] {
        match self {
            Pair::Both(n) => [n, n],
            Pair::Each(pair) => pair,
        }
    }
}

/// Border of a window: a number for all sides, `[top, bottom, left, right]`, `"same"` or `"valid"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Border {
    /// The same on all sides.
    All(u16),
    /// Top, bottom, left, right.
    Sides([u16; 4]),
    /// `same` (TensorFlow's) or `valid` (none).
    Named(BorderName),
}

/// TensorFlow's two borders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BorderName {
    /// As many outputs as `ceil(input / stride)`.
    Same,
    /// None.
    Valid,
}

/// One layer: an operator, and where it stands in the net.
#[derive(Clone, Debug, Deserialize)]
pub struct Layer {
    /// What others call it; made from its number and operator where absent.
    pub name: Option<String>,
    /// Names of the layers it reads (`"input"` is the net's); absent, the layer before it.
    #[serde(default)]
    pub from: Vec<String>,
    /// What it does.
    #[serde(flatten)]
    pub kind: Kind,
}

/// What a layer does. Channels follow from the layers before.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // the operators and their attributes are those of `zipnet::ir::Op`
pub enum Kind {
    Conv2d {
        units: u16,
        kernel: Pair,
        #[serde(default = "both_one")]
        stride: Pair,
        #[serde(default = "both_one")]
        dilation: Pair,
        #[serde(default = "no_border")]
        padding: Border,
        #[serde(default = "one_group")]
        groups: u16,
        /// Input channels a group sees; absent, an equal share.
        span: Option<u16>,
        #[serde(default = "channel")]
        bias: zipnet::ir::Bias,
        /// Bits of a weight, 8 or 4; absent, as `quantise` says.
        bits: Option<u8>,
    },
    DepthwiseConv2d {
        #[serde(default = "one_group")]
        multiplier: u16,
        kernel: Pair,
        #[serde(default = "both_one")]
        stride: Pair,
        #[serde(default = "both_one")]
        dilation: Pair,
        #[serde(default = "no_border")]
        padding: Border,
        #[serde(default = "channel")]
        bias: zipnet::ir::Bias,
        /// Bits of a weight, 8 or 4; absent, as `quantise` says.
        bits: Option<u8>,
    },
    Dense {
        units: u16,
        #[serde(default = "channel")]
        bias: zipnet::ir::Bias,
        /// Bits of a weight, 8 or 4; absent, as `quantise` says.
        bits: Option<u8>,
    },
    /// Without a kernel: over the whole input.
    MaxPool2d {
        kernel: Option<Pair>,
        /// Absent: as the kernel.
        stride: Option<Pair>,
        #[serde(default = "no_border")]
        padding: Border,
    },
    /// Without a kernel: over the whole input.
    AvgPool2d {
        kernel: Option<Pair>,
        /// Absent: as the kernel.
        stride: Option<Pair>,
        #[serde(default = "no_border")]
        padding: Border,
    },
    Add {},
    Concat {},
    ChannelShuffle {
        groups: u16,
    },
    Relu {},
    Relu6 {},
    Tanh {},
    Softmax {},
    Reshape {
        shape: [u16; 3],
    },
    BatchNorm {},
    /// While training, zeroes elements with this probability and scales the rest up.
    Dropout {
        rate: f32,
    },
}

fn both_one() -> Pair {
    Pair::Both(1)
}
fn no_border() -> Border {
    Border::All(0)
}
fn one_group() -> u16 {
    1
}
fn channel() -> zipnet::ir::Bias {
    zipnet::ir::Bias::Channel
}
