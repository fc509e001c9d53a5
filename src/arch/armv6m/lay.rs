//! Elements of a window laid into words of two pixels.

use crate::arch::halves;
use core::arch::naked_asm;

/// See [`Isa::lay_pixel`](crate::arch::Isa::lay_pixel).
#[inline(never)]
pub(super) fn lay_pixel(x: &[i8], to: &mut [i8], at: usize, pixel: usize) {
    // What is no whole pair is laid by itself.
    let (first, rest) = x.split_at_checked(at % 2).unwrap_or((x, &[]));
    let pairs = rest.len() / 2;
    let from = 16 * at.div_ceil(2) + 8 * (pixel / 2);
    let whole = to.get_mut(from..).filter(|to| {
        pairs > 0 && to.len() >= 16 * pairs - 8 && (to.as_ptr() as usize).is_multiple_of(4) && pixel < 4
    });
    let Some(whole) = whole else { return halves::lay_pixel(x, to, at, pixel) };
    // SAFETY: so many elements are read, and so many pairs of words, 16 bytes apart, written.
    unsafe {
        if pixel.is_multiple_of(2) {
            lay_first(rest.as_ptr(), whole.as_mut_ptr(), pairs);
        } else {
            lay_second(rest.as_ptr(), whole.as_mut_ptr(), pairs);
        }
    }
    if !first.is_empty() {
        halves::lay_pixel(first, to, at, pixel);
    }
    if rest.len() % 2 == 1 {
        let last = rest.get(2 * pairs..).unwrap_or_default();
        halves::lay_pixel(last, to, at + first.len() + 2 * pairs, pixel);
    }
}

/// A function that lays pairs of elements, `r6` and `r7`, each as `$place` says.
macro_rules! lay {
    ($place:literal) => {
        naked_asm!(
            "push {{r4-r7, lr}}",
            "movs r3, #0",
            "movs r4, #1",
            "lsls r5, r2, #1",
            "adds r5, r5, r0",
            // two pairs a turn; of an odd number the first alone
            "lsrs r2, r2, #1",
            "bcs 2f",
            "1:",
            "ldrsb r6, [r0, r3]",
            "ldrsb r7, [r0, r4]",
            $place,
            "stmia r1!, {{r6, r7}}",
            "adds r1, #8",
            "adds r0, #2",
            "2:",
            "ldrsb r6, [r0, r3]",
            "ldrsb r7, [r0, r4]",
            $place,
            "stmia r1!, {{r6, r7}}",
            "adds r1, #8",
            "adds r0, #2",
            "cmp r0, r5",
            "bne 1b",
            "pop {{r4-r7, pc}}",
        )
    };
}

/// First pixels of pairs.
///
/// # Safety
/// There is a pair at least; `x` and `to` are as long as follows.
#[unsafe(naked)]
unsafe extern "C" fn lay_first(x: *const i8, to: *mut i8, pairs: usize) {
    lay!("")
}

/// Second pixels, added to the words of the first.
///
/// # Safety
/// As [`lay_first`].
#[unsafe(naked)]
unsafe extern "C" fn lay_second(x: *const i8, to: *mut i8, pairs: usize) {
    lay!(
        "lsls r6, r6, #16
        lsls r7, r7, #16
        ldr r2, [r1]
        adds r6, r6, r2
        ldr r2, [r1, #4]
        adds r7, r7, r2"
    )
}
