//! Matrix times vector, eight units a time.
//!
//! Inputs are widened to int16 once. Each word of weights, two units by two inputs, is loaded once and serves four
//! products.

use super::activate;
use crate::arch::Isa;
use crate::arch::packed::Eights;
use crate::arch::run;
use crate::ir::IntData;
use crate::kernels::{Input, Output};

/// `W x + b` into `y`, weights packed as [`DspDense`](crate::ir::Packing::DspDense).
#[inline(never)]
pub(crate) fn dense<I: Isa>(isa: I, data: &IntData<'_>, x: Input<'_>, y: Output<'_>, scratch: &mut [i8]) {
    let pairs = x.data.len().div_ceil(2);
    let Some(wide) = scratch.get_mut(..4 * pairs) else { return };
    if let [.., a, b] = wide {
        (*a, *b) = (0, 0); // what an odd last element lacks
    }
    isa.widen(x.data, wide);
    let units = y.data.len();
    let from = |unit: usize| Eights {
        weights: run(data.weights, 2 * unit * pairs, data.weights.len().saturating_sub(2 * unit * pairs)),
        requant: run(data.requant, unit, data.requant.len().saturating_sub(unit)),
        bias: run(data.bias, unit, data.bias.len().saturating_sub(unit)),
        pairs,
        zero: y.zero,
    };
    let whole = units & !7;
    let Some((most, rest)) = y.data.split_at_mut_checked(whole) else { return };
    isa.eights(&from(0), wide, most);
    if !rest.is_empty() {
        let mut last = [0; 8];
        isa.eights(&from(whole), wide, &mut last);
        rest.iter_mut().zip(last).for_each(|(y, last)| *y = last);
    }
    activate(isa, y.data, data.clamp);
}
