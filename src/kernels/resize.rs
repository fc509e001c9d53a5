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
