//! Blocks over elements four by four: what they compute, for any CPU. How weights lie is told at
//! [`crate::ir::Packing`].
//!
//! Elements are read as the instruction set keeps them, which is what [`Isa::OFFSET`](super::Isa::OFFSET) tells: as
//! int8, or as bytes with 128 added. Biases go with it, so that the sums are the same.

use super::{Store, run};
use crate::fixed::requantise;
use crate::ir::{FourTaps, Requant};

/// Units in blocks of sixteen, for the pixels of a grid.
#[derive(Clone, Copy)]
pub(crate) struct Sixteens<'a> {
    /// `[block][run][four elements][16 units][4]`.
    pub(crate) weights: &'a [i8],
    /// `[block][16]`.
    pub(crate) requant: &'a [Requant],
    /// `[block][16]` of the first pixel.
    pub(crate) bias: &'a [i32],
    /// Biases from one pixel to the next; 0 where all have the same, as those of several samples must.
    pub(crate) bias_step: usize,
    /// How many units.
    pub(crate) units: usize,
    /// Where the runs of the first pixel's window begin.
    pub(crate) runs: &'a [usize],
    /// Four elements each, of a run.
    pub(crate) quads: usize,
    /// Samples, rows and columns of pixels.
    pub(crate) grid: [usize; 3],
    /// Bytes from a pixel's window to that of the same in the next sample, of the one below, and of the one on its right.
    pub(crate) steps: [usize; 3],
    /// Bytes from a pixel to the next in the output, sample after sample, row after row.
    pub(crate) y_step: usize,
    /// How outputs are stored.
    pub(crate) store: Store,
}

impl Sixteens<'_> {
    /// Pixels of the grid.
    pub(crate) const fn pixels(&self) -> usize {
        self.grid[0].saturating_mul(self.grid[1]).saturating_mul(self.grid[2])
    }

    /// Where the window of a pixel begins.
    pub(crate) fn window(&self, pixel: usize) -> usize {
        let [_, rows, columns] = self.grid;
        let (row, column) =
            (pixel.checked_div(columns).unwrap_or(0), pixel.checked_rem(columns).unwrap_or(0));
        let (sample, row) = (row.checked_div(rows).unwrap_or(0), row.checked_rem(rows).unwrap_or(0));
        sample * self.steps[0] + row * self.steps[1] + column * self.steps[2]
    }

    /// Bytes of weights of a block.
    pub(crate) const fn block(&self) -> usize {
        self.runs.len().saturating_mul(self.quads).saturating_mul(64)
    }

    /// Whether everything lies within its slice, in images and outputs of these lengths.
    #[allow(dead_code)] // asked by the instances of desktop CPUs
    pub(crate) fn fits(&self, x: usize, y: usize) -> bool {
        let blocks = self.units.div_ceil(16);
        let pixels = self.pixels();
        let last = |step: usize, count: usize| step.saturating_mul(count.saturating_sub(1));
        let run = self.runs.iter().copied().max().unwrap_or(0);
        let reach = last(self.steps[0], self.grid[0])
            .saturating_add(last(self.steps[1], self.grid[1]))
            .saturating_add(last(self.steps[2], self.grid[2]))
            .saturating_add(run)
            .saturating_add(self.quads.saturating_mul(4));
        pixels > 0
            && blocks > 0
            && self.weights.len() >= blocks.saturating_mul(self.block())
            && self.requant.len() >= 16 * blocks
            && self.bias.len() >= last(self.bias_step, pixels).saturating_add(16 * blocks)
            && x >= reach
            && y >= last(self.y_step, pixels).saturating_add(self.units)
    }
}

/// Channels of a depthwise convolution in blocks of 64 lanes, for the pixels of a grid.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<'a> {
    /// `[block][four taps][64 lanes][4]`.
    pub(crate) weights: &'a [i8],
    /// `[block][64]`.
    pub(crate) requant: &'a [Requant],
    /// `[block][64]`.
    pub(crate) bias: &'a [i32],
    /// Where the taps of the first pixel's window lie, filled up to fours with any of them.
    pub(crate) taps: &'a [usize],
    /// Columns of the kernel, where `taps` are those of one column after another, as many of each; 0 where they are not.
    pub(crate) columns: usize,
    /// Pixels of the image from an output's window to the next one's, where there are columns; these are one pixel apart.
    pub(crate) column_step: usize,
    /// Elements of a pixel, a multiple of 64 but for the last blocks.
    pub(crate) channels: usize,
    /// Whether a row is one pixel, of which every block has the weights of the first one.
    pub(crate) repeated: bool,
    /// Rows and columns of pixels.
    pub(crate) grid: [usize; 2],
    /// Bytes from a pixel's window to that of the one below, and of the one on its right.
    pub(crate) steps: [usize; 2],
    /// How outputs are stored; they lie on end.
    pub(crate) store: Store,
}

impl Lanes<'_> {
    /// Blocks of a pixel.
    #[allow(dead_code)] // asked by the instances of desktop CPUs
    pub(crate) const fn blocks(&self) -> usize {
        self.channels.div_ceil(64)
    }

    /// Where the weights of a block are.
    pub(crate) const fn place(&self, block: usize) -> usize {
        if self.repeated { 0 } else { block }
    }

    /// Bytes of weights of a block.
    pub(crate) const fn block(&self) -> usize {
        self.taps.len() * 64
    }

    /// Fours of taps of a column; 0 where taps do not lie in columns.
    #[allow(dead_code)] // asked by the instances of desktop CPUs
    pub(crate) const fn column(&self) -> usize {
        match (self.taps.len() / 4).checked_div(self.columns) {
            Some(quads) => quads,
            None => 0,
        }
    }

    /// Pixels of the image that the windows of so many neighbouring outputs see in a row.
    #[allow(dead_code)] // asked by the instances of desktop CPUs
    pub(crate) const fn seen(&self, outputs: usize) -> usize {
        outputs.saturating_sub(1) * self.column_step + self.columns
    }

    /// Neighbouring outputs whose columns fit [`FourTaps::COLUMNS`]; 0 where columns are not to be shared.
    #[allow(dead_code)] // asked by the instances of desktop CPUs
    pub(crate) fn neighbours(&self) -> usize {
        let room = FourTaps::COLUMNS.checked_div(self.column()).unwrap_or(0);
        match room.checked_sub(self.columns) {
            Some(more) if self.columns > 0 && !self.repeated => {
                more.checked_div(self.column_step).map_or(0, |more| more + 1)
            }
            _ => 0,
        }
    }

    /// Whether windows are three rows by three columns of neighbouring pixels, each window as far below another one as a row
    /// is below another one, and next to one as a column is: then windows share rows too. A fourth tap of a column is any.
    #[allow(dead_code)] // asked by the instances of desktop CPUs
    pub(crate) fn stacks(&self) -> bool {
        let &[above, middle, below, ..] = self.taps else { return false };
        let apart = |a: usize, b: usize| a.checked_add(self.steps[0]) == Some(b);
        self.column() == 1
            && self.columns == 3
            && self.column_step == 1
            && !self.repeated
            && apart(above, middle)
            && apart(middle, below)
    }

    /// Sixteen channels that lie side by side, the `part`-th such: where their first weights are, their biases and their
    /// factors. They are every fourth four lanes of their block.
    #[allow(dead_code)] // asked by the instances of desktop CPUs
    pub(crate) fn sixteen(&self, part: usize) -> (usize, [i32; 16], [Requant; 16]) {
        let (place, lane) = (self.place(part / 4), part % 4);
        let at = |i: usize| 64 * place + 16 * (i / 4) + 4 * lane + i % 4;
        let bias = core::array::from_fn(|i| self.bias.get(at(i)).copied().unwrap_or_default());
        let requant = core::array::from_fn(|i| self.requant.get(at(i)).copied().unwrap_or_default());
        (place * self.block() + 16 * lane, bias, requant)
    }

    /// Whether everything lies within its slice, in images and outputs of these lengths. Of an image all 64 bytes of a
    /// block's tap are read.
    #[allow(dead_code)] // asked by the instances of desktop CPUs
    pub(crate) fn fits(&self, x: usize, y: usize) -> bool {
        let blocks = self.blocks();
        let kinds = if self.repeated { 1 } else { blocks };
        let last = |step: usize, count: usize| step.saturating_mul(count.saturating_sub(1));
        let tap = self.taps.iter().copied().max().unwrap_or(0);
        let reach = last(self.steps[0], self.grid[0])
            .saturating_add(last(self.steps[1], self.grid[1]))
            .saturating_add(tap)
            .saturating_add(blocks.saturating_mul(64));
        let outputs = self.grid[0].saturating_mul(self.grid[1]).saturating_mul(self.channels);
        // By columns the same bytes are read, a pixel of the image being `channels` of them.
        let column = self.taps.len().checked_div(self.columns).unwrap_or(0);
        let first = self.taps.get(..column).unwrap_or_default();
        let shifted = |(i, taps): (usize, &[usize])| {
            taps.iter().zip(first).all(|(&tap, &first)| tap == first + i * self.channels)
        };
        let columns = self.columns == 0
            || (self.steps[1] == self.column_step * self.channels
                && column > 0
                && column.is_multiple_of(4)
                && self.taps.len() == column * self.columns
                && self.taps.chunks_exact(column).enumerate().all(shifted));
        blocks > 0
            && columns
            && self.taps.len().is_multiple_of(4)
            && self.weights.len() >= kinds.saturating_mul(self.block())
            && self.requant.len() >= 64 * kinds
            && self.bias.len() >= 64 * kinds
            && x >= reach
            && y >= outputs
    }
}

/// The element at `at` with the offset taken for what it is.
#[inline(always)]
fn element(x: &[i8], at: usize, offset: u8) -> i32 {
    let byte = x.get(at).copied().unwrap_or_default();
    if offset == 0 { byte.into() } else { i32::from(byte as u8) }
}

/// See [`Isa::lay`](super::Isa::lay).
#[inline(always)]
pub(crate) fn lay(x: &[i8], row: usize, to: &mut [i8], pitch: usize, border: i8, offset: u8) {
    let rows = if x.len() == row { 1 } else { x.len().checked_div(row).unwrap_or(0) };
    let (most, last) = to.split_at_mut_checked(rows.saturating_sub(1) * pitch).unwrap_or_default();
    let lines = most.chunks_exact_mut(pitch.max(1)).chain([last]);
    for (x, to) in x.chunks_exact(row.max(1)).zip(lines) {
        let Some((inside, outside)) = to.split_at_mut_checked(row) else { return };
        // 128 more is the sign bit turned over.
        inside.iter_mut().zip(x).for_each(|(to, &x)| *to = x ^ offset as i8);
        outside.iter_mut().for_each(|to| *to = border);
    }
}

/// See [`Isa::sixteens`](super::Isa::sixteens).
pub(crate) fn sixteens(s: &Sixteens<'_>, x: &[i8], y: &mut [i8], offset: u8) {
    for pixel in 0..s.pixels() {
        let window = s.window(pixel);
        for block in 0..s.units.div_ceil(16) {
            let mut acc = [0; 16];
            acc.iter_mut().zip(run(s.bias, pixel * s.bias_step + 16 * block, 16)).for_each(|(a, &b)| *a = b);
            let mut weights = run(s.weights, block * s.block(), s.block()).as_chunks::<64>().0.iter();
            for &from in s.runs {
                for (quad, weights) in (0..s.quads).zip(weights.by_ref()) {
                    let four: [i32; 4] =
                        core::array::from_fn(|i| element(x, window + from + 4 * quad + i, offset));
                    for (acc, w) in acc.iter_mut().zip(weights.as_chunks::<4>().0) {
                        for (&x, &w) in four.iter().zip(w) {
                            *acc = acc.wrapping_add(x * i32::from(w));
                        }
                    }
                }
            }
            let live = 16.min(s.units - 16 * block);
            let to = y.get_mut(pixel * s.y_step + 16 * block..).and_then(|y| y.get_mut(..live));
            finish(&acc, run(s.requant, 16 * block, 16), s.store, to.unwrap_or_default());
        }
    }
}

/// See [`Isa::lanes`](super::Isa::lanes).
pub(crate) fn lanes(l: &Lanes<'_>, x: &[i8], y: &mut [i8], offset: u8) {
    let mut outputs = y.chunks_mut(l.channels.max(1));
    for row in 0..l.grid[0] {
        for column in 0..l.grid[1] {
            let (window, Some(y)) = (row * l.steps[0] + column * l.steps[1], outputs.next()) else { return };
            for (block, y) in y.chunks_mut(64).enumerate() {
                let place = l.place(block);
                let mut acc = [0; 64];
                acc.iter_mut().zip(run(l.bias, 64 * place, 64)).for_each(|(a, &b)| *a = b);
                let weights = run(l.weights, place * l.block(), l.block()).as_chunks::<256>().0;
                for (taps, weights) in l.taps.as_chunks::<4>().0.iter().zip(weights) {
                    for (lane, (acc, w)) in acc.iter_mut().zip(weights.as_chunks::<4>().0).enumerate() {
                        for (&tap, &w) in taps.iter().zip(w) {
                            let x = element(x, window + tap + 64 * block + of_lane(lane), offset);
                            *acc = acc.wrapping_add(x * i32::from(w));
                        }
                    }
                }
                let mut whole = [0; 64];
                finish(&acc, run(l.requant, 64 * place, 64), l.store, &mut whole);
                for (lane, value) in whole.iter().enumerate() {
                    if let Some(y) = y.get_mut(of_lane(lane)) {
                        *y = *value;
                    }
                }
            }
        }
    }
}

/// The element of a block that a lane holds; see [`FourTaps::channel`](crate::ir::FourTaps::channel).
const fn of_lane(lane: usize) -> usize {
    16 * (lane / 4 % 4) + 4 * (lane / 16) + lane % 4
}

fn finish(acc: &[i32], requant: &[Requant], store: Store, y: &mut [i8]) {
    for ((y, &acc), q) in y.iter_mut().zip(acc).zip(requant) {
        *y = store.narrow(requantise(acc, q.multiplier, q.shift));
    }
}
