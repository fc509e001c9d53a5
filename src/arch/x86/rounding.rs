//! Requantisation in one rounding.
//!
//! With a shift `e` to the right of 1 or more, the two roundings of [`crate::fixed::requantise`] are one floor. With
//! `p = acc * multiplier`, the first is `v = floor((p + 2^30) / 2^31)`, the second `floor((v + 2^(e-1) - (v < 0)) / 2^e)`;
//! so both are `floor((p + 2^30 + 2^(30+e) - 2^31 (v < 0)) / 2^(31+e))`. `p < 0` serves for `v < 0`, and so does
//! `acc < 0`: they differ only where `v` is 0, and with `e >= 1` that 0 becomes 0 either way.
//!
//! Of that sum the upper 32 bits serve, shifted to the right by `e - 1`: a floor of a floor. No product leaves 63 bits,
//! whatever the factors.
//!
//! What `v < 0` decides is a tie below zero. Where an activation raises all that is not positive to the zero point, as
//! ReLU does, it decides nothing and is left out.

use crate::arch::Store;

/// How ties are rounded: it does not show, away from zero, or in two roundings as no factor is known.
pub(super) const HIDDEN: u8 = 0;
/// See [`HIDDEN`].
pub(super) const AWAY: u8 = 1;
/// See [`HIDDEN`].
pub(super) const TWICE: u8 = 2;

/// How outputs are rounded, told whether every shift is to the right by 1 or more.
pub(super) fn rounding(regular: bool, store: Store) -> u8 {
    match regular {
        false => TWICE,
        true if store.clamp.low < store.zero => AWAY,
        true => HIDDEN,
    }
}
