//! The greatest of each window: 32, 16, 8 or 4 channels stay in a register for all its taps.

use crate::arch::pool::View;
use core::arch::x86_64::*;

/// See [`Isa::max_window`](crate::arch::Isa::max_window).
#[target_feature(enable = "avx2")]
pub(in super::super) fn max_window(y: &mut [i8], view: &View<'_>) {
    let channels = view.channels;
    let mut channel = 0;
    while channel < channels {
        let left = channels - channel;
        let width = match channels {
            32.. if left > 16 => 32,
            16.. if left > 8 => 16,
            8.. if left > 4 => 8,
            4.. => 4,
            _ => 1,
        };
        // What is left over is computed with some of those before once more.
        let from = channel.min(channels - width);
        match width {
            32 => block::<32>(y, view, from),
            16 => block::<16>(y, view, from),
            8 => block::<8>(y, view, from),
            4 => block::<4>(y, view, from),
            _ => block::<1>(y, view, from),
        }
        channel += width;
    }
}

/// `N` channels of every pixel, from `channel` on; 32 at most.
#[inline]
#[target_feature(enable = "avx2")]
fn block<const N: usize>(y: &mut [i8], view: &View<'_>, channel: usize) {
    let &View { x, taps: [rows, columns], steps: [down, beside], .. } = view;
    for (from, to) in view.each() {
        let mut greatest = _mm256_set1_epi8(i8::MIN);
        let mut first = from + channel;
        for _ in 0..rows {
            let mut at = first;
            for _ in 0..columns {
                if let Some(x) = x.get(at..).and_then(|x| x.first_chunk::<N>()) {
                    greatest = _mm256_max_epi8(greatest, load(x));
                }
                at += beside;
            }
            first += down;
        }
        if let Some(y) = y.get_mut(to + channel..).and_then(|y| y.first_chunk_mut::<N>()) {
            store(greatest, y);
        }
    }
}

/// Elements in the first lanes, zeros behind.
#[inline]
#[target_feature(enable = "avx2")]
fn load<const N: usize>(x: &[i8; N]) -> __m256i {
    let mut lanes = [0; 32];
    lanes[..N].copy_from_slice(x);
    // SAFETY: there are 32 bytes.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}

/// The first lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn store<const N: usize>(lanes: __m256i, y: &mut [i8; N]) {
    let mut all = [0; 32];
    // SAFETY: there are 32 bytes.
    unsafe { _mm256_storeu_si256(all.as_mut_ptr().cast(), lanes) };
    y.copy_from_slice(&all[..N]);
}
