//! x86-64 with AVX2, and with AVX-512 VNNI.
//!
//! Each block has a safe door here that checks every length before it passes pointers, and its portable counterpart in
//! [`super::fours`] or in the trait itself, to which it is bit-equal.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop)] // an index names a register: such loops are unrolled

mod avx2;
mod rounding;
mod vnni;
mod walk;

use super::fours::{Lanes, Sixteens};
use super::packed::Linear;
use super::pool::{self, View};
use super::{Isa, LANES, Store, Sum};
use crate::ir::Requant;

/// The token of AVX2; made by [`Avx2::detect`] only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Avx2(());

/// The token of AVX-512 with its dot-product instructions; made by [`Vnni::detect`] only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Vnni(());

impl Avx2 {
    /// The token, if the CPU has the instructions.
    pub(crate) fn detect() -> Option<Self> {
        std::is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

impl Vnni {
    /// The token, if the CPU has the instructions.
    pub(crate) fn detect() -> Option<Self> {
        let all = std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512dq")
            && std::is_x86_feature_detected!("avx512vl")
            && std::is_x86_feature_detected!("avx512vnni");
        all.then_some(Self(()))
    }
}

impl Isa for Avx2 {
    const NAME: &'static str = "avx2";

    fn sixteens(self, s: &Sixteens<'_>, x: &[i8], y: &mut [i8]) {
        if s.fits(x.len(), y.len()) {
            // SAFETY: the token proves the instructions, `fits` that every access lies within its slice.
            unsafe { avx2::sixteens(s, x, y) }
        }
    }

    fn lanes(self, l: &Lanes<'_>, x: &[i8], y: &mut [i8]) {
        if l.fits(x.len(), y.len()) {
            // SAFETY: the token proves the instructions, `fits` that every access lies within its slice.
            unsafe { avx2::lanes(l, x, y) }
        }
    }

    fn lay(self, x: &[i8], row: usize, to: &mut [i8], pitch: usize, border: i8) {
        // SAFETY: the token proves the instructions.
        unsafe { avx2::lay(x, row, to, pitch, border) }
    }

    fn store(self, acc: &[i32], requant: &[Requant], store: Store, y: &mut [i8]) {
        // SAFETY: the token proves the instructions.
        unsafe { avx2::store(acc, requant, store, y) }
    }

    fn sum_row(self, acc: &mut [i32], x: &[i8], step: usize, count: usize) {
        // SAFETY: the token proves the instructions.
        unsafe { avx2::sum_row(acc, x, step, count) }
    }

    fn mean_window(self, y: &mut [i8], view: &View<'_>) {
        mean_window(self, y, view);
    }

    fn max_window(self, y: &mut [i8], view: &View<'_>) {
        // SAFETY: the token proves the instructions.
        unsafe { avx2::max_window(y, view) }
    }

    fn sum_window(self, acc: &mut [i32], x: &[i8], taps: [usize; 2], steps: [usize; 2]) {
        pool::sum_window(self, acc, x, on_end(taps, steps), steps);
    }

    fn add(self, y: &mut [i8], x: Option<&[i8]>, sum: &Sum) {
        // SAFETY: the token proves the instructions.
        unsafe { avx2::add(y, x, sum) }
    }

    fn add_linear(self, y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
        // SAFETY: the token proves the instructions.
        unsafe { avx2::add_linear(y, x, linear) }
    }
}

impl Isa for Vnni {
    const NAME: &'static str = "avx-512 vnni";
    const OFFSET: u8 = 128;

    fn sixteens(self, s: &Sixteens<'_>, x: &[i8], y: &mut [i8]) {
        if s.fits(x.len(), y.len()) {
            // SAFETY: the token proves the instructions, `fits` that every access lies within its slice.
            unsafe { vnni::sixteens(s, x, y) }
        }
    }

    fn lanes(self, l: &Lanes<'_>, x: &[i8], y: &mut [i8]) {
        if l.fits(x.len(), y.len()) {
            // SAFETY: the token proves the instructions, `fits` that every access lies within its slice.
            unsafe { vnni::lanes(l, x, y) }
        }
    }

    fn lay(self, x: &[i8], row: usize, to: &mut [i8], pitch: usize, border: i8) {
        // SAFETY: the token proves the instructions.
        unsafe { vnni::lay(x, row, to, pitch, border) }
    }

    fn store(self, acc: &[i32], requant: &[Requant], store: Store, y: &mut [i8]) {
        // SAFETY: the token proves the instructions.
        unsafe { vnni::store(acc, requant, store, y) }
    }

    fn sum_row(self, acc: &mut [i32], x: &[i8], step: usize, count: usize) {
        // SAFETY: the token proves the instructions.
        unsafe { vnni::sum_row(acc, x, step, count) }
    }

    fn mean_window(self, y: &mut [i8], view: &View<'_>) {
        mean_window(self, y, view);
    }

    fn max_window(self, y: &mut [i8], view: &View<'_>) {
        // SAFETY: the token proves AVX2 too, whose registers do.
        unsafe { avx2::max_window(y, view) }
    }

    fn sum_window(self, acc: &mut [i32], x: &[i8], taps: [usize; 2], steps: [usize; 2]) {
        pool::sum_window(self, acc, x, on_end(taps, steps), steps);
    }

    fn add(self, y: &mut [i8], x: Option<&[i8]>, sum: &Sum) {
        // SAFETY: the token proves the instructions.
        unsafe { vnni::add(y, x, sum) }
    }

    fn add_linear(self, y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
        // SAFETY: the token proves the instructions.
        unsafe { vnni::add_linear(y, x, linear) }
    }
}

/// The taps of a window as one row, where its rows lie on end: then all of it is one [`Isa::sum_row`].
fn on_end([rows, columns]: [usize; 2], steps: [usize; 2]) -> [usize; 2] {
    if steps[0] == columns * steps[1] { [1, rows * columns] } else { [rows, columns] }
}

/// [`Isa::mean_window`] without a division.
fn mean_window(isa: impl Isa, y: &mut [i8], view: &View<'_>) {
    let count = Count::new(view.count() as u32);
    pool::means(isa, y, view, |sum| count.mean(sum) as i8);
}

/// A count to divide by, and `floor(2^64 / count) + 1`.
struct Count(u32, u64);

impl Count {
    fn new(count: u32) -> Self {
        Self(count, (u64::MAX / u64::from(count.max(2))).wrapping_add(1))
    }

    /// [`crate::fixed::mean`], with a product in place of the quotient: of a number and a count of 32 bits the upper half of
    /// the product is the quotient (Lemire, Kaser, Kurz: Faster remainder by direct computation, 2019).
    #[inline(always)]
    fn mean(&self, sum: i32) -> i32 {
        let nearest = sum.unsigned_abs().wrapping_add(self.0 / 2);
        let quotient = match self.0 {
            0 => 0,
            1 => nearest,
            _ => ((u128::from(nearest) * u128::from(self.1)) >> 64) as u32,
        };
        if sum < 0 { -(quotient as i32) } else { quotient as i32 }
    }
}

/// Taps whose sum 16 bits hold.
const FEW: usize = 256;

/// Whether a sum of taps is one of [`LANES`], and all of them lie within.
fn whole(acc: &[i32], x: &[i8], step: usize, count: usize) -> bool {
    let reach = count.saturating_sub(1).saturating_mul(step).saturating_add(LANES);
    acc.len() == LANES && x.len() >= reach
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed::mean;
    use crate::kernels::oracle::hold;
    use proptest::prelude::*;

    #[test]
    fn a_mean_is_that_of_a_division() {
        let sums = prop_oneof![-70_000..70_000i32, -i32::MAX..=i32::MAX];
        let counts = prop_oneof![0..=300u32, 0..=1u32 << 24];
        hold(4096, (sums, counts), |(sum, count)| {
            // Beside a multiple and a half of the count the quotient changes.
            let half = (count / 2) as i32;
            let multiple = (i64::from(sum) / i64::from(count.max(1)) * i64::from(count)) as i32;
            for sum in [sum, multiple.saturating_add(half), multiple.saturating_sub(half)] {
                for near in [sum.saturating_sub(1), sum, sum.saturating_add(1)] {
                    let near = near.max(-i32::MAX);
                    prop_assert_eq!(Count::new(count).mean(near), mean(near, count), "{} / {}", near, count);
                }
            }
            Ok(())
        });
    }
}
