//! Operators: what they compute, with which options.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::at;
use super::options::kind;
use super::schema::{self, operator, operator_code};
use super::table::Table;
use crate::import::model::{Kind, Operator, quoted};
use crate::{Error, Result};

/// An operator that the model uses, by name.
pub(super) struct Code {
    name: Cow<'static, str>,
    version: i32,
}

/// The operators that the model uses.
pub(super) fn codes(model: &Table) -> Result<Vec<Code>> {
    let tables = model.tables(schema::model::OPERATOR_CODES)?.enumerate();
    tables
        .map(|(index, table)| {
            table.and_then(|table| code(&table)).map_err(at(format!("operator code {index}")))
        })
        .collect()
}

fn code(table: &Table) -> Result<Code> {
    use operator_code::{BUILTIN_CODE, CUSTOM_CODE, DEPRECATED_BUILTIN_CODE, VERSION};
    let deprecated = i32::from(table.i8(DEPRECATED_BUILTIN_CODE, 0)?);
    let code = table.i32(BUILTIN_CODE, 0)?.max(deprecated);
    let index = usize::try_from(code).map_err(|_| Error::new(format!("is {code}")))?;
    let name = match schema::BUILTIN_OPERATORS.get(index) {
        Some(&"CUSTOM") => format!("custom {}", quoted(&table.text(CUSTOM_CODE)?)).into(),
        Some(&name) => name.into(),
        None => format!("operator code {code}").into(),
    };
    let version = table.i32(VERSION, 1)?;
    if version < 1 {
        return Err(Error::new(format!("{name} of version {version}")));
    }
    Ok(Code { name, version })
}

/// All operators of a subgraph that has `tensors` tensors.
pub(super) fn operators(subgraph: &Table, codes: &[Code], tensors: usize) -> Result<Vec<Operator>> {
    let tables = subgraph.tables(schema::subgraph::OPERATORS)?;
    let mut operators = Vec::with_capacity(tables.len());
    for (index, table) in tables.enumerate() {
        let table = table.map_err(at(format!("operator {index}")))?;
        let code = table.u32(operator::OPCODE_INDEX, 0).map_err(at(format!("operator {index}")))?;
        let code = codes.get(code as usize).ok_or_else(|| {
            Error::new(format!("operator {index}: its operator code is {code} of {}", codes.len()))
        })?;
        let operator = read(&table, code, tensors);
        operators.push(operator.map_err(at(format!("operator {index} ({})", code.name)))?);
    }
    Ok(operators)
}

fn read(table: &Table, code: &Code, tensors: usize) -> Result<Operator> {
    let kind = kind(table, &code.name)?;
    let mut inputs = vec![];
    for (i, index) in table.i32s(operator::INPUTS)?.enumerate() {
        inputs.push(match index {
            -1 => None,
            _ => Some(tensor(index, tensors).map_err(at(format!("input {i}")))?),
        });
    }
    let mut outputs = vec![];
    for (i, index) in table.i32s(operator::OUTPUTS)?.enumerate() {
        outputs.push(tensor(index, tensors).map_err(at(format!("output {i}")))?);
    }
    if let Some(arity) = arity(&kind) {
        arity.check(&inputs, &outputs)?;
    }
    Ok(Operator { kind, version: code.version, inputs, outputs })
}

/// An index that the file gives of one of `tensors` tensors.
pub(super) fn tensor(index: i32, tensors: usize) -> Result<usize> {
    let found = usize::try_from(index).ok().filter(|&i| i < tensors);
    found.ok_or_else(|| Error::new(format!("is tensor {index} of {tensors}")))
}

/// How many tensors an operator reads and writes.
struct Arity {
    inputs: RangeInclusive<usize>,
    /// Inputs from this one on may be left out.
    optional: usize,
    outputs: RangeInclusive<usize>,
}

impl Arity {
    fn check(&self, inputs: &[Option<usize>], outputs: &[usize]) -> Result<()> {
        count("inputs", inputs.len(), &self.inputs)?;
        count("outputs", outputs.len(), &self.outputs)?;
        match inputs.iter().take(self.optional).position(Option::is_none) {
            Some(i) => Err(Error::new(format!("input {i} is left out, and is not optional"))),
            None => Ok(()),
        }
    }
}

fn count(what: &str, found: usize, due: &RangeInclusive<usize>) -> Result<()> {
    if due.contains(&found) {
        return Ok(());
    }
    let due = match (*due.start(), *due.end()) {
        (low, high) if low == high => low.to_string(),
        (low, usize::MAX) => format!("{low} or more"),
        (low, high) => format!("{low} to {high}"),
    };
    Err(Error::new(format!("has {found} {what}, not {due}")))
}

/// The tensors of each kind, as TensorFlow Lite Micro's kernels ask for them; `None` for what has no kernel here.
fn arity(kind: &Kind) -> Option<Arity> {
    let (inputs, optional, outputs) = match kind {
        Kind::FullyConnected { shuffled_weights: true, .. } => (2..=3, 2, 1..=2),
        Kind::Conv2d { .. } | Kind::DepthwiseConv2d { .. } | Kind::FullyConnected { .. } => (2..=3, 2, 1..=1),
        Kind::TransposeConv { .. } => (3..=4, 3, 1..=1),
        Kind::Add { .. } | Kind::Sub { .. } | Kind::Mul { .. } => (2..=2, 2, 1..=1),
        Kind::Maximum | Kind::Minimum => (2..=2, 2, 1..=1),
        Kind::AveragePool2d { .. } | Kind::MaxPool2d { .. } => (1..=1, 1, 1..=1),
        Kind::Mean { .. } | Kind::ReduceMax { .. } | Kind::ReduceMin { .. } => (2..=2, 2, 1..=1),
        Kind::Pad | Kind::ExpandDims | Kind::Transpose | Kind::Tile => (2..=2, 2, 1..=1),
        Kind::PadV2 => (3..=3, 3, 1..=1),
        Kind::Reshape => (1..=2, 2, 1..=1),
        Kind::Squeeze => (1..=1, 1, 1..=1),
        Kind::Concatenation { .. } => (1..=usize::MAX, usize::MAX, 1..=1),
        Kind::Split { count } => (2..=2, 2, *count as usize..=*count as usize),
        Kind::SplitV { count } => (3..=3, 3, *count as usize..=*count as usize),
        Kind::Pack { .. } => (1..=usize::MAX, usize::MAX, 1..=1),
        Kind::Unpack { count, .. } => (1..=1, 1, *count as usize..=*count as usize),
        Kind::Slice => (3..=3, 3, 1..=1),
        Kind::Fill => (2..=2, 2, 1..=1),
        Kind::StridedSlice(_) => (4..=4, 4, 1..=1),
        Kind::Softmax { .. } | Kind::Logistic | Kind::Tanh | Kind::HardSwish => (1..=1, 1, 1..=1),
        Kind::Relu | Kind::Relu6 | Kind::ReluN1To1 | Kind::LeakyRelu { .. } => (1..=1, 1, 1..=1),
        Kind::Prelu | Kind::ResizeNearestNeighbor { .. } => (2..=2, 2, 1..=1),
        Kind::Quantize | Kind::Dequantize => (1..=1, 1, 1..=1),
        Kind::Other(_) => return None,
    };
    Some(Arity { inputs, optional, outputs })
}
