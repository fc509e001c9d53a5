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
    let mut text = String::new();
    for set in known::list() {
        text.push_str(&format!("{}: {}\n", set.name, set.summary));
        match set.found {
            Some(place) => text.push_str(&format!("    found: {}\n", place.display())),
            None => {
                let places: Vec<String> = set.looked_in.iter().map(|p| p.display().to_string()).collect();
                text.push_str(&format!("    not found in {}\n    {}\n", places.join(", "), set.hint));
            }
        }
    }
    text.push_str("or a path: a folder of IDX files, a folder of class folders of PNGs, or a CSV with a label column\n");
    text
}
