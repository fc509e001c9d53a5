//! Transforms of convolution by minimal filtering. The arithmetic is told at its portable counterpart, whose names for numbers are
//! used here too.

use super::frame::{enter, keep, leave, take};
use crate::arch::packed::Tiles;
use crate::ir::Winograd;
use core::arch::naked_asm;

/// See [`Isa::widen_columns`](crate::arch::Isa::widen_columns).
#[inline(never)]
pub(super) fn widen_columns(x: &[i8], channels: usize, to: &mut [i8], pitch: usize) {
    let (groups, columns) = (channels / 4, x.len().checked_div(channels).unwrap_or(0));
    if groups == 0 || columns == 0 || to.len() + pitch < 2 * groups * pitch + 4 * columns {
        return;
    }
    // SAFETY: `x` has all columns, `to` a word for each in twice as many rows as there are groups.
    unsafe { widen_asm(x.as_ptr(), to.as_mut_ptr(), columns, groups, pitch) }
}

/// # Safety
/// `x` holds `columns * groups` words, one each at least; `to` holds `columns` words every `pitch` bytes, `2 * groups`
/// times.
#[unsafe(naked)]
unsafe extern "C" fn widen_asm(x: *const i8, to: *mut i8, columns: usize, groups: usize, pitch: usize) {
    naked_asm!(
        "push {{r4-r9, lr}}",
        "ldr r4, [sp, #28]",
        "mov r9, #0x80808080",
        "1:",
        "mov r5, r1",
        "mov r6, r3",
        "2:",
        "ldr r7, [r0]",
        "add r0, #4",
        "eor r7, r7, r9",
        "uxtb16 r8, r7",
        "uxtb16 r7, r7, ror #8",
        "str r8, [r5]",
        "str r7, [r5, r4]",
        "add r5, r5, r4, lsl #1",
        "subs r6, #1",
        "bne 2b",
        "add r1, #4",
        "subs r2, #1",
        "bne 1b",
        "pop {{r4-r9, pc}}",
    )
}

/// See [`Isa::transform_row`](crate::arch::Isa::transform_row).
#[inline(never)]
pub(super) fn transform_row(tiles: &Tiles, row: &[i8], to: &mut [i8]) {
    let &Tiles { pairs, tiles: count, .. } = tiles;
    let (pitch, columns) = (tiles.pitch(), tiles.columns());
    let point = count * pitch;
    let there = row.len() >= pairs * columns && to.len() + pitch >= Winograd::POINTS * point + 8 * pairs;
    if !there || pairs == 0 || count == 0 {
        return;
    }
    let words = [
        row.as_ptr() as usize,
        to.as_mut_ptr() as usize,
        pairs,
        count,
        point,
        pitch.wrapping_sub(4),
        columns,
        0,
    ];
    // SAFETY: the row has all columns of all pairs, `to` a word for each tile, point and pair.
    unsafe { transform_asm(&words) }
}

/// One tile from `r0 + $at` to `r1`, `r2` and as far behind them as `lr` and twice that: 41 cycles.
macro_rules! tile {
    ($at:literal) => {
        concat!(
            "ldr r4, [r0, #",
            $at,
            "]\n",
            "ldr r5, [r0, #",
            $at,
            "+4]\n",
            "ldr r6, [r0, #",
            $at,
            "+8]\n",
            "ldr r7, [r0, #",
            $at,
            "+12]\n",
            "ldr r8, [r0, #",
            $at,
            "+16]\n",
            "ldr r9, [r0, #",
            $at,
            "+20]\n",
            "add r8, #0x8000\n",
            "sub r10, r8, r6, lsl #2\n", // d4 - 4 d2
            "sub r11, r7, r5, lsl #2\n", // d3 - 4 d1
            "sub r8, r8, r6\n",          // d4 - d2
            "sub r12, r7, r5\n",         // d3 - d1
            "sub r4, r4, r6\n",
            "add r4, r8, r4, lsl #2\n", // v0
            "add r5, r10, r11\n",       // v1
            "sub r6, r10, r11\n",       // v2
            "sub r9, r9, r7\n",
            "add r10, r8, r12, lsl #1\n", // v3
            "sub r11, r8, r12, lsl #1\n", // v4
            "sub r9, r9, r12, lsl #2\n",
            "add r9, #0x8000\n", // v5
            "eor r4, #0x8000\n",
            "eor r5, #0x8000\n",
            "eor r6, #0x8000\n",
            "eor r10, #0x8000\n",
            "eor r11, #0x8000\n",
            "eor r9, #0x8000\n",
            "str r4, [r1]\n",
            "str r5, [r1, lr]\n",
            "str r6, [r1, lr, lsl #1]\n",
            "str r10, [r2]\n",
            "str r11, [r2, lr]\n",
            "str r9, [r2, lr, lsl #1]\n",
        )
    };
}

/// Slots: 0 row, 1 place of its transform, 2 pairs of channels left, 3 pairs of tiles, 4 bytes from point to point, 5
/// from the second tile of a pair to the next pair, 6 from pair to pair of channels in the row.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn transform_asm(words: &[usize; 8]) {
    naked_asm!(
        enter!(8),
        "1:",
        take!("r0", 0),
        take!("r1", 1),
        take!("lr", 4),
        take!("r3", 3),
        "add r2, r1, lr",
        "add r2, r2, lr, lsl #1",
        "2:",
        tile!(0),
        "add r1, #4",
        "add r2, #4",
        tile!(16),
        take!("r4", 5),
        "add r0, #32",
        "add r1, r1, r4",
        "add r2, r2, r4",
        "subs r3, #1",
        "bne 2b",
        take!("r0", 0),
        take!("r1", 6),
        take!("r2", 1),
        take!("r3", 2),
        "add r0, r0, r1",
        "add r2, #8",
        keep!(0, "r0"),
        keep!(1, "r2"),
        "subs r3, #1",
        keep!(2, "r3"),
        "bne 1b",
        leave!(8),
    )
}

/// See [`Isa::transform_filters`](crate::arch::Isa::transform_filters).
#[inline(never)]
pub(super) fn transform_filters(tiles: &Tiles, weights: &[i8], to: &mut [i8]) {
    let &Tiles { rows, pairs, .. } = tiles;
    let (groups, point) = (pairs / 2, 16 * rows * pairs);
    let there = weights.len() >= 48 * rows * groups && to.len() >= Winograd::POINTS * point;
    if !there || groups == 0 || rows == 0 || pairs % 2 == 1 {
        return;
    }
    let words = [weights.as_ptr() as usize, to.as_mut_ptr() as usize, groups, rows, point, 16 * pairs, 0, 0];
    // SAFETY: three words a group, unit and row are there to read, a word for each point, row, pair and unit to write.
    unsafe { filters_asm(&words) }
}

/// Two channels of a row of taps, of bytes 0 and 2 or 1 and 3 of the words at `r0`, to `r1`, `r2` and on, `$at` behind.
macro_rules! filter {
    ($bytes:literal) => {
        concat!(
            "ldr r4, [r0]\n",
            "ldr r5, [r0, #4]\n",
            "ldr r6, [r0, #8]\n",
            "uxtb16 r4, r4",
            $bytes,
            "\n",
            "uxtb16 r5, r5",
            $bytes,
            "\n",
            "uxtb16 r6, r6",
            $bytes,
            "\n",
            "add r4, r4, r9\n",
            "add r7, r4, r6\n",
            "add r8, r4, r6, lsl #2\n",
            "add r6, r6, r9\n",
            "add r12, r7, r5\n",
            "sub r7, r7, r5\n",    // u2
            "add r12, r12, r10\n", // u1
            "eor r4, #0x8000\n",   // u0
            "eor r12, #0x8000\n",
            "eor r7, #0x8000\n",
            "str r4, [r1]\n",
            "str r12, [r1, lr]\n",
            "str r7, [r1, lr, lsl #1]\n",
            "add r12, r8, r5, lsl #1\n",
            "sub r8, r8, r5, lsl #1\n",
            "add r12, r12, r11\n", // u3
            "add r8, r8, r10\n",   // u4
            "eor r12, #0x8000\n",
            "eor r8, #0x8000\n",
            "eor r6, #0x8000\n", // u5
            "str r12, [r2]\n",
            "str r8, [r2, lr]\n",
            "str r6, [r2, lr, lsl #1]\n",
        )
    };
}

/// Slots: 0 weights, 1 place of the group's transforms, 2 groups of four channels left, 3 rows, 4 bytes from point to
/// point, 5 from row to row, 6 units left. `r9` to `r11` take off what the weights' 128 come to, once, twice and six times
/// more; the first adds 2^15 too.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn filters_asm(words: &[usize; 8]) {
    naked_asm!(
        enter!(8),
        take!("r0", 0),
        take!("lr", 4),
        // 0x8000 - 128 * 0x10001, -256 * 0x10001, -768 * 0x10001
        "movw r9, #0x7f80",
        "movt r9, #0xff80",
        "movw r10, #0xff00",
        "movt r10, #0xfeff",
        "movw r11, #0xfd00",
        "movt r11, #0xfcff",
        "1:",
        "mov r8, #4",
        keep!(6, "r8"),
        "2:",
        take!("r1", 1),
        take!("r3", 3),
        "add r2, r1, lr",
        "add r2, r2, lr, lsl #1",
        "3:",
        filter!(""),
        "add r1, #16",
        "add r2, #16",
        filter!(", ror #8"),
        take!("r4", 5),
        "add r0, #12",
        "sub r4, #16",
        "add r1, r1, r4",
        "add r2, r2, r4",
        "subs r3, #1",
        "bne 3b",
        take!("r1", 1),
        take!("r8", 6),
        "add r1, #4",
        keep!(1, "r1"),
        "subs r8, #1",
        keep!(6, "r8"),
        "bne 2b",
        // past the words of four units, and past the other pair of channels
        "add r1, #16",
        keep!(1, "r1"),
        take!("r8", 2),
        "subs r8, #1",
        keep!(2, "r8"),
        "bne 1b",
        leave!(8),
    )
}
