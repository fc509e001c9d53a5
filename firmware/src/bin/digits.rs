//! The app: classifies the golden samples one after another, logs each class and shows it on the LED.
#![no_std]
#![no_main]

use firmware::model::{GOLDEN, LABELS, NAME, Net};
use firmware::{app, board, cost::infer, exit};
use zipnet::{Engine, argmax};

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut ENGINE: Engine<Net> = Engine::new();
    let mut board = board::take();

    defmt::info!("{=str}", NAME);
    loop {
        for (sample, golden) in GOLDEN.iter().enumerate() {
            let Ok(scores) = infer(ENGINE, golden.input) else { exit(false) };
            let class = argmax(scores);
            defmt::info!("sample {=usize}: {=str}", sample, LABELS.get(class).copied().unwrap_or("?"));
            if app::show(class, &mut board.led, &mut board.delay).is_err() {
                defmt::error!("the LED does not answer");
                exit(false);
            }
        }
        if !board::REPEAT {
            exit(true);
        }
    }
}
