//! The packing by vectors of sixteen elements.

use zipnet::ir::{Conv2d, Packing, Vectors};

use super::halves::requant;
use crate::graph::IntStore;

/// A convolution as [`Packing::Vectors`].
pub(super) fn conv2d(conv: &Conv2d, plain: &IntStore) -> Option<IntStore> {
    let vectors = Vectors::new(conv);
    let units = usize::from(conv.units);
    let k = plain.weights.len() / units;
    let mut weights = Vec::with_capacity(vectors.groups * vectors.weights());
    for group in 0..vectors.groups {
        for quad in (0..vectors.units).step_by(Vectors::UNITS) {
            for vector in (0..vectors.pitch()).step_by(Vectors::ELEMENTS) {
                for unit in quad..quad + Vectors::UNITS {
                    let of = |j: usize| plain.weights[(group * vectors.units + unit) * k + j];
                    let elements = vector..vector + Vectors::ELEMENTS;
                    weights.extend(elements.map(|j| if unit < vectors.units && j < k { of(j) } else { 0 }));
                }
            }
        }
    }
    let requant = requant((0..units).map(|unit| plain.factor(unit)))?;
    Some(IntStore { weights, requant, packing: Packing::Vectors, ..plain.clone() })
}
