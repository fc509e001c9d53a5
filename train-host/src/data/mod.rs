//! Data sets: labelled samples of one shape, in memory, split into training and test.
//!
//! | said on the command line | read by |
//! |---|---|
//! | `digits` | [`digits`], embedded in the program |
//! | `mnist`, `fashion-mnist` | [`known`], looked for in the usual places and checked |
//! | a folder of IDX files | `idx` |
//! | a folder of class folders of PNGs | `folder` |
//! | a CSV file, or a folder with `train.csv` | `csv` |
//!
//! Where the source has no test split, one sample in five of each class is held out for it: the fifth, the
//! tenth and so on, in the order of the file (or of the sorted file names). The choice is the same each time.

mod csv;
pub mod digits;
mod folder;
mod idx;
pub mod known;
mod picture;

use crate::{Error, Result};
use sha2::Digest as _;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// One sample in this many is held out for the test where the source has no test split.
const HOLD_OUT: usize = 5;

/// Samples of one part of a data set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Split {
    /// Raw values (0 to 255 for images), each sample in HWC order, samples back to back.
    pub pixels: Vec<f32>,
    /// The class of each sample: an index into [`Dataset::classes`].
    pub labels: Vec<u16>,
}

impl Split {
    /// How many samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// A labelled data set. At least two classes, at least one sample in each split, every value finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// `digits`, `mnist`, or the stem of the path it was read from.
    pub name: String,
    /// Rows of a sample.
    pub height: usize,
    /// Columns of a sample.
    pub width: usize,
    /// Values per pixel: 1 for grey, 3 for colour; the number of features of a CSV.
    pub channels: usize,
    /// The raw range that [`normalised`](Self::normalised) maps to -1 and 1: 0 and 255 for images, least and
    /// greatest value of the training rows for a CSV.
    pub range: (f32, f32),
    /// Names of the classes, in the order of the labels.
    pub classes: Vec<String>,
    /// What a net is trained on.
    pub train: Split,
    /// What it is judged by.
    pub test: Split,
}

impl Dataset {
    /// Loads a set by name (`digits`, `mnist`, `fashion-mnist`) or from a path. A name wins over a path of the
    /// same spelling: write `./mnist` for a folder called so.
    ///
    /// # Errors
    /// The source is missing, malformed, has fewer than two classes, or leaves a split empty. The text names
    /// the file and the offending part. Memory taken before that is noticed is bounded by the size of the file.
    pub fn load(spec: &str) -> Result<Self> {
        if spec == digits::NAME {
            return digits::load();
        }
        if known::is_known(spec) {
            return known::load(spec);
        }
        let path = Path::new(spec);
        if path.is_dir() { load_folder(path) } else { load_file(path) }
    }

    /// Values per sample: height x width x channels.
    pub fn len_of_sample(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// The values of `split` mapped from [`range`](Self::range) to -1 and 1.
    ///
    /// # Ranges
    /// `(raw - low) / ((high - low) / 2) - 1`: for images exactly `u8 / 127.5 - 1`. Test values of a CSV may
    /// lie outside, as its range is that of the training rows.
    pub fn normalised(&self, split: &Split) -> Vec<f32> {
        let (low, high) = self.range;
        let half = (high - low) / 2.0;
        split.pixels.iter().map(|raw| (raw - low) / half - 1.0).collect()
    }

    /// The set itself if a net can be trained on it.
    fn checked(self, path: &Path) -> Result<Self> {
        for (split, name) in [(&self.train, "training"), (&self.test, "test")] {
            if split.is_empty() {
                return Err(Error::file(
                    path,
                    format!(
                        "the {name} split is empty; without a test split of its own a set needs at least \
                         {HOLD_OUT} samples of a class"
                    ),
                ));
            }
        }
        let first = self.train.labels[0];
        if self.train.labels.iter().all(|&label| label == first) {
            let only = &self.classes[usize::from(first)];
            return Err(Error::file(
                path,
                format!("all training samples are of one class, `{only}`; a classifier needs at least two"),
            ));
        }
        Ok(self)
    }
}

fn load_folder(path: &Path) -> Result<Dataset> {
    if idx::is_in(path) {
        idx::load(path)
    } else if path.join("train.csv").is_file() {
        csv::load(&path.join("train.csv"), Some(&path.join("test.csv")).filter(|p| p.is_file()).map(|p| &**p))
    } else {
        folder::load(path)
    }
}

fn load_file(path: &Path) -> Result<Dataset> {
    if !path.exists() {
        let names: Vec<&str> = known::names().collect();
        return Err(Error::file(
            path,
            format!(
                "no such data set or path; the sets with a name are {}, {}",
                digits::NAME,
                names.join(", ")
            ),
        ));
    }
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) {
        return csv::load(path, None);
    }
    Err(Error::file(
        path,
        "not a data set: give a .csv file, a folder of class folders of .png files, or the folder that holds \
         the IDX files",
    ))
}

/// The last part of the path without its extension, for a name.
fn stem(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    full.file_stem().map_or_else(|| "data".to_owned(), |s| s.to_string_lossy().into_owned())
}

/// Class names in the order of their labels: by value if all are whole numbers, else alphabetical.
fn in_class_order(names: BTreeSet<String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    if names.iter().all(|n| n.parse::<i64>().is_ok()) {
        names.sort_by_key(|n| n.parse::<i64>().unwrap_or_default());
    }
    names
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

/// Bytes in hexadecimal, lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Splits samples of `len` values into training and test: one in [`HOLD_OUT`] of each class is held out.
fn hold_out(all: Split, len: usize, classes: usize) -> (Split, Split) {
    let (mut train, mut test) = (Split::default(), Split::default());
    let mut seen = vec![0_usize; classes];
    for (sample, &label) in all.pixels.chunks_exact(len).zip(&all.labels) {
        let count = &mut seen[usize::from(label)];
        *count += 1;
        let part = if (*count).is_multiple_of(HOLD_OUT) { &mut test } else { &mut train };
        part.pixels.extend_from_slice(sample);
        part.labels.push(label);
    }
    (train, test)
}

/// Writes a file whole or not at all: beside its place first, then renamed.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = Path::new(&beside);
    let written = std::fs::File::create(beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(beside, path));
    written.map_err(|e| {
        // What is left of the attempt is of no use to anyone; the error to report is the first one.
        let _ = std::fs::remove_file(beside);
        Error::file(path, format!("cannot write: {e}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_normalise_to_minus_one_and_one_exactly() {
        let mut set = digits::load().unwrap();
        set.test = Split { pixels: vec![0.0, 51.0, 127.0, 255.0], labels: vec![] };
        let want: Vec<f32> = [0_u8, 51, 127, 255].iter().map(|&v| f32::from(v) / 127.5 - 1.0).collect();
        assert_eq!(set.normalised(&set.test), want);
        assert_eq!((want[0], want[3]), (-1.0, 1.0));
    }

    #[test]
    fn a_fifth_of_each_class_is_held_out() {
        let labels: Vec<u16> = (0..60).map(|i| u16::from(i % 3 == 0)).collect();
        let pixels: Vec<f32> = (0..60).map(|i| i as f32).collect();
        let (train, test) = hold_out(Split { pixels, labels }, 1, 2);
        assert_eq!((train.len(), test.len()), (48, 12));
        assert_eq!(test.labels.iter().filter(|&&l| l == 1).count(), 4);
        // The fifth multiple of three (12) and the fifth of the others (7).
        assert_eq!(test.pixels[..2], [7.0, 12.0]);
    }

    #[test]
    fn numbers_order_by_value_and_words_by_letter() {
        let set = |names: &[&str]| in_class_order(names.iter().map(|s| s.to_string()).collect());
        assert_eq!(set(&["10", "9", "-1"]), ["-1", "9", "10"]);
        assert_eq!(set(&["10", "9", "cat"]), ["10", "9", "cat"]);
    }

    #[test]
    fn a_path_that_is_nothing_says_so() {
        let text = Dataset::load("/nowhere/at/all").unwrap_err().to_string();
        assert!(text.contains("/nowhere/at/all") && text.contains("mnist"), "{text}");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("notes.txt");
        std::fs::write(&file, "hello").unwrap();
        let text = Dataset::load(file.to_str().unwrap()).unwrap_err().to_string();
        assert!(text.contains("notes.txt: not a data set"), "{text}");
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        let text = write_whole(&taken, b"x").unwrap_err().to_string();
        assert!(text.contains("taken: cannot write"), "{text}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
