//! Integer-only, allocation-free inference of small neural nets.
#![no_std]
extern crate no_std_compat as std;

pub mod fixed;
pub mod ir;
