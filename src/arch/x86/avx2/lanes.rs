//! Depthwise convolution, sixteen lanes at a time: the bytes of four taps are interleaved, so that a lane's four
//! elements meet its four weights.

use super::factors::{Factors, Narrow, joined};
use crate::arch::fours::Lanes;
use core::arch::x86_64::*;

/// All pixels and channels.
///
/// # Safety
/// `l.fits(x.len(), y.len())`.
#[target_feature(enable = "avx2")]
pub(in super::super) unsafe fn lanes(l: &Lanes<'_>, x: &[i8], y: &mut [i8]) {
    let narrow = Narrow::new(l.store);
    for part in 0..l.channels.div_ceil(16) {
        let (first_weight, bias, requant) = l.sixteen(part);
        let [first, second] = requant.as_chunks::<8>().0 else { return };
        let factors = [Factors::new(first), Factors::new(second)];
        let live = 16.min(l.channels - 16 * part);
        let mut outputs = y.chunks_exact_mut(l.channels);
        for row in 0..l.grid[0] {
            for column in 0..l.grid[1] {
                let Some(to) = outputs.next() else { return };
                let window = row * l.steps[0] + column * l.steps[1] + 16 * part;
                // SAFETY: `fits` holds, so sixteen bytes of every tap lie within the image, and 256 bytes of weights
                // of each four taps within the block's; sixteen biases are two registers.
                let bytes = unsafe {
                    let weights = l.weights.as_ptr().add(first_weight);
                    let [a, b] = window_sums(l.taps, x.as_ptr().add(window), weights);
                    let a = _mm256_add_epi32(a, _mm256_loadu_si256(bias.as_ptr().cast()));
                    let b = _mm256_add_epi32(b, _mm256_loadu_si256(bias.as_ptr().add(8).cast()));
                    let mut bytes = [0i8; 16];
                    let values = narrow.two(factors[0].apply(a), factors[1].apply(b));
                    _mm_storeu_si128(bytes.as_mut_ptr().cast(), values);
                    bytes
                };
                let to = &mut to[16 * part..][..live];
                match to.first_chunk_mut::<16>() {
                    Some(to) => *to = bytes,
                    None => to.copy_from_slice(&bytes[..live]),
                }
            }
        }
    }
}

/// The sums of sixteen channels, in order, without bias.
///
/// # Safety
/// Sixteen bytes may be read at every tap of `x`, and at every 64th of weights, four times for each four taps.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn window_sums(taps: &[usize], x: *const i8, weights: *const i8) -> [__m256i; 2] {
    let mut sums = [_mm256_setzero_si256(); 4];
    for (quad, &[a, b, c, d]) in taps.as_chunks::<4>().0.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe {
            let (a, b) = (_mm_loadu_si128(x.add(a).cast()), _mm_loadu_si128(x.add(b).cast()));
            let (c, d) = (_mm_loadu_si128(x.add(c).cast()), _mm_loadu_si128(x.add(d).cast()));
            let (ab, cd) = (_mm_unpacklo_epi8(a, b), _mm_unpacklo_epi8(c, d));
            let (ab_high, cd_high) = (_mm_unpackhi_epi8(a, b), _mm_unpackhi_epi8(c, d));
            let elements = [
                _mm_unpacklo_epi16(ab, cd),
                _mm_unpackhi_epi16(ab, cd),
                _mm_unpacklo_epi16(ab_high, cd_high),
                _mm_unpackhi_epi16(ab_high, cd_high),
            ];
            for i in 0..4 {
                let four = _mm_loadu_si128(weights.add(256 * quad + 64 * i).cast());
                let products =
                    _mm256_madd_epi16(_mm256_cvtepi8_epi16(elements[i]), _mm256_cvtepi8_epi16(four));
                sums[i] = _mm256_add_epi32(sums[i], products);
            }
        }
    }
    joined(sums)
}
