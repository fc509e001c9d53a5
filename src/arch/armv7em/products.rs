//! Products of convolution by minimal filtering in both directions, and outputs from them. The arithmetic is told at its
//! portable counterpart, whose names for numbers are used here too.

use super::frame::{enter, keep, leave, narrow, take};
use crate::arch::packed::{NINTH, Spread};
use crate::ir::Squares;
use core::arch::naked_asm;

/// Steps in a turn.
const TURN: usize = 8;

/// See [`Isa::multiply_squares`](crate::arch::Isa::multiply_squares).
#[inline(never)]
pub(super) fn multiply_squares(pairs: usize, squares: &[i8], filters: &[i8], to: &mut [i8]) {
    const POINTS: usize = Squares::POINTS;
    let there = squares.len() >= 16 * POINTS * pairs
        && filters.len() >= 8 * POINTS * pairs
        && to.len() >= Squares::PRODUCTS;
    if !there || pairs == 0 {
        return;
    }
    let turns = pairs.div_ceil(TURN);
    let skip = turns * TURN - pairs;
    let more = (turns - 1) * TURN;
    let from = (squares.as_ptr() as usize).wrapping_sub(16 * POINTS * skip);
    let words = [
        from,
        (filters.as_ptr() as usize).wrapping_sub(8 * POINTS * skip),
        to.as_mut_ptr() as usize,
        // 56 bytes of code a step
        56 * skip,
        from.wrapping_add(16 * POINTS * more),
        16usize.wrapping_sub(16 * POINTS * more),
        from.wrapping_add(16 * POINTS),
        0,
    ];
    // SAFETY: squares and filters are as long as the function reads, `to` as long as it writes.
    unsafe { multiply_asm(&words) }
}

/// Two products that begin a sum or are added to it.
macro_rules! dual {
    (begin, $sum:literal, $a:literal, $b:literal) => {
        concat!("smuad ", $sum, ", ", $a, ", ", $b, "\n")
    };
    (add, $sum:literal, $a:literal, $b:literal) => {
        concat!("smlad ", $sum, ", ", $a, ", ", $b, ", ", $sum, "\n")
    };
}

/// Two channels of two units and four squares: 16 cycles for 16 products.
macro_rules! step {
    ($how:ident, $at:literal) => {
        concat!(
            "ldr r8, [r1, #288*",
            $at,
            "]\n",
            "ldr r9, [r1, #288*",
            $at,
            "+4]\n",
            "ldr r10, [r0, #576*",
            $at,
            "]\n",
            "ldr r11, [r0, #576*",
            $at,
            "+4]\n",
            dual!($how, "r2", "r8", "r10"),
            dual!($how, "r6", "r9", "r10"),
            dual!($how, "r3", "r8", "r11"),
            dual!($how, "r7", "r9", "r11"),
            "ldr r10, [r0, #576*",
            $at,
            "+8]\n",
            "ldr r11, [r0, #576*",
            $at,
            "+12]\n",
            dual!($how, "r4", "r8", "r10"),
            dual!($how, "r12", "r9", "r10"),
            dual!($how, "r5", "r8", "r11"),
            dual!($how, "lr", "r9", "r11"),
        )
    };
}

/// The last step of a turn comes first, for that of the first turn begins the sums; then those before it, of which the
/// first turn leaves some out.
///
/// Slots: 0 squares, 1 filters, 2 products, 3 bytes of code that the first turn leaves out, then where it is entered, 4
/// where squares of the first point's last turn begin, 5 from a point's last turn to the next point's first, in filters half
/// as far, 6 where points of squares end. 0 and 1 are set back by what the first turn leaves out.
///
/// # Safety
/// The words hold what the slots say, of the lengths that follow from them.
#[unsafe(naked)]
unsafe extern "C" fn multiply_asm(words: &[usize; 8]) {
    naked_asm!(
        enter!(8),
        // an address of Thumb code is odd
        take!("r9", 3),
        "adr r8, 5f",
        "add r8, r8, r9",
        "add r8, r8, #1",
        keep!(3, "r8"),
        take!("r0", 0),
        take!("r1", 1),
        "1:",
        step!(begin, 7),
        take!("r8", 3),
        "bx r8",
        "4:",
        "add r0, #4608",
        "add r1, #2304",
        step!(add, 7),
        ".p2align 2",
        "5:",
        step!(add, 0),
        step!(add, 1),
        step!(add, 2),
        step!(add, 3),
        step!(add, 4),
        step!(add, 5),
        step!(add, 6),
        take!("r8", 4),
        take!("r9", 2),
        "cmp r0, r8",
        "blo 4b",
        take!("r8", 5),
        "stm r9!, {{r2-r7, r12, lr}}",
        keep!(2, "r9"),
        "add r0, r0, r8",
        "add r1, r1, r8, asr #1",
        take!("r8", 6),
        "cmp r0, r8",
        "blo 1b",
        leave!(8),
    )
}

/// See [`Isa::finish_squares`](crate::arch::Isa::finish_squares).
#[inline(never)]
pub(super) fn finish_squares(spread: &Spread<'_>, unit: usize, products: &mut [i8], y: &mut [i8]) {
    let &Spread { zero, step, size: [height, width], .. } = spread;
    let Some((bias, [first, second])) = spread.units(unit) else { return };
    if products.len() < Squares::PRODUCTS || y.len() < height * width * step || unit + 2 > step {
        return;
    }
    let [mut top, mut left] = spread.corner(spread.first);
    let mut square = 0;
    while square < 4 && top < height {
        // Whole ones beside one another are finished together.
        let whole = if top + 4 <= height { ((width - left) / 4).min(4 - square) } else { 0 };
        let at = (top * width + left) * step + unit;
        let mut words = [
            products.as_mut_ptr().wrapping_add(4 * square) as usize,
            y.as_mut_ptr().wrapping_add(at) as usize,
            step,
            (width * step).wrapping_sub(2 * step),
            zero as usize,
            whole,
            bias[0] as usize,
            first.multiplier as usize,
            first.shift as usize,
            bias[1] as usize,
            second.multiplier as usize,
            second.shift as usize,
        ];
        if whole == 0 {
            let (y, size) = (y.get_mut(at..).unwrap_or_default(), [height - top, width - left]);
            // SAFETY: the products of a square are there.
            unsafe { finish_part(&mut words, y, size) }
        } else {
            // SAFETY: so are those of more, and their rows and columns.
            unsafe { finish_asm(&mut words) }
        }
        square += whole.max(1);
        left += 4 * whole.max(1);
        if left >= width {
            [top, left] = [top + 4, 0];
        }
    }
}

/// [`finish_asm`] of a square of which not all rows and columns lie within the output, by way of a place of its own.
///
/// # Safety
/// The words hold what they shall, but for the place of outputs and how many squares.
#[cold]
#[inline(never)]
unsafe fn finish_part(words: &mut [usize; 12], y: &mut [i8], size: [usize; 2]) {
    let [_, _, step, row, ..] = *words;
    let mut aside = [0; 32];
    [words[1], words[2], words[3], words[5]] = [aside.as_mut_ptr() as usize, 2, 4, 1];
    // SAFETY: the place has four rows of four columns of both units.
    unsafe { finish_asm(words) }
    for (i, from) in aside.chunks_exact(8).enumerate().take(size[0]) {
        for (j, from) in from.chunks_exact(2).enumerate().take(size[1]) {
            let y = y.iter_mut().skip(i * row.wrapping_add(2 * step) + j * step);
            y.zip(from).for_each(|(y, &from)| *y = from);
        }
    }
}

/// `A m` of `r4` to `r7`, `r11` and `r12`, to `r4`, `r5`, `r7` and `r6`: 12 cycles.
macro_rules! raise {
    () => {
        "sub r6, r5, r6
        rsb r5, r6, r5, lsl #1
        sub r11, r7, r11
        rsb r7, r11, r7, lsl #1
        add r4, r4, r4, lsl #1
        add r12, r12, r12, lsl #1
        add r4, r7, r4, lsl #1
        sub r4, r4, r5, lsl #2
        sub r7, r7, r5
        sub r5, r11, r6, lsl #1
        rsb r6, r6, r11, lsl #1
        add r6, r6, r12, lsl #1
        "
    };
}

/// A column of products, in place.
macro_rules! column {
    ($at:literal) => {
        concat!(
            "ldr r4, [r0, #32*",
            $at,
            "]\nldr r5, [r0, #32*",
            $at,
            "+192]\nldr r6, [r0, #32*",
            $at,
            "+384]\nldr r7, [r0, #32*",
            $at,
            "+576]\nldr r11, [r0, #32*",
            $at,
            "+768]\nldr r12, [r0, #32*",
            $at,
            "+960]\n",
            raise!(),
            "str r4, [r0, #32*",
            $at,
            "]\nstr r5, [r0, #32*",
            $at,
            "+192]\nstr r7, [r0, #32*",
            $at,
            "+384]\nstr r6, [r0, #32*",
            $at,
            "+576]\n",
        )
    };
}

/// A row of four outputs.
macro_rules! row {
    ($at:literal, $first:literal, $second:literal, $third:literal) => {
        concat!(
            "ldr r4, [r0, #192*",
            $at,
            "]\nldr r5, [r0, #192*",
            $at,
            "+32]\nldr r6, [r0, #192*",
            $at,
            "+64]\nldr r7, [r0, #192*",
            $at,
            "+96]\nldr r11, [r0, #192*",
            $at,
            "+128]\nldr r12, [r0, #192*",
            $at,
            "+160]\n",
            raise!(),
            "mul r4, r4, r3\nmul r5, r5, r3\nmul r7, r7, r3\nmul r6, r6, r3\nasr r4, r4, #",
            $first,
            "\nasr r5, r5, #",
            $second,
            "\nasr r7, r7, #",
            $third,
            "\nasr r6, r6, #",
            $third,
            "\n",
            narrow!("r4"),
            narrow!("r5"),
            "strb r4, [r1]\nstrb r5, [r1, r2]\nadd r1, r1, r2, lsl #1\n",
            narrow!("r7"),
            narrow!("r6"),
            "strb r7, [r1]\nstrb r6, [r1, r2]\nadd r1, r1, lr\n",
        )
    };
}

/// `words`: products, outputs, bytes to the next column, bytes from the third column to the next row, zero point, how many
/// squares; then of both units bias and factor (two).
///
/// # Safety
/// `products` holds a word every 32 bytes for each point, of both units 16 bytes apart, of squares 4; `y` the rows and
/// columns of squares beside one another, of both units, a byte apart.
#[unsafe(naked)]
unsafe extern "C" fn finish_asm(words: &mut [usize; 12]) {
    naked_asm!(
        // the words, and those of the unit
        "add r1, r0, #24",
        "push {{r0, r1, r4-r11, lr}}",
        "mov r5, r0",
        "ldr r0, [r5]",
        "ldr r2, [r5, #8]",
        "ldr lr, [r5, #12]",
        "ldr r10, [r5, #16]",
        "movw r3, #{low}",
        "movt r3, #{high}",
        "mov r6, r1",
        "1:",
        "ldr r1, [r5, #4]",
        "ldm r6!, {{r4, r8, r9}}",
        "ldr r7, [r0, #224]",
        "add r11, r1, #1",
        "str r6, [sp, #4]",
        "str r11, [r5, #4]",
        "add r7, r7, r4",
        "str r7, [r0, #224]",
        column!(0),
        column!(1),
        column!(2),
        column!(3),
        column!(4),
        column!(5),
        row!(0, "6", "5", "4"),
        row!(1, "5", "4", "3"),
        row!(2, "4", "3", "2"),
        row!(3, "4", "3", "2"),
        "ldr r5, [sp]",
        "ldr r6, [sp, #4]",
        "add r0, #16",
        "add r7, r5, #48",
        "cmp r6, r7",
        "bne 1b",
        // the next square
        "ldr r1, [r5, #4]",
        "ldr r7, [r5, #20]",
        "sub r0, #28",
        "sub r6, #24",
        "sub r1, #2",
        "add r1, r1, r2, lsl #2",
        "str r1, [r5, #4]",
        "subs r7, #1",
        "str r7, [r5, #20]",
        "bne 1b",
        "add sp, #8",
        "pop {{r4-r11, pc}}",
        low = const NINTH as u32 & 0xffff,
        high = const NINTH as u32 >> 16,
    )
}
