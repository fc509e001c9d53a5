//! The program as a person uses it: bad input is one clear line, exit code 2 and nothing written; a short run leaves a
//! folder that the other commands read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn program(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_train-host")).current_dir(dir).args(args).output().expect("starts")
}

/// The one line of a refusal. Nothing may be left at `out`.
fn refusal(dir: &Path, args: &[&str]) -> String {
    let output = program(dir, args);
    let told = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
    let errors: Vec<&str> = told.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{args:?}: {told}");
    assert!(told.ends_with(&format!("{}\n", errors[0])), "the error comes last: {told}");
    assert!(!told.contains("panicked") && !told.contains("backtrace"), "{told}");
    assert!(!dir.join("out").exists(), "{args:?} left something behind");
    errors[0].to_owned()
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(dir: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("has a parent")).expect("can be made");
    fs::write(&path, content).expect("can be written");
    path
}

/// An IDX file of bytes.
fn idx(dims: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend(content);
    bytes
}

/// A folder of four IDX files of `count` 4x4 images in two classes, with one file replaced.
fn idx_folder(dir: &Path, replaced: &str, content: Option<&[u8]>) {
    for (part, count) in [("train", 40), ("t10k", 20)] {
        let pixels: Vec<u8> =
            (0..count * 16).map(|i| if i / 16 % 2 == 0 { 200 } else { i as u8 % 60 }).collect();
        let labels: Vec<u8> = (0..count).map(|i| i as u8 % 2).collect();
        for (name, bytes) in [
            (format!("{part}-images-idx3-ubyte"), idx(&[count, 4, 4], &pixels)),
            (format!("{part}-labels-idx1-ubyte"), idx(&[count], &labels)),
        ] {
            match (name == replaced, content) {
                (true, Some(other)) => write(dir, &format!("set/{name}"), other),
                (true, None) => continue,
                (false, _) => write(dir, &format!("set/{name}"), &bytes),
            };
        }
    }
}

const SMALL: &str = r#"
name = "small"
data = "set"

[train]
epochs = 3
batch = 8

[train.optimiser]
kind = "sgd"
momentum = 0.9

[train.schedule]
kind = "constant"
peak = 0.05

[[layer]]
op = "conv2d"
name = "first"
units = 4
kernel = 3

[[layer]]
op = "relu"

[[layer]]
op = "dense"
units = 2
"#;

#[test]
fn broken_idx_files_are_named() {
    let images = "train-images-idx3-ubyte";
    let cases: [(&str, Option<Vec<u8>>, &str); 6] = [
        (images, None, images),
        (images, Some(idx(&[40, 4, 4], &[0; 100])), images),
        (images, Some(b"\0\0\x0d\x03not bytes at all".to_vec()), images),
        (images, Some(idx(&[40, 4, 4], &[0; 5000])), images),
        (images, Some(idx(&[u32::MAX, u32::MAX, u32::MAX], &[0; 16])), images),
        ("train-labels-idx1-ubyte", Some(idx(&[39], &[0; 39])), "39"),
    ];
    for (name, content, part) in cases {
        let dir = scratch();
        idx_folder(dir.path(), name, content.as_deref());
        write(dir.path(), "small.toml", SMALL.as_bytes());
        let error = refusal(dir.path(), &["--recipe", "small.toml"]);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn broken_folders_and_tables_are_named() {
    let dir = scratch();
    write(dir.path(), "small.toml", SMALL.as_bytes());
    write(dir.path(), "classes/cat/a.png", b"no picture");
    fs::create_dir_all(dir.path().join("classes/dog")).expect("can be made");
    let error = refusal(dir.path(), &["--recipe", "small.toml", "--data", "classes"]);
    assert!(error.contains("dog") || error.contains("a.png"), "{error}");

    write(dir.path(), "nan.csv", b"a,b,label\n1,2,x\n3,NaN,y\n");
    let error = refusal(dir.path(), &["--recipe", "small.toml", "--data", "nan.csv"]);
    assert!(error.contains("nan.csv") && error.contains('3') && error.contains('b'), "{error}");

    let error = refusal(dir.path(), &["--recipe", "small.toml", "--data", "nowhere"]);
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn bad_recipes_are_named() {
    for (from, to, parts) in [
        ("epochs = 3", "epochs = 0", ["small.toml", "epochs"]),
        ("epochs = 3", "epoch = 3", ["small.toml:6", "epoch"]),
        ("peak = 0.05", "peak = -1.0", ["schedule.peak", "-1"]),
        ("kernel = 3", "kernel = 5", ["first", "4x4x1"]),
        ("units = 2", "units = 3", ["3", "2 classes"]),
    ] {
        let dir = scratch();
        idx_folder(dir.path(), "", None);
        assert!(SMALL.contains(from));
        write(dir.path(), "small.toml", SMALL.replacen(from, to, 1).as_bytes());
        let error = refusal(dir.path(), &["--recipe", "small.toml"]);
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    let error = refusal(scratch().path(), &["--recipe", "digit"]);
    assert!(error.contains("digits"), "lists what is shipped: {error}");
    let error = refusal(scratch().path(), &["--epochs", "0"]);
    assert!(error.contains("epochs"), "{error}");
}

#[test]
fn a_run_that_diverges_says_where_and_what_to_try() {
    let dir = scratch();
    idx_folder(dir.path(), "", None);
    let wild = SMALL.replacen("peak = 0.05", "peak = 1e30", 1).replacen("epochs = 3", "epochs = 50", 1);
    write(dir.path(), "small.toml", wild.as_bytes());
    let error = refusal(dir.path(), &["--recipe", "small.toml"]);
    assert!(error.contains("step") && error.contains("train.schedule.peak"), "{error}");
}

#[test]
fn an_output_folder_that_cannot_be_written_is_found_out_before_training() {
    let dir = scratch();
    idx_folder(dir.path(), "", None);
    write(dir.path(), "small.toml", SMALL.as_bytes());
    write(dir.path(), "taken", b"a file");
    for out in ["taken", "taken/below"] {
        let output = program(dir.path(), &["--recipe", "small.toml", "--out", out]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2));
        assert!(told.contains("taken") && !told.contains("training 1/"), "{told}");
    }
    assert_eq!(fs::read(dir.path().join("taken")).expect("still there"), b"a file");
}

#[test]
fn a_short_run_leaves_what_the_other_commands_read() {
    let dir = scratch();
    idx_folder(dir.path(), "", None);
    write(dir.path(), "small.toml", SMALL.as_bytes());
    let output = program(dir.path(), &["train", "--recipe", "small.toml", "--seed", "7"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("accuracy lost"), "{told}");
    let out = dir.path().join("out/small");
    let mut names: Vec<_> = fs::read_dir(&out)
        .expect("there")
        .map(|e| e.expect("entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, ["float.safetensors", "int8.json", "model.rs", "report.html", "report.json"]);

    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("report.json")).expect("there")).expect("JSON");
    for key in [
        "model",
        "dataset",
        "seed",
        "float",
        "int8",
        "accuracy_lost_pp",
        "agreement",
        "params",
        "macs",
        "weight_bytes",
        "arena_bytes",
        "train_seconds",
        "layers",
    ] {
        assert!(report.get(key).is_some(), "{key}");
    }
    assert_eq!(report["seed"], 7);
    assert_eq!(report["int8"]["samples"], 20);

    // The same seed writes the same table, whatever the threads.
    let again = ["--recipe", "small.toml", "--seed", "7", "--out", "again", "--threads", "3"];
    assert!(program(dir.path(), &again).status.success());
    let table = |folder: &Path| fs::read(folder.join("model.rs")).expect("there");
    assert_eq!(table(&out), table(&dir.path().join("again")));

    // Two inputs in, two outputs out; half an input is refused.
    write(dir.path(), "x.bin", &[0x80; 32]);
    let run = program(dir.path(), &["run", "out/small", "--input", "x.bin", "--output", "y.bin"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let made = fs::read(dir.path().join("y.bin")).expect("there");
    assert_eq!(made.len(), 4);
    assert_eq!(made[..2], made[2..]);
    write(dir.path(), "half.bin", &[0; 24]);
    let half = program(dir.path(), &["run", "out/small", "--input", "half.bin", "--output", "z.bin"]);
    assert_eq!(half.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&half.stderr).contains("24 bytes") && !dir.path().join("z.bin").exists());

    for command in ["eval", "inspect"] {
        let output = program(dir.path(), &[command, "out/small"]);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.len() > 100);
        let nowhere = program(dir.path(), &[command, "nowhere"]);
        assert_eq!(nowhere.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&nowhere.stderr).contains("int8.json"));
    }
}

/// A model of one operator, kept as a golden case.
fn golden_model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/golden/operators/{name}.tflite"))
}

#[test]
fn an_import_leaves_a_folder_that_runs() {
    let dir = scratch();
    let file = golden_model("conv_2d_6x8x4_to3_k3x3_s2x2_same_relu");
    let file = file.to_str().expect("UTF-8");
    write(dir.path(), "x.bin", &[7; 2 * 6 * 8 * 4]);
    write(dir.path(), "labels.txt", b"a\nb\n");
    let refused = refusal(dir.path(), &["import", file, "--labels", "labels.txt"]);
    assert!(refused.contains("2 labels for 36 outputs"), "{refused}");
    let refused = refusal(dir.path(), &["import", file, "--arena-limit", "100"]);
    assert!(
        refused.contains("more than the limit of 100") && refused.contains("6x8x4 (192 bytes)"),
        "{refused}"
    );
    write(dir.path(), "short.bin", &[0; 100]);
    let refused = refusal(dir.path(), &["import", file, "--samples", "short.bin"]);
    assert!(refused.contains("short.bin") && refused.contains("inputs of 192 bytes"), "{refused}");

    let made = program(dir.path(), &["import", file, "--out", "out/conv", "--samples", "x.bin"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let told = String::from_utf8(made.stdout).expect("text");
    assert!(told.contains("input \"input\" 1x6x8x4: int8") && told.contains("2 golden samples"), "{told}");
    for file in ["model.rs", "int8.json", "report.json"] {
        assert!(dir.path().join("out/conv").join(file).metadata().expect("there").len() > 100, "{file}");
    }
    let run = ["run", "out/conv", "--input", "x.bin", "--output", "y.bin"];
    assert!(program(dir.path(), &run).status.success());
    assert_eq!(fs::read(dir.path().join("y.bin")).expect("there").len(), 2 * 36);
    let inspect = program(dir.path(), &["inspect", "out/conv"]);
    let told = String::from_utf8(inspect.stdout).expect("text");
    assert!(told.contains("imported from") && told.contains("arena: "), "{told}");
    let output = program(dir.path(), &["eval", "out/conv"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("imported"));
    let bench = program(dir.path(), &["bench", "out/conv", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&bench.stdout).expect("JSON");
    assert!(
        told["contenders"][0]["ns"]["min"].as_f64() > Some(0.0) && told["layers"][0]["ns"].is_object(),
        "{told}"
    );
}

#[test]
fn what_is_no_model_is_refused() {
    let dir = scratch();
    let path = write(dir.path(), "model.tflite", b"no model at all");
    let path = path.to_str().expect("UTF-8");
    assert!(refusal(dir.path(), &["import", path]).contains("model.tflite: "));
    assert!(refusal(dir.path(), &["import", "nowhere.tflite"]).contains("nowhere.tflite: "));
    let whole = fs::read(golden_model("conv_2d_6x8x4_to3_k3x3_s2x2_same_relu")).expect("there");
    let cut = write(dir.path(), "cut.tflite", &whole[..whole.len() / 2]);
    assert!(refusal(dir.path(), &["import", cut.to_str().expect("UTF-8")]).contains("cut.tflite: "));
}
