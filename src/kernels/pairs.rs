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
use crate::arch::Isa;
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
pub(crate) fn mul<I: Isa>(isa: I, data: &IntData<'_>, pair: Pair<'_>, y: Output<'_>) {
    let &[requant] = data.requant else { return };
    let store = y.store(data.clamp);
    let Some(other) = pair.other else {
        return each(pair, y, |a, b| store.narrow(scale(a * b, requant)));
    };
    let zeros = [pair.zero, other.zero];
    if other.shape.same(y.shape) {
        return isa.multiply(y.data, other.data, 1, zeros, requant, store);
    }
    pixels(y, other, |y, x, step| isa.multiply(y, x, step, zeros, requant, store));
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
fn each(pair: Pair<'_>, y: Output<'_>, f: impl Fn(i32, i32) -> i8) {
    let less = |q: i8, zero: i8| i32::from(q) - i32::from(zero);
    let Some(other) = pair.other else {
        y.data.iter_mut().for_each(|y| *y = f(less(*y, pair.zero), less(*y, pair.zero)));
        return;
    };
    pixels(y, other, |y, x, step| {
        let mut at = 0;
        for y in y {
            let (held, other) = (less(*y, pair.zero), x.get(at).map(|&q| less(q, other.zero)));
            *y = match (other, pair.held) {
                (Some(other), 0) => f(held, other),
                (Some(other), _) => f(other, held),
                (None, _) => *y,
            };
            at += step;
        }
    });
}

/// Each pixel of `y`, the other operand from the first element on that it meets, and how far on its next channel meets the
/// next.
#[inline(always)]
fn pixels(mut y: Output<'_>, other: Input<'_>, mut f: impl FnMut(&mut [i8], &[i8], usize)) {
    let [rows, columns, channels] = repeated(other.shape);
    let mut row = 0usize;
    for _ in 0..y.shape.h {
        let mut pixel = row;
        for _ in 0..y.shape.w {
            let x = other.data.get(pixel..).unwrap_or_default();
            f(y.next(y.shape.c.into()), x, channels.unsigned_abs());
            pixel = pixel.wrapping_add_signed(columns);
        }
        row = row.wrapping_add_signed(rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Store;
    use crate::fixed::tests::requantise_exactly;
    use crate::ir::Shape;
    use crate::kernels::oracle::{Numbers, broadcasts, finish, hold, on_every_isa, outputs, place};
    use crate::kernels::repeat;
    use proptest::prelude::*;
    use std::prelude::v1::*;

    /// Holds a kernel against `exact`, a function of the operands less their zero points, for either operand in place
    /// and for one tensor that is both.
    fn equals(
        kernel: impl Fn(&IntData<'_>, Pair<'_>, Output<'_>),
        factors: usize,
        exact: impl Fn(i64, i64, &[Requant], Store) -> i8,
    ) {
        hold(512, (broadcasts(), 0..3usize, any::<u64>()), |((shape, sides), held, seed)| {
            let mut numbers = Numbers(seed);
            let operands = sides.map(|side| numbers.int8s(side.len()));
            let zeros = [numbers.int8(), numbers.int8()];
            // At most 1, as the factors of operands are, so that nothing overflows.
            let requant: Vec<Requant> = (0..factors)
                .map(|i| {
                    let mantissa = (1 << 30) + (numbers.next() & 0x3fff_ffff) as i32;
                    let least = if factors == 3 && i == 2 { -22 } else { -8 };
                    Requant::new(mantissa, least + numbers.below(8) as i32)
                })
                .collect();
            let data = IntData { requant: &requant, clamp: numbers.clamp(), ..IntData::NONE };
            let shape = if held == 2 { sides[0] } else { shape };
            let mut got = vec![55; shape.len()];
            let zero = numbers.int8();
            let operand = |i: usize| Input { shape: sides[i], zero: zeros[i], data: &operands[i] };
            let in_place = held % 2;
            repeat(crate::arch::Scalar, operand(in_place), Output { shape, zero, data: &mut got });
            let other = (held < 2).then(|| operand(1 - in_place));
            let y = Output { shape, zero, data: &mut got };
            let store = y.store(data.clamp);
            kernel(&data, Pair { held: in_place, zero: zeros[in_place], other }, y);
            for (i, at) in outputs(shape).enumerate() {
                let less =
                    |side: usize| i64::from(operands[side][place(sides[side], at)]) - i64::from(zeros[side]);
                let (a, b) = (less(0), less(if held == 2 { 0 } else { 1 }));
                prop_assert_eq!(got[i], exact(a, b, &requant, store), "at {:?}, {} held", at, held);
            }
            Ok(())
        });
    }

    fn sum(a: i64, b: i64, q: &[Requant], store: Store) -> i8 {
        finish(requantise_exactly(a << 20, q[0]) + requantise_exactly(b << 20, q[1]), q[2], store)
    }

    fn difference(a: i64, b: i64, q: &[Requant], store: Store) -> i8 {
        finish(requantise_exactly(a << 20, q[0]) - requantise_exactly(b << 20, q[1]), q[2], store)
    }

    #[test]
    fn sums_and_differences_equal_the_oracle() {
        equals(add_broadcast, 3, sum);
        equals(sub, 3, difference);
    }

    fn products_equal_it<I: Isa>(isa: I) {
        let kernel = |data: &IntData<'_>, pair: Pair<'_>, y: Output<'_>| mul(isa, data, pair, y);
        equals(kernel, 1, |a, b, q, store| finish(a * b, q[0], store));
    }

    #[test]
    fn products_equal_the_oracle() {
        on_every_isa!(products_equal_it);
        equals(
            prelu,
            2,
            |a, b, q, store| if a < 0 { finish(a * b, q[1], store) } else { finish(a, q[0], store) },
        );
    }

    #[test]
    fn an_operand_too_short_changes_nothing() {
        let data = IntData { requant: &[Requant::new(1 << 30, 1)], ..IntData::NONE };
        let mut y = [1, 2, 3];
        let other = Some(Input { shape: Shape::flat(3), zero: 0, data: &[5, 5] });
        let shape = Shape::flat(3);
        mul(
            crate::arch::Scalar,
            &data,
            Pair { held: 0, zero: 0, other },
            Output { shape, zero: 0, data: &mut y },
        );
        assert_eq!(y, [5, 10, 3]);
    }
}
