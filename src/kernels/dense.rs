//! Matrix times vector.
//!
//! ```text
//! y[n] = narrow(requantise(b[n] + sum over j of w[n][j] * x[j]))
//! ```
//!
//! The input's zero point is in the bias already.
//!
//! Tricks:
//! 1. Four rows at a time: each input loaded serves four products.

use super::{Input, Output, biases};
use crate::arch::{Isa, QUAD, run};
use crate::ir::IntData;

/// `W x + b` into `y`.
///
/// # Shapes
/// `y` is `[units]`, `x` of any shape is read as a vector; `data` as [`IntData`] tells.
pub(crate) fn dense<I: Isa>(isa: I, data: &IntData<'_>, x: Input<'_>, mut y: Output<'_>) {
    let (units, k) = (usize::from(y.shape.c), x.shape.len());
    let store = y.store(data.clamp);
    for unit in (0..units).step_by(QUAD) {
        let live = QUAD.min(units - unit);
        let w = isa.quad(data.weights, k, unit, units - 1);
        let mut acc = [biases(data.bias, unit)];
        isa.dot(&mut acc, [run(x.data, 0, k)], &w, 0);
        let [acc] = acc;
        isa.store(&acc, run(data.requant, unit, live), store, y.next(live));
    }
}
