//! The reader of TensorFlow Lite models: models of the goldens and of the world, and every way to be refused.

mod accepted;
mod author;
mod goldens;
mod memory;
mod mutated;
mod operators;
mod promise;
mod real;
mod refused;
