//! Measures one inference of the model.
//!
//! Prints a line of heading, then a line a model: name, instructions (cycles on a board), those per MAC, bytes of
//! flash of this whole image, of the arena, and of stack below the call ([`firmware::cost`]).
#![no_std]
#![no_main]

use firmware::cost::{Cost, flash, plausible, ratio};
use firmware::model::{NAME, Net};
use firmware::{FAILURE, SUCCESS, board, exit, sample};
use zipnet::{Engine, Memory, Model};

/// Multiplications by a weight in one inference.
const MACS: u32 = {
    let macs = Engine::<Net>::MACS;
    assert!(macs < 1 << 28, "the ratio is computed in 32 bits");
    macs as u32
};

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut ENGINE: Engine<Net> = Engine::new();
    board::take();

    if !plausible() {
        defmt::warn!("the counter is off (QEMU needs -icount shift=7)");
    }
    let Ok(cost) = Cost::of(ENGINE, sample()) else {
        defmt::error!("the first golden sample of {=str} is no input", NAME);
        exit(FAILURE)
    };
    let (whole, thousandths) = ratio(cost.count, MACS);
    defmt::info!(
        "# name {=str} {=str}_per_mac flash_bytes arena_bytes stack_bytes",
        board::UNIT,
        board::UNIT
    );
    defmt::info!(
        "{=str} {=u32} {=u32}.{=u32:03} {=usize} {=usize} {=usize}",
        NAME,
        cost.count,
        whole,
        thousandths,
        flash(),
        <Net as Model>::Arena::LEN,
        cost.stack,
    );
    exit(SUCCESS)
}
