//! Accumulators to int8, each by its own factor: four multiplications, about 45 instructions.

use super::frame::{clamp, enter, leave, product};
use crate::arch::Store;
use crate::fixed::requantise;
use crate::ir::Requant;
use core::arch::naked_asm;

/// See [`Isa::store`](crate::arch::Isa::store).
#[inline(never)]
pub(super) fn store(acc: &[i32], requant: &[Requant], store: Store, y: &mut [i8]) {
    let end = y.len().min(acc.len()).min(requant.len());
    let words = [2 * i32::from(store.zero) + 1, store.clamp.low.into(), store.clamp.high.into()];
    let mut done = 0;
    while done < end {
        let (Some(acc), Some(requant), Some(y)) =
            (acc.get(done..end), requant.get(done..end), y.get_mut(done..end))
        else {
            return;
        };
        // SAFETY: there are as many accumulators, factors and outputs as are left, one at least.
        let left = unsafe { asm(acc.as_ptr(), requant.as_ptr(), y.as_mut_ptr(), &words, acc.len()) };
        done = end - left.min(end);
        // The one at which it stopped is too great, or its factor not of the usual kind.
        let at = acc.len() - left.min(acc.len());
        if let (Some(&acc), Some(q), Some(y)) = (acc.get(at), requant.get(at), y.get_mut(at)) {
            *y = store.narrow(requantise(acc, q.multiplier, q.shift));
            done += 1;
        }
    }
}

/// Stores until it is through, or at one whose accumulator takes more than 24 bits, or whose factor does not shift by 1 to 20
/// to the right; returns how many are left.
///
/// `words`: twice the zero point and 1, least and greatest output.
///
/// # Safety
/// There are `count` accumulators, factors and outputs, one at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(
    acc: *const i32,
    requant: *const Requant,
    y: *mut i8,
    words: &[i32; 3],
    count: usize,
) -> usize {
    naked_asm!(
        enter!(),
        "sub sp, #4",
        "mov r8, r1",
        "movs r5, r0",
        "movs r6, r2",
        "ldmia r3!, {{r0-r2}}",
        "mov r10, r0",
        "mov r11, r1",
        "mov r12, r2",
        "ldr r0, [sp, #40]",
        "lsls r0, r0, #2",
        "adds r0, r0, r5",
        "mov lr, r0",
        "1:",
        "mov r7, r8",
        "ldmia r7!, {{r1, r2}}",
        "ldr r0, [r5]",
        "asrs r3, r0, #23",
        "adds r3, #1",
        "cmp r3, #1",
        "bhi 2f",
        "rsbs r4, r2, #0",
        "subs r3, r4, #1",
        "cmp r3, #19",
        "bhi 2f",
        "mov r8, r7",
        "mov r9, r4",
        // half of the shift's power, and the zero point times it
        "mov r7, r10",
        "lsls r7, r3",
        "str r7, [sp]",
        "lsrs r2, r1, #16",
        "uxth r1, r1",
        product!(),
        "ldr r7, [sp]",
        "adds r0, r0, r7",
        "mov r7, r9",
        "asrs r0, r7",
        clamp!(),
        "strb r0, [r6]",
        "adds r6, #1",
        "adds r5, #4",
        "cmp r5, lr",
        "bne 1b",
        "2:",
        "mov r0, lr",
        "subs r0, r0, r5",
        "lsrs r0, r0, #2",
        "add sp, #4",
        leave!(),
    )
}
