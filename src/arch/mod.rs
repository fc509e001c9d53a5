//! How a CPU does the inner work: the [`Isa`] trait, its instances, and the one place that chooses.
//!
//! A kernel is written once, over an `Isa`. The methods are blocks over plain slices, without shapes or operators;
//! each has a portable default body, so an instance overrides only what its CPU does faster. Weights may lie in an
//! order of a CPU's own, a [`Packing`](crate::ir::Packing), which the exporter produces; the blocks for it have
//! portable bodies too ([`packed`]), so every instance reads every packing.
//!
//! A new CPU is a file with a token and the methods it does better, packings if it wants weights in another order,
//! and a variant in [`cpu`], the one place that chooses. An instance may replace a small block ([`Isa::dot`] over four
//! channels) or the large one around it ([`Isa::units`], all output channels of a pixel).
//!
//! Every block is total: a run that does not lie in its slice is empty, and surplus elements are left alone.

#[cfg(thumb)]
mod armv6m;
#[cfg(dsp)]
mod armv7em;
#[cfg(test)]
mod blocks;
mod cpu;
pub(crate) mod fours;
pub(crate) mod halves;
mod matrix;
mod multiply;
#[cfg(mve)]
mod mve;
#[cfg(all(feature = "std", target_arch = "aarch64"))]
mod neon;
mod nibbles;
pub(crate) mod packed;
pub(crate) mod pool;
mod requantize;
pub(crate) mod runs;
#[cfg(any(not(any(dsp, mve, thumb)), test))]
mod scalar;
pub(crate) mod vectors;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod x86;

pub use cpu::Cpu;
pub(crate) use cpu::Job;
pub(crate) use matrix::{Matrix, Store, Sum};

#[cfg(any(test, all(feature = "std", target_arch = "x86_64")))]
pub(crate) use scalar::Scalar;

use crate::fixed::requantise;
use crate::ir::{Clamp, Requant};
use core::ops::Range;
use fours::{Lanes, Sixteens};
use halves::{Block, Windows};
use packed::{
    Channels, Eights, Finish, Joins, Laid, Linear, Lines, Quads, Runs, Sight, Spread, Taps, Tiles, Twos,
};
use pool::View;
use runs::EvenRuns;
use vectors::Dots;

/// Output channels that [`Isa::dot`] computes at once.
pub(crate) const QUAD: usize = 4;

/// Channels that a depthwise or pooling block takes at once; fewer at the end of a pixel.
pub(crate) const LANES: usize = 32;

/// The inner blocks. An instance is a token that exists only where the CPU has the instructions.
pub(crate) trait Isa: Copy {
    /// Its name in reports.
    const NAME: &'static str;

    /// What elements have added to them where [`Isa::sixteens`] and [`Isa::lanes`] read them: 0, or 128, so that they
    /// are bytes without a sign.
    const OFFSET: u8 = 0;

    /// The weights of the units `unit` to `unit + 3`, in a form [`Isa::dot`] takes. Past `last` that unit is
    /// repeated, so that a quad is always whole.
    #[inline(always)]
    fn quad<'a>(self, matrix: &Matrix<'a>, unit: usize, last: usize) -> Option<[&'a [i8]; QUAD]> {
        let of = |i: usize| exact(matrix.weights, (unit + i).min(last) * matrix.k, matrix.k);
        Some([of(0)?, of(1)?, of(2)?, of(3)?])
    }

    /// `y[n] = requantise(bias[n] + sum over j of x[j] * w[n][j])` for the units `n` of a range. `x` has `k` elements;
    /// `bias` and `y` are those of all units.
    #[inline(never)]
    fn units(self, matrix: &Matrix<'_>, units: Range<usize>, x: &[i8], bias: &[i32], y: &mut [i8]) {
        let mut unit = units.start;
        while unit < units.end {
            let Some(w) = self.quad(matrix, unit, units.end - 1) else { return };
            let mut acc = first(bias, unit);
            self.dot(&mut acc, x, &w, 0);
            self.finish(matrix, unit, units.end, &acc, y);
            unit += QUAD;
        }
    }

    /// `acc[i] += sum over j of x[j] * w[i][from + j]`: four channels over a run. Where the last ones are the same run of
    /// weights the first of those counts.
    #[inline(never)]
    fn dot(self, acc: &mut [i32; QUAD], x: &[i8], w: &[&[i8]; QUAD], from: usize) {
        let [Some(w0), Some(w1), Some(w2), Some(w3)] = w.map(|w| exact(w, from, x.len())) else { return };
        let [mut a0, mut a1, mut a2, mut a3] = *acc;
        for ((((&x, &w0), &w1), &w2), &w3) in x.iter().zip(w0).zip(w1).zip(w2).zip(w3) {
            let x = i32::from(x);
            a0 = a0.wrapping_add(x * i32::from(w0));
            a1 = a1.wrapping_add(x * i32::from(w1));
            a2 = a2.wrapping_add(x * i32::from(w2));
            a3 = a3.wrapping_add(x * i32::from(w3));
        }
        *acc = [a0, a1, a2, a3];
    }

    /// `acc[i] += sum over j of x[j] * w[i][j]`: four channels over a run, weights of 4 bits, two a byte.
    #[inline(never)]
    fn dot_nibbles(self, acc: &mut [i32; QUAD], x: &[i8], w: &[&[i8]; QUAD]) {
        nibbles::dot(acc, x, w);
    }

    /// `acc[i] += x * sum over j < len of w[i][from + j]`: a run of the border, where every element is `x`.
    #[inline(never)]
    fn border(self, acc: &mut [i32; QUAD], x: i8, w: &[&[i8]; QUAD], from: usize, len: usize) {
        if x == 0 {
            return;
        }
        for (acc, w) in acc.iter_mut().zip(w) {
            for &w in run(w, from, len) {
                *acc = acc.wrapping_add(i32::from(x) * i32::from(w));
            }
        }
    }

    /// `acc[c] += x[c] * w[c]`: one tap of a depthwise window. All three have one length, at most [`LANES`].
    #[inline(always)]
    fn tap(self, acc: &mut [i32], x: &[i8], w: &[i8]) {
        for ((acc, &x), &w) in acc.iter_mut().zip(x).zip(w) {
            *acc = acc.wrapping_add(i32::from(x) * i32::from(w));
        }
    }

    /// `acc[c] += taps[0][c] * w[c] + taps[1][c] * w[step + c] + ...`: taps of a depthwise window. `acc` has at most
    /// [`LANES`], and every tap as many.
    #[inline(always)]
    fn window(self, acc: &mut [i32], taps: &[&[i8]], w: &[i8], step: usize) {
        for (i, x) in taps.iter().enumerate() {
            self.tap(acc, x, run(w, i * step, acc.len()));
        }
    }

    /// `acc[c] += x[c]`: one tap of an average. Both have one length, at most [`LANES`].
    #[inline(always)]
    fn sum(self, acc: &mut [i32], x: &[i8]) {
        for (acc, &x) in acc.iter_mut().zip(x) {
            *acc = acc.wrapping_add(i32::from(x));
        }
    }

    /// `acc[c] += x[c] + x[step + c] + ...`: `count` taps of an average, so many elements apart. `acc` has at most
    /// [`LANES`].
    #[inline(always)]
    fn sum_row(self, acc: &mut [i32], x: &[i8], step: usize, count: usize) {
        for tap in 0..count {
            self.sum(acc, run(x, tap * step, acc.len()));
        }
    }

    /// `acc[c] = max(acc[c], x[c])`: one tap of a maximum. Both have one length, at most [`LANES`].
    #[inline(always)]
    fn max(self, acc: &mut [i8], x: &[i8]) {
        for (acc, &x) in acc.iter_mut().zip(x) {
            *acc = x.max(*acc);
        }
    }

    /// `y[c]` is the greatest of `x[c]` over the taps of a window, for each pixel of the view.
    #[inline(always)]
    fn max_window(self, y: &mut [i8], view: &View<'_>) {
        pool::max_window(self, y, view);
    }

    /// `y[c]` is the mean of `x[c]` over the taps of a window, to nearest, ties away from zero, for each pixel of the view:
    /// any number of taps up to 2^24.
    #[inline(always)]
    fn mean_window(self, y: &mut [i8], view: &View<'_>) {
        pool::mean_window(self, y, view);
    }

    /// [`Isa::max_window`] of fewer than four channels.
    #[inline(always)]
    fn max_thin(self, y: &mut [i8], view: &View<'_>) {
        pool::max_thin(y, view);
    }

    /// [`Isa::mean_window`] of fewer than four channels.
    #[inline(always)]
    fn mean_thin(self, y: &mut [i8], view: &View<'_>) {
        pool::mean_thin(y, view);
    }

    /// `acc[c]` is the sum of `x[c]` over rows and columns of taps, so many elements apart. `acc` has at most [`LANES`].
    #[inline(always)]
    fn sum_window(self, acc: &mut [i32], x: &[i8], taps: [usize; 2], steps: [usize; 2]) {
        pool::sum_window(self, acc, x, taps, steps);
    }

    /// [`Isa::sum_window`] of fewer than four channels.
    #[inline(always)]
    fn sum_thin(self, acc: &mut [i32], x: &[i8], taps: [usize; 2], steps: [usize; 2]) {
        pool::sum_thin(acc, x, taps, steps);
    }

    /// `y[c] = requantise(acc[c])` for consecutive channels, as many as `y` and `requant` both have.
    #[inline(never)]
    fn store(self, acc: &[i32], requant: &[Requant], store: Store, y: &mut [i8]) {
        for ((y, &acc), q) in y.iter_mut().zip(acc).zip(requant) {
            *y = store.narrow(requantise(acc, q.multiplier, q.shift));
        }
    }

    /// Stores the accumulators of a quad from `unit` on, as far as the units go before `end`.
    #[inline(always)]
    fn finish(self, matrix: &Matrix<'_>, unit: usize, end: usize, acc: &[i32; QUAD], y: &mut [i8]) {
        let requant = matrix.factors(unit, QUAD.min(end - unit));
        self.store(acc, requant, matrix.store, y.get_mut(unit..).unwrap_or_default());
    }

    /// `y[i] = y[i] + x[i]` as [`Sum`] says; `y[i] + y[i]` when there is no `x`.
    #[inline(always)]
    fn add(self, y: &mut [i8], x: Option<&[i8]>, sum: &Sum) {
        let scale = |q: i8, zero: i8, factor: Requant| {
            requantise((i32::from(q) - i32::from(zero)) << 20, factor.multiplier, factor.shift)
        };
        let add = |a: i8, b: i8| {
            let ([za, zb], [qa, qb]) = (sum.zeros, sum.operands);
            let acc = scale(a, za, qa).wrapping_add(scale(b, zb, qb));
            sum.store.narrow(requantise(acc, sum.requant.multiplier, sum.requant.shift))
        };
        match x {
            Some(x) => y.iter_mut().zip(x).for_each(|(y, &x)| *y = add(*y, x)),
            None => y.iter_mut().for_each(|y| *y = add(*y, *y)),
        }
    }

    /// Elements of neighbouring pixels as int16, `[pair of elements][2 pixels]`; the first one is pixel `lane` of its pair,
    /// and pairs are `pitch` bytes apart.
    #[inline(never)]
    fn widen_pixels(self, lines: &Lines<'_>, to: &mut [i8], pitch: usize, lane: usize) {
        packed::widen_pixels(lines, to, pitch, lane);
    }

    /// The same for runs that all go to pixel `lane` of a pair: the first one is its elements `at..`, the next one begins
    /// `apart` elements behind it.
    #[inline(never)]
    fn widen_runs(self, lines: &Lines<'_>, to: &mut [i8], at: usize, apart: usize, lane: usize) {
        packed::widen_runs(lines, to, at, apart, lane);
    }

    /// Fills words with one; bytes behind the last whole word stay.
    #[inline(always)]
    fn fill(self, word: [i8; 4], to: &mut [i8]) {
        to.as_chunks_mut().0.fill(word);
    }

    /// What the windows of neighbouring pixels see, tap after tap, as elements `at..` of pixels that
    /// [`Isa::widen_pixels`] puts; the first one is pixel `lane` of its pair, and pairs are `pitch` bytes apart.
    #[inline(never)]
    fn gather(self, sight: &Sight<'_>, to: &mut [i8], pitch: usize, at: usize, lane: usize) {
        packed::gather(sight, to, pitch, at, lane);
    }

    /// What windows see, tap after tap, as elements of pixels that [`Isa::widen_pixels`] puts, row by row of windows; pairs are
    /// `pitch` bytes apart. `table` is room for a word a tap, whole fours of them. Up to 24 bytes behind the last window may be
    /// written, and 4 behind the last tap of the last window read, which have to be there.
    #[inline(never)]
    fn lay_windows(self, laid: &Laid<'_>, _table: &mut [i8], to: &mut [i8], pitch: usize) {
        packed::lay_windows(laid, to, pitch);
    }

    /// Copies the runs of each of `count` pairs of pixels together: `pairs` pairs of elements of each run, which lie
    /// `step` bytes further on from one pair of pixels to the next.
    #[inline(never)]
    fn collect(self, runs: Runs<'_>, pairs: usize, step: usize, count: usize, to: &mut [i8]) {
        packed::collect(runs, pairs, step, count, to);
    }

    /// Copies pixel 0 of a pair of pixels together, `from` bytes into each run, to be pixel `lane` of a pair.
    #[inline(never)]
    fn collect_first(self, runs: Runs<'_>, pairs: usize, from: usize, to: &mut [i8], lane: usize) {
        packed::collect_first(runs, pairs, from, to, lane);
    }

    /// Every element as int16.
    #[inline(never)]
    fn widen(self, x: &[i8], to: &mut [i8]) {
        packed::widen(x, to);
    }

    /// Four units a time for rows of pixels two by two, which lie in `runs`: `[pair of elements][2 pixels]` words of a pair of
    /// pixels, others further on. A last pixel of a row may be alone. Each row has as many runs, one's after another's. `y` is
    /// the first pixel's first output on.
    #[inline(never)]
    fn quads(self, quads: &Quads<'_>, rows: usize, runs: Runs<'_>, y: &mut [i8]) {
        packed::quads(quads, rows, runs, y);
    }

    /// The same, but sums of each run are told apart for themselves, at most [`packed::SECTION`] pairs of elements each, and
    /// biases are those of the units, of the first ones of pairs and then of the others.
    #[inline(never)]
    fn long_quads(self, quads: &Quads<'_>, rows: usize, runs: Runs<'_>, y: &mut [i8]) {
        packed::long_quads(quads, rows, runs, y);
    }

    /// The same as `quads` for one to three units behind the quads; bit `n` of `rests` tells whether there may be `n` of them.
    #[inline(never)]
    fn half_quads(
        self,
        quads: &Quads<'_>,
        units: usize,
        _rests: u8,
        rows: usize,
        runs: Runs<'_>,
        y: &mut [i8],
    ) {
        packed::half_quads(quads, units, rows, runs, y);
    }

    /// The same as `long_quads` for one to three units behind the quads.
    #[inline(never)]
    fn long_half_quads(
        self,
        quads: &Quads<'_>,
        units: usize,
        _rests: u8,
        rows: usize,
        runs: Runs<'_>,
        y: &mut [i8],
    ) {
        packed::long_half_quads(quads, units, rows, runs, y);
    }

    /// Eight units a time over int16 elements; `y` is a multiple of eight.
    #[inline(never)]
    fn eights(self, eights: &Eights<'_>, x: &[i8], y: &mut [i8]) {
        packed::eights(eights, x, y);
    }

    /// The same, but sums are told apart after [`packed::SECTION`] pairs of elements at most, and biases are those of the
    /// units, of the first ones of pairs and then of the others.
    #[inline(never)]
    fn long_eights(self, eights: &Eights<'_>, x: &[i8], y: &mut [i8]) {
        packed::long_eights(eights, x, y);
    }

    /// Two units a time over elements as they lie; the last one may be alone.
    #[inline(never)]
    fn twos(self, twos: &Twos<'_>, x: &[i8], y: &mut [i8]) {
        packed::twos(twos, x, y);
    }

    /// The same, but sums are told apart as those of `long_eights` are, and biases are those of the units.
    #[inline(never)]
    fn long_twos(self, twos: &Twos<'_>, x: &[i8], y: &mut [i8]) {
        packed::long_twos(twos, x, y);
    }

    /// Joins pairs of rows: `to[i * row + c * pitch + 4 * column]` is the word of both elements of pair `i`.
    #[inline(never)]
    fn join_rows(self, joins: &Joins<'_>, to: &mut [i8]) {
        packed::join_rows(joins, to);
    }

    /// Rows of depthwise outputs from joined rows. `table` is room for a word a tap; `y` is the first channel of the first
    /// output on.
    #[inline(never)]
    fn taps(self, taps: &Taps<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
        packed::taps(taps, rows, table, y);
    }

    /// Rows of depthwise outputs, of a 3x3 kernel at stride 1, two by two from two joined rows; a last one may be alone. Taps
    /// are a word a column, its first three bytes.
    #[inline(never)]
    fn two_rows(self, taps: &Taps<'_>, rows: &[i8], y: &mut [i8]) {
        packed::two_rows(taps, rows, y);
    }

    /// Rows of depthwise outputs, four channels at a time, from rows that lie with their border. `table` is room for a
    /// word a tap, whole pairs of them; `y` is the first channel of the first output on. A channel by itself is left to
    /// [`Isa::single_channels`].
    #[inline(never)]
    fn four_channels(self, channels: &Channels<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
        packed::four_channels(channels, rows, table, y);
    }

    /// The same of channels by themselves: one that is left, or all of fewer than four.
    #[inline(never)]
    fn single_channels(self, channels: &Channels<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
        packed::single_channels(channels, rows, table, y);
    }

    /// A row of an image as `x + 128`, in halves of words: `to[2 i * pitch + 4 * column]` is that of channels `4 i` and
    /// `4 i + 2`, `pitch` further that of `4 i + 1` and `4 i + 3`. Channels are a multiple of four.
    #[inline(never)]
    fn widen_columns(self, x: &[i8], channels: usize, to: &mut [i8], pitch: usize) {
        packed::widen_columns(x, channels, to, pitch);
    }

    /// The transform of a widened row to where it lies among those kept.
    #[inline(never)]
    fn transform_row(self, tiles: &Tiles, row: &[i8], to: &mut [i8]) {
        packed::transform_row(tiles, row, to);
    }

    /// The transform of four units' filters, `[point][row][pair of channels][unit]` words.
    #[inline(never)]
    fn transform_filters(self, tiles: &Tiles, weights: &[i8], to: &mut [i8]) {
        packed::transform_filters(tiles, weights, to);
    }

    /// Products of four units' filters and of as many transformed rows as they have, summed over rows and channels:
    /// `[pair of tiles][point][unit][tile]` words.
    #[inline(never)]
    fn multiply_tiles(self, tiles: &Tiles, rows: &[i8], filters: &[i8], to: &mut [i8]) {
        packed::multiply_tiles(tiles, rows, filters, to);
    }

    /// Outputs of four units, one column after another, from their products.
    #[inline(never)]
    fn finish_tiles(self, finish: &Finish<'_>, products: &[i8], y: &mut [i8]) {
        packed::finish_tiles(finish, products, y);
    }

    /// `y[i] = narrow(requantise((y[i] - zeros[0]) * (x[step * i] - zeros[1])))`, for all `i` that both hold; `step` is 0 or 1.
    #[inline(never)]
    fn multiply(self, y: &mut [i8], x: &[i8], step: usize, zeros: [i8; 2], requant: Requant, store: Store) {
        multiply::multiply(y, x, step, zeros, requant, store);
    }

    /// Copies the runs of `x` to where they lie in `y`.
    #[inline(never)]
    fn copy_runs(self, x: &[i8], y: &mut [i8], runs: &EvenRuns) {
        runs::copy_runs(x, y, runs);
    }

    /// The first transform of six rows of an image, `pitch` bytes apart, of four channels of `columns` pixels of `channels`:
    /// `[column][row][pair of channels]` words.
    #[inline(never)]
    fn lower_columns(self, rows: &[i8], pitch: usize, channels: usize, columns: usize, to: &mut [i8]) {
        packed::lower_columns(rows, pitch, channels, columns, to);
    }

    /// The second transform, of `count` squares, of what [`Isa::lower_columns`] makes: `[pair of channels][point][square]`
    /// words, four squares in all.
    #[inline(never)]
    fn lower_rows(self, columns: &[i8], count: usize, to: &mut [i8]) {
        packed::lower_rows(columns, count, to);
    }

    /// The transform of two units' 3x3 filters, `[pair of channels][point][unit]` words.
    #[inline(never)]
    fn lower_filters(self, pairs: usize, weights: &[i8], to: &mut [i8]) {
        packed::lower_filters(pairs, weights, to);
    }

    /// Products of two units' filters and four squares, summed over channels: `[point][unit][square]` words.
    #[inline(never)]
    fn multiply_squares(self, pairs: usize, squares: &[i8], filters: &[i8], to: &mut [i8]) {
        packed::multiply_squares(pairs, squares, filters, to);
    }

    /// Outputs of two units, from `unit` on, in four squares, or as many as there are, from their products, which it
    /// destroys.
    #[inline(never)]
    fn finish_squares(self, spread: &Spread<'_>, unit: usize, products: &mut [i8], y: &mut [i8]) {
        packed::finish_squares(spread, unit, products, y);
    }

    /// `y[i] = clamp(y[i])`.
    #[inline(never)]
    fn clamp(self, y: &mut [i8], clamp: Clamp) {
        y.iter_mut().for_each(|y| *y = (*y).max(clamp.low).min(clamp.high));
    }

    /// `y[i] = requantise(y[i] - zero)`.
    #[inline(never)]
    fn requantize(self, y: &mut [i8], zero: i8, requant: Requant, store: Store) {
        requantize::requantize(self, y, zero, requant, store);
    }

    /// `y[i] = table[y[i] + 128]`.
    #[inline(never)]
    fn look_up(self, table: &[i8; 256], y: &mut [i8]) {
        requantize::look_up(table, y);
    }

    /// `y[i] = y[i] + x[i]` as [`Linear`] says; `y[i] + y[i]` when there is no `x`.
    #[inline(never)]
    fn add_linear(self, y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
        packed::add_linear(y, x, linear);
    }

    /// Elements `at..` of the windows of four pixels, which lie from `places` of `x` on, as [`Halves`](crate::ir::Halves)
    /// tells.
    #[inline(never)]
    fn lay_four(self, x: &[i8], places: &[usize; 4], len: usize, to: &mut [i8], at: usize) {
        halves::lay_four(x, places, len, to, at);
    }

    /// The units of a group for four pixels whose windows lie in `x`; `y` is the first pixel's first output on.
    #[inline(never)]
    fn halves(self, block: &Block<'_>, x: &[i8], y: &mut [i8]) {
        halves::halves(block, x, y);
    }

    /// Depthwise outputs of four pixels; `taps` are the places of the first channel in `x` that each tap reads for them.
    #[inline(never)]
    fn four_windows(self, windows: &Windows<'_>, x: &[i8], taps: &[[usize; 4]], y: &mut [i8]) {
        halves::four_windows(windows, x, taps, y);
    }

    /// Rows of `row` elements with [`Isa::OFFSET`] added, `pitch` apart in `to`; between them, and to the end after the last
    /// one, `border`.
    #[inline(never)]
    fn lay(self, x: &[i8], row: usize, to: &mut [i8], pitch: usize, border: i8) {
        fours::lay(x, row, to, pitch, border, Self::OFFSET);
    }

    /// Copies as many elements as both have.
    #[inline(always)]
    fn copy(self, x: &[i8], to: &mut [i8]) {
        to.iter_mut().zip(x).for_each(|(to, &x)| *to = x);
    }

    /// Copies runs of four pixels, `len` elements each from `places` of `x` on, to windows `pitch` bytes apart, where those of
    /// a pixel lie on end.
    #[inline(never)]
    fn lay_runs(self, x: &[i8], runs: &[[usize; 4]], len: usize, to: &mut [i8], pitch: usize) {
        vectors::lay_runs(x, runs, len, to, pitch);
    }

    /// The units of a group for some pixels whose windows lie in `x`, as [`Vectors`](crate::ir::Vectors) tells; `y` is the
    /// first pixel's first output on.
    #[inline(never)]
    fn dots(self, dots: &Dots<'_>, x: &[i8], y: &mut [i8]) {
        vectors::dots(dots, x, y);
    }

    /// Units in blocks of sixteen, for all pixels: `x` is the image with its border, elements with
    /// [`Isa::OFFSET`] added, `y` the first pixel's first output on.
    #[inline(never)]
    fn sixteens(self, sixteens: &Sixteens<'_>, x: &[i8], y: &mut [i8]) {
        fours::sixteens(sixteens, x, y, Self::OFFSET);
    }

    /// Depthwise channels in blocks of 64, for all pixels: `x` as before.
    #[inline(never)]
    fn lanes(self, lanes: &Lanes<'_>, x: &[i8], y: &mut [i8]) {
        fours::lanes(lanes, x, y, Self::OFFSET);
    }
}

/// The `len` elements from `from` on, if all of them exist.
#[inline(always)]
fn exact<T>(slice: &[T], from: usize, len: usize) -> Option<&[T]> {
    slice.get(from..)?.get(..len)
}

/// The `len` elements from `from` on; none where not all of them exist.
#[inline(always)]
pub(crate) fn run<T>(slice: &[T], from: usize, len: usize) -> &[T] {
    exact(slice, from, len).unwrap_or(&[])
}

/// A quad of elements from `from` on; 0 where there are none.
#[inline(always)]
pub(crate) fn first(slice: &[i32], from: usize) -> [i32; QUAD] {
    core::array::from_fn(|i| slice.get(from + i).copied().unwrap_or_default())
}
