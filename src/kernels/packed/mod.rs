//! Operators over weights packed for the DSP instructions. They compute what their namesakes one room up do; what
//! differs is the order of things, which is told at [`Packing`](crate::ir::Packing).

mod add;
mod conv2d;
mod dense;
mod depthwise_conv2d;
mod rows;
mod winograd;

pub(crate) use add::add;
pub(crate) use conv2d::conv2d;
pub(crate) use dense::dense;
pub(crate) use depthwise_conv2d::{depthwise_conv2d, depthwise_conv2d_3x3};

pub(crate) use rows::rows_conv2d;
pub(crate) use winograd::winograd_conv2d;

use crate::arch::Isa;
use crate::arch::packed::Quads;
use crate::arch::run;
use crate::ir::Clamp;

/// Applies an activation to what the blocks stored, which hold themselves within int8 only.
#[inline(always)]
fn activate<I: Isa>(isa: I, y: &mut [i8], clamp: Clamp) {
    if clamp != Clamp::FULL {
        isa.clamp(y, clamp);
    }
}

/// [`Isa::quads`] of `units` units, of which the last may be no whole quad.
fn quads<I: Isa>(isa: I, all: &Quads<'_>, runs: &[&[i8]], y: &mut [i8], units: usize) {
    let whole = units / 4;
    isa.quads(&Quads { count: whole, ..*all }, runs, y);
    let rest = units % 4;
    if rest == 0 {
        return;
    }
    // To where there is room for four units, so many pixels at a time.
    const AT_ONCE: usize = 16;
    let size = 8 * all.pairs * runs.len();
    for first in (0..all.pixels).step_by(AT_ONCE) {
        let pixels = AT_ONCE.min(all.pixels - first);
        let mut last = [0; 4 * AT_ONCE];
        let mut places = [&[][..]; crate::ir::Lanes::MOST];
        for (place, x) in places.iter_mut().zip(runs) {
            *place = x.get(first / 2 * all.x_step..).unwrap_or_default();
        }
        let part = Quads {
            weights: run(all.weights, whole * size, size),
            requant: run(all.requant, 4 * whole, 4),
            bias: all.bias.get(first * all.bias_step + 4 * whole..).unwrap_or_default(),
            count: 1,
            pixels,
            y_step: 4,
            ..*all
        };
        isa.quads(&part, places.get(..runs.len()).unwrap_or_default(), &mut last);
        let mut at = first * all.y_step + 4 * whole;
        for last in last.as_chunks::<4>().0.iter().take(pixels) {
            if let Some(y) = y.get_mut(at..at + rest) {
                y.iter_mut().zip(last).for_each(|(y, &last)| *y = last);
            }
            at += all.y_step;
        }
    }
}
