//! What blocks are told besides elements: weights with their factors, and how outputs are stored.

use super::{QUAD, run};
use crate::fixed::narrow;
use crate::ir::{Clamp, IntData, Requant};

/// A matrix of weights `[units][k]`, in the packing of the instruction set, and what makes int8 of its products.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    /// The weights.
    pub(crate) weights: &'a [i8],
    /// Weights of a unit.
    pub(crate) k: usize,
    /// A factor for each unit, or one for all.
    pub(super) requant: &'a [Requant],
    /// The first of them, for a quad.
    pub(super) shared: [Requant; QUAD],
    /// How the outputs are stored.
    pub(super) store: Store,
}

impl<'a> Matrix<'a> {
    /// The weights and factors of `data`, `k` weights a unit.
    #[inline(always)]
    pub(crate) fn new(data: &IntData<'a>, k: usize, store: Store) -> Self {
        let shared = [data.requant.first().copied().unwrap_or_default(); QUAD];
        Self { weights: data.weights, k, requant: data.requant, shared, store }
    }

    /// The factors of the units from `unit` on, at most a quad.
    #[inline(always)]
    pub(super) fn factors(&self, unit: usize, len: usize) -> &[Requant] {
        if self.requant.len() == 1 { run(&self.shared, 0, len) } else { run(self.requant, unit, len) }
    }
}

/// From two int8 operands to the int8 sum.
pub(crate) struct Sum {
    /// Zero points of the operands.
    pub(crate) zeros: [i8; 2],
    /// Factors of the operands, from 2^20 times their own scale to the scale of the sum's accumulator.
    pub(crate) operands: [Requant; 2],
    /// Factor from that accumulator to the output.
    pub(crate) requant: Requant,
    /// How the output is stored.
    pub(crate) store: Store,
}

/// How accumulators become int8.
#[derive(Clone, Copy)]
pub(crate) struct Store {
    /// Zero point of the output.
    pub(crate) zero: i8,
    /// Least and greatest output.
    pub(crate) clamp: Clamp,
}

impl Store {
    /// A requantised value as int8.
    #[inline(always)]
    pub(crate) const fn narrow(self, value: i32) -> i8 {
        narrow(value, self.zero, self.clamp.low, self.clamp.high)
    }
}
