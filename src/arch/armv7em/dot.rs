//! Four units of plain weights over a run: 33 cycles for 16 products; or two or one, where the others are repeated.
//! `SXTB16` widens the even and the odd elements of a word each.

use core::arch::naked_asm;

/// See [`Isa::dot`](crate::arch::Isa::dot).
#[inline(never)]
pub(super) fn dot(acc: &mut [i32; 4], x: &[i8], w: &[&[i8]; 4], from: usize) {
    let there = w.iter().all(|w| w.len() >= from + x.len());
    if !there || x.is_empty() {
        return;
    }
    let places = w.map(|w| w.as_ptr().wrapping_add(from));
    let [first, second, third, _] = places;
    // SAFETY: `x` and each of the four runs of weights have as many bytes.
    unsafe {
        if second == first {
            one(acc, x.as_ptr(), x.len(), &places);
        } else if third == second {
            two(acc, x.as_ptr(), x.len(), &places);
        } else {
            four(acc, x.as_ptr(), x.len(), &places);
        }
    }
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

/// A function over words of `x`: `$unit` takes one, `$tail` the element in `r0`.
macro_rules! dot {
    ([$($unit:expr),*], [$($tail:expr),*]) => {
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
            $($unit,)*
            "subs r2, #4",
            "bge 2b",
            "3:",
            "adds r2, #4",
            "beq 5f",
            "4:",
            "ldrsb r0, [r1], #1",
            $($tail,)*
            "subs r2, #1",
            "bne 4b",
            "5:",
            "pop {{r0}}",
            "stm r0, {{r4-r7}}",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// The product of one element.
macro_rules! single {
    ($acc:literal, $w:literal) => {
        concat!("ldrsb r3, [", $w, "], #1\nmla ", $acc, ", r0, r3, ", $acc, "\n")
    };
}

/// # Safety
/// `count` bytes can be read at `x` and at each of the places, one at least.
#[unsafe(naked)]
unsafe extern "C" fn four(acc: &mut [i32; 4], x: *const i8, count: usize, w: &[*const i8; 4]) {
    dot!(
        [unit!("r4", "r8"), unit!("r5", "r9"), unit!("r6", "r10"), unit!("r7", "r11")],
        [single!("r4", "r8"), single!("r5", "r9"), single!("r6", "r10"), single!("r7", "r11")]
    )
}

/// The first two of four.
///
/// # Safety
/// As [`four`].
#[unsafe(naked)]
unsafe extern "C" fn two(acc: &mut [i32; 4], x: *const i8, count: usize, w: &[*const i8; 4]) {
    dot!([unit!("r4", "r8"), unit!("r5", "r9")], [single!("r4", "r8"), single!("r5", "r9")])
}

/// The first of four.
///
/// # Safety
/// As [`four`].
#[unsafe(naked)]
unsafe extern "C" fn one(acc: &mut [i32; 4], x: *const i8, count: usize, w: &[*const i8; 4]) {
    dot!([unit!("r4", "r8")], [single!("r4", "r8")])
}
