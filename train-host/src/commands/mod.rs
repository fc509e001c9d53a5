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

use crate::cli::{Cli, Command};
use crate::export::Stored;
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

/// The number of threads asked for, or one a core.
fn threads(asked: Option<usize>) -> Result<usize> {
    match asked {
        Some(0) => Err(Error::new("--threads is 0; it must be at least 1")),
        Some(n) => Ok(n.min(256)),
        None => Ok(std::thread::available_parallelism().map_or(1, NonZero::get)),
    }
}
