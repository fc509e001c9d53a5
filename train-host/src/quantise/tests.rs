//! Whole nets quantised and run by the engine, against a float evaluation.

use zipnet::Runner;
use zipnet::ir::{Bias, Conv2d, Op, Operands, Padding, Shape, Window};

use super::naive::{Author, conv, dense, depthwise, evaluate, every_operator, pool, random_net};
use super::*;
use crate::recipe::Calibrate;

/// Quantises over `samples` of the net's input, from -1 to 1.
fn quantised(net: &Net<Float>, calibrate: Calibrate, samples: &[Vec<f32>]) -> Quantised {
    let origin = net.tensors[net.input.at()].meta.origin;
    let replay = |folded: &Net<Float>, observe: &mut Observe<'_>| {
        for sample in samples {
            let shifted: Vec<f32> = sample.iter().map(|x| x - origin).collect();
            for (i, values) in evaluate(folded, &shifted).iter().enumerate() {
                observe(TensorId(i as u16), &values.iter().map(|&v| v as f32).collect::<Vec<_>>());
            }
        }
        Ok(())
    };
    quantise_with(net, &Quantise { calibrate, ..Quantise::default() }, replay).expect("quantises")
}

fn grid(q: &Quantised, id: TensorId) -> Scale {
    let meta = q.net.tensors[id.at()].meta;
    Scale { scale: meta.scale, zero: meta.zero }
}

/// Real values of every int8 tensor, by id, for an input over `x - origin`.
fn run(q: &Quantised, shifted: &[f32]) -> Vec<Vec<f64>> {
    let input: Vec<i8> = shifted.iter().map(|&x| grid(q, q.net.input).int8(x)).collect();
    let real = |id: TensorId, values: &[i8]| -> Vec<f64> {
        values.iter().map(|&v| f64::from(grid(q, id).real(v))).collect()
    };
    let mut out = vec![Vec::new(); q.net.tensors.len()];
    out[q.net.input.at()] = real(q.net.input, &input);
    q.net.with(|graph| {
        let runner = Runner::new(graph).expect("legal");
        assert_eq!(runner.arena_len(), q.arena);
        let see = |i: usize, values: &[i8]| {
            let id = q.net.nodes[i].output;
            out[id.at()] = real(id, values);
        };
        runner.observe(&mut vec![0; q.arena], &input, see).expect("runs");
    });
    out
}

/// Samples whose every element, less the origin, is a step of the input's grid.
fn on_grid(author: &mut Author, origin: f32, count: usize) -> Vec<Vec<f32>> {
    let step = |x: f32| ((x - origin) * 127.5).round().clamp(-127.0, 255.0) / 127.5 + origin;
    (0..count).map(|_| author.sample().into_iter().map(step).collect()).collect()
}

/// Quantises a net of one operator over the input (its weights multiples of 1/128, the greatest 127/128 in every
/// channel, so that int8 holds them exactly) and gives the greatest error in steps of the output.
fn error_of_one(op: Op, origin: f32, follow: Option<Op>) -> f64 {
    let mut a = Author::new(Shape::new(6, 5, 4), origin, 17);
    let input = a.net.input;
    let t = a.push(op, &if op == Op::Add(Operands::Equal) { vec![input; 2] } else { vec![input] });
    let channels = usize::from(a.net.shape(t).c);
    let store = &mut a.net.nodes[0].store;
    let count = store.weights.len();
    for w in &mut store.weights {
        *w = (*w * 128.0).round().clamp(-127.0, 127.0) / 128.0;
    }
    if count > 0 {
        for c in 0..channels {
            let first = fold::weights_of(&op, c, channels, count).next().expect("has weights");
            store.weights[first] = 127.0 / 128.0;
        }
    }
    if let Some(op) = follow {
        a.push(op, &[t]);
    }
    let samples = on_grid(&mut a, origin, 40);
    let q = quantised(&a.net, Calibrate::MinMax, &samples);
    let output = grid(&q, q.net.output);
    let (low, high) = (f64::from(output.real(-128)), f64::from(output.real(127)));
    let mut most = 0.0f64;
    for sample in &samples {
        let float = evaluate(&a.net, sample).swap_remove(a.net.output.at());
        let shifted: Vec<f32> = sample.iter().map(|x| x - origin).collect();
        let int8 = run(&q, &shifted).swap_remove(q.net.output.at());
        for (f, i) in float.iter().zip(&int8) {
            most = most.max((f.clamp(low, high) - i).abs() / f64::from(output.scale));
        }
    }
    most
}

#[test]
fn one_operator_is_within_half_a_step() {
    let wide = Op::Conv2d(Conv2d {
        units: 6,
        window: Window::new(3, 2).stride(2).dilation(2).padding(Padding::all(1)),
        groups: 2,
        span: 3,
        bias: Bias::Unit,
    });
    let weighted = [
        conv(5, 1, 4, Bias::Channel),
        conv(6, 2, 2, Bias::Unit),
        wide,
        depthwise(1, 1, Bias::None),
        depthwise(2, 2, Bias::Unit),
        dense(9, Bias::Channel),
    ];
    for op in weighted {
        for origin in [-1.0, 0.0] {
            for follow in [None, Some(Op::Relu), Some(Op::Relu6)] {
                // Half a step of the output, and half a step of the accumulator by the bias.
                let error = error_of_one(op, origin, follow);
                assert!(error <= 0.51, "{op:?} {origin} {follow:?}: {error}");
                assert!(error > 0.4, "{op:?} {origin} {follow:?}: {error} is too good to be true");
            }
        }
    }
    let moves = [Op::MaxPool2d(pool(3, 2, 1)), Op::ChannelShuffle { groups: 2 }];
    for op in moves {
        assert!(error_of_one(op, 0.0, None) < 1e-3, "{op:?}");
    }
    for op in [Op::AvgPool2d(pool(3, 2, 1)), Op::Relu, Op::Relu6, Op::Add(Operands::Equal)] {
        assert!(error_of_one(op, 0.0, None) <= 0.51, "{op:?}");
    }
    for op in [Op::Tanh, Op::Softmax] {
        assert!(error_of_one(op, 0.0, None) <= 1.01, "{op:?}");
    }
}

/// Signal over error of each int8 tensor, in dB, over samples.
fn quality(q: &Quantised, origin: f32, samples: &[Vec<f32>]) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); q.net.tensors.len()];
    for sample in samples {
        let shifted: Vec<f32> = sample.iter().map(|x| x - origin).collect();
        let (float, int8) = (evaluate(&q.folded, &shifted), run(q, &shifted));
        for (id, values) in int8.iter().enumerate() {
            for (f, i) in float[q.tensors[id].at()].iter().zip(values) {
                sums[id].0 += f * f;
                sums[id].1 += (f - i) * (f - i);
            }
        }
    }
    sums.into_iter().map(|(signal, error)| 10.0 * (signal / error).log10()).collect()
}

#[test]
fn every_operator_in_one_net_stays_near_the_float_net() {
    for seed in 0..3 {
        for calibrate in [Calibrate::MinMax, Calibrate::Percentile, Calibrate::Mse] {
            let mut author = every_operator(seed);
            let samples: Vec<Vec<f32>> = (0..60).map(|_| author.sample()).collect();
            let q = quantised(&author.net, calibrate, &samples[..40]);
            q.net.check(q.arena).expect("legal");
            assert_eq!(q.net.tensors[0].meta.scale, 2.0 / 255.0);
            assert_eq!(q.net.tensors[0].meta.zero, -128);
            for (id, db) in quality(&q, -1.0, &samples[40..]).iter().enumerate() {
                let name = if id == 0 { "input" } else { &q.net.nodes[id - 1].name };
                // Noise grows with depth: 50 dB at the input, a bit over 30 after fifteen layers.
                assert!(*db > 24.0, "seed {seed} {calibrate:?}, {name}: {db} dB");
            }
        }
    }
}

#[test]
fn random_nets_fold_quantise_and_run() {
    for seed in 0..150 {
        let mut author = random_net(seed);
        let origin = author.net.tensors[author.net.input.at()].meta.origin;
        let samples: Vec<Vec<f32>> = (0..12).map(|_| author.sample()).collect();
        let q = quantised(&author.net, Calibrate::MinMax, &samples);
        for sample in &samples[..2] {
            let shifted: Vec<f32> = sample.iter().map(|x| x - origin).collect();
            let before = evaluate(&author.net, sample).swap_remove(author.net.output.at());
            let after = evaluate(&q.folded, &shifted).swap_remove(q.folded.output.at());
            let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-5 * a.abs().max(1.0);
            assert!(before.iter().zip(&after).all(close), "seed {seed}");
        }
        assert_eq!(q.tensors[q.net.output.at()], q.folded.output);
        let db = quality(&q, origin, &samples)[q.net.output.at()];
        assert!(db > 26.0 || db.is_nan(), "seed {seed}: {db} dB"); // no ratio where all outputs are 0
    }
}

#[test]
fn pixels_are_their_own_int8() {
    let mut a = Author::new(Shape::new(16, 16, 1), -1.0, 2);
    let input = a.net.input;
    a.push(conv(2, 1, 1, Bias::Channel), &[input]);
    let pixels: Vec<f32> = (0..=255).map(|p| p as f32 / 127.5 - 1.0).collect();
    let q = quantised(&a.net, Calibrate::MinMax, std::slice::from_ref(&pixels));
    for (p, &x) in pixels.iter().enumerate() {
        assert_eq!(i32::from(grid(&q, q.net.input).int8(x + 1.0)), p as i32 - 128);
    }
}

#[test]
fn a_layer_that_cannot_be_quantised_is_named() {
    let mut a = Author::new(Shape::flat(4), 0.0, 2);
    let input = a.net.input;
    a.push(dense(3, Bias::Channel), &[input]);
    a.net.nodes[0].store.weights[5] = f32::INFINITY;
    let error = quantise_with(&a.net, &Quantise::default(), |_, _| Ok(())).expect_err("must be refused");
    let error = error.to_string();
    assert!(error.contains("\"n0\" (dense)") && error.contains("not finite"), "{error}");
}

#[test]
fn a_silent_layer_does_not_stop_the_net() {
    let mut a = Author::new(Shape::flat(4), 0.0, 2);
    let input = a.net.input;
    let t = a.push(dense(3, Bias::Channel), &[input]);
    a.net.nodes[0].store.bias.fill(-100.0);
    let t = a.push(Op::Relu, &[t]);
    a.push(dense(2, Bias::Channel), &[t]);
    let samples: Vec<Vec<f32>> = (0..5).map(|_| a.sample()).collect();
    let q = quantised(&a.net, Calibrate::Mse, &samples);
    let output = run(&q, &samples[0]).swap_remove(q.net.output.at());
    for (made, bias) in output.iter().zip(&a.net.nodes[2].store.bias) {
        assert!((made - f64::from(*bias)).abs() < 0.01, "{output:?}");
    }
}
