//! Training: everything that changes weights.

pub mod augment;
