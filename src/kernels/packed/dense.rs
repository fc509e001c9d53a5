//! Matrix times vector, eight units a time, the rest two by two.
//!
//! For eights inputs are widened to int16 once. Each word of weights, two units by two inputs, is loaded once and serves four
//! products. The rest reads inputs as they lie.

use super::{activate, factors, shared};
use crate::arch::Isa;
use crate::arch::packed::{Eights, Twos};
use crate::ir::{Bunches, IntData};
use crate::kernels::{Input, Output};

/// `W x + b` into `y`, weights packed as [`DspDense`](crate::ir::Packing::DspDense).
#[inline(never)]
pub(crate) fn dense<I: Isa>(isa: I, data: &IntData<'_>, x: Input<'_>, y: Output<'_>, scratch: &mut [i8]) {
    let Bunches { eights, twos } = Bunches::new(y.data.len());
    let eight: [_; 8] = shared(data.requant);
    let most = y.data.len().min(8 * eights);
    let Some((most, rest)) = y.data.split_at_mut_checked(most) else { return };
    let pairs = Bunches::pairs(x.data.len());
    if eights > 0 {
        let Some(wide) = scratch.get_mut(..4 * pairs) else { return };
        if let Some(last) = wide.last_chunk_mut::<8>() {
            last.fill(0); // what fills up the last two pairs
        }
        isa.widen(x.data, wide);
        let (requant, requant_step) = factors(data.requant, 0, &eight);
        let mut of_eights =
            Eights { weights: data.weights, requant, requant_step, bias: data.bias, pairs, zero: y.zero };
        let whole = most.len() & !7;
        let Some((whole, last)) = most.split_at_mut_checked(whole) else { return };
        isa.eights(&of_eights, wide, whole);
        if !last.is_empty() {
            let mut eight = [0; 8];
            of_eights.weights = data.weights.get(2 * whole.len() * pairs..).unwrap_or_default();
            of_eights.requant = requant.get(whole.len() / 8 * requant_step..).unwrap_or_default();
            of_eights.bias = data.bias.get(whole.len()..).unwrap_or_default();
            isa.eights(&of_eights, wide, &mut eight);
            last.iter_mut().zip(eight).for_each(|(y, last)| *y = last);
        }
    }
    if twos > 0 {
        let two: [_; 2] = shared(data.requant);
        let (requant, requant_step) = factors(data.requant, 8 * eights, &two);
        let weights = data.weights.get(16 * eights * pairs..).unwrap_or_default();
        let bias = data.bias.get(8 * eights..).unwrap_or_default();
        isa.twos(&Twos { weights, requant, requant_step, bias, zero: y.zero }, x.data, rest);
    }
    activate(isa, y.data, data.clamp);
}
