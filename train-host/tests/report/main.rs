//! The report of made-up runs: what the JSON must hold, and that the page stands on its own.
//!
//! The pages are left in cargo's folder for test files (`target/tmp/*.html`) for a person to look at.

mod made_up;
mod markup;

use serde_json::Value;
use train_host::report::{ArenaTensor, Epoch, Filters, Layer, Miss, Report, Score};

/// The page of a report, checked and kept under `name`.
fn page(name: &str, report: &Report) -> String {
    let page = report.html().expect("the report is sound");
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(path, &page).expect("cargo's folder can be written");
    markup::check(&page);
    page
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn the_json_has_every_key_and_the_figures() {
    let report = made_up::digits();
    let json: Value = serde_json::from_str(&report.json()).expect("JSON");
    assert_eq!(
        keys(&json),
        [
            "accuracy_lost_pp",
            "agreement",
            "arena_bytes",
            "classes",
            "dataset",
            "float",
            "int8",
            "layers",
            "macs",
            "model",
            "params",
            "seed",
            "train_seconds",
            "weight_bytes"
        ]
    );
    for score in ["float", "int8"] {
        assert_eq!(keys(&json[score]), ["accuracy", "errors", "samples"]);
    }
    for layer in json["layers"].as_array().expect("a list") {
        assert_eq!(keys(layer), ["bits", "input", "macs", "name", "op", "output", "sqnr_db", "weight_bytes"]);
    }
    assert_eq!(json["model"], "digits");
    assert_eq!(json["seed"], 1);
    assert_eq!(json["float"]["errors"], 23);
    assert_eq!(json["int8"]["samples"], 2_007);
    let lost = json["accuracy_lost_pp"].as_f64().expect("a number");
    assert!((lost - 100.0 / 2_007.0).abs() < 1e-9, "{lost}");
    assert_eq!(json["layers"][0]["macs"], 19_200);
    assert_eq!(json["layers"][1]["sqnr_db"], 31.4);
}

#[test]
fn what_is_not_finite_is_null_in_the_json() {
    let mut report = Report { agreement: f64::NAN, train_seconds: f64::INFINITY, ..Report::default() };
    report.layers = vec![Layer { sqnr_db: Some(f64::INFINITY), ..Layer::default() }, Layer::default()];
    let text = report.json();
    let json: Value = serde_json::from_str(&text).expect("JSON");
    for value in [
        &json["agreement"],
        &json["train_seconds"],
        &json["float"]["accuracy"],
        &json["accuracy_lost_pp"],
        &json["layers"][0]["sqnr_db"],
        &json["layers"][1]["sqnr_db"],
    ] {
        assert!(value.is_null(), "{text}");
    }
}

#[test]
fn the_page_shows_each_figure() {
    let page = page("digits.html", &made_up::digits());
    for part in [
        "98.85 %",
        "98.80 %",
        "0.05 pp",
        "99.90 %",
        "9,760",
        "63,660",
        "12,760 B",
        "1,024 B",
        "14.9 s",
        "23 of 2,007 wrong",
        "24 of 2,007 wrong",
        "seed",
        "38.2",
        "31.4",
        "16x16x1",
        "Loss",
        "Accuracy",
        "Learning rate",
        "Confusion matrix",
        "Memory",
        "First-layer filters",
        "Lost to quantisation",
    ] {
        assert!(page.contains(part), "{part:?} is missing");
    }
    assert_eq!(page.matches("<svg").count(), 4, "three curves and the arena");
    assert_eq!(page.matches("data:image/png;base64,").count(), 12 + 25, "filters and misses");
}

#[test]
fn a_net_with_branches_colours_and_many_layers() {
    let page = page("objects.html", &made_up::objects());
    assert!(page.contains("automobile") && page.contains("Won by quantisation"));
    assert!(page.contains("more samples not shown"));
}

#[test]
fn samples_that_are_no_pictures() {
    let page = page("machine.html", &made_up::machine());
    assert!(!page.contains("First-layer filters of"), "a dense layer over a vector has one picture of all");
    assert!(page.matches("<svg").count() > 5, "each miss is a line");
}

#[test]
fn names_are_escaped() {
    let evil = "<script>alert(\"1\")</script> & 'x'";
    let mut report = made_up::digits();
    report.model = evil.into();
    report.dataset = evil.into();
    report.classes = vec![evil.into(); 10];
    for layer in &mut report.layers {
        for text in [&mut layer.name, &mut layer.op, &mut layer.input, &mut layer.output] {
            *text = evil.into();
        }
    }
    for tensor in &mut report.arena {
        tensor.name = evil.into();
    }
    let page = page("escaped.html", &report);
    assert!(!page.contains("<script"), "a name became markup");
    assert!(page.contains("&lt;script&gt;alert("), "the name is not shown");
    let json: Value = serde_json::from_str(&report.json()).expect("JSON");
    assert_eq!(json["model"], evil);
}

#[test]
fn nothing_known_is_still_a_page() {
    let page = page("empty.html", &Report::default());
    assert!(!page.contains("<svg") && !page.contains("<img"));
    assert!(page.contains("not measured"));
}

#[test]
fn odd_runs_make_pages() {
    let nan = f64::NAN;
    let one = Epoch {
        epoch: 1,
        loss: nan,
        train_accuracy: 1.0,
        test_loss: Some(0.0),
        rate: 0.0,
        ..Epoch::default()
    };
    let miss = Miss {
        pixels: vec![1e30, -5.0, f32::NAN],
        height: 1,
        width: 1,
        channels: 3,
        int8: 9,
        ..Miss::default()
    };
    let far = ArenaTensor { name: "far".into(), offset: usize::MAX, bytes: 7, first: 9, last: usize::MAX };
    let report = Report {
        classes: vec!["only".into()],
        float: Score::new(0, 1),
        int8: Score::new(1, 1),
        agreement: nan,
        layers: vec![Layer { sqnr_db: Some(-3.0), ..Layer::default() }],
        history: vec![one, Epoch { epoch: 2, ..one }],
        confusion: vec![vec![0], vec![], vec![1, 2, 3]],
        arena: vec![far, ArenaTensor::default()],
        filters: Some(Filters { count: 2, height: 1, width: 1, channels: 1, values: vec![f32::NAN, 0.5] }),
        misses: vec![miss.clone(), Miss { pixels: vec![], channels: 0, ..miss }],
        ..Report::default()
    };
    let first = page("odd.html", &report);
    assert!(first.contains("#9"), "a class without a name is its number");
    assert!(!first.contains("NaN") && !first.contains("inf "), "what is not finite is a dash");
    page("short.html", &Report { history: vec![one], layers: vec![], ..report.clone() });
    let dead = Filters { values: vec![0.0; 2], ..report.filters.clone().expect("set above") };
    page("dead.html", &Report { filters: Some(dead), confusion: vec![vec![0; 60]; 60], ..report });
}
