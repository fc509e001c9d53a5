//! Random numbers as a function of what they are for, so that they depend neither on threads nor on what was drawn
//! before.

/// What a number is drawn for; no two purposes draw the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Which samples are held out.
    HoldOut,
    /// The order of an epoch.
    Order,
    /// Distortion of a sample in an epoch.
    Augment,
    /// Dropout of a sample in a step.
    Dropout,
}

/// 64 bits from a run's seed, a purpose, and two numbers within the purpose.
pub(crate) fn draw(seed: u64, purpose: Purpose, a: u64, b: u64) -> u64 {
    mix(mix(mix(mix(seed) ^ purpose as u64) ^ a) ^ b)
}

/// One step of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_matters() {
        let mut all = vec![
            draw(1, Purpose::Order, 2, 3),
            draw(2, Purpose::Order, 2, 3),
            draw(1, Purpose::Dropout, 2, 3),
            draw(1, Purpose::Augment, 2, 3),
            draw(1, Purpose::HoldOut, 2, 3),
            draw(1, Purpose::Order, 3, 3),
            draw(1, Purpose::Order, 2, 4),
            draw(1, Purpose::Order, 3, 2),
        ];
        assert_eq!(all[0], draw(1, Purpose::Order, 2, 3));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 8);
        let ones: u32 = (0..1000).map(|i| draw(1, Purpose::Order, i, 0).count_ones()).sum();
        assert!((31_600..32_400).contains(&ones), "{ones} of 64000 bits");
    }
}
