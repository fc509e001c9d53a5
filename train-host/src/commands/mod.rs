//! One file a command: each reads, calls the library, and tells.

mod bench;
mod compress;
mod data;
mod eval;
mod import;
mod inspect;
mod qat;
mod run;
mod summary;
mod sweep;
mod train;

use std::io::Write;
use std::num::NonZero;
use std::path::Path;

use zipnet::ir::Int;

use crate::cli::{Cli, Command, PlaceArgs};
use crate::export::{Sample, Stored, Streamed, pack, pack_streamed, streamed_table, table};
use crate::graph::Net;
use crate::{Error, Result};

/// Does what the command line says.
///
/// # Errors
/// What went wrong, in one line.
pub fn run(cli: Cli) -> Result<()> {
    match cli.command {
        None => train::run(&cli.train),
        Some(Command::Train(args)) => train::run(&args),
        Some(Command::Import(args)) => import::run(&args),
        Some(Command::Rebuild(args)) => compress::rebuild(&args),
        Some(Command::Prune(args)) => compress::prune(&args),
        Some(Command::Qat(args)) => qat::run(&args),
        Some(Command::Sweep(args)) => sweep::run(&args),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Eval(args)) => eval::run(&args),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Inspect(args)) => inspect::run(&args),
        Some(Command::Data(command)) => data::run(&command),
    }
}

/// Prints to standard output. A reader that went away (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(format!("standard output: {e}")))
        }
        _ => Ok(()),
    }
}

/// The inputs of a raw file, back to back; at least one.
fn inputs(stored: &Stored, path: &Path) -> Result<Vec<i8>> {
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, e))?;
    let size = stored.net.input_shape().len();
    if bytes.is_empty() || bytes.len() % size != 0 {
        let what = format!("holds {} bytes, which is no whole number of inputs of {size} bytes", bytes.len());
        return Err(Error::file(path, what));
    }
    Ok(bytes.into_iter().map(u8::cast_signed).collect())
}

/// Packs a net for where it shall run. Gives the bytes of arena of the whole net and, where the input shall come row by row,
/// the net cut behind its first layer.
fn packed(net: &mut Net<Int>, place: &PlaceArgs) -> Result<(usize, Option<Streamed>)> {
    if !place.stream {
        return Ok((pack(net, place.target, place.arena_limit)?, None));
    }
    pack_streamed(net, place.target, place.arena_limit)?;
    Ok((net.with(|graph| graph.arena_len()), Some(Streamed::new(net)?)))
}

/// The text of `model.rs`.
fn model(stored: &Stored, streamed: Option<&Streamed>, golden: &[Sample]) -> String {
    match streamed {
        Some(streamed) => streamed_table(stored, streamed, golden),
        None => table(stored, golden),
    }
}

/// The number of threads asked for, or one a core.
fn threads(asked: Option<usize>) -> Result<usize> {
    match asked {
        Some(0) => Err(Error::new("--threads is 0; it must be at least 1")),
        Some(n) => Ok(n.min(256)),
        None => Ok(std::thread::available_parallelism().map_or(1, NonZero::get)),
    }
}
