//! Which layers of an int8 net take its time.

use std::hint::black_box;
use std::time::Instant;

use serde::Serialize;
use zipnet::Cpu;
use zipnet::ir::Int;

use super::{Effort, Spread};
use crate::export::Aligned;
use crate::graph::{Net, NetNode, show};
use crate::{Error, Result};

/// One layer. Times are nanoseconds an inference.
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

/// Times every layer of `plain`, packed as `net`, on the first of `codes`, on one thread of instruction set `cpu`.
///
/// # Errors
/// Where the net is not legal.
pub(super) fn layers(
    plain: &Net<Int>,
    net: &Aligned,
    cpu: Cpu,
    codes: &[i8],
    effort: Effort,
) -> Result<Vec<LayerTime>> {
    let input = &codes[..net.input_shape().len()];
    net.with_runner(|runner| {
        let runner = runner.on(cpu);
        let mut arena = vec![0; runner.arena_len()];
        let start = Instant::now();
        for _ in 0..3 {
            runner.observe(&mut arena, black_box(input), |_, _| {}).map_err(Error::new)?;
        }
        let once = start.elapsed().as_nanos() as f64 / 3.0;
        let count = (effort.round.as_nanos() as f64 / once / 4.0) as usize + 1;
        let mut rounds = vec![vec![0.0; net.nodes.len()]; effort.rounds];
        for times in &mut rounds {
            for _ in 0..count {
                let mut last = Instant::now();
                let see = |node: usize, _: &[i8]| {
                    let now = Instant::now();
                    times[node] += (now - last).as_nanos() as f64 / count as f64;
                    last = now;
                };
                runner.observe(&mut arena, black_box(input), see).map_err(Error::new)?;
            }
        }
        let layer = |(i, node): (usize, &NetNode<Int>)| LayerTime {
            name: node.name.clone(),
            op: node.op.name().to_owned(),
            output: show(plain.shape(node.output)),
            macs: node.op.macs(plain.shape(node.inputs[0]), plain.shape(node.output)),
            ns: Spread::of(rounds.iter().map(|times| times[i]).collect()),
        };
        Ok(plain.nodes.iter().enumerate().map(layer).collect())
    })
}

/// For a terminal.
pub(super) fn text(layers: &[LayerTime]) -> String {
    let mut text = format!(
        "\n{:<24}{:<18}{:<12}{:>11}{:>10}{:>10}{:>10}\n",
        "layer, int8", "operator", "output", "MACs", "median", "least", "MACs/ns"
    );
    for LayerTime { name, op, output, macs, ns } in layers {
        let short: String = name.chars().take(22).collect();
        let rate = *macs as f64 / ns.min;
        let (median, least) = (ns.median * 1e-3, ns.min * 1e-3);
        text.push_str(&format!(
            "{short:<24}{op:<18}{output:<12}{macs:>11}{median:>10.2}{least:>10.2}{rate:>10.1}\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::export::for_host;
    use crate::quantise::naive::every_operator;
    use crate::quantise::quantise;
    use crate::recipe::Quantise;

    #[test]
    fn every_layer_is_timed_on_every_instruction_set() {
        let mut author = every_operator(1);
        let samples: Vec<f32> = (0..20).flat_map(|_| author.sample()).collect();
        let net = quantise(&author.net, &Quantise::default(), &samples, 1).expect("quantises").net;
        let packed = for_host(&net).expect("packs");
        let codes: Vec<i8> = (0..net.input_shape().len()).map(|i| i as i8).collect();
        for cpu in Cpu::all() {
            let effort = Effort { rounds: 3, round: Duration::from_millis(1) };
            let times = layers(&net, &packed, cpu, &codes, effort).expect("times");
            assert_eq!(times.len(), net.nodes.len());
            assert_eq!(times.iter().map(|layer| layer.macs).sum::<u64>(), net.macs());
            assert!(times.iter().all(|layer| layer.ns.min > 0.0), "{times:?}");
            let text = text(&times);
            assert!(net.nodes.iter().all(|node| text.contains(&node.name)), "{text}");
            assert!(text.lines().all(|line| line.len() <= 100), "{text}");
        }
    }
}
