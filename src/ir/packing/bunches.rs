//! Units that are computed together.

use super::Packed;

/// Runs of a long window, of as many pairs of elements each, whose sums are told apart one by one and then added up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sections {
    /// How many.
    pub count: usize,
    /// Pairs of elements of a section; of the last one some may be none.
    pub pairs: usize,
}

impl Sections {
    /// The most pairs of a section: `512 * 127 * 128 < 2^23`, so no sum leaves 24 bits.
    pub const PAIRS: usize = 256;

    /// The most sections of a window.
    pub const MOST: usize = 32;

    /// As few sections as so many pairs take.
    pub const fn of(pairs: usize) -> Self {
        let count = pairs.div_ceil(Self::PAIRS);
        Self { count, pairs: if count == 0 { 0 } else { pairs.div_ceil(count) } }
    }
}

/// How many bunches of units there are: large ones, then such of two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bunches {
    /// Units of a large bunch.
    pub size: usize,
    /// Large bunches.
    pub large: usize,
    /// Bunches of two behind them. The first unit of the last one may be none. Two of them behind quads are one bunch of
    /// three units.
    pub twos: usize,
}

impl Bunches {
    /// So many units by fours.
    pub const fn quads(units: usize) -> Self {
        Self { size: 4, large: units / 4, twos: (units % 4).div_ceil(2) }
    }

    /// So many units by eights. Of seven an eight is made, for four twos take longer.
    pub const fn eights(units: usize) -> Self {
        match units % 8 {
            7 => Self { size: 8, large: units / 8 + 1, twos: 0 },
            rest => Self { size: 8, large: units / 8, twos: rest.div_ceil(2) },
        }
    }

    /// Units in large bunches, with what fills up the last one.
    pub const fn in_large(&self) -> usize {
        self.size * self.large
    }

    /// Units of all bunches, with what fills them up.
    pub const fn units(&self) -> usize {
        self.in_large() + 2 * self.twos
    }

    /// Pairs of so many elements of a dense layer, filled up to an even number.
    pub const fn pairs(elements: usize) -> usize {
        2 * elements.div_ceil(4)
    }

    /// What a dense layer over so many elements has.
    pub(super) const fn lengths(&self, elements: usize) -> Packed {
        let (units, pairs) = (self.units(), Self::pairs(elements));
        let scratch = if self.large > 0 { 4 * pairs } else { 0 };
        Packed { weights: 2 * units * pairs, bias: units, requant: units, scratch }
    }

    /// About so many cycles for two pixels of so many units, by fours, whose windows are so many runs of so many pairs of
    /// elements.
    pub(super) const fn cycles(units: usize, runs: usize, pairs: usize) -> usize {
        let all = runs * pairs;
        let rest = match units % 4 {
            0 => 0,
            1 => 60 + 20 * runs + 6 * all,
            2 => 75 + 20 * runs + 9 * all,
            _ => 90 + 20 * runs + 12 * all,
        };
        units / 4 * (95 + 23 * runs + 15 * all) + rest
    }
}
