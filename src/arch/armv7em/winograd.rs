//! Convolution by minimal filtering. The arithmetic is told at its portable counterpart, whose names for numbers are
//! used here too.

use super::frame::{enter, keep, leave, narrow, take};
use crate::arch::packed::{self, Finish, Tiles};
use crate::ir::Winograd;
use core::arch::naked_asm;

/// Steps in a turn of [`multiply_asm`].
const TURN: usize = 16;

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
        0,
        0,
        0,
        0,
        0,
        0,
        0,
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
unsafe extern "C" fn transform_asm(words: &[usize; 16]) {
    naked_asm!(
        enter!(),
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
        leave!(),
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
    let words = [
        weights.as_ptr() as usize,
        to.as_mut_ptr() as usize,
        groups,
        rows,
        point,
        16 * pairs,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
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
unsafe extern "C" fn filters_asm(words: &[usize; 16]) {
    naked_asm!(
        enter!(),
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
        leave!(),
    )
}

/// See [`Isa::multiply_tiles`](crate::arch::Isa::multiply_tiles).
#[inline(never)]
pub(super) fn multiply_tiles(tiles: &Tiles, rows: &[i8], filters: &[i8], to: &mut [i8]) {
    const POINTS: usize = Winograd::POINTS;
    let steps = tiles.rows * tiles.pairs;
    let (count, pitch) = (tiles.tiles, tiles.pitch());
    let there = rows.len() + pitch >= POINTS * count * pitch + 8 * steps
        && filters.len() >= 16 * POINTS * steps
        && to.len() >= 32 * POINTS * count;
    if !there || steps == 0 || count == 0 {
        return;
    }
    let turns = steps.div_ceil(TURN);
    let skip = turns * TURN - steps;
    let words = [
        (rows.as_ptr() as usize).wrapping_sub(8 * skip),
        pitch,
        (filters.as_ptr() as usize).wrapping_sub(16 * skip),
        16 * steps,
        0,
        to.as_mut_ptr() as usize,
        32 * POINTS * count,
        POINTS,
        8 * turns * TURN,
        8 * skip,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    // SAFETY: rows and filters are as long as the function reads, `to` as long as it writes.
    unsafe { multiply_asm(&words) }
}

/// Two elements of four units and two tiles: 16 cycles for 16 products.
macro_rules! step {
    ($at:literal) => {
        concat!(
            "ldr r8, [r1, #16*",
            $at,
            "]\n",
            "ldr r9, [r1, #16*",
            $at,
            "+4]\n",
            "ldr r10, [r0, #8*",
            $at,
            "]\n",
            "ldr r11, [r0, #8*",
            $at,
            "+4]\n",
            "smlad r2, r8, r10, r2\n",
            "smlad r3, r8, r11, r3\n",
            "smlad r4, r9, r10, r4\n",
            "smlad r5, r9, r11, r5\n",
            "ldr r8, [r1, #16*",
            $at,
            "+8]\n",
            "ldr r9, [r1, #16*",
            $at,
            "+12]\n",
            "smlad r6, r8, r10, r6\n",
            "smlad r7, r8, r11, r7\n",
            "smlad r12, r9, r10, r12\n",
            "smlad lr, r9, r11, lr\n",
        )
    };
}

/// Slots: 0 transformed rows, 1 bytes to the next pair of tiles, 2 filters of the point, 3 bytes of them, 4 next products,
/// 5 those of the point, 6 bytes of all products, 7 points left, 8 bytes of rows in all turns, 9 that the first leaves
/// out, 10 where it is entered, 11 end of the products. Both 0 and 2 are set back by what the first turn leaves out.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn multiply_asm(words: &[usize; 16]) {
    naked_asm!(
        enter!(),
        // 56 bytes of code a step of 8 bytes; an address of Thumb code is odd
        take!("r9", 9),
        "adr r8, 5f",
        "rsb r9, r9, r9, lsl #3",
        "add r8, r8, r9",
        "add r8, r8, #1",
        keep!(10, "r8"),
        take!("r8", 5),
        take!("r9", 6),
        "add r9, r9, r8",
        keep!(11, "r9"),
        "1:",
        take!("r8", 5),
        keep!(4, "r8"),
        "2:",
        take!("r0", 0),
        take!("r1", 2),
        take!("r8", 8),
        take!("r9", 1),
        "mov r2, #0",
        "mov r3, #0",
        "mov r4, #0",
        "mov r5, #0",
        "mov r6, #0",
        "mov r7, #0",
        "mov r12, #0",
        "mov lr, #0",
        "add r8, r8, r0",
        "add r9, r9, r0",
        keep!(12, "r8"),
        keep!(0, "r9"),
        take!("r8", 10),
        "bx r8",
        "5:",
        step!(0),
        step!(1),
        step!(2),
        step!(3),
        step!(4),
        step!(5),
        step!(6),
        step!(7),
        step!(8),
        step!(9),
        step!(10),
        step!(11),
        step!(12),
        step!(13),
        step!(14),
        step!(15),
        "add r0, #128",
        "add r1, #256",
        take!("r8", 12),
        "cmp r0, r8",
        "bne 5b",
        take!("r0", 4),
        take!("r8", 11),
        "str r2, [r0]",
        "str r3, [r0, #4]",
        "str r4, [r0, #8]",
        "str r5, [r0, #12]",
        "str r6, [r0, #16]",
        "str r7, [r0, #20]",
        "str r12, [r0, #24]",
        "str lr, [r0, #28]",
        "add r0, #192",
        keep!(4, "r0"),
        "cmp r0, r8",
        "blo 2b",
        take!("r0", 5),
        take!("r1", 2),
        take!("r2", 3),
        take!("r3", 7),
        "add r0, #32",
        "add r1, r1, r2",
        keep!(5, "r0"),
        keep!(2, "r1"),
        "subs r3, #1",
        keep!(7, "r3"),
        "bne 1b",
        leave!(),
    )
}

/// See [`Isa::finish_tiles`](crate::arch::Isa::finish_tiles).
#[inline(never)]
pub(super) fn finish_tiles(finish: &Finish<'_>, products: &[i8], y: &mut [i8]) {
    let &Finish { bias, requant, zero, step, width } = finish;
    let tiles = width / 4;
    let last = tiles.saturating_sub(1);
    let units = bias.len().min(requant.len()).min(4);
    let there = products.len() >= last / 2 * 192 + last % 2 * 4 + 188
        && y.len() >= (4 * tiles).saturating_sub(1) * step + units;
    if !there {
        return;
    }
    for (unit, (&bias, &requant)) in bias.iter().zip(requant).take(units).enumerate() {
        if tiles > 0 {
            let words = [
                tiles as i32,
                4,
                0xaaaa_aaab_u32 as i32,
                bias,
                requant.multiplier,
                requant.shift,
                zero.into(),
            ];
            let (products, y) = (products.as_ptr().wrapping_add(8 * unit), y.as_mut_ptr().wrapping_add(unit));
            // SAFETY: products and outputs are as long as the function reads and writes for so many tiles.
            unsafe { finish_asm(products, y, step, &words) }
        }
        if width > 4 * tiles {
            // Fewer than four columns of one more tile.
            packed::finish_unit(finish, (bias, requant), 4 * tiles..width, products, y, unit);
        }
    }
}

/// `words`: tiles, bytes to the next of them, 1/3, bias, factor (two), zero point.
///
/// # Safety
/// There is a tile at least; `products` and `y` hold as many.
#[unsafe(naked)]
unsafe extern "C" fn finish_asm(products: *const i8, y: *mut i8, step: usize, words: &[i32; 7]) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "sub sp, #8",
        "ldm r3!, {{r4, r5}}",
        "strd r4, r5, [sp]",
        "ldr r4, [r3, #4]",
        "ldr r8, [r3, #8]",
        "ldr r9, [r3, #12]",
        "ldr r10, [r3, #16]",
        "ldr r3, [r3]",
        "1:",
        "ldr r5, [r0]",
        "ldr r6, [r0, #32]",
        "ldr r7, [r0, #64]",
        "ldr r11, [r0, #96]",
        "ldr r12, [r0, #128]",
        "ldr lr, [r0, #160]",
        "add r6, r6, r4",
        "sub r7, r6, r7",            // d1
        "rsb r6, r7, r6, lsl #1",    // s1
        "sub r12, r11, r12",         // d2
        "rsb r11, r12, r11, lsl #1", // s2
        "add r5, r5, r5, lsl #1",
        "add r5, r11, r5, lsl #1",
        "sub r5, r5, r6, lsl #2",  // 24 y0
        "sub r11, r11, r6",        // 6 y2
        "sub r6, r12, r7, lsl #1", // 12 y1
        "add lr, lr, lr, lsl #1",
        "rsb r7, r7, r12, lsl #1",
        "add r7, r7, lr, lsl #1", // 6 y3
        "mul r5, r5, r3",
        "mul r6, r6, r3",
        "mul r11, r11, r3",
        "mul r7, r7, r3",
        "asr r5, r5, #3",
        "asr r6, r6, #2",
        "asr r11, r11, #1",
        "asr r7, r7, #1",
        narrow!("r5"),
        narrow!("r6"),
        narrow!("r11"),
        narrow!("r7"),
        "strb r5, [r1]",
        "add r1, r1, r2",
        "strb r6, [r1]",
        "add r1, r1, r2",
        "ldrd r5, r6, [sp]",
        "strb r11, [r1]",
        "add r1, r1, r2",
        "strb r7, [r1]",
        "add r1, r1, r2",
        // to the other tile of the pair, 4, or to the next pair, 188
        "add r0, r0, r6",
        "rsb r6, r6, #192",
        "subs r5, #1",
        "strd r5, r6, [sp]",
        "bne 1b",
        "add sp, #8",
        "pop {{r4-r11, pc}}",
    )
}
