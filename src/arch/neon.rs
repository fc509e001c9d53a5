//! AArch64 with the dot-product instructions of ARMv8.2: `SDOT` adds four products of signed bytes to each of four
//! sums. Elements are int8 as they are.
//!
//! The intrinsic for it is not stable, so it is one instruction of inline assembler. Requantisation needs no tricks:
//! `SQRDMULH` rounds the product as [`multiply_high`](crate::fixed::multiply_high) does, `SRSHL` by a negative number is
//! a shift to the right that rounds ties upwards, and ties away from zero are that once a negative number is lowered by 1.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop)] // an index names a register: such loops are unrolled

use super::Isa;
use super::fours::{Lanes, Sixteens};
use crate::arch::Store;
use crate::ir::Requant;
use core::arch::aarch64::*;
use core::arch::asm;

/// The token; made by [`Dot::detect`] only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Dot(());

impl Dot {
    /// The token, if the CPU has the instructions.
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("dotprod").then_some(Self(()))
    }
}

impl Isa for Dot {
    const NAME: &'static str = "neon dot";

    fn sixteens(self, s: &Sixteens<'_>, x: &[i8], y: &mut [i8]) {
        if s.fits(x.len(), y.len()) {
            // SAFETY: the token proves the instructions, `fits` that every access lies within its slice.
            unsafe { sixteens(s, x, y) }
        }
    }

    fn lanes(self, l: &Lanes<'_>, x: &[i8], y: &mut [i8]) {
        if l.fits(x.len(), y.len()) {
            // SAFETY: the token proves the instructions, `fits` that every access lies within its slice.
            unsafe { lanes(l, x, y) }
        }
    }
}

/// Four sums, each with four more products.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot(mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the instruction reads and writes these registers only.
    unsafe {
        asm!(
            "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
            inout(vreg) sums, in(vreg) a, in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}

/// Sixteen accumulators as int8.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn narrow(sums: [int32x4_t; 4], requant: &[Requant; 16], store: Store) -> int8x16_t {
    let mut values = sums;
    for (i, value) in values.iter_mut().enumerate() {
        // SAFETY: `Requant` is two i32, multiplier first, so four are two registers.
        let int32x4x2_t(multiplier, shift) = unsafe { vld2q_s32(requant.as_ptr().add(4 * i).cast()) };
        let zero = vdupq_n_s32(0);
        let (left, right) = (vmaxq_s32(shift, zero), vminq_s32(shift, zero));
        let product = vqrdmulhq_s32(vshlq_s32(*value, left), multiplier);
        let lower = vshrq_n_s32::<31>(vandq_s32(product, right));
        *value = vrshlq_s32(vqaddq_s32(product, lower), right);
    }
    let [a, b, c, d] = values;
    let zero = vdupq_n_s16(store.zero.into());
    let low = vqaddq_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)), zero);
    let high = vqaddq_s16(vcombine_s16(vqmovn_s32(c), vqmovn_s32(d)), zero);
    let bytes = vcombine_s8(vqmovn_s16(low), vqmovn_s16(high));
    vminq_s8(vmaxq_s8(bytes, vdupq_n_s8(store.clamp.low)), vdupq_n_s8(store.clamp.high))
}

/// Stores as many of sixteen outputs as there are.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn put(bytes: int8x16_t, y: &mut [i8]) {
    let mut all = [0i8; 16];
    // SAFETY: sixteen int8 are one register.
    unsafe { vst1q_s8(all.as_mut_ptr(), bytes) };
    y.iter_mut().zip(all).for_each(|(y, byte)| *y = byte);
}

/// See [`Isa::sixteens`]: tiles of four pixels, the last ones alone.
///
/// # Safety
/// `s.fits(x.len(), y.len())`.
#[target_feature(enable = "neon,dotprod")]
unsafe fn sixteens(s: &Sixteens<'_>, x: &[i8], y: &mut [i8]) {
    debug_assert!(s.fits(x.len(), y.len()));
    let count = s.pixels();
    for block in 0..s.units.div_ceil(16) {
        let mut pixel = 0;
        // SAFETY: the caller's promise; pixels stay below their number.
        unsafe {
            while pixel + 4 <= count {
                tile::<4>(s, block, pixel, x, y);
                pixel += 4;
            }
            while pixel < count {
                tile::<1>(s, block, pixel, x, y);
                pixel += 1;
            }
        }
    }
}

/// A block of `P` pixels.
///
/// # Safety
/// `s.fits(x.len(), y.len())`, and there is such a block and such pixels.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn tile<const P: usize>(s: &Sixteens<'_>, block: usize, pixel: usize, x: &[i8], y: &mut [i8]) {
    let Some(requant) = s.requant.as_chunks::<16>().0.get(block) else { return };
    let mut sums = [[vdupq_n_s32(0); 4]; P];
    let mut windows = [x.as_ptr(); P];
    // SAFETY: `fits` holds: windows of pixels in the grid lie within the image, with each run's fours; every pixel has
    // sixteen biases a block, and a block 64 bytes of weights for each four of a run.
    unsafe {
        for p in 0..P {
            windows[p] = windows[p].add(s.window(pixel + p));
            let bias = s.bias.as_ptr().add((pixel + p) * s.bias_step + 16 * block);
            for (i, sum) in sums[p].iter_mut().enumerate() {
                *sum = vld1q_s32(bias.add(4 * i));
            }
        }
        let mut weights = s.weights.as_ptr().add(block * s.block());
        for &run in s.runs {
            for quad in 0..s.quads {
                for p in 0..P {
                    let four = windows[p].add(run + 4 * quad).cast::<i32>().read_unaligned();
                    let elements = vreinterpretq_s8_s32(vdupq_n_s32(four));
                    for i in 0..4 {
                        sums[p][i] = sdot(sums[p][i], vld1q_s8(weights.add(16 * i)), elements);
                    }
                }
                weights = weights.add(64);
            }
        }
    }
    let live = 16.min(s.units - 16 * block);
    for (p, sums) in sums.iter().enumerate() {
        let to = &mut y[(pixel + p) * s.y_step + 16 * block..][..live];
        put(narrow(*sums, requant, s.store), to);
    }
}

/// See [`Isa::lanes`]: sixteen lanes at a time, the bytes of four taps interleaved.
///
/// # Safety
/// `l.fits(x.len(), y.len())`.
#[target_feature(enable = "neon,dotprod")]
unsafe fn lanes(l: &Lanes<'_>, x: &[i8], y: &mut [i8]) {
    debug_assert!(l.fits(x.len(), y.len()));
    for part in 0..l.channels.div_ceil(16) {
        let (first_weight, bias, requant) = l.sixteen(part);
        let live = 16.min(l.channels - 16 * part);
        let mut outputs = y.chunks_exact_mut(l.channels);
        for row in 0..l.grid[0] {
            for column in 0..l.grid[1] {
                let Some(to) = outputs.next() else { return };
                let window = row * l.steps[0] + column * l.steps[1] + 16 * part;
                let mut sums = [vdupq_n_s32(0); 4];
                // SAFETY: `fits` holds, so sixteen bytes of every tap lie within the image, and 256 bytes of weights of
                // each four taps within the block's.
                unsafe {
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = vld1q_s32(bias.as_ptr().add(4 * i));
                    }
                    let x = x.as_ptr().add(window);
                    let weights = l.weights.as_ptr().add(first_weight);
                    for (quad, &[a, b, c, d]) in l.taps.as_chunks::<4>().0.iter().enumerate() {
                        let (a, b) = (vld1q_s8(x.add(a)), vld1q_s8(x.add(b)));
                        let (c, d) = (vld1q_s8(x.add(c)), vld1q_s8(x.add(d)));
                        let wide = |x| vreinterpretq_s16_s8(x);
                        let (ab, cd) = (wide(vzip1q_s8(a, b)), wide(vzip1q_s8(c, d)));
                        let (ab_high, cd_high) = (wide(vzip2q_s8(a, b)), wide(vzip2q_s8(c, d)));
                        let elements = [
                            vzip1q_s16(ab, cd),
                            vzip2q_s16(ab, cd),
                            vzip1q_s16(ab_high, cd_high),
                            vzip2q_s16(ab_high, cd_high),
                        ];
                        for i in 0..4 {
                            let four = vld1q_s8(weights.add(256 * quad + 64 * i));
                            sums[i] = sdot(sums[i], four, vreinterpretq_s8_s16(elements[i]));
                        }
                    }
                }
                put(narrow(sums, &requant, l.store), &mut to[16 * part..][..live]);
            }
        }
    }
}
