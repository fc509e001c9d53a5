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
//! 2. The activation goes over all outputs afterwards.

use super::{Axis, Input, Output};
use crate::arch::Isa;
use crate::arch::packed::View;
use crate::ir::{Clamp, Pool2d};

/// Greatest element of each window of `x` into `y`.
#[inline(never)]
pub(crate) fn max_pool2d<I: Isa>(isa: I, pool: &Pool2d, clamp: Clamp, x: Input<'_>, mut y: Output<'_>) {
    windows(pool, x, &mut y, |view, y| isa.max_window(y, view));
    activate(isa, clamp, y);
}

/// Mean of each window of `x` into `y`.
///
/// # Ranges
/// At most 2^24 taps.
#[inline(never)]
pub(crate) fn avg_pool2d<I: Isa>(isa: I, pool: &Pool2d, clamp: Clamp, x: Input<'_>, mut y: Output<'_>) {
    windows(pool, x, &mut y, |view, y| isa.mean_window(y, view));
    activate(isa, clamp, y);
}

/// The windows of a row that see as many taps together, and the pixels they make.
#[inline(always)]
fn windows(pool: &Pool2d, x: Input<'_>, y: &mut Output<'_>, make: impl Fn(&View<'_>, &mut [i8])) {
    let channels = usize::from(x.shape.c);
    let (rows, columns) = (Axis::rows(&pool.window, x.shape), Axis::columns(&pool.window, x.shape));
    let row = usize::from(x.shape.w) * channels;
    let (height, width) = (usize::from(y.shape.h), usize::from(y.shape.w));
    let mut at = 0;
    for oy in 0..height {
        let in_rows = rows.taps(oy);
        let mut ox = 0;
        while ox < width {
            let in_columns = columns.taps(ox);
            let pixels = columns.alike(ox).min(width - ox);
            let view = View {
                x: x.data.get(in_rows.at * row + in_columns.at * channels..).unwrap_or_default(),
                taps: [in_rows.end - in_rows.first, in_columns.end - in_columns.first],
                steps: [row, channels],
                pixels,
                pixel_step: columns.stride * channels,
            };
            let end = at + pixels * channels;
            make(&view, y.data.get_mut(at..end).unwrap_or_default());
            (ox, at) = (ox + pixels, end);
        }
    }
}

#[inline(always)]
fn activate<I: Isa>(isa: I, clamp: Clamp, y: Output<'_>) {
    if clamp != Clamp::FULL {
        isa.clamp(y.data, clamp);
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
