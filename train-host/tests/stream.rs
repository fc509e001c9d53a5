//! Nets whose input comes row by row give the bytes that they give whole, in less memory; those that cannot are refused
//! with a reason.

use train_host::build::build;
use train_host::export::{
    Origin, Sample, Source, Stored, Streamed, Target, pack, pack_streamed, streamed_table,
};
use train_host::graph::Net;
use train_host::quantise::quantise;
use train_host::recipe::{Recipe, SHIPPED};
use zipnet::Cpu;
use zipnet::ir::{Int, Shape};

/// Numbers from -1 to 1 that look random.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The net of a recipe with fresh weights.
fn net(recipe: &Recipe, shape: Shape, outputs: usize) -> Net<Int> {
    let float = build(recipe, shape, outputs, 1).expect("shapes meet").net;
    quantise(&float, &recipe.quantise, &noise(8 * shape.len()), 1).expect("quantises").net
}

#[test]
fn every_shipped_net_streams() {
    let mut saved = 0;
    for (name, _) in SHIPPED {
        let recipe = Recipe::load(name).expect("a recipe");
        let side = if recipe.data == "digits" { 16 } else { 28 };
        let net = net(&recipe, Shape::new(side, side, 1), 10);
        let inputs: Vec<i8> =
            noise(4 * net.input_shape().len()).into_iter().map(|x| (x * 127.0) as i8).collect();
        let want = net.run(&inputs).expect("runs");
        for target in [Target::Portable, Target::CortexM4] {
            let whole = pack(&mut net.clone(), target, None).expect("packs");
            let mut rows = net.clone();
            let arena = pack_streamed(&mut rows, target, None).expect("packs");
            let cut = Streamed::new(&rows).expect("streams");
            println!("{name}, {target:?}: {arena} bytes of arena for {whole}, {} rows kept", cut.rows());
            assert_eq!(cut.arena, arena);
            assert!(arena <= whole, "{name}, {target:?}: {arena} bytes of arena for {whole}");
            assert!(cut.rows() < usize::from(side));
            saved += whole - arena;
            for cpu in Cpu::all() {
                assert_eq!(
                    cut.run_on(cpu, &inputs).expect("runs"),
                    want,
                    "{name}, {target:?}, {}",
                    cpu.name()
                );
            }
            assert_eq!(rows.run(&inputs).expect("runs whole"), want);
        }
    }
    assert!(saved > 0, "nets whose first layer makes the peak need less");
}

fn parsed(layers: &str) -> Recipe {
    let text = format!(
        "name = \"net\"\ndata = \"digits\"\nlayer = [{layers}]\n[train]\nepochs = 1\nbatch = 1\n[train.optimiser]\nkind = \
         \"adamw\"\n[train.schedule]\nkind = \"cosine\"\npeak = 1e-3\n"
    );
    Recipe::parse("net.toml", &text).expect("a recipe")
}

#[test]
fn a_large_picture_need_not_lie_in_memory() {
    let layers = r#"
        { op = "conv2d", units = 8, kernel = 3, stride = 2, padding = "same" }, { op = "relu" },
        { op = "depthwise_conv2d", kernel = 3, stride = 2, padding = 1 }, { op = "conv2d", units = 16, kernel = 1 },
        { op = "avg_pool2d" }, { op = "dense", units = 2 }"#;
    let mut net = net(&parsed(layers), Shape::new(96, 96, 3), 2);
    let whole = pack(&mut net.clone(), Target::CortexM4, None).expect("packs");
    let arena = pack_streamed(&mut net, Target::CortexM4, None).expect("packs");
    println!("96x96x3: {arena} bytes of arena for {whole}");
    // The output of the first layer lies over what has been read of the picture.
    assert!(whole > 96 * 96 * 3, "{whole}");
    // What the second layer takes is the peak now.
    assert!(arena < 48 * 48 * 8 + 24 * 24 * 8 + 4096, "{arena}");
}

#[test]
fn what_cannot_stream_says_why() {
    let refused = |layers: &str, outputs| {
        let mut net = net(&parsed(layers), Shape::new(4, 4, 2), outputs);
        pack_streamed(&mut net, Target::CortexM4, None).expect_err("must be refused").to_string()
    };
    let text = refused(r#"{ op = "dense", name = "d", units = 3 }"#, 3);
    assert!(text.contains("the first layer, d (dense over 4x4x2), slides no window"), "{text}");
    let both = r#"{ op = "conv2d", units = 2, kernel = 3, padding = 1 }, { op = "add", name = "sum", from = ["input", "1_conv2d"] }"#;
    let text = refused(both, 32);
    assert!(text.contains("needs it whole"), "{text}");
}

#[test]
fn a_table_of_rows_has_a_head() {
    let convs = r#"{ op = "conv2d", name = "a", units = 2, kernel = 3 }, { op = "conv2d", name = "b", units = 2, kernel = 2 }"#;
    let net = net(&parsed(convs), Shape::new(4, 4, 2), 2);
    let cut = Streamed::new(&net).expect("streams");
    let source = Source::Trained { data: "noise".to_owned(), seed: 1 };
    let origin = Origin { source, low: 0.0, high: 255.0, classes: Vec::new() };
    let arena = net.with(|graph| graph.arena_len());
    let stored = Stored { net, arena, origin };
    let text = streamed_table(&stored, &cut, &[Sample { input: vec![0; 32], output: vec![0; 2], label: 0 }]);
    for part in [
        "// The input comes row by row; 3 of its 4 rows are kept.".to_owned(),
        format!("type Arena = zipnet::Arena<{}>;", cut.arena),
        "const HEAD: Option<&'static Graph<'static, Int>> = Some(&HEAD);".to_owned(),
        format!("const _: () = HEAD.check_head(&GRAPH, {});", cut.arena),
        "pub const LAYERS: [&str; 1] = [\"b\"];".to_owned(),
        "static N0_A_WEIGHTS: [i8; 36]".to_owned(),
        "static N1_B_WEIGHTS: [i8; 16]".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}\n{text}");
    }
}
