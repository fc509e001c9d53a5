//! Each int8 operator against the same in f32: `operator/shape/who`.
//!
//! | who | what is timed | throughput counts |
//! |---|---|---|
//! | `int8-scalar` | one sample through the engine's portable kernels | its work |
//! | `int8-avx2`, `int8-avx-512-vnni` | one sample through its kernels for that CPU, weights packed for it | its work |
//! | `f32x16` | sixteen samples through the trainer's engine, one in each lane | the work of sixteen |
//! | `tract-f32` | one sample through tract, with `--features peers` | its work |
//!
//! Work is MACs, and for operators without weights the elements they read; so compare throughputs, not times. A call of
//! the trainer's engine moves its samples into the lanes and its outputs out of them, which within a net happens once,
//! but here to every operator: where there are few MACs to an element, that is most of its time.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use train_host::float::{Executor, LANES};
use zipnet_benches::nets::{Case, engines, operators};

fn kernels(c: &mut Criterion) {
    let cases = operators().expect("every operator has an int8 form");
    for case in &cases {
        int8(c, case);
        float(c, case);
    }
    #[cfg(feature = "peers")]
    for case in &cases {
        tract(c, case); // after all others: see `train_host::timing::tract`
    }
}

fn int8(c: &mut Criterion, case: &Case) {
    let mut group = c.benchmark_group(&case.name);
    group.throughput(Throughput::Elements(case.work()));
    for (name, cpu, net) in engines(case).expect("a legal net") {
        let timed = net.with_runner(|runner| {
            let runner = runner.on(cpu);
            let mut arena = vec![0; runner.arena_len()];
            let mut output = vec![0; net.output_shape().len()];
            let input = case.codes(1);
            group.bench_function(name, |b| b.iter(|| runner.run(&mut arena, black_box(input), &mut output)));
            Ok(())
        });
        timed.expect("a legal graph");
    }
}

fn float(c: &mut Criterion, case: &Case) {
    let mut group = c.benchmark_group(&case.name);
    group.throughput(Throughput::Elements(LANES as u64 * case.work()));
    let mut executor = Executor::new(&case.float, 1);
    let mut outputs = Vec::new();
    group.bench_function("f32x16", |b| {
        b.iter(|| executor.forward(black_box(case.samples(LANES)), &mut outputs));
    });
}

#[cfg(feature = "peers")]
fn tract(c: &mut Criterion, case: &Case) {
    use train_host::timing::tract::Peer;

    let mut peer = Peer::new(&case.float, &case.samples).expect("the same outputs");
    let input = peer.input(case.samples(1)).expect("one sample");
    let mut group = c.benchmark_group(&case.name);
    group.throughput(Throughput::Elements(case.work()));
    group.bench_function("tract-f32", |b| b.iter(|| peer.run(black_box(&input)).expect("runs")));
}

/// Short enough that all operators take a minute.
fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .nresamples(5000)
        .without_plots()
        .warm_up_time(Duration::from_millis(150))
        .measurement_time(Duration::from_millis(500))
}

criterion_group! { name = benches; config = short(); targets = kernels }
criterion_main!(benches);
