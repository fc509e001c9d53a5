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

/// Writes one sample into its lane.
///
/// # Panics
/// When the lengths differ or `lane` is not below [`LANES`].
pub(crate) fn put(sample: &[f32], lane: usize, group: &mut [Lanes]) {
    assert!(sample.len() == group.len() && lane < LANES);
    for (lanes, &x) in group.iter_mut().zip(sample) {
        lanes.0[lane] = x;
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
        let mut group = vec![Lanes::splat(-1.0); 3];
        put(&[1.0, 2.0, 3.0], 0, &mut group);
        put(&[4.0, 5.0, 6.0], 1, &mut group);
        let mut out = [0.0; 6];
        take(&group, &mut out);
        assert_eq!(out, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(group[0].0[2], -1.0);
    }

    #[test]
    fn the_sum_is_over_all_lanes_and_the_mask_over_some() {
        let x = Lanes(std::array::from_fn(|l| (1u32 << l) as f32));
        assert_eq!(x.sum(), 65_535.0);
        assert_eq!(Lanes::mask(5).sum(), 5.0);
        assert_eq!(Lanes::mask(5).0[4..6], [1.0, 0.0]);
    }
}
