//! Convolution and matrix times vector: tiles of `P` pixels times `B` blocks of sixteen units, all their sums in
//! registers. Four elements of a pixel, repeated over a register, meet four weights of each of sixteen units.
//!
//! Tricks:
//! 1. Sixteen sums a tile, whatever its shape: as many as hide how long a sum takes, and as leave registers for factors.
//! 2. A pixel that is alone, as in matrix times vector, reads each weight once: how fast those come decides. One block
//!    after another reads them on end, which caches bring sooner than several at once, the more so when asked ahead; and
//!    eight sums in turn keep pace. Its elements come sixteen a load and are spread in registers, so that loads are left for
//!    weights.

use super::super::rounding::{AWAY, FAR, HIDDEN, TWICE};
use super::super::walk::Walk;
use super::factors::{Factors, Narrow};
use crate::arch::fours::Sixteens;
use crate::ir::Requant;
use core::arch::asm;
use core::arch::x86_64::*;

/// Sums that a pixel which is alone is spread over.
const TURNS: usize = 8;

/// Bytes ahead of those in use that its weights are asked for, whichever block they belong to.
const AHEAD: usize = 2048;

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
        if s.pixels() < 4 {
            return few(s, x, y);
        }
        while block + 4 <= blocks {
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

/// The same for less pixels than a tile has.
///
/// # Safety
/// `s.fits(x.len(), y.len())`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn few(s: &Sixteens<'_>, x: &[i8], y: &mut [i8]) {
    let narrow = Narrow::new(s.store);
    for (block, requant) in s.requant.as_chunks().0.iter().take(s.units.div_ceil(16)).enumerate() {
        let factors = Factors::new(requant, s.store);
        let rounding = Factors::rounding(&[factors], s.store);
        let (mut walk, live) = (Walk::new(s), s.units - 16 * block);
        for pixel in 0..s.pixels() {
            // SAFETY: `fits` holds, so every pixel's windows, biases and live outputs lie within.
            unsafe {
                let [window] = walk.next::<1>();
                let weights = s.weights.as_ptr().add(block * s.block());
                let bias = s.bias.as_ptr().add(pixel * s.bias_step + 16 * block);
                let sums = alone(s, x.as_ptr().add(window), weights, bias);
                let values = match rounding {
                    TWICE => factors.apply::<TWICE>(sums, requant),
                    FAR => factors.apply::<FAR>(sums, requant),
                    _ => factors.apply::<AWAY>(sums, requant),
                };
                put(narrow.one(values), live, y.as_mut_ptr().add(pixel * s.y_step + 16 * block));
            }
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
    let mut factors = [Factors::new(&requant[0], s.store); B];
    for b in 1..B {
        factors[b] = Factors::new(&requant[b], s.store);
    }
    let live = (s.units - 16 * block).min(16 * B);
    let out = Out { requant, factors, narrow: Narrow::new(s.store), live, step: s.y_step };
    // SAFETY: the caller's promise.
    unsafe {
        match Factors::rounding(&factors, s.store) {
            HIDDEN => pixels::<B, HIDDEN>(s, block, &out, x, y),
            AWAY => pixels::<B, AWAY>(s, block, &out, x, y),
            FAR => pixels::<B, FAR>(s, block, &out, x, y),
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
    // SAFETY: `fits` holds, so every pixel's windows, biases and live outputs lie within.
    unsafe {
        let mut at = Tiles {
            s,
            walk: Walk::new(s),
            left: s.pixels(),
            x: x.as_ptr(),
            weights: s.weights.as_ptr().add(block * s.block()),
            bias: s.bias.as_ptr().add(16 * block),
            y: y.as_mut_ptr().add(16 * block),
        };
        if ROUND != TWICE && B == 1 {
            at.straight::<16, B, ROUND>(out);
        }
        if ROUND != TWICE && B == 2 {
            at.straight::<8, B, ROUND>(out);
        }
        if ROUND != TWICE && B <= 2 {
            at.tiles::<8, B, ROUND>(out);
        }
        if ROUND != TWICE && B == 4 {
            at.straight::<4, B, ROUND>(out);
        }
        at.tiles::<4, B, ROUND>(out);
        at.singles::<B, ROUND>(out);
    }
}

/// A walk in tiles of pixels.
struct Tiles<'a> {
    s: &'a Sixteens<'a>,
    walk: Walk<'a>,
    /// Pixels that are left.
    left: usize,
    /// The image.
    x: *const i8,
    /// Weights of the blocks.
    weights: *const i8,
    /// Biases of the next pixel.
    bias: *const i32,
    /// Where the outputs of the next pixel go.
    y: *mut i8,
}

impl Tiles<'_> {
    /// Tiles of `P` pixels that lie in one row, up to the first pixels that do not.
    ///
    /// Called for several kinds of rounding, such a function is inlined only when told so; if it were not, its sums
    /// would go through memory.
    ///
    /// # Safety
    /// The CPU has the instructions, `fits` holds, and `out` is for the blocks whose weights these are.
    #[inline(always)]
    unsafe fn straight<const P: usize, const B: usize, const ROUND: u8>(&mut self, out: &Out<'_, B>) {
        while self.left >= P {
            let Some(first) = self.walk.straight(P) else { return };
            let step = self.s.steps[2];
            // SAFETY: the caller's promise; there are `P` pixels.
            unsafe {
                let sums = tile::<P, B>(self.s, self.x, |p| first + p * step, self.weights, self.bias);
                out.many::<ROUND, P>(&sums, self.y);
                self.pass(P);
            }
        }
    }

    /// Tiles of `P` pixels wherever they lie, as many as there are.
    ///
    /// # Safety
    /// As for [`Tiles::straight`].
    #[inline(always)]
    unsafe fn tiles<const P: usize, const B: usize, const ROUND: u8>(&mut self, out: &Out<'_, B>) {
        while self.left >= P {
            let windows = self.walk.next::<P>();
            // SAFETY: the caller's promise; there are `P` pixels.
            unsafe {
                let sums = tile::<P, B>(self.s, self.x, |p| windows[p], self.weights, self.bias);
                out.many::<ROUND, P>(&sums, self.y);
                self.pass(P);
            }
        }
    }

    /// The pixels that are left, one by one.
    ///
    /// # Safety
    /// As for [`Tiles::straight`].
    #[inline(always)]
    unsafe fn singles<const B: usize, const ROUND: u8>(&mut self, out: &Out<'_, B>) {
        while self.left > 0 {
            // SAFETY: the caller's promise; there is a pixel.
            unsafe {
                let [window] = self.walk.next::<1>();
                for b in 0..B {
                    let weights = self.weights.add(b * self.s.block());
                    let sums = alone(self.s, self.x.add(window), weights, self.bias.add(16 * b));
                    out.one::<ROUND>(sums, b, self.y);
                }
                self.pass(1);
            }
        }
    }

    /// Goes on by `count` pixels.
    ///
    /// # Safety
    /// There are so many.
    #[inline(always)]
    unsafe fn pass(&mut self, count: usize) {
        self.left -= count;
        // Past the last pixel nothing is read, so there the addresses may be any.
        self.bias = self.bias.wrapping_add(count * self.s.bias_step);
        self.y = self.y.wrapping_add(count * self.s.y_step);
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
    /// Four, eight or sixteen sums, of some pixels. With one block or four this is no loop: one that is not unrolled finds
    /// its sums in memory. With two blocks that takes no longer.
    ///
    /// # Safety
    /// The CPU has the instructions; `y` is where the first pixel's live outputs go, and within the outputs with all
    /// others.
    #[inline(always)]
    unsafe fn many<const ROUND: u8, const P: usize>(&self, sums: &[[__m512i; B]; P], y: *mut i8) {
        let sums = sums.as_flattened().as_chunks().0;
        let step = 4 / B * self.step;
        // SAFETY: the caller's promise.
        unsafe {
            self.four::<ROUND>(&sums[0], y);
            if P * B >= 8 {
                self.four::<ROUND>(&sums[1], y.add(step));
            }
            if P * B == 16 {
                self.four::<ROUND>(&sums[2], y.add(2 * step));
                self.four::<ROUND>(&sums[3], y.add(3 * step));
            }
        }
    }

    /// Four sums, those of each pixel side by side.
    ///
    /// # Safety
    /// As for [`Out::many`].
    #[inline(always)]
    unsafe fn four<const ROUND: u8>(&self, sums: &[__m512i; 4], to: *mut i8) {
        // SAFETY: the caller's promise.
        unsafe {
            let values = Factors::apply_all::<ROUND, B, 4>(&self.factors, self.requant, *sums);
            let bytes = self.narrow.four_in_order(values);
            if self.live == 16 * B && (B == 4 || self.step == 16 * B) {
                return _mm512_storeu_si512(to.cast(), bytes);
            }
            let parts = [
                _mm512_castsi512_si128(bytes),
                _mm512_extracti32x4_epi32::<1>(bytes),
                _mm512_extracti32x4_epi32::<2>(bytes),
                _mm512_extracti32x4_epi32::<3>(bytes),
            ];
            for (i, part) in parts.into_iter().enumerate() {
                put(part, self.live - 16 * (i % B), to.add(i / B * self.step + 16 * (i % B)));
            }
        }
    }

    /// Block `b` of one pixel.
    ///
    /// # Safety
    /// The CPU has the instructions; `y` is where the pixel's live outputs go.
    #[inline(always)]
    unsafe fn one<const ROUND: u8>(&self, sums: __m512i, b: usize, y: *mut i8) {
        // SAFETY: the caller's promise.
        unsafe {
            let values = self.factors[b].apply::<ROUND>(sums, &self.requant[b]);
            put(self.narrow.one(values), self.live - 16 * b, y.add(16 * b));
        }
    }
}

/// Stores the sixteen units of a block, or those that are live if there are less. A store under a mask takes as long as many
/// without.
///
/// # Safety
/// The CPU has the instructions; `y` is where the live outputs go.
#[inline(always)]
unsafe fn put(bytes: __m128i, live: usize, y: *mut i8) {
    // SAFETY: the caller's promise; a mask keeps to what is live.
    unsafe {
        if live >= 16 {
            _mm_storeu_si128(y.cast(), bytes);
        } else {
            _mm_mask_storeu_epi8(y, ((1u32 << live) - 1) as u16, bytes);
        }
    }
}

/// Sums of `P` pixels and `B` blocks.
///
/// # Safety
/// The CPU has the instructions. The window of pixel `p` begins at `window(p)` of the image `x`; it, weights and biases lie
/// within their slices as `s` tells.
#[inline(always)]
unsafe fn tile<const P: usize, const B: usize>(
    s: &Sixteens<'_>,
    x: *const i8,
    window: impl Fn(usize) -> usize,
    weights: *const i8,
    bias: *const i32,
) -> [[__m512i; B]; P] {
    // SAFETY: `B` blocks of weights lie on end; each run has `quads` fours of elements in every window.
    unsafe {
        let mut sums = [[_mm512_setzero_si512(); B]; P];
        for b in 0..B {
            for (p, sums) in sums.iter_mut().enumerate() {
                sums[b] = _mm512_loadu_si512(bias.add(p * s.bias_step + 16 * b).cast());
            }
        }
        let mut at = weights;
        for &run in s.runs {
            let mut x = x.add(run);
            for _ in 0..s.quads {
                let mut four = [_mm512_setzero_si512(); B];
                for b in 0..B {
                    four[b] = _mm512_loadu_si512(at.add(b * s.block()).cast());
                }
                for p in 0..P {
                    let elements = x.add(window(p)).cast::<i32>().read_unaligned();
                    let elements = _mm512_set1_epi32(elements);
                    for b in 0..B {
                        sums[p][b] = _mm512_dpbusd_epi32(sums[p][b], elements, four[b]);
                    }
                }
                (x, at) = (x.add(4), at.add(64));
            }
        }
        sums
    }
}

/// The same register, hidden from the compiler, which of one that it knows to come from memory loads each part anew.
#[inline]
#[target_feature(enable = "avx512f")]
fn hidden(mut x: __m512i) -> __m512i {
    // SAFETY: no instruction.
    unsafe { asm!("/* {0} */", inout(zmm_reg) x, options(pure, nomem, nostack, preserves_flags)) };
    x
}

/// Sums of one pixel and one block, [`TURNS`] of them in turn, for a sum waits for the one before.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn alone(s: &Sixteens<'_>, x: *const i8, weights: *const i8, bias: *const i32) -> __m512i {
    // SAFETY: as in `tile`.
    unsafe {
        let mut sums = [_mm512_setzero_si512(); TURNS];
        sums[0] = _mm512_loadu_si512(bias.cast());
        let mut at = weights;
        for &run in s.runs {
            let mut from = x.add(run);
            for _ in 0..s.quads / TURNS {
                let mut elements = [_mm512_setzero_si512(); TURNS];
                for (i, elements) in elements.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                    let sixteen = hidden(_mm512_broadcast_i32x4(_mm_loadu_si128(from.add(16 * i).cast())));
                    *elements = [
                        _mm512_shuffle_epi32::<_MM_PERM_AAAA>(sixteen),
                        _mm512_shuffle_epi32::<_MM_PERM_BBBB>(sixteen),
                        _mm512_shuffle_epi32::<_MM_PERM_CCCC>(sixteen),
                        _mm512_shuffle_epi32::<_MM_PERM_DDDD>(sixteen),
                    ];
                }
                for (i, sum) in sums.iter_mut().enumerate() {
                    let four = _mm512_loadu_si512(at.add(64 * i).cast());
                    _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(64 * i + AHEAD));
                    *sum = _mm512_dpbusd_epi32(*sum, elements[i], four);
                }
                (from, at) = (from.add(4 * TURNS), at.add(64 * TURNS));
            }
            for _ in 0..s.quads % TURNS {
                let elements = _mm512_set1_epi32(from.cast::<i32>().read_unaligned());
                sums[0] = _mm512_dpbusd_epi32(sums[0], elements, _mm512_loadu_si512(at.cast()));
                (from, at) = (from.add(4), at.add(64));
            }
        }
        let [a, b, c, d, e, f, g, h] = sums;
        let low = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
        let high = _mm512_add_epi32(_mm512_add_epi32(e, f), _mm512_add_epi32(g, h));
        _mm512_add_epi32(low, high)
    }
}
