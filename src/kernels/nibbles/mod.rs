//! Operators over weights of 4 bits, two a byte. They compute what their namesakes one room up do; how weights lie is
//! told at [`Nibbles`](crate::ir::Nibbles).

mod conv2d;
mod dense;
mod depthwise_conv2d;
#[cfg(test)]
mod tests;

pub(crate) use conv2d::conv2d;
pub(crate) use dense::dense;
pub(crate) use depthwise_conv2d::depthwise_conv2d;

use crate::arch::{Isa, Matrix, QUAD, first, run};
use crate::ir::Nibbles;
use core::ops::Range;

/// Biases as they lie in the table.
#[derive(Clone, Copy)]
enum Biases<'a> {
    /// A word each.
    Words(&'a [i32]),
    /// Two a word, the first in the low half.
    Halves(&'a [i32]),
}

impl Biases<'_> {
    /// A quad of them from `at` on; 0 where there are none.
    #[inline(always)]
    fn quad(&self, at: usize) -> [i32; QUAD] {
        match *self {
            Self::Words(words) => first(words, at),
            Self::Halves(words) => core::array::from_fn(|i| {
                let word = words.get((at + i) / 2).copied().unwrap_or_default();
                if (at + i).is_multiple_of(2) { i32::from(word as i16) } else { word >> 16 }
            }),
        }
    }
}

/// `y[n] = requantise(bias[n] + sum over j of x[j] * w[n][j])` for the units `n` of a range. `matrix.k` is the bytes of a
/// unit's weights; biases are those from `bias` on, `y` those of all units.
#[inline(always)]
fn units<I: Isa>(
    isa: I,
    matrix: &Matrix<'_>,
    units: Range<usize>,
    x: &[i8],
    (biases, bias): (Biases<'_>, usize),
    y: &mut [i8],
) {
    let x = x.get(..2 * matrix.k).unwrap_or(x);
    let mut unit = units.start;
    while unit < units.end {
        let Some(w) = isa.quad(matrix, unit, units.end - 1) else { return };
        let mut acc = biases.quad(bias + unit);
        isa.dot_nibbles(&mut acc, x, &w);
        isa.finish(matrix, unit, units.end, &acc, y);
        unit += QUAD;
    }
}

/// Weight `i` of a table.
#[inline(always)]
fn weight(weights: &[i8], i: usize) -> i8 {
    let [low, high] = Nibbles::both(run(weights, i / 2, 1).first().copied().unwrap_or_default());
    if i.is_multiple_of(2) { low } else { high }
}
