//! Trains small neural nets, quantises them to 8 bits, and exports them for the `zipnet` engine.

pub mod batch;
pub mod build;
pub mod clean;
pub mod cli;
pub mod commands;
pub mod compress;
pub mod data;
mod error;
pub mod eval;
pub mod export;
pub mod float;
pub mod graph;
pub mod import;
pub mod plan;
pub mod quantise;
pub mod recipe;
pub mod report;
pub mod sweep;
mod ties;
pub mod timing;
pub mod train;

pub use error::{Error, Result};
