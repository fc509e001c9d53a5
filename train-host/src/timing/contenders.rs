//! Who is timed, each ready for its turn.

use std::hint::black_box;
use std::time::Instant;

use zipnet::{Cpu, Runner};

use super::Nets;
use crate::batch::Batch;
use crate::float::{Executor, LANES};
use crate::{Error, Result};

/// The end of the name of one who takes [`LANES`] samples a call.
pub(super) const MANY: &str = ", 16 a call";

const _: () = assert!(LANES == 16);

/// One of those who take turns.
pub(super) struct Contender<'a> {
    /// Number format, engine, instruction set.
    pub(super) name: String,
    /// A turn of so many times [`LANES`] samples, or as long as that takes with full calls; gives nanoseconds a sample.
    pub(super) turn: Box<dyn FnMut(usize) -> Result<f64> + 'a>,
}

/// All there are for a net: int8 on each instruction set of this host, the fastest first and the portable one only where
/// there is no other, with one sample a call, then with [`LANES`]; the float engine likewise; with the feature `peers`, tract.
///
/// # Errors
/// Where a peer does not load the net, or computes something else.
pub(super) fn contenders<'a, 'r: 'a>(runner: Runner<'r>, nets: &'a Nets) -> Result<Vec<Contender<'a>>> {
    let fast = |cpu: &Cpu| *cpu == Cpu::fastest() || cpu.name() != "scalar";
    let mut all: Vec<Contender<'a>> = Cpu::all().filter(fast).map(|cpu| int8(runner, cpu, nets)).collect();
    all.extend(Cpu::all().filter(fast).map(|cpu| int8_batch(runner, cpu, nets)));
    if let Ok(net) = &nets.float {
        for (name, count) in [("f32, one sample a call".to_owned(), 1), (format!("f32{MANY}"), LANES)] {
            let mut executor = Executor::new(net, 1);
            let mut outputs = Vec::new();
            let inputs = &nets.samples[..count * net.input_shape().len()];
            let call = move || {
                executor.forward(black_box(inputs), &mut outputs);
                black_box(&outputs);
                Ok(())
            };
            all.push(timed(name, 1, count, call));
        }
        #[cfg(feature = "peers")]
        all.push(tract(net, &nets.samples)?);
    }
    Ok(all)
}

/// The int8 engine, a sample a call.
fn int8<'a, 'r: 'a>(runner: Runner<'r>, cpu: Cpu, nets: &'a Nets) -> Contender<'a> {
    let runner = runner.on(cpu);
    let mut arena = vec![0; runner.arena_len()];
    let mut output = vec![0; nets.int8.output_shape().len()];
    let mut inputs = nets.codes.chunks(nets.int8.input_shape().len()).cycle();
    timed(format!("int8, {}", cpu.name()), LANES, 1, move || {
        let input = inputs.next().unwrap_or_default();
        runner.run(&mut arena, black_box(input), &mut output).map_err(Error::new)?;
        black_box(&output);
        Ok(())
    })
}

/// The int8 engine, [`LANES`] samples a call.
fn int8_batch<'a, 'r: 'a>(runner: Runner<'r>, cpu: Cpu, nets: &'a Nets) -> Contender<'a> {
    let mut batch = Batch::new(runner.on(cpu), &nets.int8);
    let (size, made) = (nets.int8.input_shape().len(), nets.int8.output_shape().len());
    let mut outputs = vec![0; LANES * made];
    let inputs = &nets.codes[..LANES * size];
    timed(format!("int8, {}{MANY}", cpu.name()), 1, LANES, move || {
        batch.run(black_box(inputs), &mut outputs)?;
        black_box(&outputs);
        Ok(())
    })
}

/// tract, a sample a call.
#[cfg(feature = "peers")]
fn tract<'a>(net: &crate::graph::Net<zipnet::ir::Float>, samples: &[f32]) -> Result<Contender<'a>> {
    let wrong = |e| Error::new(format!("tract: {e:#}"));
    let mut peer = super::tract::Peer::new(net, samples).map_err(wrong)?;
    let input = peer.input(&samples[..net.input_shape().len()]).map_err(wrong)?;
    Ok(timed("f32, tract".to_owned(), LANES, 1, move || {
        black_box(peer.run(black_box(&input)).map_err(wrong)?);
        Ok(())
    }))
}

/// A contender whose turn is so many calls a batch, of `count` samples each. A call before the clock starts brings its
/// weights back into the caches, and the CPU's registers into the state that its code expects.
fn timed<'a>(
    name: String,
    calls: usize,
    count: usize,
    mut call: impl FnMut() -> Result<()> + 'a,
) -> Contender<'a> {
    let turn = move |batches: usize| {
        call()?;
        let start = Instant::now();
        for _ in 0..batches * calls {
            call()?;
        }
        Ok(start.elapsed().as_nanos() as f64 / (batches * calls * count) as f64)
    };
    Contender { name, turn: Box::new(turn) }
}
