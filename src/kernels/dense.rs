//! Matrix times vector.
//!
//! ```text
//! y[n] = narrow(requantise(b[n] + sum over j of w[n][j] * x[j]))
//! ```
//!
//! The input's zero point is in the bias already.
//!
//! Tricks:
//! 1. Four rows at a time ([`Isa::units`]): each input loaded serves four products.

use super::{Input, Output};
use crate::arch::{Isa, Matrix};
use crate::ir::IntData;

/// `W x + b` into `y`.
///
/// # Shapes
/// `y` is `[units]`, `x` of any shape is read as a vector; `data` as [`IntData`] tells.
#[inline(never)]
pub(crate) fn dense<I: Isa>(isa: I, data: &IntData<'_>, x: Input<'_>, y: Output<'_>) {
    let (units, k) = (usize::from(y.shape.c), x.shape.len());
    let matrix = Matrix::new(data, k, y.store(data.clamp));
    isa.units(&matrix, 0..units, x.data, data.bias, y.data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Packing, Scratch, Shape};
    use crate::kernels::oracle::{Numbers, factor, finish, hold, on_every_isa};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    fn equals_the_oracle<I: Isa>(isa: I) {
        hold(512, (1..=17u16, 1..=70u16, any::<u64>()), |(units, inputs, seed)| {
            let mut numbers = Numbers(seed);
            let (zero, out_zero) = (numbers.int8(), numbers.int8());
            let (n, k) = (usize::from(units), usize::from(inputs));
            let x = Input { shape: Shape::flat(inputs), zero, data: &numbers.int8s(k) };
            let (w, bias) = (numbers.weights(n * k), numbers.biases(n));
            let row = |unit: usize| &w[unit * k..(unit + 1) * k];
            let fold = |unit: usize| {
                bias[unit] - row(unit).iter().map(|&w| i32::from(w)).sum::<i32>() * i32::from(zero)
            };
            let data = IntData {
                weights: &w,
                bias: &(0..n).map(fold).collect::<Vec<_>>(),
                requant: &numbers.requants(n),
                clamp: numbers.clamp(),
                scratch: Scratch::default(),
                packing: Packing::Plain,
            };
            let mut got = vec![55; n];
            let y = Output { shape: Shape::flat(units), zero: out_zero, data: &mut got };
            let store = y.store(data.clamp);
            dense(isa, &data, x, y);
            for unit in 0..n {
                let products = row(unit).iter().zip(x.data);
                let sum: i64 = products.map(|(&w, &q)| i64::from(w) * (i64::from(q) - i64::from(zero))).sum();
                let want = finish(i64::from(bias[unit]) + sum, factor(&data, unit), store);
                prop_assert_eq!(got[unit], want, "unit {}", unit);
            }
            Ok(())
        });
    }

    #[test]
    fn on_every_isa_dense_equals_the_oracle() {
        on_every_isa!(equals_the_oracle);
    }
}
