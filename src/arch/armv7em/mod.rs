//! Cortex-M4, M7, M33 and others with DSP instructions: blocks in assembler.
//!
//! Each function in assembler has a safe door beside it that checks every length before it passes pointers, and its
//! portable counterpart in [`super::packed`], which computes the same and which hosts test. Single loads and stores
//! throughout, for those may be unaligned on these cores; exporter and planner see to it that they are not.
//!
//! Cycles are those of a Cortex-M4: a group of `n` loads in a row takes `n + 1`, a branch taken 3, the rest 1.

#![allow(unsafe_code)]

mod add;
mod depthwise;
mod eights;
mod frame;
mod join;
mod quads;
mod widen;

use super::Isa;
use super::packed::{Eights, Linear, Quads, Taps};

/// The token; this module exists only where the CPU has the instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Armv7em;

impl Isa for Armv7em {
    const NAME: &'static str = "armv7e-m";
    const PAIRS: bool = false;

    #[inline(always)]
    fn widen_lane(self, x: &[i8], to: &mut [i8], at: usize, lane: usize) {
        widen::lane(x, to, at, lane);
    }

    #[inline(always)]
    fn widen(self, x: &[i8], to: &mut [i8]) {
        widen::run(x, to);
    }

    #[inline(always)]
    fn quads(self, quads: &Quads<'_>, runs: &[&[i8]], y: &mut [i8]) {
        quads::quads(quads, runs, y);
    }

    #[inline(always)]
    fn eights(self, eights: &Eights<'_>, x: &[i8], y: &mut [i8]) {
        eights::eights(eights, x, y);
    }

    #[inline(always)]
    fn join_rows(
        self,
        rows: [&[i8]; 2],
        steps: [usize; 2],
        channels: usize,
        columns: usize,
        to: &mut [i8],
        pitch: usize,
    ) {
        join::join_rows(rows, steps, channels, columns, to, pitch);
    }

    #[inline(always)]
    fn taps(self, taps: &Taps<'_>, rows: &[&[i8]], y: &mut [i8]) {
        depthwise::taps(taps, rows, y);
    }

    #[inline(always)]
    fn two_rows(self, taps: &Taps<'_>, pairs: [&[i8]; 2], y: &mut [i8], second: Option<&mut [i8]>) {
        depthwise::two_rows(taps, pairs, y, second);
    }

    #[inline(always)]
    fn add_linear(self, y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
        add::linear(y, x, linear);
    }
}
