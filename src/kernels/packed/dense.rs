//! Matrix times vector, eight units a time.
//!
//! Inputs are widened to int16 once. Each word of weights, two units by two inputs, is loaded once and serves four
//! products.

use super::{activate, factors, shared};
use crate::arch::Isa;
use crate::arch::packed::Eights;
use crate::ir::IntData;
use crate::kernels::{Input, Output};

/// `W x + b` into `y`, weights packed as [`DspDense`](crate::ir::Packing::DspDense).
#[inline(never)]
pub(crate) fn dense<I: Isa>(isa: I, data: &IntData<'_>, x: Input<'_>, y: Output<'_>, scratch: &mut [i8]) {
    let pairs = 2 * x.data.len().div_ceil(4);
    let Some(wide) = scratch.get_mut(..4 * pairs) else { return };
    if let Some(last) = wide.last_chunk_mut::<8>() {
        last.fill(0); // what fills up the last two pairs
    }
    isa.widen(x.data, wide);
    let whole = y.data.len() & !7;
    let Some((most, rest)) = y.data.split_at_mut_checked(whole) else { return };
    let eight: [_; 8] = shared(data.requant);
    let (requant, requant_step) = factors(data.requant, 0, &eight);
    let mut eights =
        Eights { weights: data.weights, requant, requant_step, bias: data.bias, pairs, zero: y.zero };
    isa.eights(&eights, wide, most);
    if !rest.is_empty() {
        let mut last = [0; 8];
        eights.weights = data.weights.get(2 * whole * pairs..).unwrap_or_default();
        eights.requant = requant.get(whole / 8 * requant_step..).unwrap_or_default();
        eights.bias = data.bias.get(whole..).unwrap_or_default();
        isa.eights(&eights, wide, &mut last);
        rest.iter_mut().zip(last).for_each(|(y, last)| *y = last);
    }
    activate(isa, y.data, data.clamp);
}
