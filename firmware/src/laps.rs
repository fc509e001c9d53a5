//! What each layer of one inference takes.
//!
//! The engine tells when a layer is done, and a marker notes the counter. The markers' own instructions are taken out
//! of what is told, but for the call of each, one instruction a layer; so the sum is the count of a whole inference but
//! for that, and for a few that the compiler spends or saves otherwise in a loop with a call in it. Of cycles as many
//! are taken out as the markers have instructions, which take some more than one cycle each.

use crate::board;
use crate::cost::{bench_start, bench_stop, start, stop};
use crate::model::Net;
use core::arch::naked_asm;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use zipnet::{Engine, Model, WrongLength};

/// Number of layers.
pub const LAYERS: usize = Net::GRAPH.nodes.len();

/// The counter once the input was there, and after each layer.
static READINGS: [AtomicU32; LAYERS + 1] = [const { AtomicU32::new(0) }; LAYERS + 1];

/// Address of the next of them.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Instructions of a marker up to its reading of the counter, that included, and behind it: of [`bench_start`],
/// [`bench_lap`], [`bench_stop`].
const START: [u32; 2] = [3, 2];
const LAP: [u32; 2] = [3, 5];
const STOP: [u32; 2] = [2, 3];

/// Marks the end of a layer, here and for tools that watch for the symbol.
///
/// # Safety
/// May be called `LAYERS + 1` times after [`NEXT`] was set to the first of the readings.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn bench_lap() {
    naked_asm!(
        "ldr r1, ={next}",
        "ldr r0, ={counter}",
        "ldr r0, [r0]",
        "ldr r2, [r1]",
        "str r0, [r2]",
        "adds r2, #4",
        "str r2, [r1]",
        "bx lr",
        ".ltorg",
        next = sym NEXT,
        counter = const board::COUNTER,
    )
}

/// What the parts of one inference take; the unit is [`board::UNIT`].
#[derive(Clone, Copy, Debug)]
pub struct Laps {
    /// Copying the input; where it comes row by row, the first layer.
    pub input: u32,
    /// Each layer.
    pub layers: [u32; LAYERS],
    /// Returning from the last layer.
    pub rest: u32,
}

impl Laps {
    /// Runs one inference.
    ///
    /// # Errors
    /// Those of [`Engine::run`].
    pub fn of(engine: &mut Engine<Net>, input: &[i8]) -> Result<Self, WrongLength> {
        NEXT.store(READINGS.as_ptr() as usize, Ordering::Relaxed);
        infer(engine, input)?;
        let mut before = start();
        let mut own = START;
        let mut lap = |reading: u32, marker: [u32; 2]| {
            let count = board::counts(before, reading).saturating_sub(own[1] + marker[0]);
            (before, own) = (reading, marker);
            count
        };
        let [first, others @ ..] = &READINGS;
        let input = lap(first.load(Ordering::Relaxed), LAP);
        let mut layers = [0; LAYERS];
        for (layer, reading) in layers.iter_mut().zip(others) {
            *layer = lap(reading.load(Ordering::Relaxed), LAP);
        }
        Ok(Self { input, layers, rest: lap(stop(), STOP) })
    }

    /// All parts together.
    pub fn sum(&self) -> u32 {
        self.layers.iter().fold(self.input + self.rest, |sum, layer| sum + layer)
    }
}

/// One inference between the markers, marked layer by layer.
#[inline(never)]
fn infer(engine: &mut Engine<Net>, input: &[i8]) -> Result<(), WrongLength> {
    bench_start();
    let loaded = engine.load(input);
    // SAFETY: the first call after `NEXT` was set.
    unsafe { bench_lap() };
    if loaded.is_ok() {
        // SAFETY: called once a layer, which makes `LAYERS + 1` calls with that above.
        engine.observe(|_, _| unsafe { bench_lap() });
    }
    bench_stop();
    loaded
}
