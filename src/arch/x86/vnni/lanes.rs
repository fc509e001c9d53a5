//! Depthwise convolution, 64 lanes at a time: the bytes of four taps are interleaved, so that a lane's four elements
//! meet its four weights in one instruction.

use super::super::rounding::{AWAY, HIDDEN, TWICE};
use super::factors::{Factors, Narrow};
use crate::arch::fours::Lanes;
use crate::ir::Requant;
use core::arch::x86_64::*;

/// All pixels and channels.
///
/// # Safety
/// `l.fits(x.len(), y.len())`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in super::super) unsafe fn lanes(l: &Lanes<'_>, x: &[i8], y: &mut [i8]) {
    debug_assert!(l.fits(x.len(), y.len()));
    let kinds = if l.repeated { 1 } else { l.blocks() };
    for place in 0..kinds {
        let Some(requant) = l.requant.as_chunks::<16>().0[4 * place..].first_chunk::<4>() else { return };
        let factors = parts(requant);
        // SAFETY: the caller's promise; places stay below their number.
        unsafe {
            match Factors::rounding(&factors, l.store) {
                HIDDEN => blocks::<HIDDEN>(l, place, (requant, &factors), x, y),
                AWAY => blocks::<AWAY>(l, place, (requant, &factors), x, y),
                _ => blocks::<TWICE>(l, place, (requant, &factors), x, y),
            }
        }
    }
}

/// The blocks that have the weights at `place`.
///
/// # Safety
/// As for [`lanes`], and there is such a place.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn blocks<const ROUND: u8>(
    l: &Lanes<'_>,
    place: usize,
    (requant, factors): (&[[Requant; 16]; 4], &[Factors; 4]),
    x: &[i8],
    y: &mut [i8],
) {
    let narrow = Narrow::new(l.store);
    let blocks = if l.repeated { 0..l.blocks() } else { place..place + 1 };
    // SAFETY: `fits` holds, so all weights of a block, 64 bytes of every tap of every block of every pixel, and all
    // outputs lie within; a mask keeps outputs to live lanes.
    unsafe {
        let weights = l.weights.as_ptr().add(place * l.block());
        let bias = l.bias.as_ptr().add(64 * place);
        let mut to = y.as_mut_ptr();
        for row in 0..l.grid[0] {
            for column in 0..l.grid[1] {
                let window = x.as_ptr().add(row * l.steps[0] + column * l.steps[1]);
                for block in blocks.clone() {
                    let mut values = window_sums(l.taps, window.add(64 * block), weights, bias);
                    for (i, value) in values.iter_mut().enumerate() {
                        *value = factors[i].apply::<ROUND>(*value, &requant[i]);
                    }
                    let live = (l.channels - 64 * block).min(64);
                    let bytes = narrow.four(values);
                    if live == 64 {
                        _mm512_storeu_si512(to.add(64 * block).cast(), bytes);
                    } else {
                        _mm512_mask_storeu_epi8(to.add(64 * block), u64::MAX >> (64 - live), bytes);
                    }
                }
                to = to.add(l.channels);
            }
        }
    }
}

/// Factors of the four parts of a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn parts(requant: &[[Requant; 16]; 4]) -> [Factors; 4] {
    let [a, b, c, d] = requant;
    [Factors::new(a), Factors::new(b), Factors::new(c), Factors::new(d)]
}

/// The sums of a block.
///
/// # Safety
/// 64 bytes may be read at every tap of `x`, 256 of weights for each four of them, 64 biases.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn window_sums(taps: &[usize], x: *const i8, weights: *const i8, bias: *const i32) -> [__m512i; 4] {
    let mut sums = [_mm512_setzero_si512(); 4];
    // SAFETY: the caller's promise.
    unsafe {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_loadu_si512(bias.add(16 * i).cast());
        }
        for (quad, &[a, b, c, d]) in taps.as_chunks::<4>().0.iter().enumerate() {
            let (a, b) = (_mm512_loadu_si512(x.add(a).cast()), _mm512_loadu_si512(x.add(b).cast()));
            let (c, d) = (_mm512_loadu_si512(x.add(c).cast()), _mm512_loadu_si512(x.add(d).cast()));
            let (ab, cd) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
            let (ab_high, cd_high) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
            let elements = [
                _mm512_unpacklo_epi16(ab, cd),
                _mm512_unpackhi_epi16(ab, cd),
                _mm512_unpacklo_epi16(ab_high, cd_high),
                _mm512_unpackhi_epi16(ab_high, cd_high),
            ];
            for i in 0..4 {
                let four = _mm512_loadu_si512(weights.add(256 * quad + 64 * i).cast());
                sums[i] = _mm512_dpbusd_epi32(sums[i], elements[i], four);
            }
        }
    }
    sums
}
