//! `qat` as a person uses it, on a made-up set of 12x12 pictures.

mod person;

use std::fs;

use person::{json, pictures, refusal, told};

const SMALL: &str = r#"
name = "small"
data = "set"
layer = [
    { op = "conv2d", name = "c1", units = 8, kernel = 3, stride = 2, padding = 1, bias = "none" },
    { op = "batch_norm" },
    { op = "relu", name = "r1" },
    { op = "depthwise_conv2d", name = "d2", kernel = 3, padding = 1 },
    { op = "add", from = ["r1", "d2"] },
    { op = "relu" },
    { op = "conv2d", name = "c3", units = 16, kernel = 1, groups = 2 },
    { op = "channel_shuffle", groups = 2 },
    { op = "max_pool2d", kernel = 2 },
    { op = "dense", name = "out", units = 10 },
]
[train]
epochs = 4
batch = 32
init = "he"
[train.optimiser]
kind = "adamw"
[train.schedule]
kind = "cosine"
peak = 1e-2
"#;

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().expect("a number")
}

#[test]
fn a_net_is_trained_on_in_int8() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let dir = dir.path();
    pictures(dir, 12);
    fs::write(dir.join("small.toml"), SMALL).expect("can be written");
    told(dir, &["train", "--recipe", "small.toml", "--out", "old"]);
    let old = json(&dir.join("old/report.json"));
    assert!(old.get("qat").is_none() && old.get("mixed").is_none());
    let file = |folder: &str, name: &str| fs::read(dir.join(folder).join(name)).expect("there");

    let four = ["qat", "old", "--bits", "4", "--epochs", "3", "--recipe", "small.toml"];
    let text = told(dir, &four);
    assert!(text.contains("Trained in int8 for 3 epochs") && text.contains("written to old-q4"), "{text}");
    let made = json(&dir.join("old-q4/report.json"));
    assert_eq!((&made["model"], &made["float"]), (&"small-q4".into(), &old["float"]), "the same float net");
    assert!(number(&made["weight_bytes"]) < 0.8 * number(&old["weight_bytes"]), "{made}");
    assert!(number(&made["int8"]["errors"]) <= number(&made["qat"]["int8_before"]["errors"]), "{made}");
    let of = |made: &serde_json::Value, name: &str| {
        let layers = made["layers"].as_array().expect("a list").clone();
        layers.into_iter().find(|layer| layer["name"] == name).expect("a layer")["bits"].clone()
    };
    assert_eq!([of(&made, "c1"), of(&made, "d2"), of(&made, "out")], [4, 4, 4]);
    assert!(told(dir, &["eval", "old-q4"]).contains("int8"));
    assert!(String::from_utf8_lossy(&file("old-q4", "report.html")).contains("Trained in int8 for 3 epochs"));

    // The same from the same seed, on any number of threads; another from another.
    told(dir, &[&four[..], &["--threads", "1", "--out", "again"]].concat());
    assert!(file("again", "model.rs") == file("old-q4", "model.rs"));
    told(dir, &[&four[..], &["--seed", "7", "--out", "other"]].concat());
    assert!(file("other", "model.rs") != file("old-q4", "model.rs"));

    // The recipe says the same, and `train` does it in one go.
    let recipe =
        format!("{SMALL}[quantise]\nbits = 4\n[qat]\nepochs = 3\n").replace("\"small\"", "\"small-q4\"");
    fs::write(dir.join("four.toml"), recipe).expect("can be written");
    told(dir, &["train", "--recipe", "four.toml", "--out", "once"]);
    assert!(file("once", "model.rs") == file("old-q4", "model.rs"));

    // Bits by a budget.
    let budget = (number(&old["weight_bytes"]) + number(&made["weight_bytes"])) / 2.0;
    let flash = format!("{}", budget as usize);
    let args = ["qat", "old", "--flash", &flash, "--epochs", "1", "--recipe", "small.toml"];
    assert!(told(dir, &args).contains("SQNR alone"));
    let mixed = json(&dir.join("old-mixed/report.json"));
    assert!(number(&mixed["mixed"]["weight_bytes"]) <= budget, "{mixed}");
    assert_eq!(mixed["mixed"]["layers"].as_array().expect("a list").len(), 4);
    for layer in mixed["mixed"]["layers"].as_array().expect("a list") {
        assert_eq!(layer["bits"], of(&mixed, layer["layer"].as_str().expect("a name")));
    }
}

#[test]
fn bad_requests_are_refused_in_one_line() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let dir = dir.path();
    pictures(dir, 12);
    fs::write(dir.join("small.toml"), SMALL).expect("can be written");
    told(dir, &["train", "--recipe", "small.toml", "--epochs", "1", "--out", "old"]);
    let before = fs::read(dir.join("old/report.json")).expect("there");
    for (args, part) in [
        (&["qat", "old"][..], "--recipe"),
        (&["qat", "nowhere"], "nowhere"),
        (&["qat", "old", "--recipe", "small.toml", "--bits", "mixed"], "--flash"),
        (&["qat", "old", "--recipe", "small.toml", "--bits", "4", "--flash", "900"], "--bits mixed"),
        (&["qat", "old", "--recipe", "small.toml", "--flash", "10"], "the budget is 10"),
        (&["qat", "old", "--recipe", "small.toml", "--epochs", "0"], "qat.epochs is 0"),
        (&["qat", "old", "--recipe", "small.toml", "--rate", "0"], "qat.rate is 0"),
        (&["qat", "old", "--recipe", "small.toml", "--imitate", "1.5"], "qat.imitate is 1.5"),
        (&["qat", "old", "--recipe", "small.toml", "--temperature", "0"], "qat.temperature is 0"),
        (&["qat", "old", "--recipe", "small.toml", "--out", "old"], "another --out"),
        (&["qat", "old", "--recipe", "small.toml", "--data", "digits"], "does not fit the net of old"),
    ] {
        let error = refusal(dir, args);
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(fs::read(dir.join("old/report.json")).expect("there"), before);
    let left: Vec<_> = fs::read_dir(dir).expect("there").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
    let help = told(dir, &["qat", "--help"]);
    for part in ["--flash", "--bits", "straight through", "[qat]"] {
        assert!(help.contains(part), "{part}: {help}");
    }
}
