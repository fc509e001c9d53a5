//! Packed nets, with what the portable kernels make of their weights in plain order.

use train_host::export::{Origin, Sample, Source, Stored, Target, pack};
use train_host::graph::Net;
use train_host::{Error, Result};
use zipnet::ir::{Int, Packing};

use crate::cases::{Cases, golden};
use crate::random::{self, Numbers};
use crate::shipped;

/// Random nets.
const RANDOM: u64 = 320;

/// Samples of each net.
const SAMPLES: usize = 2;

/// Every packing that a table can hold, for a Cortex-M4.
const PACKINGS: [Packing; 7] = [
    Packing::DspPatch,
    Packing::DspRows,
    Packing::DspWinograd,
    Packing::DspDense,
    Packing::DspDepthwise,
    Packing::DspDepthwise3,
    Packing::DspAdd,
];

/// Random nets drawn from `seed`, then all shipped ones, packed for a Cortex-M4.
///
/// # Errors
/// Where a packing occurs in none of the random nets.
pub(crate) fn cases(seed: u64) -> Result<Cases> {
    let mut cases = Cases::default();
    let mut seen = [0; Packing::COUNT];
    for i in 0..RANDOM {
        let mut numbers = Numbers::new(seed.wrapping_mul(1 << 20).wrapping_add(i));
        let net = random::net(&format!("random {i} of seed {seed}"), &mut numbers)?;
        // Now as fast as it gets, now with as little scratch as will do.
        let limit = (numbers.below(2) == 0).then_some(1 << 20);
        let (stored, samples) = packed(net, limit, i)?;
        stored.net.nodes.iter().for_each(|node| seen[node.store.packing.at()] += 1);
        cases.push(&stored, &samples);
    }
    if let Some(packing) = PACKINGS.iter().find(|packing| seen[packing.at()] < 5) {
        return Err(Error::new(format!("seed {seed}: fewer than 5 layers are packed as {packing:?}")));
    }
    for name in shipped::names() {
        let (stored, samples) = packed(shipped::stored(name)?.net, None, 1)?;
        cases.push(&stored, &samples);
    }
    Ok(cases)
}

fn packed(mut net: Net<Int>, limit: Option<usize>, seed: u64) -> Result<(Stored, Vec<Sample>)> {
    let samples = golden(&net, SAMPLES, seed)?;
    let arena = pack(&mut net, Target::CortexM4, limit)?;
    let source = Source::Trained { data: "noise".to_owned(), seed };
    let origin = Origin { source, low: 0.0, high: 255.0, classes: Vec::new() };
    Ok((Stored { net, arena, origin }, samples))
}
