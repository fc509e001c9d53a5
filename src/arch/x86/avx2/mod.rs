//! AVX2: `VPMADDUBSW` and `VPMADDWD` add four products of bytes to each of eight sums. Elements are int8 as they are, and
//! so are weights, none of which is -128.

mod dot;
mod factors;
mod greatest;
mod lanes;
mod sixteens;
mod sums;

pub(super) use greatest::max_window;
pub(super) use lanes::lanes;
pub(super) use sixteens::sixteens;
pub(super) use sums::{add, add_linear, lay, store, sum_row};
