//! Elementwise blocks: requantised stores and additions, sixteen elements at a time.

use super::super::rounding::{AWAY, TWICE};
use super::super::{FEW, whole};
use super::factors::{Factors, Narrow, Twice};
use crate::arch::fours;
use crate::arch::packed::{self, Linear};
use crate::arch::{Isa, Scalar, Store, Sum};
use crate::ir::Requant;
use core::arch::x86_64::*;

/// See [`Isa::store`].
#[target_feature(enable = "avx2")]
pub(in super::super) fn store(acc: &[i32], requant: &[Requant], store: Store, y: &mut [i8]) {
    let narrow = Narrow::new(store);
    let count = acc.len().min(requant.len()).min(y.len()) / 16 * 16;
    let factors = requant[..count].as_chunks::<8>().0.as_chunks::<2>().0;
    let sums = acc[..count].as_chunks::<16>().0;
    for ((acc, [a, b]), y) in sums.iter().zip(factors).zip(y[..count].as_chunks_mut::<16>().0) {
        // SAFETY: sixteen i32 are two registers, sixteen int8 half of one.
        unsafe {
            let sums = [acc.as_ptr(), acc.as_ptr().add(8)].map(|eight| _mm256_loadu_si256(eight.cast()));
            let factors = [Factors::new(a), Factors::new(b)];
            let [first, second] = match Factors::rounding(&factors, store) {
                TWICE => [factors[0].apply::<TWICE>(sums[0], a), factors[1].apply::<TWICE>(sums[1], b)],
                _ => [factors[0].apply::<AWAY>(sums[0], a), factors[1].apply::<AWAY>(sums[1], b)],
            };
            _mm_storeu_si128(y.as_mut_ptr().cast(), narrow.two(first, second));
        }
    }
    Scalar.store(&acc[count..], &requant[count..], store, &mut y[count..]);
}

/// See [`Isa::add`].
#[target_feature(enable = "avx2")]
pub(in super::super) fn add(y: &mut [i8], x: Option<&[i8]>, sum: &Sum) {
    let narrow = Narrow::new(sum.store);
    let factors = sum.operands.map(|q| Twice::repeated(q));
    let whole = Twice::repeated(sum.requant);
    let zeros = sum.zeros.map(|zero| _mm256_set1_epi32(zero.into()));
    let len = x.map_or(y.len(), |x| x.len().min(y.len()));
    let (chunks, rest) = y[..len].as_chunks_mut::<16>();
    let others = x.map(|x| x[..len].as_chunks::<16>());
    for (i, y) in chunks.iter_mut().enumerate() {
        // SAFETY: eight int8 are loaded from, sixteen stored to, arrays of sixteen.
        unsafe {
            let mut halves = [_mm256_setzero_si256(); 2];
            for (j, half) in halves.iter_mut().enumerate() {
                let held = _mm_loadl_epi64(y.as_ptr().add(8 * j).cast());
                let other = others.map_or(held, |(x, _)| _mm_loadl_epi64(x[i].as_ptr().add(8 * j).cast()));
                let mut acc = _mm256_setzero_si256();
                for (k, x) in [held, other].into_iter().enumerate() {
                    let less = _mm256_sub_epi32(_mm256_cvtepi8_epi32(x), zeros[k]);
                    acc = _mm256_add_epi32(acc, factors[k].apply(_mm256_slli_epi32::<20>(less)));
                }
                *half = whole.apply(acc);
            }
            _mm_storeu_si128(y.as_mut_ptr().cast(), narrow.two(halves[0], halves[1]));
        }
    }
    Scalar.add(rest, others.map(|(_, x)| x), sum);
}

/// See [`Isa::add_linear`]. With `a = 256 h + l`, `256 a x >> 16` is `h x + (l x >> 8)`.
#[target_feature(enable = "avx2")]
pub(in super::super) fn add_linear(y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
    let high = [linear.a, linear.b].map(|a| _mm256_set1_epi32(a >> 8));
    let low = [linear.a, linear.b].map(|a| _mm256_set1_epi32(a & 255));
    let narrow = Narrow::new(Store { zero: 0, clamp: crate::ir::Clamp::FULL });
    let len = x.map_or(y.len(), |x| x.len().min(y.len()));
    let (chunks, rest) = y[..len].as_chunks_mut::<16>();
    let others = x.map(|x| x[..len].as_chunks::<16>());
    for (i, y) in chunks.iter_mut().enumerate() {
        // SAFETY: eight int8 are loaded from, sixteen stored to, arrays of sixteen.
        unsafe {
            let mut halves = [_mm256_setzero_si256(); 2];
            for (j, half) in halves.iter_mut().enumerate() {
                let held = _mm_loadl_epi64(y.as_ptr().add(8 * j).cast());
                let other = others.map_or(held, |(x, _)| _mm_loadl_epi64(x[i].as_ptr().add(8 * j).cast()));
                let mut sum = _mm256_set1_epi32(linear.c);
                for (k, x) in [held, other].into_iter().enumerate() {
                    let x = _mm256_cvtepi8_epi32(x);
                    let fine = _mm256_srai_epi32::<8>(_mm256_mullo_epi32(x, low[k]));
                    sum = _mm256_add_epi32(sum, _mm256_add_epi32(fine, _mm256_mullo_epi32(x, high[k])));
                }
                *half = _mm256_srai_epi32::<21>(sum);
            }
            _mm_storeu_si128(y.as_mut_ptr().cast(), narrow.two(halves[0], halves[1]));
        }
    }
    packed::add_linear(rest, others.map(|(_, x)| x), linear);
}

/// See [`Isa::sum_row`].
#[target_feature(enable = "avx2")]
pub(in super::super) fn sum_row(acc: &mut [i32], x: &[i8], step: usize, count: usize) {
    if !whole(acc, x, step, count) {
        return Scalar.sum_row(acc, x, step, count);
    }
    for first in (0..count).step_by(FEW) {
        // SAFETY: `whole` says that 32 elements of each tap and 32 sums lie within.
        unsafe {
            let mut sums = [_mm256_setzero_si256(); 2];
            for tap in first..count.min(first + FEW) {
                for (i, sum) in sums.iter_mut().enumerate() {
                    let tap = _mm_loadu_si128(x.as_ptr().add(tap * step + 16 * i).cast());
                    *sum = _mm256_add_epi16(*sum, _mm256_cvtepi8_epi16(tap));
                }
            }
            for (i, sum) in sums.into_iter().enumerate() {
                let halves = [_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum)];
                for (j, half) in halves.into_iter().enumerate() {
                    let acc = acc.as_mut_ptr().add(16 * i + 8 * j).cast();
                    let more = _mm256_cvtepi16_epi32(half);
                    _mm256_storeu_si256(acc, _mm256_add_epi32(_mm256_loadu_si256(acc), more));
                }
            }
        }
    }
}

/// See [`Isa::lay`]: the portable body in wider registers.
#[target_feature(enable = "avx2")]
pub(in super::super) fn lay(x: &[i8], row: usize, to: &mut [i8], pitch: usize, border: i8) {
    fours::lay(x, row, to, pitch, border, 0);
}
