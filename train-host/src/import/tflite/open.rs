//! Extents that the file leaves open.
//!
//! Of a net with an open batch the converter writes operators that compute shapes: SHAPE, parts of it, a product, and a
//! RESHAPE to what comes of them. It knows no shapes behind that, and writes 1 for every extent it does not know. With a
//! batch of 1 nothing is open: the shapes of all operators follow from those before, and what computes with them can be
//! computed here.

use std::collections::BTreeMap;

use crate::import::model::{Element, Kind, Model, Operator, Padding};

/// The longest list of numbers that is followed: no shape has as many extents.
const MOST_NUMBERS: usize = 64;

/// Gives every tensor that is `open` the shape that follows from those before it. Where none follows it keeps its own.
pub(super) fn settle(model: &mut Model, open: &[bool]) {
    if !open.contains(&true) {
        return;
    }
    let mut numbers = BTreeMap::new();
    for i in 0..model.operators.len() {
        let settled = Settled { model, numbers: &numbers };
        let operator = &model.operators[i];
        let (computed, shapes) = (settled.computed(operator), settled.shapes(operator).unwrap_or_default());
        let outputs = operator.outputs.clone();
        if let (Some(computed), Some(&output)) = (computed, outputs.first()) {
            numbers.insert(output, computed);
        }
        for (output, shape) in outputs.into_iter().zip(shapes) {
            let tensor = &mut model.tensors[output];
            let whole = tensor.quantisation.as_ref().is_none_or(|q| q.scales.len() == 1 && q.axis == 0);
            if open[output] && whole && is_small(&shape) {
                tensor.shape = shape;
            }
        }
    }
}

/// Whether a shape is one that a file may have, of elements of at most 8 bytes.
fn is_small(shape: &[usize]) -> bool {
    let most = u32::MAX as usize / 8;
    shape
        .iter()
        .try_fold(1usize, |n, &extent| n.checked_mul(extent).filter(|n| (1..=most).contains(n)))
        .is_some()
}

/// A list of numbers, if it is short and none of them is beyond 32 bits.
fn followed(numbers: Vec<i64>) -> Option<Vec<i64>> {
    let narrow = |&n: &i64| i32::try_from(n).is_ok();
    (numbers.len() <= MOST_NUMBERS && numbers.iter().all(narrow)).then_some(numbers)
}

/// A model as far as its shapes are known.
struct Settled<'a> {
    model: &'a Model,
    /// Of tensors that operators compute, those whose integers are known.
    numbers: &'a BTreeMap<usize, Vec<i64>>,
}

impl Settled<'_> {
    /// The shape of an operator's input.
    fn shape(&self, operator: &Operator, i: usize) -> Option<&[usize]> {
        let tensor = (*operator.inputs.get(i)?)?;
        Some(&self.model.tensors[tensor].shape)
    }

    /// The integers of an operator's input.
    fn numbers(&self, operator: &Operator, i: usize) -> Option<Vec<i64>> {
        let at = (*operator.inputs.get(i)?)?;
        if let Some(numbers) = self.numbers.get(&at) {
            return Some(numbers.clone());
        }
        let tensor = &self.model.tensors[at];
        let data = tensor.data.as_ref().filter(|data| data.len() <= 8 * MOST_NUMBERS)?;
        match tensor.element {
            Element::Int32 => {
                Some(data.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b).into()).collect())
            }
            Element::Int64 => followed(data.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect()),
            _ => None,
        }
    }

    /// The extents that an operator's input names; none of them is 0 or negative.
    fn extents(&self, operator: &Operator, i: usize) -> Option<Vec<usize>> {
        let numbers = self.numbers(operator, i)?;
        numbers.into_iter().map(|n| usize::try_from(n).ok().filter(|&n| n > 0)).collect()
    }

    /// The integers that an operator computes: a list, or one number.
    fn computed(&self, operator: &Operator) -> Option<Vec<i64>> {
        let list = |i| self.numbers(operator, i);
        let all = || -> Option<Vec<Vec<i64>>> { (0..operator.inputs.len()).map(list).collect() };
        let made = match &operator.kind {
            Kind::Concatenation { .. } | Kind::Pack { .. } => all()?.concat(),
            Kind::StridedSlice(strided) => {
                let (from, one) = (list(0)?, |i| Some(*list(i)?.first()?));
                let numbers = [one(1)?, one(2)?, one(3)?];
                let (first, step, count) = strided.take(0, from.len() as i64, numbers).ok()?;
                (0..count).map(|i| from.get((first + i * step) as usize).copied()).collect::<Option<_>>()?
            }
            Kind::Reshape | Kind::Squeeze | Kind::ExpandDims => list(0)?,
            Kind::Add { .. } => pairwise(list(0)?, list(1)?, i64::checked_add)?,
            Kind::Sub { .. } => pairwise(list(0)?, list(1)?, i64::checked_sub)?,
            Kind::Mul { .. } => pairwise(list(0)?, list(1)?, i64::checked_mul)?,
            Kind::Other(name) => match name.as_str() {
                "SHAPE" => self.shape(operator, 0)?.iter().map(|&n| n as i64).collect(),
                "CAST" => list(0)?,
                "GATHER" => {
                    let from = list(0)?;
                    let taken = list(1)?.into_iter().map(|i| from.get(usize::try_from(i).ok()?).copied());
                    taken.collect::<Option<_>>()?
                }
                "REDUCE_PROD" => vec![list(0)?.into_iter().try_fold(1i64, i64::checked_mul)?],
                _ => return None,
            },
            _ => return None,
        };
        followed(made)
    }

    /// The shapes of an operator's outputs.
    fn shapes(&self, operator: &Operator) -> Option<Vec<Vec<usize>>> {
        let x = self.shape(operator, 0)?;
        let weights = |i: usize| match self.shape(operator, 1)? {
            &[units, h, w, last] => Some((if i == 0 { units } else { last }, [h, w])),
            _ => None,
        };
        let one = match &operator.kind {
            Kind::Conv2d { padding, stride, dilation, .. } => {
                let (units, kernel) = weights(0)?;
                slid(x, kernel, *stride, *dilation, *padding, units)?
            }
            Kind::DepthwiseConv2d { padding, stride, dilation, .. } => {
                let (units, kernel) = weights(3)?;
                slid(x, kernel, *stride, *dilation, *padding, units)?
            }
            Kind::AveragePool2d { padding, stride, filter, .. }
            | Kind::MaxPool2d { padding, stride, filter, .. } => {
                slid(x, filter.map(|n| n as usize), *stride, [1, 1], *padding, *x.last()?)?
            }
            Kind::TransposeConv { .. } => self.extents(operator, 0)?,
            Kind::FullyConnected { keep_num_dims, .. } => {
                let (&each, units) = self.shape(operator, 1)?.split_last()?;
                let units = units.iter().product();
                match keep_num_dims {
                    true => [x.split_last()?.1, &[units]].concat(),
                    false => vec![x.iter().product::<usize>() / each, units],
                }
            }
            Kind::Add { .. }
            | Kind::Sub { .. }
            | Kind::Mul { .. }
            | Kind::Prelu
            | Kind::Maximum
            | Kind::Minimum => broadcast(x, self.shape(operator, 1)?),
            Kind::Mean { keep_dims } | Kind::ReduceMax { keep_dims } | Kind::ReduceMin { keep_dims } => {
                let axes = self.numbers(operator, 1)?;
                let gone = |axis: usize| {
                    let (axis, rank) = (axis as i64, x.len() as i64);
                    axes.iter().any(|&n| n == axis || n + rank == axis)
                };
                let left = (0..x.len()).filter(|&axis| *keep_dims || !gone(axis));
                left.map(|axis| if gone(axis) { 1 } else { x[axis] }).collect()
            }
            Kind::Pad | Kind::PadV2 => {
                let pads = self.numbers(operator, 1)?;
                let pads = pads.as_chunks::<2>().0;
                let wider = |(n, &[before, after]): (&usize, &[i64; 2])| {
                    usize::try_from(before.checked_add(after)?).ok()?.checked_add(*n)
                };
                x.iter().zip(pads).map(wider).collect::<Option<_>>()?
            }
            Kind::Reshape => reshaped(x, &self.numbers(operator, 1)?)?,
            Kind::ExpandDims => {
                let &axis = self.numbers(operator, 1)?.first()?;
                let (before, after) = x.split_at_checked(counted(axis, x.len() + 1)?)?;
                [before, &[1], after].concat()
            }
            Kind::Concatenation { axis, .. } => {
                let axis = counted((*axis).into(), x.len())?;
                let extents = (0..operator.inputs.len()).map(|i| self.shape(operator, i)?.get(axis).copied());
                let mut shape = x.to_vec();
                *shape.get_mut(axis)? = extents.sum::<Option<_>>()?;
                shape
            }
            Kind::Split { count } => {
                let x = self.shape(operator, 1)?;
                let &axis = self.numbers(operator, 0)?.first()?;
                let mut shape = x.to_vec();
                *shape.get_mut(counted(axis, x.len())?)? /= *count as usize;
                return Some(vec![shape; *count as usize]);
            }
            Kind::SplitV { count } => {
                let (&axis, sizes) = (self.numbers(operator, 2)?.first()?, self.numbers(operator, 1)?);
                let axis = counted(axis, x.len()).filter(|&axis| axis < x.len())?;
                let part = |&size: &i64| -> Option<Vec<usize>> {
                    let mut shape = x.to_vec();
                    shape[axis] = usize::try_from(size).ok()?;
                    Some(shape)
                };
                return sizes.iter().take(*count as usize).map(part).collect();
            }
            Kind::Pack { axis } => {
                let (before, after) = x.split_at_checked(counted((*axis).into(), x.len() + 1)?)?;
                [before, &[operator.inputs.len()], after].concat()
            }
            Kind::Unpack { count, axis } => {
                let (before, after) = x.split_at_checked(counted((*axis).into(), x.len())?)?;
                return Some(vec![[before, after.split_first()?.1].concat(); *count as usize]);
            }
            Kind::Slice => {
                let (begins, sizes) = (self.numbers(operator, 1)?, self.numbers(operator, 2)?);
                let left = |((&n, begin), size): ((&usize, i64), i64)| {
                    if size < 0 { n.checked_sub(usize::try_from(begin).ok()?) } else { Some(size as usize) }
                };
                x.iter().zip(begins).zip(sizes).map(left).collect::<Option<_>>()?
            }
            Kind::Fill => self.extents(operator, 0)?,
            Kind::StridedSlice(_) => self.sliced(operator, x)?,
            Kind::Transpose => {
                let order = self.numbers(operator, 1)?;
                order.into_iter().map(|n| x.get(usize::try_from(n).ok()?).copied()).collect::<Option<_>>()?
            }
            Kind::Tile => {
                let times = self.extents(operator, 1)?;
                x.iter().zip(times).map(|(&n, times)| n.checked_mul(times)).collect::<Option<_>>()?
            }
            Kind::ResizeNearestNeighbor { .. } => match (x, &self.extents(operator, 1)?[..]) {
                (&[n, _, _, c], &[h, w]) => vec![n, h, w, c],
                _ => return None,
            },
            Kind::Softmax { .. } | Kind::Logistic | Kind::Tanh | Kind::HardSwish => x.to_vec(),
            Kind::Relu | Kind::Relu6 | Kind::ReluN1To1 | Kind::LeakyRelu { .. } => x.to_vec(),
            Kind::Quantize | Kind::Dequantize => x.to_vec(),
            Kind::Squeeze => return None,
            Kind::Other(name) => match name.as_str() {
                "SPACE_TO_BATCH_ND" => self.dealt(operator, x, |n, block, [before, after]| {
                    Some(n.checked_add(before)?.checked_add(after)? / block)
                })?,
                "BATCH_TO_SPACE_ND" => self.dealt(operator, x, |n, block, [before, after]| {
                    n.checked_mul(block)?.checked_sub(before)?.checked_sub(after)
                })?,
                _ => return None,
            },
        };
        Some(vec![one])
    }

    /// A slice, dimension by dimension; those that it names but one element of may go.
    fn sliced(&self, operator: &Operator, x: &[usize]) -> Option<Vec<usize>> {
        let Kind::StridedSlice(strided) = operator.kind else { return None };
        let [begins, ends, strides] = [1, 2, 3].map(|i| self.numbers(operator, i));
        let (begins, ends, strides) = (begins?, ends?, strides?);
        if !strided.is_by_axis() || begins.len() > x.len() {
            return None;
        }
        let mut shape = Vec::new();
        for (axis, &extent) in x.iter().enumerate() {
            let (Some(&begin), Some(&end), Some(&step)) =
                (begins.get(axis), ends.get(axis), strides.get(axis))
            else {
                shape.push(extent);
                continue;
            };
            let (_, _, count) = strided.take(axis, extent as i64, [begin, end, step]).ok()?;
            if !strided.drops(axis) {
                shape.push(count as usize);
            }
        }
        Some(shape)
    }

    /// What dealing pixels out to a batch, or collecting them, makes of each extent in the block, and of the batch.
    fn dealt(
        &self,
        operator: &Operator,
        x: &[usize],
        along: impl Fn(usize, usize, [usize; 2]) -> Option<usize>,
    ) -> Option<Vec<usize>> {
        let (block, borders) = (self.extents(operator, 1)?, self.numbers(operator, 2)?);
        let (&batch, rest) = x.split_first()?;
        let (inside, after) = rest.split_at_checked(block.len())?;
        let parts = block.iter().try_fold(1usize, |n, &b| n.checked_mul(b))?;
        let spreads = operator.kind.name() == "SPACE_TO_BATCH_ND";
        let mut shape = vec![if spreads { batch.checked_mul(parts)? } else { batch / parts }];
        for ((&n, &block), &[before, after]) in inside.iter().zip(&block).zip(borders.as_chunks::<2>().0) {
            shape.push(along(n, block, [usize::try_from(before).ok()?, usize::try_from(after).ok()?])?);
        }
        shape.extend(after);
        Some(shape)
    }
}

/// An axis of so many, the last of which is -1 too.
fn counted(axis: i64, rank: usize) -> Option<usize> {
    usize::try_from(if axis < 0 { axis + rank as i64 } else { axis }).ok()
}

/// The output of a window that slides over rows and columns.
fn slid(
    x: &[usize],
    kernel: [usize; 2],
    stride: [u32; 2],
    dilation: [u32; 2],
    padding: Padding,
    units: usize,
) -> Option<Vec<usize>> {
    let &[batch, h, w, _] = x else { return None };
    let along = |n: usize, axis: usize| {
        let (step, apart) = (stride[axis] as usize, dilation[axis] as usize);
        match padding {
            Padding::Same => Some(n.div_ceil(step)),
            Padding::Valid => {
                let span = (kernel[axis] - 1).checked_mul(apart)?.checked_add(1)?;
                Some(n.checked_sub(span)? / step + 1)
            }
        }
    };
    Some(vec![batch, along(h, 0)?, along(w, 1)?, units])
}

/// The shape that as many elements have where one extent may be -1: what is left.
fn reshaped(x: &[usize], target: &[i64]) -> Option<Vec<usize>> {
    let count: usize = x.iter().product();
    let known = target.iter().filter(|&&n| n != -1).try_fold(1i64, |n, &extent| n.checked_mul(extent))?;
    let left = count.checked_div(usize::try_from(known).ok()?)?;
    let shape: Option<Vec<usize>> =
        target.iter().map(|&n| if n == -1 { Some(left) } else { usize::try_from(n).ok() }).collect();
    shape.filter(|shape| is_small(shape) && shape.iter().product::<usize>() == count)
}

/// The shape of two operands that meet, aligned at the end.
fn broadcast(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let at =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    (0..rank).map(|axis| at(a, axis).max(at(b, axis))).collect()
}

/// Numbers one by one, either list of which may be a single number.
fn pairwise(a: Vec<i64>, b: Vec<i64>, of: impl Fn(i64, i64) -> Option<i64>) -> Option<Vec<i64>> {
    match (&a[..], &b[..]) {
        (&[a], b) => b.iter().map(|&b| of(a, b)).collect(),
        (a, &[b]) => a.iter().map(|&a| of(a, b)).collect(),
        (a, b) if a.len() == b.len() => a.iter().zip(b).map(|(&a, &b)| of(a, b)).collect(),
        _ => None,
    }
}
