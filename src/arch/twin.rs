//! The ARMv7E-M way in pure Rust: two int16 products an instruction.
//!
//! `SXTB16` widens bytes 0 and 2 of a word to halfwords, `SMLAD` adds the products of both halfwords. Four bytes a
//! word, so two of each for four elements. Here they are functions, so that the algorithm is tested on the host.

use super::{Isa, Matrix, QUAD, by_quads, first, run};
use core::ops::Range;

/// The token; the functions run everywhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Twin;

impl Isa for Twin {
    const NAME: &'static str = "armv7e-m twin";
    const PAIRS: bool = true;

    /// Two runs, each element widened to a halfword.
    fn scratch(k: usize) -> usize {
        4 * k.next_multiple_of(4)
    }

    /// Inputs are widened once for all units, the two halves of a word in the order that `SXTB16` gives weights.
    fn units<const P: usize>(
        self,
        matrix: &Matrix<'_>,
        units: Range<usize>,
        x: [&[i8]; P],
        bias: [&[i32]; P],
        y: &mut [&mut [i8]; P],
        scratch: &mut [i8],
    ) {
        let bytes = 2 * matrix.k.next_multiple_of(4);
        if scratch.len() < P * bytes {
            return by_quads(self, matrix, units, x, bias, y);
        }
        for (x, wide) in x.iter().zip(scratch.chunks_exact_mut(bytes)) {
            widen(x, wide);
        }
        let mut unit = units.start;
        while unit < units.end {
            let Some(w) = self.quad(matrix, unit, units.end - 1) else { return };
            let mut acc = bias.map(|bias| first(bias, unit));
            for (acc, wide) in acc.iter_mut().zip(scratch.chunks_exact(bytes)) {
                for (acc, w) in acc.iter_mut().zip(w) {
                    for (&[a, b, c, d, e, f, g, h], w) in wide.as_chunks().0.iter().zip(w.chunks(4)) {
                        let mut four = [0; 4];
                        four[..w.len()].copy_from_slice(w);
                        *acc = smlad(word([a, b, c, d]), sxtb16(word(four)), *acc);
                        *acc = smlad(word([e, f, g, h]), sxtb16(word(four).rotate_right(8)), *acc);
                    }
                }
            }
            self.finish(matrix, unit, units.end, &acc, y);
            unit += QUAD;
        }
    }

    fn dot<const P: usize>(self, acc: &mut [[i32; QUAD]; P], x: [&[i8]; P], w: &[&[i8]; QUAD], from: usize) {
        for (acc, x) in acc.iter_mut().zip(x) {
            for (acc, w) in acc.iter_mut().zip(w) {
                let (x4, x1) = x.as_chunks::<4>();
                let (w4, w1) = run(w, from, x.len()).as_chunks::<4>();
                for (&x, &w) in x4.iter().zip(w4) {
                    let (x, w) = (word(x), word(w));
                    *acc = smlad(sxtb16(x), sxtb16(w), *acc);
                    *acc = smlad(sxtb16(x.rotate_right(8)), sxtb16(w.rotate_right(8)), *acc);
                }
                for (&x, &w) in x1.iter().zip(w1) {
                    *acc = acc.wrapping_add(i32::from(x) * i32::from(w));
                }
            }
        }
    }

    fn tap(self, acc: &mut [i32], x: &[i8], w: &[i8]) {
        let ((a4, a1), (x4, x1), (w4, w1)) =
            (acc.as_chunks_mut::<4>(), x.as_chunks::<4>(), w.as_chunks::<4>());
        for ((acc, &x), &w) in a4.iter_mut().zip(x4).zip(w4) {
            let (x, w) = (word(x), word(w));
            let (even_x, odd_x) = (sxtb16(x), sxtb16(x.rotate_right(8)));
            let (even_w, odd_w) = (sxtb16(w), sxtb16(w.rotate_right(8)));
            let [a0, a1, a2, a3] = *acc;
            *acc = [
                smlabb(even_x, even_w, a0),
                smlabb(odd_x, odd_w, a1),
                smlabb(even_x >> 16, even_w >> 16, a2),
                smlabb(odd_x >> 16, odd_w >> 16, a3),
            ];
        }
        for ((acc, &x), &w) in a1.iter_mut().zip(x1).zip(w1) {
            *acc = smlabb(x as u32, w as u32, *acc);
        }
    }
}

/// Elements 0 and 2, then 1 and 3, of each four as halfwords; zeros past the end.
fn widen(x: &[i8], wide: &mut [i8]) {
    for (x, wide) in x.chunks(4).zip(wide.as_chunks_mut::<8>().0) {
        let mut four = [0; 4];
        four[..x.len()].copy_from_slice(x);
        let words = [sxtb16(word(four)), sxtb16(word(four).rotate_right(8))].map(u32::to_le_bytes);
        wide.iter_mut().zip(words.as_flattened()).for_each(|(to, &byte)| *to = byte as i8);
    }
}

/// Four bytes as a little-endian load sees them.
fn word(bytes: [i8; 4]) -> u32 {
    u32::from_le_bytes(bytes.map(|b| b as u8))
}

/// Bytes 0 and 2, each extended by its sign to a halfword.
fn sxtb16(x: u32) -> u32 {
    u32::from(i16::from(x as i8) as u16) | u32::from(i16::from((x >> 16) as i8) as u16) << 16
}

/// `acc` plus the products of the low and of the high halfwords.
fn smlad(a: u32, b: u32, acc: i32) -> i32 {
    let high = i32::from((a >> 16) as i16).wrapping_mul(i32::from((b >> 16) as i16));
    smlabb(a, b, acc).wrapping_add(high)
}

/// `acc` plus the product of the low halfwords.
fn smlabb(a: u32, b: u32, acc: i32) -> i32 {
    acc.wrapping_add(i32::from(a as i16) * i32::from(b as i16))
}
