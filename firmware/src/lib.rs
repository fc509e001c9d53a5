//! What every firmware binary shares: the board, the model, the app, and the measuring of one inference.
//!
//! | module | question it answers |
//! |---|---|
//! | [`board`] | which pins and clocks? one file and one linker script a board, chosen by a feature |
//! | [`model`] | which network? a table written by `train-host`, chosen by `ZIPNET_MODEL` when building |
//! | [`app`] | what does it do? shows classes on an LED; knows `embedded-hal`, not the board |
//! | [`cost`] | what does it take? counts, and the stack, of one inference |
//! | [`laps`] | which layer takes it? |
//! | `memory` | how are bytes copied and filled, in little code? |
//!
//! Logs go through `defmt`: out of QEMU by semihosting, out of a board by RTT. `./launch` decodes them.
#![no_std]

pub mod app;
#[cfg_attr(feature = "nrf52840-dk", path = "boards/nrf52840_dk.rs")]
#[cfg_attr(feature = "nucleo-f446re", path = "boards/nucleo_f446re.rs")]
#[cfg_attr(feature = "qemu-an547", path = "boards/qemu_an547.rs")]
#[cfg_attr(
    not(any(feature = "nrf52840-dk", feature = "nucleo-f446re", feature = "qemu-an547")),
    path = "boards/qemu_an386.rs"
)]
pub mod board;
pub mod cost;
pub mod laps;
#[cfg(small_memory)]
mod memory;

/// The network: `Net`, its `NAME` and `LABELS`, and the `GOLDEN` samples of the host.
#[allow(missing_docs, reason = "generated")]
pub mod model {
    include!(concat!(env!("OUT_DIR"), "/model.rs"));
}

use core::panic::PanicInfo;
use cortex_m::peripheral::DCB;

/// The input to measure on: the first golden sample, zeros where the table holds none.
pub fn sample() -> &'static [i8] {
    const ELEMENTS: usize = zipnet::Engine::<model::Net>::INPUT.shape.len();
    static ZEROS: [i8; ELEMENTS] = [0; ELEMENTS];
    model::GOLDEN.first().map_or(&ZEROS[..], |golden| golden.input)
}

/// Exit code of a run that did what it should.
pub const SUCCESS: i32 = 0;
/// Exit code of a run that found something wrong, and has logged it.
pub const FAILURE: i32 = 1;
/// Exit code of a panic, as on a host.
const PANIC: i32 = 101;
/// Exit code of a fault of the processor.
const FAULT: i32 = 102;

/// Ends the program with an exit code of QEMU or of the debugger. Without either it sleeps for good.
pub fn exit(code: i32) -> ! {
    if board::HOSTED || DCB::is_debugger_attached() {
        semihosting::process::exit(code);
    }
    loop {
        cortex_m::asm::wfi();
    }
}

/// Nothing of the message is formatted: that would cost more flash than the engine.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(PANIC)
}

/// A fault ends the program too, where cortex-m-rt's own handler would spin.
#[cortex_m_rt::exception]
unsafe fn HardFault(_: &cortex_m_rt::ExceptionFrame) -> ! {
    exit(FAULT)
}
