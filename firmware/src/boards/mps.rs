//! What Arm's MPS2 and MPS3 boards share, as QEMU emulates them: a LED of the FPGA system control I/O, and SysTick to wait by.

use cortex_m::peripheral::{SCB, SYST, syst::SystClkSource};
use defmt_semihosting as _;
use embedded_hal::{delay::DelayNs, digital::ErrorType, digital::OutputPin};

/// What a board counts.
pub const UNIT: &str = "instructions";
/// Whether semihosting is always there.
pub const HOSTED: bool = true;
/// Whether the app begins anew when it is through.
pub const REPEAT: bool = false;

/// The LED and the clock of the board.
#[allow(missing_docs)]
pub struct Board {
    pub led: Led,
    pub delay: Delay,
}

unsafe extern "C" {
    fn DefaultHandler(); // of cortex-m-rt
}

/// Interrupts of the image.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".vector_table.interrupts")]
static __INTERRUPTS: [unsafe extern "C" fn(); 32] = [DefaultHandler; 32];

/// User LED 0: the address of its register.
pub struct Led(pub(super) *mut u32);

impl ErrorType for Led {
    type Error = core::convert::Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        // SAFETY: the register of the LEDs, which this type alone writes.
        unsafe { self.0.write_volatile(0) };
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Self::Error> {
        // SAFETY: as above.
        unsafe { self.0.write_volatile(1) };
        Ok(())
    }
}

/// Sleeps until SysTick. QEMU skips the time in which the core sleeps.
pub struct Delay {
    pub(super) timer: SYST,
    pub(super) megahertz: u32,
}

impl DelayNs for Delay {
    fn delay_ns(&mut self, ns: u32) {
        let Self { timer, megahertz } = self;
        let mut ticks = (ns / 1000 * *megahertz).saturating_add((ns % 1000 * *megahertz).div_ceil(1000));
        timer.set_clock_source(SystClkSource::Core);
        while ticks > 0 {
            let step = ticks.min(0x00ff_ffff);
            timer.set_reload(step);
            timer.clear_current();
            timer.enable_interrupt();
            timer.enable_counter();
            while !SCB::is_pendst_pending() {
                cortex_m::asm::wfi();
            }
            timer.disable_counter();
            SCB::clear_pendst();
            ticks -= step;
        }
    }
}
