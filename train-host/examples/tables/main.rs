//! Writes tables of nets that the tree makes by itself, for firmware.
//!
//! ```text
//! tables operators OUT.rs             the golden single-operator models, with what an independent implementation gave
//! tables packed OUT.rs TARGET [SEED]  random nets and the shipped ones, packed, with what the portable kernels give
//! tables net NAME TARGET OUT.rs       one shipped net: the trained digits, or a recipe's net with fresh weights
//! tables rows NAME TARGET OUT.rs      the same, its input row by row
//! ```
//!
//! `firmware/run operators`, `firmware/run packed` and `.ci/run gates` do.

mod cases;
mod operators;
mod packed;
mod random;
mod shipped;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;
use train_host::export::{Streamed, Target, pack, pack_streamed, streamed_table, table};
use train_host::{Error, Result};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(what) => {
            eprintln!("{what}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(2)
        }
    }
}

/// Does what the arguments ask for, and tells what was done.
fn run(args: &[&str]) -> Result<String> {
    let (out, text, what) = match *args {
        ["operators", out] => {
            let cases = operators::cases()?;
            (out, cases.text(), cases.count())
        }
        ["packed", out, target, ref seed @ ..] if seed.len() < 2 => {
            let target = Target::from_str(target, true).map_err(Error::new)?;
            let seed = seed.first().unwrap_or(&"1");
            let seed = seed.parse().map_err(|_| Error::new(format!("{seed:?} is no seed")))?;
            let cases = packed::cases(target, seed)?;
            (out, cases.text(), cases.count())
        }
        [way @ ("net" | "rows"), name, target, out] => {
            let target = Target::from_str(target, true).map_err(Error::new)?;
            let mut stored = shipped::stored(name)?;
            let golden = cases::golden(&stored.net, 8, 1)?;
            let text = if way == "net" {
                stored.arena = pack(&mut stored.net, target, None)?;
                table(&stored, &golden)
            } else {
                pack_streamed(&mut stored.net, target, None)?;
                streamed_table(&stored, &Streamed::new(&stored.net)?, &golden)
            };
            (out, text, format!("1 net, {} samples", golden.len()))
        }
        _ => {
            return Err(Error::new(
                "usage: tables operators OUT.rs | packed OUT.rs TARGET [SEED] | net|rows NAME TARGET OUT.rs",
            ));
        }
    };
    fs::write(out, text).map_err(|e| Error::file(Path::new(out), e))?;
    Ok(format!("{what} written to {out}"))
}
