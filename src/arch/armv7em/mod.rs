//! Cortex-M4, M7, M33 and others with DSP instructions: blocks in assembler.
//!
//! Each function in assembler has a safe door beside it that checks every length before it passes pointers, and its
//! portable counterpart in [`super::packed`], which computes the same and which hosts test. Single loads and stores
//! throughout, for those may be unaligned on these cores; exporter and planner see to it that they are not.
//!
//! Cycles are those of a Cortex-M4: a group of `n` loads in a row takes `n + 1`, a branch taken 3, the rest 1.

#![allow(unsafe_code)]

mod add;
mod channel;
mod channels;
mod clamp;
mod collect;
mod copy;
mod depthwise;
mod dot;
mod eights;
mod frame;
mod gather;
mod half_quads;
mod join;
mod lay;
mod multiply;
mod nibbles;
mod nines;
mod pixels;
mod places;
mod pool;
mod products;
mod quads;
mod requantize;
mod runs;
mod squares;
mod table;
mod thin;
mod three;
mod tiles;
mod two_rows;
mod twos;
mod widen;
mod window;
mod winograd;

use super::packed::{
    Channels, Eights, Finish, Joins, Laid, Linear, Lines, Quads, Runs, Sight, Spread, Taps, Tiles, Twos,
};
use super::pool::{self as portable, View};
use super::runs::EvenRuns;
use super::{Isa, QUAD, Store};
use crate::ir::{Clamp, Requant};

/// The token; this module exists only where the CPU has the instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Armv7em;

impl Isa for Armv7em {
    const NAME: &'static str = "armv7e-m";

    #[inline(always)]
    fn dot(self, acc: &mut [i32; QUAD], x: &[i8], w: &[&[i8]; QUAD], from: usize) {
        dot::dot(acc, x, w, from);
    }

    #[inline(always)]
    fn dot_nibbles(self, acc: &mut [i32; QUAD], x: &[i8], w: &[&[i8]; QUAD]) {
        nibbles::dot(acc, x, w);
    }

    #[inline(always)]
    fn sum_window(self, acc: &mut [i32], x: &[i8], taps: [usize; 2], steps: [usize; 2]) {
        pool::sum_window(acc, x, taps, steps);
    }

    #[inline(always)]
    fn sum_thin(self, acc: &mut [i32], x: &[i8], taps: [usize; 2], steps: [usize; 2]) {
        thin::sum_thin(acc, x, taps, steps);
    }

    #[inline(always)]
    fn max_window(self, y: &mut [i8], view: &View<'_>) {
        pool::max_window(y, view);
    }

    #[inline(always)]
    fn max_thin(self, y: &mut [i8], view: &View<'_>) {
        thin::max_thin(y, view);
    }

    #[inline(always)]
    fn mean_window(self, y: &mut [i8], view: &View<'_>) {
        if !pool::mean_window(y, view) {
            // One tap, or very many, which are rare: output by output takes the least code.
            portable::mean_thin(y, view);
        }
    }

    #[inline(always)]
    fn mean_thin(self, y: &mut [i8], view: &View<'_>) {
        if !thin::mean_thin(y, view) {
            portable::mean_thin(y, view);
        }
    }

    #[inline(always)]
    fn widen_pixels(self, lines: &Lines<'_>, to: &mut [i8], pitch: usize, lane: usize) {
        widen::pixels(lines, to, pitch, lane);
    }

    #[inline(always)]
    fn fill(self, word: [i8; 4], to: &mut [i8]) {
        widen::fill(word, to);
    }

    #[inline(always)]
    fn widen_runs(self, lines: &Lines<'_>, to: &mut [i8], at: usize, apart: usize, lane: usize) {
        widen::runs(lines, to, at, apart, lane);
    }

    #[inline(always)]
    fn gather(self, sight: &Sight<'_>, to: &mut [i8], pitch: usize, at: usize, lane: usize) {
        gather::gather(sight, to, pitch, at, lane);
    }

    #[inline(always)]
    fn lay_windows(self, laid: &Laid<'_>, table: &mut [i8], to: &mut [i8], pitch: usize) {
        lay::lay_windows(laid, table, to, pitch);
    }

    #[inline(always)]
    fn collect(self, runs: Runs<'_>, pairs: usize, step: usize, count: usize, to: &mut [i8]) {
        collect::collect(runs, pairs, step, count, to);
    }

    #[inline(always)]
    fn collect_first(self, runs: Runs<'_>, pairs: usize, from: usize, to: &mut [i8], lane: usize) {
        collect::collect_first(runs, pairs, from, to, lane);
    }

    #[inline(always)]
    fn widen(self, x: &[i8], to: &mut [i8]) {
        widen::run(x, to);
    }

    #[inline(always)]
    fn quads(self, quads: &Quads<'_>, rows: usize, runs: Runs<'_>, y: &mut [i8]) {
        quads::quads(quads, rows, runs, y);
    }

    #[inline(always)]
    fn long_quads(self, quads: &Quads<'_>, rows: usize, runs: Runs<'_>, y: &mut [i8]) {
        quads::long_quads(quads, rows, runs, y);
    }

    #[inline(always)]
    fn half_quads(
        self,
        quads: &Quads<'_>,
        units: usize,
        rests: u8,
        rows: usize,
        runs: Runs<'_>,
        y: &mut [i8],
    ) {
        half_quads::half_quads(quads, units, rests, rows, runs, y);
    }

    #[inline(always)]
    fn long_half_quads(
        self,
        quads: &Quads<'_>,
        units: usize,
        rests: u8,
        rows: usize,
        runs: Runs<'_>,
        y: &mut [i8],
    ) {
        half_quads::long_half_quads(quads, units, rests, rows, runs, y);
    }

    #[inline(always)]
    fn eights(self, eights: &Eights<'_>, x: &[i8], y: &mut [i8]) {
        eights::eights(eights, x, y);
    }

    #[inline(always)]
    fn long_eights(self, eights: &Eights<'_>, x: &[i8], y: &mut [i8]) {
        eights::long_eights(eights, x, y);
    }

    #[inline(always)]
    fn twos(self, twos: &Twos<'_>, x: &[i8], y: &mut [i8]) {
        twos::twos(twos, x, y);
    }

    #[inline(always)]
    fn long_twos(self, twos: &Twos<'_>, x: &[i8], y: &mut [i8]) {
        twos::long_twos(twos, x, y);
    }

    #[inline(always)]
    fn join_rows(self, joins: &Joins<'_>, to: &mut [i8]) {
        join::join_rows(joins, to);
    }

    #[inline(always)]
    fn taps(self, taps: &Taps<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
        depthwise::taps(taps, rows, table, y);
    }

    #[inline(always)]
    fn two_rows(self, taps: &Taps<'_>, rows: &[i8], y: &mut [i8]) {
        two_rows::two_rows(taps, rows, y);
    }

    #[inline(always)]
    fn four_channels(self, channels: &Channels<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
        channels::four_channels(channels, rows, table, y);
    }

    #[inline(always)]
    fn single_channels(self, channels: &Channels<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
        channel::single_channels(channels, rows, table, y);
    }

    #[inline(always)]
    fn widen_columns(self, x: &[i8], channels: usize, to: &mut [i8], pitch: usize) {
        winograd::widen_columns(x, channels, to, pitch);
    }

    #[inline(always)]
    fn transform_row(self, tiles: &Tiles, row: &[i8], to: &mut [i8]) {
        winograd::transform_row(tiles, row, to);
    }

    #[inline(always)]
    fn transform_filters(self, tiles: &Tiles, weights: &[i8], to: &mut [i8]) {
        winograd::transform_filters(tiles, weights, to);
    }

    #[inline(always)]
    fn multiply_tiles(self, tiles: &Tiles, rows: &[i8], filters: &[i8], to: &mut [i8]) {
        tiles::multiply_tiles(tiles, rows, filters, to);
    }

    #[inline(always)]
    fn finish_tiles(self, finish: &Finish<'_>, products: &[i8], y: &mut [i8]) {
        tiles::finish_tiles(finish, products, y);
    }

    #[inline(always)]
    fn copy(self, x: &[i8], to: &mut [i8]) {
        copy::copy(x, to);
    }

    #[inline(always)]
    fn multiply(self, y: &mut [i8], x: &[i8], step: usize, zeros: [i8; 2], requant: Requant, store: Store) {
        multiply::multiply(y, x, step, zeros, requant, store);
    }

    #[inline(always)]
    fn copy_runs(self, x: &[i8], y: &mut [i8], runs: &EvenRuns) {
        runs::copy_runs(x, y, runs);
    }

    #[inline(always)]
    fn requantize(self, y: &mut [i8], zero: i8, requant: Requant, store: Store) {
        requantize::requantize(y, zero, requant, store);
    }

    #[inline(always)]
    fn look_up(self, table: &[i8; 256], y: &mut [i8]) {
        table::look_up(table, y);
    }

    #[inline(always)]
    fn lower_columns(self, rows: &[i8], pitch: usize, channels: usize, columns: usize, to: &mut [i8]) {
        squares::lower_columns(rows, pitch, channels, columns, to);
    }

    #[inline(always)]
    fn lower_rows(self, columns: &[i8], count: usize, to: &mut [i8]) {
        squares::lower_rows(columns, count, to);
    }

    #[inline(always)]
    fn lower_filters(self, pairs: usize, weights: &[i8], to: &mut [i8]) {
        squares::lower_filters(pairs, weights, to);
    }

    #[inline(always)]
    fn multiply_squares(self, pairs: usize, squares: &[i8], filters: &[i8], to: &mut [i8]) {
        products::multiply_squares(pairs, squares, filters, to);
    }

    #[inline(always)]
    fn finish_squares(self, spread: &Spread<'_>, unit: usize, products: &mut [i8], y: &mut [i8]) {
        products::finish_squares(spread, unit, products, y);
    }

    #[inline(always)]
    fn clamp(self, y: &mut [i8], clamp: Clamp) {
        clamp::clamp(y, clamp);
    }

    #[inline(always)]
    fn add_linear(self, y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
        add::linear(y, x, linear);
    }
}
