//! Sum of two tensors of one shape, in one linear form that gives the same int8 for every pair of inputs.
//!
//! ```text
//! y = clamp((256 a x0 >> 16) + (256 b x1 >> 16) + c) >> 21)
//! ```
//!
//! Three factors and their roundings are one line each here; that the roundings come out the same is not a law but a
//! fact about `a`, `b` and `c`, which export looks for and proves by trying all 65,536 pairs of inputs.

use super::activate;
use crate::arch::Isa;
use crate::arch::packed::Linear;
use crate::ir::IntData;
use crate::kernels::{Input, Output};

/// `y = y + x`, where `y` holds operand `held` (0 or 1) and `x` is the other one; without `x` both operands are `y`.
#[inline(never)]
pub(crate) fn add<I: Isa>(isa: I, data: &IntData<'_>, held: usize, x: Option<Input<'_>>, y: Output<'_>) {
    let &[a, b, c] = data.bias else { return };
    let (a, b) = if held == 0 { (a, b) } else { (b, a) };
    isa.add_linear(y.data, x.map(|x| x.data), &Linear { a, b, c });
    activate(isa, y.data, data.clamp);
}
