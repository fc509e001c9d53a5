//! Functions of one int8 by their tables, four elements a turn, 4.75 cycles each.

use core::arch::naked_asm;

/// See [`Isa::look_up`](crate::arch::Isa::look_up).
#[inline(never)]
pub(super) fn look_up(table: &[i8; 256], y: &mut [i8]) {
    let (fours, rest) = y.as_chunks_mut::<4>();
    let mut last = [0; 4];
    last.iter_mut().zip(&*rest).for_each(|(to, &y)| *to = y);
    // SAFETY: there are four elements a turn, one turn at least.
    unsafe {
        if !fours.is_empty() {
            asm(fours.as_mut_ptr(), fours.len(), table);
        }
        if !rest.is_empty() {
            asm(&mut last, 1, table);
        }
    }
    rest.iter_mut().zip(last).for_each(|(y, last)| *y = last);
}

/// # Safety
/// `y` holds `turns` times four elements, one turn at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(y: *mut [i8; 4], turns: usize, table: &[i8; 256]) {
    naked_asm!(
        "push {{r4-r7, lr}}",
        "add r2, #128",
        "1:",
        "ldrsb r4, [r0]",
        "ldrsb r5, [r0, #1]",
        "ldrsb r6, [r0, #2]",
        "ldrsb r7, [r0, #3]",
        "ldrb r4, [r2, r4]",
        "ldrb r5, [r2, r5]",
        "ldrb r6, [r2, r6]",
        "ldrb r7, [r2, r7]",
        "strb r4, [r0]",
        "strb r5, [r0, #1]",
        "strb r6, [r0, #2]",
        "strb r7, [r0, #3]",
        "add r0, #4",
        "subs r1, #1",
        "bne 1b",
        "pop {{r4-r7, pc}}",
    )
}
