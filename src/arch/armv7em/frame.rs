//! What the larger functions in assembler share, as text.
//!
//! Such a function takes the address of sixteen words, of eight (`8`), or of sixteen and more, the address of which it
//! keeps (`_beside`). What is not in a core register lies in slots: registers of the floating-point unit, where there is
//! one, for a move takes one cycle; else the stack. An assembler that optimises at link time has to be told of the unit.

/// Saves registers and fills the slots from the words at `r0`.
#[cfg(target_abi = "eabihf")]
macro_rules! enter {
    () => {
        ".fpu fpv4-sp-d16
        push {{r4-r11, lr}}
        vldm r0, {{s0-s15}}"
    };
    (8) => {
        ".fpu fpv4-sp-d16
        push {{r4-r11, lr}}
        vldm r0, {{s0-s7}}"
    };
}
/// Saves registers and fills the slots from the words at `r0`.
#[cfg(not(target_abi = "eabihf"))]
macro_rules! enter {
    () => {
        "push {{r4-r11, lr}}
        sub sp, #64
        ldm r0!, {{r4-r11}}
        stm sp, {{r4-r11}}
        ldm r0, {{r4-r11}}
        add r12, sp, #32
        stm r12, {{r4-r11}}"
    };
    (8) => {
        "push {{r4-r11, lr}}
        sub sp, #32
        ldm r0, {{r4-r11}}
        stm sp, {{r4-r11}}"
    };
}
/// Saves registers and `r0`, and fills the slots from the words there.
#[cfg(target_abi = "eabihf")]
macro_rules! enter_beside {
    () => {
        ".fpu fpv4-sp-d16
        push {{r0, r4-r11, lr}}
        vldm r0, {{s0-s15}}"
    };
}
/// Saves registers and `r0`, and fills the slots from the words there.
#[cfg(not(target_abi = "eabihf"))]
macro_rules! enter_beside {
    () => {
        "push {{r0, r4-r11, lr}}
        sub sp, #64
        ldm r0!, {{r4-r11}}
        stm sp, {{r4-r11}}
        ldm r0, {{r4-r11}}
        add r12, sp, #32
        stm r12, {{r4-r11}}"
    };
}
/// The address of the words, after [`enter_beside`].
#[cfg(target_abi = "eabihf")]
macro_rules! beside {
    ($register:literal) => {
        concat!("ldr ", $register, ", [sp]\n")
    };
}
/// The address of the words, after [`enter_beside`].
#[cfg(not(target_abi = "eabihf"))]
macro_rules! beside {
    ($register:literal) => {
        concat!("ldr ", $register, ", [sp, #64]\n")
    };
}
/// Restores registers and returns, after [`enter_beside`].
#[cfg(target_abi = "eabihf")]
macro_rules! leave_beside {
    () => {
        "add sp, #4
        pop {{r4-r11, pc}}"
    };
}
/// Restores registers and returns, after [`enter_beside`].
#[cfg(not(target_abi = "eabihf"))]
macro_rules! leave_beside {
    () => {
        "add sp, #68
        pop {{r4-r11, pc}}"
    };
}
/// Restores registers and returns.
#[cfg(target_abi = "eabihf")]
macro_rules! leave {
    ($($eight:literal)?) => {
        "pop {{r4-r11, pc}}"
    };
}
/// Restores registers and returns.
#[cfg(not(target_abi = "eabihf"))]
macro_rules! leave {
    () => {
        "add sp, #64
        pop {{r4-r11, pc}}"
    };
    (8) => {
        "add sp, #32
        pop {{r4-r11, pc}}"
    };
}
/// A register from a slot.
#[cfg(target_abi = "eabihf")]
macro_rules! take {
    ($register:literal, $slot:literal) => {
        concat!("vmov ", $register, ", s", $slot, "\n")
    };
}
/// A register from a slot.
#[cfg(not(target_abi = "eabihf"))]
macro_rules! take {
    ($register:literal, $slot:literal) => {
        concat!("ldr ", $register, ", [sp, #4*", $slot, "]\n")
    };
}
/// A register into a slot.
#[cfg(target_abi = "eabihf")]
macro_rules! keep {
    ($slot:literal, $register:literal) => {
        concat!("vmov s", $slot, ", ", $register, "\n")
    };
}
/// A register into a slot.
#[cfg(not(target_abi = "eabihf"))]
macro_rules! keep {
    ($slot:literal, $register:literal) => {
        concat!("str ", $register, ", [sp, #4*", $slot, "]\n")
    };
}

/// Packed requantisation to int8; the factor in `r8` and `r9`, the zero point in `r10`.
macro_rules! narrow {
    ($acc:literal) => {
        concat!(
            "smmlar ",
            $acc,
            ", ",
            $acc,
            ", r8, ",
            $acc,
            "\n",
            "add ",
            $acc,
            ", ",
            $acc,
            ", ",
            $acc,
            ", asr #31\n",
            "smmlar ",
            $acc,
            ", ",
            $acc,
            ", r9, r10\n",
            "ssat ",
            $acc,
            ", #8, ",
            $acc,
            "\n",
        )
    };
}

/// Steps in a [`turn`].
pub(super) const TURN: usize = 16;

/// A turn of an inner loop: its steps, one after another, of which the first turn may leave some out.
macro_rules! turn {
    ($step:ident) => {
        concat!(
            $step!(0),
            $step!(1),
            $step!(2),
            $step!(3),
            $step!(4),
            $step!(5),
            $step!(6),
            $step!(7),
            $step!(8),
            $step!(9),
            $step!(10),
            $step!(11),
            $step!(12),
            $step!(13),
            $step!(14),
            $step!(15),
        )
    };
}

/// Eight sums, in `r2` to `r7`, `r12` and `lr`, of nothing.
macro_rules! clear_eight {
    () => {
        "mov r2, #0
        mov r3, #0
        mov r4, #0
        mov r5, #0
        mov r6, #0
        mov r7, #0
        mov r12, #0
        mov lr, #0"
    };
}

/// The same to memory, as words.
macro_rules! store_eight {
    ($to:literal) => {
        concat!(
            "str r2, [",
            $to,
            "]\n",
            "str r3, [",
            $to,
            ", #4]\n",
            "str r4, [",
            $to,
            ", #8]\n",
            "str r5, [",
            $to,
            ", #12]\n",
            "str r6, [",
            $to,
            ", #16]\n",
            "str r7, [",
            $to,
            ", #20]\n",
            "str r12, [",
            $to,
            ", #24]\n",
            "str lr, [",
            $to,
            ", #28]\n",
        )
    };
}

/// Adds the sums in memory to those in `r2` to `r7`, `r12` and `lr`, and stores them there; takes `r8` and `r9`.
macro_rules! add_eight {
    ($to:literal) => {
        concat!(
            add_eight!($to, "#0", "r2", "r3"),
            add_eight!($to, "#8", "r4", "r5"),
            add_eight!($to, "#16", "r6", "r7"),
            add_eight!($to, "#24", "r12", "lr"),
        )
    };
    ($to:literal, $at:literal, $first:literal, $second:literal) => {
        concat!(
            "ldrd r8, r9, [",
            $to,
            ", ",
            $at,
            "]\n",
            "add ",
            $first,
            ", r8\n",
            "add ",
            $second,
            ", r9\n",
            "strd ",
            $first,
            ", ",
            $second,
            ", [",
            $to,
            ", ",
            $at,
            "]\n",
        )
    };
}

/// `256 A + B` and `B` to `A`.
macro_rules! high {
    ($sum:literal, $low:literal) => {
        concat!("sub ", $sum, ", ", $sum, ", ", $low, "\nasr ", $sum, ", ", $sum, ", #8\n")
    };
}

pub(super) use {
    add_eight, beside, clear_eight, enter, enter_beside, high, keep, leave, leave_beside, narrow,
    store_eight, take, turn,
};
