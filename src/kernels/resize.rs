//! Another height and width, each output taking the nearest pixel.
//!
//! ```text
//! y[h][w][c] = x[map[h]][map[height + w]][c]
//! ```
//!
//! The map lists the row of each output row, then the column of each output column. TensorFlow Lite computes it in
//! f32 with roundings that no integer formula follows for every pair of sizes (`GetNearestNeighbor`,
//! `kernels/internal/reference/resize_nearest_neighbor.h`), so the host does, once.

use super::{Input, Output};
use crate::arch::run;

/// Pixels of `x` by the map, into `y`.
#[inline(never)]
pub(crate) fn resize_nearest(map: &[i32], x: Input<'_>, mut y: Output<'_>) {
    let channels = usize::from(x.shape.c);
    let Some((rows, columns)) = map.split_at_checked(y.shape.h.into()) else { return };
    for &row in rows {
        for &column in columns {
            let from = run(x.data, x.at(row as usize, column as usize), channels);
            y.next(channels).iter_mut().zip(from).for_each(|(y, &x)| *y = x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Shape;
    use crate::kernels::oracle::{Numbers, hold, outputs, place, shapes};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    #[test]
    fn every_output_takes_the_pixel_of_the_map() {
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
            resize_nearest(&map, input, Output { shape: out, zero: 0, data: &mut got });
            for (i, (h, w, c)) in outputs(out).enumerate() {
                prop_assert_eq!(got[i], x[place(shape, (rows[h] as usize, columns[w] as usize, c))]);
            }
            Ok(())
        });
    }
}
