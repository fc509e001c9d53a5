//! Windows of pools and means: what they see, and what they compute, for any CPU.

use super::{Isa, LANES, run};
use crate::fixed::mean;

/// The taps of windows that lie inside an image, for a grid of neighbouring pixels whose windows see as many.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    /// The image, from the first tap of the first pixel on.
    pub(crate) x: &'a [i8],
    /// Elements of a tap: channels.
    pub(crate) channels: usize,
    /// Rows and columns of taps.
    pub(crate) taps: [usize; 2],
    /// Elements from a row of taps to the next, from a tap to the next in a row.
    pub(crate) steps: [usize; 2],
    /// Rows and columns of pixels.
    pub(crate) pixels: [usize; 2],
    /// Elements from a pixel's first tap to that of the pixel below, of the pixel beside.
    pub(crate) pixel_steps: [usize; 2],
    /// Elements from a row of outputs to the next.
    pub(crate) y_step: usize,
}

impl View<'_> {
    /// Whether there is one of everything at least, the image holds all taps, and as many outputs hold all pixels.
    #[allow(dead_code)] // asked by instances in assembler
    #[inline(always)]
    pub(crate) fn fits(&self, outputs: usize) -> bool {
        let less = |count: usize| count.wrapping_sub(1);
        let [rows, columns] = self.pixels;
        let [down, beside] = self.taps;
        let some = down > 0 && beside > 0 && rows > 0 && columns > 0 && self.channels > 0;
        let reach = less(down) * self.steps[0]
            + less(beside) * self.steps[1]
            + less(rows) * self.pixel_steps[0]
            + less(columns) * self.pixel_steps[1]
            + self.channels;
        some && self.x.len() >= reach && outputs >= less(rows) * self.y_step + columns * self.channels
    }

    /// One pixel.
    #[allow(dead_code)] // made by instances in assembler
    #[inline(always)]
    pub(crate) const fn one(x: &[i8], channels: usize, taps: [usize; 2], steps: [usize; 2]) -> View<'_> {
        View { x, channels, taps, steps, pixels: [1, 1], pixel_steps: [0, 0], y_step: 0 }
    }

    /// How many taps a window has.
    pub(crate) const fn count(&self) -> usize {
        self.taps[0] * self.taps[1]
    }

    /// Each pixel alone: where its first tap lies, and where its outputs.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, usize)> {
        let &View { channels, pixels: [rows, columns], pixel_steps: [down, beside], y_step, .. } = self;
        (0..rows).flat_map(move |row| {
            (0..columns).map(move |column| (row * down + column * beside, row * y_step + column * channels))
        })
    }
}

/// See [`Isa::max_window`].
#[inline(always)]
pub(super) fn max_window<I: Isa>(isa: I, y: &mut [i8], view: &View<'_>) {
    for (from, to) in view.each() {
        let y = y.get_mut(to..).and_then(|y| y.get_mut(..view.channels)).unwrap_or_default();
        y.fill(i8::MIN);
        for (block, y) in y.chunks_mut(LANES).enumerate() {
            for row in 0..view.taps[0] {
                for column in 0..view.taps[1] {
                    let at = from + row * view.steps[0] + column * view.steps[1] + block * LANES;
                    isa.max(y, run(view.x, at, y.len()));
                }
            }
        }
    }
}

/// See [`Isa::mean_window`].
#[inline(always)]
pub(super) fn mean_window<I: Isa>(isa: I, y: &mut [i8], view: &View<'_>) {
    means(isa, y, view, |sum| mean(sum, view.count() as u32) as i8);
}

/// The same, told how a sum becomes an output.
#[inline(always)]
pub(super) fn means<I: Isa>(isa: I, y: &mut [i8], view: &View<'_>, finish: impl Fn(i32) -> i8) {
    let mut acc = [0; LANES];
    for (from, to) in view.each() {
        let y = y.get_mut(to..).and_then(|y| y.get_mut(..view.channels)).unwrap_or_default();
        for (block, y) in y.chunks_mut(LANES).enumerate() {
            let acc = acc.get_mut(..y.len()).unwrap_or_default();
            isa.sum_window(
                acc,
                view.x.get(from + block * LANES..).unwrap_or_default(),
                view.taps,
                view.steps,
            );
            y.iter_mut().zip(acc).for_each(|(y, &mut sum)| *y = finish(sum));
        }
    }
}

/// See [`Isa::max_thin`].
#[inline(always)]
pub(super) fn max_thin(y: &mut [i8], view: &View<'_>) {
    thin(y, view, i8::MIN.into(), |greatest, x| greatest.max(x), |greatest| greatest as i8);
}

/// See [`Isa::mean_thin`]; for any number of channels.
#[inline(always)]
pub(super) fn mean_thin(y: &mut [i8], view: &View<'_>) {
    let count = view.count() as u32;
    thin(y, view, 0, i32::wrapping_add, |sum| mean(sum, count) as i8);
}

/// Each output by itself from its taps, one after another.
#[inline(always)]
fn thin(
    y: &mut [i8],
    view: &View<'_>,
    first: i32,
    take: impl Fn(i32, i32) -> i32,
    finish: impl Fn(i32) -> i8,
) {
    for (from, to) in view.each() {
        let y = y.get_mut(to..).and_then(|y| y.get_mut(..view.channels)).unwrap_or_default();
        for (channel, y) in y.iter_mut().enumerate() {
            let mut acc = first;
            for row in 0..view.taps[0] {
                let x = view.x.get(from + channel + row * view.steps[0]..).unwrap_or_default();
                let taps = x.iter().step_by(view.steps[1].max(1)).take(view.taps[1]);
                taps.for_each(|&x| acc = take(acc, x.into()));
            }
            *y = finish(acc);
        }
    }
}

/// See [`Isa::sum_window`].
#[inline(always)]
pub(super) fn sum_window<I: Isa>(isa: I, acc: &mut [i32], x: &[i8], taps: [usize; 2], steps: [usize; 2]) {
    acc.fill(0);
    for row in 0..taps[0] {
        isa.sum_row(acc, x.get(row * steps[0]..).unwrap_or_default(), steps[1], taps[1]);
    }
}

/// See [`Isa::sum_thin`].
#[inline(always)]
pub(super) fn sum_thin(acc: &mut [i32], x: &[i8], taps: [usize; 2], steps: [usize; 2]) {
    for (channel, acc) in acc.iter_mut().enumerate() {
        *acc = 0;
        for row in 0..taps[0] {
            let x = x.get(channel + row * steps[0]..).unwrap_or_default();
            x.iter().step_by(steps[1].max(1)).take(taps[1]).for_each(|&x| *acc = acc.wrapping_add(x.into()));
        }
    }
}
