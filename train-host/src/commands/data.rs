//! `data`: what there is, and how to get it.

use crate::Result;
use crate::cli::DataCommand;
use crate::data::{digits, known};

pub(super) fn run(command: &DataCommand) -> Result<()> {
    match command {
        DataCommand::List => super::print(&list()),
        DataCommand::Fetch { name } => {
            let folder = known::fetch(name)?;
            super::print(&format!("{name}: {}\n", folder.display()))
        }
        DataCommand::MakeDigits { mnist, out } => digits::make(mnist, out),
    }
}

/// What is known, what it is, and where it is or how to get it.
fn list() -> String {
    let known: String = known::list().iter().map(ToString::to_string).collect();
    format!(
        "{known}or a path: a folder of IDX files, a folder of class folders of PNGs, or a CSV with a label column\n"
    )
}
