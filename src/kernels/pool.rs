//! Pooling: the greatest or the mean element of each window, channel by channel.
//!
//! ```text
//! max: y[oy][ox][c] = clamp(max over taps of x[iy][ix][c])
//! avg: y[oy][ox][c] = clamp(round(sum over taps of x[iy][ix][c] / number of taps))
//! ```
//!
//! Taps on the border do not take part, neither in the sum nor in the number. Input and output have the same scale
//! and zero point, so that the zero point drops out; the mean rounds to nearest, ties away from zero.
//!
//! Tricks:
//! 1. Blocks of neighbouring channels, which lie side by side: a tap is a run.

use super::{Axis, Input, Output};
use crate::arch::{Isa, LANES, run};
use crate::fixed::{mean, narrow};
use crate::ir::{Clamp, Pool2d};

/// Greatest element of each window of `x` into `y`.
#[inline(never)]
pub(crate) fn max_pool2d<I: Isa>(isa: I, pool: &Pool2d, clamp: Clamp, x: Input<'_>, y: Output<'_>) {
    windows(
        pool,
        x,
        y,
        [i8::MIN; LANES],
        |best, x, step, count| {
            for tap in 0..count {
                isa.max(best, run(x, tap * step, best.len()));
            }
        },
        |&best, _| i32::from(best),
        clamp,
    );
}

/// Mean of each window of `x` into `y`.
///
/// # Ranges
/// At most 2^24 taps.
#[inline(never)]
pub(crate) fn avg_pool2d<I: Isa>(isa: I, pool: &Pool2d, clamp: Clamp, x: Input<'_>, y: Output<'_>) {
    windows(
        pool,
        x,
        y,
        [0; LANES],
        |sum, x, step, count| isa.sum_row(sum, x, step, count),
        |&sum, taps| mean(sum, taps),
        clamp,
    );
}

/// Each window in turn: `take` for every row of taps inside, told from where, how far apart and how many, then `give` with the number of them.
#[inline(always)]
fn windows<T: Copy>(
    pool: &Pool2d,
    x: Input<'_>,
    mut y: Output<'_>,
    start: [T; LANES],
    take: impl Fn(&mut [T], &[i8], usize, usize),
    give: impl Fn(&T, u32) -> i32,
    clamp: Clamp,
) {
    let channels = usize::from(x.shape.c);
    let (rows, columns) = (Axis::rows(&pool.window, x.shape), Axis::columns(&pool.window, x.shape));
    for oy in 0..y.shape.h {
        let row_taps = rows.taps(oy.into());
        for ox in 0..y.shape.w {
            let column_taps = columns.taps(ox.into());
            let height = row_taps.end - row_taps.first;
            let width = column_taps.end - column_taps.first;
            let mut c = 0;
            while c < channels {
                let live = LANES.min(channels - c);
                let mut acc = start;
                let acc = acc.get_mut(..live).unwrap_or_default();
                for row in row_taps.at..row_taps.at + height {
                    let x = x.data.get(x.at(row, column_taps.at) + c..).unwrap_or_default();
                    take(acc, x, channels, width);
                }
                for (y, acc) in y.next(live).iter_mut().zip(&*acc) {
                    *y = narrow(give(acc, (height * width) as u32), 0, clamp.low, clamp.high);
                }
                c += live;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Op, Shape};
    use crate::kernels::oracle::{Numbers, element, hold, on_every_isa, outputs, taps, windows};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    fn equals_the_oracle<I: Isa>(isa: I) {
        hold(512, (windows(1), 1..=17u16, any::<u64>()), |((window, h, w), c, seed)| {
            let (mut numbers, pool, shape) = (Numbers(seed), Pool2d { window }, Shape::new(h, w, c));
            let out = Op::MaxPool2d(pool).output(&[shape]).unwrap();
            let (zero, clamp) = (numbers.int8(), numbers.clamp());
            let x = Input { shape, zero, data: &numbers.int8s(shape.len()) };
            let (mut greatest, mut means) = (vec![55; out.len()], vec![55; out.len()]);
            max_pool2d(isa, &pool, clamp, x, Output { shape: out, zero, data: &mut greatest });
            avg_pool2d(isa, &pool, clamp, x, Output { shape: out, zero, data: &mut means });
            for (i, (oy, ox, n)) in outputs(out).enumerate() {
                let inside = taps(&window).filter_map(|tap| element(&x, &window, (oy, ox), tap, n));
                let inside: Vec<i64> = inside.collect();
                let (sum, count) = (inside.iter().sum::<i64>(), inside.len() as i64);
                let mean = sum.signum() * ((2 * sum.abs() + count) / (2 * count));
                let clamped = |q: i64| q.clamp(clamp.low.into(), clamp.high.into());
                prop_assert_eq!(i64::from(means[i]), clamped(mean), "mean at {:?}", (oy, ox, n));
                let max = *inside.iter().max().unwrap();
                prop_assert_eq!(i64::from(greatest[i]), clamped(max), "max at {:?}", (oy, ox, n));
            }
            Ok(())
        });
    }

    #[test]
    fn on_every_isa_pooling_equals_the_oracle() {
        on_every_isa!(equals_the_oracle);
    }
}
