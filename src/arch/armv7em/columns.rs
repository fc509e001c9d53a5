//! The functions of depthwise convolution in assembler, as macros: what goes round the sums, and their steps.

/// A function that computes some columns at a time. Slots: 0 bias, 1 and 2 factor, 3 zero point, 4 first output of the
/// channel, 5 next output, 6 bytes to the next column, 7 chunks left, 8 record, 9 and 10 first and end of the rows'
/// addresses, 11 bytes that the first turn of a row leaves out, 12 bytes of a row's turns, 13 where it is entered, 14
/// channels left, 15 place of the taps, 16 bytes of a record, 17 chunks, 18 place of the channel in the rows, 19 bytes
/// to the next chunk, 20 to the next channel; 21 and 22 bytes from a column to the next and to the fourth, 23 from a tap to
/// the next, 24 of a row's taps; 25 and 26 bytes of rows and of outputs by which the last chunk, unless it is the only one,
/// begins before the end of the one before.
///
/// `$begin` goes before everything, `$start` copies the bias to the accumulators, `$sum` adds the products to them: of the
/// taps from `r1` on, with rows whose places lie from `lr` on, `r7` bytes further on.
macro_rules! columns {
    ([$($begin:expr),*], $start:literal, [$($sum:expr),*], [$($narrow:expr),*], $store:literal) => {
        naked_asm!(
            enter_wide!(),
            $($begin,)*
            "1:",
            take!("r8", 8),
            "ldr r2, [r8]",
            "ldr r3, [r8, #4]",
            "ldr r4, [r8, #8]",
            keep!(0, "r2"),
            keep!(1, "r3"),
            keep!(2, "r4"),
            take!("r9", 4),
            keep!(5, "r9"),
            take!("r9", 17),
            keep!(7, "r9"),
            take!("r7", 18),
            "2:",
            take!("r2", 0),
            $start,
            take!("r1", 8),
            take!("r8", 15),
            "add r1, r1, r8",
            take!("lr", 9),
            $($sum,)*
            take!("r8", 1),
            take!("r9", 2),
            take!("r10", 3),
            $($narrow,)*
            take!("r0", 5),
            take!("r8", 6),
            $store,
            keep!(5, "r0"),
            take!("r8", 19),
            "add r7, r7, r8",
            take!("r8", 7),
            "subs r8, r8, #1",
            keep!(7, "r8"),
            "beq 9f",
            "cmp r8, #1",
            "bne 2b",
            take!("r8", 25),
            take!("r9", 26),
            "sub r7, r7, r8",
            "sub r0, r0, r9",
            keep!(5, "r0"),
            "b 2b",
            "9:",
            take!("r8", 8),
            take!("r9", 16),
            "add r8, r8, r9",
            keep!(8, "r8"),
            take!("r8", 4),
            "add r8, r8, #1",
            keep!(4, "r8"),
            take!("r8", 18),
            take!("r9", 20),
            "add r8, r8, r9",
            keep!(18, "r8"),
            take!("r8", 14),
            "subs r8, r8, #1",
            keep!(14, "r8"),
            "bne 1b",
            leave_wide!(),
        )
    };
}

/// [`columns`] whose taps are gone through in turns; `$scale` brings the bytes left out of the first to bytes of code.
macro_rules! in_turns {
    ($scale:literal, $start:literal, [$($step:expr),*], [$($narrow:expr),*], $store:literal) => {
        columns!(
            [
                take!("r9", 11),
                "adr r8, 5f",
                $scale,
                "add r8, r8, r9",
                "add r8, r8, #1",
                keep!(13, "r8")
            ],
            $start,
            [
                "3:",
                "ldr r0, [lr]",
                take!("r8", 11),
                take!("r12", 12),
                take!("r9", 13),
                "add lr, lr, #4",
                "add r0, r0, r7",
                "sub r1, r1, r8",
                "add r12, r12, r1",
                "bx r9",
                "5:",
                $($step,)*
                "add r1, #16",
                "add r0, #16",
                "cmp r1, r12",
                "bne 5b",
                take!("r8", 10),
                "cmp lr, r8",
                "bne 3b"
            ],
            [$($narrow),*],
            $store
        )
    };
}

/// [`columns`] four at a time.
macro_rules! by_four {
    ($columns:ident, $begin:tt, $sum:tt) => {
        $columns!(
            $begin,
            "mov r3, r2
            mov r4, r2
            mov r5, r2",
            $sum,
            [narrow!("r2"), narrow!("r3"), narrow!("r4"), narrow!("r5")],
            "strb r2, [r0]
            strb r3, [r0, r8]
            add r0, r0, r8, lsl #1
            strb r4, [r0]
            strb r5, [r0, r8]
            add r0, r0, r8, lsl #1"
        )
    };
}

/// [`columns`] one at a time.
macro_rules! by_one {
    ($columns:ident, $begin:tt, $sum:tt) => {
        $columns!(
            $begin,
            "",
            $sum,
            [narrow!("r2")],
            "strb r2, [r0]
            add r0, r0, r8"
        )
    };
}

/// One tap of two rows, for four columns so many apart: 10 cycles.
macro_rules! step_of_four {
    ($at:literal, $apart:literal) => {
        concat!(
            "ldr.w r6, [r1, #4*",
            $at,
            "]\n",
            "ldr.w r8, [r0, #4*",
            $at,
            "]\n",
            "ldr.w r9, [r0, #4*",
            $at,
            "+4*",
            $apart,
            "]\n",
            "ldr.w r10, [r0, #4*",
            $at,
            "+8*",
            $apart,
            "]\n",
            "ldr.w r11, [r0, #4*",
            $at,
            "+12*",
            $apart,
            "]\n",
            "smlad r2, r6, r8, r2\n",
            "smlad r3, r6, r9, r3\n",
            "smlad r4, r6, r10, r4\n",
            "smlad r5, r6, r11, r5\n",
        )
    };
}

/// One tap of two rows: 4 cycles.
macro_rules! step_of_one {
    ($at:literal) => {
        concat!("ldr.w r6, [r1, #4*", $at, "]\n", "ldr.w r8, [r0, #4*", $at, "]\n", "smlad r2, r6, r8, r2\n",)
    };
}

/// The tap in `r6` of the row from `r0` on, for four columns `r10` bytes apart, the fourth `r11` from the first.
macro_rules! four_products {
    () => {
        "ldr r8, [r0]
        ldr r9, [r0, r10]
        smlad r2, r6, r8, r2
        smlad r3, r6, r9, r3
        ldr r8, [r0, r10, lsl #1]
        ldr r9, [r0, r11]
        smlad r4, r6, r8, r4
        smlad r5, r6, r9, r5"
    };
}

pub(super) use {by_four, by_one, columns, four_products, in_turns, step_of_four, step_of_one};
