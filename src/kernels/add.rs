//! Sum of two tensors of one shape.
//!
//! ```text
//! y = narrow(requantise(requantise((a - za) * 2^20, qa) + requantise((b - zb) * 2^20, qb), q))
//! ```
//!
//! The three factors are `[qa, qb, q]` in that order; TensorFlow Lite's choice is `scale of the operand / (2 *
//! greater scale of both)` for `qa` and `qb`, and `2 * greater scale / (2^20 * output scale)` for `q`.
//!
//! Tricks:
//! 1. Always in place: what is not there already is copied there first. The sum is symmetric, so either operand may
//!    be the one in place.

use super::{Input, Output};
use crate::arch::{Isa, Sum};
use crate::ir::IntData;

/// `y = y + x`, where `y` holds operand `held` (0 or 1) and `x` is the other one; without `x` both operands are `y`.
/// `zero` is the zero point of the operand that `y` holds.
pub(crate) fn add<I: Isa>(
    isa: I,
    data: &IntData<'_>,
    held: usize,
    zero: i8,
    x: Option<Input<'_>>,
    y: Output<'_>,
) {
    let &[first, second, requant] = data.requant else { return };
    let operands = if held == 0 { [first, second] } else { [second, first] };
    let zeros = [zero, x.map_or(zero, |x| x.zero)];
    let sum = Sum { zeros, operands, requant, store: y.store(data.clamp) };
    isa.add(y.data, x.map(|x| x.data), &sum);
}
