//! Accumulators to int8, four at a time.

use super::frame::{enter, leave, narrow};
use crate::arch::Store;
use crate::fixed::requantise;
use crate::ir::Requant;
use core::arch::naked_asm;

/// See [`Isa::store`](crate::arch::Isa::store).
#[inline(never)]
pub(super) fn store(acc: &[i32], requant: &[Requant], store: Store, y: &mut [i8]) {
    let count = y.len().min(acc.len()).min(requant.len());
    let whole = count / 4 * 4;
    if whole > 0 {
        let words = [store.zero, store.clamp.low, store.clamp.high].map(i32::from);
        // SAFETY: there are so many accumulators, factors and outputs.
        unsafe { asm(acc.as_ptr(), requant.as_ptr(), y.as_mut_ptr(), &words, count / 4) }
    }
    for ((y, &acc), q) in y.iter_mut().zip(acc).zip(requant).skip(whole) {
        *y = store.narrow(requantise(acc, q.multiplier, q.shift));
    }
}

/// `words`: zero point, least and greatest output.
///
/// # Safety
/// There are `count` times four accumulators, factors and outputs; `count` is 1 at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(
    acc: *const i32,
    requant: *const Requant,
    y: *mut i8,
    words: &[i32; 3],
    count: usize,
) {
    naked_asm!(
        enter!(),
        "ldr r5, [sp, #36]",
        "1:",
        "vldrw.32 q0, [r0], #16",
        narrow!("q0", "r1", "r3", "r4"),
        "vstrb.32 q0, [r2], #4",
        "subs r5, #1",
        "bne 1b",
        leave!(),
    )
}
