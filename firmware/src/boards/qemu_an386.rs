//! Arm's MPS2 board with the AN386 image (Cortex-M4F) or the AN385 one (Cortex-M3), as QEMU emulates it: to a program they
//! differ in the instructions of the core only. Registers: Arm DAI 0385, DAI 0386.

#[path = "mps.rs"]
mod mps;

pub use mps::{Board, Delay, HOSTED, Led, REPEAT, UNIT};

/// Address of a counter that always runs: the value of CMSDK timer 0, downwards at 25 MHz.
pub const COUNTER: u32 = 0x4000_0004;

/// Control, value and reload registers of CMSDK timer 0.
const TIMER0: *mut u32 = 0x4000_0000 as *mut u32;
/// LED register of the FPGA system control I/O.
const FPGAIO_LED0: *mut u32 = 0x4002_8000 as *mut u32;

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
    Board { led: Led(FPGAIO_LED0), delay: Delay { timer: core.SYST, megahertz: 25 } }
}

/// Instructions between two readings of the counter, which wraps after 1.3e9 of them: with `-icount shift=7` QEMU's
/// clock moves by 128 ns each, 3.2 ticks, so that rounding is exact.
pub fn counts(start: u32, stop: u32) -> u32 {
    let ticks = start.wrapping_sub(stop);
    ticks / 16 * 5 + (ticks % 16 * 5 + 8) / 16 // ticks * 5 / 16 within u32
}
