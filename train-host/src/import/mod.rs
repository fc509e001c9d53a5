//! Nets that were trained elsewhere.
//!
//! A file becomes a [`model::Model`]: plain data that has been verified and still speaks the words of its format.
//!

pub mod model;
pub mod tflite;
