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
//! The zero point is added before the shift, as `2^(31+e)` times itself, where that fits.
//!
//! What `v < 0` decides is a tie below zero. Where an activation raises all that is not positive to the zero point, as
//! ReLU does, it decides nothing and is left out.

use crate::arch::Store;

/// How ties are rounded: it does not show, or away from zero.
pub(super) const HIDDEN: u8 = 0;
/// See [`HIDDEN`].
pub(super) const AWAY: u8 = 1;
/// As [`AWAY`], but the zero point is added last, as before the shift it may not fit.
pub(super) const FAR: u8 = 2;
/// In two roundings, as no factor is known.
pub(super) const TWICE: u8 = 3;

/// What shifts some factors have.
#[derive(Clone, Copy)]
pub(super) struct Kinds {
    /// Whether all are to the right by 1 or more.
    pub(super) right: bool,
    /// Whether none is to the right by more than [`Kinds::NEAR`].
    pub(super) near: bool,
}

impl Kinds {
    /// The greatest shift with which `2^(31+e)` times a zero point and a product fit 64 bits together.
    pub(super) const NEAR: i32 = 23;
}

/// How outputs of such factors are rounded.
pub(super) fn rounding(mut all: impl Iterator<Item = Kinds> + Clone, store: Store) -> u8 {
    if !all.clone().all(|kinds| kinds.right) {
        TWICE
    } else if !all.all(|kinds| kinds.near) {
        FAR
    } else if store.clamp.low < store.zero {
        AWAY
    } else {
        HIDDEN
    }
}
