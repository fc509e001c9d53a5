//! One number for each of sixteen samples: the unit of storage and of arithmetic.
//!
//! A batch is a list of groups of [`LANES`] samples. Within a group a tensor is `[h][w][c]` of [`Lanes`], so that
//! whatever an operator does to one sample it does to sixteen with the same instructions, whatever its shape, and
//! never moves data between lanes. The width is 16 on every CPU (one AVX-512 register, two of AVX2, four of NEON),
//! so that sums over a batch are added in the same order everywhere.

/// Samples in a group.
pub const LANES: usize = 16;

/// One element of a tensor for the samples of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Lanes(pub(crate) [f32; LANES]);

impl Lanes {
    /// Sixteen zeros.
    pub(crate) const ZERO: Self = Self([0.0; LANES]);

    /// Sixteen times the same.
    pub(crate) const fn splat(x: f32) -> Self {
        Self([x; LANES])
    }

    /// Sum over the samples: lane `l` and lane `l + 8` first, then 4, 2 and 1 apart, on every CPU.
    #[inline(always)]
    pub(crate) fn sum(&self) -> f32 {
        let x = &self.0;
        let mut eight = [0.0; 8];
        for l in 0..8 {
            eight[l] = x[l] + x[l + 8];
        }
        let mut four = [0.0; 4];
        for l in 0..4 {
            four[l] = eight[l] + eight[l + 4];
        }
        (four[0] + four[2]) + (four[1] + four[3])
    }

    /// 1 in the first `count` lanes, 0 in the rest.
    pub(crate) fn mask(count: usize) -> Self {
        let mut lanes = Self::ZERO;
        lanes.0[..count].fill(1.0);
        lanes
    }
}

/// Writes [`LANES`] samples that lie back to back, each into its lane.
///
/// # Panics
/// When `samples` does not hold as many elements as `group`, [`LANES`] times.
pub(crate) fn put(samples: &[f32], group: &mut [Lanes]) {
    let len = group.len();
    assert_eq!(samples.len(), len * LANES);
    // A line of sixteen elements of every sample at a time, so that what is written stays near.
    for (block, group) in group.chunks_mut(LANES).enumerate() {
        for (lane, sample) in samples.chunks_exact(len).enumerate() {
            for (lanes, &x) in group.iter_mut().zip(&sample[block * LANES..]) {
                lanes.0[lane] = x;
            }
        }
    }
}

/// Reads the samples of the first lanes, as many as fit `samples`, back to back.
///
/// # Panics
/// When `samples` is not a whole number of samples, [`LANES`] at most.
pub(crate) fn take(group: &[Lanes], samples: &mut [f32]) {
    let len = group.len();
    assert!(samples.len().is_multiple_of(len) && samples.len() <= len * LANES);
    for (lane, sample) in samples.chunks_exact_mut(len).enumerate() {
        for (x, lanes) in sample.iter_mut().zip(group) {
            *x = lanes.0[lane];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_from_their_lanes() {
        for len in [3, 16, 35] {
            let samples: Vec<f32> = (0..len * LANES).map(|i| i as f32).collect();
            let mut group = vec![Lanes::splat(-1.0); len];
            put(&samples, &mut group);
            assert_eq!(group[2].0[5], (5 * len + 2) as f32);
            for count in [1, LANES] {
                let mut out = vec![0.0; count * len];
                take(&group, &mut out);
                assert_eq!(out, samples[..count * len]);
            }
        }
    }

    #[test]
    fn the_sum_is_over_all_lanes_and_the_mask_over_some() {
        let x = Lanes(std::array::from_fn(|l| (1u32 << l) as f32));
        assert_eq!(x.sum(), 65_535.0);
        assert_eq!(Lanes::mask(5).sum(), 5.0);
        assert_eq!(Lanes::mask(5).0[4..6], [1.0, 0.0]);
    }
}
