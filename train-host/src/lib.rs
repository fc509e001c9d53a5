//! Trains small neural nets, quantises them to 8 bits, and exports them for the `zipnet` engine.

pub mod data;
mod error;
pub mod train;

pub use error::{Error, Result};
