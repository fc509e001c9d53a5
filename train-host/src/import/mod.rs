//! Nets that were trained elsewhere.
//!
//! A file becomes a [`model::Model`]: plain data that has been verified and still speaks the words of its format.
//! [`lower()`] makes a net of the engine's operators of it, [`clean`](crate::clean) makes that smaller. No output byte
//! ever differs from what TensorFlow Lite Micro's reference kernels make of the file, or LiteRT's where the former have no
//! such operator (TILE, RELU_N1_TO_1) or pad with another value (SPACE_TO_BATCH_ND).

mod dilate;
pub mod lower;
pub mod model;
mod strided;
pub mod tflite;

use zipnet::ir::Int;

use self::lower::{Border, Lowered, lower};
use crate::Result;
use crate::clean::clean;
use crate::graph::Net;

/// A net from a file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The net; not planned yet.
    pub net: Net<Int>,
    /// What the file's caller writes.
    pub input: Border,
    /// What the file has at its borders, and what was taken out of its graph; a line each.
    pub notes: Vec<String>,
}

/// Reads a `.tflite` file of an int8 model.
///
/// # Errors
/// Names the part of the file that is damaged, or that has no int8 form here, and says what to do.
pub fn import(bytes: &[u8], name: &str, cleaning: bool) -> Result<Imported> {
    let model = tflite::read(bytes)?;
    let Lowered { mut net, input, output } = lower(&model, name)?;
    let mut notes = vec![format!("input {}", input.describe()), format!("output {}", output.describe())];
    if cleaning {
        notes.extend(clean(&mut net)?);
    }
    Ok(Imported { net, input, notes })
}
