//! The options of operators. A table or a field that is missing has the schema's defaults, which are at times no legal
//! value: a stride of 0.

use super::schema::options as of;
use super::schema::{self, Field, operator};
use super::table::Table;
use crate::Result;
use crate::import::model::{Activation, Kind, Padding, Strided};

/// What an operator of a name in the schema computes.
pub(super) fn kind(operator: &Table, name: &str) -> Result<Kind> {
    let options = |table| options(operator, table);
    Ok(match name {
        "CONV_2D" => {
            let table = options(of::CONV_2D)?;
            Kind::Conv2d {
                padding: padding(&table)?,
                stride: pair(&table, [of::STRIDE_H, of::STRIDE_W], 0)?,
                dilation: pair(&table, [of::CONV_2D_DILATION_H, of::CONV_2D_DILATION_W], 1)?,
                activation: activation(&table, of::CONV_2D_ACTIVATION)?,
            }
        }
        "DEPTHWISE_CONV_2D" => {
            let table = options(of::DEPTHWISE_CONV_2D)?;
            let dilation = [of::DEPTHWISE_CONV_2D_DILATION_H, of::DEPTHWISE_CONV_2D_DILATION_W];
            Kind::DepthwiseConv2d {
                padding: padding(&table)?,
                stride: pair(&table, [of::STRIDE_H, of::STRIDE_W], 0)?,
                dilation: pair(&table, dilation, 1)?,
                multiplier: positive(&table, of::DEPTH_MULTIPLIER, 0)?,
                activation: activation(&table, of::DEPTHWISE_CONV_2D_ACTIVATION)?,
            }
        }
        "TRANSPOSE_CONV" => {
            let table = options(of::TRANSPOSE_CONV)?;
            Kind::TransposeConv {
                padding: padding(&table)?,
                stride: pair(&table, [of::STRIDE_H, of::STRIDE_W], 0)?,
                activation: activation(&table, of::TRANSPOSE_CONV_ACTIVATION)?,
            }
        }
        "FULLY_CONNECTED" => {
            let table = options(of::FULLY_CONNECTED)?;
            Kind::FullyConnected {
                activation: activation(&table, of::ACTIVATION)?,
                keep_num_dims: table.flag(of::KEEP_NUM_DIMS)?,
                shuffled_weights: table.flag(of::WEIGHTS_FORMAT)?,
            }
        }
        "ADD" => Kind::Add { activation: activation(&options(of::ADD)?, of::ACTIVATION)? },
        "SUB" => Kind::Sub { activation: activation(&options(of::SUB)?, of::ACTIVATION)? },
        "MUL" => Kind::Mul { activation: activation(&options(of::MUL)?, of::ACTIVATION)? },
        "MAXIMUM" => Kind::Maximum,
        "MINIMUM" => Kind::Minimum,
        "AVERAGE_POOL_2D" => {
            let (padding, stride, filter, activation) = pool(&options(of::POOL_2D)?)?;
            Kind::AveragePool2d { padding, stride, filter, activation }
        }
        "MAX_POOL_2D" => {
            let (padding, stride, filter, activation) = pool(&options(of::POOL_2D)?)?;
            Kind::MaxPool2d { padding, stride, filter, activation }
        }
        "MEAN" => Kind::Mean { keep_dims: options(of::REDUCER)?.flag(of::KEEP_DIMS)? },
        "REDUCE_MAX" => Kind::ReduceMax { keep_dims: options(of::REDUCER)?.flag(of::KEEP_DIMS)? },
        "REDUCE_MIN" => Kind::ReduceMin { keep_dims: options(of::REDUCER)?.flag(of::KEEP_DIMS)? },
        "PAD" => Kind::Pad,
        "PADV2" => Kind::PadV2,
        "RESHAPE" => Kind::Reshape,
        "SQUEEZE" => Kind::Squeeze,
        "EXPAND_DIMS" => Kind::ExpandDims,
        "CONCATENATION" => {
            let table = options(of::CONCATENATION)?;
            Kind::Concatenation {
                axis: table.i32(of::AXIS, 0)?,
                activation: activation(&table, of::CONCATENATION_ACTIVATION)?,
            }
        }
        "SPLIT" => Kind::Split { count: positive(&options(of::SPLIT)?, of::NUM_SPLITS, 0)? },
        "SPLIT_V" => Kind::SplitV { count: positive(&options(of::SPLIT_V)?, of::NUM_SPLITS, 0)? },
        "PACK" => Kind::Pack { axis: options(of::PACK)?.i32(of::PACK_AXIS, 0)? },
        "UNPACK" => {
            let table = options(of::UNPACK)?;
            Kind::Unpack { count: positive(&table, of::NUM, 0)?, axis: table.i32(of::UNPACK_AXIS, 0)? }
        }
        "SLICE" => Kind::Slice,
        "FILL" => Kind::Fill,
        "STRIDED_SLICE" => {
            let table = options(of::STRIDED_SLICE)?;
            Kind::StridedSlice(Strided {
                begin_mask: mask(&table, of::BEGIN_MASK)?,
                end_mask: mask(&table, of::END_MASK)?,
                ellipsis_mask: mask(&table, of::ELLIPSIS_MASK)?,
                new_axis_mask: mask(&table, of::NEW_AXIS_MASK)?,
                shrink_axis_mask: mask(&table, of::SHRINK_AXIS_MASK)?,
                offset: table.flag(of::OFFSET)?,
            })
        }
        "TRANSPOSE" => Kind::Transpose,
        "TILE" => Kind::Tile,
        "SOFTMAX" => Kind::Softmax { beta: beta(&options(of::SOFTMAX)?)? },
        "LOGISTIC" => Kind::Logistic,
        "TANH" => Kind::Tanh,
        "HARD_SWISH" => Kind::HardSwish,
        "RELU" => Kind::Relu,
        "RELU6" => Kind::Relu6,
        "RELU_N1_TO_1" => Kind::ReluN1To1,
        "LEAKY_RELU" => Kind::LeakyRelu { alpha: alpha(&options(of::LEAKY_RELU)?)? },
        "PRELU" => Kind::Prelu,
        "RESIZE_NEAREST_NEIGHBOR" => {
            let table = options(of::RESIZE_NEAREST_NEIGHBOR)?;
            Kind::ResizeNearestNeighbor {
                align_corners: table.flag(of::ALIGN_CORNERS)?,
                half_pixel_centers: table.flag(of::HALF_PIXEL_CENTERS)?,
            }
        }
        "QUANTIZE" => Kind::Quantize,
        "DEQUANTIZE" => Kind::Dequantize,
        other => Kind::Other(other.to_string()),
    })
}

/// The options of an operator, which are of the table `due` or missing.
fn options<'f, 'a>(operator: &Table<'f, 'a>, due: of::Table) -> Result<Table<'f, 'a>> {
    let found = operator.u8(operator::BUILTIN_OPTIONS_TYPE, 0)?;
    if found == 0 {
        return Ok(operator.empty());
    }
    if found != due.0 {
        let text = format!("options of type {found}, not {} ({})", due.0, due.1);
        return Err(operator::BUILTIN_OPTIONS_TYPE.error(text));
    }
    Ok(operator.table(operator::BUILTIN_OPTIONS)?.unwrap_or(operator.empty()))
}

fn pool(table: &Table) -> Result<(Padding, [u32; 2], [u32; 2], Activation)> {
    Ok((
        padding(table)?,
        pair(table, [of::STRIDE_H, of::STRIDE_W], 0)?,
        pair(table, [of::FILTER_HEIGHT, of::FILTER_WIDTH], 0)?,
        activation(table, of::POOL_2D_ACTIVATION)?,
    ))
}

fn padding(table: &Table) -> Result<Padding> {
    match table.i8(of::PADDING, 0)? {
        0 => Ok(Padding::Same),
        1 => Ok(Padding::Valid),
        other => Err(of::PADDING.error(format!("{other} is neither SAME (0) nor VALID (1)"))),
    }
}

fn activation(table: &Table, field: Field) -> Result<Activation> {
    let code = table.i8(field, 0)?;
    match usize::try_from(code).ok().and_then(|code| schema::ACTIVATIONS.get(code)) {
        Some(&"NONE") => Ok(Activation::None),
        Some(&"RELU") => Ok(Activation::Relu),
        Some(&"RELU_N1_TO_1") => Ok(Activation::ReluN1To1),
        Some(&"RELU6") => Ok(Activation::Relu6),
        Some(&other) => Ok(Activation::Other(other)),
        None => Err(field.error(format!("{code} is unknown"))),
    }
}

/// A number above 0.
fn positive(table: &Table, field: Field, default: i32) -> Result<u32> {
    let number = table.i32(field, default)?;
    u32::try_from(number)
        .ok()
        .filter(|&n| n > 0)
        .ok_or_else(|| field.error(format!("{number} is not above 0")))
}

fn pair(table: &Table, [rows, columns]: [Field; 2], default: i32) -> Result<[u32; 2]> {
    Ok([positive(table, rows, default)?, positive(table, columns, default)?])
}

/// Bits, one an element of the operator's `begin`.
fn mask(table: &Table, field: Field) -> Result<u32> {
    let mask = table.i32(field, 0)?;
    u32::try_from(mask).map_err(|_| field.error(format!("{mask} is negative")))
}

fn beta(table: &Table) -> Result<f32> {
    let beta = table.f32(of::BETA, 0.0)?;
    if beta.is_normal() && beta > 0.0 {
        return Ok(beta);
    }
    Err(of::BETA.error(format!("{beta:e} is not a number above 0")))
}

fn alpha(table: &Table) -> Result<f32> {
    let alpha = table.f32(of::ALPHA, 0.0)?;
    if alpha.is_finite() { Ok(alpha) } else { Err(of::ALPHA.error(format!("{alpha} is not finite"))) }
}
