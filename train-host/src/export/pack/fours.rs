//! Packings by fours, for hosts with dot-product instructions.

use zipnet::ir::{Bias, Conv2d, Dense, DepthwiseConv2d, FourTaps, Fours, Packing, Requant, Shape};

use crate::graph::IntStore;

/// What fills up a block: a factor of 0 with a shift like those of others.
const NOTHING: Requant = Requant::new(0, -1);

/// A convolution as [`Packing::Fours`].
pub(super) fn conv2d(conv: &Conv2d, x: Shape, plain: &IntStore) -> Option<IntStore> {
    let fours = Fours::conv2d(conv, x).filter(|_| fits(plain))?;
    let [groups, span, units, c] = [conv.groups, conv.span, conv.units, x.c].map(usize::from);
    let [rows, columns] = conv.window.kernel.map(usize::from);
    let whole = fours.groups == 1;
    // The weight of a unit for an element of a run, if it looks there.
    let weight = |unit: usize, run: usize, element: usize| {
        let (row, column, channel) = if fours.runs[1] == columns {
            (run / columns, run % columns, element)
        } else {
            (run, element / c, element % c)
        };
        let first = unit / (units / groups) * (c / groups);
        let channel = if whole { (channel + c - first) % c } else { channel };
        (channel < span).then(|| plain.weights[((unit * rows + row) * columns + column) * span + channel])
    };
    Some(packed(&fours, units, conv.bias == Bias::Unit, weight, plain))
}

/// A dense layer likewise.
pub(super) fn dense(dense: &Dense, x: Shape, plain: &IntStore) -> Option<IntStore> {
    let weight = |unit: usize, _run: usize, element: usize| Some(plain.weights[unit * x.len() + element]);
    fits(plain).then(|| packed(&Fours::dense(dense, x), dense.units.into(), false, weight, plain))
}

/// Whether no weight is -128, whose magnitude is no int8.
fn fits(plain: &IntStore) -> bool {
    !plain.weights.contains(&i8::MIN)
}

fn packed(
    fours: &Fours,
    units: usize,
    bias_of_pixel: bool,
    weight: impl Fn(usize, usize, usize) -> Option<i8>,
    plain: &IntStore,
) -> IntStore {
    let runs = fours.runs[0] * fours.runs[1];
    // The units of each block; `None` fills up.
    let slots: Vec<Option<usize>> = (0..fours.groups)
        .flat_map(|group| {
            let all = fours.blocks() * Fours::UNITS;
            (0..all).map(move |i| (i < fours.units).then_some(group * fours.units + i))
        })
        .collect();
    let mut weights = Vec::with_capacity(fours.groups * fours.weights());
    let mut sums = vec![0i32; units];
    for block in slots.chunks(Fours::UNITS) {
        for run in 0..runs {
            for quad in 0..fours.quads() {
                for &slot in block {
                    for element in 4 * quad..4 * quad + 4 {
                        let inside = slot.filter(|_| element < fours.run);
                        let w = inside.and_then(|unit| weight(unit, run, element)).unwrap_or(0);
                        if let Some(unit) = slot {
                            sums[unit] += i32::from(w);
                        }
                        weights.push(w);
                    }
                }
            }
        }
    }
    let pixels = if bias_of_pixel { plain.bias.len() / units } else { 1 };
    let biases = |offset: i32| -> Vec<i32> {
        let of = |pixel: usize, slot: &Option<usize>| {
            slot.map_or(0, |unit| plain.bias[pixel * units + unit].wrapping_sub(offset * sums[unit]))
        };
        (0..pixels).flat_map(|pixel| slots.iter().map(move |slot| of(pixel, slot))).collect()
    };
    IntStore {
        weights,
        bias: [biases(0), biases(128)].concat(),
        requant: slots.iter().map(|slot| slot.map_or(NOTHING, |unit| plain.factor(unit))).collect(),
        packing: Packing::Fours,
        ..plain.clone()
    }
}

/// A depthwise convolution as [`Packing::FoursDepthwise`], or, where that is not for it, in groups as [`Packing::Fours`].
pub(super) fn depthwise(conv: &DepthwiseConv2d, x: Shape, plain: &IntStore) -> Option<IntStore> {
    let Some(taps) = FourTaps::new(conv, x).filter(|_| fits(plain)) else {
        let (conv, mut by_unit) = (conv.grouped(x.c), plain.clone());
        let (units, taps) = (usize::from(conv.units), conv.window.taps());
        by_unit.weights = (0..units * taps).map(|i| plain.weights[i % taps * units + i / taps]).collect();
        return conv2d(&conv, x, &by_unit);
    };
    let (c, count, columns) = (usize::from(x.c), 4 * taps.quads(), usize::from(conv.window.kernel[1]));
    let slots: Vec<Option<usize>> = (0..taps.blocks())
        .flat_map(|block| (0..FourTaps::LANES).map(move |lane| taps.channel(block, lane)))
        .collect();
    let weight = |channel: usize, tap: usize| {
        taps.tap(tap).map_or(0, |[row, column]| plain.weights[(row * columns + column) * c + channel])
    };
    let mut weights = Vec::with_capacity(slots.len() * 4 * taps.quads());
    for block in slots.chunks(FourTaps::LANES) {
        for quad in 0..taps.quads() {
            for slot in block {
                weights.extend((4 * quad..4 * quad + 4).map(|tap| slot.map_or(0, |c| weight(c, tap))));
            }
        }
    }
    let biases = |offset: i32| {
        let of = move |&channel: &usize| {
            let sum: i32 = (0..count).map(|tap| i32::from(weight(channel, tap))).sum();
            plain.bias[channel].wrapping_sub(offset * sum)
        };
        slots.iter().map(move |slot| slot.as_ref().map_or(0, of))
    };
    Some(IntStore {
        bias: biases(0).chain(biases(128)).collect(),
        requant: slots.iter().map(|slot| slot.map_or(NOTHING, |channel| plain.requant[channel])).collect(),
        weights,
        packing: Packing::FoursDepthwise,
        ..plain.clone()
    })
}
