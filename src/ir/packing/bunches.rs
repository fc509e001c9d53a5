//! Units of a dense layer that are computed together.

use super::Packed;

/// How many bunches of eight and of two units there are, the last of either perhaps filled up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bunches {
    /// Of eight.
    pub eights: usize,
    /// Of two, behind them.
    pub twos: usize,
}

impl Bunches {
    /// Of so many units. Four twos take longer than an eight.
    pub const fn new(units: usize) -> Self {
        match units % 8 {
            7 => Self { eights: units / 8 + 1, twos: 0 },
            rest => Self { eights: units / 8, twos: rest.div_ceil(2) },
        }
    }

    /// Pairs of so many elements, filled up to an even number.
    pub const fn pairs(elements: usize) -> usize {
        2 * elements.div_ceil(4)
    }

    /// What a layer over so many elements has.
    pub(super) const fn lengths(&self, elements: usize) -> Packed {
        let (units, pairs) = (8 * self.eights + 2 * self.twos, Self::pairs(elements));
        let scratch = if self.eights > 0 { 4 * pairs } else { 0 };
        Packed { weights: 2 * units * pairs, bias: units, requant: units, scratch }
    }
}
