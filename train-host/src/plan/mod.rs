//! Where each tensor lies in the arena.
//!
//! A tensor occupies its bytes from the step that writes it to the last that reads it; a kernel's scratch, during its
//! step. Placing such blocks so that none overlaps another alive at the same time, in the least memory, is dynamic
//! storage allocation with known lifetimes: hard in general, and exactly solvable at the size of these nets. Blocks
//! are placed one after another, each at the lowest place that is free for its lifetime, in several orders, which moves
//! of single blocks improve; then a bounded search over the orders, which finds the optimum where it ends before its
//! bound.
//!
//! The output of a kernel that reads ahead of what it writes may lie over its input, as far as its lead allows
//! ([`Packing::lead`](zipnet::ir::Packing::lead)): two blocks that meet in that one step keep a distance, one of whole pixels
//! where the kernel takes some channels after others, rather than lie apart.

mod block;
mod place;

use zipnet::ir::{Int, TensorId};

use crate::Result;
use crate::graph::{Net, show};
use block::{Block, Sharing, blocks, most_alive, shared};
use place::place;

/// Alignments tried, the widest first; it is taken where it costs no byte more than the narrowest.
const ALIGNMENTS: [usize; 2] = [16, 4];

/// Places every tensor and scratch of a net, and gives the bytes of arena it needs.
///
/// Offsets are multiples of 4, and of 16 where that costs nothing. An operator that may work in place does so where
/// its input is not needed after it; so does one whose output may lie over a part of its input.
///
/// # Errors
/// Where the net is not legal, apart from its offsets.
pub fn plan(net: &mut Net<Int>) -> Result<usize> {
    net.with(|graph| graph.structure()).map_err(|(i, fault)| net.at_fault(i, fault))?;
    let least = least(net);
    let mut best: Option<(usize, Vec<Block>, Vec<usize>)> = None;
    for sharing in [Sharing::FirstInput, Sharing::LastInput, Sharing::None] {
        let blocks = net.with(|graph| blocks(graph, sharing));
        for align in ALIGNMENTS {
            if best.as_ref().is_some_and(|(arena, ..)| *arena == least) {
                break;
            }
            let (arena, offsets) = place(&blocks, align);
            if best.as_ref().is_none_or(|(before, ..)| arena < *before) {
                best = Some((arena, blocks.clone(), offsets));
            }
        }
    }
    let Some((arena, blocks, offsets)) = best else { return Ok(0) };
    for (block, offset) in blocks.iter().zip(offsets) {
        for id in &block.tensors {
            net.tensors[id.at()].meta.offset = offset as u32;
        }
        if let Some(i) = block.scratch {
            net.nodes[i].store.scratch.offset = offset as u32;
        }
    }
    net.check(arena)?;
    Ok(arena)
}

/// The most bytes alive at one step, counting bytes that an operator's input and output may share once: no arena can be
/// smaller.
pub fn least(net: &Net<Int>) -> usize {
    most_alive(&net.with(|graph| blocks(graph, Sharing::FirstInput)), 1)
}

/// Refuses a planned net whose arena is larger than it may be.
///
/// # Errors
/// Lists what lies in memory together at the step that needs most: one of these has to shrink.
pub fn check_limit(net: &Net<Int>, arena: usize, limit: usize) -> Result<()> {
    if arena <= limit {
        return Ok(());
    }
    let blocks = net.with(|graph| blocks(graph, Sharing::FirstInput));
    let alive = |step: usize| blocks.iter().filter(move |b| (b.first..=b.last).contains(&step));
    let bytes = |step: usize| alive(step).map(|b| b.bytes).sum::<usize>() - shared(&blocks, step);
    let peak =
        (0..=net.nodes.len() + 1).max_by_key(|&step| (bytes(step), std::cmp::Reverse(step))).unwrap_or(0);
    let first = |id: TensorId| net.with(|graph| graph.first(id).unwrap_or(0));
    let name = |block: &Block| {
        let Some(&id) = block.tensors.iter().rfind(|&&id| first(id) <= peak).or(block.tensors.first()) else {
            let node = block.scratch.and_then(|i| net.nodes.get(i));
            return node.map_or_else(String::new, |node| format!("scratch of {}", node.name));
        };
        let maker = net.producer(id).map_or("input", |i| net.nodes[i].name.as_str());
        format!("{maker} {}", show(net.shape(id)))
    };
    let parts: Vec<String> = alive(peak).map(|b| format!("{} ({} bytes)", name(b), b.bytes)).collect();
    let step = peak.checked_sub(1).and_then(|i| net.nodes.get(i)).map_or("the input", |node| &node.name);
    Err(crate::Error::new(format!(
        "the arena needs {arena} bytes, {} more than the limit of {limit}: at {step}, {} lie there together; one of \
         them has to shrink",
        arena - limit,
        parts.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};
    use zipnet::ir::{
        Axis, Bias, Conv2d, Dense, DepthwiseConv2d, IntTensor, Op, Operands, Padding, Pool2d, Requant, Shape,
        Window,
    };

    use super::*;
    use crate::export::{Target, pack};
    use crate::graph::IntStore;

    const META: IntTensor = IntTensor { scale: 1.0, zero: 0, offset: 0 };

    fn push(net: &mut Net<Int>, op: Op, inputs: &[TensorId], scratch: u32) -> TensorId {
        let shapes: Vec<Shape> = inputs.iter().map(|&id| net.shape(id)).collect();
        let y = op.output(&shapes).expect("shapes meet");
        let factors = match op {
            Op::Add(Operands::Equal) => 3,
            Op::Relu => 1,
            _ if op.weights(shapes[0]) > 0 => usize::from(y.c),
            _ => 0,
        };
        let mut store = IntStore {
            weights: vec![0; op.weights(shapes[0])],
            bias: vec![0; op.bias().len(y)],
            requant: vec![Requant::new(1 << 30, 0); factors],
            ..IntStore::default()
        };
        store.scratch.len = scratch;
        let name = format!("n{}", net.nodes.len());
        net.push(&name, op, inputs, META, store).expect("shapes meet")
    }

    fn conv(units: u16, groups: u16, span: u16) -> Op {
        let window = Window::new(5, 5).stride(2).padding(Padding::all(2));
        Op::Conv2d(Conv2d { units, window, groups, span, bias: Bias::Unit })
    }

    #[test]
    fn the_1989_net_needs_its_first_two_tensors() {
        let mut net = Net::<Int>::new("1989", Shape::new(16, 16, 1), META);
        let input = net.input;
        let h1 = push(&mut net, conv(12, 1, 1), &[input], 0);
        let h2 = push(&mut net, conv(12, 3, 8), &[h1], 0);
        let h3 = push(&mut net, Op::Dense(Dense { units: 30, bias: Bias::Channel }), &[h2], 0);
        push(&mut net, Op::Dense(Dense { units: 10, bias: Bias::Channel }), &[h3], 0);
        assert_eq!(plan(&mut net).expect("plans"), 256 + 768);
        assert!(net.tensors.iter().all(|t| t.meta.offset % 16 == 0));
    }

    #[test]
    fn a_residual_block_adds_in_place() {
        let mut net = Net::<Int>::new("residual", Shape::new(8, 8, 4), META);
        let input = net.input;
        let window = Window::new(3, 3).padding(Padding::all(1));
        let same = Op::Conv2d(Conv2d { units: 4, window, groups: 1, span: 4, bias: Bias::Channel });
        let a = push(&mut net, same, &[input], 0);
        let b = push(&mut net, same, &[a], 100);
        let sum = push(&mut net, Op::Add(Operands::Equal), &[a, b], 0);
        let sum = push(&mut net, Op::Relu, &[sum], 0);
        push(&mut net, Op::Reshape { shape: Shape::flat(256) }, &[sum], 0);
        assert_eq!(plan(&mut net).expect("plans"), 2 * 256 + 100);
        let last = net.output;
        assert_eq!(net.tensors[sum.at()].meta.offset, net.tensors[last.at()].meta.offset);
    }

    #[test]
    fn an_output_lies_over_what_has_been_read_of_its_input() {
        // Pixels of 8, 16 and 32 channels: the arena is that of the largest tensor and the scratch beside it.
        let mut net = Net::<Int>::new("grows", Shape::new(6, 5, 8), META);
        let mut x = net.input;
        for span in [8, 16] {
            let conv =
                Conv2d { units: 2 * span, window: Window::new(1, 1), groups: 1, span, bias: Bias::Channel };
            x = push(&mut net, Op::Conv2d(conv), &[x], 0);
        }
        for node in &mut net.nodes {
            node.store.requant.fill(Requant::new(1 << 30, -3));
        }
        let mut packed = net.clone();
        let arena = pack(&mut packed, Target::CortexM4, Some(1280)).expect("packs");
        let [at, over] = [1, 2].map(|id| packed.tensors[id].meta.offset as usize);
        let scratch = packed.nodes[1].store.scratch.len as usize;
        assert!(arena <= 960 + scratch + 16, "{arena}, {scratch} of it scratch");
        assert!(at < over + 960 && over < at + 480, "{at} and {over} lie apart");
        packed.check(arena).expect("legal");
        // A byte nearer, and it would be written before it is read.
        let lead = 29 * 16;
        packed.tensors[1].meta.offset = (over + lead - 1) as u32;
        assert!(packed.check(arena).is_err());
    }

    #[test]
    fn channels_that_are_read_in_turn_lie_whole_pixels_apart() {
        // Of 24 channels some are joined at a time: an output byte may lie over a read one of its own channel only.
        let mut net = Net::<Int>::new("halves", Shape::new(20, 20, 24), META);
        let input = net.input;
        let window = Window::new(3, 3).stride(2).padding(Padding::all(1));
        let conv = DepthwiseConv2d { multiplier: 1, window, bias: Bias::Channel };
        push(&mut net, Op::DepthwiseConv2d(conv), &[input], 0);
        net.nodes[0].store.requant.fill(Requant::new(1 << 30, -3));
        for target in [Target::CortexM4, Target::CortexM0, Target::CortexM55] {
            let mut packed = net.clone();
            let arena = pack(&mut packed, target, None).expect("packs");
            let scratch = packed.nodes[0].store.scratch.len as usize;
            assert!(arena < 9600 + scratch + 16, "{target:?}: {arena}, {scratch} of it scratch");
            let lead = packed.with(|graph| graph.lead(&graph.nodes[0])).expect("reads ahead");
            let [from, to] = [0, 1].map(|id| packed.tensors[id].meta.offset as isize);
            assert!(lead.allows(from - to), "{target:?}: {from}, {to}");
            packed.tensors[1].meta.offset += 4;
            let fault = packed.check(packed.tensors[0].shape.len() + arena).err();
            assert_eq!(fault.is_some(), lead.step > 1 || !lead.allows(from - to - 4), "{target:?}: {lead:?}");
        }
    }

    #[test]
    fn a_net_without_operators_needs_its_input() {
        let mut net = Net::<Int>::new("empty", Shape::flat(7), META);
        assert_eq!(plan(&mut net).expect("plans"), 7);
    }

    #[test]
    fn a_limit_names_what_lies_in_memory_together() {
        let mut net = Net::<Int>::new("limit", Shape::new(8, 8, 4), META);
        let input = net.input;
        let a = push(&mut net, conv(2, 1, 4), &[input], 40);
        push(&mut net, Op::Relu, &[a], 0);
        let arena = plan(&mut net).expect("plans");
        assert_eq!(arena, 256 + 32 + 40);
        check_limit(&net, arena, arena).expect("as many as there may be");
        let text = check_limit(&net, arena, 300).expect_err("28 too many").to_string();
        for part in [
            "328 bytes, 28 more",
            "at n0",
            "input 8x8x4 (256 bytes)",
            "n0 4x4x2 (32 bytes)",
            "scratch of n0 (40 bytes)",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn an_illegal_net_is_refused() {
        let mut net = Net::<Int>::new("bad", Shape::flat(7), META);
        let input = net.input;
        let id = push(&mut net, Op::Relu, &[input], 0);
        net.tensors[id.at()].shape = Shape::flat(8);
        let error = plan(&mut net).expect_err("must be refused").to_string();
        assert!(error.contains("n0"), "{error}");
    }

    /// A random net over 4x4 images, every tensor of which may be read again later.
    fn random(seed: u64) -> Net<Int> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut below = move |n: usize| (rng.next_u64() % n as u64) as usize;
        let mut net = Net::<Int>::new("random", Shape::new(4, 4, 1 + below(5) as u16), META);
        let mut made = vec![net.input];
        for _ in 0..1 + below(14) {
            // Mostly what was just made, so that lifetimes are short as in real nets.
            let back = below(2) * below(made.len());
            let x = made[made.len() - 1 - back];
            let same: Vec<TensorId> =
                made.iter().copied().filter(|&id| net.shape(id).same(net.shape(x))).collect();
            let other = same[below(same.len())];
            let second = made[below(made.len())];
            let scratch = (below(3) * below(40)) as u32;
            let id = match below(7) {
                0 => push(&mut net, Op::Relu, &[x], 0),
                1 => push(&mut net, Op::Add(Operands::Equal), &[x, other], 0),
                2 => push(&mut net, Op::Concat { axis: Axis::Channels }, &[x, second], 0),
                3 => {
                    let flat = net.shape(x).len() as u16;
                    let there = push(&mut net, Op::Reshape { shape: Shape::flat(flat) }, &[x], 0);
                    let shape = net.shape(x);
                    push(&mut net, Op::Reshape { shape }, &[there], 0)
                }
                4 => push(&mut net, Op::MaxPool2d(Pool2d { window: Window::new(1, 1) }), &[x], scratch),
                _ => {
                    let units = 1 + below(8) as u16;
                    let span = net.shape(x).c;
                    let window = Window::new(3, 3).padding(Padding::all(1));
                    let op = Conv2d { units, window, groups: 1, span, bias: Bias::Channel };
                    push(&mut net, Op::Conv2d(op), &[x], scratch)
                }
            };
            made.push(id);
        }
        net
    }

    #[test]
    fn random_nets_never_overlap_and_stay_between_the_bounds() {
        let (mut at_bound, count) = (0, 400);
        for seed in 0..count {
            let mut net = random(seed);
            let arena = plan(&mut net).expect("plans");
            net.check(arena).expect("no overlap");
            assert!(arena == 0 || net.check(arena - 1).is_err(), "{seed}: a byte less would do");
            let round = |bytes: usize| bytes.next_multiple_of(4);
            let sum: usize = net.tensors.iter().map(|t| round(t.shape.len())).sum::<usize>()
                + net.nodes.iter().map(|n| round(n.store.scratch.len as usize)).sum::<usize>();
            assert!((least(&net)..=sum).contains(&arena), "{seed}: {arena}");
            assert!(net.tensors.iter().all(|t| t.meta.offset % 4 == 0));
            at_bound += u32::from(arena < least(&net) + 16);
        }
        assert!(at_bound * 100 >= 95 * count as u32, "{at_bound} of {count} near the lower bound");
    }
}
