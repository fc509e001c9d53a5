//! Files that were cut off or changed at random are read or refused, never more.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use train_host::import::tflite::read;

use crate::author::{Buffer, File, INT8, Tensor};
use crate::promise::{self, Kept};

/// The models of one operator in `tests/golden`, in the order of their names.
fn golden_models() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/operators");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the goldens are part of the tree")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "tflite"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 292, "only {} golden models", paths.len());
    paths.iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

#[test]
fn no_file_may_be_cut_off() {
    let mut files = golden_models();
    files.push(File::convolution().bytes());
    for file in &files {
        read(file).expect("legal");
        for length in 0..file.len() {
            let error = read(&file[..length]).expect_err("a piece is missing");
            promise::is_one_line(&error.to_string());
        }
    }
    println!("{} prefixes are refused", files.iter().map(Vec::len).sum::<usize>());
}

#[test]
fn no_large_file_may_be_cut_off() {
    let mut file = File::convolution();
    for i in 0..200 {
        let place = file.buffers.len() as u32;
        file.tensors.push(Tensor::constant(&format!("constant {i}"), &[50, 100], INT8, place));
        file.buffers.push(Buffer { data: vec![i as u8; 5000], ..Buffer::default() });
    }
    let bytes = file.bytes();
    assert!(read(&bytes).is_ok() && bytes.len() > 1_000_000);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1989);
    for _ in 0..2000 {
        let length = (random.next_u64() % bytes.len() as u64) as usize;
        assert!(read(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn random_changes_do_no_harm() {
    const ROUNDS: usize = 300_000;
    let files = golden_models();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1989);
    let mut below = |n: usize| (random.next_u64() % n as u64) as usize;
    let (mut models, mut nets) = (0, 0);
    for _ in 0..ROUNDS {
        let mut file = files[below(files.len())].clone();
        for _ in 0..1 + below(4) {
            let (at, length) = (below(file.len()), file.len());
            match below(6) {
                0 => file[at] ^= 1 << below(8),
                1 => file[at] = below(256) as u8,
                2 => file[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][below(6)],
                // A word that points, counts or measures.
                3 => {
                    let word = [0, 1, length as u32, u32::MAX, 1 << 31, below(length) as u32][below(6)];
                    let at = (at & !3).min(length - 4);
                    file[at..at + 4].copy_from_slice(&word.to_le_bytes());
                }
                4 => file.truncate(at.max(8)),
                // A piece of another file.
                _ => {
                    let other = &files[below(files.len())];
                    let from = below(other.len());
                    let count = below(64).min(other.len() - from).min(length - at);
                    file[at..at + count].copy_from_slice(&other[from..from + count]);
                }
            }
        }
        match promise::keep(&file) {
            Kept::Refused => {}
            Kept::Model => models += 1,
            Kept::Net => nets += 1,
        }
    }
    println!("of {ROUNDS} changed files {models} are models that are no nets, {nets} are nets");
    // Changes that are all refused, or none of them, would test little.
    assert!((ROUNDS / 50..ROUNDS / 2).contains(&models), "{models} of {ROUNDS} are models");
    assert!((ROUNDS / 50..ROUNDS / 2).contains(&nets), "{nets} of {ROUNDS} are nets");
}
