//! Float nets, run forwards over batches: for training, for evaluation, and to see what quantising must represent.
//!
//! The batch lies in the SIMD lanes (`lanes`), so that nets of any small shape run near the CPU's peak.

#![allow(clippy::needless_range_loop)] // blocks of registers are indexed alike on both sides

pub(crate) mod conv;
pub(crate) mod depthwise;
mod executor;
pub(crate) mod gather;
pub(crate) mod lanes;
pub(crate) mod math;
pub(crate) mod moves;
#[cfg(test)]
pub(crate) mod naive;
pub(crate) mod plan;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod simd;
pub(crate) mod taps;
pub(crate) mod team;
#[cfg(test)]
pub(crate) mod zoo;

pub use executor::Executor;
pub use lanes::LANES;
