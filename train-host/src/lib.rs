//! Trains small neural nets, quantises them to 8 bits, and exports them for the `zipnet` engine.

pub mod build;
mod error;
pub mod graph;
pub mod recipe;
pub mod report;
pub mod train;

pub use error::{Error, Result};
