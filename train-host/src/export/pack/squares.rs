//! The packing of convolution by minimal filtering in both directions.

use zipnet::ir::{Conv2d, Packing, Scratch, Shape, Squares};

use super::numbers::{packed_factors, within};
use crate::graph::IntStore;

/// A convolution as [`Packing::DspSquares`] within the room there is, and about how many cycles it takes, where every sum
/// keeps within 26 bits; its output lies `apart` from its input.
pub(super) fn filters(
    conv: &Conv2d,
    [x, y]: [Shape; 2],
    plain: &IntStore,
    room: usize,
    apart: bool,
) -> Option<(IntStore, usize)> {
    let squares = Squares::new(conv, x)?;
    let behind = if apart { [y.h.into(), y.row()] } else { [0; 2] };
    let most = squares.strip(room);
    let times = squares.times(most, behind);
    // As few fours of squares at a time as come to as few times.
    let strip = (1..=most).find(|&strip| squares.times(strip, behind) == times)?;
    let k = plain.weights.len() / squares.units;
    if !within(squares.units, plain, 26) {
        return None;
    }
    let channels = 2 * squares.pairs;
    let mut weights = Vec::with_capacity(plain.weights.len());
    for unit in (0..squares.units).step_by(2) {
        for channel in (0..channels).step_by(4) {
            for unit in unit..unit + 2 {
                for tap in 0..9 {
                    let from = unit * k + tap * channels + channel;
                    weights.extend(&plain.weights[from..from + 4]);
                }
            }
        }
    }
    let store = IntStore {
        weights,
        bias: plain.bias.iter().map(|bias| bias.wrapping_mul(36)).collect(),
        requant: packed_factors(plain)?,
        packing: Packing::DspSquares,
        scratch: Scratch { offset: 0, len: squares.scratch(strip) as u32 },
        ..plain.clone()
    };
    Some((store, cycles(&squares, times)))
}

/// About how many cycles of a Cortex-M4 it takes: multiplications and outputs, transforms of the image, filters each time.
fn cycles(squares: &Squares, times: usize) -> usize {
    let Squares { pairs, units, .. } = *squares;
    let products = units / 2 * (Squares::POINTS * (16 * pairs + 35) + 3500);
    let filters = times * units * (150 * pairs + 60);
    squares.quads() * (products + 1700 * pairs + 1000) + filters
}
