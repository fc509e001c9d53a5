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
    /// Columns of the kernel.
    pub(crate) columns: usize,
    /// Columns from one output to the next.
    pub(crate) stride: usize,
    /// Columns from one tap to the next.
    pub(crate) dilation: usize,
    /// Channels to compute.
    pub(crate) channels: usize,
    /// Channels of the output, from one column to the next.
    pub(crate) step: usize,
    /// Columns of the output.
    pub(crate) width: usize,
    /// Bytes from one channel to the next in a joined row.
    pub(crate) pitch: usize,
    /// Zero point of the output.
    pub(crate) zero: i8,
}

impl Taps<'_> {
    /// Record of a channel: bias, factor.
    fn head(&self, channel: usize) -> (i32, Requant) {
        let at = channel * self.record;
        let word = |i: usize| word(self.records, at + 4 * i) as i32;
        (word(0), Requant { multiplier: word(1), shift: word(2) })
    }

    /// A word of taps of a channel.
    fn tap(&self, channel: usize, i: usize) -> u32 {
        word(self.records, channel * self.record + self.first + 4 * i)
    }
}

/// See [`Isa::join_rows`](crate::arch::Isa::join_rows).
pub(crate) fn join_rows(
    rows: [&[i8]; 2],
    steps: [usize; 2],
    channels: usize,
    columns: usize,
    to: &mut [i8],
    pitch: usize,
) {
    for column in 0..columns {
        let [upper, lower] = [0, 1].map(|i| run(rows[i], column * steps[i], channels));
        for (c, (&upper, &lower)) in upper.iter().zip(lower).enumerate() {
            if let Some(to) = to.get_mut(c * pitch + 4 * column..).and_then(|to| to.first_chunk_mut()) {
                let ([a, b], [c, d]) = (half(upper), half(lower));
                *to = [a, b, c, d];
            }
        }
    }
}

/// See [`Isa::taps`](crate::arch::Isa::taps).
pub(crate) fn taps(taps: &Taps<'_>, rows: &[&[i8]], y: &mut [i8]) {
    for channel in 0..taps.channels {
        let (bias, factor) = taps.head(channel);
        for column in 0..taps.width {
            let mut acc = bias;
            for (j, row) in rows.iter().enumerate() {
                for kx in 0..taps.columns {
                    let at = column * taps.stride + kx * taps.dilation;
                    let x = word(row, channel * taps.pitch + 4 * at);
                    acc = smlad(x, taps.tap(channel, j * taps.columns + kx), acc);
                }
            }
            if let Some(y) = y.get_mut(column * taps.step + channel) {
                *y = narrow(acc, factor, taps.zero);
            }
        }
    }
}

/// See [`Isa::two_rows`](crate::arch::Isa::two_rows).
pub(crate) fn two_rows(taps: &Taps<'_>, pairs: [&[i8]; 2], y: &mut [i8], mut second: Option<&mut [i8]>) {
    for channel in 0..taps.channels {
        let (bias, factor) = taps.head(channel);
        for column in 0..taps.width {
            let (mut upper, mut lower) = (bias, bias);
            for kx in 0..3 {
                let [a, b] = pairs.map(|pair| word(pair, channel * taps.pitch + 4 * (column + kx)));
                // taps of rows 0 and 1, and of rows 1 and 2
                let column = taps.tap(channel, kx);
                let (even, odd) = (sxtb16(column), sxtb16(column >> 8));
                let (w01, w12) = (even & 0xffff | odd << 16, odd & 0xffff | even & 0xffff_0000);
                upper = smlad(b & 0xffff, w12 >> 16, smlad(a, w01, upper));
                lower = smlad(b, w12, smlad(a >> 16, w01 & 0xffff, lower));
            }
            let at = column * taps.step + channel;
            if let Some(y) = y.get_mut(at) {
                *y = narrow(upper, factor, taps.zero);
            }
            if let Some(y) = second.as_mut().and_then(|second| second.get_mut(at)) {
                *y = narrow(lower, factor, taps.zero);
            }
        }
    }
}
