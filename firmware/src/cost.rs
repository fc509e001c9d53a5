//! What one inference takes: a count by the board's counter, and the depth of the stack.

use crate::board;
use crate::model::Net;
use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU32, Ordering};
use zipnet::{Engine, WrongLength};

static START: AtomicU32 = AtomicU32::new(0);
static STOP: AtomicU32 = AtomicU32::new(0);

/// Instructions of the markers that lie between the two readings of the counter: `str`, `bx` of the first, two `ldr` of
/// the second.
const OVERHEAD: u32 = 4;

/// Marks the beginning of an inference, here and for tools that watch for the symbol.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn bench_start() {
    naked_asm!(
        "ldr r1, ={start}",
        "ldr r0, ={counter}",
        "ldr r0, [r0]",
        "str r0, [r1]",
        "bx lr",
        ".ltorg",
        start = sym START,
        counter = const board::COUNTER,
    )
}

/// Marks its end.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn bench_stop() {
    naked_asm!(
        "ldr r0, ={counter}",
        "ldr r0, [r0]",
        "ldr r1, ={stop}",
        "str r0, [r1]",
        "bx lr",
        ".ltorg",
        stop = sym STOP,
        counter = const board::COUNTER,
    )
}

/// One inference between the markers.
///
/// # Errors
/// Those of [`Engine::run`].
#[inline(never)]
pub fn infer<'m>(engine: &'m mut Engine<Net>, input: &[i8]) -> Result<&'m [i8], WrongLength> {
    bench_start();
    let output = engine.run(input);
    bench_stop();
    output
}

/// What one inference takes.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Instructions from the return of [`bench_start`] to the entry of [`bench_stop`], the call of it counted; cycles
    /// where [`board::UNIT`] says so.
    pub count: u32,
    /// Bytes of stack below the stack pointer of the caller of [`infer`], to the deepest that it wrote to.
    pub stack: usize,
}

impl Cost {
    /// Runs one inference.
    ///
    /// # Errors
    /// Those of [`Engine::run`].
    pub fn of(engine: &mut Engine<Net>, input: &[i8]) -> Result<Self, WrongLength> {
        let top = paint();
        infer(engine, input)?;
        let stack = top - deepest(top);
        Ok(Self { count: counted(), stack })
    }
}

/// What [`Cost::count`] tells, of what last ran between [`bench_start`] and [`bench_stop`].
pub fn counted() -> u32 {
    board::counts(start(), stop()).saturating_sub(OVERHEAD)
}

/// The counter where [`bench_start`] was called last.
pub(crate) fn start() -> u32 {
    START.load(Ordering::Relaxed)
}

/// The counter where [`bench_stop`] was called last.
pub(crate) fn stop() -> u32 {
    STOP.load(Ordering::Relaxed)
}

/// `n / d` to the nearest thousandth, by long division: neither float nor 64 bits. `d` below 2^28; 0 for `d` = 0.
pub fn ratio(n: u32, d: u32) -> (u32, u32) {
    if d == 0 {
        return (0, 0);
    }
    let n = n.saturating_add(d / 2000);
    let (mut rest, mut thousandths) = (n % d, 0);
    for _ in 0..3 {
        rest *= 10;
        thousandths = thousandths * 10 + rest / d;
        rest %= d;
    }
    (n / d, thousandths)
}

/// Whether the counter tells what [`board::UNIT`] says, tried on a loop of 501 instructions: no fewer cycles, and in
/// QEMU exactly those, with the second reading.
pub fn plausible() -> bool {
    let (start, stop);
    // SAFETY: reads the counter; touches no memory else.
    unsafe {
        asm!(
            "ldr {start}, [{counter}]",
            "movs {n}, #250",
            "2: subs {n}, #1",
            "bne 2b",
            "ldr {stop}, [{counter}]",
            counter = in(reg) board::COUNTER,
            start = out(reg) start,
            stop = out(reg) stop,
            n = out(reg) _,
        );
    }
    let count = board::counts(start, stop);
    if board::HOSTED { count == 502 } else { count >= 502 }
}

/// What unused stack is painted with.
const PAINT: u32 = 0xc5c5_c5c5;

unsafe extern "C" {
    /// Where RAM begins that no static occupies (link.x).
    static mut __sheap: u32;
}

/// Paints the stack from its end up to the stack pointer, which it returns.
#[inline(always)]
fn paint() -> usize {
    let top;
    // SAFETY: writes words from the end of the statics to the stack pointer, memory nobody owns: there is no heap,
    // and no interrupt runs whose frame could lie there. Pushes nothing itself.
    unsafe {
        asm!(
            "mov {top}, sp",
            "2: cmp {at}, {top}",
            "bhs 3f",
            "stm {at}!, {{{paint}}}",
            "b 2b",
            "3:",
            at = inout(reg) &raw mut __sheap => _,
            top = out(reg) top,
            paint = in(reg) PAINT,
        );
    }
    top
}

/// Lowest address from the end of the stack up to `top` that no longer holds paint.
fn deepest(top: usize) -> usize {
    let mut at = (&raw mut __sheap).cast_const();
    // SAFETY: reads the words that `paint` wrote, all of them RAM.
    while (at as usize) < top && unsafe { at.read_volatile() } == PAINT {
        at = at.wrapping_add(1);
    }
    at as usize
}

/// Bytes of flash that the image takes: vectors, code, constants, and the initial values of statics.
pub fn flash() -> usize {
    unsafe extern "C" {
        static __vector_table: u8;
        static __sidata: u8;
        static __sdata: u8;
        static __edata: u8;
    }
    let data = (&raw const __edata as usize) - (&raw const __sdata as usize);
    (&raw const __sidata as usize) - (&raw const __vector_table as usize) + data
}
