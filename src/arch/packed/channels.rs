//! Blocks of depthwise convolution four channels at a time, over rows of int8 that lie with their border.

use super::{half, narrow, smlad, word};
use crate::arch::run;
use crate::ir::{FourChannels, Requant};

/// Some channels of a depthwise convolution, and where their windows lie in the rows that are kept, a ring of them.
#[derive(Clone, Copy)]
pub(crate) struct Channels<'a> {
    /// Records of four channels, one after another.
    pub(crate) records: &'a [i8],
    /// Bytes of such a record.
    pub(crate) record: usize,
    /// Records of single channels: a last one, or all of fewer than four.
    pub(crate) singles: &'a [i8],
    /// Bytes of such a record.
    pub(crate) single: usize,
    /// Rows and columns of taps.
    pub(crate) taps: [usize; 2],
    /// Byte where the first window's first tap lies.
    pub(crate) first: usize,
    /// Bytes from a row of taps to the next, which may lie before it by all rows.
    pub(crate) row: usize,
    /// Bytes of all rows.
    pub(crate) ring: usize,
    /// Bytes from a tap to the next in a row.
    pub(crate) tap: usize,
    /// Bytes from a window to the next.
    pub(crate) pixel: usize,
    /// Bytes from a window to the one below it.
    pub(crate) below: usize,
    /// Channels to compute.
    pub(crate) channels: usize,
    /// Rows and columns of the output to compute.
    pub(crate) output: [usize; 2],
    /// Channels of the output, from one column to the next.
    pub(crate) step: usize,
    /// Channels of the output, from one row to the next.
    pub(crate) row_step: usize,
    /// Zero point of the output.
    pub(crate) zero: i8,
}

impl Channels<'_> {
    /// Where the taps of the first window lie.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> {
        let ([rows, columns], mut at) = (self.taps, self.first);
        (0..rows).flat_map(move |_| {
            let from = at;
            at += self.row;
            if at >= self.ring {
                at -= self.ring;
            }
            (0..columns).map(move |kx| from + kx * self.tap)
        })
    }

    /// Four channels from the first one on that have the record `i`: the last record may be one of the last four.
    pub(crate) fn four(&self, i: usize) -> usize {
        (4 * i).min(self.channels.saturating_sub(4))
    }
}

/// Elements of the first window's taps and of others.
struct Elements<'a> {
    rows: &'a [i8],
    places: &'a [[i8; 4]],
}

impl<'a> Elements<'a> {
    /// With the places written to the table.
    fn new(channels: &Channels<'_>, rows: &'a [i8], table: &'a mut [i8]) -> Self {
        let places = table.as_chunks_mut::<4>().0;
        for (to, place) in places.iter_mut().zip(channels.places()) {
            *to = (place as u32).to_le_bytes().map(|byte| byte as i8);
        }
        Self { rows, places }
    }

    /// What a tap sees `at` bytes behind the first window.
    fn get(&self, tap: usize, at: usize) -> i8 {
        let place = self.places.get(tap).map_or(0, |place| word(place, 0) as usize);
        self.rows.get(place + at).copied().unwrap_or_default()
    }

    /// What two taps see.
    fn both(&self, tap: usize, at: usize) -> u32 {
        let ([a, b], [c, d]) = (half(self.get(tap, at)), half(self.get(tap + 1, at)));
        word(&[a, b, c, d], 0)
    }
}

impl Channels<'_> {
    /// Where each window lies, and where its outputs.
    fn windows(&self) -> impl Iterator<Item = (usize, usize)> {
        let &Self { output: [height, width], below, pixel, row_step, step, .. } = self;
        let all = (0..height).flat_map(move |row| (0..width).map(move |column| (row, column)));
        all.map(move |(row, column)| (row * below + column * pixel, row * row_step + column * step))
    }
}

/// See [`Isa::four_channels`](crate::arch::Isa::four_channels).
pub(crate) fn four_channels(channels: &Channels<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
    let count = channels.taps[0] * channels.taps[1];
    let (pairs, odd) = (count / 2, count % 2 == 1);
    let x = Elements::new(channels, rows, table);
    for (at, to) in channels.windows() {
        let y = y.get_mut(to..).unwrap_or_default();
        let [fours, _] = FourChannels::parts(channels.channels);
        for i in 0..fours {
            let first = channels.four(i);
            let record = run(channels.records, i * channels.record, channels.record);
            let word = |i: usize| word(record, 4 * i);
            for lane in 0..4 {
                let mut acc = word(lane) as i32;
                for pair in 0..pairs {
                    acc = smlad(x.both(2 * pair, at + first + lane), word(4 + 4 * pair + lane), acc);
                }
                let mut head = 4 + 4 * pairs;
                if odd {
                    let tap = (word(head + lane % 2) >> (16 * (lane / 2))) & 0xffff;
                    acc = smlad(i32::from(x.get(2 * pairs, at + first + lane)) as u32 & 0xffff, tap, acc);
                    head += 2;
                }
                let factor =
                    Requant { multiplier: word(head + lane) as i32, shift: word(head + 4 + lane) as i32 };
                if let Some(y) = y.get_mut(first + lane) {
                    *y = narrow(acc, factor, channels.zero);
                }
            }
        }
    }
}

/// See [`Isa::single_channels`](crate::arch::Isa::single_channels).
pub(crate) fn single_channels(channels: &Channels<'_>, rows: &[i8], table: &mut [i8], y: &mut [i8]) {
    let count = channels.taps[0] * channels.taps[1];
    let x = Elements::new(channels, rows, table);
    let [_, singles] = FourChannels::parts(channels.channels);
    for (at, to) in channels.windows() {
        let y = y.get_mut(to..).unwrap_or_default();
        for i in 0..singles {
            let last = channels.channels - singles + i;
            let record = run(channels.singles, i * channels.single, channels.single);
            let word = |i: usize| word(record, 4 * i);
            let mut acc = word(0) as i32;
            for pair in 0..count.div_ceil(2) {
                acc = smlad(x.both(2 * pair, at + last), word(3 + pair), acc);
            }
            if let Some(y) = y.get_mut(last) {
                let factor = Requant { multiplier: word(1) as i32, shift: word(2) as i32 };
                *y = narrow(acc, factor, channels.zero);
            }
        }
    }
}
