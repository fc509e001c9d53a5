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
