//! Matrix times vector, four rows at a time; a byte of a row serves two inputs.

use super::{Biases, units};
use crate::arch::{Isa, Matrix};
use crate::ir::{IntData, Nibbles};
use crate::kernels::{Input, Output};

/// `W x + b` into `y`, weights packed as [`NibblesDense`](crate::ir::Packing::NibblesDense).
#[inline(never)]
pub(crate) fn dense<I: Isa>(isa: I, data: &IntData<'_>, x: Input<'_>, y: Output<'_>) {
    let k = Nibbles::bytes(x.data.len());
    let matrix = Matrix::new(data, k, y.store(data.clamp));
    units(isa, &matrix, 0..y.shape.c.into(), x.data, (Biases::Words(data.bias), 0), y.data);
}
