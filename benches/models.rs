//! Whole nets, int8 against f32: `recipe/who`, and those of MLPerf Tiny as `ad`, `kws`, `ic`.
//!
//! | who | what is timed | throughput counts |
//! |---|---|---|
//! | `int8-scalar` | one sample through the engine's portable kernels | 1 |
//! | `int8-avx2`, `int8-avx-512-vnni` | one sample through its kernels for that CPU, weights packed for it | 1 |
//! | `int8-…-batch16` | a call with sixteen samples through the same, layer after layer | 16 |
//! | `f32-single` | a call of the trainer's engine with one sample: its other lanes run empty, so it takes what sixteen take | 1 |
//! | `f32-batch16` | a call of it with sixteen | 16 |
//! | `tract-f32` | one sample through tract, with `--features peers` | 1 |
//!
//! Throughput is inferences a second. A device has one sample at a time: there, `single` is the comparison to make.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use train_host::float::{Executor, LANES};
use zipnet_benches::nets::{Case, engines, models};

fn all(c: &mut Criterion) {
    let cases = models().expect("every shipped net has an int8 form");
    for case in &cases {
        let mut group = c.benchmark_group(&case.name);
        int8(&mut group, case);
        float(&mut group, case, "f32-single", 1);
        float(&mut group, case, "f32-batch16", LANES);
    }
    #[cfg(feature = "peers")]
    for case in &cases {
        tract(&mut c.benchmark_group(&case.name), case); // after all others: see `train_host::timing::tract`
    }
}

fn int8(group: &mut BenchmarkGroup<'_, WallTime>, case: &Case) {
    for (name, cpu, net) in engines(case).expect("a legal net") {
        group.throughput(Throughput::Elements(1));
        let timed = net.with_runner(|runner| {
            let runner = runner.on(cpu);
            let mut arena = vec![0; runner.arena_len()];
            let mut output = vec![0; net.output_shape().len()];
            let input = case.codes(1);
            group.bench_function(&name, |b| b.iter(|| runner.run(&mut arena, black_box(input), &mut output)));
            group.throughput(Throughput::Elements(LANES as u64));
            let mut arena = vec![0; LANES * runner.arena_len()];
            let mut outputs = vec![0; LANES * output.len()];
            let inputs = case.codes(LANES);
            group.bench_function(format!("{name}-batch16"), |b| {
                b.iter(|| runner.run_many(&mut arena, black_box(inputs), &mut outputs));
            });
            Ok(())
        });
        timed.expect("a legal graph");
    }
}

fn float(group: &mut BenchmarkGroup<'_, WallTime>, case: &Case, who: &str, count: usize) {
    group.throughput(Throughput::Elements(count as u64));
    let mut executor = Executor::new(&case.float, 1);
    let mut outputs = Vec::new();
    group.bench_function(who, |b| {
        b.iter(|| executor.forward(black_box(case.samples(count)), &mut outputs));
    });
}

#[cfg(feature = "peers")]
fn tract(group: &mut BenchmarkGroup<'_, WallTime>, case: &Case) {
    use train_host::timing::tract::Peer;

    let mut peer = Peer::new(&case.float, &case.samples).expect("the same outputs");
    let input = peer.input(case.samples(1)).expect("one sample");
    group.throughput(Throughput::Elements(1));
    group.bench_function("tract-f32", |b| b.iter(|| peer.run(black_box(&input)).expect("runs")));
}

/// Longer than for one operator, as there are few nets.
fn steady() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .without_plots()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = steady(); targets = all }
criterion_main!(benches);
