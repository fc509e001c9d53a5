//! Copying and filling memory in little code: the functions that compilers call for it. Those that come with the compiler
//! are unrolled and take ten times the flash.
//!
//! Single loads and stores throughout, for those may be unaligned on these cores.

use core::arch::naked_asm;

/// Copies `n` bytes, none of them to one that is still to be read; returns `to`.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    naked_asm!(
        ".global __aeabi_memcpy",
        ".global __aeabi_memcpy4",
        ".global __aeabi_memcpy8",
        ".thumb_set __aeabi_memcpy, memcpy",
        ".thumb_set __aeabi_memcpy4, memcpy",
        ".thumb_set __aeabi_memcpy8, memcpy",
        "push {{r0, lr}}",
        "subs r2, #8",
        "blo 2f",
        "1:",
        "ldr r3, [r1]",
        "ldr r12, [r1, #4]",
        "adds r1, #8",
        "str r3, [r0]",
        "str r12, [r0, #4]",
        "adds r0, #8",
        "subs r2, #8",
        "bhs 1b",
        "2:",
        "adds r2, #8",
        "beq 4f",
        "3:",
        "ldrb r3, [r1], #1",
        "strb r3, [r0], #1",
        "subs r2, #1",
        "bne 3b",
        "4:",
        "pop {{r0, pc}}",
    )
}

/// Fills `n` bytes with a byte; returns `to`. `__aeabi_memset` has the byte last, `__aeabi_memclr` has none.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, n: usize) -> *mut u8 {
    naked_asm!(
        ".global __aeabi_memset",
        ".global __aeabi_memset4",
        ".global __aeabi_memset8",
        ".global __aeabi_memclr",
        ".global __aeabi_memclr4",
        ".global __aeabi_memclr8",
        "mov r3, r1",
        "mov r1, r2",
        "mov r2, r3",
        "b 1f",
        ".thumb_func",
        "__aeabi_memclr:",
        ".thumb_func",
        "__aeabi_memclr4:",
        ".thumb_func",
        "__aeabi_memclr8:",
        "movs r2, #0",
        ".thumb_func",
        "__aeabi_memset:",
        ".thumb_func",
        "__aeabi_memset4:",
        ".thumb_func",
        "__aeabi_memset8:",
        "1:",
        "push {{r0, lr}}",
        "uxtb r2, r2",
        "orr r2, r2, r2, lsl #8",
        "orr r2, r2, r2, lsl #16",
        "subs r1, #8",
        "blo 3f",
        "2:",
        "str r2, [r0]",
        "str r2, [r0, #4]",
        "adds r0, #8",
        "subs r1, #8",
        "bhs 2b",
        "3:",
        "adds r1, #8",
        "beq 5f",
        "4:",
        "strb r2, [r0], #1",
        "subs r1, #1",
        "bne 4b",
        "5:",
        "pop {{r0, pc}}",
    )
}
