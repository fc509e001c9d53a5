//! An int8 net without a float counterpart, as imported ones are: how long it takes, and which layers take it.

use std::hint::black_box;
use std::time::Instant;

use serde::Serialize;
use zipnet::Cpu;
use zipnet::ir::Int;

use super::{Effort, Spread, row};
use crate::export::for_host;
use crate::graph::{Net, show};
use crate::{Error, Result};

/// What was measured. Times are nanoseconds an inference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alone {
    /// Name of the net.
    pub model: String,
    /// The instruction set it ran on.
    pub cpu: String,
    /// Multiplications by a weight in one inference.
    pub macs: u64,
    /// Inferences in a round.
    pub samples: usize,
    /// The whole net, one sample a call.
    pub int8_ns: Spread,
    /// Layer by layer, in runs of their own: the clock is read between any two, which takes some time itself.
    pub layers: Vec<LayerTime>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerTime {
    /// Its name.
    pub name: String,
    /// Its operator.
    pub op: String,
    /// Shape of its output.
    pub output: String,
    /// Multiplications by a weight.
    pub macs: u64,
    /// Its time.
    pub ns: Spread,
}

/// Times `net` on samples of every byte in turn, on one thread of instruction set `cpu`.
///
/// # Errors
/// Where there are 0 rounds, or the net is not legal.
pub fn alone(net: &Net<Int>, cpu: Cpu, effort: Effort) -> Result<Alone> {
    if effort.rounds == 0 {
        return Err(Error::new("0 rounds to time; at least 1 is needed"));
    }
    let packed = for_host(net)?;
    let input: Vec<i8> = (0..net.input_shape().len()).map(|i| (i * 37 % 256) as u8 as i8).collect();
    packed.with_runner(|runner| {
        let runner = runner.on(cpu);
        let mut arena = vec![0; runner.arena_len()];
        let mut output = vec![0; net.output_shape().len()];
        let mut round = |count: usize| -> Result<f64> {
            let start = Instant::now();
            for _ in 0..count {
                runner.run(&mut arena, black_box(&input), &mut output).map_err(Error::new)?;
                black_box(&output);
            }
            Ok(start.elapsed().as_nanos() as f64 / count as f64)
        };
        round(1)?; // warms caches and clock
        let samples = ((effort.round.as_nanos() as f64 / round(3)?) as usize).max(1);
        let times = (0..effort.rounds).map(|_| round(samples)).collect::<Result<Vec<f64>>>()?;

        let mut layers: Vec<Vec<f64>> = vec![Vec::new(); packed.nodes.len()];
        let count = samples.div_ceil(4);
        for _ in 0..effort.rounds {
            layers.iter_mut().for_each(|times| times.push(0.0));
            for _ in 0..count {
                let mut last = Instant::now();
                let see = |node: usize, _: &[i8]| {
                    let now = Instant::now();
                    if let Some(time) = layers[node].last_mut() {
                        *time += (now - last).as_nanos() as f64 / count as f64;
                    }
                    last = now;
                };
                runner.observe(&mut arena, black_box(&input), see).map_err(Error::new)?;
            }
        }
        let layer = |(node, times): (&crate::graph::NetNode<Int>, Vec<f64>)| LayerTime {
            name: node.name.clone(),
            op: node.op.name().to_owned(),
            output: show(net.shape(node.output)),
            macs: node.op.macs(net.shape(node.inputs[0]), net.shape(node.output)),
            ns: Spread::of(times),
        };
        Ok(Alone {
            model: net.name.clone(),
            cpu: cpu.name().to_owned(),
            macs: net.macs(),
            samples,
            int8_ns: Spread::of(times),
            layers: packed.nodes.iter().zip(layers).map(layer).collect(),
        })
    })
}

impl Alone {
    /// For a terminal.
    pub fn text(&self) -> String {
        let Self { model, cpu, macs, samples, .. } = self;
        let mut text = format!("{model}: {macs} MACs; {cpu}, one thread, {samples} inferences a round\n\n");
        text.push_str(&row("microseconds an inference", ["median", "quartiles", "least and greatest"]));
        text.push_str(&row("int8, one sample a call", self.int8_ns.cells(1e-3)));
        text.push_str(&format!(
            "\n{:<24}{:<18}{:<12}{:>11}{:>10}{:>10}{:>10}\n",
            "layer", "operator", "output", "MACs", "median", "least", "MACs/ns"
        ));
        for layer in &self.layers {
            let LayerTime { name, op, output, macs, ns } = layer;
            let short: String = name.chars().take(22).collect();
            let rate = *macs as f64 / ns.median;
            let (median, least) = (ns.median * 1e-3, ns.min * 1e-3);
            text.push_str(&format!(
                "{short:<24}{op:<18}{output:<12}{macs:>11}{median:>10.2}{least:>10.2}{rate:>10.1}\n"
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::quantise::naive::every_operator;
    use crate::quantise::quantise;
    use crate::recipe::Quantise;

    #[test]
    fn every_layer_is_timed_on_every_instruction_set() {
        let mut author = every_operator(1);
        let samples: Vec<f32> = (0..20).flat_map(|_| author.sample()).collect();
        let net = quantise(&author.net, &Quantise::default(), &samples, 1).expect("quantises").net;
        for cpu in Cpu::all() {
            let timing =
                alone(&net, cpu, Effort { rounds: 3, round: Duration::from_millis(1) }).expect("times");
            assert_eq!((timing.macs, timing.cpu.as_str()), (net.macs(), cpu.name()));
            assert_eq!(timing.layers.len(), net.nodes.len());
            assert_eq!(timing.layers.iter().map(|layer| layer.macs).sum::<u64>(), net.macs());
            assert!(timing.layers.iter().all(|layer| layer.ns.min > 0.0), "{timing:?}");
            let text = timing.text();
            assert!(net.nodes.iter().all(|node| text.contains(&node.name)), "{text}");
            assert!(text.lines().all(|line| line.len() <= 100), "{text}");
        }
        assert!(alone(&net, Cpu::fastest(), Effort { rounds: 0, ..Effort::default() }).is_err());
    }
}
