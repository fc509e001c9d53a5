//! Packed for a CPU, a net gives the same bytes as in plain order: random operators of every kind that has a packing,
//! through the exporter's packing, its check, and the engine of this host.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use train_host::export::{Streamed, Target, for_host, pack, pack_streamed};
use train_host::graph::{IntStore, Net};
use train_host::plan::plan;
use zipnet::ir::{
    Bias, Clamp, Conv2d, Dense, DepthwiseConv2d, Int, IntTensor, Op, Operands, Packing, Padding, Pool2d,
    Requant, Ring, Shape, Squares, TensorId, Window,
};
use zipnet::{Cpu, Runner};

/// Numbers that need not be good: Knuth's linear congruences.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    fn below(&mut self, n: u32) -> u32 {
        self.next() % n
    }

    /// Mostly the extremes in one of three seeds, none below 0 in one of four.
    fn int8s(&mut self, count: usize) -> Vec<i8> {
        let (extreme, positive) = (self.0.is_multiple_of(3), self.0.is_multiple_of(4));
        let mut one = || match self.next() {
            x if extreme && x & 3 != 0 => [i8::MIN, i8::MAX][(x >> 4 & 1) as usize],
            x => (x >> 8) as i8,
        };
        (0..count).map(|_| one()).map(|x| if positive { x.saturating_abs() } else { x }).collect()
    }

    fn clamp(&mut self) -> Clamp {
        let ends = self.int8s(2);
        if self.below(2) == 0 { Clamp::FULL } else { Clamp::new(ends[0].min(ends[1]), ends[0].max(ends[1])) }
    }

    fn meta(&mut self) -> IntTensor {
        IntTensor { scale: 1.0, zero: self.int8s(1)[0], offset: 0 }
    }

    /// Factors that leave something of sums of `k` products, and 0 now and then; all the same in one of four cases.
    fn requants(&mut self, count: usize, k: usize) -> Vec<Requant> {
        let bits = 6 + k.ilog2() as i32 / 2;
        let mut one = || match self.below(16) {
            0 => Requant::new(0, 0),
            1 => Requant::new(1 << 30, -2 - self.below(30) as i32),
            // Sums of any size.
            2..8 if k > 512 => Requant::new(1 << 30, -7 - k.ilog2() as i32 - self.below(3) as i32),
            _ => Requant::new((1 << 30) + (self.next() & 0x3fff_ffff) as i32, -bits - self.below(3) as i32),
        };
        let factors: Vec<Requant> = (0..count).map(|_| one()).collect();
        if self.below(4) == 0 { vec![factors[0]; count] } else { factors }
    }
}

/// A net of one operator with made-up numbers.
fn net(op: Op, shape: Shape, numbers: &mut Numbers) -> Net<Int> {
    let mut net = Net::<Int>::new("one", shape, numbers.meta());
    let input = net.input;
    let inputs = [input; 2];
    let inputs = if matches!(op, Op::Add(_)) { &inputs[..] } else { &inputs[..1] };
    let y = op.output(&inputs.iter().map(|_| shape).collect::<Vec<_>>()).expect("shapes meet");
    let weights = op.weights(shape);
    let k = (weights / usize::from(y.c)).max(1);
    let factor = |least: i32, numbers: &mut Numbers| {
        Requant::new((1 << 30) + (numbers.next() & 0x3fff_ffff) as i32, least + numbers.below(3) as i32)
    };
    let requant = match op {
        Op::Add(_) => vec![factor(-3, numbers), Requant::new(1 << 30, 0), factor(-20, numbers)],
        _ => numbers.requants(y.c.into(), k),
    };
    let store = IntStore {
        weights: numbers.int8s(weights).into_iter().map(|w| w.max(-127)).collect(),
        bias: (0..op.bias().len(y)).map(|_| numbers.below(1 << 16) as i32 - (1 << 15)).collect(),
        requant,
        clamp: numbers.clamp(),
        ..IntStore::default()
    };
    let meta = numbers.meta();
    net.push("op", op, inputs, meta, store).expect("shapes meet");
    net
}

/// Whether a net packed for a Cortex-M4 gives the bytes it gives in plain order, its input whole or row by row; how it was
/// packed.
fn same(net: Net<Int>, limit: Option<usize>, numbers: &mut Numbers) -> Result<Packing, TestCaseError> {
    same_for(Target::CortexM4, net, limit, numbers)
}

/// The same for any target.
fn same_for(
    target: Target,
    mut net: Net<Int>,
    limit: Option<usize>,
    numbers: &mut Numbers,
) -> Result<Packing, TestCaseError> {
    let inputs = numbers.int8s(3 * net.input_shape().len());
    plan(&mut net).expect("plans");
    let want = net.run(&inputs).expect("runs");
    for target in [Target::Portable, target] {
        let mut rows = net.clone();
        let first = &net.nodes[0];
        let slides = first.op.strip(net.input_shape(), net.shape(first.output), 0).is_some();
        if !slides {
            prop_assert!(pack_streamed(&mut rows, target, limit).is_err());
            continue;
        }
        let arena = pack_streamed(&mut rows, target, limit).expect("packs");
        let cut = Streamed::new(&rows).expect("streams");
        prop_assert_eq!(cut.arena, arena);
        for cpu in Cpu::all() {
            prop_assert_eq!(cut.run_on(cpu, &inputs).expect("runs"), &want[..], "row by row, {}", cpu.name());
        }
    }
    let arena = pack(&mut net, target, limit).expect("packs");
    net.check(arena).expect("legal");
    let (x, y) = (net.nodes[0].inputs[0], net.nodes[0].output);
    if net.nodes.len() == 1
        && net.with(|graph| graph.in_place(&graph.nodes[0], 0))
        && net.shape(x).len() == net.shape(y).len()
    {
        assert_eq!(net.tensors[x.at()].meta.offset, net.tensors[y.at()].meta.offset, "not in place");
    }
    prop_assert_eq!(net.run(&inputs).expect("runs"), &want[..]);
    overlapping(&net, &inputs, &want)?;
    Ok(net.nodes[0].store.packing)
}

/// Whether a net of one packed operator gives the bytes it gives when its output lies apart from its input, and as far over
/// it as may be; and whether a byte further is refused.
fn overlapping(net: &Net<Int>, inputs: &[i8], want: &[i8]) -> Result<(), TestCaseError> {
    let Some(lead) = net.with(|graph| graph.lead(&graph.nodes[0])).filter(|_| net.nodes.len() == 1) else {
        return Ok(());
    };
    let mut net = net.clone();
    let (x, y) = (net.nodes[0].inputs[0], net.nodes[0].output);
    let step = lead.step as isize;
    let distance = -(-lead.least).div_euclid(step) * step;
    let output = 1 + usize::try_from(-distance).unwrap_or(0);
    let input = output.checked_add_signed(distance).expect("behind 0");
    let [x_end, y_end] = [input + net.shape(x).len(), output + net.shape(y).len()];
    net.tensors[x.at()].meta.offset = input as u32;
    net.tensors[y.at()].meta.offset = output as u32;
    let scratch = &mut net.nodes[0].store.scratch;
    scratch.offset = x_end.max(y_end).next_multiple_of(4) as u32;
    let arena = (scratch.offset + scratch.len) as usize;
    net.tensors[y.at()].meta.offset = arena.next_multiple_of(4) as u32;
    prop_assert_eq!(net.run(inputs).expect("runs"), want, "apart");
    net.tensors[y.at()].meta.offset = output as u32;
    net.check(arena).expect("legal");
    prop_assert_eq!(net.run(inputs).expect("runs"), want, "{:?}", lead);
    net.tensors[x.at()].meta.offset -= 1;
    let apart = x_end - 1 <= output || y_end < input;
    prop_assert_eq!(net.check(arena).is_ok(), apart, "a byte less than {:?}", lead);
    Ok(())
}

/// Whether a net gives the bytes that it gives in plain order on the portable kernels, packed for this host and not, on
/// every instruction set there is; how it was packed.
fn same_on_host(mut net: Net<Int>, numbers: &mut Numbers) -> Result<Packing, TestCaseError> {
    let inputs = numbers.int8s(2 * net.input_shape().len());
    plan(&mut net).expect("plans");
    let portable = Cpu::all().last().expect("the portable one");
    let want = net.run_on(portable, &inputs).expect("runs");
    let packed = for_host(&net).expect("packs");
    for cpu in Cpu::all() {
        prop_assert_eq!(net.run_on(cpu, &inputs).expect("runs"), &want[..], "{}", cpu.name());
        prop_assert_eq!(packed.run_on(cpu, &inputs).expect("runs"), &want[..], "{}, packed", cpu.name());
        let at_once = |runner: Runner<'_>| {
            let mut outputs = vec![0; want.len()];
            let mut arena = vec![0; 3 * runner.arena_len()];
            runner.on(cpu).run_many(&mut arena, &inputs, &mut outputs).expect("fits");
            Ok(outputs)
        };
        let (plain, packed) = (net.with_runner(at_once), packed.with_runner(at_once));
        prop_assert_eq!(plain.expect("runs"), &want[..], "{}, at once", cpu.name());
        prop_assert_eq!(packed.expect("runs"), &want[..], "{}, packed, at once", cpu.name());
    }
    Ok(packed.nodes[0].store.packing)
}

/// Whether a net with weights of 4 bits, two a byte, gives the bytes that it gives with a byte each: packed for any CPU, for
/// a Cortex-M4, and as `of_host` for this host, on every instruction set there is.
fn same_halved(mut net: Net<Int>, numbers: &mut Numbers, of_host: Packing) -> Result<(), TestCaseError> {
    let store = &mut net.nodes[0].store;
    store.weights.iter_mut().for_each(|w| *w = *w << 4 >> 4);
    store.bits = 4;
    // Biases of up to 16 bits, and now and then one of more.
    store.bias[0] += i32::from(numbers.below(4) == 0) << 15;
    let short = store.bias.iter().all(|&bias| i16::try_from(bias).is_ok());
    let count = store.weights.len();
    let inputs = numbers.int8s(2 * net.input_shape().len());
    plan(&mut net).expect("plans");
    let want = net.run(&inputs).expect("runs");
    for target in [Target::Portable, Target::CortexM4] {
        let mut packed = net.clone();
        let arena = pack(&mut packed, target, None).expect("packs");
        packed.check(arena).expect("legal");
        let node = &packed.nodes[0];
        if target == Target::Portable {
            let wanted = match node.op {
                Op::Conv2d(_) => {
                    if short {
                        Packing::NibblesShort
                    } else {
                        Packing::Nibbles
                    }
                }
                Op::Dense(_) => Packing::NibblesDense,
                _ => Packing::NibblesDepthwise,
            };
            prop_assert_eq!(node.store.packing, wanted);
            prop_assert!(2 * node.store.weights.len() <= count + net.output_shape().c as usize);
        }
        let mut rows = net.clone();
        let cut = pack_streamed(&mut rows, target, None).ok().map(|_| Streamed::new(&rows).expect("streams"));
        prop_assert_eq!(cut.is_some(), !matches!(node.op, Op::Dense(_)));
        let widened = for_host(&packed).expect("packs");
        prop_assert_eq!(widened.nodes[0].store.packing, of_host);
        for cpu in Cpu::all() {
            for net in [&packed, &widened] {
                prop_assert_eq!(net.run_on(cpu, &inputs).expect("runs"), &want[..], "{:?}", target);
            }
            if let Some(cut) = &cut {
                prop_assert_eq!(cut.run_on(cpu, &inputs).expect("runs"), &want[..], "rows, {:?}", target);
            }
        }
    }
    Ok(())
}

/// As many cases as the environment's `ZIPNET_CASES` says, else `few`.
fn cases(few: u32) -> u32 {
    std::env::var("ZIPNET_CASES").map_or(few, |text| text.parse().expect("a number of cases"))
}

/// The same for operators so large that a hundredth of those has to do.
fn cases_of_large(few: u32) -> u32 {
    few.max(cases(0) / 100)
}

/// Holds `same` and `same_on_host` against random operators, each of which must come out in one of `packings` but for
/// one in ten, and each of which some must.
fn hold(packings: &[Packing], cases: u32, strategy: impl Strategy<Value = (Op, Shape, u64)>) {
    let config =
        Config { cases, failure_persistence: None, max_local_rejects: u32::MAX, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let fast = std::cell::Cell::new(None);
    let others = std::cell::Cell::new(0);
    let seen = std::cell::RefCell::new(Vec::new());
    let property = |(op, shape, seed): (Op, Shape, u64)| {
        let mut numbers = Numbers(seed);
        let fours = same_on_host(net(op, shape, &mut numbers), &mut numbers)?;
        let wanted = match op {
            Op::DepthwiseConv2d(conv) if conv.multiplier > 1 => Packing::Fours,
            Op::DepthwiseConv2d(_) => Packing::FoursDepthwise,
            Op::Add(_) => fours, // proved possible or not
            _ => Packing::Fours,
        };
        prop_assert_eq!(fours, wanted);
        if !matches!(op, Op::Add(_)) {
            let mut numbers = Numbers(seed);
            same_halved(net(op, shape, &mut numbers), &mut numbers, fours)?;
        }
        fast.set(Some((op.name(), fours)));
        let mut numbers = Numbers(seed);
        let packing = same(net(op, shape, &mut numbers), Some(1 << 20), &mut numbers)?;
        // Less scratch, perhaps another packing.
        let mut numbers = Numbers(seed);
        same(net(op, shape, &mut numbers), None, &mut numbers)?;
        seen.borrow_mut().push(packing);
        let mut numbers = Numbers(seed);
        let without = same_for(Target::CortexM0, net(op, shape, &mut numbers), None, &mut numbers)?;
        match op {
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) => seen.borrow_mut().push(without),
            Op::Add(_) => prop_assert_eq!(without, fours),
            _ => prop_assert_eq!(without, Packing::Plain),
        }
        let mut numbers = Numbers(seed);
        let vectors = same_for(Target::CortexM55, net(op, shape, &mut numbers), None, &mut numbers)?;
        match op {
            Op::Conv2d(_) => seen.borrow_mut().push(vectors),
            // Of those that are convolutions in groups then.
            Op::DepthwiseConv2d(conv) if !Ring::takes(&conv) => seen.borrow_mut().push(vectors),
            _ => prop_assert_eq!(vectors, without),
        }
        if !packings.contains(&packing) {
            others.set(others.get() + 1);
        }
        Ok(())
    };
    runner.run(&strategy, property).expect("the bytes are the same");
    if let Some((op, packing)) = fast.get() {
        Cpu::all().for_each(|cpu| println!("{op} in {packing:?} on {}: {cases} cases", cpu.name()));
    }
    for packing in packings {
        let count = seen.borrow().iter().filter(|seen| *seen == packing).count();
        println!("{packing:?}: {count} of {cases}");
        assert!(count > 0, "none in {packing:?}");
    }
    assert!(others.get() * 10 <= cases, "{} of {cases} were packed otherwise, or not", others.get());
}

/// Any window that fits some image, with the image's rows and columns.
fn windows(dilation: u16) -> impl Strategy<Value = (Window, u16, u16)> {
    let axis = move || (1..=12u16, 1..=5u16, 1..=3u16, 1..=dilation, any::<[u16; 2]>());
    (axis(), axis()).prop_filter_map("the window must fit", |(rows, columns)| {
        let pad = |(_, k, _, d, pads): (u16, u16, u16, u16, [u16; 2])| pads.map(|p| p % ((k - 1) * d + 1));
        let ([top, bottom], [left, right]) = (pad(rows), pad(columns));
        let window = Window {
            kernel: [rows.1, columns.1],
            stride: [rows.2, columns.2],
            dilation: [rows.3, columns.3],
            padding: Padding { top, bottom, left, right },
        };
        window.output(rows.0, columns.0).map(|_| (window, rows.0, columns.0))
    })
}

/// Convolutions of any window, in groups, some of which overlap.
fn grouped() -> impl Strategy<Value = (Op, Shape, u64)> {
    let groups = prop_oneof![
        3 => (Just(1u16), prop_oneof![1..=17u16, 18..=40u16], 1..=9u16, Just(0u16)),
        2 => (1..=4u16, 1..=5u16, 1..=9u16, any::<u16>()),
        1 => (2..=9u16, 1..=5u16, 1..=5u16, Just(0u16))
    ];
    (windows(3), groups, any::<bool>(), any::<u64>()).prop_map(
        |((window, h, w), (groups, each, units, wider), unit, seed)| {
            let c = groups * each;
            let span = each + wider % (c - each + 1);
            let bias = if unit { Bias::Unit } else { Bias::Channel };
            (
                Op::Conv2d(Conv2d { units: groups * units, window, groups, span, bias }),
                Shape::new(h, w, c),
                seed,
            )
        },
    )
}

/// Convolutions to which minimal filtering comes, and strided ones like them.
fn filtered() -> impl Strategy<Value = (Op, Shape, u64)> {
    let strategy = (4..=12u16, 6..=20u16, 4..=9u16, 1..=4u16, 1..=4u16, any::<u64>());
    strategy.prop_filter_map("fits", |(h, w, c, units, rows, seed)| {
        let mut window = Window::new(rows, 3);
        window.padding = Padding {
            top: seed as u16 % rows,
            bottom: (seed >> 8) as u16 % rows,
            left: (seed >> 16) as u16 % 3,
            right: (seed >> 24) as u16 % 3,
        };
        window.stride[0] = 1 + (seed >> 32) as u16 % 2;
        let conv = Conv2d { units: 4 * units, window, groups: 1, span: 4 * c, bias: Bias::Channel };
        let shape = Shape::new(h, w, 4 * c);
        let [height, width] = window.output(h, w)?;
        (height >= 4 && 3 * width >= 16 * width.div_ceil(8)).then_some((Op::Conv2d(conv), shape, seed))
    })
}

#[test]
fn a_packed_conv2d_is_the_same() {
    hold(
        &[
            Packing::DspPatch,
            Packing::DspPoint,
            Packing::DspRows,
            Packing::DspViews,
            Packing::DspTaps,
            Packing::Halves,
            Packing::Vectors,
        ],
        cases(3000),
        grouped(),
    );
}

#[test]
fn a_convolution_by_minimal_filtering_is_the_same() {
    hold(
        &[Packing::DspWinograd, Packing::DspSquares, Packing::DspRows, Packing::Halves, Packing::Vectors],
        cases(300),
        filtered(),
    );
}

/// Holds `same` against random operators of which as many come out in `packing` for a Cortex-M4 as others are held against in
/// all.
fn hold_packed(packing: Packing, strategy: impl Strategy<Value = (Op, Shape, u64)>) {
    let config = Config { failure_persistence: None, max_local_rejects: u32::MAX, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let (mut held, mut drawn) = (0, 0);
    while held < cases(40) {
        let (op, shape, seed) = strategy.new_tree(&mut runner).expect("draws").current();
        let mut packed = net(op, shape, &mut Numbers(seed));
        pack(&mut packed, Target::CortexM4, Some(1 << 20)).expect("packs");
        drawn += 1;
        assert!(drawn < 200 * cases(40), "{packing:?}: {held} of {drawn}");
        if packed.nodes[0].store.packing != packing {
            continue;
        }
        let mut numbers = Numbers(seed);
        let result = same(net(op, shape, &mut numbers), Some(1 << 20), &mut numbers);
        assert!(result.is_ok(), "{op:?} of {shape:?}, seed {seed}: {result:?}");
        held += 1;
    }
    println!("{packing:?}: {held} cases by themselves");
}

#[test]
fn every_packing_that_reads_windows_is_the_same_as_often() {
    let point = (1..=8u16, 1..=8u16, 1..=4u16, 1..=12u16, 1..=9u16, any::<u64>());
    let point = point.prop_map(|(h, w, groups, span, units, seed)| {
        let window = Window::new(1, 1).stride(1 + seed as u16 % 2);
        let conv = Conv2d { units: groups * units, window, groups, span, bias: Bias::Channel };
        (Op::Conv2d(conv), Shape::new(h, w, groups * span), seed)
    });
    hold_packed(Packing::DspPoint, point);
    for packing in [Packing::DspPatch, Packing::DspViews, Packing::DspTaps] {
        hold_packed(packing, grouped());
    }
}

#[test]
fn every_packing_that_reads_rows_is_the_same_as_often() {
    for packing in [Packing::DspRows, Packing::DspWinograd, Packing::DspSquares] {
        hold_packed(packing, filtered());
    }
}

#[test]
fn transforms_in_the_output_are_read_before_it_is_written() {
    // Little scratch, and few channels whose transforms fit what is left of many units.
    let strategy = (12..=24u16, 9..=24u16, 1..=2u16, 6..=16u16, any::<u64>());
    let config = Config { cases: cases(100), failure_persistence: None, ..Config::default() };
    let fewer = std::cell::Cell::new(0);
    let property = |(h, w, fours, twos, seed)| {
        let mut numbers = Numbers(seed);
        let window = Window::new(3, 3).padding(Padding::all(seed as u16 % 2));
        let conv = Conv2d { units: 2 * twos, window, groups: 1, span: 4 * fours, bias: Bias::Channel };
        let mut net = net(Op::Conv2d(conv), Shape::new(h, w, 4 * fours), &mut numbers);
        let inputs = numbers.int8s(net.input_shape().len());
        plan(&mut net).expect("plans");
        let want = net.run(&inputs).expect("runs");
        pack(&mut net, Target::CortexM4, Some(1 << 20)).expect("packs");
        if net.nodes[0].store.packing != Packing::DspSquares {
            return Ok(());
        }
        let (x, y) = (net.input_shape(), net.output_shape());
        let squares = Squares::new(&conv, x).expect("is one");
        let scratch = &mut net.nodes[0].store.scratch;
        (scratch.offset, scratch.len) = (0, squares.scratch(1) as u32);
        net.tensors[0].meta.offset = scratch.len;
        net.tensors[1].meta.offset = (scratch.len as usize + x.len()) as u32;
        let times = squares.times(1, [y.h.into(), y.row()]);
        fewer.set(fewer.get() + u32::from(times < squares.times(1, [0; 2])));
        for cpu in Cpu::all() {
            prop_assert_eq!(net.run_on(cpu, &inputs).expect("runs"), &want[..]);
        }
        Ok(())
    };
    TestRunner::new(config).run(&strategy, property).unwrap();
    assert!(5 * fewer.get() > cases(100), "{} of {}", fewer.get(), cases(100));
}

#[test]
fn a_packed_dense_layer_is_the_same() {
    let shapes = prop_oneof![
        (1..=150u16).prop_map(Shape::flat),
        (1..=5u16, 1..=5u16, 1..=8u16).prop_map(|(h, w, c)| Shape::new(h, w, c)),
    ];
    let strategy = (1..=70u16, shapes, any::<u64>())
        .prop_map(|(units, shape, seed)| (Op::Dense(Dense { units, bias: Bias::Channel }), shape, seed));
    hold(&[Packing::DspDense], cases(2000), strategy);
}

#[test]
fn a_packed_layer_of_long_sums_is_the_same() {
    let strategy = (1..=20u16, 1200..=3000u16, any::<u64>())
        .prop_map(|(units, k, seed)| (Op::Dense(Dense { units, bias: Bias::Channel }), Shape::flat(k), seed));
    hold(&[Packing::DspLongDense], cases_of_large(60), strategy);
    // Windows that cross the border, and groups that do not share channels.
    let strategy = (1..=4u16, 1..=4u16, 3..=5u16, 1..=2u16, 1..=9u16, any::<[bool; 2]>(), any::<u64>())
        .prop_map(|(h, w, kernel, groups, units, [unit, strided], seed)| {
            let span = 1300 / (kernel * kernel) + 1 + seed as u16 % 40;
            let window = Window::new(kernel, kernel).padding(Padding::all(kernel / 2));
            let window = if strided { window.stride(2) } else { window };
            let bias = if unit { Bias::Unit } else { Bias::Channel };
            let conv = Conv2d { units: groups * units, window, groups, span, bias };
            (Op::Conv2d(conv), Shape::new(h, w, groups * span), seed)
        });
    hold(&[Packing::DspLongPatch], cases_of_large(60), strategy);
}

#[test]
fn a_packed_depthwise_conv2d_is_the_same() {
    let three = Window::new(3, 3);
    let windows = prop_oneof![
        2 => windows(2),
        1 => (3..=12u16, 3..=12u16, 0..=2u16).prop_map(move |(h, w, p)| (three.padding(Padding::all(p)), h, w)),
        1 => (3..=12u16, 3..=12u16, 0..=2u16, 0..=2u16, 1..=3u16, 1..=3u16).prop_filter_map("fits", move |(h, w, p, q, d, e)| {
            let padding = Padding { top: p * d, bottom: q * d, left: q * e, right: p * e };
            let window = Window { dilation: [d, e], ..three.padding(padding) };
            window.output(h, w).map(|_| (window, h, w))
        }),
        1 => (1..=30u16, 1..=10u16, 1..=2u16, 1..=4u16, 0..=30u16, any::<bool>()).prop_filter_map(
            "fits",
            |(n, k, s, d, p, lying)| {
                let (window, h, w, padding) = if lying {
                    (Window::new(1, k), 1, n, Padding { left: p, right: p / 2, ..Padding::NONE })
                } else {
                    (Window::new(k, 1), n, 1, Padding { top: p, bottom: p / 2, ..Padding::NONE })
                };
                let window = Window { stride: [s, s], dilation: [d, d], ..window.padding(padding) };
                window.output(h, w).map(|_| (window, h, w))
            },
        ),
    ];
    let channels = prop_oneof![3 => (1..=40u16, Just(1u16)), 1 => (1..=9u16, 2..=5u16)];
    let strategy = (windows, channels, any::<u64>()).prop_map(|((window, h, w), (c, multiplier), seed)| {
        let op = DepthwiseConv2d { multiplier, window, bias: Bias::Channel };
        (Op::DepthwiseConv2d(op), Shape::new(h, w, c), seed)
    });
    let packings =
        [Packing::DspDepthwise, Packing::DspDepthwise3, Packing::DspFourChannels, Packing::RingDepthwise];
    hold(&packings, cases(3000), strategy);
}

#[test]
fn a_packed_addition_is_the_same() {
    let strategy =
        (1..=70u16, any::<u64>()).prop_map(|(c, seed)| (Op::Add(Operands::Equal), Shape::flat(c), seed));
    hold(&[Packing::DspAdd], 60, strategy);
}

#[test]
fn two_operands_add_in_any_place() {
    let mut numbers = Numbers(5);
    for seed in 0..40 {
        let shape = Shape::flat(256);
        let mut two = Net::<Int>::new("two", shape, numbers.meta());
        let input = two.input;
        let meta = numbers.meta();
        let store = IntStore { requant: vec![Requant::new(1 << 30, 1)], ..IntStore::default() };
        let moved = two.push("requantize", Op::Requantize, &[input], meta, store).expect("shapes meet");
        let meta = numbers.meta();
        let mut part = net(Op::Add(Operands::Equal), shape, &mut numbers);
        let store = part.nodes.remove(0).store;
        let inputs: [TensorId; 2] = if seed % 2 == 0 { [moved, input] } else { [input, moved] };
        two.push("add", Op::Add(Operands::Equal), &inputs, meta, store).expect("shapes meet");
        same(two, None, &mut numbers).expect("the bytes are the same");
    }
}

#[test]
fn weights_that_do_not_fit_stay_plain() {
    let mut numbers = Numbers(1);
    let op = Op::Dense(Dense { units: 6, bias: Bias::Channel });
    let mut wide = net(op, Shape::flat(1000), &mut numbers);
    wide.nodes[0].store.weights.fill(127);
    let long = same(wide.clone(), None, &mut numbers).expect("the bytes are the same");
    assert_eq!(long, Packing::DspLongDense);
    wide.nodes[0].store.weights[3] = -128;
    let mut low = net(op, Shape::flat(10), &mut numbers);
    low.nodes[0].store.weights[3] = -128;
    let mut coarse = net(op, Shape::flat(10), &mut numbers);
    coarse.nodes[0].store.requant[1] = Requant::new(1 << 30, -1);
    assert_eq!(same_on_host(low.clone(), &mut numbers).expect("the bytes are the same"), Packing::Plain);
    for net in [wide, low, coarse] {
        assert_eq!(same(net, None, &mut numbers).expect("the bytes are the same"), Packing::Plain);
    }
}

#[test]
fn a_dense_layer_that_hardly_counts_takes_the_kernel_of_convolutions() {
    for (seed, units) in [(1, 5), (2, 7), (3, 12), (4, 16)] {
        let mut numbers = Numbers(seed);
        let conv = Conv2d { units: 22, window: Window::new(3, 3), groups: 1, span: 9, bias: Bias::Channel };
        let mut net = net(Op::Conv2d(conv), Shape::new(11, 12, 9), &mut numbers);
        let y = net.nodes[0].output;
        let meta = net.tensors[y.at()].meta;
        let pool = Op::MaxPool2d(Pool2d { window: Window::new(9, 10) });
        net.push("pool", pool, &[y], meta, IntStore::default()).expect("shapes meet");
        let y = net.nodes[1].output;
        let dense = Op::Dense(Dense { units, bias: Bias::Channel });
        let store = IntStore {
            weights: numbers.int8s(22 * usize::from(units)).into_iter().map(|w| w.max(-127)).collect(),
            bias: vec![-77; units.into()],
            requant: numbers.requants(units.into(), 22),
            ..IntStore::default()
        };
        let meta = numbers.meta();
        net.push("dense", dense, &[y], meta, store).expect("shapes meet");
        let mut packed = net.clone();
        pack(&mut packed, Target::CortexM4, None).expect("packs");
        assert_eq!(packed.nodes[2].store.packing, Packing::DspPoint);
        same(net, None, &mut numbers).expect("the same bytes");
    }
}
