//! Export, include and run gives the same bytes as in memory: for a net of every operator, whose table is kept in
//! the tree (`ZIPNET_BLESS=1 cargo test -p train-host --test table` renews it).

use std::path::Path;

use train_host::build::build;
use train_host::export::{Origin, Sample, Stored, table};
use train_host::quantise::quantise;
use train_host::recipe::Recipe;
use zipnet::ir::{Shape, Uses};
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
    let classes = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    let origin = Origin { data: "noise".to_owned(), seed: 11, low: 0.0, high: 255.0, classes };
    Stored { net: quantised.net, arena: quantised.arena, origin }
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
    assert_eq!(every::Net::USES, Uses { packed: Uses::NONE.packed, ..Uses::ALL });
}
