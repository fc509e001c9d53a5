//! Depthwise convolution by three by three taps, two rows of outputs at once: of a column of four pixels, interleaved, the
//! output above sees the first three and the output below the last three, so that one register serves both.
//!
//! Tricks:
//! 1. Weights have no fourth tap, so those of the output below are the same, one byte further on.
//! 2. Columns stay in registers as the window moves on.
//! 3. Half of the lanes of all outputs are done after the other half: then weights and factors stay in registers too. The
//!    bytes of the first half are kept to be joined with the others.

use super::factors::Factors;
use super::lanes::{Block, put};
use crate::arch::fours::Lanes;
use crate::ir::Requant;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

/// The most outputs in two rows.
const MOST: usize = 256;

/// Bytes of halves of outputs, a register for the one above and the one below.
#[repr(C, align(64))]
struct Kept([i8; 32 * MOST]);

/// Whether a block can be done so.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn fits(block: &Block<'_>) -> bool {
    let l = block.l;
    if !l.stacks() || l.grid[0] < 2 || 2 * l.grid[1] > MOST {
        return false;
    }
    let mut all = _mm512_setzero_si512();
    for four in block.weights().as_chunks::<64>().0 {
        // SAFETY: 64 bytes are one register.
        all = _mm512_or_si512(all, unsafe { _mm512_loadu_si512(four.as_ptr().cast()) });
    }
    _mm512_cmplt_epu32_mask(all, _mm512_set1_epi32(1 << 24)) == 0xffff
}

/// All outputs of a block.
///
/// # Safety
/// The CPU has the instructions, `l.fits(x.len(), y.len())`, and [`fits`].
#[inline(always)]
pub(super) unsafe fn stacked<const ROUND: u8>(block: &Block<'_>, x: &[i8], y: &mut [i8]) {
    let l = block.l;
    let [rows, width] = l.grid;
    let most = MOST / width / 2 * 2;
    let mut kept = MaybeUninit::<Kept>::uninit();
    let kept = kept.as_mut_ptr().cast();
    // SAFETY: `Lanes::fits` holds, so 64 bytes of every tap of every pixel, and all outputs lie within; there is room for
    // the outputs of `most` rows.
    unsafe {
        let mut row = 0;
        while row < rows {
            let some = most.min(rows - row);
            let at = At {
                x: x.as_ptr().add(row * l.steps[0] + 64 * block.place),
                y: y.as_mut_ptr().add(row * width * l.channels + 64 * block.place),
                kept,
                rows: some,
            };
            half::<ROUND, 0>(block, &at);
            half::<ROUND, 1>(block, &at);
            row += some;
        }
    }
}

/// Some rows of outputs.
struct At {
    /// The window of the first one.
    x: *const i8,
    /// Where the first one goes.
    y: *mut i8,
    /// Where halves are kept.
    kept: *mut i8,
    /// How many rows.
    rows: usize,
}

/// Half `H` of the lanes of some rows of outputs.
///
/// # Safety
/// The CPU has the instructions; windows, outputs and what is kept lie within.
#[inline(always)]
unsafe fn half<const ROUND: u8, const H: usize>(block: &Block<'_>, at: &At) {
    let l = block.l;
    let width = l.grid[1];
    let mut kept = at.kept;
    // SAFETY: the caller's promise. A last row that is alone reads its first pixels in place of those below its window.
    unsafe {
        let Some(half) = Half::<H>::new(block) else { return };
        for row in (0..at.rows).step_by(2) {
            let x = at.x.add(row * l.steps[0] + l.taps[0]);
            let alone = row + 1 == at.rows;
            let fourth = if alone { x } else { x.add(3 * l.steps[0]) };
            let mut run = Run {
                pixels: [x, x.add(l.steps[0]), x.add(2 * l.steps[0]), fourth],
                y: at.y.add(row * width * l.channels),
                below: if alone { 0 } else { width * l.channels },
                kept,
                seen: [[_mm512_setzero_si512(); 2]; 2],
            };
            run.seen = [run.column::<H>(l), run.column::<H>(l)];
            for _ in 0..width {
                half.output::<ROUND>(block, &mut run);
            }
            kept = run.kept;
        }
    }
}

/// Where two rows of outputs are.
struct Run {
    /// The next pixels of the four rows.
    pixels: [*const i8; 4],
    /// Where the next output of the row above goes.
    y: *mut i8,
    /// Bytes to the one below; 0 where there is none.
    below: usize,
    /// Where its half is kept.
    kept: *mut i8,
    /// Columns that the next outputs see, but for the last one.
    seen: [[__m512i; 2]; 2],
}

impl Run {
    /// Reads half `H` of the next column, so that each lane has its four elements.
    ///
    /// # Safety
    /// The CPU has the instructions; 64 bytes may be read of each pixel.
    #[inline(always)]
    unsafe fn column<const H: usize>(&mut self, l: &Lanes<'_>) -> [__m512i; 2] {
        // SAFETY: the caller's promise; past the last pixel nothing is read, so there the addresses may be any.
        unsafe {
            let mut all = [_mm512_setzero_si512(); 4];
            for (pixel, from) in all.iter_mut().zip(&mut self.pixels) {
                *pixel = _mm512_loadu_si512(from.cast());
                *from = from.wrapping_add(l.channels);
            }
            let [a, b, c, d] = all;
            let (ab, cd) = match H {
                0 => (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d)),
                _ => (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d)),
            };
            [_mm512_unpacklo_epi16(ab, cd), _mm512_unpackhi_epi16(ab, cd)]
        }
    }
}

/// What half `H` of the lanes of a block has in common.
struct Half<'a, const H: usize> {
    /// Weights of outputs above, and of those below: `[column][part]`.
    weights: [[[__m512i; 2]; 3]; 2],
    bias: [__m512i; 2],
    requant: &'a [[Requant; 16]; 2],
    factors: [Factors; 2],
}

impl<'a, const H: usize> Half<'a, H> {
    /// # Safety
    /// The CPU has the instructions.
    #[inline(always)]
    unsafe fn new(block: &Block<'a>) -> Option<Self> {
        let weights = block.weights().first_chunk::<{ 3 * 256 }>()?;
        let bias = block.bias().first_chunk::<64>()?;
        // SAFETY: the caller's promise; all places lie within these.
        unsafe {
            let mut above = [[_mm512_setzero_si512(); 2]; 3];
            for (column, parts) in above.iter_mut().enumerate() {
                for (part, four) in parts.iter_mut().enumerate() {
                    *four =
                        _mm512_loadu_si512(weights.as_ptr().add(256 * column + 128 * H + 64 * part).cast());
                }
            }
            let mut below = above;
            for four in below.as_flattened_mut() {
                *four = _mm512_slli_epi32::<8>(*four);
            }
            let bias = bias.as_ptr().add(32 * H);
            Some(Self {
                weights: [above, below],
                bias: [_mm512_loadu_si512(bias.cast()), _mm512_loadu_si512(bias.add(16).cast())],
                requant: block.requant[2 * H..].first_chunk()?,
                factors: *block.factors[2 * H..].first_chunk()?,
            })
        }
    }

    /// The next output of both rows: sums of `[row][part]`.
    ///
    /// # Safety
    /// The CPU has the instructions; windows, outputs and what is kept lie within.
    #[inline(always)]
    unsafe fn output<const ROUND: u8>(&self, block: &Block<'_>, run: &mut Run) {
        let l = block.l;
        // SAFETY: the caller's promise.
        unsafe {
            let [first, second] = run.seen;
            let seen = [first, second, run.column::<H>(l)];
            run.seen = [second, seen[2]];
            let mut sums = [self.bias[0], self.bias[1], self.bias[0], self.bias[1]];
            for column in 0..3 {
                for i in 0..4 {
                    sums[i] =
                        _mm512_dpbusd_epi32(sums[i], seen[column][i % 2], self.weights[i / 2][column][i % 2]);
                }
            }
            let bytes =
                block.narrow.four(Factors::apply_all::<ROUND, 2, 4>(&self.factors, self.requant, sums));
            if H == 0 {
                _mm512_store_si512(run.kept.cast(), bytes);
            } else {
                let (first, live) = (_mm512_load_si512(run.kept.cast()), l.channels - 64 * block.place);
                put(_mm512_unpacklo_epi64(first, bytes), live, run.y);
                if run.below > 0 {
                    put(_mm512_unpackhi_epi64(first, bytes), live, run.y.add(run.below));
                }
            }
            (run.kept, run.y) = (run.kept.wrapping_add(64), run.y.wrapping_add(l.channels));
        }
    }
}
