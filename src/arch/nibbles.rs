//! Blocks over weights of 4 bits, for any CPU.

use super::{QUAD, exact};

/// See [`Isa::dot_nibbles`](super::Isa::dot_nibbles).
#[inline(always)]
pub(super) fn dot(acc: &mut [i32; QUAD], x: &[i8], w: &[&[i8]; QUAD]) {
    let (pairs, last) = x.as_chunks::<2>();
    let count = pairs.len();
    let [w0, w1, w2, w3] = *w;
    let (Some(b0), Some(b1)) = (exact(w0, 0, count), exact(w1, 0, count)) else { return };
    let (Some(b2), Some(b3)) = (exact(w2, 0, count), exact(w3, 0, count)) else { return };
    let [mut a0, mut a1, mut a2, mut a3] = *acc;
    for ((((&[x, next], &b0), &b1), &b2), &b3) in pairs.iter().zip(b0).zip(b1).zip(b2).zip(b3) {
        let (x, next) = (i32::from(x), i32::from(next));
        a0 = a0.wrapping_add(x * low(b0)).wrapping_add(next * high(b0));
        a1 = a1.wrapping_add(x * low(b1)).wrapping_add(next * high(b1));
        a2 = a2.wrapping_add(x * low(b2)).wrapping_add(next * high(b2));
        a3 = a3.wrapping_add(x * low(b3)).wrapping_add(next * high(b3));
    }
    if let &[x] = last {
        let product = |w: &[i8]| i32::from(x) * w.get(count).map_or(0, |&byte| low(byte));
        a0 = a0.wrapping_add(product(w0));
        a1 = a1.wrapping_add(product(w1));
        a2 = a2.wrapping_add(product(w2));
        a3 = a3.wrapping_add(product(w3));
    }
    *acc = [a0, a1, a2, a3];
}

/// The first weight of a byte.
#[inline(always)]
const fn low(byte: i8) -> i32 {
    (byte as i32) << 28 >> 28
}

/// The second.
#[inline(always)]
const fn high(byte: i8) -> i32 {
    byte as i32 >> 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::packed::{smlad, sxtb16, word};
    use crate::kernels::oracle::{Numbers, hold};
    use proptest::prelude::*;
    use std::prelude::v1::*;

    /// What the block in assembler computes of each row, step by step: pairs of weights, 16 times as great, by the elements
    /// that lie four apart.
    fn by_words(x: &[i8], row: &[i8]) -> i32 {
        const UPPER: u32 = 0xf0f0_f0f0;
        let half = |x: i8| u32::from(i16::from(x) as u16);
        let pair = |x: &[i8], i: usize| half(x[i]) | half(x[i + 4]) << 16;
        let mut sum = 0;
        for (x, row) in x.chunks_exact(8).zip(row.chunks_exact(4)) {
            let (even, odd) = (word(row, 0) << 4 & UPPER, word(row, 0) & UPPER);
            sum = smlad(sxtb16(even), pair(x, 0), sum);
            sum = smlad(sxtb16(even.rotate_right(8)), pair(x, 2), sum);
            sum = smlad(sxtb16(odd), pair(x, 1), sum);
            sum = smlad(sxtb16(odd.rotate_right(8)), pair(x, 3), sum);
        }
        sum >> 4
    }

    #[test]
    fn sums_equal_the_oracle() {
        hold(512, (0..70usize, any::<u64>()), |(len, seed)| {
            let mut numbers = Numbers(seed);
            let x = numbers.int8s(len);
            let rows: Vec<Vec<i8>> = (0..QUAD).map(|_| numbers.int8s(len.div_ceil(2))).collect();
            let start = [(); QUAD].map(|()| numbers.next() as i32 >> 8);
            let weight = |row: &[i8], j: usize| {
                let byte = i32::from(row[j / 2] as u8);
                let nibble = if j.is_multiple_of(2) { byte % 16 } else { byte / 16 };
                if nibble < 8 { nibble } else { nibble - 16 }
            };
            let product =
                |row: &[i8], end: usize| -> i32 { (0..end).map(|j| i32::from(x[j]) * weight(row, j)).sum() };
            let mut acc = start;
            dot(&mut acc, &x, &core::array::from_fn(|i| &rows[i][..]));
            for (i, row) in rows.iter().enumerate() {
                prop_assert_eq!(acc[i], start[i] + product(row, len));
                prop_assert_eq!(by_words(&x, row), product(row, len & !7));
            }
            Ok(())
        });
    }
}
