//! The table that tells where the taps of a window lie, a word each.

/// Writes where the `columns` taps of a row lie, `tap` bytes apart from `place` on; gives where those of the next row go.
///
/// # Safety
/// There is room for so many words at `to`.
#[inline(always)]
pub(super) unsafe fn write_row(to: *mut u32, mut place: usize, columns: usize, tap: usize) -> *mut u32 {
    let mut to = to;
    for _ in 0..columns {
        // SAFETY: the caller's promise.
        unsafe {
            to.write_unaligned(place as u32);
            to = to.add(1);
        }
        place += tap;
    }
    to
}
