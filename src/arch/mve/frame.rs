//! What the functions in assembler share, as text.

/// Saves registers and names the core.
macro_rules! enter {
    () => {
        ".cpu cortex-m55
        push {{r4-r11, lr}}"
    };
}
/// Restores them and returns.
macro_rules! leave {
    () => {
        "pop {{r4-r11, pc}}"
    };
}

/// Four accumulators `$acc` to int8 in 32 bits, by the factors at `$requant`, which moves on; `$t` is a free register. Words
/// at `$words`: zero point, least and greatest output. Takes `q1`, `q2` and `q3`.
///
/// A shift to the left comes before the product, one to the right after it, its ties away from zero made ties upwards by
/// taking 1 from what is negative and will be shifted.
macro_rules! narrow {
    ($acc:literal, $requant:literal, $words:literal, $t:literal) => {
        concat!(
            "vld20.32 {{q1, q2}}, [",
            $requant,
            "]\n",
            "vld21.32 {{q1, q2}}, [",
            $requant,
            "]!\n",
            "mov ",
            $t,
            ", #0\n",
            "vdup.32 q3, ",
            $t,
            "\n",
            "vmax.s32 q3, q3, q2\n",
            "vshl.s32 ",
            $acc,
            ", ",
            $acc,
            ", q3\n",
            "vqrdmulh.s32 ",
            $acc,
            ", ",
            $acc,
            ", q1\n",
            "vsub.i32 q2, q2, q3\n",
            "vand q1, ",
            $acc,
            ", q2\n",
            "vshr.s32 q1, q1, #31\n",
            "vqadd.s32 ",
            $acc,
            ", ",
            $acc,
            ", q1\n",
            "vrshl.s32 ",
            $acc,
            ", ",
            $acc,
            ", q2\n",
            "ldr ",
            $t,
            ", [",
            $words,
            "]\n",
            "vqadd.s32 ",
            $acc,
            ", ",
            $acc,
            ", ",
            $t,
            "\n",
            "ldr ",
            $t,
            ", [",
            $words,
            ", #4]\n",
            "vdup.32 q1, ",
            $t,
            "\n",
            "vmax.s32 ",
            $acc,
            ", ",
            $acc,
            ", q1\n",
            "ldr ",
            $t,
            ", [",
            $words,
            ", #8]\n",
            "vdup.32 q1, ",
            $t,
            "\n",
            "vmin.s32 ",
            $acc,
            ", ",
            $acc,
            ", q1\n",
        )
    };
}

pub(super) use {enter, leave, narrow};
