//! Random numbers, the same on every machine.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// xoshiro256++, seeded through SplitMix64, so that seeds which differ in one bit give unrelated numbers.
pub(super) struct Random(Xoshiro256PlusPlus);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Uniform from 0 up to but without 1, in steps of 2^-24.
    pub(super) fn unit(&mut self) -> f32 {
        (self.0.next_u64() >> 40) as f32 * (1.0 / (1 << 24) as f32)
    }

    /// Uniform within `most` of 0.
    pub(super) fn either_way(&mut self, most: f32) -> f32 {
        (2.0 * self.unit() - 1.0) * most
    }

    /// A whole number from `-most` to `most`, each as likely (to within 2^-32).
    pub(super) fn whole(&mut self, most: u16) -> f32 {
        self.below(2 * usize::from(most) + 1) as f32 - f32::from(most)
    }

    /// A whole number from 0 up to but without `count`, each as likely (to within 2^-32); `count` is from 1 to 2^32.
    pub(super) fn below(&mut self, count: usize) -> usize {
        (((self.0.next_u64() >> 32) * count as u64) >> 32) as usize
    }

    /// Two independent numbers of the standard normal distribution (G. Marsaglia's polar method, 1964).
    pub(super) fn normal_pair(&mut self) -> (f32, f32) {
        loop {
            let (u, v) = (self.either_way(1.0), self.either_way(1.0));
            let square = u * u + v * v;
            if square > 0.0 && square < 1.0 {
                let stretch = (-2.0 * libm::logf(square) / square).sqrt();
                return (u * stretch, v * stretch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_numbers_fill_their_range() {
        let mut random = Random::new(1);
        let all: Vec<f32> = (0..10_000).map(|_| random.either_way(3.0)).collect();
        assert!(all.iter().all(|v| (-3.0..3.0).contains(v)));
        assert!(all.iter().any(|&v| v < -2.99) && all.iter().any(|&v| v > 2.99));
        // The mean of 10,000 has a standard deviation of 3 / sqrt(3) / 100.
        assert!((all.iter().sum::<f32>() / 1e4).abs() < 0.08);
        assert!((0..10_000).all(|_| (0.0..1.0).contains(&random.unit())));
    }

    #[test]
    fn whole_numbers_are_equally_likely() {
        let mut random = Random::new(2);
        let mut count = [0; 5];
        for _ in 0..10_000 {
            count[(random.whole(2) + 2.0) as usize] += 1;
        }
        // 2,000 each, standard deviation 40.
        assert!(count.iter().all(|c| (1800..2200).contains(c)), "{count:?}");
        assert!((0..100).all(|_| random.whole(0) == 0.0));
    }

    #[test]
    fn normal_numbers_have_the_shares_of_the_normal_distribution() {
        let mut random = Random::new(3);
        let all: Vec<f32> = (0..50_000).flat_map(|_| <[f32; 2]>::from(random.normal_pair())).collect();
        let share =
            |test: fn(f32) -> bool| all.iter().filter(|v| test(**v)).count() as f64 / all.len() as f64;
        assert!((share(|v| v < 0.0) - 0.5).abs() < 0.01);
        assert!((share(|v| v.abs() < 1.0) - 0.6827).abs() < 0.01);
        assert!((share(|v| v.abs() < 2.0) - 0.9545).abs() < 0.005);
        assert!((share(|v| v > 3.0) - 0.00135).abs() < 0.001);
        let product: f32 = all.chunks_exact(2).map(|pair| pair[0] * pair[1]).sum();
        assert!((product / 50_000.0).abs() < 0.03, "the two of a pair are independent");
    }
}
