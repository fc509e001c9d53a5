//! Requantisation of sixteen accumulators.
//!
//! In one rounding where that is possible: [`rounding`](super::super::rounding) tells how.
//!
//! Products have 64 bits, so the even and the odd lanes are done apart.

use super::super::rounding::{FAR, HIDDEN, Kinds, TWICE, rounding};
use crate::arch::Store;
use crate::fixed::requantise;
use crate::ir::{Clamp, Requant};
use core::arch::x86_64::*;
use core::array;

/// Factors of sixteen lanes, and the zero point of their outputs.
#[derive(Clone, Copy)]
pub(super) struct Factors {
    /// Multipliers of even lanes, and of odd ones.
    multiplier: [__m512i; 2],
    /// What is added to a product: `2^30 + 2^(30+e)`, and `2^(31+e)` times the zero point, which may be too much for some.
    round: [__m512i; 2],
    /// The shift of the upper half of that sum, `e - 1`.
    shift: __m512i,
    /// The zero point.
    zero: i8,
    /// What shifts there are.
    kinds: Kinds,
    /// The even lanes, of those whose shift is to the right: told by numbers, for where a compiler knows a mask it picks a
    /// slower instruction.
    even: __mmask16,
}

impl Factors {
    /// Of sixteen factors.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn new(q: &[Requant; 16], store: Store) -> Self {
        // SAFETY: `Requant` is two i32, multiplier first, so sixteen are two registers.
        let [a, b] = unsafe { [0, 8].map(|i| _mm512_loadu_si512(q.as_ptr().add(i).cast())) };
        let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
        let multiplier = _mm512_permutex2var_epi32(a, even, b);
        let one = _mm512_set1_epi32(1);
        let odd = _mm512_add_epi32(even, one);
        let right = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_permutex2var_epi32(a, odd, b));
        let regular = _mm512_cmpge_epi32_mask(right, one);
        let near = _mm512_cmple_epi32_mask(right, _mm512_set1_epi32(Kinds::NEAR));
        Self {
            multiplier: [multiplier, _mm512_srli_epi64::<32>(multiplier)],
            round: Self::round(right, 2 * i64::from(store.zero) + 1),
            shift: _mm512_sub_epi32(right, one),
            zero: store.zero,
            kinds: Kinds { right: regular == 0xffff, near: near == 0xffff },
            even: regular & 0x5555,
        }
    }

    /// `2^30 + times 2^(30+e)` for even lanes, and for odd ones.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn round(e: __m512i, times: i64) -> [__m512i; 2] {
        let (half, times) = (_mm512_set1_epi64(1 << 30), _mm512_set1_epi64(times << 30));
        let low = _mm512_and_si512(e, _mm512_set1_epi64(0xffff_ffff));
        let high = _mm512_srli_epi64::<32>(e);
        [
            _mm512_add_epi64(half, _mm512_sllv_epi64(times, low)),
            _mm512_add_epi64(half, _mm512_sllv_epi64(times, high)),
        ]
    }

    /// How outputs of these and like factors are rounded.
    pub(super) fn rounding(all: &[Self], store: Store) -> u8 {
        rounding(all.iter().map(|factors| factors.kinds), store)
    }

    /// Sixteen accumulators requantised, with the zero point added; `q` are the factors again.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn apply<const ROUND: u8>(&self, acc: __m512i, q: &[Requant; 16]) -> __m512i {
        let [value] = Self::apply_all::<ROUND, 1, 1>(array::from_ref(self), array::from_ref(q), [acc]);
        value
    }

    /// The same for some registers of accumulators, those of `B` factors in turn. All registers take each step together: so
    /// none waits for the step before.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn apply_all<const ROUND: u8, const B: usize, const N: usize>(
        all: &[Self; B],
        q: &[[Requant; 16]; B],
        acc: [__m512i; N],
    ) -> [__m512i; N] {
        let mut values = acc;
        if ROUND == TWICE {
            for i in 0..N {
                values[i] = one_by_one(acc[i], &q[i % B], all[i % B].zero);
            }
            return values;
        }
        if ROUND != HIDDEN {
            // Signs are kept besides, for which there are no registers if all wait.
            for i in 0..N {
                values[i] = if ROUND == FAR { all[i % B].far(acc[i]) } else { all[i % B].away(acc[i]) };
            }
            return values;
        }
        let (mut even, mut odd) = (acc, acc);
        for i in 0..N {
            odd[i] = _mm512_shuffle_epi32::<_MM_PERM_DDBB>(acc[i]);
        }
        for i in 0..N {
            even[i] = _mm512_mul_epi32(even[i], all[i % B].multiplier[0]);
            odd[i] = _mm512_mul_epi32(odd[i], all[i % B].multiplier[1]);
        }
        for i in 0..N {
            even[i] = _mm512_add_epi64(even[i], all[i % B].round[0]);
            odd[i] = _mm512_add_epi64(odd[i], all[i % B].round[1]);
        }
        // The upper halves of the even lanes to where those of the odd ones leave room.
        for i in 0..N {
            values[i] = _mm512_mask_shuffle_epi32::<_MM_PERM_DDBB>(odd[i], all[0].even, even[i]);
        }
        for i in 0..N {
            values[i] = _mm512_srav_epi32(values[i], all[i % B].shift);
        }
        values
    }

    /// One register, ties rounded away from zero.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn away(&self, acc: __m512i) -> __m512i {
        let sign = _mm512_set1_epi64(1 << 31);
        let upper = _mm512_shuffle_epi32::<_MM_PERM_DDBB>(acc);
        let even = _mm512_add_epi64(_mm512_mul_epi32(acc, self.multiplier[0]), self.round[0]);
        let odd = _mm512_add_epi64(_mm512_mul_epi32(upper, self.multiplier[1]), self.round[1]);
        let even = _mm512_sub_epi64(even, _mm512_and_si512(acc, sign));
        let odd = _mm512_sub_epi64(odd, _mm512_and_si512(upper, sign));
        let halves = _mm512_mask_shuffle_epi32::<_MM_PERM_DDBB>(odd, self.even, even);
        _mm512_srav_epi32(halves, self.shift)
    }

    /// The same, the zero point added last. Some channel may have such a shift that never was of use.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn far(&self, acc: __m512i) -> __m512i {
        let round = Self::round(_mm512_add_epi32(self.shift, _mm512_set1_epi32(1)), 1);
        _mm512_add_epi32(Self { round, ..*self }.away(acc), _mm512_set1_epi32(self.zero.into()))
    }
}

/// Factors of 1/2 and more, which are rare.
#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn one_by_one(acc: __m512i, q: &[Requant; 16], zero: i8) -> __m512i {
    let mut lanes = [0i32; 16];
    // SAFETY: sixteen i32 are one register.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), acc) };
    for (lane, q) in lanes.iter_mut().zip(q) {
        *lane = requantise(*lane, q.multiplier, q.shift).saturating_add(zero.into());
    }
    // SAFETY: as above.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

/// Bounds of outputs.
#[derive(Clone, Copy)]
pub(super) struct Narrow {
    low: __m512i,
    high: __m512i,
    /// Whether they are those of int8, which outputs have anyway.
    full: bool,
}

impl Narrow {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn new(store: Store) -> Self {
        Self {
            low: _mm512_set1_epi8(store.clamp.low),
            high: _mm512_set1_epi8(store.clamp.high),
            full: store.clamp == Clamp::FULL,
        }
    }

    /// Sixteen values as int8.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn one(&self, a: __m512i) -> __m128i {
        let (low, high) = (_mm512_castsi512_si128(self.low), _mm512_castsi512_si128(self.high));
        _mm_min_epi8(_mm_max_epi8(_mm512_cvtsepi32_epi8(a), low), high)
    }

    /// 64 values as int8, those of a lane of 128 bits next to each other: the order that interleaving bytes leaves.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn four(&self, [a, b, c, d]: [__m512i; 4]) -> __m512i {
        let bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
        if self.full { bytes } else { _mm512_min_epi8(_mm512_max_epi8(bytes, self.low), self.high) }
    }

    /// Four times sixteen values as int8, in order.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn four_in_order(&self, values: [__m512i; 4]) -> __m512i {
        let order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
        _mm512_permutexvar_epi32(order, self.four(values))
    }
}
