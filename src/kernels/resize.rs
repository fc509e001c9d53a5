//! Another height and width, each output taking the nearest pixel.
//!
//! ```text
//! y[h][w][c] = x[map[h]][map[height + w]][c]
//! ```
//!
//! The map lists the row of each output row, then the column of each output column. TensorFlow Lite computes it in
//! f32 with roundings that no integer formula follows for every pair of sizes (`GetNearestNeighbor`,
//! `kernels/internal/reference/resize_nearest_neighbor.h`), so the host does, once.
//!
//! Tricks:
//! 1. Neighbouring columns at an even step are runs at an even step: all of a row where it shrinks by a whole number, those
//!    that take the same pixel where it grows.
//! 2. A row that takes the same as the one before is a copy of that.

use super::{Input, Output};
use crate::arch::runs::EvenRuns;
use crate::arch::{Isa, run};

/// Pixels of `x` by the map, into `y`.
#[inline(never)]
pub(crate) fn resize_nearest<I: Isa>(isa: I, map: &[i32], x: Input<'_>, y: Output<'_>) {
    let channels = usize::from(x.shape.c);
    let Some((rows, columns)) = map.split_at_checked(y.shape.h.into()) else { return };
    let len = columns.len() * channels;
    for (i, &row) in rows.iter().enumerate() {
        let Some((above, y)) = y.data.split_at_mut_checked(i * len) else { return };
        if let Some(before) = i.checked_sub(1).filter(|&before| rows.get(before) == Some(&row)) {
            isa.copy(run(above, before * len, len), y);
            continue;
        }
        let mut at = 0;
        while let Some(&first) = columns.get(at) {
            let (step, count) = even(columns.get(at..).unwrap_or_default());
            let x = x.data.get(x.at(row as usize, first as usize)..).unwrap_or_default();
            let runs = EvenRuns { len: channels, count, steps: [step * channels, channels] };
            isa.copy_runs(x, y.get_mut(at * channels..).unwrap_or_default(), &runs);
            at += count;
        }
    }
}

/// How far apart the first columns of the map are, and how many of them are so.
fn even(columns: &[i32]) -> (usize, usize) {
    let mut steps = columns.windows(2).map(|pair| if let [a, b] = pair { b.wrapping_sub(*a) } else { -1 });
    match steps.next() {
        Some(step) if step >= 0 => (step as usize, 2 + steps.take_while(|&next| next == step).count()),
        _ => (0, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Shape;
    use crate::kernels::oracle::{Numbers, hold, on_every_isa, outputs, place, shapes};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    fn every_output_takes_the_pixel_of_the_map<I: Isa>(isa: I) {
        hold(256, (shapes(), 1..=9u16, 1..=9u16, any::<u64>()), |(shape, h, w, seed)| {
            let (mut numbers, out) = (Numbers(seed), Shape::new(h, w, shape.c));
            let mut draw = |n: u16, extent: u16| -> Vec<i32> {
                (0..n).map(|_| numbers.below(extent.into()) as i32).collect()
            };
            let (rows, columns) = (draw(h, shape.h), draw(w, shape.w));
            let x = numbers.int8s(shape.len());
            let mut got = vec![55; out.len()];
            let input = Input { shape, zero: 0, data: &x };
            let map = [&*rows, &*columns].concat();
            resize_nearest(isa, &map, input, Output { shape: out, zero: 0, data: &mut got });
            for (i, (h, w, c)) in outputs(out).enumerate() {
                prop_assert_eq!(got[i], x[place(shape, (rows[h] as usize, columns[w] as usize, c))]);
            }
            Ok(())
        });
    }

    #[test]
    fn on_every_isa_every_output_takes_the_pixel_of_the_map() {
        on_every_isa!(every_output_takes_the_pixel_of_the_map);
    }
}
