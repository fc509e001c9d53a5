//! What a slice takes along one axis.

use crate::{Error, Result};

/// A slice of one axis, as the file says it.
pub(super) struct Range {
    /// Elements there are.
    pub(super) n: i64,
    pub(super) begin: i64,
    pub(super) end: i64,
    pub(super) step: i64,
}

impl Range {
    /// First element, step, and how many; as `StridedSlice` of TensorFlow Lite's `strided_slice_logic.h` takes them.
    pub(super) fn take(&self, from_start: bool, to_end: bool, single: bool) -> Result<(i64, i64, i64)> {
        let &Self { n, begin, end, step } = self;
        if step == 0 {
            return Err(Error::new("a stride of 0"));
        }
        let wrapped = |at: i64| if at < 0 { at + n } else { at };
        if single {
            let at = if from_start { 0 } else { wrapped(begin) };
            if !(0..n).contains(&at) {
                return Err(Error::new(format!("takes element {begin} of {n}")));
            }
            return Ok((at, 1, 1));
        }
        let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
        let first = match (from_start, step > 0) {
            (true, true) => 0,
            (true, false) => n - 1,
            (false, _) => wrapped(begin).clamp(low, high),
        };
        let stop = match (to_end, step > 0) {
            (true, true) => n,
            (true, false) => -1,
            (false, _) => wrapped(end).clamp(low, high),
        };
        let distance = if step > 0 { stop - first } else { first - stop };
        Ok((first, step, (distance.max(0) + step.abs() - 1) / step.abs()))
    }
}
