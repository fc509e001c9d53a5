//! Convolution with three columns of taps by Winograd's minimal filtering F(4, 3) along rows: six products for twelve.
//! The arithmetic is told at [`crate::arch::packed`]'s blocks.
//!
//! The output is made in strips of as many rows as scratch allows. For a strip each row of the image is widened and
//! transformed once, and kept as long as the next strip sees it; for each four units the filters are transformed, then
//! each row of the strip is multiplied and finished. Higher strips transform filters less often.
//!
//! Rows are read in order, each before the outputs of the strip are written that reaches as far down.

use super::{activate_all, factors, shared};
use crate::arch::packed::{Finish, Tiles};
use crate::arch::{Isa, run};
use crate::ir::{Conv2d, IntData, Winograd};
use crate::kernels::{Flow, Input};

/// Convolution of `x` into `y`, weights packed as [`DspWinograd`](crate::ir::Packing::DspWinograd).
#[inline(never)]
pub(crate) fn winograd_conv2d<I: Isa>(isa: I, conv: &Conv2d, data: &IntData<'_>, flow: &mut Flow<'_>) {
    let scratch = core::mem::take(&mut flow.scratch);
    let ((x, x_zero), (y, zero)) = (flow.x, flow.y);
    let Some(winograd) = Winograd::new(conv, x) else { return };
    let strip = winograd.strip(scratch.len()).min(y.h.into());
    if strip == 0 {
        return;
    }
    let kept = winograd.kept(strip);
    let Winograd { rows, pairs, tiles, units, stride, .. } = winograd;
    let of_strip = Tiles { rows, pairs, tiles, kept };
    let Some((kept_rows, scratch)) = scratch.split_at_mut_checked(kept * winograd.row()) else { return };
    let mut rows_above = Rows {
        tiles: of_strip,
        zero: (x_zero as u8) ^ 0x80,
        kept: kept_rows,
        top: conv.window.padding.top.into(),
        left: conv.window.padding.left.into(),
    };
    let (height, width) = (usize::from(y.h), usize::from(y.w));
    let quad: [_; 4] = shared(data.requant);
    let (mut oy, mut next) = (0, 0);
    while oy < height {
        let strip = strip.min(height - oy);
        let first = oy * stride;
        // Rows that the strip before has seen move up; those below are new.
        let seen = next.max(first) - first;
        rows_above.move_up(kept - seen, seen);
        for row in seen..(strip - 1) * stride + rows {
            let wide = scratch.get_mut(..winograd.wide()).unwrap_or_default();
            rows_above.transform(isa, flow.input(), first + row, row, wide);
        }
        next = first + kept;
        // The widened row has done its service.
        let Some((filters, products)) = scratch.split_at_mut_checked(winograd.filters()) else { return };
        let mut weights = data.weights;
        for unit in (0..units).step_by(4) {
            isa.transform_filters(&of_strip, weights, filters);
            weights = weights.get(12 * rows * pairs * 2..).unwrap_or_default();
            let (requant, _) = factors(data.requant, unit, &quad);
            for row in 0..strip {
                let from = rows_above.kept.get(8 * row * stride * pairs..).unwrap_or_default();
                isa.multiply_tiles(&of_strip, from, filters, products);
                let finish = Finish {
                    bias: run(data.bias, unit, 4),
                    requant: run(requant, 0, 4),
                    zero,
                    step: units,
                    width,
                };
                let y = flow.output().get_mut((oy + row) * width * units + unit..).unwrap_or_default();
                isa.finish_tiles(&finish, products, y);
            }
        }
        oy += strip;
    }
    activate_all(isa, flow, data.clamp);
}

/// Transformed rows, and how they are made.
struct Rows<'a> {
    tiles: Tiles,
    /// Zero point of the image, plus 128.
    zero: u8,
    /// `[point][pair of tiles][row][pair of channels][tile]`.
    kept: &'a mut [i8],
    top: usize,
    left: usize,
}

impl Rows<'_> {
    /// Makes `count` rows from `from` on the first ones.
    fn move_up(&mut self, from: usize, count: usize) {
        let (row, pitch) = (8 * self.tiles.pairs, self.tiles.pitch());
        if count == 0 || from == 0 || pitch == 0 {
            return;
        }
        for rows in self.kept.chunks_exact_mut(pitch) {
            if let Some(until) = (from + count).checked_mul(row).filter(|&until| until <= rows.len()) {
                rows.copy_within(from * row..until, 0);
            }
        }
    }

    /// Transforms row `row` of the image with its border to be row `at` of those kept; `wide` is for the widened row.
    fn transform<I: Isa>(&mut self, isa: I, x: Input<'_>, row: usize, at: usize, wide: &mut [i8]) {
        let (columns, pairs) = (self.tiles.columns(), self.tiles.pairs);
        wide.as_chunks_mut::<4>().0.fill([self.zero as i8, 0, self.zero as i8, 0]);
        if let Some(row) = row.checked_sub(self.top).filter(|&row| row < x.shape.h.into()) {
            let (c, room) = (usize::from(x.shape.c), (columns / 4).saturating_sub(self.left));
            let len = usize::from(x.shape.w).min(room) * c;
            let x = run(x.data, x.at(row, 0), len);
            isa.widen_columns(x, c, wide.get_mut(4 * self.left..).unwrap_or_default(), columns);
        }
        let to = self.kept.get_mut(8 * at * pairs..).unwrap_or_default();
        isa.transform_row(&self.tiles, wide, to);
    }
}
