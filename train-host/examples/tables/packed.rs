//! Packed nets, with what the portable kernels make of their weights in plain order.

use train_host::export::{Origin, Source, Stored, Streamed, Target, pack, pack_streamed};
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

/// Every packing that a table for a target can hold.
const fn packings(target: Target) -> &'static [Packing] {
    match target {
        Target::Portable => &[],
        Target::CortexM0 => &[Packing::Halves, Packing::RingDepthwise, Packing::DspAdd],
        Target::CortexM4 => &[
            Packing::DspPatch,
            Packing::DspLongPatch,
            Packing::DspPoint,
            Packing::DspRows,
            Packing::DspViews,
            Packing::DspTaps,
            Packing::DspWinograd,
            Packing::DspSquares,
            Packing::DspDense,
            Packing::DspLongDense,
            Packing::DspDepthwise,
            Packing::DspDepthwise3,
            Packing::DspFourChannels,
            Packing::DspAdd,
        ],
        Target::CortexM55 => &[Packing::Vectors, Packing::RingDepthwise, Packing::DspAdd],
    }
}

/// Those of weights of 4 bits.
const NIBBLES: [Packing; 4] =
    [Packing::Nibbles, Packing::NibblesShort, Packing::NibblesDense, Packing::NibblesDepthwise];

/// Random nets drawn from `seed`, of some of which the input comes row by row, then all shipped ones, packed for a target;
/// these also with weights of 4 bits, for any CPU and for that one.
///
/// # Errors
/// Where a packing, or an input that comes row by row, occurs in too few of the random nets.
pub(crate) fn cases(target: Target, seed: u64) -> Result<Cases> {
    let mut cases = Cases::default();
    let (mut seen, mut rows) = ([0; Packing::COUNT], 0);
    for i in 0..RANDOM {
        let mut numbers = Numbers::new(seed.wrapping_mul(1 << 20).wrapping_add(i));
        let net = random::net(&format!("random {i} of seed {seed}"), i, &mut numbers)?;
        // Now as fast as it gets, now with as little scratch as will do.
        let limit = (numbers.below(2) == 0).then_some(1 << 20);
        let samples = golden(&net, SAMPLES, i)?;
        // Now row by row, where the first layer slides a window.
        let streamed = numbers.below(3) == 0 && slides(&net);
        let (stored, cut) =
            if streamed { by_rows(target, net, limit)? } else { (whole(target, net, limit)?, None) };
        stored.net.nodes.iter().for_each(|node| seen[node.store.packing.at()] += 1);
        rows += usize::from(streamed);
        cases.push(&stored, cut.as_ref(), &samples);
    }
    if rows < 20 {
        return Err(Error::new(format!("seed {seed}: fewer than 20 inputs come row by row")));
    }
    if let Some(packing) = packings(target).iter().chain(&NIBBLES).find(|packing| seen[packing.at()] < 5) {
        return Err(Error::new(format!("seed {seed}: fewer than 5 layers are packed as {packing:?}")));
    }
    for name in shipped::names() {
        let net = shipped::stored(name)?.net;
        for (net, target) in [(halved(&net), Target::Portable), (halved(&net), target), (net, target)] {
            let samples = golden(&net, SAMPLES, 1)?;
            cases.push(&whole(target, net.clone(), None)?, None, &samples);
            let (stored, cut) = by_rows(target, net, None)?;
            cases.push(&stored, cut.as_ref(), &samples);
        }
    }
    Ok(cases)
}

/// The net with weights of 4 bits, coarser by 16 and so are its accumulators.
fn halved(net: &Net<Int>) -> Net<Int> {
    let mut net = net.clone();
    for node in net.nodes.iter_mut().filter(|node| node.bits().is_some()) {
        let store = &mut node.store;
        store.bits = 4;
        store.weights.iter_mut().for_each(|w| *w = ((i32::from(*w) + 8) >> 4).min(7) as i8);
        store.bias.iter_mut().for_each(|bias| *bias >>= 4);
        store.requant.iter_mut().for_each(|factor| factor.shift += 4);
    }
    net
}

fn slides(net: &Net<Int>) -> bool {
    net.nodes[0].op.strip(net.input_shape(), net.shape(net.nodes[0].output), 0).is_some()
        && net.readers(net.input).count() == 1
}

fn whole(target: Target, mut net: Net<Int>, limit: Option<usize>) -> Result<Stored> {
    let arena = pack(&mut net, target, limit)?;
    Ok(stored(net, arena))
}

fn by_rows(target: Target, mut net: Net<Int>, limit: Option<usize>) -> Result<(Stored, Option<Streamed>)> {
    pack_streamed(&mut net, target, limit)?;
    let cut = Streamed::new(&net)?;
    let arena = net.with(|graph| graph.arena_len());
    Ok((stored(net, arena), Some(cut)))
}

fn stored(net: Net<Int>, arena: usize) -> Stored {
    let source = Source::Trained { data: "noise".to_owned(), seed: 1 };
    Stored { net, arena, origin: Origin { source, low: 0.0, high: 255.0, classes: Vec::new() } }
}
