//! Shows a class on an LED, on any board.

use embedded_hal::{delay::DelayNs, digital::OutputPin};

/// Milliseconds of a short flash, and of the dark after each flash.
const SHORT: u32 = 200;
/// Milliseconds of a long flash, and of the dark between two classes.
const LONG: u32 = 800;

/// Flashes as often as `class` says; class 0 is one long flash. Returns in the dark.
///
/// # Errors
/// Those of the pin.
pub fn show<L: OutputPin>(class: usize, led: &mut L, delay: &mut impl DelayNs) -> Result<(), L::Error> {
    let (flashes, lit) = if class == 0 { (1, LONG) } else { (class, SHORT) };
    for _ in 0..flashes {
        led.set_high()?;
        delay.delay_ms(lit);
        led.set_low()?;
        delay.delay_ms(SHORT);
    }
    delay.delay_ms(LONG);
    Ok(())
}
