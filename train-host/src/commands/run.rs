//! `run`: raw int8 tensors through the int8 engine.

use std::fs;

use crate::batch;
use crate::cli::RunArgs;
use crate::export::{Stored, write_beside};
use crate::{Error, Result};

pub(super) fn run(args: &RunArgs) -> Result<()> {
    let stored = Stored::load(&args.dir)?;
    let inputs = fs::read(&args.input).map_err(|e| Error::file(&args.input, e))?;
    let size = stored.net.input_shape().len();
    if inputs.is_empty() || inputs.len() % size != 0 {
        return Err(Error::file(
            &args.input,
            format!("holds {} bytes, which is no whole number of inputs of {size} bytes", inputs.len()),
        ));
    }
    let inputs: Vec<i8> = inputs.into_iter().map(u8::cast_signed).collect();
    let outputs = batch::run(&stored.net, &inputs, super::threads(None)?)?;
    let bytes: Vec<u8> = outputs.into_iter().map(i8::cast_unsigned).collect();
    write_beside(&args.output, &bytes)
}
