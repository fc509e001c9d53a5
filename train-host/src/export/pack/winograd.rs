//! The packing of convolution by minimal filtering.

use zipnet::ir::{Conv2d, Packing, Scratch, Shape, Winograd};

use super::numbers::{packed_factors, within};
use crate::graph::IntStore;

/// Rows of the output in a strip, at most: higher ones gain little.
const STRIP: usize = 8;

/// A convolution as [`Packing::DspWinograd`] within the room there is, and about how many cycles it takes, where every sum
/// keeps within 28 bits.
pub(super) fn filters(conv: &Conv2d, x: Shape, plain: &IntStore, room: usize) -> Option<(IntStore, usize)> {
    let winograd = Winograd::new(conv, x)?;
    let [height, width] = conv.window.output(x.h, x.w)?.map(usize::from);
    let strip = winograd.strip(room).min(STRIP).min(height);
    if strip == 0 {
        return None;
    }
    let k = plain.weights.len() / winograd.units;
    if !within(winograd.units, plain, 28) {
        return None;
    }
    let channels = 2 * winograd.pairs;
    let mut weights = Vec::with_capacity(plain.weights.len());
    for unit in (0..winograd.units).step_by(4) {
        for channel in (0..channels).step_by(4) {
            for unit in unit..unit + 4 {
                for tap in 0..3 * winograd.rows {
                    let from = unit * k + tap * channels + channel;
                    weights.extend(plain.weights[from..from + 4].iter().map(|&w| w ^ i8::MIN));
                }
            }
        }
    }
    let bias = plain.bias.iter().zip(plain.weights.chunks(k)).map(|(&bias, weights)| {
        let sum: i32 = weights.iter().map(|&w| i32::from(w)).sum();
        bias.wrapping_sub(128 * sum).wrapping_mul(-6)
    });
    let scratch = winograd.scratch(strip) as u32;
    let store = IntStore {
        weights,
        bias: bias.collect(),
        requant: packed_factors(plain)?,
        packing: Packing::DspWinograd,
        scratch: Scratch { offset: 0, len: scratch },
        ..plain.clone()
    };
    Some((store, cycles(&winograd, strip, height, width)))
}

/// About how many cycles of a Cortex-M4 it takes: multiplications, then filters for each strip, rows, outputs.
fn cycles(winograd: &Winograd, strip: usize, height: usize, width: usize) -> usize {
    let Winograd { rows, pairs, tiles, units, stride } = *winograd;
    let products = Winograd::POINTS * tiles * (units / 4) * (16 * rows * pairs + 50);
    let filters = height.div_ceil(strip) * 41 * units * rows * pairs;
    // Columns of a last tile that is not whole are slow.
    let cut = match width % 4 {
        0 => 0,
        columns => (70 + 170 * columns) * units,
    };
    height * (products + stride * 100 * tiles * pairs + 20 * width * units + cut) + filters
}

/// The same for direct convolution; `None` where there is no output.
pub(super) fn direct(conv: &Conv2d, x: Shape) -> Option<usize> {
    let [height, width] = conv.window.output(x.h, x.w)?.map(usize::from);
    let [rows, _] = conv.window.kernel.map(usize::from);
    let (pairs, units) = (usize::from(x.c) / 2, usize::from(conv.units));
    Some(height * width.div_ceil(2) * units.div_ceil(4) * (46 * rows * pairs + 90 + 22 * rows))
}
