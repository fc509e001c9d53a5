//! What packings ask of the numbers of a node.

use zipnet::ir::Requant;

use crate::graph::IntStore;

/// Whether every accumulator of each unit, bias included, keeps within so many bits for every input.
pub(super) fn within(units: usize, plain: &IntStore, bits: u32) -> bool {
    let limit = 1 << (bits - 1);
    bounds(units, plain).all(|(low, high)| low >= -limit && high < limit)
}

/// The least and the greatest accumulator of each unit over all inputs, bias included.
fn bounds(units: usize, plain: &IntStore) -> impl Iterator<Item = (i64, i64)> {
    let k = plain.weights.len() / units;
    plain.weights.chunks(k).enumerate().map(move |(unit, weights)| {
        let (mut least, mut greatest) = (0i64, 0i64);
        for &w in weights {
            let (a, b) = (i64::from(w) * -128, i64::from(w) * 127);
            least += a.min(b);
            greatest += a.max(b);
        }
        let biases = plain.bias.iter().skip(unit).step_by(units).map(|&b| i64::from(b));
        let (low, high) = biases.fold((i64::MAX, i64::MIN), |(l, h), b| (l.min(b), h.max(b)));
        (low + least, high + greatest)
    })
}

/// Every factor in the packed form, where all have one.
pub(super) fn packed_factors(plain: &IntStore) -> Option<Vec<Requant>> {
    plain.requant.iter().map(|factor| factor.packed()).collect()
}
