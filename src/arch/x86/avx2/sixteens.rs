//! Convolution and matrix times vector: tiles of `P` pixels times `B` blocks of sixteen units, all their sums in
//! registers. Four elements of a pixel, repeated over a register, meet four weights of each of eight units. Tiles are
//! small, as elements without their signs and products in the making take registers too.

use super::super::rounding::{AWAY, HIDDEN, TWICE};
use super::super::walk::Walk;
use super::dot::dot;
use super::factors::{Factors, Narrow};
use crate::arch::fours::Sixteens;
use crate::ir::Requant;
use core::arch::x86_64::*;

/// All pixels and units.
///
/// # Safety
/// `s.fits(x.len(), y.len())`.
#[target_feature(enable = "avx2")]
pub(in super::super) unsafe fn sixteens(s: &Sixteens<'_>, x: &[i8], y: &mut [i8]) {
    debug_assert!(s.fits(x.len(), y.len()));
    let blocks = s.units.div_ceil(16);
    let mut block = 0;
    // SAFETY: the caller's promise; blocks stay below `blocks`.
    unsafe {
        while s.pixels() == 1 && block + 4 <= blocks {
            some::<4>(s, block, x, y);
            block += 4;
        }
        while block < blocks {
            some::<1>(s, block, x, y);
            block += 1;
        }
    }
}

/// `B` blocks from `block` on.
///
/// # Safety
/// `s.fits(x.len(), y.len())`, and there are so many blocks; for several, only one pixel.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn some<const B: usize>(s: &Sixteens<'_>, block: usize, x: &[i8], y: &mut [i8]) {
    let Some(requant) = s.requant.as_chunks().0.as_chunks().0[block..].first_chunk() else { return };
    let mut factors = [[Factors::new(&requant[0][0]); 2]; B];
    for (factors, [low, high]) in factors.iter_mut().zip(requant) {
        *factors = [Factors::new(low), Factors::new(high)];
    }
    let out = Out { requant, factors, narrow: Narrow::new(s.store), live: s.units - 16 * block };
    // SAFETY: the caller's promise.
    unsafe {
        match Factors::rounding(out.factors.as_flattened(), s.store) {
            HIDDEN => pixels::<B, HIDDEN>(s, block, &out, x, y),
            AWAY => pixels::<B, AWAY>(s, block, &out, x, y),
            _ => pixels::<B, TWICE>(s, block, &out, x, y),
        }
    }
}

/// The same for all pixels.
///
/// # Safety
/// As for [`some`], with `out` for these blocks.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn pixels<const B: usize, const ROUND: u8>(
    s: &Sixteens<'_>,
    block: usize,
    out: &Out<'_, B>,
    x: &[i8],
    y: &mut [i8],
) {
    let count = s.pixels();
    let mut at = Walk::new(s);
    let mut pixel = 0;
    // SAFETY: `fits` holds, so every pixel's windows, biases and live outputs lie within.
    unsafe {
        let weights = s.weights.as_ptr().add(block * s.block());
        let bias = s.bias.as_ptr().add(16 * block);
        let y = y.as_mut_ptr().add(16 * block);
        while B == 1 && pixel + 2 <= count {
            let windows = at.next::<2>().map(|from| x.as_ptr().add(from));
            let sums = tile::<2, B>(s, windows, weights, bias.add(pixel * s.bias_step));
            for (p, sums) in sums.iter().enumerate() {
                out.put::<ROUND>(sums, y.add((pixel + p) * s.y_step));
            }
            pixel += 2;
        }
        while pixel < count {
            let windows = at.next::<1>().map(|from| x.as_ptr().add(from));
            let [sums] = tile::<1, B>(s, windows, weights, bias.add(pixel * s.bias_step));
            out.put::<ROUND>(&sums, y.add(pixel * s.y_step));
            pixel += 1;
        }
    }
}

/// What makes outputs of sums.
struct Out<'a, const B: usize> {
    requant: &'a [[[Requant; 8]; 2]; B],
    factors: [[Factors; 2]; B],
    narrow: Narrow,
    /// Units from the first block's first on.
    live: usize,
}

impl<const B: usize> Out<'_, B> {
    /// One pixel, as far as its units go.
    ///
    /// # Safety
    /// `y` is where its live outputs go.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn put<const ROUND: u8>(&self, sums: &[[__m256i; 2]; B], y: *mut i8) {
        for b in 0..B {
            let (q, factors) = (&self.requant[b], &self.factors[b]);
            let low = factors[0].apply::<ROUND>(sums[b][0], &q[0]);
            let high = factors[1].apply::<ROUND>(sums[b][1], &q[1]);
            let values = self.narrow.two(low, high);
            let live = self.live - 16 * b;
            // SAFETY: the caller's promise; sixteen int8 are one register.
            unsafe {
                let y = y.add(16 * b);
                if live >= 16 {
                    _mm_storeu_si128(y.cast(), values);
                } else {
                    let mut bytes = [0i8; 16];
                    _mm_storeu_si128(bytes.as_mut_ptr().cast(), values);
                    y.copy_from_nonoverlapping(bytes.as_ptr(), live);
                }
            }
        }
    }
}

/// Sums of `P` pixels and `B` blocks.
///
/// # Safety
/// Windows, weights and biases are where `s` tells, all within their slices.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn tile<const P: usize, const B: usize>(
    s: &Sixteens<'_>,
    x: [*const i8; P],
    weights: *const i8,
    bias: *const i32,
) -> [[[__m256i; 2]; B]; P] {
    let mut sums = [[[_mm256_setzero_si256(); 2]; B]; P];
    let mut w = [weights; B];
    // SAFETY: `B` blocks of weights lie on end; each run has `quads` fours of elements in every window; each block has
    // sixteen biases a pixel, which are two registers.
    unsafe {
        for b in 0..B {
            w[b] = weights.add(b * s.block());
            for (p, sums) in sums.iter_mut().enumerate() {
                let bias = bias.add(p * s.bias_step + 16 * b);
                sums[b] = [_mm256_loadu_si256(bias.cast()), _mm256_loadu_si256(bias.add(8).cast())];
            }
        }
        let mut at = 0;
        for &run in s.runs {
            for quad in 0..s.quads {
                let mut elements = [_mm256_setzero_si256(); P];
                for p in 0..P {
                    let four = x[p].add(run + 4 * quad).cast::<i32>().read_unaligned();
                    elements[p] = _mm256_set1_epi32(four);
                }
                for b in 0..B {
                    for half in 0..2 {
                        let eight = _mm256_loadu_si256(w[b].add(at + 32 * half).cast());
                        for p in 0..P {
                            sums[p][b][half] = dot(sums[p][b][half], elements[p], eight);
                        }
                    }
                }
                at += 64;
            }
        }
    }
    sums
}
