//! The reader of TensorFlow Lite models: models of the goldens and of the world, and every way to be refused.

mod goldens;
mod real;
