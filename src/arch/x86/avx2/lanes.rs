//! Depthwise convolution, 32 lanes at a time: the bytes of four taps are interleaved, so that a lane's four elements
//! meet its four weights.

use super::super::rounding::{AWAY, HIDDEN, TWICE};
use super::dot::dot;
use super::factors::{Factors, Narrow};
use crate::arch::fours::Lanes;
use crate::ir::Requant;
use core::arch::x86_64::*;

/// All pixels and channels.
///
/// # Safety
/// `l.fits(x.len(), y.len())`.
#[target_feature(enable = "avx2")]
pub(in super::super) unsafe fn lanes(l: &Lanes<'_>, x: &[i8], y: &mut [i8]) {
    debug_assert!(l.fits(x.len(), y.len()));
    let kinds = if l.repeated { 1 } else { l.blocks() };
    for place in 0..kinds {
        for half in 0..2 {
            // Every other eight factors of the block.
            let all = &l.requant.as_chunks::<8>().0[8 * place..];
            let requant = [&all[half], &all[2 + half], &all[4 + half], &all[6 + half]];
            let part = Part { place, half, requant, factors: requant.map(|q| Factors::new(q)) };
            // SAFETY: the caller's promise; places stay below their number.
            unsafe {
                match Factors::rounding(&part.factors, l.store) {
                    HIDDEN => blocks::<HIDDEN>(l, &part, x, y),
                    AWAY => blocks::<AWAY>(l, &part, x, y),
                    _ => blocks::<TWICE>(l, &part, x, y),
                }
            }
        }
    }
}

/// Half of the lanes of blocks that share weights.
struct Part<'a> {
    /// Where their weights are.
    place: usize,
    /// 0 for the first half of the channels, 1 for the second.
    half: usize,
    requant: [&'a [Requant; 8]; 4],
    factors: [Factors; 4],
}

/// The blocks that have the weights at `part.place`, the half of their lanes.
///
/// # Safety
/// As for [`lanes`], and there is such a place.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn blocks<const ROUND: u8>(l: &Lanes<'_>, part: &Part<'_>, x: &[i8], y: &mut [i8]) {
    let narrow = Narrow::new(l.store);
    let (place, half) = (part.place, part.half);
    let blocks = if l.repeated { 0..l.blocks() } else { place..place + 1 };
    // SAFETY: `fits` holds, so all weights of a block, 64 bytes of every tap of every block of every pixel, and all
    // outputs lie within; the biases of a half are every other eight.
    unsafe {
        let weights = l.weights.as_ptr().add(place * l.block() + 32 * half);
        let bias = l.bias.as_ptr().add(64 * place + 8 * half);
        let mut to = y.as_mut_ptr();
        for row in 0..l.grid[0] {
            for column in 0..l.grid[1] {
                let window = x.as_ptr().add(row * l.steps[0] + column * l.steps[1]);
                for block in blocks.clone() {
                    let channel = 64 * block + 32 * half;
                    if channel >= l.channels {
                        continue;
                    }
                    let mut values = window_sums(l.taps, window.add(channel), weights, bias);
                    for (i, value) in values.iter_mut().enumerate() {
                        *value = part.factors[i].apply::<ROUND>(*value, part.requant[i]);
                    }
                    let (bytes, live) = (narrow.four(values), l.channels - channel);
                    if live >= 32 {
                        _mm256_storeu_si256(to.add(channel).cast(), bytes);
                    } else {
                        let mut all = [0i8; 32];
                        _mm256_storeu_si256(all.as_mut_ptr().cast(), bytes);
                        to.add(channel).copy_from_nonoverlapping(all.as_ptr(), live);
                    }
                }
                to = to.add(l.channels);
            }
        }
    }
}

/// The sums of half a block.
///
/// # Safety
/// 32 bytes may be read at every tap of `x`, and at every 64th of weights, four times for each four taps; eight biases at
/// every sixteenth.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn window_sums(taps: &[usize], x: *const i8, weights: *const i8, bias: *const i32) -> [__m256i; 4] {
    let mut sums = [_mm256_setzero_si256(); 4];
    // SAFETY: the caller's promise.
    unsafe {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm256_loadu_si256(bias.add(16 * i).cast());
        }
        for (quad, &[a, b, c, d]) in taps.as_chunks::<4>().0.iter().enumerate() {
            let (a, b) = (_mm256_loadu_si256(x.add(a).cast()), _mm256_loadu_si256(x.add(b).cast()));
            let (c, d) = (_mm256_loadu_si256(x.add(c).cast()), _mm256_loadu_si256(x.add(d).cast()));
            let (ab, cd) = (_mm256_unpacklo_epi8(a, b), _mm256_unpacklo_epi8(c, d));
            let (ab_high, cd_high) = (_mm256_unpackhi_epi8(a, b), _mm256_unpackhi_epi8(c, d));
            let elements = [
                _mm256_unpacklo_epi16(ab, cd),
                _mm256_unpackhi_epi16(ab, cd),
                _mm256_unpacklo_epi16(ab_high, cd_high),
                _mm256_unpackhi_epi16(ab_high, cd_high),
            ];
            for i in 0..4 {
                let four = _mm256_loadu_si256(weights.add(256 * quad + 64 * i).cast());
                sums[i] = dot(sums[i], elements[i], four);
            }
        }
    }
    sums
}
