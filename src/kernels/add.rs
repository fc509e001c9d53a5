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
#[inline(never)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed::tests::requantise_exactly;
    use crate::ir::{Clamp, Requant, Shape};
    use crate::kernels::oracle::{Numbers, finish, hold, on_every_isa};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    fn equals_the_oracle<I: Isa>(isa: I) {
        hold(512, (0..40u16, 0..3usize, any::<u64>()), |(n, held, seed)| {
            let mut numbers = Numbers(seed);
            let [a, b] = [(); 2].map(|()| numbers.int8s(n.into()));
            let zeros = [numbers.int8(), numbers.int8()];
            // Factors as TensorFlow Lite makes them: operands at most 1/2, the sum from 2^-19 up.
            let factor = |numbers: &mut Numbers, least: i32, range: usize| {
                let mantissa = (1 << 30) + (numbers.next() & 0x3fff_ffff) as i32;
                Requant::new(mantissa, least + numbers.below(range) as i32)
            };
            let requant =
                [factor(&mut numbers, -7, 8), factor(&mut numbers, -7, 8), factor(&mut numbers, -22, 8)];
            let data = IntData { requant: &requant, clamp: numbers.clamp(), ..IntData::NONE };
            // The output holds operand 0, operand 1, or (2) operand 0 twice.
            let mut got = if held == 1 { b.clone() } else { a.clone() };
            let y = Output { shape: Shape::flat(n), zero: numbers.int8(), data: &mut got };
            let store = y.store(data.clamp);
            let input = |i: usize, data| Input { shape: Shape::flat(n), zero: zeros[i], data };
            match held {
                0 => add(isa, &data, 0, zeros[0], Some(input(1, &b)), y),
                1 => add(isa, &data, 1, zeros[1], Some(input(0, &a)), y),
                _ => add(isa, &data, 0, zeros[0], None, y),
            }
            for i in 0..got.len() {
                let scaled = |q: i8, zero: i8, factor| {
                    requantise_exactly((i64::from(q) - i64::from(zero)) << 20, factor)
                };
                let second = if held == 2 { (a[i], zeros[0]) } else { (b[i], zeros[1]) };
                let sum = scaled(a[i], zeros[0], requant[0]) + scaled(second.0, second.1, requant[1]);
                prop_assert_eq!(got[i], finish(sum, requant[2], store));
            }
            Ok(())
        });
    }

    #[test]
    fn on_every_isa_add_equals_the_oracle() {
        on_every_isa!(equals_the_oracle);
    }

    #[test]
    fn equal_scales_add_plainly() {
        // Both operands times 1/2, the sum times 2 / 2^20: q = 2 * scale / (2^20 * scale).
        let requant = [Requant::new(1 << 30, 0), Requant::new(1 << 30, 0), Requant::new(1 << 30, -18)];
        let data = IntData { requant: &requant, clamp: Clamp::new(-100, 100), ..IntData::NONE };
        let mut y = [3, -7, 90, -90];
        let x = Input { shape: Shape::flat(4), zero: 0, data: &[4, 5, 90, -90] };
        let out = Output { shape: Shape::flat(4), zero: 1, data: &mut y };
        add(crate::arch::Scalar, &data, 0, 0, Some(x), out);
        assert_eq!(y, [8, -1, 100, -100]);
    }
}
