//! Reads TensorFlow Lite models.
//!
//! [`read`] is the whole of it. `schema` holds what the format calls things, `table` reads numbers and vectors out of
//! tables after checking that they are there; `tensor`, `operator` and `options` make plain data of them, and `flow`
//! checks that the whole makes sense; `open` computes the extents that the file leaves open. Only [`Model`] leaves this
//! folder.

mod flow;
mod open;
mod operator;
mod options;
mod schema;
mod table;
mod tensor;

use std::fmt::Display;

use super::model::{Model, quoted};
use crate::{Error, Result};
use table::{File, Table};

/// The largest file that is read. No microcontroller has a flash near it.
pub const MAX_BYTES: usize = 64 << 20;

/// Reads the first subgraph of a model, which is the one that is run.
///
/// Operators that nothing here computes, control flow among them, become [`Kind::Other`](super::model::Kind::Other).
///
/// # Errors
///
/// One line that names the place: the operator, the tensor or the buffer by its number, and what is wrong with it. The
/// caller adds the file's name. Memory stays within a small multiple of `bytes`, whatever they claim.
pub fn read(bytes: &[u8]) -> Result<Model> {
    if bytes.len() < 8 {
        return Err(Error::new(format!("{} bytes are no TensorFlow Lite model", bytes.len())));
    }
    if bytes.len() > MAX_BYTES {
        return Err(Error::new(format!("{} bytes; at most {MAX_BYTES} are read", bytes.len())));
    }
    if bytes[4..8] != schema::IDENTIFIER {
        return Err(Error::new("is no TensorFlow Lite model: bytes 4 to 8 are not \"TFL3\""));
    }
    let limits = table::limits(bytes.len());
    let file = File::new(bytes, &limits);
    let model = file.root()?;
    let version = model.u32(schema::model::VERSION, 0)?;
    if version != schema::VERSION {
        return Err(schema::model::VERSION.error(format!("{version}, but only {} is read", schema::VERSION)));
    }
    let Some(subgraph) = model.tables(schema::model::SUBGRAPHS)?.next() else {
        return Err(schema::model::SUBGRAPHS.error("there are none"));
    };
    let subgraph = subgraph.map_err(at("subgraph 0"))?;
    let buffers = tensor::buffers(&file, &model)?;
    let (tensors, open) = tensor::tensors(&file, &subgraph, &buffers)?;
    let codes = operator::codes(&model)?;
    let operators = operator::operators(&subgraph, &codes, tensors.len())?;
    let mut model = Model {
        description: model.text(schema::model::DESCRIPTION)?,
        inputs: border(&subgraph, "input", schema::subgraph::INPUTS, tensors.len())?,
        outputs: border(&subgraph, "output", schema::subgraph::OUTPUTS, tensors.len())?,
        tensors,
        operators,
    };
    flow::check(&model)?;
    open::settle(&mut model, &open);
    Ok(model)
}

/// The inputs or the outputs: at least one, each a tensor of its own.
fn border(subgraph: &Table, what: &str, field: schema::Field, tensors: usize) -> Result<Vec<usize>> {
    let mut border = vec![];
    let mut seen = vec![false; tensors];
    for (i, index) in subgraph.i32s(field)?.enumerate() {
        let tensor = operator::tensor(index, tensors).map_err(at(format!("{what} {i}")))?;
        if std::mem::replace(&mut seen[tensor], true) {
            return Err(Error::new(format!("{what} {i}: is tensor {tensor}, like an earlier one")));
        }
        border.push(tensor);
    }
    if border.is_empty() {
        return Err(field.error("there are none"));
    }
    Ok(border)
}

/// Puts the place in front of an error.
fn at(place: impl Display) -> impl FnOnce(Error) -> Error {
    move |error| Error::new(format!("{place}: {error}"))
}

/// `tensor 7 "name"`.
fn named(what: &str, index: usize, name: &str) -> String {
    if name.is_empty() { format!("{what} {index}") } else { format!("{what} {index} {}", quoted(name)) }
}
