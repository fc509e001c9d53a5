//! Tensors: what they are, what their integers mean, and the bytes of constants.

use super::schema::{self, quantization};
use super::table::{File, Table};
use super::{at, named};
use crate::import::model::{Element, Quantisation, Tensor, extents};
use crate::{Error, Result};

/// Bytes of constants that may be copied out of a file, as a multiple of its size: tensors may share a buffer.
const COPIES: usize = 4;

/// The bytes that each buffer holds, wherever in the file they lie.
pub(super) fn buffers<'a>(file: &File<'a>, model: &Table<'_, 'a>) -> Result<Vec<&'a [u8]>> {
    let mut buffers = vec![];
    for (index, table) in model.tables(schema::model::BUFFERS)?.enumerate() {
        let bytes = table.and_then(|table| buffer(file, &table)).map_err(at(format!("buffer {index}")))?;
        if index == 0 && !bytes.is_empty() {
            return Err(Error::new("buffer 0: holds data, but is what tensors without data refer to"));
        }
        buffers.push(bytes);
    }
    Ok(buffers)
}

fn buffer<'a>(file: &File<'a>, table: &Table<'_, 'a>) -> Result<&'a [u8]> {
    use schema::buffer::{DATA, OFFSET, SIZE};
    let inside = table.bytes(DATA)?;
    let (offset, size) = (table.u64(OFFSET, 0)?, table.u64(SIZE, 0)?);
    if offset <= 1 {
        return Ok(inside);
    }
    if !inside.is_empty() {
        return Err(Error::new("has data in two places"));
    }
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = usize::try_from(size).map_or(usize::MAX, |size| start.saturating_add(size));
    file.bytes().get(start..end).ok_or_else(|| {
        Error::new(format!(
            "{size} bytes from byte {offset} lie beyond the end of the file ({} bytes); is it truncated?",
            file.bytes().len()
        ))
    })
}

/// All tensors of a subgraph, and of each whether the file leaves an extent open.
pub(super) fn tensors(file: &File, subgraph: &Table, buffers: &[&[u8]]) -> Result<(Vec<Tensor>, Vec<bool>)> {
    let mut left = file.bytes().len() * COPIES;
    let tables = subgraph.tables(schema::subgraph::TENSORS)?;
    let (mut tensors, mut open) = (Vec::with_capacity(tables.len()), Vec::with_capacity(tables.len()));
    for (index, table) in tables.enumerate() {
        let table = table.map_err(at(format!("tensor {index}")))?;
        let name = table.text(schema::tensor::NAME).map_err(at(format!("tensor {index}")))?;
        let label = named("tensor", index, &name);
        let mut signature = table.i32s(schema::tensor::SHAPE_SIGNATURE).map_err(at(&label))?;
        open.push(signature.any(|extent| extent < 0));
        tensors.push(tensor(&table, name, buffers, &mut left).map_err(at(label))?);
    }
    Ok((tensors, open))
}

fn tensor(table: &Table, name: String, buffers: &[&[u8]], left: &mut usize) -> Result<Tensor> {
    use schema::tensor::{BUFFER, EXTERNAL_BUFFER, IS_VARIABLE, QUANTIZATION, SPARSITY, TYPE};
    let (element, bits) = element(table.i8(TYPE, 0)?)?;
    let shape = shape(table)?;
    let elements = elements(&shape, bits)?;
    if table.flag(IS_VARIABLE)? {
        return Err(Error::new("keeps its value from one run to the next, which no net here does"));
    }
    if table.has(SPARSITY) {
        return Err(Error::new("is sparse; export the model with dense weights"));
    }
    if table.u32(EXTERNAL_BUFFER, 0)? > 0 {
        return Err(Error::new("has its data in another file; export the model as a single one"));
    }
    let quantisation = match (table.table(QUANTIZATION)?, range(element)) {
        (Some(table), Some(range)) => quantisation(&table, &shape, range).map_err(at("quantization"))?,
        _ => None,
    };
    let buffer = table.u32(BUFFER, 0)?;
    let bytes: &[u8] = match buffers.get(buffer as usize) {
        Some(bytes) => bytes,
        None if buffer == 0 => &[],
        None => return Err(Error::new(format!("its buffer is {buffer} of {}", buffers.len()))),
    };
    if bytes.is_empty() {
        return Ok(Tensor { name, shape, element, quantisation, data: None });
    }
    let due = bits.map(|bits| (elements * u64::from(bits)).div_ceil(8));
    if due.is_some_and(|due| due != bytes.len() as u64) {
        let (due, shape) = (due.unwrap_or(0), extents(&shape));
        let found = bytes.len();
        return Err(Error::new(format!("buffer {buffer} has {found} bytes, but shape {shape} takes {due}")));
    }
    *left = left.checked_sub(bytes.len()).ok_or_else(|| {
        Error::new(format!("shares buffer {buffer} with too many others; the file is corrupt"))
    })?;
    Ok(Tensor { name, shape, element, quantisation, data: Some(bytes.to_vec()) })
}

/// The type of an element, and its bits where it has a size of its own.
fn element(code: i8) -> Result<(Element, Option<u32>)> {
    let known = usize::try_from(code).ok().and_then(|code| schema::TYPES.get(code));
    let &(name, bits) =
        known.ok_or_else(|| Error::new(format!("has elements of an unknown type, {code}")))?;
    let element = match name {
        "FLOAT32" => Element::Float32,
        "FLOAT16" => Element::Float16,
        "INT32" => Element::Int32,
        "UINT8" => Element::UInt8,
        "INT64" => Element::Int64,
        "BOOL" => Element::Bool,
        "INT16" => Element::Int16,
        "INT8" => Element::Int8,
        "UINT32" => Element::UInt32,
        "UINT16" => Element::UInt16,
        "INT4" => Element::Int4,
        other => Element::Other(other),
    };
    Ok((element, bits))
}

/// The zero points that a quantised element may have; `None` where it is no integer that is read.
fn range(element: Element) -> Option<(i64, i64)> {
    const I32: (i64, i64) = (i32::MIN as i64, i32::MAX as i64);
    match element {
        Element::Int4 => Some((-8, 7)),
        Element::Int8 => Some((-128, 127)),
        Element::UInt8 => Some((0, 255)),
        Element::Int16 => Some((-32_768, 32_767)),
        Element::UInt16 => Some((0, 65_535)),
        Element::Int32 | Element::Int64 => Some(I32),
        Element::UInt32 => Some((0, I32.1)),
        Element::Float32 | Element::Float16 | Element::Bool | Element::Other(_) => None,
    }
}

fn shape(table: &Table) -> Result<Vec<usize>> {
    let shape: Vec<i32> = table.i32s(schema::tensor::SHAPE)?.collect();
    match shape.iter().map(|&extent| usize::try_from(extent).ok().filter(|&n| n > 0)).collect() {
        Some(extents) => Ok(extents),
        None => Err(Error::new(format!(
            "shape {} is not known until the model runs; export it with every extent fixed (a batch of 1)",
            extents(&shape)
        ))),
    }
}

/// How many elements a shape has.
fn elements(shape: &[usize], bits: Option<u32>) -> Result<u64> {
    // Bytes of elements without a size of their own count as 1, so that their number is bounded too.
    let bits = u64::from(bits.unwrap_or(8));
    let fits = |n: &u64| *n <= u64::from(u32::MAX) && n * bits / 8 <= u64::from(u32::MAX);
    let product = shape.iter().try_fold(1u64, |n, &extent| n.checked_mul(extent as u64).filter(fits));
    product
        .ok_or_else(|| Error::new(format!("shape {} has more elements than 32 bits count", extents(shape))))
}

/// What the integers mean; `None` where the table has no scale, as converters write it for tensors of other types.
fn quantisation(table: &Table, shape: &[usize], range: (i64, i64)) -> Result<Option<Quantisation>> {
    use quantization::{DETAILS_TYPE, QUANTIZED_DIMENSION, SCALE, ZERO_POINT};
    let details = table.u8(DETAILS_TYPE, 0)?;
    if details != 0 {
        let name =
            schema::QUANTIZATION_DETAILS.get(usize::from(details)).unwrap_or(&"details of an unknown type");
        return Err(Error::new(format!(
            "{name} is not a scale and a zero point, or one of each an index of an axis"
        )));
    }
    let scales: Vec<f32> = table.f32s(SCALE)?.collect();
    if scales.is_empty() {
        return Ok(None);
    }
    let points = table.i64s(ZERO_POINT)?;
    if points.len() != scales.len() {
        return Err(Error::new(format!("{} scales, but {} zero points", scales.len(), points.len())));
    }
    if let Some((i, scale)) = scales.iter().enumerate().find(|(_, s)| !(s.is_normal() && **s > 0.0)) {
        return Err(Error::new(format!(
            "scale {i} is {scale:e}, not a positive number that can be divided by"
        )));
    }
    let mut zeros = vec![];
    for (i, zero) in points.enumerate() {
        if !(range.0..=range.1).contains(&zero) {
            return Err(Error::new(format!("zero point {i} is {zero}, not from {} to {}", range.0, range.1)));
        }
        zeros.push(zero as i32);
    }
    let dimension = table.i32(QUANTIZED_DIMENSION, 0)?;
    let axis = match usize::try_from(dimension) {
        Ok(_) if shape.is_empty() => 0,
        Ok(axis) if axis < shape.len() => axis,
        _ => return Err(Error::new(format!("axis {dimension} of a tensor of rank {}", shape.len()))),
    };
    let extent = shape.get(axis).copied().unwrap_or(1);
    if scales.len() != 1 && scales.len() != extent {
        return Err(Error::new(format!(
            "{} scales along axis {axis}, whose extent is {extent}",
            scales.len()
        )));
    }
    Ok(Some(Quantisation { scales, zeros, axis }))
}
