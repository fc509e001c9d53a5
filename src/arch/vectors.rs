//! Blocks over vectors of sixteen elements: what they compute, for any CPU. How weights lie is told at
//! [`crate::ir::Vectors`].

use super::{Store, run};
use crate::fixed::requantise;
use crate::ir::{Requant, Vectors};

/// The units of a group, for four neighbouring pixels.
#[derive(Clone, Copy)]
pub(crate) struct Dots<'a> {
    /// `[quad of units][vector][4 units][16]`.
    pub(crate) weights: &'a [i8],
    /// A factor for each unit, its shift below 0.
    pub(crate) requant: &'a [Requant],
    /// A bias for each unit, for the first pixel.
    pub(crate) bias: &'a [i32],
    /// Biases from one pixel to the next; 0 where all have the same.
    pub(crate) bias_step: usize,
    /// Units.
    pub(crate) units: usize,
    /// Vectors of a window.
    pub(crate) vectors: usize,
    /// Pixels, 1 to 4.
    pub(crate) pixels: usize,
    /// Bytes from a pixel to the next in the output.
    pub(crate) y_step: usize,
    /// How outputs are stored.
    pub(crate) store: Store,
}

/// See [`Isa::lay_runs`](super::Isa::lay_runs).
pub(crate) fn lay_runs(x: &[i8], runs: &[[usize; 4]], len: usize, to: &mut [i8], pitch: usize) {
    for (i, places) in runs.iter().enumerate() {
        for (pixel, &place) in places.iter().enumerate() {
            let to = to.get_mut(pixel * pitch + i * len..).unwrap_or_default();
            to.iter_mut().zip(run(x, place, len)).for_each(|(to, &x)| *to = x);
        }
    }
}

/// See [`Isa::dots`](super::Isa::dots).
pub(crate) fn dots(dots: &Dots<'_>, x: &[i8], y: &mut [i8]) {
    const ELEMENTS: usize = Vectors::ELEMENTS;
    let pitch = ELEMENTS * dots.vectors;
    for pixel in 0..dots.pixels {
        let x = run(x, pixel * pitch, pitch).as_chunks::<ELEMENTS>().0;
        for unit in 0..dots.units {
            let first = unit / Vectors::UNITS * Vectors::UNITS * pitch + unit % Vectors::UNITS * ELEMENTS;
            let mut acc = dots.bias.get(pixel * dots.bias_step + unit).copied().unwrap_or_default();
            for (i, x) in x.iter().enumerate() {
                let w = run(dots.weights, first + i * Vectors::UNITS * ELEMENTS, ELEMENTS);
                for (&x, &w) in x.iter().zip(w) {
                    acc = acc.wrapping_add(i32::from(x) * i32::from(w));
                }
            }
            let q = dots.requant.get(unit).copied().unwrap_or_default();
            if let Some(y) = y.get_mut(pixel * dots.y_step + unit) {
                *y = dots.store.narrow(requantise(acc, q.multiplier, q.shift));
            }
        }
    }
}
