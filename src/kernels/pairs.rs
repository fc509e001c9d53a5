//! Elementwise operators of two operands that broadcast, or of which one is a constant.
//!
//! ```text
//! add: y = narrow(requantise(requantise((a - za) * 2^20, qa) + requantise((b - zb) * 2^20, qb), q))
//! sub: the same with a minus
//! mul: y = narrow(requantise((a - za) * (b - zb), q))
//! prelu: y = narrow(requantise(x - zx, q1)) where x >= zx, narrow(requantise((x - zx) * (alpha - za), q2)) elsewhere
//! ```
//!
//! Sources in TensorFlow Lite, `kernels/internal/reference/`: `integer_ops/add.h`, `sub.h` (`BroadcastQuantSubSlow`),
//! `integer_ops/mul.h` (`MulElementwise`), `prelu.h`.
//!
//! # Rounding
//! Twice in every factor, as [`requantise`]: the product, then the right shift.
//!
//! Tricks:
//! 1. Always in place, like the addition of equal shapes: one operand is first repeated to the whole output, and the
//!    other is read at steps of 0 along the axes on which it repeats.

use super::{Input, Output, repeated};
use crate::fixed::requantise;
use crate::ir::{IntData, Requant};

/// What [`Output`] holds before an operator runs, and the operand that it does not hold.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    /// Which operand the output holds: 0, the left one, or 1.
    pub(crate) held: usize,
    /// That operand's zero point.
    pub(crate) zero: i8,
    /// The other operand; without it both are what the output holds.
    pub(crate) other: Option<Input<'a>>,
}

/// Left plus right.
#[inline(never)]
pub(crate) fn add_broadcast(data: &IntData<'_>, pair: Pair<'_>, y: Output<'_>) {
    sums(data, pair, y, i32::wrapping_add);
}

/// Left minus right.
#[inline(never)]
pub(crate) fn sub(data: &IntData<'_>, pair: Pair<'_>, y: Output<'_>) {
    sums(data, pair, y, i32::wrapping_sub);
}

#[inline(always)]
fn sums(data: &IntData<'_>, pair: Pair<'_>, y: Output<'_>, sum: impl Fn(i32, i32) -> i32) {
    let &[first, second, requant] = data.requant else { return };
    let store = y.store(data.clamp);
    let raise = |x: i32, factor: Requant| scale(x << 20, factor);
    each(pair, y, |a, b| store.narrow(scale(sum(raise(a, first), raise(b, second)), requant)));
}

/// Left times right.
#[inline(never)]
pub(crate) fn mul(data: &IntData<'_>, pair: Pair<'_>, y: Output<'_>) {
    let &[requant] = data.requant else { return };
    let store = y.store(data.clamp);
    each(pair, y, |a, b| store.narrow(scale(a * b, requant)));
}

/// Left where it is not negative, left times right elsewhere.
#[inline(never)]
pub(crate) fn prelu(data: &IntData<'_>, pair: Pair<'_>, y: Output<'_>) {
    let &[identity, alpha] = data.requant else { return };
    let store = y.store(data.clamp);
    each(pair, y, |a, b| store.narrow(if a < 0 { scale(a * b, alpha) } else { scale(a, identity) }));
}

#[inline(always)]
fn scale(x: i32, factor: Requant) -> i32 {
    requantise(x, factor.multiplier, factor.shift)
}

/// Each element of `y` from the two operands less their zero points, left first.
#[inline(always)]
fn each(pair: Pair<'_>, mut y: Output<'_>, f: impl Fn(i32, i32) -> i8) {
    let less = |q: i8, zero: i8| i32::from(q) - i32::from(zero);
    let Some(other) = pair.other else {
        y.data.iter_mut().for_each(|y| *y = f(less(*y, pair.zero), less(*y, pair.zero)));
        return;
    };
    let steps = repeated(other.shape);
    let mut row = 0usize;
    for _ in 0..y.shape.h {
        let mut pixel = row;
        for _ in 0..y.shape.w {
            let mut at = pixel;
            for y in y.next(y.shape.c.into()) {
                let (held, other) = (less(*y, pair.zero), other.data.get(at).map(|&q| less(q, other.zero)));
                *y = match (other, pair.held) {
                    (Some(other), 0) => f(held, other),
                    (Some(other), _) => f(other, held),
                    (None, _) => *y,
                };
                at = at.wrapping_add_signed(steps[2]);
            }
            pixel = pixel.wrapping_add_signed(steps[1]);
        }
        row = row.wrapping_add_signed(steps[0]);
    }
}
