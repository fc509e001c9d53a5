//! What a strided slice takes along each axis.

use super::model::Strided;
use crate::{Error, Result};

impl Strided {
    /// Whether each number stands for the axis at its place.
    pub(super) const fn is_by_axis(&self) -> bool {
        self.ellipsis_mask == 0 && self.new_axis_mask == 0
    }

    /// Whether the one element that is taken along an axis is no axis of the output.
    pub(super) fn drops(&self, axis: usize) -> bool {
        bit(self.shrink_axis_mask, axis)
    }

    /// First element, step, and how many of `n` along an axis; as `StridedSlice` of TensorFlow Lite's
    /// `strided_slice_logic.h` takes them.
    pub(super) fn take(&self, axis: usize, n: i64, [begin, end, step]: [i64; 3]) -> Result<(i64, i64, i64)> {
        let beyond = || Error::new(format!("ends at {begin} + {end}"));
        let end = if self.offset { begin.checked_add(end).ok_or_else(beyond)? } else { end };
        if step == 0 {
            return Err(Error::new("a stride of 0"));
        }
        let (from_start, to_end) = (bit(self.begin_mask, axis), bit(self.end_mask, axis));
        let wrapped = |at: i64| if at < 0 { at + n } else { at };
        if self.drops(axis) {
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

/// The bit of an axis.
fn bit(mask: u32, axis: usize) -> bool {
    u32::try_from(axis).is_ok_and(|axis| mask.checked_shr(axis).unwrap_or(0) & 1 == 1)
}
