//! The part of the format that is read: fields by their numbers, and the names that numbers stand for.
//!
//! From TensorFlow Lite's `schema.fbs`, version 3 (tensorflow/compiler/mlir/lite/schema/schema.fbs), in which a field's
//! number is its place in the table, counted from 0. A number once given keeps its meaning. Where a field has a default
//! other than 0, its comment says so.

use std::fmt::Display;

use crate::Error;

/// A field of a table: its number, and its name for messages.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) id: usize,
    name: &'static str,
}

impl Field {
    /// An error in this field.
    pub(super) fn error(self, what: impl Display) -> Error {
        Error::new(format!("{}: {what}", self.name))
    }
}

const fn field(id: usize, name: &'static str) -> Field {
    Field { id, name }
}

/// Bytes 4 to 8 of every file.
pub(super) const IDENTIFIER: [u8; 4] = *b"TFL3";

/// The version of the schema.
pub(super) const VERSION: u32 = 3;

/// Table `Model`, the root.
pub(super) mod model {
    use super::{Field, field};

    /// u32
    pub(crate) const VERSION: Field = field(0, "version");
    /// Tables `OperatorCode`.
    pub(crate) const OPERATOR_CODES: Field = field(1, "operator_codes");
    /// Tables `SubGraph`; the first is the one that is run.
    pub(crate) const SUBGRAPHS: Field = field(2, "subgraphs");
    /// Text.
    pub(crate) const DESCRIPTION: Field = field(3, "description");
    /// Tables `Buffer`; the first is empty.
    pub(crate) const BUFFERS: Field = field(4, "buffers");
}

/// Table `OperatorCode`: an operator that the model uses.
pub(super) mod operator_code {
    use super::{Field, field};

    /// i8, from when there were fewer operators; 127 for all that came later.
    pub(crate) const DEPRECATED_BUILTIN_CODE: Field = field(0, "deprecated_builtin_code");
    /// Text: the name, where the code is `CUSTOM`.
    pub(crate) const CUSTOM_CODE: Field = field(1, "custom_code");
    /// i32, default 1
    pub(crate) const VERSION: Field = field(2, "version");
    /// i32: index into [`BUILTIN_OPERATORS`](super::BUILTIN_OPERATORS). Of the two codes the greater counts.
    pub(crate) const BUILTIN_CODE: Field = field(3, "builtin_code");
}

/// Table `SubGraph`.
pub(super) mod subgraph {
    use super::{Field, field};

    /// Tables `Tensor`.
    pub(crate) const TENSORS: Field = field(0, "tensors");
    /// i32s: indices of tensors.
    pub(crate) const INPUTS: Field = field(1, "inputs");
    /// i32s: indices of tensors.
    pub(crate) const OUTPUTS: Field = field(2, "outputs");
    /// Tables `Operator`, in the order in which they run.
    pub(crate) const OPERATORS: Field = field(3, "operators");
}

/// Table `Buffer`.
pub(super) mod buffer {
    use super::{Field, field};

    /// Bytes.
    pub(crate) const DATA: Field = field(0, "data");
    /// u64: where in the file the bytes lie, if not in `data`; 0 and 1 mean nowhere.
    pub(crate) const OFFSET: Field = field(1, "offset");
    /// u64: how many lie there.
    pub(crate) const SIZE: Field = field(2, "size");
}

/// Table `Tensor`.
pub(super) mod tensor {
    use super::{Field, field};

    /// i32s
    pub(crate) const SHAPE: Field = field(0, "shape");
    /// i8: index into [`TYPES`](super::TYPES).
    pub(crate) const TYPE: Field = field(1, "type");
    /// u32: index of a buffer.
    pub(crate) const BUFFER: Field = field(2, "buffer");
    /// Text.
    pub(crate) const NAME: Field = field(3, "name");
    /// Table `QuantizationParameters`.
    pub(crate) const QUANTIZATION: Field = field(4, "quantization");
    /// Flag: keeps its value from one run to the next.
    pub(crate) const IS_VARIABLE: Field = field(5, "is_variable");
    /// Table `SparsityParameters`: zeros are left out of the buffer.
    pub(crate) const SPARSITY: Field = field(6, "sparsity");
    /// i32s: the shape again, with -1 for what the model leaves open.
    pub(crate) const SHAPE_SIGNATURE: Field = field(7, "shape_signature");
    /// u32: the data lie in another file, if above 0.
    pub(crate) const EXTERNAL_BUFFER: Field = field(10, "external_buffer");
}

/// Table `QuantizationParameters`.
pub(super) mod quantization {
    use super::{Field, field};

    /// f32s
    pub(crate) const SCALE: Field = field(2, "scale");
    /// i64s, as many.
    pub(crate) const ZERO_POINT: Field = field(3, "zero_point");
    /// u8: index into [`QUANTIZATION_DETAILS`](super::QUANTIZATION_DETAILS).
    pub(crate) const DETAILS_TYPE: Field = field(4, "details_type");
    /// i32
    pub(crate) const QUANTIZED_DIMENSION: Field = field(6, "quantized_dimension");
}

/// Table `Operator`.
pub(super) mod operator {
    use super::{Field, field};

    /// u32: index of an operator code.
    pub(crate) const OPCODE_INDEX: Field = field(0, "opcode_index");
    /// i32s: indices of tensors, -1 for an optional one that is left out.
    pub(crate) const INPUTS: Field = field(1, "inputs");
    /// i32s: indices of tensors.
    pub(crate) const OUTPUTS: Field = field(2, "outputs");
    /// u8: which table `builtin_options` is; 0 for none.
    pub(crate) const BUILTIN_OPTIONS_TYPE: Field = field(3, "builtin_options_type");
    /// One of the tables of options.
    pub(crate) const BUILTIN_OPTIONS: Field = field(4, "builtin_options");
}

/// Fields of the tables of options. Where no type is given, a field is an i32.
pub(super) mod options {
    use super::{Field, field};

    /// Which table of options an operator has: its number in the union, and its name.
    pub(crate) type Table = (u8, &'static str);

    pub(crate) const CONV_2D: Table = (1, "Conv2DOptions");
    /// i8: 0 is `SAME`, 1 `VALID`. Also of depthwise convolution and pooling, like the strides.
    pub(crate) const PADDING: Field = field(0, "padding");
    pub(crate) const STRIDE_W: Field = field(1, "stride_w");
    pub(crate) const STRIDE_H: Field = field(2, "stride_h");
    /// i8: index into [`ACTIVATIONS`](super::ACTIVATIONS), like each field of this name.
    pub(crate) const CONV_2D_ACTIVATION: Field = field(3, "fused_activation_function");
    /// Default 1.
    pub(crate) const CONV_2D_DILATION_W: Field = field(4, "dilation_w_factor");
    /// Default 1.
    pub(crate) const CONV_2D_DILATION_H: Field = field(5, "dilation_h_factor");

    pub(crate) const DEPTHWISE_CONV_2D: Table = (2, "DepthwiseConv2DOptions");
    pub(crate) const DEPTH_MULTIPLIER: Field = field(3, "depth_multiplier");
    pub(crate) const DEPTHWISE_CONV_2D_ACTIVATION: Field = field(4, "fused_activation_function");
    /// Default 1.
    pub(crate) const DEPTHWISE_CONV_2D_DILATION_W: Field = field(5, "dilation_w_factor");
    /// Default 1.
    pub(crate) const DEPTHWISE_CONV_2D_DILATION_H: Field = field(6, "dilation_h_factor");

    pub(crate) const POOL_2D: Table = (5, "Pool2DOptions");
    pub(crate) const FILTER_WIDTH: Field = field(3, "filter_width");
    pub(crate) const FILTER_HEIGHT: Field = field(4, "filter_height");
    pub(crate) const POOL_2D_ACTIVATION: Field = field(5, "fused_activation_function");

    pub(crate) const TRANSPOSE_CONV: Table = (49, "TransposeConvOptions");
    pub(crate) const TRANSPOSE_CONV_ACTIVATION: Field = field(3, "fused_activation_function");

    pub(crate) const FULLY_CONNECTED: Table = (8, "FullyConnectedOptions");
    /// i8: 0 is the default, 1 `SHUFFLED4x16INT8`.
    pub(crate) const WEIGHTS_FORMAT: Field = field(1, "weights_format");
    /// Flag.
    pub(crate) const KEEP_NUM_DIMS: Field = field(2, "keep_num_dims");

    pub(crate) const ADD: Table = (11, "AddOptions");
    pub(crate) const MUL: Table = (21, "MulOptions");
    pub(crate) const SUB: Table = (28, "SubOptions");
    /// i8, of `FullyConnectedOptions` and of the three above.
    pub(crate) const ACTIVATION: Field = field(0, "fused_activation_function");

    pub(crate) const SOFTMAX: Table = (9, "SoftmaxOptions");
    /// f32
    pub(crate) const BETA: Field = field(0, "beta");

    pub(crate) const CONCATENATION: Table = (10, "ConcatenationOptions");
    pub(crate) const AXIS: Field = field(0, "axis");
    pub(crate) const CONCATENATION_ACTIVATION: Field = field(1, "fused_activation_function");

    pub(crate) const REDUCER: Table = (27, "ReducerOptions");
    /// Flag.
    pub(crate) const KEEP_DIMS: Field = field(0, "keep_dims");

    pub(crate) const STRIDED_SLICE: Table = (32, "StridedSliceOptions");
    pub(crate) const BEGIN_MASK: Field = field(0, "begin_mask");
    pub(crate) const END_MASK: Field = field(1, "end_mask");
    pub(crate) const ELLIPSIS_MASK: Field = field(2, "ellipsis_mask");
    pub(crate) const NEW_AXIS_MASK: Field = field(3, "new_axis_mask");
    pub(crate) const SHRINK_AXIS_MASK: Field = field(4, "shrink_axis_mask");
    /// Flag: ends count from their begins.
    pub(crate) const OFFSET: Field = field(5, "offset");

    pub(crate) const SPLIT: Table = (35, "SplitOptions");
    pub(crate) const SPLIT_V: Table = (79, "SplitVOptions");
    pub(crate) const NUM_SPLITS: Field = field(0, "num_splits");

    pub(crate) const PACK: Table = (59, "PackOptions");
    pub(crate) const PACK_AXIS: Field = field(1, "axis");

    pub(crate) const UNPACK: Table = (64, "UnpackOptions");
    pub(crate) const NUM: Field = field(0, "num");
    pub(crate) const UNPACK_AXIS: Field = field(1, "axis");

    pub(crate) const RESIZE_NEAREST_NEIGHBOR: Table = (74, "ResizeNearestNeighborOptions");
    /// Flag.
    pub(crate) const ALIGN_CORNERS: Field = field(0, "align_corners");
    /// Flag.
    pub(crate) const HALF_PIXEL_CENTERS: Field = field(1, "half_pixel_centers");

    pub(crate) const LEAKY_RELU: Table = (75, "LeakyReluOptions");
    /// f32
    pub(crate) const ALPHA: Field = field(0, "alpha");
}

/// Enum `TensorType`: a name, and the bits of an element, where it has a size of its own.
pub(super) const TYPES: [(&str, Option<u32>); 23] = [
    ("FLOAT32", Some(32)),
    ("FLOAT16", Some(16)),
    ("INT32", Some(32)),
    ("UINT8", Some(8)),
    ("INT64", Some(64)),
    ("STRING", None),
    ("BOOL", Some(8)),
    ("INT16", Some(16)),
    ("COMPLEX64", Some(64)),
    ("INT8", Some(8)),
    ("FLOAT64", Some(64)),
    ("COMPLEX128", Some(128)),
    ("UINT64", Some(64)),
    ("RESOURCE", None),
    ("VARIANT", None),
    ("UINT32", Some(32)),
    ("UINT16", Some(16)),
    ("INT4", Some(4)),
    ("BFLOAT16", Some(16)),
    ("INT2", Some(2)),
    ("UINT4", Some(4)),
    ("FLOAT8_E4M3FN", Some(8)),
    ("FLOAT8_E5M2", Some(8)),
];

/// Enum `ActivationFunctionType`.
pub(super) const ACTIVATIONS: [&str; 6] = ["NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"];

/// Union `QuantizationDetails`.
pub(super) const QUANTIZATION_DETAILS: [&str; 4] =
    ["NONE", "CustomQuantization", "BlockwiseQuantization", "MultiAxisQuantization"];

/// Enum `BuiltinOperator`.
#[rustfmt::skip]
pub(super) const BUILTIN_OPERATORS: [&str; 210] = [
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE",
    "EMBEDDING_LOOKUP", "FLOOR", "FULLY_CONNECTED", "HASHTABLE_LOOKUP", "L2_NORMALIZATION", "L2_POOL_2D",
    "LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC", "LSH_PROJECTION", "LSTM", "MAX_POOL_2D", "MUL", "RELU",
    "RELU_N1_TO_1", "RELU6", "RESHAPE", "RESIZE_BILINEAR", "RNN", "SOFTMAX", "SPACE_TO_DEPTH", "SVDF", "TANH",
    "CONCAT_EMBEDDINGS", "SKIP_GRAM", "CALL", "CUSTOM", "EMBEDDING_LOOKUP_SPARSE", "PAD",
    "UNIDIRECTIONAL_SEQUENCE_RNN", "GATHER", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TRANSPOSE", "MEAN",
    "SUB", "DIV", "SQUEEZE", "UNIDIRECTIONAL_SEQUENCE_LSTM", "STRIDED_SLICE", "BIDIRECTIONAL_SEQUENCE_RNN",
    "EXP", "TOPK_V2", "SPLIT", "LOG_SOFTMAX", "DELEGATE", "BIDIRECTIONAL_SEQUENCE_LSTM", "CAST", "PRELU",
    "MAXIMUM", "ARG_MAX", "MINIMUM", "LESS", "NEG", "PADV2", "GREATER", "GREATER_EQUAL", "LESS_EQUAL",
    "SELECT", "SLICE", "SIN", "TRANSPOSE_CONV", "SPARSE_TO_DENSE", "TILE", "EXPAND_DIMS", "EQUAL",
    "NOT_EQUAL", "LOG", "SUM", "SQRT", "RSQRT", "SHAPE", "POW", "ARG_MIN", "FAKE_QUANT", "REDUCE_PROD",
    "REDUCE_MAX", "PACK", "LOGICAL_OR", "ONE_HOT", "LOGICAL_AND", "LOGICAL_NOT", "UNPACK", "REDUCE_MIN",
    "FLOOR_DIV", "REDUCE_ANY", "SQUARE", "ZEROS_LIKE", "FILL", "FLOOR_MOD", "RANGE",
    "RESIZE_NEAREST_NEIGHBOR", "LEAKY_RELU", "SQUARED_DIFFERENCE", "MIRROR_PAD", "ABS", "SPLIT_V", "UNIQUE",
    "CEIL", "REVERSE_V2", "ADD_N", "GATHER_ND", "COS", "WHERE", "RANK", "ELU", "REVERSE_SEQUENCE",
    "MATRIX_DIAG", "QUANTIZE", "MATRIX_SET_DIAG", "ROUND", "HARD_SWISH", "IF", "WHILE",
    "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "SCATTER_ND", "SELECT_V2", "DENSIFY", "SEGMENT_SUM",
    "BATCH_MATMUL", "PLACEHOLDER_FOR_GREATER_OP_CODES", "CUMSUM", "CALL_ONCE", "BROADCAST_TO", "RFFT2D",
    "CONV_3D", "IMAG", "REAL", "COMPLEX_ABS", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT",
    "HASHTABLE_SIZE", "REDUCE_ALL", "CONV_3D_TRANSPOSE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE",
    "BROADCAST_ARGS", "RANDOM_STANDARD_NORMAL", "BUCKETIZE", "RANDOM_UNIFORM", "MULTINOMIAL", "GELU",
    "DYNAMIC_UPDATE_SLICE", "RELU_0_TO_1", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX",
    "UNSORTED_SEGMENT_SUM", "ATAN2", "UNSORTED_SEGMENT_MIN", "SIGN", "BITCAST", "BITWISE_XOR", "RIGHT_SHIFT",
    "STABLEHLO_LOGISTIC", "STABLEHLO_ADD", "STABLEHLO_DIVIDE", "STABLEHLO_MULTIPLY", "STABLEHLO_MAXIMUM",
    "STABLEHLO_RESHAPE", "STABLEHLO_CLAMP", "STABLEHLO_CONCATENATE", "STABLEHLO_BROADCAST_IN_DIM",
    "STABLEHLO_CONVOLUTION", "STABLEHLO_SLICE", "STABLEHLO_CUSTOM_CALL", "STABLEHLO_REDUCE", "STABLEHLO_ABS",
    "STABLEHLO_AND", "STABLEHLO_COSINE", "STABLEHLO_EXPONENTIAL", "STABLEHLO_FLOOR", "STABLEHLO_LOG",
    "STABLEHLO_MINIMUM", "STABLEHLO_NEGATE", "STABLEHLO_OR", "STABLEHLO_POWER", "STABLEHLO_REMAINDER",
    "STABLEHLO_RSQRT", "STABLEHLO_SELECT", "STABLEHLO_SUBTRACT", "STABLEHLO_TANH", "STABLEHLO_SCATTER",
    "STABLEHLO_COMPARE", "STABLEHLO_CONVERT", "STABLEHLO_DYNAMIC_SLICE", "STABLEHLO_DYNAMIC_UPDATE_SLICE",
    "STABLEHLO_PAD", "STABLEHLO_IOTA", "STABLEHLO_DOT_GENERAL", "STABLEHLO_REDUCE_WINDOW", "STABLEHLO_SORT",
    "STABLEHLO_WHILE", "STABLEHLO_GATHER", "STABLEHLO_TRANSPOSE", "DILATE", "STABLEHLO_RNG_BIT_GENERATOR",
    "REDUCE_WINDOW", "STABLEHLO_COMPOSITE", "STABLEHLO_SHIFT_LEFT", "STABLEHLO_CBRT", "STABLEHLO_CASE",
];
