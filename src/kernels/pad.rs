//! A tensor with elements of one value around it.
//!
//! ```text
//! y[h + top][w + left][c + front] = x[h][w][c],  value elsewhere
//! ```
//!
//! Nothing is rounded. Source of the semantics: TensorFlow Lite Micro, `micro/kernels/pad_common.cc`: PAD writes the
//! output's zero point, PADV2 its constant.
//!
//! Tricks:
//! 1. The output is filled whole, then the input copied: all rows at once where there is nothing before or behind channels.

use super::{Input, Output};
use crate::arch::Isa;
use crate::arch::runs::EvenRuns;
use crate::ir::Pad;

/// `x` within a border of `value`.
#[inline(never)]
pub(crate) fn pad<I: Isa>(isa: I, pad: &Pad, value: &[i32], x: Input<'_>, y: Output<'_>) {
    let &[value] = value else { return };
    let [top, left, front] = pad.before.map(usize::from);
    let [h, w, c] = [x.shape.h, x.shape.w, x.shape.c].map(usize::from);
    let [columns, channels] = [y.shape.w, y.shape.c].map(usize::from);
    y.data.fill(value as i8);
    let y = y.data.get_mut((top * columns + left) * channels + front..).unwrap_or_default();
    if channels == c {
        let runs = EvenRuns { len: w * c, count: h, steps: [w * c, columns * channels] };
        return isa.copy_runs(x.data, y, &runs);
    }
    let runs = EvenRuns { len: c, count: w, steps: [c, channels] };
    for row in 0..h {
        let y = y.get_mut(row * columns * channels..).unwrap_or_default();
        isa.copy_runs(x.data.get(row * w * c..).unwrap_or_default(), y, &runs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Op;
    use crate::kernels::oracle::{Numbers, hold, on_every_isa, outputs, place, shapes};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    fn the_input_lies_within_a_border<I: Isa>(isa: I) {
        let sides = || prop::array::uniform3(0..4u16);
        hold(256, (shapes(), sides(), sides(), any::<u64>()), |(shape, before, after, seed)| {
            let (mut numbers, border) = (Numbers(seed), Pad { before, after });
            let out = Op::Pad(border).output(&[shape]).unwrap();
            let (x, value) = (numbers.int8s(shape.len()), numbers.int8());
            let mut got = vec![55; out.len()];
            let input = Input { shape, zero: 0, data: &x };
            pad(isa, &border, &[value.into()], input, Output { shape: out, zero: 0, data: &mut got });
            let inside = |i: usize, before: u16, extent: u16| {
                i.checked_sub(before.into()).filter(|&i| i < usize::from(extent))
            };
            for (i, (h, w, c)) in outputs(out).enumerate() {
                let at = (
                    inside(h, before[0], shape.h),
                    inside(w, before[1], shape.w),
                    inside(c, before[2], shape.c),
                );
                let want = match at {
                    (Some(h), Some(w), Some(c)) => x[place(shape, (h, w, c))],
                    _ => value,
                };
                prop_assert_eq!(got[i], want, "at {:?}", (h, w, c));
            }
            Ok(())
        });
    }

    #[test]
    fn on_every_isa_the_input_lies_within_a_border() {
        on_every_isa!(the_input_lies_within_a_border);
    }
}
