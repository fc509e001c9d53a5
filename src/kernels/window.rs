//! What a convolution's windows see, copied together: the elements in the order of a unit's weights, border and all.

use super::{Axis, Input, Taps};
use crate::arch::run;
use crate::ir::Conv2d;

/// What stays the same for all windows of a convolution.
#[derive(Clone, Copy)]
pub(super) struct Windows<'a> {
    pub(super) x: Input<'a>,
    pub(super) rows: Axis,
    pub(super) columns: Axis,
    /// Channels that a group reads.
    pub(super) span: usize,
    /// Whether windows read all channels of adjacent columns, so that a kernel row is one run of a row.
    pub(super) whole_rows: bool,
}

impl<'a> Windows<'a> {
    pub(super) fn new(conv: &Conv2d, x: Input<'a>) -> Self {
        let (rows, columns) = (Axis::rows(&conv.window, x.shape), Axis::columns(&conv.window, x.shape));
        let adjacent = columns.dilation == 1 || columns.kernel == 1;
        let whole_rows = conv.groups == 1 && conv.span == x.shape.c && adjacent;
        Self { x, rows, columns, span: conv.span.into(), whole_rows }
    }

    /// Elements of a window.
    #[inline(always)]
    pub(super) const fn len(&self) -> usize {
        self.rows.kernel * self.columns.kernel * self.span
    }

    /// The window itself, where it is one run of the input.
    #[inline(always)]
    pub(super) fn in_place(&self, rows: Taps, columns: Taps) -> Option<&'a [i8]> {
        let inside = self.rows.kernel == 1 && rows.whole(1) && columns.whole(self.columns.kernel);
        if !self.whole_rows || !inside {
            return None;
        }
        Some(run(self.x.data, self.x.at(rows.at, columns.at), self.len()))
    }

    /// The two runs of channels that a group reads: from `channel` on, and after wrapping round.
    #[inline(always)]
    pub(super) fn parts(&self, channel: usize) -> [(usize, usize); 2] {
        let head = self.span.min(usize::from(self.x.shape.c) - channel);
        [(channel, head), (0, self.span - head)]
    }

    /// The elements of a window, for the group that reads from `channel` on.
    #[inline(never)]
    pub(super) fn gather(&self, rows: Taps, columns: Taps, channel: usize, mut to: &mut [i8]) {
        let parts = self.parts(channel);
        let kernel = self.columns.kernel;
        for ky in 0..self.rows.kernel {
            let row = rows.place(ky, self.rows.dilation);
            if let (Some(row), true) = (row, self.whole_rows) {
                next(&mut to, columns.first * self.span).fill(self.x.zero);
                let len = (columns.end - columns.first) * self.span;
                copy(next(&mut to, len), run(self.x.data, self.x.at(row, columns.at), len));
                next(&mut to, (kernel - columns.end) * self.span).fill(self.x.zero);
                continue;
            }
            for kx in 0..kernel {
                match row.zip(columns.place(kx, self.columns.dilation)) {
                    Some((row, column)) => {
                        let at = self.x.at(row, column);
                        for (from, len) in parts {
                            copy(next(&mut to, len), run(self.x.data, at + from, len));
                        }
                    }
                    None => next(&mut to, self.span).fill(self.x.zero),
                }
            }
        }
    }
}

/// The next `len` elements, which are given away.
#[inline(always)]
fn next<'a>(to: &mut &'a mut [i8], len: usize) -> &'a mut [i8] {
    to.split_off_mut(..len).unwrap_or_default()
}

#[inline(always)]
fn copy(to: &mut [i8], from: &[i8]) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
}
