//! Arm's MPS3 board with the AN547 image (Cortex-M55), as QEMU emulates it. Registers: Arm DAI 0547.

#[path = "mps.rs"]
mod mps;

pub use mps::{Board, Delay, HOSTED, Led, REPEAT, UNIT};

/// Address of a counter that always runs: the lower word of the system counter, upwards at 32 MHz.
pub const COUNTER: u32 = 0x4810_1000;

/// Control register of the system counter.
const SYSTEM_COUNTER: *mut u32 = 0x5810_0000 as *mut u32;
/// LED register of the FPGA system control I/O.
const FPGAIO_LED0: *mut u32 = 0x4930_2000 as *mut u32;
/// Full access to CP10 and CP11, the registers of vectors.
const VECTORS: u32 = 0xf << 20;

unsafe extern "C" {
    static __vector_table: u32; // of cortex-m-rt
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
    Board { led: Led(FPGAIO_LED0), delay: Delay { timer: core.SYST, megahertz: 32 } }
}

/// Instructions between two readings of the counter, which wraps after 1e9 of them: with `-icount shift=7` QEMU's clock
/// moves by 128 ns each, 4.096 ticks.
pub fn counts(start: u32, stop: u32) -> u32 {
    let ticks = stop.wrapping_sub(start);
    ticks / 512 * 125 + (ticks % 512 * 125 + 256) / 512 // ticks * 125 / 512 within u32
}
