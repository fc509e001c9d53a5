//! Arm's MPS3 board with the AN547 image (Cortex-M55), as QEMU emulates it. Registers: Arm DAI 0547.

use cortex_m::peripheral::{SCB, SYST, syst::SystClkSource};
use defmt_semihosting as _;
use embedded_hal::{delay::DelayNs, digital::ErrorType, digital::OutputPin};

/// What [`counts`] counts.
pub const UNIT: &str = "instructions";
/// Whether semihosting is always there.
pub const HOSTED: bool = true;
/// Whether the app begins anew when it is through.
pub const REPEAT: bool = false;
/// Address of a counter that always runs: the lower word of the system counter, upwards at 32 MHz.
pub const COUNTER: u32 = 0x4810_1000;

/// Control register of the system counter.
const SYSTEM_COUNTER: *mut u32 = 0x5810_0000 as *mut u32;
/// LED register of the FPGA system control I/O.
const FPGAIO_LED0: *mut u32 = 0x4930_2000 as *mut u32;
/// Full access to CP10 and CP11, the registers of vectors.
const VECTORS: u32 = 0xf << 20;

/// The LED and the clock of the board.
#[allow(missing_docs)]
pub struct Board {
    pub led: Led,
    pub delay: Delay,
}

unsafe extern "C" {
    static __vector_table: u32; // of cortex-m-rt
    fn DefaultHandler();
}

/// The board, its vectors switched on, its counter running.
pub fn take() -> Board {
    let Some(core) = cortex_m::Peripherals::take() else { crate::exit(crate::FAILURE) };
    cortex_m::interrupt::disable(); // for good: SysTick only wakes
    // SAFETY: registers of the core and of the counter, which nothing else writes; the table is that of this image.
    unsafe {
        core.SCB.vtor.write(&raw const __vector_table as u32);
        core.SCB.cpacr.modify(|access| access | VECTORS);
        SYSTEM_COUNTER.write_volatile(1);
    }
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
    Board { led: Led, delay: Delay(core.SYST) }
}

/// Instructions between two readings of the counter, which wraps after 1e9 of them: with `-icount shift=7` QEMU's clock
/// moves by 128 ns each, 4.096 ticks.
pub fn counts(start: u32, stop: u32) -> u32 {
    let ticks = stop.wrapping_sub(start);
    ticks / 512 * 125 + (ticks % 512 * 125 + 256) / 512 // ticks * 125 / 512 within u32
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

/// Sleeps until SysTick at 32 MHz. QEMU skips the time in which the core sleeps.
pub struct Delay(SYST);

impl DelayNs for Delay {
    fn delay_ns(&mut self, ns: u32) {
        let (mut ticks, Self(timer)) = (ns.div_ceil(125).saturating_mul(4), self);
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
