//! Trains small neural nets, quantises them to 8 bits, and exports them for the `zipnet` engine.

mod error;

pub use error::{Error, Result};
