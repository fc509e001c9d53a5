//! Arm's MPS2 board with the AN386 image (Cortex-M4F) or the AN385 one (Cortex-M3), as QEMU emulates it: to a program they
//! differ in the instructions of the core only. Registers: Arm DAI 0385, DAI 0386.

use cortex_m::peripheral::{SCB, SYST, syst::SystClkSource};
use defmt_semihosting as _;
use embedded_hal::{delay::DelayNs, digital::ErrorType, digital::OutputPin};

/// What [`counts`] counts.
pub const UNIT: &str = "instructions";
/// Whether semihosting is always there.
pub const HOSTED: bool = true;
/// Whether the app begins anew when it is through.
pub const REPEAT: bool = false;
/// Address of a counter that always runs: the value of CMSDK timer 0, downwards at 25 MHz.
pub const COUNTER: u32 = 0x4000_0004;

/// Control, value and reload registers of CMSDK timer 0.
const TIMER0: *mut u32 = 0x4000_0000 as *mut u32;
/// LED register of the FPGA system control I/O.
const FPGAIO_LED0: *mut u32 = 0x4002_8000 as *mut u32;

/// The LED and the clock of the board.
#[allow(missing_docs)]
pub struct Board {
    pub led: Led,
    pub delay: Delay,
}

/// The board, its counter running.
pub fn take() -> Board {
    let Some(core) = cortex_m::Peripherals::take() else { crate::exit(crate::FAILURE) };
    cortex_m::interrupt::disable(); // for good: SysTick only wakes
    // SAFETY: registers of the timer, which nothing else writes.
    unsafe {
        TIMER0.add(1).write_volatile(u32::MAX);
        TIMER0.add(2).write_volatile(u32::MAX);
        TIMER0.write_volatile(1);
    }
    Board { led: Led, delay: Delay(core.SYST) }
}

/// Instructions between two readings of the counter, which wraps after 1.3e9 of them: with `-icount shift=7` QEMU's
/// clock moves by 128 ns each, 3.2 ticks, so that rounding is exact.
pub fn counts(start: u32, stop: u32) -> u32 {
    let ticks = start.wrapping_sub(stop);
    ticks / 16 * 5 + (ticks % 16 * 5 + 8) / 16 // ticks * 5 / 16 within u32
}

unsafe extern "C" {
    fn DefaultHandler(); // of cortex-m-rt
}

/// Interrupts of the image.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".vector_table.interrupts")]
static __INTERRUPTS: [unsafe extern "C" fn(); 32] = [DefaultHandler; 32];

/// User LED 0.
pub struct Led;

impl ErrorType for Led {
    type Error = core::convert::Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        // SAFETY: the register of the LEDs, which this type alone writes.
        unsafe { FPGAIO_LED0.write_volatile(0) };
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Self::Error> {
        // SAFETY: as above.
        unsafe { FPGAIO_LED0.write_volatile(1) };
        Ok(())
    }
}

/// Sleeps until SysTick at 25 MHz. QEMU skips the time in which the core sleeps.
pub struct Delay(SYST);

impl DelayNs for Delay {
    fn delay_ns(&mut self, ns: u32) {
        let (mut ticks, Self(timer)) = (ns.div_ceil(40), self);
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
