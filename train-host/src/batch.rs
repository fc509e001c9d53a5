//! The int8 engine over many samples, on all threads.

use zipnet::Runner;
use zipnet::ir::Int;

use crate::export::for_host;
use crate::float::LANES;
use crate::graph::Net;
use crate::{Error, Result};

/// Bytes of arena that samples which are run at once may take: about what a data cache of the second level holds beside
/// the weights.
const ROOM: usize = 256 << 10;

/// Runs a net over inputs back to back, and gives the outputs back to back: the same for any number of threads. The net
/// is packed for this host first.
///
/// # Errors
/// When `inputs` is no whole number of inputs, or the net is not legal.
pub fn run(net: &Net<Int>, inputs: &[i8], threads: usize) -> Result<Vec<i8>> {
    let (size, made) = (net.input_shape().len(), net.output_shape().len());
    if !inputs.len().is_multiple_of(size) {
        let len = inputs.len();
        return Err(Error::new(format!("{len} bytes are no whole number of inputs of {size} bytes")));
    }
    let net = &for_host(net)?;
    let count = inputs.len() / size;
    let mut outputs = vec![0; count * made];
    let share = count.div_ceil(threads.max(1)).max(1);
    net.with_runner(|runner| {
        std::thread::scope(|scope| {
            let shares = inputs.chunks(share * size).zip(outputs.chunks_mut(share * made));
            let run = |(inputs, outputs)| scope.spawn(move || Batch::new(runner, net).run(inputs, outputs));
            let started: Vec<_> = shares.map(run).collect();
            started.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    })?;
    Ok(outputs)
}

/// A net ready to run over any number of samples on one thread, several at once.
pub(crate) struct Batch<'a> {
    runner: Runner<'a>,
    /// Elements of the inputs, and of the outputs, that are run at once.
    sizes: [usize; 2],
    arena: Vec<i8>,
}

impl<'a> Batch<'a> {
    /// As many samples at once as keep within [`ROOM`], at most [`LANES`].
    pub(crate) fn new(runner: Runner<'a>, net: &Net<Int>) -> Self {
        let most = ROOM / runner.arena_len().max(1);
        Self::of(runner, net, most.clamp(1, LANES))
    }

    /// So many samples at once.
    pub(crate) fn of(runner: Runner<'a>, net: &Net<Int>, at_once: usize) -> Self {
        let sizes = [net.input_shape(), net.output_shape()].map(|shape| at_once * shape.len());
        Self { runner, sizes, arena: vec![0; at_once * runner.arena_len()] }
    }

    /// Runs inputs back to back; outputs back to back.
    ///
    /// # Errors
    /// When these are not as many whole inputs as outputs.
    pub(crate) fn run(&mut self, inputs: &[i8], outputs: &mut [i8]) -> Result<()> {
        let [size, made] = self.sizes;
        for (inputs, outputs) in inputs.chunks(size).zip(outputs.chunks_mut(made)) {
            self.runner.run_many(&mut self.arena, inputs, outputs).map_err(Error::new)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use zipnet::Cpu;

    use crate::quantise::naive::every_operator;
    use crate::quantise::quantise;
    use crate::recipe::Quantise;

    use super::*;

    #[test]
    fn any_number_at_once_gives_the_bytes_of_one_by_one() {
        let mut author = every_operator(5);
        let samples: Vec<f32> = (0..37).flat_map(|_| author.sample()).collect();
        let net = quantise(&author.net, &Quantise::default(), &samples, 1).expect("quantises").net;
        let inputs = crate::eval::quantise_input(&net, -1.0, &samples);
        let want = net.run(&inputs).expect("runs");
        let packed = for_host(&net).expect("packs");
        for cpu in Cpu::all() {
            for at_once in [1, 2, 7, 16, 37, 40] {
                let made = |runner: Runner<'_>| {
                    let mut outputs = vec![0; want.len()];
                    Batch::of(runner.on(cpu), &net, at_once).run(&inputs, &mut outputs)?;
                    Ok(outputs)
                };
                assert_eq!(net.with_runner(made).expect("runs"), want, "{at_once} in plain order");
                assert_eq!(packed.with_runner(made).expect("runs"), want, "{at_once}, {}", cpu.name());
            }
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_bytes_of_plain_order() {
        let mut author = every_operator(3);
        let samples: Vec<f32> = (0..40).flat_map(|_| author.sample()).collect();
        let net = quantise(&author.net, &Quantise::default(), &samples, 1).expect("quantises").net;
        let inputs = crate::eval::quantise_input(&net, -1.0, &samples);
        let want = net.run(&inputs).expect("runs");
        for threads in [0, 1, 3, 64] {
            assert_eq!(run(&net, &inputs, threads).expect("runs"), want, "{threads}");
        }
        assert!(run(&net, &[], 2).expect("nothing to run").is_empty());
        let error = run(&net, &inputs[1..], 2).expect_err("must be refused").to_string();
        assert!(error.contains("no whole number"), "{error}");
    }
}
