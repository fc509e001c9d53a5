//! Convolution of a 3x3 kernel by Winograd's minimal filtering F(4x4, 3x3): 36 products in place of 144. The arithmetic
//! is told at [`crate::arch::packed`]'s blocks.
//!
//! The output is made in squares of four rows and columns, as many at a time as there is room for transforms of what they
//! see, in scratch and in those rows of the output that come later; then for each two units the filters are, multiplied,
//! and the products made outputs of, four squares at a time. With more squares at a time filters are transformed less often.
//!
//! Six rows of the image are kept with their border, those that a row of squares sees. They are read in order, each before
//! the outputs are written that lie as far down.

use super::activate_all;
use crate::arch::packed::Spread;
use crate::arch::{Isa, run};
use crate::ir::{Conv2d, IntData, Padding, Squares};
use crate::kernels::{Flow, Input};

/// Convolution of `x` into `y`, weights packed as [`DspSquares`](crate::ir::Packing::DspSquares).
#[inline(never)]
pub(crate) fn squares_conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, flow: &mut Flow<'_>) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, _), (y, zero)) = (flow.x, flow.y);
    let Some(squares) = Squares::new(conv, x) else { return };
    let (strip, quads) = (squares.strip(scratch.len()), squares.quads());
    if strip == 0 {
        return;
    }
    let Some((lowered, besides)) = scratch.split_at_mut_checked(strip * squares.quad()) else { return };
    // All squares at once leave nothing to be read of the rows.
    let rows = if strip == quads { 0 } else { squares.seen() };
    let mut window = Seen { squares: &squares, padding: conv.window.padding, next: 0 };
    let mut spread = Spread {
        bias: data.bias,
        requant: data.requant,
        zero,
        step: squares.units,
        size: [y.h.into(), y.w.into()],
        first: 0,
        across: squares.across,
    };
    let (row, quad) = (spread.size[1] * squares.units, squares.quad());
    // Rows of the output that may hold transforms until they are written.
    let height = if flow.apart().is_some() { spread.size[0] } else { 0 };
    let mut first = 0;
    while first < quads {
        let count = squares.at_once(first, strip, [height, row]);
        let behind = squares.behind(first + count, row);
        for i in 0..count {
            let (x, to) = match (i.checked_sub(strip), flow.apart()) {
                (Some(i), Some((x, y))) => (x, y.get_mut(behind + i * quad..)),
                _ => (flow.input(), lowered.get_mut(i * quad..)),
            };
            window.lower(isa, x, 4 * (first + i), besides, to.unwrap_or_default());
        }
        let Some((filters, products)) =
            besides.get_mut(rows..).and_then(|left| left.split_at_mut_checked(squares.filters()))
        else {
            return;
        };
        let mut weights = data.weights;
        for unit in (0..squares.units).step_by(2) {
            isa.lower_filters(squares.pairs, weights, filters);
            weights = weights.get(36 * squares.pairs..).unwrap_or_default();
            for i in 0..count {
                let y = flow.output();
                let lowered = match i.checked_sub(strip) {
                    None => run(lowered, i * quad, quad),
                    Some(i) => run(y, behind + i * quad, quad),
                };
                isa.multiply_squares(squares.pairs, lowered, filters, products);
                spread.first = 4 * (first + i);
                isa.finish_squares(&spread, unit, products, y);
            }
        }
        first += count;
    }
    activate_all(isa, flow, data.clamp);
}

/// Rows of the image that a row of squares sees, with their border.
struct Seen<'a> {
    squares: &'a Squares,
    padding: Padding,
    /// The row of squares for which the next ones are.
    next: usize,
}

impl Seen<'_> {
    /// Transforms what four squares see, from `first` on. `besides` holds the rows, then columns between the transforms.
    fn lower<I: Isa>(&mut self, isa: I, x: Input<'_>, first: usize, besides: &mut [i8], to: &mut [i8]) {
        let Squares { across, count, pairs, .. } = *self.squares;
        let (pitch, channels) = (self.squares.pitch(), 2 * pairs);
        let (mut square, end) = (first, (first + 4).min(count));
        while square < end {
            let row = square.checked_div(across).unwrap_or(0);
            if row == self.next {
                self.read(isa, x, besides);
            }
            let column = square - row * across;
            let beside = (across - column).min(end - square).max(1);
            let Some((rows, columns)) = besides.split_at_mut_checked(self.squares.seen()) else { return };
            for channel in (0..channels).step_by(4) {
                let rows = rows.get(4 * column * channels + channel..).unwrap_or_default();
                isa.lower_columns(rows, pitch, channels, 4 * beside + 2, columns);
                let at = 8 * Squares::POINTS * channel + 4 * (square - first);
                isa.lower_rows(columns, beside, to.get_mut(at..).unwrap_or_default());
            }
            square += beside;
        }
    }

    /// Reads the rows of the next row of squares, but those that the last one saw.
    fn read<I: Isa>(&mut self, isa: I, x: Input<'_>, rows: &mut [i8]) {
        let (pitch, channels) = (self.squares.pitch(), 2 * self.squares.pairs);
        let (height, len) = (usize::from(x.shape.h), usize::from(x.shape.w) * channels);
        let [left, top] = [self.padding.left, self.padding.top].map(usize::from);
        let Some(rows) = rows.get_mut(..self.squares.seen()) else { return };
        let mut first = 2;
        if self.next == 0 {
            // The borders, which stay.
            rows.fill(x.zero);
            first = top;
        } else if let Some((first, last)) = rows.split_at_mut_checked(4 * pitch) {
            isa.copy(last, first);
        }
        let row = (4 * self.next + first).saturating_sub(top);
        let count = height.saturating_sub(row).min(6_usize.saturating_sub(first));
        for i in 0..count {
            let to = rows.get_mut((first + i) * pitch + left * channels..).unwrap_or_default();
            isa.copy(run(x.data, (row + i) * len, len), to);
        }
        rows.get_mut((first + count) * pitch..).unwrap_or_default().fill(x.zero);
        self.next += 1;
    }
}
