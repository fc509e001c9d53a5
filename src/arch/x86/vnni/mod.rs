//! AVX-512 with `VPDPBUSD`, which adds four products of unsigned by signed bytes to each of sixteen sums: the elements
//! are the unsigned ones, 128 added.

mod factors;
mod lanes;
mod sixteens;
mod stacked;
mod sums;

pub(super) use lanes::lanes;
pub(super) use sixteens::sixteens;
pub(super) use sums::{add, add_linear, lay, store, sum_row};
