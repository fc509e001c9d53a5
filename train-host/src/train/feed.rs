//! Which samples, in which order.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::Samples;
use super::draw::{Purpose, draw};
use super::group::Group;
use crate::float::lanes::LANES;
use crate::{Error, Result};

impl Samples<'_> {
    /// Number of samples.
    ///
    /// # Errors
    /// Where inputs and labels do not fit a net of `input` elements and `classes` outputs, or there are none.
    pub(crate) fn check(&self, what: &str, input: usize, classes: usize) -> Result<usize> {
        let count = self.labels.len();
        if count == 0 {
            return Err(Error::new(format!("the {what} data has no samples")));
        }
        if self.inputs.len() != count * input {
            return Err(Error::new(format!(
                "the {what} data has {} values and {count} labels; the net takes {input} values a sample",
                self.inputs.len()
            )));
        }
        match self.labels.iter().position(|&label| usize::from(label) >= classes) {
            Some(at) => Err(Error::new(format!(
                "sample {at} of the {what} data has label {}; the net has {classes} outputs",
                self.labels[at]
            ))),
            None => Ok(count),
        }
    }

    /// A sample.
    pub(crate) fn input(&self, at: usize, len: usize) -> &[f32] {
        &self.inputs[at * len..][..len]
    }
}

/// Puts `items` in an order drawn from the seed, for a purpose and a number within it.
pub(crate) fn shuffle(items: &mut [u32], seed: u64, purpose: Purpose, number: u64) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(draw(seed, purpose, number, 0));
    for i in (1..items.len()).rev() {
        // The upper half of the product is uniform below i + 1, up to one part in 2^32.
        let j = ((rng.next_u64() >> 32) * (i as u64 + 1)) >> 32;
        items.swap(i, j as usize);
    }
}

/// Deals a batch of `count` samples out to the first groups, [`LANES`] to each but the last; returns those groups.
pub(crate) fn deal(groups: &mut [Group], count: usize) -> &mut [Group] {
    let groups = &mut groups[..count.div_ceil(LANES)];
    for (i, group) in groups.iter_mut().enumerate() {
        group.first = i * LANES;
        group.count = (count - group.first).min(LANES);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_holds_everything_once_and_depends_on_seed_and_draw() {
        let order = |seed, number| {
            let mut items: Vec<u32> = (0..100).collect();
            shuffle(&mut items, seed, Purpose::Order, number);
            items
        };
        let first = order(1, 0);
        assert_eq!(first, order(1, 0));
        assert!(first != order(1, 1) && first != order(2, 0));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
        // The first place is taken by the lower half about every second time.
        let low = (0..1000).filter(|&number| order(7, number)[0] < 50).count();
        assert!((430..570).contains(&low), "{low}");
    }

    #[test]
    fn samples_that_do_not_fit_are_refused() {
        let check = |inputs: &[f32], labels: &[u16]| {
            Samples { inputs, labels }.check("test", 2, 3).map_err(|e| e.to_string())
        };
        assert_eq!(check(&[0.0; 4], &[0, 2]), Ok(2));
        assert!(check(&[0.0; 4], &[0, 3]).is_err_and(|e| e.contains("sample 1") && e.contains("label 3")));
        assert!(check(&[0.0; 5], &[0, 2]).is_err_and(|e| e.contains("5 values and 2 labels")));
        assert!(check(&[], &[]).is_err_and(|e| e.contains("no samples")));
    }
}
