//! Nordic nRF52840-DK (Cortex-M4F at 64 MHz).

use defmt_rtt as _;
use nrf52840_hal::gpio::{Level, Output, Pin, PushPull, p0};
use nrf52840_hal::{Clocks, Delay, pac};

/// What [`counts`] counts.
pub const UNIT: &str = "cycles";
/// Whether semihosting is always there.
pub const HOSTED: bool = false;
/// Whether the app begins anew when it is through.
pub const REPEAT: bool = true;
/// Address of a counter that always runs: `DWT_CYCCNT`.
pub const COUNTER: u32 = 0xe000_1004;

/// The LED and the clock of the board.
pub struct Board {
    /// LED1.
    pub led: Led,
    /// SysTick.
    pub delay: Delay,
}

/// The board at its full speed, its counter running.
pub fn take() -> Board {
    let (Some(mut core), Some(chip)) = (cortex_m::Peripherals::take(), pac::Peripherals::take()) else {
        crate::exit(crate::FAILURE)
    };
    core.DCB.enable_trace();
    core.DWT.enable_cycle_counter();
    Clocks::new(chip.CLOCK).enable_ext_hfosc();
    // The instruction cache is off after a reset.
    chip.NVMC.icachecnf.write(|w| w.cacheen().enabled());
    let pins = p0::Parts::new(chip.P0);
    let led = Led { pin: pins.p0_13.into_push_pull_output(Level::High).degrade() };
    Board { led, delay: Delay::new(core.SYST) }
}

/// Cycles between two readings of the counter, which wraps after 67 seconds.
pub fn counts(start: u32, stop: u32) -> u32 {
    stop.wrapping_sub(start)
}

/// LED1, which is lit while its pin is low.
pub struct Led {
    pin: Pin<Output<PushPull>>,
}

impl embedded_hal::digital::ErrorType for Led {
    type Error = core::convert::Infallible;
}

impl embedded_hal::digital::OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        self.pin.set_high()
    }

    fn set_high(&mut self) -> Result<(), Self::Error> {
        self.pin.set_low()
    }
}
