//! Measures one inference of the model.
//!
//! Prints a line of heading, then a line a model: name, instructions (cycles on a board), those per MAC, bytes of
//! flash of this whole image, of the arena, and of stack below the call ([`firmware::cost`]).
#![no_std]
#![no_main]

use firmware::cost::{Cost, flash, plausible};
use firmware::model::{GOLDEN, NAME, Net};
use firmware::{FAILURE, SUCCESS, board, exit};
use zipnet::{Engine, Memory, Model};

/// Multiplications by a weight in one inference.
const MACS: u32 = {
    let macs = Net::GRAPH.macs();
    assert!(macs < 1 << 28, "the ratio is computed in 32 bits");
    macs as u32
};

/// The input where the table holds no golden sample.
static ZEROS: [i8; Net::GRAPH.tensor(Net::GRAPH.input).shape.len()] =
    [0; Net::GRAPH.tensor(Net::GRAPH.input).shape.len()];

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut ENGINE: Engine<Net> = Engine::new();
    board::take();

    if !plausible() {
        defmt::warn!("the counter is off (QEMU needs -icount shift=7)");
    }
    let input = GOLDEN.first().map_or(&ZEROS[..], |golden| golden.input);
    let Ok(cost) = Cost::of(ENGINE, input) else {
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

/// `n / d` to the nearest thousandth, by long division: neither float nor 64 bits. `d` below 2^28; 0 for `d` = 0.
fn ratio(n: u32, d: u32) -> (u32, u32) {
    if d == 0 {
        return (0, 0);
    }
    let n = n.saturating_add(d / 2000);
    let (mut rest, mut thousandths) = (n % d, 0);
    for _ in 0..3 {
        rest *= 10;
        thousandths = thousandths * 10 + rest / d;
        rest %= d;
    }
    (n / d, thousandths)
}
