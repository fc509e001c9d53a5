//! Weights in the order that a CPU reads, node by node, where it can be proved that the bytes stay the same.
//!
//! A node that a packing does not fit keeps the plain order, which every engine runs too.

mod add;
mod again;
mod depthwise;
mod dual;
mod fours;
mod grouped;
mod halves;
mod nibbles;
mod numbers;
mod single;
mod squares;
mod vectors;
mod winograd;

use clap::ValueEnum;
use zipnet::ir::{
    Chunk, Conv2d, FourTaps, Int, Lanes, Op, Operands, Packing, Ring, Scratch, Shape, Slide, TensorId, Views,
};

use super::Streamed;
use super::aligned::Aligned;
use crate::Result;
use crate::graph::{IntStore, Net, NetNode};
use crate::plan::{check_limit, plan};

/// The CPU that a table is made for. Every table gives the same bytes on every CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Target {
    /// Any CPU: weights in plain order.
    #[default]
    Portable,
    /// Cortex-M0, M0+, M3 and others without DSP instructions: weights packed for multiplications of 32 bits, two pixels a
    /// time.
    CortexM0,
    /// Cortex-M4, M7, M33 and others with DSP instructions: weights packed for dual multiplications.
    CortexM4,
    /// Cortex-M55, M85 and others with Helium: weights packed for dot products of sixteen elements.
    CortexM55,
}

/// One in so many multiplications of a net hardly counts.
const HARDLY: u64 = 100;

/// One in so many is worth a kernel of its own, which takes some KiB of flash.
const WORTH: u64 = 6;

/// Percent by which the arena may exceed the least that packed kernels need, where no limit is given.
const MORE: usize = 15;

/// Bytes by which it may do so however small it is.
const MORE_BYTES: usize = 2048;

/// Arrangements that are tried before the one of least scratch is taken.
const TRIES: usize = 48;

/// Packs every node of a net for `target` that can be packed, and places its tensors anew. Gives the bytes of arena.
///
/// Where a faster kernel needs more scratch it gets it as long as the arena keeps within `limit`; without one, within 2 KiB
/// or 15 %, whichever is more, above the least that packed kernels need. Where the arena cannot be held within `limit`
/// otherwise, tensors are computed again that were kept for long.
///
/// # Errors
/// As [`check_limit`] where the arena cannot be held within `limit`; else as [`plan`].
pub fn pack(net: &mut Net<Int>, target: Target, limit: Option<usize>) -> Result<usize> {
    arranged(net, target, limit, false)
}

/// The same for a table whose input comes row by row ([`Streamed`]): its first layer is packed such that it can. Gives the
/// bytes of arena of that table; the net itself is placed whole, for hosts.
///
/// # Errors
/// As [`Streamed::new`] where the input cannot come row by row; else as [`pack`].
pub fn pack_streamed(net: &mut Net<Int>, target: Target, limit: Option<usize>) -> Result<usize> {
    arranged(net, target, limit, true)
}

/// A packed net, placed, and the bytes of its arena.
type Arranged = (Net<Int>, usize);

/// As [`pack`], or as [`pack_streamed`].
fn arranged(net: &mut Net<Int>, target: Target, limit: Option<usize>, streamed: bool) -> Result<usize> {
    let mut plain = net.clone();
    match target {
        Target::Portable => {}
        // The first layer is not made another where its input comes row by row.
        Target::CortexM4 => single::rewrite(&mut plain, usize::from(streamed)),
        // Weights of 4 bits are no faster so.
        Target::CortexM0 | Target::CortexM55 => {
            grouped::rewrite(&mut plain, |conv, _, bits| bits != 8 || Ring::takes(conv));
        }
    }
    share_factors(&mut plain);
    let (mut least, mut smallest) = tightest(&plain, target, streamed)?;
    while let Some(limit) = limit.filter(|&limit| smallest > limit) {
        let Some(again) = made_again(&plain, target, streamed, (limit, smallest)) else { break };
        (plain, (least, smallest)) = again;
    }
    let most = limit.unwrap_or(smallest + MORE_BYTES.max(smallest * MORE / 100));
    check_limit(&least, smallest, most)?;
    // Tensors and scratch need not lie without gaps. Of the nodes that take about as many bytes as there are, else of all,
    // the one with most scratch aims lower, for it has most to give; one that did so in vain is left as it is.
    let mut aims = vec![most; plain.nodes.len()];
    let mut lowest: Vec<Option<u32>> = vec![None; plain.nodes.len()];
    for _ in 0..TRIES {
        let (packed, arena) = within(&plain, target, &aims, streamed)?;
        if arena <= most {
            *net = packed;
            return Ok(arena);
        }
        let scratch = |i: usize| packed.nodes[i].store.scratch.len;
        let gives = |i: &usize| scratch(*i) > 0 && lowest[*i].is_none_or(|before| scratch(*i) < before);
        let full = |i: usize| 10 * (bytes(&packed, i)) > 9 * most;
        let Some(i) = (0..aims.len()).filter(gives).max_by_key(|&i| (full(i), scratch(i))) else { break };
        lowest[i] = Some(scratch(i));
        aims[i] = bytes(&packed, i) - (arena - most).clamp(1, bytes(&packed, i));
    }
    *net = least;
    Ok(smallest)
}

/// Packed for the least arena.
fn tightest(plain: &Net<Int>, target: Target, streamed: bool) -> Result<Arranged> {
    within(plain, target, &vec![0; plain.nodes.len()], streamed)
}

/// The net that makes one more tensor again, and as [`tightest`] packs it: the one that does the fewest multiplications more of
/// those that hold the limit, else the one of the smallest arena. `None` where none needs less than `smallest`.
fn made_again(
    net: &Net<Int>,
    target: Target,
    streamed: bool,
    (limit, smallest): (usize, usize),
) -> Option<(Net<Int>, Arranged)> {
    let packed = |again: again::Again| Some((tightest(&again.net, target, streamed).ok()?, again));
    let all = again::all(net, !streamed).into_iter().filter_map(packed);
    let less = all.filter(|((_, arena), _)| *arena < smallest);
    let best = less.min_by_key(|((_, arena), again)| ((*arena).max(limit), again.macs));
    best.map(|(packed, again)| (again.net, packed))
}

/// Keeps one factor where all units of a node have the same.
fn share_factors(net: &mut Net<Int>) {
    for node in &mut net.nodes {
        let requant = &mut node.store.requant;
        if node.store.packing.shares_factors(&node.op) && requant.iter().all(|q| *q == requant[0]) {
            requant.truncate(1);
        }
    }
}

/// The bytes alive while a node runs, its scratch among them.
fn bytes(net: &Net<Int>, i: usize) -> usize {
    let store = &net.nodes[i].store;
    alive(net, i)(store.packing) + store.scratch.len as usize
}

/// Packed so that the bytes alive while each node runs keep within its aim if they can, by the fastest kernel for which they
/// do; placed.
fn within(plain: &Net<Int>, target: Target, aims: &[usize], streamed: bool) -> Result<Arranged> {
    let mut net = plain.clone();
    for (i, &aim) in aims.iter().enumerate() {
        let first = streamed && i == 0;
        let of_target = match target {
            Target::Portable => None,
            Target::CortexM0 => by_ring(plain, i, halves::conv2d),
            Target::CortexM4 => packed(plain, i, aim, first),
            Target::CortexM55 => by_ring(plain, i, |conv, _, store| vectors::conv2d(conv, store)),
        };
        if let Some(store) = of_target.or_else(|| halved(plain, i)) {
            net.nodes[i].store = store;
        }
    }
    if target == Target::CortexM4 {
        share_kernel(plain, &mut net);
    }
    share_numbers(plain, &mut net);
    let arena = plan(&mut net)?;
    if !streamed {
        return Ok((net, arena));
    }
    if Streamed::new(&net).is_err() {
        net.nodes[0].store = plain.nodes[0].store.clone();
        plan(&mut net)?;
    }
    let arena = Streamed::new(&net)?.arena;
    Ok((net, arena))
}

/// Gives nodes that have their numbers from another the packing of it, or it theirs, whichever takes less scratch, so that
/// the table holds them once.
fn share_numbers(plain: &Net<Int>, net: &mut Net<Int>) {
    for i in 0..net.nodes.len() {
        let first = plain.numbers_of(i);
        let [a, b] = [first, i].map(|i| &net.nodes[i].store);
        if a.packing == b.packing {
            continue;
        }
        let [to, from] = if a.scratch.len < b.scratch.len { [i, first] } else { [first, i] };
        net.nodes[to].store = net.nodes[from].store.clone();
    }
}

/// Gives dense layers the kernel of convolutions where there are such, and where the layers hardly count: it takes twice
/// the time for them, and spares the image a kernel of their own.
fn share_kernel(plain: &Net<Int>, net: &mut Net<Int>) {
    let is_dense = |i: &usize| net.nodes[*i].store.packing == Packing::DspDense;
    let dense: Vec<usize> = (0..net.nodes.len()).filter(is_dense).collect();
    let macs: usize = dense.iter().map(|&i| net.nodes[i].op.weights(net.shape(net.nodes[i].inputs[0]))).sum();
    let by_quads =
        [Packing::DspPatch, Packing::DspPoint, Packing::DspRows, Packing::DspViews, Packing::DspTaps];
    let there = net.nodes.iter().any(|node| by_quads.contains(&node.store.packing));
    if !there || HARDLY * macs as u64 > net.macs() {
        return;
    }
    let stores: Option<Vec<IntStore>> = dense.iter().map(|&i| point(plain, i)).collect();
    for (i, store) in dense.into_iter().zip(stores.into_iter().flatten()) {
        net.nodes[i].store = store;
    }
}

/// A dense layer packed as a convolution of one pixel.
fn point(plain: &Net<Int>, i: usize) -> Option<IntStore> {
    let node = &plain.nodes[i];
    let Op::Dense(dense) = &node.op else { return None };
    let (x, y) = (plain.shape(node.inputs[0]), plain.shape(node.output));
    let store = dual::point(dense, x, &node.store)?;
    with_scratch(&node.op, [x, y], store)
}

/// The net as hosts run it fastest. Such a packing lives in memory only: no table holds it.
///
/// # Errors
/// As [`plan()`].
pub fn for_host(net: &Net<Int>) -> Result<Aligned> {
    let mut net = net.clone();
    for i in 0..net.nodes.len() {
        let node = &net.nodes[i];
        let biases = node.op.bias().len(net.shape(node.output));
        if let Some(store) = nibbles::unpack(&node.op, net.shape(node.inputs[0]), biases, &node.store) {
            net.nodes[i].store = IntStore { scratch: Scratch::default(), ..store };
        }
    }
    grouped::rewrite(&mut net, |conv, x, _| FourTaps::new(conv, x).is_some());
    for i in 0..net.nodes.len() {
        if net.nodes[i].store.packing == Packing::Plain
            && let Some(store) = by_fours(&net, i)
        {
            net.nodes[i].store = store;
        }
    }
    plan(&mut net)?;
    Ok(Aligned::new(net))
}

/// A packed node of an operator over `x` into `y` with the scratch that it asks for, placed nowhere yet.
fn with_scratch(op: &Op, [x, y]: [Shape; 2], store: IntStore) -> Option<IntStore> {
    let len = store.packing.lengths(op, x, y)?.scratch as u32;
    Some(IntStore { scratch: Scratch { offset: 0, len }, ..store })
}

/// A node's weights of 4 bits packed two a byte, with the scratch they ask for.
fn halved(net: &Net<Int>, i: usize) -> Option<IntStore> {
    let node = &net.nodes[i];
    let (x, y) = (net.shape(node.inputs[0]), net.shape(node.output));
    let store = nibbles::pack(&node.op, x, &node.store)?;
    with_scratch(&node.op, [x, y], store)
}

/// A node's numbers packed for dot-product instructions, with the scratch they ask for.
fn by_fours(net: &Net<Int>, i: usize) -> Option<IntStore> {
    let node = &net.nodes[i];
    let (x, y) = (net.shape(node.inputs[0]), net.shape(node.output));
    let store = if let Op::Conv2d(conv) = &node.op {
        fours::conv2d(conv, x, &node.store)?
    } else if let Op::DepthwiseConv2d(conv) = &node.op {
        fours::depthwise(conv, x, &node.store)?
    } else if let Op::Dense(dense) = &node.op {
        fours::dense(dense, x, &node.store)?
    } else if let Op::Add(Operands::Equal) = &node.op {
        add::linear(zeros(net, i), &node.store, 256)?
    } else {
        return None;
    };
    with_scratch(&node.op, [x, y], store)
}

/// A node's numbers packed for CPUs without DSP instructions, or with Helium, which differ in how they compute convolutions,
/// with the scratch they ask for.
fn by_ring(
    net: &Net<Int>,
    i: usize,
    conv2d: impl FnOnce(&Conv2d, Shape, &IntStore) -> Option<IntStore>,
) -> Option<IntStore> {
    let node = plain(net, i)?;
    let (x, y) = (net.shape(node.inputs[0]), net.shape(node.output));
    let store = if let Op::Conv2d(conv) = &node.op {
        conv2d(conv, y, &node.store)?
    } else if let Op::DepthwiseConv2d(conv) = &node.op {
        halves::depthwise(conv, y, &node.store)?
    } else if let Op::Add(Operands::Equal) = &node.op {
        add::linear(zeros(net, i), &node.store, 256)?
    } else {
        return None;
    };
    with_scratch(&node.op, [x, y], store)
}

/// A node whose weights have 8 bits and lie in plain order.
fn plain(net: &Net<Int>, i: usize) -> Option<&NetNode<Int>> {
    let node = &net.nodes[i];
    (node.store.packing == Packing::Plain && node.store.bits == 8).then_some(node)
}

/// Zero points of both operands of an addition, and of the sum.
fn zeros(net: &Net<Int>, i: usize) -> [i8; 3] {
    let node = &net.nodes[i];
    [node.inputs[0], node.inputs[1], node.output].map(|id| net.tensors[id.at()].meta.zero)
}

/// A node's numbers packed for the DSP instructions; to be run row by row where it is `streamed`.
fn packed(net: &Net<Int>, i: usize, aim: usize, streamed: bool) -> Option<IntStore> {
    let node = plain(net, i)?;
    let (x, y) = (net.shape(node.inputs[0]), net.shape(node.output));
    let mut store = if let Op::Conv2d(conv) = &node.op {
        convolution(net, i, conv, aim, streamed)?
    } else if let Op::DepthwiseConv2d(conv) = &node.op {
        let room = aim.saturating_sub(alive(net, i)(Packing::DspFourChannels));
        depthwise::pack(conv, x, &node.store, room)?
    } else if let Op::Dense(dense) = &node.op {
        let of = |packing| dual::eights(dense, &node.store, packing);
        of(Packing::DspDense).or_else(|| of(Packing::DspLongDense))?
    } else if let Op::Add(Operands::Equal) = &node.op {
        add::linear(zeros(net, i), &node.store, 1)?
    } else {
        return None;
    };
    let lengths = store.packing.lengths(&node.op, x, y)?;
    let len = store.scratch.len.max(lengths.scratch as u32);
    store.scratch = Scratch { offset: 0, len };
    Some(store)
}

/// A convolution by the fastest kernel for which the bytes alive keep within `aim`; else by the one of least scratch. Row by
/// row, minimal filtering would transform its filters for each row, so it is not tried.
fn convolution(net: &Net<Int>, i: usize, conv: &Conv2d, aim: usize, streamed: bool) -> Option<IntStore> {
    let node = &net.nodes[i];
    let (x, y, plain) = (net.shape(node.inputs[0]), net.shape(node.output), &node.store);
    let alive = alive(net, i);
    let room = |packing| aim.saturating_sub(alive(packing));
    let [hardly, worth] = [HARDLY, WORTH].map(|part| (net.macs() / part) as usize);
    let rows = |room| dual::rows(conv, x, plain, room, hardly);
    // Parts of an image, or its columns, are not read row by row.
    let views = |room| if streamed { None } else { dual::views(conv, x, plain, room, hardly) };
    let taps = |room| dual::taps(conv, x, plain, room);
    let patches = || dual::patches(conv, [x, y], plain, room(Packing::DspPoint));
    let bytes = |store: &IntStore| {
        let lengths = store.packing.lengths(&node.op, x, y);
        alive(store.packing) + lengths.map_or(0, |lengths| lengths.scratch)
    };
    let least = || [rows(usize::MAX), views(usize::MAX), patches()].into_iter().flatten().min_by_key(bytes);
    // By rows where there is room for them, or else by patches, unless another kernel is faster by so much that it is worth it.
    let widened = || {
        let rows = rows(room(Packing::DspRows)).zip(rows_cycles(conv, x));
        let copied = || patches().filter(|store| bytes(store) <= aim).zip(patches_cycles(conv, [x, y]));
        let views = views(room(Packing::DspViews)).zip(Views::new(conv, x).map(|views| views.cycles()));
        let mut best = rows.or_else(copied);
        for (other, least) in [(views, hardly), (taps(room(Packing::DspTaps)), worth)] {
            let saves = |(_, cycles): &(IntStore, usize)| {
                best.as_ref().is_none_or(|(_, more)| more.saturating_sub(*cycles) > least)
            };
            best = other.filter(saves).or(best);
        }
        best.map(|(store, _)| store)
    };
    let long = || dual::long_patches(conv, [x, y], plain, room(Packing::DspLongPatch));
    let kept = net.with(|graph| graph.last(node.inputs[0])) > i + 1;
    // By minimal filtering, along rows or in both directions.
    let filters = || {
        let rows = winograd::filters(conv, x, plain, room(Packing::DspWinograd));
        let squares = squares::filters(conv, [x, y], plain, room(Packing::DspSquares), kept);
        let direct = winograd::direct(conv, x);
        let filters = rows.into_iter().chain(squares).filter(|(_, cycles)| Some(*cycles) < direct);
        filters.min_by_key(|(_, cycles)| *cycles).map(|(store, _)| store)
    };
    (!streamed).then(filters).flatten().or_else(widened).or_else(least).or_else(long)
}

/// About so many cycles as [`Packing::DspRows`].
fn rows_cycles(conv: &Conv2d, x: Shape) -> Option<usize> {
    let slides = Slide::both(&conv.window, x)?;
    let lanes = Lanes::upright(conv, x, &slides)?;
    Some(lanes.cycles(lanes.channels == usize::from(x.c)))
}

/// About so many cycles as [`Packing::DspPatch`].
fn patches_cycles(conv: &Conv2d, [x, y]: [Shape; 2]) -> Option<usize> {
    let pixels = usize::from(y.h) * usize::from(y.w);
    // Windows of a row are copied together; where it has but one, each by itself.
    let single = if y.w == 1 { 400 * pixels } else { 0 };
    let cycles = || Chunk::new(conv, x.c, 0).cycles(conv, pixels) + single;
    Chunk::point(&Op::Conv2d(*conv), x).is_none().then(cycles)
}

/// The bytes of tensors that are alive while a node runs, its own among them, told its packing; those that its input and
/// output may share count once.
fn alive(net: &Net<Int>, i: usize) -> impl Fn(Packing) -> usize {
    let node = &net.nodes[i];
    let (x, y) = (net.shape(node.inputs[0]), net.shape(node.output));
    let (all, dies) = net.with(|graph| {
        let ids = (0..net.tensors.len()).map(|id| TensorId(id as u16));
        let lives =
            |id: &TensorId| graph.first(*id).is_some_and(|first| first <= i + 1) && graph.last(*id) > i;
        let all: usize = ids.filter(lives).map(|id| net.shape(id).len()).sum();
        (all, graph.last(node.inputs[0]) == i + 1)
    });
    let op = node.op;
    move |packing| {
        if !dies {
            return all;
        }
        if packing.in_place(&op, x) {
            return all - y.len();
        }
        let Some(lead) = packing.lead(&op, x) else { return all };
        let both = y.len().max(x.len() + lead.behind());
        all - (x.len() + y.len()).saturating_sub(both)
    }
}
