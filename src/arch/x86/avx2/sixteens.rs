//! Convolution and matrix times vector: tiles of `P` pixels times sixteen units. A register holds four units, each with
//! the sum over elements 0 and 1 of a four and that over 2 and 3.

use super::factors::{Factors, Narrow, joined};
use crate::arch::fours::Sixteens;
use core::arch::x86_64::*;

/// All pixels and units.
///
/// # Safety
/// `s.fits(x.len(), y.len())`.
#[target_feature(enable = "avx2")]
pub(in super::super) unsafe fn sixteens(s: &Sixteens<'_>, x: &[i8], y: &mut [i8]) {
    let count = s.grid[0] * s.grid[1];
    for block in 0..s.units.div_ceil(16) {
        let mut pixel = 0;
        // SAFETY: the caller's promise; pixels stay below their number.
        unsafe {
            while pixel + 2 <= count {
                tile::<2>(s, block, pixel, x, y);
                pixel += 2;
            }
            if pixel < count {
                tile::<1>(s, block, pixel, x, y);
            }
        }
    }
}

/// A block of `P` pixels.
///
/// # Safety
/// `s.fits(x.len(), y.len())`, and there is such a block and such pixels.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn tile<const P: usize>(s: &Sixteens<'_>, block: usize, pixel: usize, x: &[i8], y: &mut [i8]) {
    let Some(requant) = s.requant.as_chunks::<8>().0[2 * block..].first_chunk::<2>() else { return };
    let mut sums = [[_mm256_setzero_si256(); 4]; P];
    let mut windows = [x.as_ptr(); P];
    for (p, window) in windows.iter_mut().enumerate() {
        let (row, column) = ((pixel + p) / s.grid[1], (pixel + p) % s.grid[1]);
        // SAFETY: windows of pixels in the grid lie within the image.
        *window = unsafe { window.add(row * s.steps[0] + column * s.steps[1]) };
    }
    // SAFETY: `fits` holds: a block has 64 bytes of weights for each four of a run, and each run as many fours in the
    // image.
    unsafe {
        let mut weights = s.weights.as_ptr().add(block * s.block());
        for &run in s.runs {
            for quad in 0..s.quads {
                let mut elements = [_mm256_setzero_si256(); P];
                for p in 0..P {
                    let four = windows[p].add(run + 4 * quad).cast::<i32>().read_unaligned();
                    elements[p] = _mm256_cvtepi8_epi16(_mm_set1_epi32(four));
                }
                for i in 0..4 {
                    let four = _mm256_cvtepi8_epi16(_mm_loadu_si128(weights.add(16 * i).cast()));
                    for p in 0..P {
                        let products = _mm256_madd_epi16(elements[p], four);
                        sums[p][i] = _mm256_add_epi32(sums[p][i], products);
                    }
                }
                weights = weights.add(64);
            }
        }
    }
    let (factors, narrow) = ([Factors::new(&requant[0]), Factors::new(&requant[1])], Narrow::new(s.store));
    let live = 16.min(s.units - 16 * block);
    for (p, sums) in sums.iter().enumerate() {
        let bias = &s.bias[(pixel + p) * s.bias_step + 16 * block..][..16];
        let [a, b] = joined(*sums);
        // SAFETY: sixteen biases are two registers; sixteen int8 are half of one.
        let bytes = unsafe {
            let a = _mm256_add_epi32(a, _mm256_loadu_si256(bias.as_ptr().cast()));
            let b = _mm256_add_epi32(b, _mm256_loadu_si256(bias.as_ptr().add(8).cast()));
            let mut bytes = [0i8; 16];
            let values = narrow.two(factors[0].apply(a), factors[1].apply(b));
            _mm_storeu_si128(bytes.as_mut_ptr().cast(), values);
            bytes
        };
        let to = &mut y[(pixel + p) * s.y_step + 16 * block..][..live];
        match to.first_chunk_mut::<16>() {
            Some(to) => *to = bytes,
            None => to.copy_from_slice(&bytes[..live]),
        }
    }
}
