//! The int8 engine over many samples, on all threads.

use zipnet::ir::Int;

use crate::export::for_host;
use crate::graph::Net;
use crate::{Error, Result};

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
    let net = for_host(net)?;
    let count = inputs.len() / size;
    let mut outputs = vec![0; count * made];
    let share = count.div_ceil(threads.max(1)).max(1);
    net.with_runner(|runner| {
        let one_by_one = |inputs: &[i8], outputs: &mut [i8]| -> Result<()> {
            let mut arena = vec![0; runner.arena_len()];
            for (input, output) in inputs.chunks_exact(size).zip(outputs.chunks_exact_mut(made)) {
                runner.run(&mut arena, input, output).map_err(Error::new)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let shares = inputs.chunks(share * size).zip(outputs.chunks_mut(share * made));
            let started: Vec<_> = shares.map(|(x, y)| scope.spawn(move || one_by_one(x, y))).collect();
            started.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    })?;
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use crate::quantise::naive::every_operator;
    use crate::quantise::quantise;
    use crate::recipe::Quantise;

    use super::*;

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
