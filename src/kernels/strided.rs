//! Elements at even steps along each axis: what slicing, transposing and repeating have in common.
//!
//! ```text
//! y[h][w][c] = x[start + h * rows + w * columns + c * channels]
//! ```
//!
//! A step of 0 repeats, a negative one runs backwards. The data-movement operators round nothing: TensorFlow Lite
//! Micro copies bytes, and so do these.
//!
//! Tricks:
//! 1. Channels that lie side by side are copied as a run, rows likewise. Else elements go one by one along the longer of the
//!    axes within a row.

use super::{Input, Output};
use crate::arch::Isa;
use crate::arch::runs::EvenRuns;
use crate::ir::{Shape, Slice};

/// Distance in memory from an element to its neighbour along each axis.
type Steps = [isize; 3];

/// The steps of a tensor that lies row by row.
fn steps(shape: Shape) -> Steps {
    let [w, c] = [shape.w, shape.c].map(|extent| extent as isize);
    [w * c, c, 1]
}

/// The steps that repeat a tensor along every axis on which it has one element.
pub(super) fn repeated(shape: Shape) -> Steps {
    let [rows, columns, channels] = steps(shape);
    let of = |extent: u16, step: isize| if extent == 1 { 0 } else { step };
    [of(shape.h, rows), of(shape.w, columns), of(shape.c, channels)]
}

/// Fills `y` with elements of `x` from `start` on.
fn gather<I: Isa>(isa: I, x: &[i8], start: usize, steps: Steps, y: Output<'_>) {
    let [h, w, c] = [y.shape.h, y.shape.w, y.shape.c].map(usize::from);
    let [rows, columns, channels] = steps.map(|step| usize::try_from(step).ok());
    let (Some(columns), Some(channels)) = (columns, channels) else {
        return one_by_one(x, start, steps, y);
    };
    let beside = channels == 1 || c == 1;
    if let (true, Some(rows)) = (beside && (columns == c || w == 1), rows) {
        let runs = EvenRuns { len: w * c, count: h, steps: [rows, w * c] };
        return isa.copy_runs(x.get(start..).unwrap_or_default(), y.data, &runs);
    }
    let (runs, turns, next) = if beside {
        (EvenRuns { len: c, count: w, steps: [columns, c] }, 1, [0, 0])
    } else if c < w {
        (EvenRuns { len: 1, count: w, steps: [columns, c] }, c, [channels, 1])
    } else {
        (EvenRuns { len: 1, count: c, steps: [channels, 1] }, w, [columns, c])
    };
    let mut row = start;
    for to in y.data.chunks_exact_mut((w * c).max(1)) {
        for turn in 0..turns {
            let (Some(x), Some(to)) = (x.get(row + turn * next[0]..), to.get_mut(turn * next[1]..)) else {
                return;
            };
            isa.copy_runs(x, to, &runs);
        }
        row = row.wrapping_add_signed(steps[0]);
    }
}

/// The same for any steps.
#[inline(never)]
fn one_by_one(x: &[i8], start: usize, steps: Steps, y: Output<'_>) {
    let [_, w, c] = [y.shape.h, y.shape.w, y.shape.c].map(usize::from);
    let mut row = start;
    for to in y.data.chunks_exact_mut((w * c).max(1)) {
        let mut pixel = row;
        for to in to.chunks_exact_mut(c.max(1)) {
            let mut at = pixel;
            for y in to {
                *y = x.get(at).copied().unwrap_or(*y);
                at = at.wrapping_add_signed(steps[2]);
            }
            pixel = pixel.wrapping_add_signed(steps[1]);
        }
        row = row.wrapping_add_signed(steps[0]);
    }
}

/// Repeats `x` along its axes of one element to the shape of `y`.
#[inline(never)]
pub(crate) fn repeat<I: Isa>(isa: I, x: Input<'_>, y: Output<'_>) {
    gather(isa, x.data, 0, repeated(x.shape), y);
}

/// The elements of `x` that `slice` names.
#[inline(never)]
pub(crate) fn slice<I: Isa>(isa: I, slice: &Slice, x: Input<'_>, y: Output<'_>) {
    let whole = steps(x.shape);
    let (mut start, mut picked) = (0, whole);
    for (((picked, &whole), begin), stride) in
        picked.iter_mut().zip(&whole).zip(slice.begin).zip(slice.stride)
    {
        start += usize::from(begin) * whole as usize;
        *picked = whole.wrapping_mul(stride.into());
    }
    gather(isa, x.data, start, picked, y);
}

/// `x` with its axes in another order: axis `i` of `y` is axis `order[i]` of `x`.
#[inline(never)]
pub(crate) fn transpose<I: Isa>(isa: I, order: [u8; 3], x: Input<'_>, y: Output<'_>) {
    let from = steps(x.shape);
    let turned = order.map(|axis| from.get(usize::from(axis)).copied().unwrap_or(0));
    gather(isa, x.data, 0, turned, y);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::oracle::{Numbers, broadcasts, hold, on_every_isa, outputs, place, shapes};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    /// Runs a kernel over random elements and compares each output with the input at the place that `from` tells.
    fn moves(
        [shape, out]: [Shape; 2],
        seed: u64,
        kernel: impl Fn(Input<'_>, Output<'_>),
        from: impl Fn((usize, usize, usize)) -> (usize, usize, usize),
    ) -> Result<(), TestCaseError> {
        let x = Numbers(seed).int8s(shape.len());
        let mut got = vec![55; out.len()];
        kernel(Input { shape, zero: 0, data: &x }, Output { shape: out, zero: 0, data: &mut got });
        for (i, at) in outputs(out).enumerate() {
            prop_assert_eq!(got[i], x[place(shape, from(at))], "at {:?}", at);
        }
        Ok(())
    }

    fn every_axis_repeats<I: Isa>(isa: I) {
        hold(256, (broadcasts(), any::<u64>()), |((out, [shape, _]), seed)| {
            moves([shape, out], seed, |x, y| repeat(isa, x, y), |at| at)
        });
    }

    fn a_slice_takes_what_it_names<I: Isa>(isa: I) {
        hold(512, (shapes(), any::<[u16; 6]>(), any::<u64>()), |(shape, draws, seed)| {
            let extents = [shape.h, shape.w, shape.c];
            let begin: [u16; 3] = core::array::from_fn(|i| draws[i] % extents[i]);
            let stride: [i16; 3] =
                core::array::from_fn(|i| [1, 1, 2, 3, -1, -2, 0][usize::from(draws[i] >> 8) % 7]);
            let [h, w, c] = core::array::from_fn(|i| {
                let room = if stride[i] < 0 { begin[i] } else { extents[i] - 1 - begin[i] };
                let most = room.checked_div(stride[i].unsigned_abs()).unwrap_or(0) + 1;
                1 + draws[3 + i] % most
            });
            let named = Slice { begin, stride, shape: Shape::new(h, w, c) };
            prop_assert_eq!(crate::ir::Op::Slice(named).output(&[shape]), Ok(named.shape));
            let from = |i: usize, axis: usize| (begin[axis] as i16 + i as i16 * stride[axis]) as usize;
            moves(
                [shape, named.shape],
                seed,
                |x, y| slice(isa, &named, x, y),
                |(h, w, c)| (from(h, 0), from(w, 1), from(c, 2)),
            )
        });
    }

    fn axes_trade_places<I: Isa>(isa: I) {
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        hold(256, (shapes(), 0..6usize, any::<u64>()), |(shape, which, seed)| {
            let order = orders[which];
            let out = crate::ir::Op::Transpose { order }.output(&[shape]).unwrap();
            moves(
                [shape, out],
                seed,
                |x, y| transpose(isa, order, x, y),
                |(h, w, c)| {
                    let mut from = [0; 3];
                    order.iter().zip([h, w, c]).for_each(|(&axis, i)| from[usize::from(axis)] = i);
                    from.into()
                },
            )
        });
    }

    #[test]
    fn on_every_isa_every_axis_repeats() {
        on_every_isa!(every_axis_repeats);
    }

    #[test]
    fn on_every_isa_a_slice_takes_what_it_names() {
        on_every_isa!(a_slice_takes_what_it_names);
    }

    #[test]
    fn on_every_isa_axes_trade_places() {
        on_every_isa!(axes_trade_places);
    }
}
