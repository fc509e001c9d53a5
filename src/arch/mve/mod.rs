//! Cortex-M55, M85 and others with Helium, the vector extension of ARMv8.1-M: blocks in assembler over weights in plain
//! order, which is what its dot product of sixteen bytes likes.
//!
//! Each function in assembler has a safe door beside it that checks every length before it passes pointers, and its
//! portable counterpart among the default bodies of [`Isa`], which computes the same and which hosts test.
//!
//! The compiler knows nothing of the extension: each function names the core to the assembler. It must be switched on
//! before the engine runs (CP10 and CP11 of `CPACR`); the cargo feature `helium` says that it is there and will be.

#![allow(unsafe_code)]

mod add;
mod dots;
mod frame;
mod lay;
mod store;
mod sum;
mod taps;
mod units;
mod windows;

use super::halves::Windows;
use super::packed::Linear;
use super::vectors::Dots;
use super::{Isa, Matrix, QUAD, Store};
use crate::ir::{Clamp, Requant};
use core::ops::Range;

/// The token; this module exists only where the CPU has the instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mve;

impl Isa for Mve {
    const NAME: &'static str = "armv8.1-m mve";

    #[inline(always)]
    fn units(self, matrix: &Matrix<'_>, units: Range<usize>, x: &[i8], bias: &[i32], y: &mut [i8]) {
        units::units(self, matrix, units, x, bias, y);
    }

    #[inline(always)]
    fn dot(self, acc: &mut [i32; QUAD], x: &[i8], w: &[&[i8]; QUAD], from: usize) {
        units::dot(acc, x, w, from);
    }

    #[inline(always)]
    fn store(self, acc: &[i32], requant: &[Requant], store: Store, y: &mut [i8]) {
        store::store(acc, requant, store, y);
    }

    #[inline(always)]
    fn four_windows(self, windows: &Windows<'_>, x: &[i8], taps: &[[usize; 4]], y: &mut [i8]) {
        windows::four_windows(windows, x, taps, y);
    }

    #[inline(always)]
    fn add_linear(self, y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
        add::linear(y, x, linear);
    }

    #[inline(always)]
    fn copy(self, x: &[i8], to: &mut [i8]) {
        lay::copy(x, to);
    }

    #[inline(always)]
    fn lay_runs(self, x: &[i8], runs: &[[usize; 4]], len: usize, to: &mut [i8], pitch: usize) {
        lay::lay_runs(x, runs, len, to, pitch);
    }

    #[inline(always)]
    fn sum_row(self, acc: &mut [i32], x: &[i8], step: usize, count: usize) {
        sum::sum_row(acc, x, step, count);
    }

    #[inline(always)]
    fn dots(self, dots: &Dots<'_>, x: &[i8], y: &mut [i8]) {
        dots::dots(dots, x, y);
    }

    #[inline(always)]
    fn tap(self, acc: &mut [i32], x: &[i8], w: &[i8]) {
        taps::tap(acc, x, w);
    }

    #[inline(always)]
    fn max(self, acc: &mut [i8], x: &[i8]) {
        taps::max(acc, x);
    }

    #[inline(always)]
    fn clamp(self, y: &mut [i8], clamp: Clamp) {
        taps::clamp(y, clamp.low, clamp.high);
    }
}
