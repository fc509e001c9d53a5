//! AVX2: bytes are widened to int16, two products of which `VPMADDWD` adds to each of eight sums. Elements are int8 as
//! they are.

mod factors;
mod lanes;
mod sixteens;
mod sums;

pub(super) use lanes::lanes;
pub(super) use sixteens::sixteens;
pub(super) use sums::{add, add_linear, store, sum_row};
