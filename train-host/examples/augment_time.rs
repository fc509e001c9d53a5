//! Prints what augmentation costs, in CPU time per image: `cargo run --example augment_time -p train-host`.

use std::time::{Duration, Instant};
use train_host::data::Dataset;
use train_host::train::augment::{Augment, Augmenter};

fn main() {
    let set = Dataset::load("digits").expect("the set is embedded");
    let images = set.normalised(&set.train);
    let affine = Augment::Affine { rotate: 12.0, scale: 0.12, shear: 0.1, shift: 1.0, from: 0.0, until: 1.0 };
    let elastic = Augment::Elastic { grid: 5, sigma: 0.5, from: 0.0, until: 1.0 };
    let shift = Augment::Shift { pixels: 1, from: 0.0, until: 1.0 };
    for (name, list) in [
        ("nothing", vec![]),
        ("shift", vec![shift]),
        ("affine", vec![affine.clone()]),
        ("elastic", vec![elastic.clone()]),
        ("affine and elastic", vec![affine, elastic]),
    ] {
        let mut augmenter = Augmenter::new(&list, set.height, set.width, set.channels).expect("a valid list");
        let mut out = vec![0.0; set.len_of_sample()];
        // The least of several passes: what others do to this machine only ever adds.
        let least = (0..20).map(|pass| {
            let start = Instant::now();
            for (i, image) in images.chunks_exact(set.len_of_sample()).enumerate() {
                augmenter.apply(0.5, pass << 32 | i as u64, image, &mut out);
                std::hint::black_box(&mut out);
            }
            start.elapsed()
        });
        let least = least.min().unwrap_or(Duration::ZERO);
        println!(
            "{name:>20}: {:.3} us an image of 16x16x1",
            least.as_secs_f64() * 1e6 / set.train.len() as f64
        );
    }
}
