//! `run`: raw int8 tensors through the int8 engine.

use crate::Result;
use crate::batch;
use crate::cli::RunArgs;
use crate::export::{Stored, write_beside};

pub(super) fn run(args: &RunArgs) -> Result<()> {
    let stored = Stored::load(&args.dir)?;
    let inputs = super::inputs(&stored, &args.input)?;
    let outputs = batch::run(&stored.net, &inputs, super::threads(None)?)?;
    let bytes: Vec<u8> = outputs.into_iter().map(i8::cast_unsigned).collect();
    write_beside(&args.output, &bytes)
}
