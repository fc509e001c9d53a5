//! Windows copied together out of an image that lies with its border, tap by tap as a table tells. Taps of one to four elements
//! are loaded as words and go two by two, or four by four where they are single bytes: 5 to 12 cycles a tap; longer ones take
//! 21 cycles for eight elements.

use super::places::write_row;
use crate::arch::packed::Laid;
use core::arch::naked_asm;

/// See [`Isa::lay_windows`](crate::arch::Isa::lay_windows).
#[inline(never)]
pub(super) fn lay_windows(laid: &Laid<'_>, table: &mut [i8], to: &mut [i8], pitch: usize) {
    let &Laid { x, taps, tap_steps, len, windows: [rows, columns], steps: [below, pixel] } = laid;
    let count = taps[0] * taps[1];
    // Taps that fill up the last two or four are copied in vain, and as words all bytes are read.
    let (together, read) = match len {
        1 => (4, 1),
        2..=4 => (2, 4),
        _ => (1, len),
    };
    let all = count.next_multiple_of(together);
    if len == 0 || count == 0 || rows == 0 || columns == 0 {
        return;
    }
    let reach = (taps[0] - 1) * tap_steps[0] + (taps[1] - 1) * tap_steps[1] + read;
    let end = (rows * columns - 1) / 2 * pitch + (all * len).div_ceil(2) * 8;
    let there = x.len() >= (rows - 1) * below + (columns - 1) * pixel + reach
        && to.len() >= end
        && table.len() >= 4 * all
        && (to.as_ptr() as usize | table.as_ptr() as usize | pitch).is_multiple_of(4);
    if !there {
        return;
    }
    let first = table.as_mut_ptr().cast::<u32>();
    let mut next = first;
    for row in 0..taps[0] {
        // SAFETY: the table has a word for each tap,
        next = unsafe { write_row(next, row * tap_steps[0], taps[1], tap_steps[1]) };
    }
    // SAFETY: and for each that fills up.
    unsafe { write_row(next, 0, all - count, 0) };
    let mut words = [
        first as usize,
        first as usize + 4 * all,
        len,
        pixel,
        columns,
        rows,
        below.wrapping_sub(columns * pixel),
        4,
        pitch,
    ];
    let (x, to) = (x.as_ptr(), to.as_mut_ptr());
    // SAFETY: `x` holds what taps of all windows read, `to` a halfword for each element; its address is a multiple of 4.
    unsafe {
        match len {
            1 => one(x, to, columns, &mut words),
            2 => two(x, to, columns, &mut words),
            3 => three(x, to, columns, &mut words),
            4 => four(x, to, columns, &mut words),
            _ => any(x, to, columns, &mut words),
        }
    }
}

/// Windows, of which `$runs` copies the taps of one: `r0` is its first element, `r4` where the table begins, `r5` where elements
/// go, `lr` where the table ends; `r6` to `r9` and `r12` are free.
///
/// Words: 0 table, 1 its end, 2 elements of a tap, 3 bytes from a window to the next, 4 windows of a row, 5 rows left, 6 bytes
/// from behind a row to the next; 7 bytes from the lane of the first window to that of the next, 8 bytes from a pair of
/// windows to the next.
macro_rules! lay {
    ($($runs:expr),*) => {
        naked_asm!(
            "push {{r4-r11, lr}}",
            "ldr r10, [r3, #28]",
            "ldr r11, [r3, #32]",
            "1:",
            "ldr r4, [r3]",
            "ldr lr, [r3, #4]",
            "mov r5, r1",
            $($runs,)*
            "ldr r6, [r3, #12]",
            "add r1, r1, r10",
            "rsb r10, r10, r11",
            "subs r2, #1",
            "add r0, r0, r6",
            "bne 1b",
            "ldr r6, [r3, #20]",
            "ldr r7, [r3, #24]",
            "ldr r2, [r3, #16]",
            "add r0, r0, r7",
            "subs r6, #1",
            "str r6, [r3, #20]",
            "bne 1b",
            "pop {{r4-r11, pc}}",
        )
    };
}

/// Two taps of as many elements as `$bytes` says, a word each in `r6` and `r7`: bytes 0 and 2 of the first one go to `r6`, 1 and 3 to
/// `r8`, of the second one to `r7` and `r9`. `$store` stores them.
macro_rules! words {
    ($bytes:literal, $($store:expr),*) => {
        lay!(
            "2:",
            "ldrd r6, r7, [r4], #8",
            "ldr r6, [r0, r6]",
            "ldr r7, [r0, r7]",
            "sxtb16 r8, r6, ror #8",
            "sxtb16 r6, r6",
            "sxtb16 r9, r7, ror #8",
            "sxtb16 r7, r7",
            $($store,)*
            concat!("add r5, #", $bytes),
            "cmp r4, lr",
            "bne 2b"
        )
    };
}

/// Taps of one element.
///
/// # Safety
/// The words hold what [`lay`] says; the elements of all windows can be read at `x`, as words unless they are single ones, the
/// places written, whole twos and fours of taps. There is one window and one tap at least.
#[unsafe(naked)]
unsafe extern "C" fn one(x: *const i8, to: *mut i8, columns: usize, words: &mut [usize; 9]) {
    lay!(
        "2:",
        "ldm r4!, {{r6-r9}}",
        "ldrsb r6, [r0, r6]",
        "ldrsb r7, [r0, r7]",
        "ldrsb r8, [r0, r8]",
        "ldrsb r9, [r0, r9]",
        "pkhbt r6, r6, r7, lsl #16",
        "pkhbt r8, r8, r9, lsl #16",
        "str r6, [r5]",
        "str r8, [r5, #8]",
        "add r5, #16",
        "cmp r4, lr",
        "bne 2b"
    )
}

/// Taps of two elements.
///
/// # Safety
/// As [`one`].
#[unsafe(naked)]
unsafe extern "C" fn two(x: *const i8, to: *mut i8, columns: usize, words: &mut [usize; 9]) {
    words!(16, "pkhbt r6, r6, r8, lsl #16", "pkhbt r7, r7, r9, lsl #16", "str r6, [r5]", "str r7, [r5, #8]")
}

/// Taps of three elements.
///
/// # Safety
/// As [`one`].
#[unsafe(naked)]
unsafe extern "C" fn three(x: *const i8, to: *mut i8, columns: usize, words: &mut [usize; 9]) {
    words!(
        24,
        "pkhbt r8, r6, r8, lsl #16",
        "lsr r6, r6, #16",
        "pkhbt r6, r6, r7, lsl #16",
        "pkhbt r7, r9, r7",
        "str r8, [r5]",
        "str r6, [r5, #8]",
        "str r7, [r5, #16]"
    )
}

/// Taps of four elements.
///
/// # Safety
/// As [`one`].
#[unsafe(naked)]
unsafe extern "C" fn four(x: *const i8, to: *mut i8, columns: usize, words: &mut [usize; 9]) {
    words!(
        32,
        "pkhbt r12, r6, r8, lsl #16",
        "pkhtb r6, r8, r6, asr #16",
        "str r12, [r5]",
        "str r6, [r5, #8]",
        "pkhbt r12, r7, r9, lsl #16",
        "pkhtb r7, r9, r7, asr #16",
        "str r12, [r5, #16]",
        "str r7, [r5, #24]"
    )
}

/// Taps of any number of elements. Bit 1 of where one goes tells whether its first element is the second of its word.
///
/// # Safety
/// As [`one`].
#[unsafe(naked)]
unsafe extern "C" fn any(x: *const i8, to: *mut i8, columns: usize, words: &mut [usize; 9]) {
    lay!(
        "2:",
        "ldr r6, [r4], #4",
        "ldr r7, [r3, #8]",
        "tst r5, #2",
        "add r6, r6, r0",
        "beq 3f",
        "ldrsb r8, [r6]",
        "add r6, #1",
        "strh r8, [r5]",
        "add r5, #6",
        "sub r7, #1",
        "3:",
        "subs r7, #8",
        "blt 5f",
        "4:",
        "ldr r8, [r6]",
        "ldr r9, [r6, #4]",
        "add r6, #8",
        "sxtb16 r12, r8",
        "sxtb16 r8, r8, ror #8",
        "pkhbt lr, r12, r8, lsl #16",
        "pkhtb r8, r8, r12, asr #16",
        "str lr, [r5]",
        "sxtb16 r12, r9",
        "sxtb16 r9, r9, ror #8",
        "str r8, [r5, #8]",
        "pkhbt lr, r12, r9, lsl #16",
        "pkhtb r9, r9, r12, asr #16",
        "str lr, [r5, #16]",
        "str r9, [r5, #24]",
        "add r5, #32",
        "subs r7, #8",
        "bge 4b",
        "5:",
        // bits 2 and 1 of what is left, as carry and sign
        "lsls r8, r7, #30",
        "bcc 6f",
        "ldr r8, [r6]",
        "add r6, #4",
        "sxtb16 r12, r8",
        "sxtb16 r8, r8, ror #8",
        "pkhbt lr, r12, r8, lsl #16",
        "pkhtb r8, r8, r12, asr #16",
        "str lr, [r5]",
        "str r8, [r5, #8]",
        "add r5, #16",
        "6:",
        "bpl 7f",
        "ldrsb r8, [r6]",
        "ldrsb r9, [r6, #1]",
        "add r6, #2",
        "pkhbt r8, r8, r9, lsl #16",
        "str r8, [r5]",
        "add r5, #8",
        "7:",
        "lsls r8, r7, #31",
        "bpl 8f",
        "ldrsb r8, [r6]",
        "strh r8, [r5]",
        "add r5, #2",
        "8:",
        "ldr r8, [r3, #4]",
        "cmp r4, r8",
        "bne 2b"
    )
}
