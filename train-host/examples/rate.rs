//! Training rate in images a second: forward, backward and the optimiser's step, on made-up images.
//!
//! `cargo run -p train-host --example rate -- [SECONDS] [RECIPE]`
//!
//! The last column counts processor time in place of the clock's, which on a busy machine says more (Linux only).

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use train_host::build::build;
use train_host::recipe::Recipe;
use train_host::train::{Samples, train};
use zipnet::ir::Shape;

fn main() {
    let mut args = std::env::args().skip(1);
    let seconds: f64 = args.next().and_then(|s| s.parse().ok()).unwrap_or(2.0);
    let only = args.next();
    let large = Shape::new(28, 28, 1);
    let nets = [
        ("digits", Shape::new(16, 16, 1), 10),
        ("plain-28", large, 10),
        ("residual-28", large, 10),
        ("separable-28", large, 10),
        ("shuffle-28", large, 10),
    ];
    println!("{:<20} {:>8} {:>12} {:>10} {:>14}", "recipe", "threads", "images/s", "us/step", "images/CPU s");
    for (name, shape, classes) in nets {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        for threads in [1, 2] {
            let mut recipe = Recipe::load(name).expect("a shipped recipe");
            recipe.train.augment.clear();
            let count = 64 * 10;
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
            let inputs: Vec<f32> =
                (0..count * shape.len()).map(|_| (rng.next_u64() >> 40) as f32 / 8_388_608.0 - 1.0).collect();
            let labels: Vec<u16> = (0..count).map(|_| (rng.next_u64() % classes as u64) as u16).collect();
            let samples = Samples { inputs: &inputs, labels: &labels };
            let run = |epochs: u32| {
                let mut spec = recipe.train.clone();
                spec.epochs = epochs;
                let blueprint = build(&recipe, shape, classes, 1).expect("builds");
                train(blueprint, &spec, samples, None, threads, &mut |_| {}).expect("trains").seconds
            };
            let epochs = (seconds / run(1)).ceil() as u32;
            let before = cpu_seconds();
            let images = f64::from(epochs) * count as f64;
            let rate = images / run(epochs);
            let cpu = images / (cpu_seconds() - before);
            println!("{name:<20} {threads:>8} {rate:>12.0} {:>10.1} {cpu:>14.0}", 64e6 / rate);
        }
    }
}

/// Processor time of this process so far, from `/proc`; not a number where there is none.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = |at: usize| {
        stat.rsplit(") ").next().and_then(|s| s.split(' ').nth(at)?.parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    (ticks(11) + ticks(12)) / 100.0
}
