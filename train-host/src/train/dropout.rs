//! Dropout (Srivastava et al. 2014): while training, an element is 0 with probability `rate`, else it is multiplied
//! by `1 / (1 - rate)`.
//!
//! Whether an element is dropped is a hash of (seed, step, which dropout, sample, element): it needs no memory
//! between forward and backward, and depends neither on threads nor on how samples lie in groups.

use super::draw::{Purpose, draw};
use crate::float::lanes::{LANES, Lanes};
use crate::float::simd::{Kernel, Simd};

/// Multiplies each element by 0 or `1 / (1 - rate)`: values forward, and gradients with the same keys backward.
pub(crate) struct DropOut<'a> {
    /// One for each sample of the group, from [`keys`].
    pub(crate) keys: &'a [u32; LANES],
    /// Probability.
    pub(crate) rate: f32,
    /// The elements.
    pub(crate) elements: &'a mut [Lanes],
}

/// Keys of the samples of a group, `first` being the batch's index of the first.
pub(crate) fn keys(seed: u64, step: u64, dropout: usize, first: usize) -> [u32; LANES] {
    std::array::from_fn(|lane| {
        let sample = (dropout as u64) << 32 | (first + lane) as u64;
        (draw(seed, Purpose::Dropout, step, sample) >> 32) as u32
    })
}

impl Kernel for DropOut<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let scale = 1.0 / (1.0 - self.rate);
        // Compared with the upper 31 bits, as signed numbers are what every CPU compares.
        let limit = (f64::from(self.rate) * f64::from(1u32 << 31)) as i32;
        let mut counter = 0u32;
        for y in self.elements {
            for l in 0..LANES {
                // The finaliser of MurmurHash3 (Appleby) over key + counter.
                let mut h = self.keys[l].wrapping_add(counter);
                h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
                h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
                h ^= h >> 16;
                y.0[l] = if ((h >> 1) as i32) < limit { 0.0 } else { y.0[l] * scale };
            }
            counter = counter.wrapping_add(0x9e37_79b9);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float::simd::Isa;

    #[test]
    fn the_rate_is_kept_and_samples_steps_and_places_differ() {
        let dropped = |seed, step, dropout, first| {
            let mut y = vec![Lanes::splat(3.0); 2_000];
            let keys = keys(seed, step, dropout, first);
            for isa in Isa::all() {
                let mut again = vec![Lanes::splat(3.0); 2_000];
                isa.run(DropOut { keys: &keys, rate: 0.25, elements: &mut again });
                y = again;
            }
            y
        };
        let y = dropped(1, 2, 3, 0);
        let zeros: usize = y.iter().map(|y| y.0.iter().filter(|&&y| y == 0.0).count()).sum();
        assert!((7_700..8_300).contains(&zeros), "{zeros} of 32000");
        assert!(y.iter().all(|y| y.0.iter().all(|&y| y == 0.0 || y == 4.0)));
        for lane in 1..LANES {
            let same = y.iter().filter(|y| y.0[0] == y.0[lane]).count();
            assert!((1_130..1_370).contains(&same), "lane {lane}: {same} of 2000 as in lane 0");
        }
        // The same sample in another lane of another group draws the same.
        let shifted = dropped(1, 2, 3, 4);
        assert!(y.iter().zip(&shifted).all(|(a, b)| a.0[4] == b.0[0]));
        for other in [dropped(2, 2, 3, 0), dropped(1, 3, 3, 0), dropped(1, 2, 4, 0)] {
            let same = y.iter().zip(&other).filter(|(a, b)| a.0[0] == b.0[0]).count();
            assert!((1_130..1_370).contains(&same), "{same}");
        }
    }
}
