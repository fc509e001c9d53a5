//! What the functions in assembler share, as text.

/// Saves all registers that a function must keep.
macro_rules! enter {
    () => {
        "push {{r4-r7, lr}}
        mov r4, r8
        mov r5, r9
        mov r6, r10
        mov r7, r11
        push {{r4-r7}}"
    };
}
/// Restores them and returns.
macro_rules! leave {
    () => {
        "pop {{r4-r7}}
        mov r8, r4
        mov r9, r5
        mov r10, r6
        mov r11, r7
        pop {{r4-r7, pc}}"
    };
}

/// The upper 33 bits of the product of an accumulator of 24 bits and a mantissa, rounded to nearest, ties upwards; then its
/// ties away from zero are ties upwards. The accumulator is `r0`, halves of the mantissa are `r1` and `r2`; takes `r3`,
/// `r4`, `r7`. See [`product`](crate::arch::halves::product).
macro_rules! product {
    () => {
        "uxtb r3, r0
        asrs r0, r0, #8
        movs r4, r3
        muls r4, r1, r4
        lsrs r4, r4, #8
        muls r3, r2, r3
        movs r7, r0
        muls r7, r1, r7
        adds r7, r7, r4
        asrs r7, r7, #8
        adds r3, r3, r7
        asrs r3, r3, #8
        muls r0, r2, r0
        adds r0, r0, r3
        adds r0, #64
        asrs r0, r0, #7
        asrs r7, r0, #31
        adds r0, r0, r7"
    };
}

/// Holds `r0` between `r11` and `r12`.
macro_rules! clamp {
    () => {
        "cmp r0, r11
        bge 21f
        mov r0, r11
        21:
        cmp r0, r12
        ble 22f
        mov r0, r12
        22:"
    };
}

/// Stores the accumulators of some pixels, which lie in slots 18 to 21. Slots 7: factors, the next one is taken; 10: where
/// the first output goes, which moves on by 1; 11: bytes from one output to the next pixel's; 12: bytes of the accumulators;
/// 13: twice the zero point and 1; 14 and 15: least and greatest output. Takes all registers.
macro_rules! finish {
    () => {
        concat!(
            "ldr r0, [sp, #4*7]
            ldmia r0!, {{r1, r2}}
            str r0, [sp, #4*7]
            rsbs r3, r2, #0
            mov r8, r3
            subs r3, #1
            ldr r4, [sp, #4*13]
            lsls r4, r3
            mov r9, r4
            lsrs r2, r1, #16
            uxth r1, r1
            ldr r3, [sp, #4*11]
            mov r10, r3
            ldr r3, [sp, #4*14]
            mov r11, r3
            ldr r3, [sp, #4*15]
            mov r12, r3
            add r5, sp, #4*18
            ldr r3, [sp, #4*12]
            adds r3, r3, r5
            mov lr, r3
            ldr r6, [sp, #4*10]
            adds r3, r6, #1
            str r3, [sp, #4*10]
            20:
            ldmia r5!, {{r0}}\n",
            product!(),
            "
            add r0, r9
            mov r7, r8
            asrs r0, r7\n",
            clamp!(),
            "
            strb r0, [r6]
            add r6, r10
            cmp r5, lr
            bne 20b"
        )
    };
}

/// Makes room for 22 slots and fills 18 of them from the words at `r0`, after [`enter`].
macro_rules! slots {
    () => {
        "sub sp, #88
        mov r1, sp
        ldmia r0!, {{r2-r7}}
        stmia r1!, {{r2-r7}}
        ldmia r0!, {{r2-r7}}
        stmia r1!, {{r2-r7}}
        ldmia r0!, {{r2-r7}}
        stmia r1!, {{r2-r7}}"
    };
}

pub(super) use {clamp, enter, finish, leave, product, slots};
