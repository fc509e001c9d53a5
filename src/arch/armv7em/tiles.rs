//! Products of convolution by minimal filtering, and outputs from them. The arithmetic is told at its portable
//! counterpart, whose names for numbers are used here too.

use super::frame::{TURN, clear_eight, enter, keep, leave, narrow, store_eight, take, turn};
use crate::arch::packed::{self, Finish, Tiles};
use crate::ir::Winograd;
use core::arch::naked_asm;

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
        clear_eight!(),
        "add r8, r8, r0",
        "add r9, r9, r0",
        keep!(12, "r8"),
        keep!(0, "r9"),
        take!("r8", 10),
        "bx r8",
        "5:",
        turn!(step),
        "add r0, #128",
        "add r1, #256",
        take!("r8", 12),
        "cmp r0, r8",
        "bne 5b",
        take!("r0", 4),
        take!("r8", 11),
        store_eight!("r0"),
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
