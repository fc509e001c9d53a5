//! Packings of two units in a halfword.

use zipnet::ir::{
    Bias, Bunches, Chunk, Conv2d, Dense, Lanes, Op, Packing, Requant, Scratch, Sections, Shape, Taps, Views,
};

use super::numbers::within;
use crate::graph::IntStore;

/// A convolution as [`Packing::DspRows`], if there is room for its scratch; several rows of outputs at a time if that saves
/// more than `hardly` any cycles.
pub(super) fn rows(
    conv: &Conv2d,
    x: Shape,
    plain: &IntStore,
    room: usize,
    hardly: usize,
) -> Option<IntStore> {
    by_lanes(conv, plain, (&Lanes::new(conv, x)?, 1), (room, hardly), Packing::DspRows)
}

/// The same as [`Packing::DspViews`].
pub(super) fn views(
    conv: &Conv2d,
    x: Shape,
    plain: &IntStore,
    room: usize,
    hardly: usize,
) -> Option<IntStore> {
    let views = Views::new(conv, x)?;
    let turned = views.turned.then(|| IntStore { weights: turn(conv, &plain.weights), ..plain.clone() });
    let parts = views.parts[0].count() * views.parts[1].count();
    by_lanes(conv, turned.as_ref().unwrap_or(plain), (&views.lanes, parts), (room, hardly), Packing::DspViews)
}

/// A convolution over rows that lie widened, of so many parts of an image.
fn by_lanes(
    conv: &Conv2d,
    plain: &IntStore,
    (lanes, parts): (&Lanes, usize),
    (room, hardly): (usize, usize),
    packing: Packing,
) -> Option<IntStore> {
    let collected = lanes.collected(conv, room);
    let strip = lanes.strip(room.min(Lanes::ROOM), collected);
    let len = lanes.scratch(if parts * lanes.saved(strip) > hardly { strip } else { 1 }, collected);
    let store = in_groups(conv, plain, lanes.merged, lanes.rows, packing)?;
    (len <= room).then_some(IntStore { scratch: Scratch { offset: 0, len: len as u32 }, ..store })
}

/// A convolution as [`Packing::DspTaps`], if there is room for its scratch, and about how many cycles it takes.
pub(super) fn taps(conv: &Conv2d, x: Shape, plain: &IntStore, room: usize) -> Option<(IntStore, usize)> {
    let taps = Taps::new(conv, x)?;
    let len = taps.enough(room)?;
    let store = in_groups(conv, plain, taps.merged, 1, Packing::DspTaps)?;
    let scratch = Scratch { offset: 0, len: len as u32 };
    Some((IntStore { scratch, ..store }, taps.cycles(len)))
}

/// Weights of kernels on their sides: column by column.
fn turn(conv: &Conv2d, weights: &[i8]) -> Vec<i8> {
    let ([rows, columns], span) = (conv.window.kernel.map(usize::from), usize::from(conv.span));
    let mut turned = Vec::with_capacity(weights.len());
    for unit in weights.chunks(rows * columns * span) {
        for column in 0..columns {
            for row in 0..rows {
                turned.extend(&unit[(row * columns + column) * span..][..span]);
            }
        }
    }
    turned
}

/// Scratch beyond which copying more windows at a time gains little, unless there are fewer than four.
const CHUNK: usize = 1024;

/// A convolution of `x` into `y` as [`Packing::DspPoint`] where that is for it, else as [`Packing::DspPatch`], with as many
/// windows at a time as there is room for.
pub(super) fn patches(conv: &Conv2d, [x, y]: [Shape; 2], plain: &IntStore, room: usize) -> Option<IntStore> {
    let point = Chunk::point(&Op::Conv2d(*conv), x).is_some();
    let packing = if point { Packing::DspPoint } else { Packing::DspPatch };
    let Chunk { merged, pairs, .. } = Chunk::new(conv, x.c, 0);
    let most = 8 * pairs * (y.len() / usize::from(conv.units)).div_ceil(2);
    let enough = if point { CHUNK } else { CHUNK.max(2 * 8 * pairs) };
    let len = Chunk::new(conv, x.c, room.min(most).min(enough)).scratch() as u32;
    let store = in_groups(conv, plain, merged, 1, packing)?;
    Some(IntStore { scratch: Scratch { offset: 0, len }, ..store })
}

/// A convolution of `x` into `y` as [`Packing::DspLongPatch`], with as many windows at a time as there is room for.
pub(super) fn long_patches(
    conv: &Conv2d,
    [x, y]: [Shape; 2],
    plain: &IntStore,
    room: usize,
) -> Option<IntStore> {
    let Chunk { merged, pairs, .. } = Chunk::long(conv, x.c, 0);
    let most = 8 * pairs * (y.len() / usize::from(conv.units)).div_ceil(2);
    let len = Chunk::long(conv, x.c, room.min(most).min(CHUNK.max(2 * 8 * pairs))).scratch() as u32;
    let store = in_groups(conv, plain, merged, 1, Packing::DspLongPatch)?;
    Some(IntStore { scratch: Scratch { offset: 0, len }, ..store })
}

/// A convolution in quads of units, so many of its groups as one, the weights of a unit in so many runs.
fn in_groups(
    conv: &Conv2d,
    plain: &IntStore,
    merged: usize,
    runs: usize,
    packing: Packing,
) -> Option<IntStore> {
    let wide = IntStore { weights: merge(conv, plain, merged), ..plain.clone() };
    let conv = Conv2d { groups: conv.groups / merged as u16, ..*conv };
    let k = wide.weights.len() / usize::from(conv.units);
    let run = if packing == Packing::DspLongPatch { 2 * Sections::of(k.div_ceil(2)).pairs } else { k / runs };
    quads(&conv, &wide, run, packing)
}

/// Weights of a convolution with so many of its groups as one: zeros for what the others see.
fn merge(conv: &Conv2d, plain: &IntStore, merged: usize) -> Vec<i8> {
    let [units, groups, span] = [conv.units, conv.groups, conv.span].map(usize::from);
    let mut wide = Vec::with_capacity(plain.weights.len() * merged);
    for (unit, weights) in plain.weights.chunks(plain.weights.len() / units).enumerate() {
        let place = unit / (units / groups) % merged;
        for tap in weights.chunks(span) {
            wide.extend(
                (0..merged * span)
                    .map(|j| j.checked_sub(place * span).and_then(|j| tap.get(j)).copied().unwrap_or(0)),
            );
        }
    }
    wide
}

/// A convolution in quads of units, its weights in runs of `run`.
fn quads(conv: &Conv2d, plain: &IntStore, run: usize, packing: Packing) -> Option<IntStore> {
    let units = usize::from(conv.units);
    let long = packing == Packing::DspLongPatch;
    fits(units, plain, long)?;
    let groups = bunches(usize::from(conv.groups), units, Bunches::quads);
    let biases: Vec<&[i32]> = match conv.bias {
        Bias::Unit => plain.bias.chunks(units).collect(),
        Bias::Channel | Bias::None => vec![&plain.bias],
    };
    Some(IntStore {
        weights: weights(&groups, &plain.weights, plain.weights.len() / units, run, 2),
        bias: biases.iter().flat_map(|bias| bias_of(&groups, bias, long)).collect(),
        requant: requant(&groups, &plain.requant)?,
        packing,
        ..plain.clone()
    })
}

/// A dense layer as [`Packing::DspDense`], or [`Packing::DspLongDense`].
pub(super) fn eights(dense: &Dense, plain: &IntStore, packing: Packing) -> Option<IntStore> {
    let units = usize::from(dense.units);
    let k = plain.weights.len() / units;
    let long = packing == Packing::DspLongDense;
    fits(units, plain, long)?;
    let bunches = bunches(1, units, Bunches::eights);
    let (eights, twos) = bunches.split_at(Bunches::eights(units).large);
    let mut words = weights(eights, &plain.weights, k, k, 4);
    for four in weights(twos, &plain.weights, k, k, 4).chunks(8) {
        let [even, odd] = [0, 2].map(|at| four[at..at + 2].iter().chain(&four[at + 4..at + 6]));
        words.extend(even.chain(odd));
    }
    Some(IntStore {
        weights: words,
        bias: bias_of(&bunches, &plain.bias, long),
        requant: requant(&bunches, &plain.requant)?,
        packing,
        ..plain.clone()
    })
}

/// A dense layer over `x` as [`Packing::DspPoint`].
pub(super) fn point(dense: &Dense, x: Shape, plain: &IntStore) -> Option<IntStore> {
    let (conv, _) = Chunk::point(&Op::Dense(*dense), x)?;
    quads(&conv, plain, x.len(), Packing::DspPoint)
}

/// Units that are computed together; `None` fills up.
type Together = Vec<Option<usize>>;

/// The units of each group in bunches. One alone is the second of its two; three behind quads are a quad without its third.
fn bunches(groups: usize, units: usize, split: impl Fn(usize) -> Bunches) -> Vec<Together> {
    let each = units / groups;
    let Bunches { size, large, twos } = split(each);
    let of_group = |g: usize| {
        let unit = move |n: usize| (n < each).then_some(g * each + n);
        let large = (0..large).map(move |i| (i * size..(i + 1) * size).map(unit).collect());
        let from = size * (each / size);
        if size == 4 && twos == 2 {
            let three = vec![unit(from), unit(from + 1), None, unit(from + 2)];
            return large.chain([three]).collect::<Vec<_>>();
        }
        let twos = (0..twos).map(move |i| match [0, 1].map(|n| unit(from + 2 * i + n)) {
            [first, None] => vec![None, first],
            both => both.to_vec(),
        });
        large.chain(twos).collect()
    };
    (0..groups).flat_map(of_group).collect()
}

/// Whether the sums of all units can be told apart: weights from -127, and each accumulator, bias included, within
/// 24 bits for every input, unless it is made in sections.
fn fits(units: usize, plain: &IntStore, long: bool) -> Option<()> {
    (!plain.weights.contains(&-128) && (long || within(units, plain, 24))).then_some(())
}

/// `[bunch][run][pair of elements][pair of units]` words, `256 a + b` for either element; `k` weights a unit, in runs of
/// `run`, each filled up to a multiple of `fill`.
fn weights(bunches: &[Together], plain: &[i8], k: usize, run: usize, fill: usize) -> Vec<i8> {
    let mut words = Vec::new();
    for bunch in bunches {
        let of = |unit: Option<usize>, j: Option<usize>| match (unit, j) {
            (Some(unit), Some(j)) => i32::from(plain[unit * k + j]),
            _ => 0,
        };
        for from in (0..k).step_by(run) {
            for j in (0..run.next_multiple_of(fill)).step_by(2) {
                for pair in bunch.chunks(2) {
                    for j in [j, j + 1].map(|j| (j < run.min(k - from)).then_some(from + j)) {
                        let both = (256 * of(pair[0], j) + of(pair[1], j)) as i16;
                        words.extend(both.to_le_bytes().map(|byte| byte as i8));
                    }
                }
            }
        }
    }
    words
}

/// `[bunch][sums of pairs, then odd units]`; of long sums the first units of pairs in place of the sums.
fn bias_of(bunches: &[Together], plain: &[i32], long: bool) -> Vec<i32> {
    let of = |unit: Option<usize>| unit.map_or(0, |unit| plain[unit]);
    let sums = |pair: &[Option<usize>]| {
        if long { of(pair[0]) } else { of(pair[0]).wrapping_mul(256).wrapping_add(of(pair[1])) }
    };
    let bunch = |bunch: &Together| -> Vec<i32> {
        bunch.chunks(2).map(sums).chain(bunch.chunks(2).map(|pair| of(pair[1]))).collect()
    };
    bunches.iter().flat_map(bunch).collect()
}

/// Packed factors, filled up; one where that is for all.
fn requant(bunches: &[Together], plain: &[Requant]) -> Option<Vec<Requant>> {
    if let [one] = plain {
        return Some(vec![one.packed()?]);
    }
    let of = |unit: &Option<usize>| match unit {
        Some(unit) => plain[*unit].packed(),
        None => Some(Requant::new(0, 0)),
    };
    bunches.iter().flatten().map(of).collect()
}
