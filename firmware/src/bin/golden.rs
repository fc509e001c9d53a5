//! Runs every golden sample of the model: the scores must equal those of the host, byte for byte.
#![no_std]
#![no_main]

use firmware::model::{GOLDEN, NAME, Net};
use firmware::{FAILURE, SUCCESS, board, cost::infer, exit};
use zipnet::{Engine, Golden};

/// Elements of an input.
const INPUT: usize = Engine::<Net>::INPUT.shape.len();
/// One more than that.
static LONG: [i8; INPUT + 1] = [0; INPUT + 1];

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut ENGINE: Engine<Net> = Engine::new();
    board::take();

    let mut wrong = 0;
    for (sample, golden) in GOLDEN.iter().enumerate() {
        wrong += usize::from(!equal(ENGINE, sample, golden));
    }
    for elements in [0, INPUT - 1, INPUT + 1] {
        let input = LONG.get(..elements).unwrap_or_default();
        if infer(ENGINE, input).is_ok() {
            defmt::error!("an input of {=usize} elements is taken for one of {=usize}", input.len(), INPUT);
            wrong += 1;
        }
    }
    if GOLDEN.is_empty() {
        defmt::error!("the table of {=str} holds no golden sample", NAME);
        wrong += 1;
    }
    if wrong == 0 {
        defmt::info!("{=str}: {=usize} of {=usize} samples bit-equal", NAME, GOLDEN.len(), GOLDEN.len());
    } else {
        defmt::error!("{=str}: {=usize} checks failed, {=usize} samples", NAME, wrong, GOLDEN.len());
    }
    exit(if wrong == 0 { SUCCESS } else { FAILURE })
}

/// Whether a sample's scores are the golden ones; tells where they first differ.
fn equal(engine: &mut Engine<Net>, sample: usize, golden: &Golden) -> bool {
    let Ok(output) = infer(engine, golden.input) else {
        defmt::error!(
            "sample {=usize}: the input has {=usize} elements, not {=usize}",
            sample,
            golden.input.len(),
            INPUT
        );
        return false;
    };
    if output.len() != golden.output.len() {
        defmt::error!(
            "sample {=usize}: {=usize} scores, golden are {=usize}",
            sample,
            output.len(),
            golden.output.len()
        );
        return false;
    }
    for (byte, (&ours, &theirs)) in output.iter().zip(golden.output).enumerate() {
        if ours != theirs {
            defmt::error!(
                "sample {=usize}: output byte {=usize} is {=i8}, golden is {=i8}",
                sample,
                byte,
                ours,
                theirs
            );
            return false;
        }
    }
    true
}
