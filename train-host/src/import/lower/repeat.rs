//! TILE: a tensor several times, one after another.
//!
//! Along an axis of `n` elements, element `i` of the output is element `i % n` of the input. That is a resizing whose map
//! says so, over the tensor seen as `[outer][n][inner]`. Keras' UpSampling1D and UpSampling2D write it of an axis of one
//! element that EXPAND_DIMS made for the purpose.

use zipnet::ir::{Op, Shape};

use super::super::model::{Operator, extents};
use super::Lowering;
use crate::graph::IntStore;
use crate::{Error, Result};

/// A tensor as a resizing sees it, and what that makes of it.
struct View {
    from: Shape,
    to: Shape,
    /// The row of each output row, then the column of each output column.
    map: Vec<i32>,
}

impl Lowering<'_> {
    pub(super) fn tile(&mut self, operator: &Operator) -> Result<()> {
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let mut from = self.model.tensors[input].shape.clone();
        let multiples = self.numbers(self.input(operator, 1)?)?;
        if multiples.len() != from.len() || multiples.iter().any(|&n| n < 1) {
            return Err(Error::new(format!("repeats {} by {multiples:?}", extents(&from))));
        }
        let mut x = self.live_any(input)?;
        let axes: Vec<usize> = (0..from.len()).filter(|&axis| multiples[axis] > 1).collect();
        let Some(&last) = axes.last() else { return self.alias(output, x) };
        for axis in axes {
            let times = multiples[axis] as usize; // above 1
            let View { from: shape, to, map } = view(&from, axis, times, self.net.shape(x))?;
            x = self.reshaped(x, shape)?;
            let op = Op::ResizeNearest { height: to.h, width: to.w };
            let store = IntStore { bias: map, ..IntStore::default() };
            if axis == last {
                return self.emit(op, &[x], output, store);
            }
            let meta = self.net.tensors[x.at()].meta;
            x = self.node(op, &[x], meta, store)?;
            from[axis] *= times;
        }
        Ok(())
    }
}

/// How a tensor of extents `from`, which lies in the net as `lies`, is seen where `axis` comes `times` times: as it lies,
/// where that makes whole rows or whole columns of it.
fn view(from: &[usize], axis: usize, times: usize, lies: Shape) -> Result<View> {
    let (before, n, after) = (&from[..axis], from[axis], &from[axis + 1..]);
    let (outer, inner) = (before.iter().product::<usize>(), after.iter().product::<usize>());
    let narrow = |n: usize| {
        u16::try_from(n)
            .map_err(|_| Error::new(format!("repeats {}: beyond 65535 along an axis", extents(from))))
    };
    let repeated = |outer: usize| -> Vec<i32> {
        (0..outer).flat_map(|o| (0..n * times).map(move |i| (o * n + i % n) as i32)).collect()
    };
    let all = |n: u16| (0..i32::from(n)).collect::<Vec<_>>();
    let [h, w, c] = [lies.h, lies.w, lies.c].map(usize::from);
    if h == outer * n && w * c == inner && w > 1 {
        let to = Shape { h: narrow(h * times)?, ..lies };
        return Ok(View { from: lies, to, map: [repeated(outer), all(to.w)].concat() });
    }
    let from = match h * w == outer * n && c == inner && outer.is_multiple_of(h) {
        true => lies,
        false => Shape::new(1, narrow(outer * n)?, narrow(inner)?),
    };
    let to = Shape { w: narrow(usize::from(from.w) * times)?, ..from };
    Ok(View { from, to, map: [all(to.h), repeated(outer / usize::from(from.h))].concat() })
}
