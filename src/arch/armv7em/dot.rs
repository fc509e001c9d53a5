//! Four units of plain weights over a run: 33 cycles for 16 products. `SXTB16` widens the even and the odd elements of a
//! word each.

use core::arch::naked_asm;

/// See [`Isa::dot`](crate::arch::Isa::dot).
#[inline(never)]
pub(super) fn dot(acc: &mut [i32; 4], x: &[i8], w: &[&[i8]; 4], from: usize) {
    let there = w.iter().all(|w| w.len() >= from + x.len());
    if !there || x.is_empty() {
        return;
    }
    let places = w.map(|w| w.as_ptr().wrapping_add(from));
    // SAFETY: `x` and each of the four runs of weights have as many bytes.
    unsafe { asm(acc, x.as_ptr(), x.len(), &places) }
}

/// The products of a word of weights at `$w`, added to `$acc`; the elements in `r3` and `r0`.
macro_rules! unit {
    ($acc:literal, $w:literal) => {
        concat!(
            "ldr r12, [",
            $w,
            "], #4\n",
            "sxtb16 lr, r12\n",
            "sxtb16 r12, r12, ror #8\n",
            "smlad ",
            $acc,
            ", lr, r3, ",
            $acc,
            "\n",
            "smlad ",
            $acc,
            ", r12, r0, ",
            $acc,
            "\n",
        )
    };
}

/// # Safety
/// `count` bytes can be read at `x` and at each of the places, one at least.
#[unsafe(naked)]
unsafe extern "C" fn asm(acc: &mut [i32; 4], x: *const i8, count: usize, w: &[*const i8; 4]) {
    naked_asm!(
        "push {{r0, r4-r11, lr}}",
        "ldm r0, {{r4-r7}}",
        "ldm r3, {{r8-r11}}",
        "subs r2, #4",
        "blt 3f",
        "2:",
        "ldr r0, [r1], #4",
        "sxtb16 r3, r0",
        "sxtb16 r0, r0, ror #8",
        unit!("r4", "r8"),
        unit!("r5", "r9"),
        unit!("r6", "r10"),
        unit!("r7", "r11"),
        "subs r2, #4",
        "bge 2b",
        "3:",
        "adds r2, #4",
        "beq 5f",
        "4:",
        "ldrsb r0, [r1], #1",
        "ldrsb r3, [r8], #1",
        "ldrsb r12, [r9], #1",
        "mla r4, r0, r3, r4",
        "mla r5, r0, r12, r5",
        "ldrsb r3, [r10], #1",
        "ldrsb r12, [r11], #1",
        "subs r2, #1",
        "mla r6, r0, r3, r6",
        "mla r7, r0, r12, r7",
        "bne 4b",
        "5:",
        "pop {{r0}}",
        "stm r0, {{r4-r7}}",
        "pop {{r4-r11, pc}}",
    )
}
