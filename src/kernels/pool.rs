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
//! 1. Windows that see as many taps are made together: all inside the image, and what each side of the border leaves.
//! 2. Channels lie side by side, so that several are taken at once. Fewer than four are a kernel of their own, for nets
//!    that have such.
//! 3. The activation goes over all outputs afterwards.

use super::{Axis, Input, Output, activate};
use crate::arch::Isa;
use crate::arch::pool::View;
use crate::ir::{Clamp, Padding, Pool2d};

/// Greatest element of each window of `x` into `y`.
#[inline(never)]
pub(crate) fn max_pool2d<I: Isa>(isa: I, pool: &Pool2d, clamp: Clamp, x: Input<'_>, mut y: Output<'_>) {
    windows(pool, x, &mut y, |view, y| isa.max_window(y, view));
    activate(isa, y.data, clamp);
}

/// The same of fewer than four channels.
#[inline(never)]
pub(crate) fn thin_max_pool2d<I: Isa>(isa: I, pool: &Pool2d, clamp: Clamp, x: Input<'_>, mut y: Output<'_>) {
    windows(pool, x, &mut y, |view, y| isa.max_thin(y, view));
    activate(isa, y.data, clamp);
}

/// Mean of each window of `x` into `y`.
///
/// # Ranges
/// At most 2^24 taps.
#[inline(never)]
pub(crate) fn avg_pool2d<I: Isa>(isa: I, pool: &Pool2d, clamp: Clamp, x: Input<'_>, mut y: Output<'_>) {
    windows(pool, x, &mut y, |view, y| isa.mean_window(y, view));
    activate(isa, y.data, clamp);
}

/// The same of fewer than four channels.
#[inline(never)]
pub(crate) fn thin_avg_pool2d<I: Isa>(isa: I, pool: &Pool2d, clamp: Clamp, x: Input<'_>, mut y: Output<'_>) {
    windows(pool, x, &mut y, |view, y| isa.mean_thin(y, view));
    activate(isa, y.data, clamp);
}

/// The windows that see as many taps together, and the pixels they make: all of them where there is no border.
#[inline(always)]
fn windows(pool: &Pool2d, x: Input<'_>, y: &mut Output<'_>, make: impl Fn(&View<'_>, &mut [i8])) {
    let window = &pool.window;
    let channels = usize::from(x.shape.c);
    let row = usize::from(x.shape.w) * channels;
    let (height, width) = (usize::from(y.shape.h), usize::from(y.shape.w));
    let all = View {
        x: x.data,
        channels,
        taps: [window.kernel[0].into(), window.kernel[1].into()],
        steps: [row, channels],
        pixels: [height, width],
        pixel_steps: [usize::from(window.stride[0]) * row, usize::from(window.stride[1]) * channels],
        y_step: width * channels,
    };
    if window.padding == Padding::NONE {
        return make(&all, y.data);
    }
    let (rows, columns) = (Axis::rows(window, x.shape), Axis::columns(window, x.shape));
    let mut oy = 0;
    while oy < height {
        let (in_rows, down) = (rows.taps(oy), rows.alike(oy).min(height - oy));
        let mut ox = 0;
        while ox < width {
            let (in_columns, beside) = (columns.taps(ox), columns.alike(ox).min(width - ox));
            let view = View {
                x: x.data.get(in_rows.at * row + in_columns.at * channels..).unwrap_or_default(),
                taps: [in_rows.end - in_rows.first, in_columns.end - in_columns.first],
                pixels: [down, beside],
                ..all
            };
            make(&view, y.data.get_mut((oy * width + ox) * channels..).unwrap_or_default());
            ox += beside;
        }
        oy += down;
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
        let channels = prop_oneof![3 => 1..=17u16, 1 => 18..=80u16];
        hold(512, (windows(1), channels, any::<u64>()), |((window, h, w), c, seed)| {
            let (mut numbers, pool, shape) = (Numbers(seed), Pool2d { window }, Shape::new(h, w, c));
            let out = Op::MaxPool2d(pool).output(&[shape]).unwrap();
            let (zero, clamp) = (numbers.int8(), numbers.clamp());
            let x = Input { shape, zero, data: &numbers.int8s(shape.len()) };
            let (mut greatest, mut means) = (vec![55; out.len()], vec![55; out.len()]);
            let [y, z] = [&mut greatest, &mut means].map(|data| Output { shape: out, zero, data });
            if c < 4 {
                thin_max_pool2d(isa, &pool, clamp, x, y);
                thin_avg_pool2d(isa, &pool, clamp, x, z);
            } else {
                max_pool2d(isa, &pool, clamp, x, y);
                avg_pool2d(isa, &pool, clamp, x, z);
            }
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
