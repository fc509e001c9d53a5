//! Dilated convolutions as TensorFlow's graphs spell them.
//!
//! Before TensorFlow Lite knew dilation, a convolution with holes was SPACE_TO_BATCH_ND, a plain convolution, and
//! BATCH_TO_SPACE_ND: pixels are dealt out to as many smaller images as there are phases, convolved without border, and
//! collected. Converters still write that for int8 where the batch is open. It is one convolution, dilated by the size of
//! the block, whose border is what was padded before less what is cropped after; padding writes the zero point in both.
//! (TensorFlow Lite Micro's SPACE_TO_BATCH_ND writes 0, which is neither what TensorFlow means nor what LiteRT does.)
//!
//! Of a convolution over one dimension the columns alone are dealt out, and the convolution, which knows but two, stands
//! between an EXPAND_DIMS that makes a row of them and a RESHAPE that takes it away.

use super::model::{Element, Kind, Model, Operator, Padding};

/// Names in the schema.
const SPREAD: &str = "SPACE_TO_BATCH_ND";
const COLLECT: &str = "BATCH_TO_SPACE_ND";

/// The operators of a model with every such convolution rewritten whose border is one that its options can say; others
/// stay as they are. The convolution stands where the last of its operators did; the first ones stay, so that operators
/// keep their numbers, and are read by nobody unless others need them.
pub(super) fn dilated(model: &Model) -> Vec<Operator> {
    let rewritten = |(i, operator): (usize, &Operator)| spelled(model, i).unwrap_or_else(|| operator.clone());
    model.operators.iter().enumerate().map(rewritten).collect()
}

/// The convolution that ends with operator `last`.
fn spelled(model: &Model, last: usize) -> Option<Operator> {
    let collect = named(&model.operators[last], COLLECT)?;
    let (output, middle) = (*collect.outputs.first()?, (*collect.inputs.first()?)?);
    let of_columns = model.tensors[output].shape.len() == 3;
    let rows = if of_columns { renamed(model, middle, |from, to| row_made(to, from))? } else { middle };
    let convolution = writer(model, rows)?;
    let rows = (*convolution.inputs.first()?)?;
    let dealt = if of_columns { renamed(model, rows, row_made)? } else { rows };
    let spread = named(writer(model, dealt)?, SPREAD)?;
    let input = (*spread.inputs.first()?)?;

    let (block, pads) = (blocks(model, spread)?, borders(model, spread)?);
    let crops = borders(model, collect)?;
    let kept = |from: usize, to: usize| model.tensors[from].quantisation == model.tensors[to].quantisation;
    if blocks(model, collect)? != block || !kept(input, dealt) || !kept(middle, output) {
        return None;
    }
    let weights = (*convolution.inputs.get(1)?)?;
    let &[_, kh, kw, _] = &model.tensors[weights].shape[..] else { return None };
    let extents = |tensor: usize| match model.tensors[tensor].shape[..] {
        [_, h, w, _] => Some([h, w]),
        [_, w, _] => Some([1, w]),
        _ => None,
    };
    let (from, to) = (extents(input)?, extents(output)?);
    let axis = |i: usize, kernel: usize| {
        let span = (kernel - 1) * block[i] as usize;
        let [before, after] = [pads[i][0], pads[i][1].checked_sub(crops[i][1])?].map(usize::try_from);
        let (before, after) = (before.ok()?, after.ok()?);
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
    Some(Operator { kind, version: convolution.version, inputs, outputs: vec![output] })
}

/// An operator, if it has this name.
fn named<'a>(operator: &'a Operator, name: &str) -> Option<&'a Operator> {
    (operator.kind == Kind::Other(name.to_owned())).then_some(operator)
}

/// The operator that makes a tensor.
fn writer(model: &Model, tensor: usize) -> Option<&Operator> {
    model.operators.iter().find(|operator| operator.outputs.contains(&tensor))
}

/// A constant of int32s, none of them negative.
fn numbers(model: &Model, operator: &Operator, i: usize) -> Option<Vec<i32>> {
    let tensor = &model.tensors[(*operator.inputs.get(i)?)?];
    let data = tensor.data.as_ref().filter(|_| tensor.element == Element::Int32)?;
    let numbers: Vec<i32> = data.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b)).collect();
    numbers.iter().all(|&n| n >= 0).then_some(numbers)
}

/// What a tensor is made of, if it has the same elements in a shape that `holds` of the one before.
fn renamed(model: &Model, tensor: usize, holds: impl Fn(&[usize], &[usize]) -> bool) -> Option<usize> {
    let operator = writer(model, tensor)?;
    let from = (*operator.inputs.first()?)?;
    let [before, after] = [from, tensor].map(|tensor| &model.tensors[tensor]);
    let is_renaming = matches!(operator.kind, Kind::Reshape | Kind::Squeeze | Kind::ExpandDims);
    let same = before.quantisation == after.quantisation && holds(&before.shape, &after.shape);
    (is_renaming && same).then_some(from)
}

/// Whether the second shape is the first with a row put before its columns.
fn row_made(columns: &[usize], rows: &[usize]) -> bool {
    matches!((columns, rows), (&[n, w, c], &[m, 1, v, d]) if [n, w, c] == [m, v, d])
}

/// The block for rows and columns, both above 0.
fn blocks(model: &Model, operator: &Operator) -> Option<[i32; 2]> {
    let block = match numbers(model, operator, 1)?[..] {
        [columns] => [1, columns],
        [rows, columns] => [rows, columns],
        _ => return None,
    };
    block.iter().all(|&n| n > 0).then_some(block)
}

/// What is padded or cropped before and after, for rows and columns.
fn borders(model: &Model, operator: &Operator) -> Option<[[i32; 2]; 2]> {
    match numbers(model, operator, 2)?[..] {
        [left, right] => Some([[0, 0], [left, right]]),
        [top, bottom, left, right] => Some([[top, bottom], [left, right]]),
        _ => None,
    }
}
