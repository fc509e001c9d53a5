//! The program as a person uses it, and a made-up set of pictures to use it on.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The program in a folder.
pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_train-host"));
    command.current_dir(dir).args(args);
    command
}

fn output(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().expect("starts")
}

/// What a command that succeeds prints.
pub(crate) fn told(dir: &Path, args: &[&str]) -> String {
    let output = output(dir, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The one line of a refusal.
pub(crate) fn refusal(dir: &Path, args: &[&str]) -> String {
    let output = output(dir, args);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && !text.contains("panicked"), "{args:?}: {text}");
    last.to_owned()
}

/// An IDX file of bytes.
fn idx(dims: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend(content);
    bytes
}

/// A folder `set` of four IDX files: a bright stripe whose place is the class.
pub(crate) fn pictures(dir: &Path, side: u32) {
    fs::create_dir_all(dir.join("set")).expect("can be made");
    for (part, count) in [("train", 400_u32), ("t10k", 100)] {
        let pixel = |i: u32| {
            let (sample, row, column) = (i / side / side, i / side % side, i % side);
            let stripe = row * 10 / side == sample % 10;
            let noise = (i.wrapping_mul(2_654_435_761) >> 24) as u8 / 4;
            if stripe && column > sample % 7 { 190 + noise } else { noise }
        };
        let pixels: Vec<u8> = (0..count * side * side).map(pixel).collect();
        let labels: Vec<u8> = (0..count).map(|i| (i % 10) as u8).collect();
        for (name, bytes) in [
            (format!("{part}-images-idx3-ubyte"), idx(&[count, side, side], &pixels)),
            (format!("{part}-labels-idx1-ubyte"), idx(&[count], &labels)),
        ] {
            fs::write(dir.join("set").join(name), bytes).expect("can be written");
        }
    }
}

/// A JSON file.
pub(crate) fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).expect("there")).expect("is JSON")
}
