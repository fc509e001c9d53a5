//! `data`: what there is, and how to get it.

use crate::Result;
use crate::cli::DataCommand;
use crate::data::{digits, known};

pub(super) fn run(command: &DataCommand) -> Result<()> {
    match command {
        DataCommand::List => super::print(&known::list()),
        DataCommand::Fetch { name } => super::print(&known::fetch(name)?),
        DataCommand::MakeDigits { mnist, out } => digits::make(mnist, out),
    }
}
