//! ST Nucleo-F446RE (Cortex-M4F), run at 16 MHz, where its flash needs no wait states: cycles measured there are
//! those of the core alone.

use defmt_rtt as _;
use stm32f4xx_hal::gpio::{Output, PA5};
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::timer::SysDelay;
use stm32f4xx_hal::{pac, rcc::Config};

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
    /// LD2, the green one.
    pub led: PA5<Output>,
    /// SysTick.
    pub delay: SysDelay,
}

/// The board on its internal oscillator, its counter running.
pub fn take() -> Board {
    let (Some(mut core), Some(chip)) = (cortex_m::Peripherals::take(), pac::Peripherals::take()) else {
        crate::exit(crate::FAILURE)
    };
    core.DCB.enable_trace();
    core.DWT.enable_cycle_counter();
    let mut rcc = chip.RCC.freeze(Config::hsi());
    let led = chip.GPIOA.split(&mut rcc).pa5.into_push_pull_output();
    Board { led, delay: core.SYST.delay(&rcc.clocks) }
}

/// Cycles between two readings of the counter, which wraps after 268 seconds.
pub fn counts(start: u32, stop: u32) -> u32 {
    stop.wrapping_sub(start)
}
