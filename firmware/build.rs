//! Lays the model's table and the board's linker script where the compiler and the linker find them.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

/// Feature and file of each board; a real board's feature wins over that of the default.
const BOARDS: [(&str, &str); 5] = [
    ("NRF52840_DK", "nrf52840_dk"),
    ("NUCLEO_F446RE", "nucleo_f446re"),
    ("QEMU_AN385", "qemu_an385"),
    ("QEMU_AN547", "qemu_an547"),
    ("QEMU_AN386", "qemu_an386"),
];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));

    println!("cargo::rerun-if-env-changed=ZIPNET_MODEL");
    let given = env::var_os("ZIPNET_MODEL").map(PathBuf::from);
    let model = given.clone().unwrap_or_else(|| PathBuf::from("../models/digits.rs"));
    let hint = match given {
        Some(_) => "ZIPNET_MODEL names it: give the path of a model.rs (relative paths start at firmware/)",
        None => "make it with `cargo run -p train-host`, or name another with ZIPNET_MODEL=path/to/model.rs",
    };
    copy(&model, &out.join("model.rs"), hint);

    let on = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    println!("cargo::rerun-if-env-changed=ZIPNET_CASES");
    if on("CASES") {
        let hint = "`firmware/run operators` and `firmware/run packed` make one and set ZIPNET_CASES";
        let cases = env::var_os("ZIPNET_CASES").map(PathBuf::from).unwrap_or_else(|| fail(hint));
        copy(&cases, &out.join("cases.rs"), hint);
    }
    let chosen: Vec<_> = BOARDS.iter().filter(|(feature, _)| on(feature)).collect();
    let (_, board) = match chosen[..] {
        [] => fail(
            "no board: choose one of the features qemu-an386, qemu-an385, qemu-an547, nrf52840-dk, nucleo-f446re",
        ),
        [one] | [one, (_, "qemu_an386")] => one,
        _ => fail(
            "two boards at once: choose one of the features qemu-an385, qemu-an547, nrf52840-dk, nucleo-f446re",
        ),
    };
    copy(
        Path::new(&format!("src/boards/{board}.x")),
        &out.join("memory.x"),
        "each board has a linker script",
    );

    if board.starts_with("qemu") {
        // Other boards' chips bring the names of their interrupts; this one's are all in its file.
        write(&out.join("device.x"), b"");
    }

    println!("cargo::rustc-check-cfg=cfg(small_memory)");
    let unaligned = ["thumbv7", "thumbv8m.main"];
    if env::var("TARGET").is_ok_and(|target| unaligned.iter().any(|of| target.starts_with(of))) {
        println!("cargo::rustc-cfg=small_memory");
    }

    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    println!("cargo::rustc-link-arg-bins=--nmagic"); // no padding to pages of a host
    println!("cargo::rerun-if-changed=build.rs");
}

/// Copies a file, and has cargo build again when it changes.
fn copy(from: &Path, to: &Path, hint: &str) {
    println!("cargo::rerun-if-changed={}", from.display());
    match fs::read(from) {
        Ok(bytes) => write(to, &bytes),
        Err(e) => fail(&format!("{}: {e}; {hint}", from.display())),
    }
}

fn write(to: &Path, bytes: &[u8]) {
    fs::write(to, bytes).unwrap_or_else(|e| fail(&format!("{}: {e}", to.display())));
}

fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    process::exit(1)
}
