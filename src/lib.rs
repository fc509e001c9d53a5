//! Integer-only, allocation-free inference of small neural nets.
#![no_std]
#![deny(unsafe_code)]
extern crate no_std_compat as std;

mod arch;
mod engine;
pub mod fixed;
pub mod ir;
mod kernels;
mod model;

pub use engine::{RunError, Runner, WrongLength, run_graph};
pub use model::{Arena, Class, Engine, Golden, Memory, Model, argmax, top};
