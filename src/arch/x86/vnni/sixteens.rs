//! Convolution and matrix times vector: tiles of `P` pixels times `B` blocks of sixteen units, all their sums in
//! registers. Four elements of a pixel, repeated over a register, meet four weights of each of sixteen units.

use super::super::rounding::{AWAY, HIDDEN, TWICE};
use super::super::walk::Walk;
use super::factors::{Factors, Narrow};
use crate::arch::fours::Sixteens;
use crate::ir::Requant;
use core::arch::x86_64::*;

/// All pixels and units.
///
/// # Safety
/// `s.fits(x.len(), y.len())`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in super::super) unsafe fn sixteens(s: &Sixteens<'_>, x: &[i8], y: &mut [i8]) {
    debug_assert!(s.fits(x.len(), y.len()));
    let blocks = s.units.div_ceil(16);
    let mut block = 0;
    // SAFETY: the caller's promise; blocks stay below `blocks`.
    unsafe {
        while s.grid == [1, 1] && block + 4 <= blocks {
            some::<4>(s, block, x, y);
            block += 4;
        }
        while block + 2 <= blocks {
            some::<2>(s, block, x, y);
            block += 2;
        }
        if block < blocks {
            some::<1>(s, block, x, y);
        }
    }
}

/// `B` blocks from `block` on.
///
/// # Safety
/// `s.fits(x.len(), y.len())`, and there are so many blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn some<const B: usize>(s: &Sixteens<'_>, block: usize, x: &[i8], y: &mut [i8]) {
    let Some(requant) = s.requant.as_chunks().0[block..].first_chunk() else { return };
    let mut factors = [Factors::new(&requant[0]); B];
    for b in 1..B {
        factors[b] = Factors::new(&requant[b]);
    }
    let live = (s.units - 16 * block).min(16 * B);
    let out = Out { requant, factors, narrow: Narrow::new(s.store), live, step: s.y_step };
    // SAFETY: the caller's promise.
    unsafe {
        match Factors::rounding(&factors, s.store) {
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
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn pixels<const B: usize, const ROUND: u8>(
    s: &Sixteens<'_>,
    block: usize,
    out: &Out<'_, B>,
    x: &[i8],
    y: &mut [i8],
) {
    let count = s.grid[0] * s.grid[1];
    let mut at = Walk::new(s);
    let mut pixel = 0;
    // SAFETY: `fits` holds, so every pixel's windows, biases and live outputs lie within.
    unsafe {
        let weights = s.weights.as_ptr().add(block * s.block());
        let bias = s.bias.as_ptr().add(16 * block);
        let y = y.as_mut_ptr().add(16 * block);
        while B < 4 && pixel + 8 <= count {
            let windows = at.next::<8>(x.as_ptr());
            let sums = tile::<8, B>(s, windows, weights, bias.add(pixel * s.bias_step));
            out.many::<ROUND, _>(&sums, y.add(pixel * s.y_step));
            pixel += 8;
        }
        while B < 4 && pixel + 4 <= count {
            let windows = at.next::<4>(x.as_ptr());
            let sums = tile::<4, B>(s, windows, weights, bias.add(pixel * s.bias_step));
            out.many::<ROUND, _>(&sums, y.add(pixel * s.y_step));
            pixel += 4;
        }
        while pixel < count {
            let windows = at.next::<1>(x.as_ptr());
            let sums = alone::<B>(s, windows[0], weights, bias.add(pixel * s.bias_step));
            out.one::<ROUND>(&sums, y.add(pixel * s.y_step));
            pixel += 1;
        }
    }
}

/// What makes outputs of sums.
struct Out<'a, const B: usize> {
    requant: &'a [[Requant; 16]; B],
    factors: [Factors; B],
    narrow: Narrow,
    /// Outputs of a pixel that are units.
    live: usize,
    /// From a pixel to the next.
    step: usize,
}

impl<const B: usize> Out<'_, B> {
    /// A multiple of four pixels.
    ///
    /// # Safety
    /// `y` is where the first pixel's live outputs go, and within the outputs with all others.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn many<const ROUND: u8, const P: usize>(&self, sums: &[[__m512i; B]; P], y: *mut i8) {
        let at_once = 4 / B;
        for p in (0..P).step_by(at_once) {
            let mut values = [_mm512_setzero_si512(); 4];
            for (i, value) in values.iter_mut().enumerate() {
                let (pixel, b) = (p + i / B, i % B);
                *value = self.factors[b].apply::<ROUND>(sums[pixel][b], &self.requant[b]);
            }
            let bytes = self.narrow.four_in_order(values);
            // SAFETY: the caller's promise.
            unsafe {
                let to = y.add(p * self.step);
                if self.step == 16 * B && self.live == 16 * B {
                    _mm512_storeu_si512(to.cast(), bytes);
                    continue;
                }
                let parts = [
                    _mm512_castsi512_si128(bytes),
                    _mm512_extracti32x4_epi32::<1>(bytes),
                    _mm512_extracti32x4_epi32::<2>(bytes),
                    _mm512_extracti32x4_epi32::<3>(bytes),
                ];
                for (i, part) in parts.into_iter().enumerate() {
                    self.put(part, i % B, to.add(i / B * self.step));
                }
            }
        }
    }

    /// One pixel.
    ///
    /// # Safety
    /// `y` is where its live outputs go.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn one<const ROUND: u8>(&self, sums: &[__m512i; B], y: *mut i8) {
        for b in 0..B {
            let values = self.factors[b].apply::<ROUND>(sums[b], &self.requant[b]);
            // SAFETY: the caller's promise.
            unsafe { self.put(self.narrow.one(values), b, y) }
        }
    }

    /// Block `b` of a pixel, as far as it is live. A store under a mask takes as long as many without.
    ///
    /// # Safety
    /// `y` is where the pixel's live outputs go.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn put(&self, bytes: __m128i, b: usize, y: *mut i8) {
        // SAFETY: the caller's promise; a mask keeps to what is live.
        unsafe {
            let y = y.add(16 * b);
            if self.live >= 16 * (b + 1) {
                _mm_storeu_si128(y.cast(), bytes);
            } else {
                let mask = (1u32 << (self.live - 16 * b)) - 1;
                _mm_mask_storeu_epi8(y, mask as u16, bytes);
            }
        }
    }
}

/// Sums of `P` pixels and `B` blocks.
///
/// # Safety
/// Windows, weights and biases are where `s` tells, all within their slices.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn tile<const P: usize, const B: usize>(
    s: &Sixteens<'_>,
    x: [*const i8; P],
    weights: *const i8,
    bias: *const i32,
) -> [[__m512i; B]; P] {
    let mut sums = [[_mm512_setzero_si512(); B]; P];
    let mut w = [weights; B];
    // SAFETY: `B` blocks of weights lie on end; each run has `quads` fours of elements in every window.
    unsafe {
        for b in 0..B {
            w[b] = weights.add(b * s.block());
            for (p, sums) in sums.iter_mut().enumerate() {
                sums[b] = _mm512_loadu_si512(bias.add(p * s.bias_step + 16 * b).cast());
            }
        }
        let mut at = 0;
        for &run in s.runs {
            for quad in 0..s.quads {
                let mut four = [_mm512_setzero_si512(); B];
                for b in 0..B {
                    four[b] = _mm512_loadu_si512(w[b].add(at).cast());
                }
                for p in 0..P {
                    let elements = x[p].add(run + 4 * quad).cast::<i32>().read_unaligned();
                    let elements = _mm512_set1_epi32(elements);
                    for b in 0..B {
                        sums[p][b] = _mm512_dpbusd_epi32(sums[p][b], elements, four[b]);
                    }
                }
                at += 64;
            }
        }
    }
    sums
}

/// Sums of one pixel and `B` blocks, four of each in turn, for a sum waits for the one before.
///
/// # Safety
/// As for [`tile`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn alone<const B: usize>(
    s: &Sixteens<'_>,
    x: *const i8,
    weights: *const i8,
    bias: *const i32,
) -> [__m512i; B] {
    let mut sums = [[_mm512_setzero_si512(); 4]; B];
    let mut w = [weights; B];
    // SAFETY: as in `tile`.
    unsafe {
        for b in 0..B {
            w[b] = weights.add(b * s.block());
            sums[b][0] = _mm512_loadu_si512(bias.add(16 * b).cast());
        }
        let mut at = 0;
        for &run in s.runs {
            let mut quad = 0;
            while quad + 4 <= s.quads {
                for i in 0..4 {
                    let elements = x.add(run + 4 * (quad + i)).cast::<i32>().read_unaligned();
                    let elements = _mm512_set1_epi32(elements);
                    for b in 0..B {
                        let four = _mm512_loadu_si512(w[b].add(at + 64 * i).cast());
                        sums[b][i] = _mm512_dpbusd_epi32(sums[b][i], elements, four);
                    }
                }
                quad += 4;
                at += 256;
            }
            while quad < s.quads {
                let elements = x.add(run + 4 * quad).cast::<i32>().read_unaligned();
                for b in 0..B {
                    let four = _mm512_loadu_si512(w[b].add(at).cast());
                    sums[b][0] = _mm512_dpbusd_epi32(sums[b][0], _mm512_set1_epi32(elements), four);
                }
                quad += 1;
                at += 64;
            }
        }
    }
    let mut all = [_mm512_setzero_si512(); B];
    for (all, [s0, s1, s2, s3]) in all.iter_mut().zip(sums) {
        *all = _mm512_add_epi32(_mm512_add_epi32(s0, s1), _mm512_add_epi32(s2, s3));
    }
    all
}
