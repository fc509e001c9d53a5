//! Export, include and run gives the same bytes as in memory: for a net of every operator, whose table is kept in
//! the tree (`ZIPNET_BLESS=1 cargo test -p train-host --test table` renews it).

use std::path::Path;

use train_host::build::build;
use train_host::export::{Origin, Sample, Source, Stored, table};
use train_host::graph::{IntStore, Net};
use train_host::plan::plan;
use train_host::quantise::factors::{self, Scale};
use train_host::quantise::{quantise, tables};
use train_host::recipe::Recipe;
use zipnet::ir::{
    Axis, Clamp, Int, IntTensor, Op, Operands, Pad, Pool2d, Requant, Shape, Slice, TensorId, Uses, Window,
};
use zipnet::{Engine, Model};

/// What the exporter wrote, as firmware includes it.
#[allow(unreachable_pub)]
mod every {
    include!("table/every_operator.rs");
}

const RECIPE: &str = include_str!("table/every_operator.toml");

/// Numbers from -1 to 1 that look random.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn stored() -> Stored {
    let recipe = Recipe::parse("every_operator.toml", RECIPE).expect("a recipe");
    let shape = Shape::new(9, 8, 2);
    let net = build(&recipe, shape, 5, 11).expect("shapes meet").net;
    let quantised = quantise(&net, &recipe.quantise, &noise(64 * shape.len()), 1).expect("quantises");
    let mut net = quantised.net;
    imported(&mut net);
    let arena = plan(&mut net).expect("plans");
    let classes = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    let origin = Origin {
        source: Source::Trained { data: "noise".to_owned(), seed: 11 },
        low: 0.0,
        high: 255.0,
        classes,
    };
    Stored { net, arena, origin }
}

/// Appends the operators that only imported nets have, each in every way it can be stated.
fn imported(net: &mut Net<Int>) {
    let softmax = net.output;
    let mut at = net.nodes[net.nodes.len() - 1].inputs[0];
    let grid = |scale, zero| IntTensor { scale, zero, offset: 0 };
    let same = net.tensors[softmax.at()].meta;
    let wide = grid(0.03, -20);
    let numbers = |weights: &[i8], bias: &[i32], requant: Vec<Requant>| IntStore {
        weights: weights.to_vec(),
        bias: bias.to_vec(),
        requant,
        ..IntStore::default()
    };
    let mut push = |op: Op, others: &[TensorId], meta, store| {
        let inputs = [&[at], others].concat();
        at = net.push(&format!("imported {}", op.name()), op, &inputs, meta, store).expect("shapes meet");
        at
    };
    let none = || numbers(&[], &[], vec![]);
    let plus = || factors::add(0.03, 0.03, 0.03).expect("fits").to_vec();
    let times = || vec![factors::mul(0.03, 0.03, 0.01).expect("fits")];
    let same_scale = || vec![factors::requantize(0.03, 0.03).expect("fits")];
    let table = |made: train_host::Result<tables::Table>| numbers(&made.expect("a table"), &[], vec![]);

    let mean = |count| vec![factors::mean(0.03, 0.03, count).expect("fits")];

    push(Op::Requantize, &[], wide, none()); // the bytes as they are, for other values
    push(Op::Mean { axes: [true, true, false] }, &[], wide, numbers(&[], &[], mean(1))); // 1x1x5
    let shares = factors::add(0.03, same.scale, 0.03).expect("fits").to_vec();
    push(Op::Add(Operands::Equal), &[softmax], wide, numbers(&[], &[], shares));
    let pad = Op::Pad(Pad { before: [1, 0, 1], after: [0, 2, 1] });
    push(pad, &[], wide, numbers(&[], &[7], vec![])); // 2x3x7
    push(Op::Transpose { order: [1, 2, 0] }, &[], wide, none()); // 3x7x2
    let slice = Slice { begin: [2, 1, 0], stride: [-1, 2, 1], shape: Shape::new(3, 3, 2) };
    push(Op::Slice(slice), &[], wide, none());
    let map = [tables::nearest(3, 4, false, true), tables::nearest(3, 5, true, false)].concat();
    let large = push(Op::ResizeNearest { height: 4, width: 5 }, &[], wide, numbers(&[], &map, vec![]));
    push(Op::Mean { axes: [true, true, false] }, &[], wide, numbers(&[], &[], mean(20)));
    push(Op::Add(Operands::Broadcast), &[large], wide, numbers(&[], &[], plus()));
    push(Op::Add(Operands::Right(Shape::flat(2))), &[], wide, numbers(&[30, -30], &[3], plus()));
    push(Op::Sub(Operands::Left(Shape::flat(1))), &[], wide, numbers(&[9], &[-3], plus()));
    push(Op::Sub(Operands::Equal), &[large], wide, numbers(&[], &[], plus()));
    push(Op::Mul(Operands::Equal), &[large], grid(0.01, 4), numbers(&[], &[], times()));
    let back = vec![factors::requantize(0.01, 0.02).expect("fits")];
    push(Op::ReluN1To1, &[], wide, IntStore { clamp: Clamp::new(-120, 127), ..numbers(&[], &[], back) });
    let slopes = factors::prelu(0.03, 0.03, 0.03).expect("fits").to_vec();
    push(Op::Prelu { alpha: Shape::new(1, 5, 1) }, &[], wide, numbers(&[40, -33, 30, 20, 50], &[6], slopes));
    let wide_scale = Scale { scale: wide.scale, zero: wide.zero };
    push(Op::LeakyRelu, &[], wide, table(tables::leaky_relu(wide_scale, 0.3, wide_scale)));
    push(Op::HardSwish, &[], wide, table(tables::hard_swish(wide_scale, wide_scale)));
    push(Op::Relu6, &[], wide, IntStore { clamp: Clamp::new(-100, 120), ..none() });
    let whole = push(Op::Mean { axes: [false, false, true] }, &[], wide, numbers(&[], &[], mean(2)));
    let pair = push(Op::Concat { axis: Axis::Columns }, &[whole], wide, none());
    push(Op::Concat { axis: Axis::Rows }, &[pair], wide, none()); // 8x10x1
    push(Op::Relu, &[], wide, IntStore { clamp: Clamp::new(-127, 127), ..numbers(&[], &[], same_scale()) });
    push(Op::Logistic, &[], same, table(tables::logistic(wide_scale)));
    let five = Slice { begin: [7, 8, 0], stride: [0, -2, 0], shape: Shape::new(1, 5, 1) };
    push(Op::Slice(five), &[], same, none());
    let window = Window::new(1, 2).same(1, 5);
    push(Op::AvgPool2d(Pool2d { window }), &[], same, none());
    push(Op::MaxPool2d(Pool2d { window }), &[], same, none());
    push(Op::Reshape { shape: Shape::flat(5) }, &[], same, none());
}

fn samples(stored: &Stored) -> Vec<Sample> {
    let size = stored.net.input_shape().len();
    let ramp: Vec<i8> = (0..size).map(|i| (i * 3) as i8).collect();
    let random = noise(3 * size).into_iter().map(|x| (x * 127.0) as i8).collect::<Vec<i8>>();
    let inputs = random.chunks(size).map(<[i8]>::to_vec).chain([vec![-128; size], vec![127; size], ramp]);
    inputs
        .map(|input| {
            let output = stored.run(&input).expect("runs");
            Sample { input, output, label: 0 }
        })
        .collect()
}

#[test]
fn the_table_in_the_tree_is_what_the_exporter_writes() {
    let stored = stored();
    let text = table(&stored, &samples(&stored));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/table/every_operator.rs");
    if std::env::var_os("ZIPNET_BLESS").is_some() {
        std::fs::write(&path, &text).expect("can be written");
    }
    let kept = std::fs::read_to_string(&path).expect("is in the tree");
    assert!(kept == text, "{} is stale: run with ZIPNET_BLESS=1", path.display());
}

#[test]
fn the_included_table_gives_the_bytes_of_the_net_in_memory() {
    let (stored, mut engine) = (stored(), Engine::<every::Net>::new());
    let samples = samples(&stored);
    assert_eq!(samples.len(), every::GOLDEN.len());
    for (sample, golden) in samples.iter().zip(&every::GOLDEN) {
        assert_eq!(sample.input, golden.input);
        assert_eq!(engine.run(golden.input).expect("right length"), sample.output);
        assert_eq!(golden.output, sample.output);
    }
    let distinct: std::collections::HashSet<_> = samples.iter().map(|s| &s.output).collect();
    assert!(distinct.len() > 3, "the outputs differ from input to input");
    assert!(engine.run(&[0; 5]).is_err());
}

#[test]
fn it_holds_every_operator() {
    // What packed weights ask for, units behind quads among it, no table in plain order does.
    let Uses { packed, rests, strips, dilated, alone, .. } = Uses::NONE;
    assert_eq!(every::Net::USES, Uses { packed, rests, strips, dilated, alone, ..Uses::ALL });
}
