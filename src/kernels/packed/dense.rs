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
    all::<I, false>(isa, data, x, y, scratch);
}

/// The same of sums of any size, packed as [`DspLongDense`](crate::ir::Packing::DspLongDense).
#[inline(never)]
pub(crate) fn long_dense<I: Isa>(
    isa: I,
    data: &IntData<'_>,
    x: Input<'_>,
    y: Output<'_>,
    scratch: &mut [i8],
) {
    all::<I, true>(isa, data, x, y, scratch);
}

/// All units.
#[inline(always)]
fn all<I: Isa, const LONG: bool>(
    isa: I,
    data: &IntData<'_>,
    x: Input<'_>,
    y: Output<'_>,
    scratch: &mut [i8],
) {
    let bunches = Bunches::eights(y.data.len());
    let units = bunches.in_large();
    let Some((most, rest)) = y.data.split_at_mut_checked(units.min(y.data.len())) else { return };
    if !most.is_empty() {
        eights::<I, LONG>(isa, data, x.data, (most, y.zero), scratch);
    }
    if bunches.twos > 0 {
        twos::<I, LONG>(isa, data, x.data, (rest, y.zero), units);
    }
    activate(isa, y.data, data.clamp);
}

/// The units by eights, of which the last may be one short.
#[inline(always)]
fn eights<I: Isa, const LONG: bool>(
    isa: I,
    data: &IntData<'_>,
    x: &[i8],
    (y, zero): (&mut [i8], i8),
    scratch: &mut [i8],
) {
    let pairs = Bunches::pairs(x.len());
    let Some(wide) = scratch.get_mut(..4 * pairs) else { return };
    if let Some(last) = wide.last_chunk_mut::<8>() {
        last.fill(0); // what fills up the last two pairs
    }
    isa.widen(x, wide);
    let eight: [_; 8] = shared(data.requant);
    let (requant, requant_step) = factors(data.requant, 0, &eight);
    let mut all = Eights { weights: data.weights, requant, requant_step, bias: data.bias, pairs, zero };
    let block = |all: &Eights<'_>, y: &mut [i8]| {
        if LONG { isa.long_eights(all, wide, y) } else { isa.eights(all, wide, y) }
    };
    let whole = y.len() & !7;
    let Some((most, rest)) = y.split_at_mut_checked(whole) else { return };
    block(&all, most);
    if !rest.is_empty() {
        let mut last = [0; 8];
        all.weights = data.weights.get(2 * whole * pairs..).unwrap_or_default();
        all.requant = requant.get(whole / 8 * requant_step..).unwrap_or_default();
        all.bias = data.bias.get(whole..).unwrap_or_default();
        block(&all, &mut last);
        rest.iter_mut().zip(last).for_each(|(y, last)| *y = last);
    }
}

/// The units behind so many of eights.
#[inline(never)]
fn twos<I: Isa, const LONG: bool>(
    isa: I,
    data: &IntData<'_>,
    x: &[i8],
    (y, zero): (&mut [i8], i8),
    units: usize,
) {
    let two: [_; 2] = shared(data.requant);
    let (requant, requant_step) = factors(data.requant, units, &two);
    let weights = data.weights.get(2 * units * Bunches::pairs(x.len())..).unwrap_or_default();
    let bias = data.bias.get(units..).unwrap_or_default();
    let all = Twos { weights, requant, requant_step, bias, zero };
    if LONG { isa.long_twos(&all, x, y) } else { isa.twos(&all, x, y) }
}
