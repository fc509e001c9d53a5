//! The embedded data set `digits`: 7,291 training and 2,007 test images of handwritten digits, 16x16, grey.
//!
//! As many images of that size as Y. LeCun et al. had for "Backpropagation Applied to Handwritten Zip Code
//! Recognition" (1989), drawn from MNIST instead of the postal service's envelopes. In the program are two files
//! of `data/` a person can look at: `digits.png`, a contact sheet, and `digits.labels`, the digits of the sheet
//! as text, one line a row of tiles. Rows of training images come first, then an empty row, then the test.

use super::{Dataset, Split, known, picture, write_whole};
use crate::{Error, Result};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::path::Path;

/// What [`Dataset::load`] calls this set.
pub const NAME: &str = "digits";
/// Training images.
pub const TRAIN: usize = 7291;
/// Test images.
pub const TEST: usize = 2007;
/// Rows and columns of an image.
pub const SIDE: usize = 16;

/// Tiles in a row of the sheet.
const COLUMNS: usize = 120;
/// Pixels in a row of the sheet.
const SHEET_WIDTH: usize = COLUMNS * SIDE;
/// Rows and columns of an MNIST image.
const SOURCE_SIDE: usize = 28;
/// The seed of the draw from MNIST: the year of the paper.
const SEED: u64 = 1989;

const SHEET: &[u8] = include_bytes!("../../../data/digits.png");
const LABELS: &str = include_str!("../../../data/digits.labels");

/// The embedded set.
///
/// # Errors
/// None, if the program was built from files that belong together, which a test makes sure of.
pub fn load() -> Result<Dataset> {
    let (train, test) =
        decode(SHEET, LABELS).map_err(|what| Error::file(Path::new("data/digits.png"), what))?;
    Ok(Dataset {
        name: NAME.to_owned(),
        height: SIDE,
        width: SIDE,
        channels: 1,
        range: (0.0, 255.0),
        classes: (0..10).map(|d| d.to_string()).collect(),
        train,
        test,
    })
}

/// Makes `digits.png` and `digits.labels` in `out` from the four files of MNIST in `mnist`, each time the same.
///
/// Images are drawn without replacement from MNIST's own two splits (partial Fisher-Yates shuffle with
/// xoshiro256++) and kept in the order of the draw, so the sheet is a mixture.
///
/// # Errors
/// A file of MNIST is missing or is not MNIST (checked by SHA-256), or `out` cannot be written.
pub fn make(mnist: &Path, out: &Path) -> Result<()> {
    let [train_images, train_labels, test_images, test_labels] = known::read("mnist", mnist)?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut tiles = Tiles::default();
    tiles.push_drawn(&mut rng, TRAIN, &train_images.bytes, &train_labels.bytes);
    tiles.end_of_split();
    tiles.push_drawn(&mut rng, TEST, &test_images.bytes, &test_labels.bytes);
    tiles.labels.push('\n');
    std::fs::create_dir_all(out).map_err(|e| Error::file(out, format!("cannot make the folder: {e}")))?;
    write_whole(&out.join("digits.png"), &tiles.png())?;
    write_whole(&out.join("digits.labels"), tiles.labels.as_bytes())
}

/// The sheet being filled.
#[derive(Default)]
struct Tiles {
    /// Whole rows of tiles: SHEET_WIDTH x SIDE pixels each.
    pixels: Vec<u8>,
    /// One character a tile, one line a row of tiles.
    labels: String,
    /// Tiles in the last row.
    column: usize,
}

impl Tiles {
    /// Draws `count` of the MNIST images and puts them on the sheet.
    fn push_drawn(&mut self, rng: &mut impl Rng, count: usize, images: &[u8], labels: &[u8]) {
        for i in draw(rng, labels.len(), count) {
            let source = &images[i * SOURCE_SIDE * SOURCE_SIDE..][..SOURCE_SIDE * SOURCE_SIDE];
            self.push(&reduce(source), labels[i]);
        }
    }

    fn push(&mut self, tile: &[u8; SIDE * SIDE], label: u8) {
        if self.column == COLUMNS {
            self.labels.push('\n');
            self.column = 0;
        }
        if self.column == 0 {
            self.pixels.resize(self.pixels.len() + SHEET_WIDTH * SIDE, 0);
        }
        let row = self.pixels.len() - SHEET_WIDTH * SIDE;
        for (y, line) in tile.chunks_exact(SIDE).enumerate() {
            self.pixels[row + y * SHEET_WIDTH + self.column * SIDE..][..SIDE].copy_from_slice(line);
        }
        self.labels.push(char::from(b'0' + label));
        self.column += 1;
    }

    /// Leaves the rest of the row and one more row black.
    fn end_of_split(&mut self) {
        self.labels.push_str("\n\n");
        self.pixels.resize(self.pixels.len() + SHEET_WIDTH * SIDE, 0);
        self.column = 0;
    }

    fn png(&self) -> Vec<u8> {
        picture::encode_grey(self.pixels.len() / SHEET_WIDTH, SHEET_WIDTH, &self.pixels)
    }
}

/// `count` different numbers below `from`, in random order.
fn draw(rng: &mut impl Rng, from: usize, count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..from).collect();
    for i in 0..count {
        all.swap(i, i + below(rng, from - i));
    }
    all.truncate(count);
    all
}

/// A random number below `n`, each as likely: numbers beyond the last whole multiple of `n` are thrown again.
fn below(rng: &mut impl Rng, n: usize) -> usize {
    let n = n as u64;
    loop {
        let random = rng.next_u64();
        if random < u64::MAX - u64::MAX % n {
            return (random % n) as usize;
        }
    }
}

/// 28x28 to 16x16: bilinear between the four pixels around each centre, without antialiasing.
///
/// # Rounding
/// The centre of pixel `d` lies at `(d + 1/2) * 28/16 - 1/2 = (14 d + 3) / 8` of the source, so weights are whole
/// eighths and the sum is exact in 64ths; it is rounded to the nearest integer, halves up.
fn reduce(source: &[u8]) -> [u8; SIDE * SIDE] {
    let position = |d: usize| ((14 * d + 3) / 8, (14 * d + 3) % 8);
    let mut out = [0; SIDE * SIDE];
    for (i, pixel) in out.iter_mut().enumerate() {
        let ((y, fy), (x, fx)) = (position(i / SIDE), position(i % SIDE));
        let at = |y: usize, x: usize| usize::from(source[y * SOURCE_SIDE + x]);
        let upper = at(y, x) * (8 - fx) + at(y, x + 1) * fx;
        let lower = at(y + 1, x) * (8 - fx) + at(y + 1, x + 1) * fx;
        *pixel = ((upper * (8 - fy) + lower * fy + 32) / 64) as u8;
    }
    out
}

/// Cuts the sheet into the two splits.
fn decode(png: &[u8], labels: &str) -> Result<(Split, Split), String> {
    let sheet = picture::decode(png)?;
    let rows: Vec<&str> = labels.lines().collect();
    if (sheet.height, sheet.width, sheet.channels) != (rows.len() * SIDE, SHEET_WIDTH, 1) {
        return Err(format!("{}x{} does not fit {} rows of labels", sheet.height, sheet.width, rows.len()));
    }
    let (mut train, mut test) = (Split::default(), Split::default());
    let mut split = &mut train;
    for (row, digits) in rows.iter().enumerate() {
        if digits.is_empty() {
            split = &mut test;
        }
        for (column, digit) in digits.chars().enumerate() {
            let label = digit.to_digit(10).filter(|_| column < COLUMNS);
            split
                .labels
                .push(label.ok_or_else(|| format!("row {row}, column {column} of the labels: `{digit}`"))?
                    as u16);
            for y in 0..SIDE {
                let line = &sheet.pixels[(row * SIDE + y) * SHEET_WIDTH + column * SIDE..][..SIDE];
                split.pixels.extend(line.iter().map(|&b| f32::from(b)));
            }
        }
    }
    match (train.len(), test.len()) {
        (TRAIN, TEST) => Ok((train, test)),
        (train, test) => Err(format!("{train} and {test} labels instead of {TRAIN} and {TEST}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn hashes(split: &Split) -> [String; 2] {
        let pixels: Vec<u8> = split.pixels.iter().map(|&v| v as u8).collect();
        let labels: Vec<u8> = split.labels.iter().map(|&l| l as u8).collect();
        [pixels, labels].map(|bytes| crate::data::hex(&Sha256::digest(bytes)))
    }

    #[test]
    fn the_embedded_set_is_what_it_was() {
        let set = Dataset::load("digits").unwrap();
        assert_eq!((set.train.len(), set.test.len(), set.len_of_sample()), (TRAIN, TEST, 256));
        assert_eq!((set.train.pixels.len(), set.test.pixels.len()), (TRAIN * 256, TEST * 256));
        // SHA-256 of the pixels and of the labels as bytes, recorded from a decoder in another language.
        let [pixels, labels] = hashes(&set.train);
        assert_eq!(pixels, "1a330380b65bf252b9a752325ac2fff7a9b993eef353c5f59df25e2bbf8fb91e");
        assert_eq!(labels, "831769cb054870dc3d7a20090317ee2ec8a50da110db4107b1f2d8fc511262a9");
        let [pixels, labels] = hashes(&set.test);
        assert_eq!(pixels, "417ddf78a3b2d1745bc23629cdaf1389fa690238efa6049dc7e9ccd63b7c59b4");
        assert_eq!(labels, "97b771c9d12b3b70e3ffd828049cc104a6ee115723afa17abfbbdceb534d9620");
    }

    #[test]
    fn remaking_gives_the_same_bytes() {
        let Some(mnist) = known::find("mnist") else {
            println!("SKIPPED: MNIST is not on this machine, so digits.png was not made again");
            return;
        };
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("made/here");
        make(&mnist, &out).unwrap();
        assert!(std::fs::read(out.join("digits.png")).unwrap() == SHEET, "digits.png differs");
        assert_eq!(std::fs::read_to_string(out.join("digits.labels")).unwrap(), LABELS);
    }

    #[test]
    fn files_that_are_not_mnist_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let text = make(dir.path(), &dir.path().join("out")).unwrap_err().to_string();
        assert!(text.contains("train-images-idx3-ubyte: no such file"), "{text}");
        assert!(!dir.path().join("out").exists(), "nothing is written");
    }

    #[test]
    fn a_draw_has_no_repeats_and_reaches_everything() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut whole = draw(&mut rng, 100, 100);
        assert_ne!(whole, (0..100).collect::<Vec<_>>());
        whole.sort_unstable();
        assert_eq!(whole, (0..100).collect::<Vec<_>>());
        // Each of 10 numbers is among 5 drawn about half of the time: 500 of 1000, standard deviation 16.
        let mut count = [0; 10];
        for _ in 0..1000 {
            draw(&mut rng, 10, 5).into_iter().for_each(|i| count[i] += 1);
        }
        assert!(count.iter().all(|c| (420..580).contains(c)), "{count:?}");
    }

    #[test]
    fn reduction_keeps_planes_and_slopes() {
        assert_eq!(reduce(&[200; 784]), [200; 256]);
        // A slope of 8 a column: centres at (14 d + 3) / 8 give 14 d + 3.
        let slope: Vec<u8> = (0..784).map(|i| (8 * (i % SOURCE_SIDE)) as u8).collect();
        let want: Vec<u8> = (0..256).map(|i| (14 * (i % SIDE) + 3) as u8).collect();
        assert_eq!(reduce(&slope)[..], want);
        let slope: Vec<u8> = (0..784).map(|i| (8 * (i / SOURCE_SIDE)) as u8).collect();
        let want: Vec<u8> = (0..256).map(|i| (14 * (i / SIDE) + 3) as u8).collect();
        assert_eq!(reduce(&slope)[..], want);
        // One lit pixel of 64 beside the centre of tile pixel (0, 0), at 3/8, 3/8: 64 * 25/64.
        let mut spot = [0; 784];
        spot[0] = 64;
        assert_eq!(reduce(&spot)[0], 25);
    }

    #[test]
    fn a_sheet_that_does_not_fit_its_labels_is_refused() {
        let fails = |png: &[u8], labels: &str, part: &str| {
            let text = decode(png, labels).unwrap_err();
            assert!(text.contains(part), "{text}");
        };
        fails(SHEET, &LABELS[1..], "7290 and 2007 labels");
        fails(SHEET, &LABELS[COLUMNS + 1..], "does not fit 78 rows");
        fails(SHEET, &LABELS.replacen('5', "x", 1), "`x`");
        fails(SHEET, &LABELS.replacen('\n', "0\n", 1), "column 120");
        fails(&SHEET[..1000], LABELS, "not a readable PNG");
    }
}
