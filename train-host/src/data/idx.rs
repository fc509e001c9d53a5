//! IDX files, the format of MNIST: a magic number, one big-endian `u32` a dimension, then the bytes.
//!
//! Images have magic 0x0803 and dimensions count x height x width, labels 0x0801 and count. A data set is a
//! folder of four such files under their customary names (`train-images-idx3-ubyte` and so on, also with a dot
//! before `idx`), each plain or gzip-compressed (told by content). Format: Y. LeCun, C. Cortes, C. Burges, "The
//! MNIST database of handwritten digits".

use super::picture::MAX_EXPANSION;
use super::{Dataset, Split, hold_out, stem};
use crate::{Error, Result};
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Images,
    Labels,
}

impl Kind {
    /// Number of dimensions, also the last byte of the magic number; the byte before it, 8, means `u8`.
    fn rank(self) -> usize {
        match self {
            Self::Images => 3,
            Self::Labels => 1,
        }
    }

    fn magic(self) -> u32 {
        0x0800 | self.rank() as u32
    }

    fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }
}

/// The four files of a set: training images and labels, test images and labels.
pub(super) const FILES: [(&str, Kind); 4] =
    [("train", Kind::Images), ("train", Kind::Labels), ("t10k", Kind::Images), ("t10k", Kind::Labels)];

/// The customary name of one of [`FILES`].
pub(super) fn file_name(part: &str, kind: Kind) -> String {
    format!("{part}-{}-idx{}-ubyte", kind.name(), kind.rank())
}

/// Where `dir` holds one of [`FILES`], under any of its names.
pub(super) fn find(dir: &Path, part: &str, kind: Kind) -> Option<PathBuf> {
    let dash = file_name(part, kind);
    let dot = dash.replace("-idx", ".idx");
    let names = [dash.clone() + ".gz", dot.clone() + ".gz", dash, dot];
    names.iter().rev().map(|name| dir.join(name)).find(|path| path.is_file())
}

/// Whether `dir` holds any of [`FILES`].
pub(super) fn is_in(dir: &Path) -> bool {
    FILES.iter().any(|&(part, kind)| find(dir, part, kind).is_some())
}

/// One file, unpacked.
#[derive(Debug, PartialEq)]
pub(super) struct Idx {
    kind: Kind,
    pub(super) dims: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

impl Idx {
    /// Reads a file that must hold what `kind` says.
    ///
    /// # Errors
    /// Missing, truncated, of another kind, with dimensions of zero, or with more or fewer bytes than its header
    /// says. At most as much memory is taken as the file can unpack to.
    pub(super) fn read(path: &Path, kind: Kind) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::file(path, format!("cannot open: {e}")))?;
        let length = file.metadata().map_err(|e| Error::file(path, e))?.len();
        let mut raw = BufReader::new(file);
        let start = raw.fill_buf().map_err(|e| Error::file(path, format!("cannot read: {e}")))?;
        if start.starts_with(&[0x1f, 0x8b]) {
            let most = usize::try_from(length).unwrap_or(usize::MAX).saturating_mul(MAX_EXPANSION);
            Self::parse(MultiGzDecoder::new(raw), most, kind)
        } else {
            Self::parse(raw, usize::try_from(length).unwrap_or(usize::MAX), kind)
        }
        .map_err(|what| Error::file(path, what))
    }

    /// Reads the contents of a file that cannot hold more than `most` bytes.
    pub(super) fn parse(mut from: impl Read, most: usize, kind: Kind) -> Result<Self, String> {
        let io = |e: std::io::Error| match e.kind() {
            ErrorKind::UnexpectedEof => "truncated: it ends before it should".to_owned(),
            _ => format!("cannot unpack: {e}"),
        };
        let mut word = || {
            let mut bytes = [0; 4];
            from.read_exact(&mut bytes).map_err(|e| match e.kind() {
                ErrorKind::UnexpectedEof => {
                    format!("truncated: the {}-byte header is not whole", 4 + 4 * kind.rank())
                }
                _ => io(e),
            })?;
            Ok::<u32, String>(u32::from_be_bytes(bytes))
        };
        let magic = word()?;
        if magic != kind.magic() {
            return Err(format!(
                "wrong magic number {magic:#010x}: an IDX file of {} starts with {:#010x}",
                kind.name(),
                kind.magic()
            ));
        }
        let dims = (0..kind.rank()).map(|_| Ok(word()? as usize)).collect::<Result<Vec<_>, String>>()?;
        let said = dims.iter().map(|d| d.to_string()).collect::<Vec<_>>().join(" x ");
        if dims.contains(&0) {
            return Err(format!("the header says {said} {}: there is nothing in it", kind.name()));
        }
        let size = dims
            .iter()
            .try_fold(1_usize, |product, &d| product.checked_mul(d))
            .filter(|&size| size <= most)
            .ok_or_else(|| {
                format!(
                    "truncated: the header says {said} bytes of {}, more than the file can hold",
                    kind.name()
                )
            })?;
        // The vector grows with what is really there. One byte more than expected shows an oversized file without
        // reading all of it.
        let mut bytes = Vec::new();
        from.take(size as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() < size {
            return Err(format!(
                "truncated: the header says {said} = {size} bytes, there are {}",
                bytes.len()
            ));
        }
        if bytes.len() > size {
            return Err(format!("oversized: there are bytes after the {said} = {size} that the header says"));
        }
        Ok(Self { kind, dims, bytes })
    }

    /// SHA-256 of the unpacked file, in hexadecimal.
    pub(super) fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.kind.magic().to_be_bytes());
        for &d in &self.dims {
            hash.update((d as u32).to_be_bytes());
        }
        hash.update(&self.bytes);
        super::hex(&hash.finalize())
    }
}

/// A pair of files as a split.
fn split(images: &Idx, labels: &Idx, dir: &Path, part: &str) -> Result<Split> {
    if images.dims[0] != labels.dims[0] {
        return Err(Error::file(
            dir,
            format!("{part}: {} images but {} labels", images.dims[0], labels.dims[0]),
        ));
    }
    let pixels = images.bytes.iter().map(|&b| f32::from(b)).collect();
    Ok(Split { pixels, labels: labels.bytes.iter().map(|&b| u16::from(b)).collect() })
}

/// The data set in a folder. Without a test pair, one in five of the training images is held out. Classes are
/// the numbers from 0 to the greatest label.
pub(super) fn load(dir: &Path) -> Result<Dataset> {
    let read = |part: &str, kind: Kind| {
        let path = find(dir, part, kind).ok_or_else(|| {
            Error::file(
                &dir.join(file_name(part, kind)),
                "no such file (nor with .gz, nor with a dot before `idx`)",
            )
        })?;
        Idx::read(&path, kind)
    };
    let train = [read("train", Kind::Images)?, read("train", Kind::Labels)?];
    let has_test = FILES[2..].iter().any(|&(part, kind)| find(dir, part, kind).is_some());
    let test = if has_test { Some([read("t10k", Kind::Images)?, read("t10k", Kind::Labels)?]) } else { None };
    assemble(stem(dir), dir, train, test)
}

/// Puts the files of a set together: pairs of images and labels.
pub(super) fn assemble(name: String, dir: &Path, train: [Idx; 2], test: Option<[Idx; 2]>) -> Result<Dataset> {
    let (height, width) = (train[0].dims[1], train[0].dims[2]);
    let all = split(&train[0], &train[1], dir, "train")?;
    let most = |pair: &[Idx; 2]| pair[1].bytes.iter().copied().max().unwrap_or(0);
    let greatest = test.as_ref().map_or(0, most).max(most(&train));
    let classes: Vec<String> = (0..=greatest).map(|c| c.to_string()).collect();
    let (train, test) = match test {
        Some(pair) => {
            if pair[0].dims[1..] != [height, width] {
                return Err(Error::file(
                    dir,
                    format!(
                        "test images of {}x{} but training images of {height}x{width}",
                        pair[0].dims[1], pair[0].dims[2]
                    ),
                ));
            }
            (all, split(&pair[0], &pair[1], dir, "t10k")?)
        }
        None => hold_out(all, height * width, classes.len()),
    };
    Dataset { name, height, width, channels: 1, range: (0.0, 255.0), classes, train, test }.checked(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn bytes(magic: u32, dims: &[u32], data: &[u8]) -> Vec<u8> {
        let header = [magic].into_iter().chain(dims.iter().copied());
        header.flat_map(u32::to_be_bytes).chain(data.iter().copied()).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Two images of 2x1 pixels and their labels for training, one for the test.
    fn small(dir: &Path) {
        let write = |name: &str, bytes: &[u8]| std::fs::write(dir.join(name), bytes).unwrap();
        write("train-images-idx3-ubyte", &bytes(0x803, &[2, 2, 1], &[1, 2, 3, 4]));
        write("train-labels-idx1-ubyte", &bytes(0x801, &[2], &[0, 12]));
        write("t10k-images.idx3-ubyte", &bytes(0x803, &[1, 2, 1], &[5, 255]));
        write("t10k-labels-idx1-ubyte.gz", &gzip(&bytes(0x801, &[1], &[3])));
    }

    /// The error of loading `small` with one file replaced (or removed).
    fn error_with(name: &str, contents: Option<&[u8]>) -> String {
        let dir = tempfile::tempdir().unwrap();
        small(dir.path());
        match contents {
            Some(contents) => std::fs::write(dir.path().join(name), contents).unwrap(),
            None => std::fs::remove_file(dir.path().join(name)).unwrap(),
        }
        let text = load(dir.path()).unwrap_err().to_string();
        assert!(text.starts_with(dir.path().to_str().unwrap()), "names the file: {text}");
        text
    }

    fn assert_has(text: &str, parts: &[&str]) {
        for part in parts {
            assert!(text.contains(part), "`{part}` in: {text}");
        }
    }

    #[test]
    fn all_names_and_gzip_are_read() {
        let dir = tempfile::tempdir().unwrap();
        small(dir.path());
        let set = Dataset::load(dir.path().to_str().unwrap()).unwrap();
        assert_eq!((set.height, set.width, set.channels), (2, 1, 1));
        assert_eq!(set.train, Split { pixels: vec![1.0, 2.0, 3.0, 4.0], labels: vec![0, 12] });
        assert_eq!(set.test, Split { pixels: vec![5.0, 255.0], labels: vec![3] });
        assert_eq!((set.classes.len(), set.classes[12].as_str()), (13, "12"));
    }

    #[test]
    fn the_hash_is_that_of_the_unpacked_file() {
        let contents = bytes(0x803, &[1, 2, 1], &[5, 255]);
        let idx = Idx::parse(&contents[..], contents.len(), Kind::Images).unwrap();
        assert_eq!(idx.sha256(), crate::data::hex(&Sha256::digest(&contents)));
    }

    #[test]
    fn without_a_test_pair_a_fifth_is_held_out() {
        let dir = tempfile::tempdir().unwrap();
        let labels: Vec<u8> = (0..20).map(|i| i % 2).collect();
        std::fs::write(dir.path().join("train-images-idx3-ubyte"), bytes(0x803, &[20, 1, 1], &[7; 20]))
            .unwrap();
        std::fs::write(dir.path().join("train-labels-idx1-ubyte"), bytes(0x801, &[20], &labels)).unwrap();
        let set = load(dir.path()).unwrap();
        assert_eq!((set.train.len(), set.test.len()), (16, 4));
    }

    #[test]
    fn a_missing_file_is_named() {
        let text = error_with("train-labels-idx1-ubyte", None);
        assert_has(&text, &["train-labels-idx1-ubyte: no such file"]);
        let text = error_with("t10k-images.idx3-ubyte", None);
        assert_has(&text, &["t10k-images-idx3-ubyte: no such file"]);
    }

    #[test]
    fn truncated_files_are_refused() {
        let text = error_with("train-images-idx3-ubyte", Some(&bytes(0x803, &[2, 2, 1], &[1, 2, 3])));
        assert_has(&text, &["train-images-idx3-ubyte: truncated"]);
        let text = error_with("train-images-idx3-ubyte", Some(&bytes(0x803, &[2], &[])));
        assert_has(&text, &["truncated", "16-byte header"]);
        let text = error_with("train-images-idx3-ubyte", Some(&[]));
        assert_has(&text, &["truncated", "16-byte header"]);
        // Inside a gzip file: data short of the header's promise, and the packed stream cut off.
        let packed = gzip(&bytes(0x801, &[3], &[3, 4]));
        let text = error_with("t10k-labels-idx1-ubyte.gz", Some(&packed));
        assert_has(&text, &["t10k-labels-idx1-ubyte.gz: truncated", "3 = 3 bytes, there are 2"]);
        let text = error_with("t10k-labels-idx1-ubyte.gz", Some(&packed[..packed.len() - 9]));
        assert_has(&text, &["t10k-labels-idx1-ubyte.gz: truncated"]);
    }

    #[test]
    fn a_damaged_gzip_file_is_refused() {
        let mut packed = gzip(&bytes(0x801, &[1], &[3]));
        let crc = packed.len() - 8;
        packed[crc] ^= 1;
        let text = error_with("t10k-labels-idx1-ubyte.gz", Some(&packed));
        assert_has(&text, &["t10k-labels-idx1-ubyte.gz: cannot unpack"]);
    }

    #[test]
    fn oversized_files_are_refused() {
        let text = error_with("train-labels-idx1-ubyte", Some(&bytes(0x801, &[2], &[1, 2, 3])));
        assert_has(&text, &["train-labels-idx1-ubyte: oversized", "2 = 2"]);
        let text = error_with("t10k-labels-idx1-ubyte.gz", Some(&gzip(&bytes(0x801, &[1], &[1, 2, 3]))));
        assert_has(&text, &["t10k-labels-idx1-ubyte.gz: oversized"]);
    }

    #[test]
    fn another_magic_number_is_refused() {
        let text = error_with("train-images-idx3-ubyte", Some(&bytes(0x801, &[2], &[1, 2])));
        assert_has(
            &text,
            &["train-images-idx3-ubyte: wrong magic number 0x00000801", "images", "0x00000803"],
        );
    }

    #[test]
    fn absurd_dimensions_allocate_nothing() {
        let most = u32::MAX;
        let text = error_with("train-images-idx3-ubyte", Some(&bytes(0x803, &[most, most, most], &[1, 2])));
        assert_has(&text, &["4294967295 x 4294967295 x 4294967295", "more than the file can hold"]);
        let text = error_with("t10k-labels-idx1-ubyte.gz", Some(&gzip(&bytes(0x801, &[most], &[1]))));
        assert_has(&text, &["4294967295", "more than the file can hold"]);
        let text = error_with("train-images-idx3-ubyte", Some(&bytes(0x803, &[2, 0, 1], &[])));
        assert_has(&text, &["2 x 0 x 1 images", "nothing in it"]);
    }

    #[test]
    fn pairs_must_match() {
        let text = error_with("train-labels-idx1-ubyte", Some(&bytes(0x801, &[3], &[1, 2, 3])));
        assert_has(&text, &["train: 2 images but 3 labels"]);
        let text = error_with("t10k-images.idx3-ubyte", Some(&bytes(0x803, &[1, 1, 2], &[1, 2])));
        assert_has(&text, &["test images of 1x2 but training images of 2x1"]);
    }

    #[test]
    fn one_class_is_not_enough() {
        let dir = tempfile::tempdir().unwrap();
        small(dir.path());
        std::fs::write(dir.path().join("train-labels-idx1-ubyte"), bytes(0x801, &[2], &[0, 0])).unwrap();
        std::fs::write(dir.path().join("t10k-labels-idx1-ubyte.gz"), gzip(&bytes(0x801, &[1], &[0])))
            .unwrap();
        assert_has(&load(dir.path()).unwrap_err().to_string(), &["one class, `0`", "at least two"]);
    }
}
