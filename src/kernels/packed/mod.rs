//! Operators over weights packed for the DSP instructions. They compute what their namesakes one room up do; what
//! differs is the order of things, which is told at [`Packing`](crate::ir::Packing).

mod add;
mod conv2d;
mod dense;
mod depthwise_conv2d;
mod point;
mod rows;
mod winograd;

pub(crate) use add::add;
pub(crate) use conv2d::conv2d;
pub(crate) use dense::dense;
pub(crate) use depthwise_conv2d::{depthwise_conv2d, depthwise_conv2d_3x3};
pub(crate) use point::point_conv2d;
pub(crate) use rows::rows_conv2d;
pub(crate) use winograd::winograd_conv2d;

use crate::arch::Isa;
use crate::arch::packed::{Quads, Runs};
use crate::arch::run;
use crate::ir::{Clamp, Requant};

/// Applies an activation to what the blocks stored, which hold themselves within int8 only.
#[inline(always)]
fn activate<I: Isa>(isa: I, y: &mut [i8], clamp: Clamp) {
    if clamp != Clamp::FULL {
        isa.clamp(y, clamp);
    }
}

/// Factors of a block of units, where all units share one.
#[inline(always)]
fn shared<const N: usize>(requant: &[Requant]) -> [Requant; N] {
    [requant.first().copied().unwrap_or_default(); N]
}

/// The factors of the units from `unit` on as blocks of `N` units read them, and how many lie between two blocks' factors:
/// none where all units share one, whose block is `shared`.
#[inline(always)]
fn factors<'a, const N: usize>(
    requant: &'a [Requant],
    unit: usize,
    shared: &'a [Requant; N],
) -> (&'a [Requant], usize) {
    if requant.len() == 1 { (shared, 0) } else { (requant.get(unit..).unwrap_or_default(), N) }
}

/// [`Isa::quads`] of `units` units, of which the last may be no whole quad.
#[inline(always)]
fn quads<I: Isa>(isa: I, all: &Quads<'_>, runs: Runs<'_>, y: &mut [i8], units: usize) {
    isa.quads(all, runs, y);
    if !units.is_multiple_of(4) {
        last_quad(isa, all, runs, y, units % 4);
    }
}

/// The units after the last whole quad.
#[inline(never)]
fn last_quad<I: Isa>(isa: I, all: &Quads<'_>, runs: Runs<'_>, y: &mut [i8], rest: usize) {
    // To where there is room for four units, so many pixels at a time.
    const AT_ONCE: usize = 16;
    let (whole, size) = (all.count, 8 * all.pairs * runs.begins.len());
    let mut part = Quads {
        weights: run(all.weights, whole * size, size),
        requant: run(all.requant, whole * all.requant_step, 4),
        count: 1,
        y_step: 4,
        ..*all
    };
    for first in (0..all.pixels).step_by(AT_ONCE) {
        let mut last = [0; 4 * AT_ONCE];
        part.pixels = AT_ONCE.min(all.pixels - first);
        part.bias = all.bias.get(first * all.bias_step + 4 * whole..).unwrap_or_default();
        isa.quads(&part, runs, &mut last);
        part.x_from += AT_ONCE / 2 * all.x_step;
        let mut at = first * all.y_step + 4 * whole;
        for &[a, b, c, _] in last.as_chunks().0.iter().take(part.pixels) {
            match y.get_mut(at..at + rest) {
                Some([y]) => *y = a,
                Some([y, z]) => (*y, *z) = (a, b),
                Some([y, z, u]) => (*y, *z, *u) = (a, b, c),
                _ => {}
            }
            at += all.y_step;
        }
    }
}
