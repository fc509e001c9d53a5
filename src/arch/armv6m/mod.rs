//! Cortex-M0, M0+, M3 and others without DSP instructions: blocks in assembler, in the instructions that all of them have.
//!
//! Each function in assembler has a safe door beside it that checks every length before it passes pointers, and its
//! portable counterpart among the default bodies of [`Isa`] and in [`super::halves`], which computes the same and which
//! hosts test. Words are read where addresses are multiples of 4, for these cores fault elsewhere; a door that finds another
//! address takes the portable body.
//!
//! A multiplication gives the lower 32 bits of a product to one of its operands; eight registers multiply, the other ones
//! only add, compare and move. So sums lie in the upper registers, and what is loaded last is multiplied.
//!
//! Cores of ARMv7-M multiply and add, and multiply to 64 bits: there the portable bodies over plain weights are faster than
//! what is here for ARMv6-M.
//!
//! Instructions are those of a Cortex-M0+; there loads and stores take 2 cycles, of `n` words `n + 1`, a branch taken 2, the
//! rest 1.

#![allow(unsafe_code)]

mod add;
#[cfg(baseline)]
mod dot;
mod frame;
mod halves;
mod lay;
#[cfg(baseline)]
mod store;
#[cfg(baseline)]
mod window;
mod windows;

use super::Isa;
use super::halves::{Block, Windows};
use super::packed::Linear;
#[cfg(baseline)]
use super::{QUAD, Store};
#[cfg(baseline)]
use crate::ir::Requant;

/// The token; this module exists only where the CPU has the instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Armv6m;

impl Isa for Armv6m {
    const NAME: &'static str = "armv6-m";

    #[cfg(baseline)]
    #[inline(always)]
    fn dot(self, acc: &mut [i32; QUAD], x: &[i8], w: &[&[i8]; QUAD], from: usize) {
        dot::dot(acc, x, w, from);
    }

    #[cfg(baseline)]
    #[inline(always)]
    fn window(self, acc: &mut [i32], taps: &[&[i8]], w: &[i8], step: usize) {
        window::window(acc, taps, w, step);
    }

    #[cfg(baseline)]
    #[inline(always)]
    fn store(self, acc: &[i32], requant: &[Requant], store: Store, y: &mut [i8]) {
        store::store(acc, requant, store, y);
    }

    #[inline(always)]
    fn add_linear(self, y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
        add::linear(y, x, linear);
    }

    #[inline(always)]
    fn lay_four(self, x: &[i8], places: &[usize; 4], len: usize, to: &mut [i8], at: usize) {
        lay::lay_four(x, places, len, to, at);
    }

    #[inline(always)]
    fn four_windows(self, windows: &Windows<'_>, x: &[i8], taps: &[[usize; 4]], y: &mut [i8]) {
        windows::four_windows(windows, x, taps, y);
    }

    #[inline(always)]
    fn halves(self, block: &Block<'_>, x: &[i8], y: &mut [i8]) {
        halves::halves(block, x, y);
    }
}
