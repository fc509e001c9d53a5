//! Blocks of depthwise convolution. Rows of the image, its border included, are joined two by two: a word holds what a
//! column and channel have in an even row and in the one below, so that a dual multiplication serves two taps of a
//! kernel column. Words lie `[channel][column]`.
//!
//! What a channel needs is one record of words: bias, the two numbers of its packed factor, taps.

use super::{half, narrow, smlad, sxtb16, word};
use crate::arch::run;
use crate::ir::Requant;

/// Some channels of a depthwise convolution, from the first one that is asked for on.
#[derive(Clone, Copy)]
pub(crate) struct Taps<'a> {
    /// A record for each channel.
    pub(crate) records: &'a [i8],
    /// Bytes of a record.
    pub(crate) record: usize,
    /// Byte of a record where the taps begin, `[pair of rows][column]`.
    pub(crate) first: usize,
    /// Joined rows and columns of the kernel.
    pub(crate) taps: [usize; 2],
    /// Byte where the first window's first joined row lies.
    pub(crate) place: usize,
    /// Bytes from a joined row to the next, which may lie before it by all rows.
    pub(crate) row: usize,
    /// Bytes of all joined rows.
    pub(crate) ring: usize,
    /// Bytes from one tap to the next.
    pub(crate) tap: usize,
    /// Bytes from one output's window to the next.
    pub(crate) pixel: usize,
    /// Bytes from one row of windows to the next.
    pub(crate) below: usize,
    /// Bytes from one channel to the next in a joined row.
    pub(crate) pitch: usize,
    /// Channels to compute.
    pub(crate) channels: usize,
    /// Rows and columns of the output to compute.
    pub(crate) output: [usize; 2],
    /// Channels of the output, from one column to the next.
    pub(crate) step: usize,
    /// Channels of the output, from one row to the next that is computed.
    pub(crate) row_step: usize,
    /// Zero point of the output.
    pub(crate) zero: i8,
}

/// Pairs of rows of an image, or of what stands for one, to be joined.
#[derive(Clone, Copy)]
pub(crate) struct Joins<'a> {
    /// The rows of the first pair, others further on.
    pub(crate) rows: [&'a [i8]; 2],
    /// Bytes from a pixel to the next in either.
    pub(crate) steps: [usize; 2],
    /// Channels.
    pub(crate) channels: usize,
    /// Columns.
    pub(crate) columns: usize,
    /// Pairs.
    pub(crate) count: usize,
    /// Bytes from a pair to the next.
    pub(crate) below: usize,
    /// Bytes from a channel to the next where the words go.
    pub(crate) pitch: usize,
    /// Bytes from a joined row to the next.
    pub(crate) row: usize,
}

impl Taps<'_> {
    /// Record of a channel: bias, factor.
    fn head(&self, channel: usize) -> (i32, Requant) {
        let at = channel * self.record;
        let word = |i: usize| word(self.records, at + 4 * i) as i32;
        (word(0), Requant { multiplier: word(1), shift: word(2) })
    }

    /// Where the joined row `i` of the first window lies.
    pub(crate) fn place(&self, i: usize) -> usize {
        let place = self.place + i * self.row;
        if place < self.ring { place } else { place.wrapping_sub(self.ring) }
    }

    /// A word of taps of a channel.
    fn tap(&self, channel: usize, i: usize) -> u32 {
        word(self.records, channel * self.record + self.first + 4 * i)
    }
}

/// See [`Isa::join_rows`](crate::arch::Isa::join_rows).
pub(crate) fn join_rows(joins: &Joins<'_>, to: &mut [i8]) {
    for (i, column) in (0..joins.count).flat_map(|i| (0..joins.columns).map(move |column| (i, column))) {
        let at = |row: usize| i * joins.below + column * joins.steps[row];
        let [upper, lower] = [0, 1].map(|row| run(joins.rows[row], at(row), joins.channels));
        for (c, (&upper, &lower)) in upper.iter().zip(lower).enumerate() {
            let at = i * joins.row + c * joins.pitch + 4 * column;
            if let Some(to) = to.get_mut(at..).and_then(|to| to.first_chunk_mut()) {
                let ([a, b], [c, d]) = (half(upper), half(lower));
                *to = [a, b, c, d];
            }
        }
    }
}

/// See [`Isa::taps`](crate::arch::Isa::taps).
pub(crate) fn taps(taps: &Taps<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
    let (places, columns) = (table.as_chunks_mut::<4>().0, taps.taps[1]);
    for (i, to) in places.iter_mut().take(taps.taps[0] * columns).enumerate() {
        let place = taps.place(i / columns) + i % columns * taps.tap;
        *to = (place as u32).to_le_bytes().map(|byte| byte as i8);
    }
    for channel in 0..taps.channels {
        let (bias, factor) = taps.head(channel);
        for (row, column) in (0..taps.output[0]).flat_map(|row| (0..taps.output[1]).map(move |i| (row, i))) {
            let at = channel * taps.pitch + row * taps.below + column * taps.pixel;
            let mut acc = bias;
            for (i, place) in places.iter().take(taps.taps[0] * columns).enumerate() {
                acc = smlad(word(rows, at + word(place, 0) as usize), taps.tap(channel, i), acc);
            }
            if let Some(y) = y.get_mut(row * taps.row_step + column * taps.step + channel) {
                *y = narrow(acc, factor, taps.zero);
            }
        }
    }
}

/// See [`Isa::two_rows`](crate::arch::Isa::two_rows).
pub(crate) fn two_rows(taps: &Taps<'_>, rows: &[i8], y: &mut [i8]) {
    let places = [0, 1].map(|i| taps.place(i));
    for channel in 0..taps.channels {
        let (bias, factor) = taps.head(channel);
        for (row, column) in (0..taps.output[0]).flat_map(|row| (0..taps.output[1]).map(move |i| (row, i))) {
            let at = channel * taps.pitch + row / 2 * taps.below + column * taps.pixel;
            let mut acc = bias;
            for kx in 0..3 {
                let [a, b] = places.map(|place| word(rows, place + at + kx * taps.tap));
                // taps of rows 0 and 1, and of rows 1 and 2
                let column = taps.tap(channel, kx);
                let (even, odd) = (sxtb16(column), sxtb16(column >> 8));
                let (w01, w12) = (even & 0xffff | odd << 16, odd & 0xffff | even & 0xffff_0000);
                acc = match row % 2 {
                    0 => smlad(b & 0xffff, w12 >> 16, smlad(a, w01, acc)),
                    _ => smlad(b, w12, smlad(a >> 16, w01 & 0xffff, acc)),
                };
            }
            if let Some(y) = y.get_mut(row * taps.row_step + column * taps.step + channel) {
                *y = narrow(acc, factor, taps.zero);
            }
        }
    }
}
