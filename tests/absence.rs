//! Invariants of the design that are absences, tested over the source text with comments, strings and test code taken
//! out. `source` below does the taking out and is itself tested on planted text.

use source::{Source, sources};
use std::path::Path;

mod source;

/// The sources of a room; fails where there are none, so that a moved folder does not pass unseen.
fn room(path: &str) -> Vec<Source> {
    let found = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    assert!(!found.is_empty(), "no source in {path}");
    found
}

/// Fails with every place where `wrong` holds of an identifier.
fn no_word(files: &[Source], what: &str, wrong: impl Fn(&str) -> bool) {
    let places: Vec<String> = files
        .iter()
        .flat_map(|file| {
            file.words().filter(|(_, word)| wrong(word)).map(|(line, word)| file.place(line, word))
        })
        .collect();
    assert!(places.is_empty(), "{what}:\n{}", places.join("\n"));
}

#[test]
fn no_float_where_int8_is_computed() {
    for path in [
        "src/fixed.rs",
        "src/kernels",
        "src/arch",
        "src/engine.rs",
        "src/step.rs",
        "src/place.rs",
        "src/model.rs",
    ] {
        let files = room(path);
        no_word(&files, "float", |word| matches!(word, "f16" | "f32" | "f64" | "micromath"));
        for file in &files {
            let literals: Vec<_> = file.float_literals().map(|line| file.place(line, "a literal")).collect();
            assert!(literals.is_empty(), "float:\n{}", literals.join("\n"));
        }
    }
}

#[test]
fn unsafe_and_targets_have_one_door() {
    let files: Vec<Source> = room("src").into_iter().filter(|f| !f.is_under("src/arch")).collect();
    no_word(&files, "outside src/arch", |word| word == "unsafe" || word.starts_with("target_"));
}

#[test]
fn the_engine_never_allocates() {
    let files = room("src");
    no_word(&files, "heap", |word| {
        matches!(word, "alloc" | "Box" | "String" | "Rc" | "Arc" | "vec" | "format" | "BTreeMap" | "HashMap")
    });
    // `Vec` is heapless's or none.
    for file in &files {
        let foreign = file.code().lines().enumerate().filter(|(_, line)| {
            line.replace("heapless::Vec", "")
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|w| w == "Vec")
        });
        let places: Vec<_> = foreign.map(|(i, line)| file.place(i + 1, line.trim())).collect();
        assert!(places.is_empty(), "heap:\n{}", places.join("\n"));
    }
}

#[test]
fn training_stays_in_its_room() {
    let parts = |words: &'static [&'static str]| {
        move |word: &str| words.iter().any(|part| word.to_ascii_lowercase().contains(part))
    };
    let engine = parts(&["gradient", "backprop", "backward", "optimis", "optimiz", "adamw", "sgd", "epoch"]);
    no_word(&room("src"), "training in the engine", engine);
    // Recipes name optimisers and layers run backwards elsewhere too; gradients are nowhere else.
    let host: Vec<Source> =
        room("train-host/src").into_iter().filter(|f| !f.is_under("train-host/src/train")).collect();
    no_word(&host, "training outside train-host/src/train", parts(&["gradient", "backprop"]));
}

#[test]
fn every_match_on_operators_is_exhaustive() {
    let (mut matches, mut wild) = (0, vec![]);
    for file in room("src").iter().chain(&room("train-host/src")) {
        for (line, arms) in file.matches() {
            if arms.iter().any(|arm| arm.contains("Op::")) {
                matches += 1;
                if arms.iter().any(|arm| source::catches_all(arm)) {
                    wild.push(file.place(line, "a wildcard arm"));
                }
            }
        }
    }
    assert!(matches >= 8, "only {matches} matches on operators found");
    assert!(wild.is_empty(), "{}", wild.join("\n"));
}
