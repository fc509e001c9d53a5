//! Four products of signed bytes for each of eight sums.

use core::arch::x86_64::*;

/// Each sum, with four more products of elements by weights.
///
/// `VPMADDUBSW` takes one factor without its sign, so elements give theirs to the weights: `|x| * (w with the sign of x)`.
/// Two such products fit int16, as no weight is -128.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn dot(sums: __m256i, elements: __m256i, weights: __m256i) -> __m256i {
    let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(elements), _mm256_sign_epi8(weights, elements));
    _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
}
