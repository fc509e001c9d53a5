//! The packing of four pixels at a time.

use zipnet::ir::{Bias, Conv2d, DepthwiseConv2d, Halves, Packing, Requant, Ring, Shape};

use super::numbers::within;
use crate::graph::IntStore;

/// Bits of an accumulator, its sign included.
const BITS: u32 = Halves::BITS + 1;

/// A convolution into `y` as [`Packing::Halves`], where there are pixels enough and every sum, bias included, keeps within
/// 24 bits.
pub(super) fn conv2d(conv: &Conv2d, y: Shape, plain: &IntStore) -> Option<IntStore> {
    let halves = Halves::new(conv);
    let (units, pixels) = (usize::from(conv.units), usize::from(y.h) * usize::from(y.w));
    if pixels < Halves::PIXELS || plain.weights.contains(&-128) || !within(units, plain, BITS) {
        return None;
    }
    let k = plain.weights.len() / units;
    let mut weights = Vec::with_capacity(halves.groups * halves.weights());
    for group in 0..halves.groups {
        for block in (0..halves.units).step_by(Halves::UNITS) {
            for j in 0..2 * halves.pairs {
                let of = |unit: usize| plain.weights[(group * halves.units + unit) * k + j];
                let units = block..block + Halves::UNITS;
                weights.extend(units.map(|unit| if unit < halves.units && j < k { of(unit) } else { 0 }));
            }
        }
    }
    let mut bias = plain.bias.clone();
    if conv.bias == Bias::Unit {
        bias.resize(units * pixels.next_multiple_of(Halves::PIXELS), 0);
    }
    let requant = requant((0..units).map(|unit| plain.factor(unit)))?;
    Some(IntStore { weights, bias, requant, packing: Packing::Halves, ..plain.clone() })
}

/// A depthwise convolution into `y` as [`Packing::RingDepthwise`], likewise.
pub(super) fn depthwise(conv: &DepthwiseConv2d, y: Shape, plain: &IntStore) -> Option<IntStore> {
    let channels = usize::from(y.c);
    let by_channel: Vec<i8> = (0..channels)
        .flat_map(|channel| plain.weights.iter().skip(channel).step_by(channels).copied())
        .collect();
    let turned = IntStore { weights: by_channel, ..plain.clone() };
    if !Ring::takes(conv) || plain.weights.contains(&-128) || !within(channels, &turned, BITS) {
        return None;
    }
    let requant = requant(plain.requant.iter().copied())?;
    Some(IntStore { requant, packing: Packing::RingDepthwise, ..plain.clone() })
}

/// Factors with a shift in range, if that is possible.
pub(super) fn requant(plain: impl Iterator<Item = Requant>) -> Option<Vec<Requant>> {
    let factor = |q: Requant| {
        let factor = if q.multiplier == 0 { Requant::new(0, Halves::SHIFTS[1]) } else { q };
        Halves::takes(factor).then_some(factor)
    };
    plain.map(factor).collect()
}
