//! Depthwise convolution, 64 lanes at a time: the bytes of four taps are interleaved, so that a lane's four elements
//! meet its four weights in one instruction. Where taps lie in columns, a column is interleaved once for all outputs of a
//! row that see it.

use super::super::rounding::{AWAY, HIDDEN, TWICE};
use super::factors::{Factors, Narrow};
use crate::arch::fours::Lanes;
use crate::ir::{FourTaps, Requant};
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

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
    let (neighbours, quads) = (l.neighbours(), l.taps.len() / 4);
    let step = 256 * l.column_step * l.column();
    let mut held = MaybeUninit::<Held>::uninit();
    let held = held.as_mut_ptr().cast::<i8>();
    // SAFETY: `fits` holds, so all weights of a block, 64 bytes of every tap of every block of every pixel, and all
    // outputs lie within; a mask keeps outputs to live lanes. `held` has room for what as many outputs see as there are
    // `neighbours`.
    unsafe {
        let weights = l.weights.as_ptr().add(place * l.block());
        let bias = l.bias.as_ptr().add(64 * place);
        let put = |mut values: [__m512i; 4], channel: usize, to: *mut i8| {
            for (i, value) in values.iter_mut().enumerate() {
                *value = factors[i].apply::<ROUND>(*value, &requant[i]);
            }
            let (bytes, live) = (narrow.four(values), l.channels - channel);
            if live >= 64 {
                _mm512_storeu_si512(to.add(channel).cast(), bytes);
            } else {
                _mm512_mask_storeu_epi8(to.add(channel), u64::MAX >> (64 - live), bytes);
            }
        };
        let mut to = y.as_mut_ptr();
        for row in 0..l.grid[0] {
            let mut column = 0;
            while column < l.grid[1] {
                let window = x.as_ptr().add(row * l.steps[0] + column * l.steps[1]);
                if neighbours == 0 {
                    for block in blocks.clone() {
                        let sums = window_sums(l.taps, window.add(64 * block), weights, bias);
                        put(sums, 64 * block, to);
                    }
                    (column, to) = (column + 1, to.add(l.channels));
                    continue;
                }
                let some = neighbours.min(l.grid[1] - column);
                hold(l, window.add(64 * place), l.seen(some), held);
                for output in 0..some {
                    let first = held.add(output * step);
                    // Of a kernel of three by three, the loop over fours is unrolled.
                    let sums = if quads == 3 {
                        held_sums(first, 3, weights, bias)
                    } else {
                        held_sums(first, quads, weights, bias)
                    };
                    put(sums, 64 * place, to);
                    to = to.add(l.channels);
                }
                column += some;
            }
        }
    }
}

/// Interleaved fours of taps, four registers each.
#[repr(C, align(64))]
struct Held([i8; 256 * FourTaps::COLUMNS]);

/// Interleaves the taps of columns of a kernel, one for each of so many pixels.
///
/// # Safety
/// 64 bytes may be read at the taps of a column of each pixel from `x` on; there is room for all.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn hold(l: &Lanes<'_>, x: *const i8, pixels: usize, held: *mut i8) {
    let column = &l.taps.as_chunks::<4>().0[..l.column()];
    // SAFETY: the caller's promise.
    unsafe {
        let mut to = held;
        for pixel in 0..pixels {
            let x = x.add(pixel * l.channels);
            for taps in column {
                for (i, elements) in interleaved(taps, x).into_iter().enumerate() {
                    _mm512_store_si512(to.add(64 * i).cast(), elements);
                }
                to = to.add(256);
            }
        }
    }
}

/// The sums of a block over so many fours of taps that are held.
///
/// # Safety
/// The CPU has the instructions; so many fours are held from `first` on, 256 bytes of weights may be read for each, and 64
/// biases.
#[inline(always)]
unsafe fn held_sums(first: *const i8, quads: usize, weights: *const i8, bias: *const i32) -> [__m512i; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [_mm512_setzero_si512(); 4];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_loadu_si512(bias.add(16 * i).cast());
        }
        for quad in 0..quads {
            for (i, sum) in sums.iter_mut().enumerate() {
                let at = 256 * quad + 64 * i;
                let elements = _mm512_load_si512(first.add(at).cast());
                *sum = _mm512_dpbusd_epi32(*sum, elements, _mm512_loadu_si512(weights.add(at).cast()));
            }
        }
        sums
    }
}

/// The bytes of four taps, so that each lane has its four elements.
///
/// # Safety
/// 64 bytes may be read at every tap of `x`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn interleaved(taps: &[usize; 4], x: *const i8) -> [__m512i; 4] {
    // SAFETY: the caller's promise.
    let [a, b, c, d] = unsafe { taps.map(|tap| _mm512_loadu_si512(x.add(tap).cast())) };
    let (ab, cd) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
    let (ab_high, cd_high) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
    [
        _mm512_unpacklo_epi16(ab, cd),
        _mm512_unpackhi_epi16(ab, cd),
        _mm512_unpacklo_epi16(ab_high, cd_high),
        _mm512_unpackhi_epi16(ab_high, cd_high),
    ]
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
        for (quad, taps) in taps.as_chunks::<4>().0.iter().enumerate() {
            let elements = interleaved(taps, x);
            for i in 0..4 {
                let four = _mm512_loadu_si512(weights.add(256 * quad + 64 * i).cast());
                sums[i] = _mm512_dpbusd_epi32(sums[i], elements[i], four);
            }
        }
    }
    sums
}
