//! Arm's MPS2 board with the AN386 image (Cortex-M4F), as QEMU emulates it.
//!
//! Registers: Arm DAI 0386 (AN386), sections on the FPGA system control I/O and the CMSDK timers.

use core::arch::asm;
use core::convert::Infallible;
use cortex_m::peripheral::{SCB, SYST, syst::SystClkSource};
use defmt_semihosting as _;
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{ErrorType, OutputPin};

/// What [`counts`] counts.
pub const UNIT: &str = "instructions";
/// Whether semihosting is always there.
pub const HOSTED: bool = true;
/// Whether the app begins anew when it is through.
pub const REPEAT: bool = false;

/// LED register of the FPGA system control I/O; bit 0 is user LED 0.
const FPGAIO_LED0: *mut u32 = 0x4002_8000 as *mut u32;
/// Control, value and reload registers of CMSDK timer 0.
const TIMER0: *mut u32 = 0x4000_0000 as *mut u32;
/// Address of a counter that always runs: the value of the timer, downwards at 25 MHz.
pub const COUNTER: u32 = 0x4000_0004;
/// Cycles of SysTick in a microsecond.
const SYSTICK_MHZ: u32 = 25;

/// The LED and the clock of the board.
pub struct Board {
    /// User LED 0.
    pub led: Led,
    /// SysTick.
    pub delay: Delay,
}

/// The board, its counter running.
pub fn take() -> Board {
    let Some(core) = cortex_m::Peripherals::take() else { crate::exit(false) };
    // SAFETY: registers of the timer, which nothing else writes.
    unsafe {
        TIMER0.add(1).write_volatile(u32::MAX);
        TIMER0.add(2).write_volatile(u32::MAX);
        TIMER0.write_volatile(1);
    }
    Board { led: Led, delay: Delay { syst: core.SYST } }
}

/// Instructions between two readings of the counter.
///
/// With `-icount shift=7` QEMU's clock moves by 128 ns an instruction, 3.2 ticks, so that rounding is exact. The counter
/// wraps after 1.3e9 instructions.
pub fn counts(start: u32, stop: u32) -> u32 {
    let ticks = start.wrapping_sub(stop);
    ticks / 16 * 5 + (ticks % 16 * 5 + 8) / 16 // ticks * 5 / 16 within u32
}

/// Whether [`counts`] is exact, tried on a loop of 501 instructions.
pub fn exact() -> bool {
    let counter = COUNTER as *const u32;
    let (start, stop): (u32, u32);
    // SAFETY: reads the timer; touches no memory else.
    unsafe {
        asm!(
            "ldr {start}, [{counter}]",
            "mov {n}, #250",
            "2: subs {n}, #1",
            "bne 2b",
            "ldr {stop}, [{counter}]",
            start = out(reg) start,
            stop = out(reg) stop,
            n = out(reg) _,
            counter = in(reg) counter,
        );
    }
    counts(start, stop) == 502 // the second reading counts
}

/// User LED 0.
pub struct Led;

impl ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        // SAFETY: the register of the LEDs, which this type alone writes.
        unsafe { FPGAIO_LED0.write_volatile(0) };
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        // SAFETY: as above.
        unsafe { FPGAIO_LED0.write_volatile(1) };
        Ok(())
    }
}

/// Sleeps until SysTick: QEMU skips the time in which the core sleeps.
pub struct Delay {
    syst: SYST,
}

impl DelayNs for Delay {
    fn delay_ns(&mut self, ns: u32) {
        self.delay_us(ns.div_ceil(1000));
    }

    fn delay_us(&mut self, mut us: u32) {
        self.syst.set_clock_source(SystClkSource::Core);
        cortex_m::interrupt::disable(); // a pending interrupt wakes the core all the same
        while us > 0 {
            let step = us.min(0x00ff_ffff / SYSTICK_MHZ);
            self.syst.set_reload(step * SYSTICK_MHZ);
            self.syst.clear_current();
            self.syst.enable_interrupt();
            self.syst.enable_counter();
            while !SCB::is_pendst_pending() {
                cortex_m::asm::wfi();
            }
            self.syst.disable_counter();
            self.syst.disable_interrupt();
            SCB::clear_pendst();
            us -= step;
        }
        // SAFETY: no critical section is left: this one began above.
        unsafe { cortex_m::interrupt::enable() };
    }
}
