//! Blocks over two pixels in the halves of a word: what they compute, for any CPU, and how. The arithmetic is told at
//! [`crate::ir::Halves`].

use super::{Store, run};
use crate::ir::{Halves, Requant};

/// The units of a group, for four neighbouring pixels.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    /// `[block of 8 units][pair of elements][element][8 units]`.
    pub(crate) weights: &'a [i8],
    /// A factor for each unit.
    pub(crate) requant: &'a [Requant],
    /// A bias for each unit, for the first pixel.
    pub(crate) bias: &'a [i32],
    /// Biases from one pixel to the next; 0 where all have the same.
    pub(crate) bias_step: usize,
    /// Units.
    pub(crate) units: usize,
    /// Pairs of elements.
    pub(crate) pairs: usize,
    /// Pixels to store, 1 to 4.
    pub(crate) pixels: usize,
    /// Bytes from a pixel to the next in the output.
    pub(crate) y_step: usize,
    /// How outputs are stored.
    pub(crate) store: Store,
}

/// The channels of a depthwise convolution, for four neighbouring pixels.
#[derive(Clone, Copy)]
pub(crate) struct Windows<'a> {
    /// `[tap][channel]`.
    pub(crate) weights: &'a [i8],
    /// A factor for each channel.
    pub(crate) requant: &'a [Requant],
    /// A bias for each channel.
    pub(crate) bias: &'a [i32],
    /// Channels.
    pub(crate) channels: usize,
    /// Pixels to store, 1 to 4.
    pub(crate) pixels: usize,
    /// How outputs are stored.
    pub(crate) store: Store,
}

impl Windows<'_> {
    /// Whether there are all elements from so many places on, the furthest of which is told, in an image of `x` elements, all
    /// weights, factors and biases, and `y` elements of outputs.
    #[allow(dead_code)] // asked by instances in assembler
    pub(crate) fn fits(&self, x: usize, furthest: usize, taps: usize, y: usize) -> bool {
        let channels = self.channels;
        furthest <= x
            && x - furthest >= channels
            && self.weights.len() >= taps * channels
            && self.requant.len() >= channels
            && self.bias.len() >= channels
            && (1..=4).contains(&self.pixels)
            && y >= self.pixels * channels
    }
}

/// See [`Isa::lay_four`](super::Isa::lay_four).
pub(crate) fn lay_four(x: &[i8], places: &[usize; 4], len: usize, to: &mut [i8], at: usize) {
    let [r0, r1, r2, r3] = places.map(|place| run(x, place, len));
    for (j, (((&x0, &x1), &x2), &x3)) in (at..).zip(r0.iter().zip(r1).zip(r2).zip(r3)) {
        let place = 16 * (j / 2) + 4 * (j % 2);
        for (i, (first, second)) in [(x0, x1), (x2, x3)].into_iter().enumerate() {
            let word = i32::from(first) + (i32::from(second) << 16);
            if let Some(to) = to.get_mut(place + 8 * i..).and_then(|to| to.first_chunk_mut::<4>()) {
                *to = word.to_le_bytes().map(|byte| byte as i8);
            }
        }
    }
}

/// See [`Isa::four_windows`](super::Isa::four_windows).
pub(crate) fn four_windows(windows: &Windows<'_>, x: &[i8], taps: &[[usize; 4]], y: &mut [i8]) {
    let channels = windows.channels;
    for (channel, (&bias, &factor)) in windows.bias.iter().zip(windows.requant).take(channels).enumerate() {
        let mut sums = [bias; 4];
        let weights = windows.weights.get(channel..).unwrap_or_default().chunks(channels.max(1));
        for (places, w) in taps.iter().zip(weights) {
            for (sum, &place) in sums.iter_mut().zip(places) {
                let x = x.get(place + channel).copied().unwrap_or_default();
                let w = w.first().copied().unwrap_or_default();
                *sum = sum.wrapping_add(i32::from(x) * i32::from(w));
            }
        }
        for (pixel, &sum) in sums.iter().enumerate().take(windows.pixels) {
            if let Some(y) = y.get_mut(pixel * channels + channel) {
                *y = windows.store.narrow(requantise(sum, factor));
            }
        }
    }
}

/// See [`Isa::halves`](super::Isa::halves).
pub(crate) fn halves(block: &Block<'_>, x: &[i8], y: &mut [i8]) {
    let words = run(x, 0, 16 * block.pairs).as_chunks::<16>().0;
    for unit in 0..block.units {
        let weights = run(block.weights, unit / 8 * 16 * block.pairs, 16 * block.pairs).as_chunks::<16>().0;
        let lane = unit % 8;
        let (mut totals, mut uppers) = ([0i32; 2], [0i32; 2]);
        for (words, weights) in words.iter().zip(weights) {
            let [w0, w1] = [weights[lane], weights[lane + 8]].map(i32::from);
            for (pair, (total, upper)) in totals.iter_mut().zip(&mut uppers).enumerate() {
                let at =
                    |i: usize| words.get(8 * pair + 4 * i..).and_then(|w| w.first_chunk()).map_or(0, word);
                let s = w0.wrapping_mul(at(0)).wrapping_add(w1.wrapping_mul(at(1)));
                *total = total.wrapping_add(s);
                *upper = upper.wrapping_add(s >> 16).wrapping_add(s >> 15 & 1);
            }
        }
        for pixel in 0..block.pixels.min(Halves::PIXELS) {
            let (total, upper) = (totals[pixel / 2], uppers[pixel / 2]);
            let sum = if pixel % 2 == 0 { total.wrapping_sub(upper << 16) } else { upper };
            let bias = block.bias.get(pixel * block.bias_step + unit).copied().unwrap_or_default();
            let factor = block.requant.get(unit).copied().unwrap_or_default();
            if let Some(y) = y.get_mut(pixel * block.y_step + unit) {
                *y = block.store.narrow(requantise(sum.wrapping_add(bias), factor));
            }
        }
    }
}

/// What [`requantise`](crate::fixed::requantise) gives for an accumulator of 24 bits and a factor that
/// [`Halves::takes`].
#[inline(always)]
const fn requantise(acc: i32, factor: Requant) -> i32 {
    let (product, shift) = (product(acc, factor.multiplier), factor.shift.wrapping_neg() as u32);
    product.wrapping_add(1i32.wrapping_shl(shift.wrapping_sub(1))).wrapping_shr(shift)
}

/// `round(acc * multiplier / 2^31)` in 32 bits, of an accumulator of 24, and 1 less where it is negative, so that ties away
/// from zero are ties upwards. The accumulator is `256 a + b`, the multiplier `65536 c + d`; the four products are summed
/// from the least on, each step without the bits below that no longer matter.
#[inline(always)]
const fn product(acc: i32, multiplier: i32) -> i32 {
    let (a, b) = (acc >> 8, acc & 0xff);
    let (c, d) = (multiplier >> 16, multiplier & 0xffff);
    let low = a.wrapping_mul(d).wrapping_add((b.wrapping_mul(d) as u32 >> 8) as i32) >> 8;
    let high = a.wrapping_mul(c).wrapping_add(b.wrapping_mul(c).wrapping_add(low) >> 8);
    let rounded = high.wrapping_add(64) >> 7;
    rounded.wrapping_add(rounded >> 31)
}

fn word(bytes: &[i8; 4]) -> i32 {
    i32::from_le_bytes(bytes.map(|byte| byte as u8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::oracle::hold;
    use proptest::prelude::*;

    #[test]
    fn short_products_requantise_exactly() {
        let accs = prop_oneof![-1 << 23..1 << 23, -70_000..70_000, Just(-1 << 23), Just((1 << 23) - 1)];
        let mantissas = prop_oneof![Just(0), Just(1 << 30), Just(i32::MAX), (1 << 30)..=i32::MAX];
        hold(16384, (accs, mantissas, -20..=-1), |(acc, multiplier, shift)| {
            let want = crate::fixed::requantise(acc, multiplier, shift);
            prop_assert_eq!(requantise(acc, Requant { multiplier, shift }), want);
            Ok(())
        });
    }
}
