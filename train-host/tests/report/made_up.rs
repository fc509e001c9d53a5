//! Runs that never were, with numbers of the kind real ones have.

use train_host::report::{ArenaTensor, Epoch, Filters, Layer, Miss, Report, Score};

/// Numbers from 0 to below 1 that repeat from run to run (Knuth's 64-bit linear congruence).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }

    /// About normal, of deviation 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.roll() * n as f64) as usize
    }
}

fn layer(
    name: &str,
    op: &str,
    shapes: (&str, &str),
    macs: u64,
    weight_bytes: usize,
    sqnr_db: Option<f64>,
) -> Layer {
    let (input, output) = (shapes.0.to_owned(), shapes.1.to_owned());
    let bits = (macs > 0).then_some(8);
    Layer { name: name.into(), op: op.into(), input, output, macs, bits, weight_bytes, sqnr_db }
}

fn tensor(name: &str, offset: usize, bytes: usize, first: usize, last: usize) -> ArenaTensor {
    ArenaTensor { name: name.into(), offset, bytes, first, last }
}

/// Epochs that fall from chance to `end` errors, tested every `every` epochs.
fn history(epochs: u32, every: u32, classes: f64, end: f64, peak: f64) -> Vec<Epoch> {
    let mut dice = Dice(3);
    let at = |epoch: u32| {
        let part = f64::from(epoch) / f64::from(epochs);
        let fall = (-9.0 * part).exp() * 0.2 + 1.0 / (1.0 + 2.0 * f64::from(epoch));
        let rate = if part < 0.05 {
            part / 0.05
        } else {
            (1.0 + (std::f64::consts::PI * (part - 0.05) / 0.95).cos()) / 2.0
        };
        let miss = end + (1.0 - 1.0 / classes) * fall * 0.5;
        let train = if part > 0.9 { 0.8 * miss } else { 2.2 * miss + 0.03 * (1.0 - part) };
        let tested = epoch.is_multiple_of(every) || epoch == epochs;
        let noise = 1.0 + 0.10 * dice.normal() * (0.1 + rate);
        Epoch {
            epoch,
            loss: 3.4 * train * (1.0 + 0.03 * dice.normal()),
            train_accuracy: 1.0 - (train * (1.0 + 0.02 * dice.normal())).clamp(0.0, 0.95),
            test_loss: tested.then_some(3.6 * miss * noise),
            test_accuracy: tested.then(|| 1.0 - (miss * noise).clamp(0.0, 0.95)),
            rate: peak * rate,
        }
    };
    (1..=epochs).map(at).collect()
}

/// Counts with `right` hits a class, each miss counted where it fell.
fn confusion(classes: usize, samples: &[u32], misses: &[Miss]) -> Vec<Vec<u32>> {
    let mut counts = vec![vec![0; classes]; classes];
    for (class, n) in samples.iter().enumerate() {
        counts[class][class] = *n;
    }
    for miss in misses {
        counts[miss.truth][miss.truth] -= 1;
        counts[miss.truth][miss.int8] += 1;
    }
    counts
}

/// A digit in seven segments, slanted and smeared, in 16 x 16 greys.
fn segments(digit: usize, dice: &mut Dice) -> Vec<f32> {
    const LIT: [u8; 10] = [0x3f, 0x06, 0x5b, 0x4f, 0x66, 0x6d, 0x7d, 0x07, 0x7f, 0x6f];
    const ENDS: [[f64; 4]; 7] = [
        [5.0, 3.0, 10.0, 3.0],
        [10.0, 3.0, 10.0, 7.5],
        [10.0, 7.5, 10.0, 12.0],
        [5.0, 12.0, 10.0, 12.0],
        [5.0, 7.5, 5.0, 12.0],
        [5.0, 3.0, 5.0, 7.5],
        [5.0, 7.5, 10.0, 7.5],
    ];
    let (slant, shift, wide) = (0.25 * dice.normal(), dice.normal(), 0.7 + 0.5 * dice.roll());
    let mut pixels = Vec::new();
    for y in 0..16 {
        for x in 0..16 {
            let (py, px) = (f64::from(y), f64::from(x) - shift + slant * (f64::from(y) - 7.5));
            let distance = |[ax, ay, bx, by]: [f64; 4]| {
                let (dx, dy) = (bx - ax, by - ay);
                let along = (((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
                (px - ax - along * dx).hypot(py - ay - along * dy)
            };
            let lit = (0..7).filter(|s| LIT[digit] >> s & 1 == 1).map(|s| distance(ENDS[s]));
            let nearest = lit.fold(f64::INFINITY, f64::min);
            pixels.push((255.0 * (1.6 - nearest / wide).clamp(0.0, 1.0)) as f32);
        }
    }
    pixels
}

/// The default run: 23 and 24 misses of 2,007 digits.
pub(crate) fn digits() -> Report {
    let mut dice = Dice(1989);
    let mut misses = Vec::new();
    for i in 0..25 {
        let truth = dice.below(10);
        let other = (truth + 1 + dice.below(9)) % 10;
        // 22 wrong in both, 2 lost, 1 won.
        let (float, int8) = match i {
            7 | 19 => (truth, other),
            12 => (other, truth),
            _ => (other, other),
        };
        let pixels = segments(truth, &mut dice);
        misses.push(Miss {
            index: 31 + 79 * i,
            pixels,
            height: 16,
            width: 16,
            channels: 1,
            truth,
            float,
            int8,
        });
    }
    let samples = [196, 227, 206, 202, 196, 179, 192, 206, 195, 208];
    let mut values = Vec::new();
    for f in 0..12 {
        let (a, b) = (f64::from(f) * 0.52, 0.5 + 0.4 * dice.roll());
        for i in 0..25 {
            let (y, x) = (f64::from(i / 5) - 2.0, f64::from(i % 5) - 2.0);
            values.push((b * ((x * a.cos() + y * a.sin()) * 1.1).sin() * 0.6 + 0.08 * dice.normal()) as f32);
        }
    }
    Report {
        model: "digits".into(),
        dataset: "digits".into(),
        seed: 1,
        classes: (0..10).map(|d| d.to_string()).collect(),
        float: Score::new(23, 2_007),
        int8: Score::new(24, 2_007),
        agreement: 1.0 - 2.0 / 2_007.0,
        params: 9_760,
        macs: 63_660,
        weight_bytes: 12_760,
        arena_bytes: 1_024,
        train_seconds: 14.94,
        layers: vec![
            layer("h1", "conv2d + relu", ("16x16x1", "8x8x12"), 19_200, 3_372, Some(38.2)),
            layer("h2", "conv2d + relu", ("8x8x12", "4x4x12"), 38_400, 3_168, Some(31.4)),
            layer("h3", "dense + relu", ("4x4x12", "30"), 5_760, 5_880, Some(33.9)),
            layer("out", "dense", ("30", "10"), 300, 340, Some(35.6)),
        ],
        history: history(330, 1, 10.0, 0.0115, 8e-3),
        confusion: confusion(10, &samples, &misses),
        arena: vec![
            tensor("input", 768, 256, 0, 0),
            tensor("h1", 0, 768, 0, 1),
            tensor("h2", 768, 192, 1, 2),
            tensor("h3", 0, 30, 2, 3),
            tensor("out", 32, 10, 3, 3),
        ],
        filters: Some(Filters { count: 12, height: 5, width: 5, channels: 1, values }),
        misses,
        before: None,
        mixed: None,
        qat: None,
    }
}

/// A residual net over small colour pictures, not trained to its end.
pub(crate) fn objects() -> Report {
    const NAMES: [&str; 10] =
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    let mut dice = Dice(7);
    let misses: Vec<Miss> = (0..260)
        .map(|i| {
            let truth = dice.below(10);
            let [float, int8] = [0.86, 0.9].map(|both| {
                if dice.roll() < both {
                    (truth + 2) % 10
                } else if dice.roll() < 0.6 {
                    truth
                } else {
                    (truth + 5) % 10
                }
            });
            let int8 = if float == truth { (truth + 1) % 10 } else { int8 };
            let (hue, turn) = (dice.roll() * 6.0, dice.roll());
            let colour =
                |y: f64, x: f64, c: f64| 128.0 + 110.0 * (hue + c * 2.1 + (x * turn + y) / 6.0).sin();
            let pixels = (0..32 * 32 * 3)
                .map(|i| colour(f64::from(i / 96), f64::from(i / 3 % 32), f64::from(i % 3)) as f32)
                .collect();
            Miss { index: 17 * i, pixels, height: 32, width: 32, channels: 3, truth, float, int8 }
        })
        .collect();
    let wrong = |class: fn(&Miss) -> usize| misses.iter().filter(|m| class(m) != m.truth).count() as u64;
    let same = misses.iter().filter(|m| m.float == m.int8).count() as f64 + 1_740.0;
    let layers = [
        layer("stem", "conv2d + relu", ("32x32x3", "32x32x16"), 442_368, 496, Some(41.0)),
        layer("a1", "conv2d + relu", ("32x32x16", "32x32x16"), 2_359_296, 2_368, Some(36.2)),
        layer("a2", "conv2d", ("32x32x16", "32x32x16"), 2_359_296, 2_368, Some(33.3)),
        layer("a", "add + relu", ("32x32x16, 32x32x16", "32x32x16"), 0, 0, Some(32.9)),
        layer("b1", "conv2d + relu", ("32x32x16", "16x16x32"), 1_179_648, 4_736, Some(31.8)),
        layer("b2", "conv2d", ("16x16x32", "16x16x32"), 2_359_296, 9_344, Some(29.6)),
        layer("b_skip", "conv2d", ("32x32x16", "16x16x32"), 131_072, 640, Some(34.8)),
        layer("b", "add + relu", ("16x16x32, 16x16x32", "16x16x32"), 0, 0, Some(29.9)),
        layer("c1", "conv2d + relu", ("16x16x32", "8x8x64"), 1_179_648, 18_688, Some(28.1)),
        layer("c2", "conv2d", ("8x8x64", "8x8x64"), 2_359_296, 37_120, Some(25.7)),
        layer("c_skip", "conv2d", ("16x16x32", "8x8x64"), 131_072, 2_304, Some(30.2)),
        layer("c", "add + relu", ("8x8x64, 8x8x64", "8x8x64"), 0, 0, Some(26.3)),
        layer("pool", "avg_pool2d", ("8x8x64", "1x1x64"), 0, 0, Some(30.4)),
        layer("out", "dense", ("64", "10"), 640, 680, Some(31.0)),
        layer("softmax", "softmax", ("10", "10"), 0, 0, None),
    ];
    let values = (0..16 * 27).map(|_| (0.3 * dice.normal()) as f32).collect();
    Report {
        model: "objects-residual".into(),
        dataset: "small-objects".into(),
        seed: 42,
        classes: NAMES.map(str::to_owned).to_vec(),
        float: Score::new(wrong(|m| m.float), 2_000),
        int8: Score::new(wrong(|m| m.int8), 2_000),
        agreement: same / 2_000.0,
        params: 77_850,
        macs: 12_501_632,
        weight_bytes: 78_744,
        arena_bytes: 34_432,
        train_seconds: 1_284.3,
        layers: layers.to_vec(),
        history: history(24, 2, 10.0, 0.11, 2e-3),
        confusion: confusion(10, &[200; 10], &misses),
        arena: vec![
            tensor("input", 16_384, 3_072, 0, 0),
            tensor("stem", 0, 16_384, 0, 3),
            tensor("a1", 16_384, 16_384, 1, 2),
            tensor("a1 rows", 32_768, 1_664, 1, 1),
            tensor("a2", 16_384, 16_384, 2, 3),
            tensor("a2 rows", 32_768, 1_664, 2, 2),
            tensor("a", 0, 16_384, 3, 6),
            tensor("b1", 16_384, 8_192, 4, 5),
            tensor("b2", 24_576, 8_192, 5, 7),
            tensor("b_skip", 16_384, 8_192, 6, 7),
            tensor("b", 16_384, 8_192, 7, 10),
            tensor("c1", 0, 4_096, 8, 9),
            tensor("c2", 4_096, 4_096, 9, 11),
            tensor("c_skip", 0, 4_096, 10, 11),
            tensor("c", 0, 4_096, 11, 12),
            tensor("pool", 4_096, 64, 12, 13),
            tensor("out", 4_160, 10, 13, 14),
            tensor("softmax", 4_176, 10, 14, 14),
        ],
        filters: Some(Filters { count: 16, height: 3, width: 3, channels: 3, values }),
        misses,
        before: None,
        mixed: None,
        qat: None,
    }
}

/// Vectors of a machine's readings, two classes, int8 better than float.
pub(crate) fn machine() -> Report {
    let mut dice = Dice(11);
    let misses: Vec<Miss> = (0..9)
        .map(|i| {
            let (phase, truth) = (dice.roll(), usize::from(i % 3 == 0));
            let pixels =
                (0..40).map(|t| ((f64::from(t) * 0.3 + phase * 6.0).sin() + 0.2 * dice.normal()) as f32);
            let int8 = if i == 4 { truth } else { 1 - truth };
            Miss {
                index: 5 * i,
                pixels: pixels.collect(),
                height: 1,
                width: 1,
                channels: 40,
                truth,
                float: 1 - truth,
                int8,
            }
        })
        .collect();
    let values = (0..16 * 40).map(|_| (0.2 * dice.normal()) as f32).collect();
    Report {
        model: "bearing".into(),
        dataset: "readings.csv".into(),
        seed: 5,
        classes: vec!["healthy bearing".into(), "worn bearing".into()],
        float: Score::new(9, 400),
        int8: Score::new(8, 400),
        agreement: 399.0 / 400.0,
        params: 690,
        macs: 672,
        weight_bytes: 744,
        arena_bytes: 56,
        train_seconds: 0.42,
        layers: vec![
            layer("h", "dense + relu", ("40", "16"), 640, 704, Some(36.0)),
            layer("out", "dense", ("16", "2"), 32, 40, Some(38.8)),
        ],
        history: history(12, 1, 2.0, 0.022, 1e-2),
        confusion: confusion(2, &[300, 100], &misses),
        arena: vec![tensor("input", 16, 40, 0, 0), tensor("h", 0, 16, 0, 1), tensor("out", 16, 2, 1, 1)],
        filters: Some(Filters { count: 16, height: 1, width: 1, channels: 40, values }),
        misses,
        before: None,
        mixed: None,
        qat: None,
    }
}
