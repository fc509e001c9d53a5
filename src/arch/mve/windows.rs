//! Depthwise windows, sixteen channels at a time: two taps by 26 instructions.
//!
//! Products of bytes are halfwords; those of two taps add up to one as long as no weight is -128, and go into words together.
//! Even bytes multiply apart from odd ones, and halfwords widen so too, which leaves every fourth channel in a vector; what
//! narrows them undoes that.

use super::frame::{enter, leave};
use super::lay::furthest;
use crate::arch::exact;
use crate::arch::halves::{self, Windows};
use crate::ir::Requant;
use core::arch::naked_asm;

/// Channels of a block.
const BLOCK: usize = 16;

/// See [`Isa::four_windows`](crate::arch::Isa::four_windows).
#[inline(never)]
pub(super) fn four_windows(windows: &Windows<'_>, x: &[i8], taps: &[[usize; 4]], y: &mut [i8]) {
    let &Windows { channels, pixels, store, .. } = windows;
    let furthest = furthest(taps);
    let there = windows.fits(x.len(), furthest, taps.len(), y.len());
    if !there || channels == 0 || taps.is_empty() {
        return halves::four_windows(windows, x, taps, y);
    }
    let mut words = Words {
        places: taps.as_ptr(),
        pairs: taps.len() / 2,
        odd: taps.len() % 2,
        x: x.as_ptr(),
        weights: windows.weights.as_ptr(),
        channels,
        requant: windows.requant.as_ptr(),
        bias: windows.bias.as_ptr(),
        y: y.as_mut_ptr(),
        pixels,
        blocks: channels / BLOCK,
        zero: store.zero.into(),
        low: store.clamp.low.into(),
        high: store.clamp.high.into(),
    };
    if channels < BLOCK {
        return narrow(windows, words);
    }
    // SAFETY: from every place on there are as many elements as channels; weights, factors and biases are as many as the
    // function reads, the outputs as many as it writes.
    unsafe { asm(&mut words) }
    let last = channels - BLOCK;
    if !channels.is_multiple_of(BLOCK) {
        let mut words = Words {
            x: x.as_ptr().wrapping_add(last),
            weights: windows.weights.as_ptr().wrapping_add(last),
            requant: windows.requant.as_ptr().wrapping_add(last),
            bias: windows.bias.as_ptr().wrapping_add(last),
            y: y.as_mut_ptr().wrapping_add(last),
            blocks: 1,
            ..words
        };
        // SAFETY: as above, of the last sixteen channels, some of which are computed again.
        unsafe { asm(&mut words) }
    }
}

/// Fewer than sixteen channels.
#[inline(never)]
fn narrow(windows: &Windows<'_>, words: Words) {
    let channels = words.channels;
    let (mut requant, mut bias) = ([Requant::default(); BLOCK], [0; BLOCK]);
    let factors = exact(windows.requant, 0, channels).unwrap_or_default();
    requant.iter_mut().zip(factors).for_each(|(to, &factor)| *to = factor);
    let biases = exact(windows.bias, 0, channels).unwrap_or_default();
    bias.iter_mut().zip(biases).for_each(|(to, &bias)| *to = bias);
    let mut words = Words { requant: requant.as_ptr(), bias: bias.as_ptr(), blocks: 1, ..words };
    // SAFETY: as for a block, of which the function reads and writes as many elements as there are channels.
    unsafe { narrow_asm(&mut words) }
}

/// What the functions in assembler read, and move on from block to block.
#[derive(Clone, Copy)]
#[repr(C)]
struct Words {
    places: *const [usize; 4],
    /// Pairs of taps, and whether there is another one.
    pairs: usize,
    odd: usize,
    x: *const i8,
    weights: *const i8,
    channels: usize,
    requant: *const Requant,
    bias: *const i32,
    y: *mut i8,
    pixels: usize,
    blocks: usize,
    zero: i32,
    low: i32,
    high: i32,
}

/// Sums of every fourth channel to int8 in words; their factors lie at `$at` and 4 further from the addresses in `q0`.
macro_rules! requantise {
    ($acc:literal, $at:literal) => {
        concat!(
            "vldrw.u32 q1, [q0, #",
            $at,
            "]\n",
            "vldrw.u32 q2, [q0, #",
            $at,
            " + 4]\n",
            "vqrdmulh.s32 ",
            $acc,
            ", ",
            $acc,
            ", q1\n",
            "vshr.s32 q1, ",
            $acc,
            ", #31\n",
            "vadd.i32 ",
            $acc,
            ", ",
            $acc,
            ", q1\n",
            "vrshl.s32 ",
            $acc,
            ", ",
            $acc,
            ", q2\n",
        )
    };
}

/// Halfwords in `$even` and `$odd` added to the sums.
macro_rules! accumulate {
    ($even:literal, $odd:literal) => {
        concat!(
            "vmovlb.s16 q1, ",
            $even,
            "\nvadd.i32 q4, q4, q1\n",
            "vmovlt.s16 q1, ",
            $even,
            "\nvadd.i32 q6, q6, q1\n",
            "vmovlb.s16 q1, ",
            $odd,
            "\nvadd.i32 q5, q5, q1\n",
            "vmovlt.s16 q1, ",
            $odd,
            "\nvadd.i32 q7, q7, q1\n",
        )
    };
}

/// All blocks, pixels and taps; `$load` and `$store` take bytes.
macro_rules! body {
    ($load:literal, $store:literal) => {
        concat!(
            "vpush {{d8-d15}}
            mov r12, r0
            ldr r2, [r12, #20]
            vctp.8 r2
            ldr r8, [r12, #44]
            ldr r9, [r12, #48]
            ldr r10, [r12, #52]
            1:
            ldr r11, [r12]
            ldr r1, [r12, #32]
            ldr r0, [r12, #36]
            2:
            mov r3, r11
            add r11, r11, #4
            ldrd r6, r7, [r12, #12]
            ldr r4, [r12, #28]
            vld40.32 {{q4, q5, q6, q7}}, [r4]
            vld41.32 {{q4, q5, q6, q7}}, [r4]
            vld42.32 {{q4, q5, q6, q7}}, [r4]
            vld43.32 {{q4, q5, q6, q7}}, [r4]
            ldr r5, [r12, #4]
            wls lr, r5, 4f
            3:
            ldr r4, [r3], #16
            ldr r5, [r3], #16
            add r4, r4, r6
            add r5, r5, r6\n",
            $load,
            " q0, [r4]\n",
            $load,
            " q1, [r7]
            add r7, r7, r2
            vmullb.s8 q2, q0, q1
            vmullt.s8 q0, q0, q1\n",
            $load,
            " q1, [r5]\n",
            $load,
            " q3, [r7]
            add r7, r7, r2
            vmullb.s8 q1, q1, q3
            vadd.i16 q2, q2, q1\n",
            $load,
            " q1, [r5]
            vmullt.s8 q1, q1, q3
            vadd.i16 q0, q0, q1\n",
            accumulate!("q2", "q0"),
            "le lr, 3b
            4:
            ldr r5, [r12, #8]
            cbz r5, 5f
            ldr r4, [r3]
            add r4, r4, r6\n",
            $load,
            " q0, [r4]\n",
            $load,
            " q1, [r7]
            vmullb.s8 q2, q0, q1
            vmullt.s8 q0, q0, q1\n",
            accumulate!("q2", "q0"),
            "5:
            mov r4, #0
            ldr r5, [r12, #24]
            vidup.u32 q0, r4, #8
            vshl.i32 q0, q0, #2
            vadd.i32 q0, q0, r5\n",
            requantise!("q4", "0"),
            requantise!("q5", "8"),
            requantise!("q6", "16"),
            requantise!("q7", "24"),
            "vqmovnb.s32 q4, q4
            vqmovnt.s32 q4, q6
            vqmovnb.s32 q5, q5
            vqmovnt.s32 q5, q7
            vqadd.s16 q4, q4, r8
            vqadd.s16 q5, q5, r8
            vqmovnb.s16 q4, q4
            vqmovnt.s16 q4, q5
            vdup.8 q1, r9
            vmax.s8 q4, q4, q1
            vdup.8 q1, r10
            vmin.s8 q4, q4, q1\n",
            $store,
            " q4, [r1]
            add r1, r1, r2
            subs r0, #1
            bne 2b
            ldr r0, [r12, #40]
            subs r0, #1
            beq 6f
            str r0, [r12, #40]
            add r6, r6, #16
            ldr r7, [r12, #16]
            add r7, r7, #16
            strd r6, r7, [r12, #12]
            ldrd r4, r5, [r12, #24]
            add r4, r4, #128
            add r5, r5, #64
            strd r4, r5, [r12, #24]
            ldr r4, [r12, #32]
            add r4, r4, #16
            str r4, [r12, #32]
            b 1b
            6:
            vpop {{d8-d15}}\n",
        )
    };
}

/// # Safety
/// The words hold pointers to so many places of elements, weights, factors, biases and outputs of whole blocks, and there is
/// one at least of all that is counted.
#[unsafe(naked)]
unsafe extern "C" fn asm(words: &mut Words) {
    naked_asm!(enter!(), body!("vldrb.8", "vstrb.8"), leave!())
}

/// # Safety
/// The same of one block, of which elements, weights and outputs are only as many as channels.
#[unsafe(naked)]
unsafe extern "C" fn narrow_asm(words: &mut Words) {
    naked_asm!(enter!(), body!("vpst\nvldrbt.8", "vpst\nvstrbt.8"), leave!())
}
