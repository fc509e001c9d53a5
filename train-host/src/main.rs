//! `train-host`: see `train-host --help`.

use std::process::ExitCode;

use clap::Parser;
use train_host::cli::Cli;
use train_host::commands;

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
