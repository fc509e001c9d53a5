//! Blocks over weights of 4 bits, for any CPU.

use super::{QUAD, run};
use crate::ir::Nibbles;

/// See [`Isa::dot_nibbles`](super::Isa::dot_nibbles).
pub(super) fn dot(acc: &mut [i32; QUAD], x: &[i8], w: &[&[i8]; QUAD]) {
    let (pairs, last) = x.as_chunks::<2>();
    let [w0, w1, w2, w3] = w.map(|w| run(w, 0, pairs.len()));
    let [mut a0, mut a1, mut a2, mut a3] = *acc;
    let add = |acc: &mut i32, x: [i32; 2], w: i8| {
        let [low, high] = Nibbles::both(w).map(i32::from);
        *acc = acc.wrapping_add(x[0] * low).wrapping_add(x[1] * high);
    };
    for ((((x, &w0), &w1), &w2), &w3) in pairs.iter().zip(w0).zip(w1).zip(w2).zip(w3) {
        let x = x.map(i32::from);
        add(&mut a0, x, w0);
        add(&mut a1, x, w1);
        add(&mut a2, x, w2);
        add(&mut a3, x, w3);
    }
    *acc = [a0, a1, a2, a3];
    if let &[x] = last {
        for (acc, w) in acc.iter_mut().zip(w) {
            let low = w.get(pairs.len()).map_or(0, |&w| i32::from(Nibbles::both(w)[0]));
            *acc = acc.wrapping_add(i32::from(x) * low);
        }
    }
}
