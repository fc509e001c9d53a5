//! `rebuild`, `prune` and `sweep` as a person uses them, on a made-up set of 28x28 pictures.

mod person;

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use person::{command, json, pictures, refusal, told};

const SMALL: &str = r#"
name = "small"
data = "set"
layer = [
    { op = "conv2d", name = "c1", units = 8, kernel = 3, stride = 2, padding = 1, bias = "none" },
    { op = "batch_norm" },
    { op = "relu" },
    { op = "conv2d", name = "c2", units = 16, kernel = 3, stride = 2, padding = 1 },
    { op = "relu" },
    { op = "conv2d", name = "c3", units = 16, kernel = 1 },
    { op = "relu" },
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

#[test]
fn a_net_is_rebuilt_and_pruned() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let dir = dir.path();
    pictures(dir, 12);
    fs::write(dir.join("small.toml"), SMALL).expect("can be written");
    told(dir, &["train", "--recipe", "small.toml", "--out", "old"]);
    let old = json(&dir.join("old/report.json"));

    // One group and no training: the same net.
    told(
        dir,
        &["rebuild", "old", "--groups", "1", "--epochs", "0", "--recipe", "small.toml", "--out", "same"],
    );
    let same = json(&dir.join("same/report.json"));
    for key in ["float", "int8", "params", "macs", "weight_bytes", "arena_bytes"] {
        assert_eq!(same[key], old[key], "{key}");
    }
    assert_eq!(same["before"]["lost_to_rewriting_pp"], 0.0);

    let text = told(dir, &["rebuild", "old", "--groups", "2", "--recipe", "small.toml"]);
    assert!(text.contains("reads 1 channel, which 2 groups do not divide"), "{text}");
    assert!(text.contains("lost to the rewriting") && text.contains("lost to quantising"), "{text}");
    let new = json(&dir.join("old-g2/report.json"));
    let number = |report: &serde_json::Value, key: &str| report[key].as_f64().expect("a number");
    assert!(number(&new, "macs") < number(&old, "macs") && number(&new, "params") < number(&old, "params"));
    assert_eq!(new["before"]["macs"], old["macs"]);
    assert_eq!(new["model"], "small-g2");
    assert!(number(&new["int8"], "accuracy") > 0.5, "it has learnt: {new}");
    let page = fs::read_to_string(dir.join("old-g2/report.html")).expect("there");
    assert!(page.contains("Made from small") && page.contains("c2") && page.contains("Confusion matrices"));
    let again = told(
        dir,
        &["rebuild", "old", "--groups", "2", "--recipe", "small.toml", "--threads", "1", "--out", "b"],
    );
    assert!(again.contains("lost in all"));
    let table = |folder: &str| fs::read(dir.join(folder).join("model.rs")).expect("there");
    assert_eq!(table("b"), table("old-g2"), "the same from the same seed, on any number of threads");

    told(dir, &["prune", "old", "--channels", "0.5", "--epochs", "2", "--recipe", "small.toml"]);
    let pruned = json(&dir.join("old-p50/report.json"));
    assert!(number(&pruned, "macs") < 0.5 * number(&old, "macs"), "{pruned}");
    assert!(told(dir, &["inspect", "old-p50"]).contains("6x6x4"));

    for (args, part) in [
        (&["rebuild", "old", "--groups", "2"][..], "--recipe"),
        (&["rebuild", "old", "--groups", "0", "--recipe", "small.toml"], "groups is 0"),
        (&["rebuild", "nowhere", "--groups", "2"], "nowhere"),
        (
            &["rebuild", "old", "--groups", "2", "--recipe", "small.toml", "--temperature", "0"],
            "temperature is 0",
        ),
        (&["rebuild", "old", "--groups", "2", "--recipe", "small.toml", "--out", "old"], "another --out"),
        (&["prune", "old", "--channels", "1", "--recipe", "small.toml"], "share of channels is 1"),
    ] {
        let error = refusal(dir, args);
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(json(&dir.join("old/report.json")), old, "the old folder is as it was");
    assert!(!dir.join("old-g0").exists() && !dir.join("old-p100").exists());
}

#[test]
fn a_sweep_that_is_killed_comes_to_the_same() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let dir = dir.path();
    pictures(dir, 28);
    let settings = [
        "--data",
        "set",
        "--epochs",
        "1",
        "--groups",
        "1,3",
        "--channels",
        "4",
        "--seeds",
        "1",
        "--jobs",
        "1",
    ];
    let sweep = |out: &'static str| [&["sweep", "--out", out][..], &settings].concat();
    told(dir, &sweep("whole"));
    let table = fs::read_to_string(dir.join("whole/sweep.csv")).expect("there");
    assert_eq!(table.lines().count(), 1 + 3, "{table}");

    // Killed after ever more time, until it gets through; what is done is never done again.
    let mut kills = 0;
    for wait in (1..).map(|n| Duration::from_millis(60 * n)) {
        let mut child = command(dir, &sweep("killed"))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        std::thread::sleep(wait);
        if child.try_wait().expect("is known").is_some() {
            break;
        }
        child.kill().expect("can be killed");
        child.wait().expect("is over");
        kills += 1;
    }
    assert!(kills > 0, "it took longer than that");
    told(dir, &sweep("killed"));
    assert_eq!(fs::read_to_string(dir.join("killed/sweep.csv")).expect("there"), table);

    let files = || -> Vec<_> {
        let trials =
            fs::read_dir(dir.join("killed/trials")).expect("there").map(|e| e.expect("entry").path());
        let mut ended: Vec<_> = trials.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
        ended.sort();
        ended
            .into_iter()
            .map(|path| (fs::metadata(&path).expect("there").modified().expect("known"), path))
            .collect()
    };
    let before = files();
    assert_eq!(before.len(), 3);
    told(dir, &["sweep", "--out", "killed"]);
    let id = told(dir, &["sweep", "--out", "killed", "--list"]).lines().last().expect("a trial").to_owned();
    assert_eq!(id, "c4-g3-shuffle-s1");
    assert!(told(dir, &["sweep", "--out", "killed", "--trial", &id]).contains("done before"));
    assert_eq!(files(), before, "nothing ran again");

    // One trial more, run by itself, then collected.
    fs::remove_file(dir.join("killed/trials").join(format!("{id}.json"))).expect("can be removed");
    assert!(told(dir, &["sweep", "--out", "killed", "--collect"]).starts_with("2 of 3 trials"));
    told(dir, &["sweep", "--out", "killed", "--trial", &id]);
    told(dir, &["sweep", "--out", "killed", "--collect"]);
    assert_eq!(fs::read_to_string(dir.join("killed/sweep.csv")).expect("there"), table);
    assert!(fs::read_to_string(dir.join("killed/sweep.html")).expect("there").contains("3 of 3 trials"));

    assert!(refusal(dir, &["sweep", "--out", "killed", "--epochs", "2"]).contains("other settings"));
    assert!(refusal(dir, &["sweep", "--out", "killed", "--trial", "c9-g1-s1"]).contains("c9-g1-s1"));
    let error = refusal(dir, &["sweep", "--out", "new", "--data", "digits", "--trial", "c40-g1-s1"]);
    assert!(error.contains("28x28x1"), "{error}");
}
