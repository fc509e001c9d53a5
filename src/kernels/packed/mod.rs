//! Operators over weights packed for the DSP instructions. They compute what their namesakes one room up do; what
//! differs is the order of things, which is told at [`Packing`](crate::ir::Packing).

mod add;
mod conv2d;
mod dense;
mod depthwise_conv2d;
mod four_channels;
mod point;
mod rows;
mod squares;
mod taps;
mod views;
mod winograd;

pub(crate) use add::add;
pub(crate) use conv2d::{conv2d, long_conv2d};
pub(crate) use dense::{dense, long_dense};
pub(crate) use depthwise_conv2d::{depthwise_conv2d, depthwise_conv2d_3x3};
pub(crate) use four_channels::four_channels;
pub(crate) use point::point_conv2d;
pub(crate) use rows::rows_conv2d;
pub(crate) use squares::squares_conv2d;
pub(crate) use taps::taps_conv2d;
pub(crate) use views::views_conv2d;
pub(crate) use winograd::winograd_conv2d;

use crate::arch::Isa;
use crate::arch::packed::{Quads, Runs};
use crate::ir::{Clamp, Requant};
use crate::kernels::{Flow, activate};

/// Applies an activation to a whole output as the blocks stored it, which hold themselves within int8 only.
#[inline(always)]
fn activate_all<I: Isa>(isa: I, flow: &mut Flow<'_>, clamp: Clamp) {
    if clamp != Clamp::FULL {
        isa.clamp(flow.output(), clamp);
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

/// [`Isa::quads`] of `units` units in rows of pixels, and [`Isa::half_quads`] of those that are no whole quad, where `rests`
/// tells that there are such; or the same of long sums.
#[inline(always)]
fn quads<I: Isa, const LONG: bool>(
    isa: I,
    all: &Quads<'_>,
    (rows, runs): (usize, Runs<'_>),
    y: &mut [i8],
    units: usize,
    rests: u8,
) {
    if all.count > 0 {
        if LONG { isa.long_quads(all, rows, runs, y) } else { isa.quads(all, rows, runs, y) }
    }
    let rest = units % 4;
    if rests > 1 && rest > 0 {
        if LONG {
            isa.long_half_quads(all, rest, rests, rows, runs, y);
        } else {
            isa.half_quads(all, rest, rests, rows, runs, y);
        }
    }
}
