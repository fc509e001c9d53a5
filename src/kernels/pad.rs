//! A tensor with elements of one value around it.
//!
//! ```text
//! y[h + top][w + left][c + front] = x[h][w][c],  value elsewhere
//! ```
//!
//! Nothing is rounded. Source of the semantics: TensorFlow Lite Micro, `micro/kernels/pad_common.cc`: PAD writes the
//! output's zero point, PADV2 its constant.

use super::{Input, Output};
use crate::arch::run;
use crate::ir::Pad;

/// `x` within a border of `value`.
#[inline(never)]
pub(crate) fn pad(pad: &Pad, value: &[i32], x: Input<'_>, mut y: Output<'_>) {
    let &[value] = value else { return };
    let [top, left, front] = pad.before.map(usize::from);
    let [_, _, back] = pad.after.map(usize::from);
    let [h, w, c] = [x.shape.h, x.shape.w, x.shape.c].map(usize::from);
    let row = usize::from(y.shape.w) * usize::from(y.shape.c);
    y.next(top * row).fill(value as i8);
    for iy in 0..h {
        let mut line = Output { data: y.next(row), ..y };
        line.next(left * usize::from(y.shape.c)).fill(value as i8);
        for ix in 0..w {
            line.next(front).fill(value as i8);
            let x = run(x.data, x.at(iy, ix), c);
            line.next(c).iter_mut().zip(x).for_each(|(y, &x)| *y = x);
            line.next(back).fill(value as i8);
        }
        line.data.fill(value as i8);
    }
    y.data.fill(value as i8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Op;
    use crate::kernels::oracle::{Numbers, hold, outputs, place, shapes};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    #[test]
    fn the_input_lies_within_a_border() {
        let sides = || prop::array::uniform3(0..4u16);
        hold(256, (shapes(), sides(), sides(), any::<u64>()), |(shape, before, after, seed)| {
            let (mut numbers, border) = (Numbers(seed), Pad { before, after });
            let out = Op::Pad(border).output(&[shape]).unwrap();
            let (x, value) = (numbers.int8s(shape.len()), numbers.int8());
            let mut got = vec![55; out.len()];
            let input = Input { shape, zero: 0, data: &x };
            pad(&border, &[value.into()], input, Output { shape: out, zero: 0, data: &mut got });
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
}
