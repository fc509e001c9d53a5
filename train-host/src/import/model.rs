//! A TensorFlow Lite model as plain data: what the file says, verified, before anything is made of it.
//!
//! Names are those of the format's schema. Everything here holds for a value made by the reader: indices are in range,
//! buffers are as long as their tensors, every tensor has one source (the caller, the file or an operator) and is read
//! only after it is written. What the reader does not hold a model to is what shapes, element types and constants of
//! one operator must be to each other.

/// A model: its first subgraph.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// What the converter wrote into the file about itself; may be empty.
    pub description: String,
    /// Every tensor.
    pub tensors: Vec<Tensor>,
    /// Every operator, each after those whose outputs it reads.
    pub operators: Vec<Operator>,
    /// The tensors the caller fills: at least one, no constants, each once.
    pub inputs: Vec<usize>,
    /// The tensors the caller reads: at least one, each once, each written by an operator.
    pub outputs: Vec<usize>,
}

impl Model {
    /// The model as one of a single input and a single output: of its inputs all but `input` become constants, of which
    /// `values` has the int8 elements, as many lists as there are inputs; of its outputs only `output` is left.
    ///
    /// # Panics
    /// Where there is no such input or output.
    pub fn narrowed(&self, input: usize, output: usize, values: &[Vec<i8>]) -> Self {
        let mut model = self.clone();
        for (at, (&tensor, values)) in self.inputs.iter().zip(values).enumerate() {
            if at != input {
                model.tensors[tensor].data = Some(values.iter().map(|q| q.cast_unsigned()).collect());
            }
        }
        (model.inputs, model.outputs) = (vec![self.inputs[input]], vec![self.outputs[output]]);
        model
    }
}

/// A tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its name; may be empty, and need not be unique.
    pub name: String,
    /// Extents, outermost first, all above 0; empty for a scalar. Their product and the bytes it takes fit `u32`.
    ///
    /// Where the file leaves extents open (a `shape_signature` of -1), those that a batch of 1 leads to, where they can be
    /// told before the model runs; else what the file gives all the same, in which converters write 1 for them.
    pub shape: Vec<usize>,
    /// What an element is.
    pub element: Element,
    /// What its integers mean; `None` where the file does not say, and for elements that are none of the integers that
    /// [`Element`] names.
    pub quantisation: Option<Quantisation>,
    /// Its bytes, little endian, where the file holds them: a constant. As many as the shape takes; of an
    /// [`Element::Other`] that has no size of its own (`STRING`, `RESOURCE`, `VARIANT`), as many as the file has.
    pub data: Option<Vec<u8>>,
}

/// The type of an element.
#[allow(missing_docs)] // named like the schema's
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    Float32,
    Float16,
    Int32,
    UInt8,
    Int64,
    Bool,
    Int16,
    Int8,
    UInt32,
    UInt16,
    /// Two elements a byte.
    Int4,
    /// Any other, by its name in the schema.
    Other(&'static str),
}

/// `real = scale * (q - zero)`, for the whole tensor or for each index along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantisation {
    /// Normal numbers above 0; at least one. One for the whole tensor, or as many as the extent of `axis`.
    pub scales: Vec<f32>,
    /// As many as `scales`; in the range of the element.
    pub zeros: Vec<i32>,
    /// The axis the scales go along; below the rank of the tensor. 0 for a scalar.
    pub axis: usize,
}

/// One operator at work.
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    /// What it computes.
    pub kind: Kind,
    /// Version of the operator's meaning, from 1.
    pub version: i32,
    /// The tensors it reads; `None` where an optional one is left out. As many as the kind takes, and none left out that
    /// it needs: only the bias of a convolution, transposed or not, or a fully connected operator, and any of
    /// [`Kind::Other`].
    pub inputs: Vec<Option<usize>>,
    /// The tensors it writes: as many as the kind gives; of [`Kind::Other`] any number, 0 included.
    pub outputs: Vec<usize>,
}

/// How far a window reaches over the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Output extent = ceil(input / stride); what is missing is split, the odd one after.
    Same,
    /// No border.
    Valid,
}

/// The activation that an operator applies to what it writes.
#[allow(missing_docs)] // named like the schema's
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    None,
    Relu,
    ReluN1To1,
    Relu6,
    /// One of those that no integer kernel knows, by its name in the schema.
    Other(&'static str),
}

/// Options of STRIDED_SLICE, a bit an axis in each mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strided {
    /// From the first element on, or from the last one back.
    pub begin_mask: u32,
    /// To the other end.
    pub end_mask: u32,
    /// As many whole axes as are not told of.
    pub ellipsis_mask: u32,
    /// A new axis of one element.
    pub new_axis_mask: u32,
    /// One element, whose axis goes.
    pub shrink_axis_mask: u32,
    /// Whether ends count from where the slice begins.
    pub offset: bool,
}

/// What an operator computes, with its options. Strides, dilations and filter extents are `[rows, columns]`, above 0.
///
/// Counts and multipliers are above 0, and an operator has as many outputs as its `count`; `beta` is a normal number
/// above 0, `alpha` is finite; masks have no bit beyond the elements of `begin`, `ellipsis_mask` at most one; `axis` is
/// from minus the rank to below it.
#[allow(missing_docs)] // named like the schema's
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Conv2d {
        padding: Padding,
        stride: [u32; 2],
        dilation: [u32; 2],
        activation: Activation,
    },
    DepthwiseConv2d {
        padding: Padding,
        stride: [u32; 2],
        dilation: [u32; 2],
        multiplier: u32,
        activation: Activation,
    },
    /// Reads the shape of its output, the weights, the input, and at times a bias.
    TransposeConv {
        padding: Padding,
        stride: [u32; 2],
        activation: Activation,
    },
    FullyConnected {
        activation: Activation,
        keep_num_dims: bool,
        shuffled_weights: bool,
    },
    Add {
        activation: Activation,
    },
    Sub {
        activation: Activation,
    },
    Mul {
        activation: Activation,
    },
    Maximum,
    Minimum,
    AveragePool2d {
        padding: Padding,
        stride: [u32; 2],
        filter: [u32; 2],
        activation: Activation,
    },
    MaxPool2d {
        padding: Padding,
        stride: [u32; 2],
        filter: [u32; 2],
        activation: Activation,
    },
    Mean {
        keep_dims: bool,
    },
    ReduceMax {
        keep_dims: bool,
    },
    ReduceMin {
        keep_dims: bool,
    },
    Pad,
    PadV2,
    Reshape,
    Squeeze,
    ExpandDims,
    Concatenation {
        axis: i32,
        activation: Activation,
    },
    Split {
        count: u32,
    },
    SplitV {
        count: u32,
    },
    Pack {
        axis: i32,
    },
    Unpack {
        count: u32,
        axis: i32,
    },
    Slice,
    Fill,
    StridedSlice(Strided),
    Transpose,
    Tile,
    Softmax {
        beta: f32,
    },
    Logistic,
    Tanh,
    HardSwish,
    Relu,
    Relu6,
    ReluN1To1,
    LeakyRelu {
        alpha: f32,
    },
    Prelu,
    ResizeNearestNeighbor {
        align_corners: bool,
        half_pixel_centers: bool,
    },
    Quantize,
    Dequantize,
    /// Any other: its name in the schema, `custom "name"`, or `operator code 999` where the schema has no such.
    Other(String),
}

impl Kind {
    /// The operator's name in the schema.
    pub fn name(&self) -> &str {
        match self {
            Kind::Conv2d { .. } => "CONV_2D",
            Kind::DepthwiseConv2d { .. } => "DEPTHWISE_CONV_2D",
            Kind::TransposeConv { .. } => "TRANSPOSE_CONV",
            Kind::FullyConnected { .. } => "FULLY_CONNECTED",
            Kind::Add { .. } => "ADD",
            Kind::Sub { .. } => "SUB",
            Kind::Mul { .. } => "MUL",
            Kind::Maximum => "MAXIMUM",
            Kind::Minimum => "MINIMUM",
            Kind::AveragePool2d { .. } => "AVERAGE_POOL_2D",
            Kind::MaxPool2d { .. } => "MAX_POOL_2D",
            Kind::Mean { .. } => "MEAN",
            Kind::ReduceMax { .. } => "REDUCE_MAX",
            Kind::ReduceMin { .. } => "REDUCE_MIN",
            Kind::Pad => "PAD",
            Kind::PadV2 => "PADV2",
            Kind::Reshape => "RESHAPE",
            Kind::Squeeze => "SQUEEZE",
            Kind::ExpandDims => "EXPAND_DIMS",
            Kind::Concatenation { .. } => "CONCATENATION",
            Kind::Split { .. } => "SPLIT",
            Kind::SplitV { .. } => "SPLIT_V",
            Kind::Pack { .. } => "PACK",
            Kind::Unpack { .. } => "UNPACK",
            Kind::Slice => "SLICE",
            Kind::Fill => "FILL",
            Kind::StridedSlice(_) => "STRIDED_SLICE",
            Kind::Transpose => "TRANSPOSE",
            Kind::Tile => "TILE",
            Kind::Softmax { .. } => "SOFTMAX",
            Kind::Logistic => "LOGISTIC",
            Kind::Tanh => "TANH",
            Kind::HardSwish => "HARD_SWISH",
            Kind::Relu => "RELU",
            Kind::Relu6 => "RELU6",
            Kind::ReluN1To1 => "RELU_N1_TO_1",
            Kind::LeakyRelu { .. } => "LEAKY_RELU",
            Kind::Prelu => "PRELU",
            Kind::ResizeNearestNeighbor { .. } => "RESIZE_NEAREST_NEIGHBOR",
            Kind::Quantize => "QUANTIZE",
            Kind::Dequantize => "DEQUANTIZE",
            Kind::Other(name) => name,
        }
    }
}

/// What a message shows at most of a name, in characters, of a shape, in extents, and of a list, in tensors.
const SHOWN: (usize, usize, usize) = (80, 8, 8);

/// A name from a file, fit for a line of text: quoted, escaped, and cut where it is absurdly long.
pub(crate) fn quoted(name: &str) -> String {
    let shown: String = name.chars().take(SHOWN.0).collect();
    format!("{:?}", if shown.len() < name.len() { shown + "..." } else { shown })
}

/// `1x49x10x1`; `scalar` for none; cut where it is absurdly long.
pub(crate) fn extents(shape: &[impl ToString]) -> String {
    let shown: Vec<String> = shape.iter().take(SHOWN.1).map(ToString::to_string).collect();
    match shape.len() {
        0 => "scalar".to_owned(),
        rank if rank > shown.len() => shown.join("x") + "x...",
        _ => shown.join("x"),
    }
}

/// Descriptions one after another; the last ones are counted where there are very many.
pub(crate) fn listed(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(SHOWN.2);
    let shown: Vec<String> = all.take(SHOWN.2).collect();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
