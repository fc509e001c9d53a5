//! Operators over weights packed by fours, for dot-product instructions. They compute what their namesakes one room up
//! do; what differs is the order of things, which is told at [`Packing`](crate::ir::Packing).
//!
//! Tricks:
//! 1. The image is copied once with its border into scratch, as the instruction set reads elements; then windows are
//!    runs of it at fixed distances, and the inner block goes over all pixels of an operator in one call.
//! 2. What is not a whole four is filled up with weights of 0, so that it may multiply whatever lies there.

mod conv2d;
mod depthwise_conv2d;

pub(crate) use conv2d::{conv2d, dense};
pub(crate) use depthwise_conv2d::depthwise_conv2d;

use super::Input;
use crate::arch::{Isa, run};
use crate::ir::Bordered;

/// Copies the samples of `x` into scratch with their borders, each element with the offset of the instruction set added, from
/// an address on that a register's loads like; and bytes from one sample to the next, of which every address is one.
fn lay<'s, I: Isa>(isa: I, image: &Bordered, x: Input<'_>, scratch: &'s mut [i8]) -> (&'s [i8], usize) {
    let from = scratch.as_ptr().align_offset(Bordered::ALIGN);
    let step = image.len.next_multiple_of(Bordered::ALIGN);
    let Some(to) = scratch.get_mut(from..) else { return (&[], step) };
    let (len, row) = (x.shape.len(), usize::from(x.shape.w) * usize::from(x.shape.c));
    let zero = x.zero ^ I::OFFSET as i8;
    // Where there is no border rows lie on end and are copied as one.
    let row = if image.len == len { len } else { row };
    for (x, to) in x.data.chunks_exact(len.max(1)).zip(to.chunks_mut(step.max(1))) {
        let Some((above, to)) = to.split_at_mut_checked(image.before[0]) else { continue };
        above.fill(zero);
        isa.lay(x, row, to, image.pitch, zero);
    }
    (to, step)
}

/// Of biases as they are, then biases for elements with 128 added, those that the instruction set wants.
fn biases<I: Isa>(both: &[i32]) -> &[i32] {
    let half = both.len() / 2;
    run(both, if I::OFFSET == 0 { 0 } else { half }, half)
}

/// Distances of the places of a grid, row after row.
fn spread(places: &mut [usize], [rows, columns]: [usize; 2], steps: [usize; 2]) -> &[usize] {
    let mut rest = places.iter_mut();
    for row in 0..rows {
        for (column, place) in rest.by_ref().take(columns).enumerate() {
            *place = row * steps[0] + column * steps[1];
        }
    }
    run(places, 0, rows * columns)
}
