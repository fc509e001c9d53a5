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
use super::{Isa, LANES, Scalar, Store, Sum};
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

/// [`Isa::sum_row`], to be compiled for an instruction set: where there are [`LANES`] sums they stay in registers.
#[inline(always)]
fn sum_row(acc: &mut [i32], x: &[i8], step: usize, count: usize) {
    let Ok(all) = <&mut [i32; LANES]>::try_from(&mut *acc) else {
        return Scalar.sum_row(acc, x, step, count);
    };
    let mut sums = *all;
    for x in (0..count).filter_map(|i| x.get(i * step..).and_then(|x| x.first_chunk::<LANES>())) {
        sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum = sum.wrapping_add(x.into()));
    }
    *all = sums;
}
