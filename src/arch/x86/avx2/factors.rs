//! Requantisation of eight accumulators. Products have 64 bits, so the even and the odd lanes are done apart.
//!
//! In one rounding where that is possible: [`rounding`](super::super::rounding) tells how.

use super::super::rounding::{AWAY, Kinds, TWICE, rounding};
use crate::arch::Store;
use crate::ir::Requant;
use core::arch::x86_64::*;

/// Factors of eight lanes.
#[derive(Clone, Copy)]
pub(super) struct Factors {
    /// Multipliers of even lanes, and of odd ones.
    multiplier: [__m256i; 2],
    /// What is added to a product, `2^30 + 2^(30+e)`.
    round: [__m256i; 2],
    /// The shift of the upper half of that sum, `e - 1`.
    shift: __m256i,
    /// Whether every shift is to the right by 1 or more.
    regular: bool,
}

impl Factors {
    /// Of eight factors.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn new(q: &[Requant; 8]) -> Self {
        let [multiplier, shift] = apart(q);
        let right = _mm256_sub_epi32(_mm256_setzero_si256(), shift);
        let regular = _mm256_movemask_epi8(_mm256_cmpgt_epi32(right, _mm256_setzero_si256())) == -1;
        let low = _mm256_set1_epi64x(0xffff_ffff);
        let e = [_mm256_and_si256(right, low), _mm256_srli_epi64::<32>(right)];
        let half = _mm256_set1_epi64x(1 << 30);
        let round = [
            _mm256_add_epi64(half, _mm256_sllv_epi64(half, e[0])),
            _mm256_add_epi64(half, _mm256_sllv_epi64(half, e[1])),
        ];
        let shift = _mm256_sub_epi32(right, _mm256_set1_epi32(1));
        Self {
            multiplier: [multiplier, _mm256_shuffle_epi32::<0b11_11_01_01>(multiplier)],
            round,
            shift,
            regular,
        }
    }

    /// How outputs of these and like factors are rounded.
    pub(super) fn rounding(all: &[Self], store: Store) -> u8 {
        rounding(all.iter().map(|factors| Kinds { right: factors.regular, near: true }), store)
    }

    /// Eight accumulators requantised; `q` are the factors again.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn apply<const ROUND: u8>(&self, acc: __m256i, q: &[Requant; 8]) -> __m256i {
        if ROUND == TWICE {
            return Twice::new(q).apply(acc);
        }
        // Shuffled, not shifted: where a compiler knows what lies above, it makes longer products of it.
        let upper = _mm256_shuffle_epi32::<0b11_11_01_01>(acc);
        let mut even = _mm256_add_epi64(_mm256_mul_epi32(acc, self.multiplier[0]), self.round[0]);
        let mut odd = _mm256_add_epi64(_mm256_mul_epi32(upper, self.multiplier[1]), self.round[1]);
        if ROUND == AWAY {
            let sign = _mm256_set1_epi64x(1 << 31);
            even = _mm256_sub_epi64(even, _mm256_and_si256(acc, sign));
            odd = _mm256_sub_epi64(odd, _mm256_and_si256(upper, sign));
        }
        let even = _mm256_srli_epi64::<32>(even);
        _mm256_srav_epi32(_mm256_blend_epi32::<0b1010_1010>(even, odd), self.shift)
    }
}

/// Multipliers and shifts of eight factors.
#[inline]
#[target_feature(enable = "avx2")]
fn apart(q: &[Requant; 8]) -> [__m256i; 2] {
    // SAFETY: `Requant` is two i32, multiplier first, so eight are two registers.
    let [a, b] = unsafe { [0, 4].map(|i| _mm256_loadu_si256(q.as_ptr().add(i).cast())) };
    // multipliers 0 1 4 5 | 2 3 6 7, then in order
    let (a, b) = (_mm256_castsi256_ps(a), _mm256_castsi256_ps(b));
    let order = |x| _mm256_permute4x64_epi64::<0b11_01_10_00>(x);
    [
        order(_mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(a, b))),
        order(_mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(a, b))),
    ]
}

/// Factors of eight lanes, any, applied in two roundings as [`crate::fixed::requantise`] does it.
#[derive(Clone, Copy)]
pub(super) struct Twice {
    /// Multipliers of even lanes, and of odd ones.
    multiplier: [__m256i; 2],
    left: __m256i,
    right: __m256i,
    /// The bits that the shift to the right drops.
    dropped: __m256i,
}

impl Twice {
    /// Of eight factors.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(q: &[Requant; 8]) -> Self {
        let [multiplier, shift] = apart(q);
        Self::of(multiplier, shift)
    }

    /// Of one factor for all lanes.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn repeated(q: Requant) -> Self {
        Self::of(_mm256_set1_epi32(q.multiplier), _mm256_set1_epi32(q.shift))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn of(multiplier: __m256i, shift: __m256i) -> Self {
        let zero = _mm256_setzero_si256();
        let right = _mm256_max_epi32(_mm256_sub_epi32(zero, shift), zero);
        let one = _mm256_set1_epi32(1);
        Self {
            multiplier: [multiplier, _mm256_shuffle_epi32::<0b11_11_01_01>(multiplier)],
            left: _mm256_max_epi32(shift, zero),
            right,
            dropped: _mm256_sub_epi32(_mm256_sllv_epi32(one, right), one),
        }
    }

    /// Eight accumulators requantised.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn apply(&self, acc: __m256i) -> __m256i {
        let acc = _mm256_sllv_epi32(acc, self.left);
        let half = _mm256_set1_epi64x(1 << 30);
        let even = _mm256_add_epi64(_mm256_mul_epi32(acc, self.multiplier[0]), half);
        let odd = _mm256_mul_epi32(_mm256_shuffle_epi32::<0b11_11_01_01>(acc), self.multiplier[1]);
        let odd = _mm256_add_epi64(odd, half);
        let even = _mm256_srli_epi64::<31>(even);
        let product = _mm256_blend_epi32::<0b1010_1010>(even, _mm256_slli_epi64::<1>(odd));
        // Up by 1 where more than half is dropped, or half of what is not negative.
        let remainder = _mm256_and_si256(product, self.dropped);
        let half = _mm256_srli_epi32::<1>(self.dropped);
        let half = _mm256_sub_epi32(half, _mm256_srai_epi32::<31>(product));
        let up = _mm256_cmpgt_epi32(remainder, half);
        _mm256_sub_epi32(_mm256_srav_epi32(product, self.right), up)
    }
}

/// Zero point and bounds of outputs.
#[derive(Clone, Copy)]
pub(super) struct Narrow {
    zero: __m256i,
    low: __m256i,
    high: __m256i,
}

impl Narrow {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn new(store: Store) -> Self {
        Self {
            zero: _mm256_set1_epi16(store.zero.into()),
            low: _mm256_set1_epi8(store.clamp.low),
            high: _mm256_set1_epi8(store.clamp.high),
        }
    }

    /// Twice eight values as int8, in order.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn two(&self, a: __m256i, b: __m256i) -> __m128i {
        let wide = _mm256_adds_epi16(_mm256_packs_epi32(a, b), self.zero);
        let ordered = _mm256_permute4x64_epi64::<0b11_01_10_00>(wide);
        let (low, high) = (_mm256_castsi256_si128(ordered), _mm256_extracti128_si256::<1>(ordered));
        let bytes = _mm_packs_epi16(low, high);
        let (low, high) = (_mm256_castsi256_si128(self.low), _mm256_castsi256_si128(self.high));
        _mm_min_epi8(_mm_max_epi8(bytes, low), high)
    }

    /// 32 values as int8, those of a lane of 128 bits next to each other: the order that interleaving bytes leaves.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn four(&self, [a, b, c, d]: [__m256i; 4]) -> __m256i {
        let low = _mm256_adds_epi16(_mm256_packs_epi32(a, b), self.zero);
        let high = _mm256_adds_epi16(_mm256_packs_epi32(c, d), self.zero);
        _mm256_min_epi8(_mm256_max_epi8(_mm256_packs_epi16(low, high), self.low), self.high)
    }
}
