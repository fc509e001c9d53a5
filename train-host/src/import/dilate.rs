//! Dilated convolutions as TensorFlow's graphs spell them.
//!
//! Before TensorFlow Lite knew dilation, a convolution with holes was SPACE_TO_BATCH_ND, a plain convolution, and
//! BATCH_TO_SPACE_ND: pixels are dealt out to as many smaller images as there are phases, convolved without border, and
//! collected. Converters still write that for int8. It is one convolution, dilated by the size of the block, whose
//! border is what was padded before less what is cropped after; padding writes the zero point in both.

use super::model::{Element, Kind, Model, Operator, Padding};

/// Names in the schema.
const SPREAD: &str = "SPACE_TO_BATCH_ND";
const COLLECT: &str = "BATCH_TO_SPACE_ND";

/// The operators of a model with every such trio rewritten whose border is one that a convolution's options can say;
/// others stay as they are. The convolution stands where the last of the three did; the first two stay, read by nobody,
/// so that operators keep their numbers.
pub(super) fn dilated(model: &Model) -> Vec<Operator> {
    let mut operators = model.operators.clone();
    for (last, operator) in (0..operators.len()).filter_map(|first| trio(model, first)) {
        operators[last] = operator;
    }
    operators
}

/// The last of the trio that begins with operator `first`, and the operator that takes its place.
fn trio(model: &Model, first: usize) -> Option<(usize, Operator)> {
    let spread = named(model, first, SPREAD)?;
    let conv = only_reader(model, *spread.outputs.first()?)?;
    let convolution = &model.operators[conv];
    let last = only_reader(model, *convolution.outputs.first()?)?;
    let collect = named(model, last, COLLECT)?;

    let input = (*spread.inputs.first()?)?;
    let (middle, output) = (convolution.outputs[0], *collect.outputs.first()?);
    let (block, pads) = (pair(model, spread, 1)?, pairs(model, spread, 2)?);
    let crops = pairs(model, collect, 2)?;
    if pair(model, collect, 1)? != block
        || model.tensors[middle].quantisation != model.tensors[output].quantisation
    {
        return None;
    }
    let weights = (*convolution.inputs.get(1)?)?;
    let &[_, kh, kw, _] = &model.tensors[weights].shape[..] else { return None };
    let extents = |tensor: usize| match model.tensors[tensor].shape[..] {
        [_, h, w, _] => Some([h, w]),
        _ => None,
    };
    let (from, to) = (extents(input)?, extents(output)?);
    let axis = |i: usize, kernel: usize| {
        let span = (kernel - 1) * block[i] as usize;
        let [before, after] = [pads[i][0], pads[i][1].checked_sub(crops[i][1])?].map(|n| n as usize);
        if crops[i][0] != 0 || to[i] + span != from[i] + before + after {
            return None;
        }
        Some(match (before, after) {
            (0, 0) if span == 0 => None,
            (0, 0) => Some(Padding::Valid),
            _ if before == span / 2 && after == span - span / 2 => Some(Padding::Same),
            _ => return None,
        })
    };
    let padding = match (axis(0, kh)?, axis(1, kw)?) {
        (None, None) => Padding::Valid,
        (Some(one), None) | (None, Some(one)) => one,
        (Some(one), Some(other)) => (one == other).then_some(one)?,
    };
    let dilation = block.map(|n| n as u32); // positive
    let kind = match convolution.kind {
        Kind::Conv2d { padding: Padding::Valid, stride: [1, 1], dilation: [1, 1], activation } => {
            Kind::Conv2d { padding, stride: [1, 1], dilation, activation }
        }
        Kind::DepthwiseConv2d {
            padding: Padding::Valid,
            stride: [1, 1],
            dilation: [1, 1],
            multiplier,
            activation,
        } => Kind::DepthwiseConv2d { padding, stride: [1, 1], dilation, multiplier, activation },
        _ => return None,
    };
    let mut inputs = convolution.inputs.clone();
    *inputs.first_mut()? = Some(input);
    Some((last, Operator { kind, version: convolution.version, inputs, outputs: vec![output] }))
}

fn named<'a>(model: &'a Model, i: usize, name: &str) -> Option<&'a Operator> {
    model.operators.get(i).filter(|operator| operator.kind == Kind::Other(name.to_owned()))
}

/// The operator that reads a tensor, if only one does and the caller does not.
fn only_reader(model: &Model, tensor: usize) -> Option<usize> {
    let reads = |operator: &Operator| operator.inputs.contains(&Some(tensor));
    let mut readers = (0..model.operators.len()).filter(|&i| reads(&model.operators[i]));
    let reader = readers.next()?;
    (readers.next().is_none() && !model.outputs.contains(&tensor)).then_some(reader)
}

/// A constant of int32s, none of them negative.
fn numbers(model: &Model, operator: &Operator, i: usize) -> Option<Vec<i32>> {
    let tensor = &model.tensors[(*operator.inputs.get(i)?)?];
    let data = tensor.data.as_ref().filter(|_| tensor.element == Element::Int32)?;
    let numbers: Vec<i32> = data.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b)).collect();
    numbers.iter().all(|&n| n >= 0).then_some(numbers)
}

/// Two constants above 0, for rows and columns.
fn pair(model: &Model, operator: &Operator, i: usize) -> Option<[i32; 2]> {
    let pair: [i32; 2] = numbers(model, operator, i)?.try_into().ok()?;
    pair.iter().all(|&n| n > 0).then_some(pair)
}

/// Before and after, for rows and columns.
fn pairs(model: &Model, operator: &Operator, i: usize) -> Option<[[i32; 2]; 2]> {
    let [top, bottom, left, right]: [i32; 4] = numbers(model, operator, i)?.try_into().ok()?;
    Some([[top, bottom], [left, right]])
}
