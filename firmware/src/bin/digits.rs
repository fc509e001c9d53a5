//! The app: classifies the golden samples one after another, logs each class, with the label where that is another,
//! and shows it on the LED.
#![no_std]
#![no_main]

use firmware::model::{GOLDEN, LABELS, NAME, Net};
use firmware::{FAILURE, SUCCESS, app, board, cost::infer, exit};
use zipnet::{Engine, argmax};

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut ENGINE: Engine<Net> = Engine::new();
    let mut board = board::take();

    defmt::info!("{=str}", NAME);
    loop {
        for (sample, golden) in GOLDEN.iter().enumerate() {
            let Ok(scores) = infer(ENGINE, golden.input) else { exit(FAILURE) };
            let class = argmax(scores);
            if class == usize::from(golden.label) {
                defmt::info!("sample {=usize}: {=str}", sample, name(class));
            } else {
                defmt::info!(
                    "sample {=usize}: {=str} (is {=str})",
                    sample,
                    name(class),
                    name(golden.label.into())
                );
            }
            if app::show(class, &mut board.led, &mut board.delay).is_err() {
                defmt::error!("the LED does not answer");
                exit(FAILURE);
            }
        }
        if !board::REPEAT {
            exit(SUCCESS);
        }
    }
}

/// What a class is called.
fn name(class: usize) -> &'static str {
    LABELS.get(class).copied().unwrap_or("?")
}
