//! Requantisation of sixteen accumulators.
//!
//! In one rounding where that is possible: [`rounding`](super::super::rounding) tells how.
//!
//! Products have 64 bits, so the even and the odd lanes are done apart.

use super::super::rounding::{AWAY, TWICE, rounding};
use crate::arch::Store;
use crate::fixed::requantise;
use crate::ir::Requant;
use core::arch::x86_64::*;

/// Factors of sixteen lanes.
#[derive(Clone, Copy)]
pub(super) struct Factors {
    /// Multipliers of even lanes, and of odd ones.
    multiplier: [__m512i; 2],
    /// What is added to a product, `2^30 + 2^(30+e)`.
    round: [__m512i; 2],
    /// The shift of the upper half of that sum, `e - 1`.
    shift: __m512i,
    /// Whether every shift is to the right by 1 or more.
    regular: bool,
}

impl Factors {
    /// Of sixteen factors.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn new(q: &[Requant; 16]) -> Self {
        // SAFETY: `Requant` is two i32, multiplier first, so sixteen are two registers.
        let [a, b] = unsafe { [0, 8].map(|i| _mm512_loadu_si512(q.as_ptr().add(i).cast())) };
        let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
        let multiplier = _mm512_permutex2var_epi32(a, even, b);
        let odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
        let right = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_permutex2var_epi32(a, odd, b));
        let regular = _mm512_cmpge_epi32_mask(right, _mm512_set1_epi32(1)) == 0xffff;
        let low = _mm512_and_si512(right, _mm512_set1_epi64(0xffff_ffff));
        let e = [low, _mm512_srli_epi64::<32>(right)];
        let half = _mm512_set1_epi64(1 << 30);
        let round = [
            _mm512_add_epi64(half, _mm512_sllv_epi64(half, e[0])),
            _mm512_add_epi64(half, _mm512_sllv_epi64(half, e[1])),
        ];
        let shift = _mm512_sub_epi32(right, _mm512_set1_epi32(1));
        Self { multiplier: [multiplier, _mm512_srli_epi64::<32>(multiplier)], round, shift, regular }
    }

    /// How outputs of these and like factors are rounded.
    pub(super) fn rounding(all: &[Self], store: Store) -> u8 {
        rounding(all.iter().all(|factors| factors.regular), store)
    }

    /// Sixteen accumulators requantised; `q` are the factors again.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn apply<const ROUND: u8>(&self, acc: __m512i, q: &[Requant; 16]) -> __m512i {
        if ROUND == TWICE {
            return one_by_one(acc, q);
        }
        let upper = _mm512_srli_epi64::<32>(acc);
        let mut even = _mm512_add_epi64(_mm512_mul_epi32(acc, self.multiplier[0]), self.round[0]);
        let mut odd = _mm512_add_epi64(_mm512_mul_epi32(upper, self.multiplier[1]), self.round[1]);
        if ROUND == AWAY {
            let sign = _mm512_set1_epi64(1 << 31);
            even = _mm512_sub_epi64(even, _mm512_and_si512(acc, sign));
            odd = _mm512_sub_epi64(odd, _mm512_and_si512(upper, sign));
        }
        // The upper halves of the even lanes to where those of the odd ones leave room.
        let halves = _mm512_mask_shuffle_epi32::<_MM_PERM_DDBB>(odd, 0x5555, even);
        _mm512_srav_epi32(halves, self.shift)
    }
}

/// Factors of 1/2 and more, which are rare.
#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn one_by_one(acc: __m512i, q: &[Requant; 16]) -> __m512i {
    let mut lanes = [0i32; 16];
    // SAFETY: sixteen i32 are one register.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), acc) };
    for (lane, q) in lanes.iter_mut().zip(q) {
        *lane = requantise(*lane, q.multiplier, q.shift);
    }
    // SAFETY: as above.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

/// Zero point and bounds of outputs.
#[derive(Clone, Copy)]
pub(super) struct Narrow {
    zero: __m512i,
    low: __m256i,
    high: __m256i,
}

impl Narrow {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn new(store: Store) -> Self {
        Self {
            zero: _mm512_set1_epi16(store.zero.into()),
            low: _mm256_set1_epi8(store.clamp.low),
            high: _mm256_set1_epi8(store.clamp.high),
        }
    }

    /// Sixteen values as int8.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn one(&self, a: __m512i) -> __m128i {
        let wide = _mm256_adds_epi16(_mm512_cvtsepi32_epi16(a), _mm512_castsi512_si256(self.zero));
        let bytes = _mm256_cvtsepi16_epi8(wide);
        let (low, high) = (_mm256_castsi256_si128(self.low), _mm256_castsi256_si128(self.high));
        _mm_min_epi8(_mm_max_epi8(bytes, low), high)
    }

    /// 64 values as int8, those of a lane of 128 bits next to each other: the order that interleaving bytes leaves.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn four(&self, [a, b, c, d]: [__m512i; 4]) -> __m512i {
        let low = _mm512_adds_epi16(_mm512_packs_epi32(a, b), self.zero);
        let high = _mm512_adds_epi16(_mm512_packs_epi32(c, d), self.zero);
        let bytes = _mm512_packs_epi16(low, high);
        let (low, high) = (_mm512_broadcast_i64x4(self.low), _mm512_broadcast_i64x4(self.high));
        _mm512_min_epi8(_mm512_max_epi8(bytes, low), high)
    }

    /// Four times sixteen values as int8, in order.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn four_in_order(&self, values: [__m512i; 4]) -> __m512i {
        let order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
        _mm512_permutexvar_epi32(order, self.four(values))
    }
}
