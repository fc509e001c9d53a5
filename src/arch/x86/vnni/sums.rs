//! Elementwise blocks: requantised stores and additions, sixteen elements at a time.

use super::super::rounding::{AWAY, FAR, TWICE};
use super::super::{FEW, whole};
use super::factors::{Factors, Narrow};
use crate::arch::fours;
use crate::arch::packed::{self, Linear};
use crate::arch::{Isa, Scalar, Store, Sum};
use crate::ir::Requant;
use core::arch::x86_64::*;

/// See [`Isa::store`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in super::super) fn store(acc: &[i32], requant: &[Requant], store: Store, y: &mut [i8]) {
    let narrow = Narrow::new(store);
    let count = acc.len().min(requant.len()).min(y.len());
    let ((acc, last), (requant, last_requant)) =
        (acc[..count].as_chunks::<16>(), requant[..count].as_chunks::<16>());
    let (y, last_y) = y[..count].as_chunks_mut::<16>();
    for ((acc, requant), y) in acc.iter().zip(requant).zip(y) {
        // SAFETY: sixteen i32 are one register, sixteen int8 a quarter of one.
        unsafe {
            let acc = _mm512_loadu_si512(acc.as_ptr().cast());
            let factors = Factors::new(requant, store);
            let value = match Factors::rounding(&[factors], store) {
                TWICE => factors.apply::<TWICE>(acc, requant),
                FAR => factors.apply::<FAR>(acc, requant),
                _ => factors.apply::<AWAY>(acc, requant),
            };
            _mm_storeu_si128(y.as_mut_ptr().cast(), narrow.one(value));
        }
    }
    Scalar.store(last, last_requant, store, last_y);
}

/// See [`Isa::add`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in super::super) fn add(y: &mut [i8], x: Option<&[i8]>, sum: &Sum) {
    if sum.operands.iter().any(|q| q.shift > 0) {
        return Scalar.add(y, x, sum);
    }
    let narrow = Narrow::new(sum.store);
    let last = [sum.requant; 16];
    let whole = Factors::new(&last, sum.store);
    let whole_rounding = Factors::rounding(&[whole], sum.store);
    let [zero, other_zero] = sum.zeros.map(i32::from);
    let [factor, other_factor] = sum.operands;
    let len = x.map_or(y.len(), |x| x.len().min(y.len()));
    let (chunks, rest) = y[..len].as_chunks_mut::<16>();
    let others = x.map(|x| x[..len].as_chunks::<16>());
    for (i, y) in chunks.iter_mut().enumerate() {
        // SAFETY: sixteen int8 are a quarter of a register.
        unsafe {
            let held = _mm_loadu_si128(y.as_ptr().cast());
            let other = others.map_or(held, |(x, _)| _mm_loadu_si128(x[i].as_ptr().cast()));
            let acc = _mm512_add_epi32(raised(held, zero, factor), raised(other, other_zero, other_factor));
            let value = match whole_rounding {
                TWICE => whole.apply::<TWICE>(acc, &last),
                FAR => whole.apply::<FAR>(acc, &last),
                _ => whole.apply::<AWAY>(acc, &last),
            };
            _mm_storeu_si128(y.as_mut_ptr().cast(), narrow.one(value));
        }
    }
    Scalar.add(rest, others.map(|(_, x)| x), sum);
}

/// `requantise((x - zero) << 20)` for a factor whose shift is not to the left.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn raised(x: __m128i, zero: i32, factor: Requant) -> __m512i {
    let less = _mm512_sub_epi32(_mm512_cvtepi8_epi32(x), _mm512_set1_epi32(zero));
    let x = _mm512_slli_epi32::<20>(less);
    let multiplier = _mm512_set1_epi32(factor.multiplier);
    let half = _mm512_set1_epi64(1 << 30);
    let even = _mm512_add_epi64(_mm512_mul_epi32(x, multiplier), half);
    let odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64::<32>(x), multiplier), half);
    let product = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64::<31>(even), _mm512_slli_epi64::<1>(odd));
    if factor.shift == 0 {
        return product;
    }
    let right = factor.shift.unsigned_abs();
    let remainder = _mm512_and_si512(product, _mm512_set1_epi32((1u32 << right).wrapping_sub(1) as i32));
    let half = _mm512_set1_epi32(((1u32 << (right - 1)) - 1) as i32);
    let half = _mm512_sub_epi32(half, _mm512_srai_epi32::<31>(product));
    let shifted = _mm512_srav_epi32(product, _mm512_set1_epi32(right as i32));
    let up = _mm512_cmpgt_epi32_mask(remainder, half);
    _mm512_mask_add_epi32(shifted, up, shifted, _mm512_set1_epi32(1))
}

/// See [`Isa::add_linear`]. With `a = 256 h + l`, `256 a x >> 16` is `h x + (l x >> 8)`; where export could round its
/// factors so, `l` is 0.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in super::super) fn add_linear(y: &mut [i8], x: Option<&[i8]>, linear: &Linear) {
    let factors = [linear.a, linear.b];
    let high = factors.map(|a| _mm512_set1_epi32(a >> 8));
    let low = factors.map(|a| _mm512_set1_epi32(a & 255));
    let fine = factors.iter().any(|a| a & 255 != 0);
    let c = _mm512_set1_epi32(linear.c);
    let len = x.map_or(y.len(), |x| x.len().min(y.len()));
    let (chunks, rest) = y[..len].as_chunks_mut::<16>();
    let others = x.map(|x| x[..len].as_chunks::<16>());
    for (i, y) in chunks.iter_mut().enumerate() {
        // SAFETY: sixteen int8 are a quarter of a register.
        unsafe {
            let held = _mm512_cvtepi8_epi32(_mm_loadu_si128(y.as_ptr().cast()));
            let other =
                others.map_or(held, |(x, _)| _mm512_cvtepi8_epi32(_mm_loadu_si128(x[i].as_ptr().cast())));
            let mut sum = _mm512_add_epi32(c, _mm512_mullo_epi32(held, high[0]));
            sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(other, high[1]));
            if fine {
                let parts = [_mm512_mullo_epi32(held, low[0]), _mm512_mullo_epi32(other, low[1])];
                sum = _mm512_add_epi32(sum, _mm512_srai_epi32::<8>(parts[0]));
                sum = _mm512_add_epi32(sum, _mm512_srai_epi32::<8>(parts[1]));
            }
            let bytes = _mm512_cvtsepi32_epi8(_mm512_srai_epi32::<21>(sum));
            _mm_storeu_si128(y.as_mut_ptr().cast(), bytes);
        }
    }
    packed::add_linear(rest, others.map(|(_, x)| x), linear);
}

/// See [`Isa::sum_row`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in super::super) fn sum_row(acc: &mut [i32], x: &[i8], step: usize, count: usize) {
    if !whole(acc, x, step, count) {
        return Scalar.sum_row(acc, x, step, count);
    }
    for first in (0..count).step_by(FEW) {
        // SAFETY: `whole` says that 32 elements of each tap and 32 sums lie within.
        unsafe {
            let mut sums = _mm512_setzero_si512();
            for tap in first..count.min(first + FEW) {
                let tap = _mm256_loadu_si256(x.as_ptr().add(tap * step).cast());
                sums = _mm512_add_epi16(sums, _mm512_cvtepi8_epi16(tap));
            }
            let halves = [_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64::<1>(sums)];
            for (i, half) in halves.into_iter().enumerate() {
                let acc = acc.as_mut_ptr().add(16 * i).cast();
                _mm512_storeu_si512(
                    acc,
                    _mm512_add_epi32(_mm512_loadu_si512(acc), _mm512_cvtepi16_epi32(half)),
                );
            }
        }
    }
}

/// See [`Isa::lay`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in super::super) fn lay(x: &[i8], row: usize, to: &mut [i8], pitch: usize, border: i8) {
    let rows = if x.len() == row { 1 } else { x.len().checked_div(row).unwrap_or(0) };
    let Some(before_last) = rows.checked_sub(1).and_then(|above| above.checked_mul(pitch)) else { return };
    if pitch < row || to.len().checked_sub(row).is_none_or(|room| room < before_last) {
        return fours::lay(x, row, to, pitch, border, 128);
    }
    let (sign, border) = (_mm512_set1_epi8(i8::MIN), _mm512_set1_epi8(border));
    for i in 0..rows {
        let end = if i + 1 < rows { pitch } else { to.len() - before_last };
        // SAFETY: `x` has so many rows; `to` has room for all of them, each of which ends before the next one begins; masks
        // keep to it.
        unsafe {
            let (x, to) = (x.as_ptr().add(i * row), to.as_mut_ptr().add(i * pitch));
            let mut at = 0;
            while at + 64 <= row {
                let elements = _mm512_loadu_si512(x.add(at).cast());
                _mm512_storeu_si512(to.add(at).cast(), _mm512_xor_si512(elements, sign));
                at += 64;
            }
            if at < row {
                let mask = first(row - at);
                let elements = _mm512_maskz_loadu_epi8(mask, x.add(at));
                _mm512_mask_storeu_epi8(to.add(at), mask, _mm512_xor_si512(elements, sign));
            }
            let mut at = row;
            while at + 64 <= end {
                _mm512_storeu_si512(to.add(at).cast(), border);
                at += 64;
            }
            if at < end {
                _mm512_mask_storeu_epi8(to.add(at), first(end - at), border);
            }
        }
    }
}

/// A mask of the first lanes, 1 to 63 of them.
#[inline(always)]
fn first(count: usize) -> u64 {
    u64::MAX >> (64 - count)
}
