//! The large blocks of every instruction set against oracles too simple to be wrong.
//!
//! Every slice ends with the last element that the block may touch, each in an allocation of its own: under
//! AddressSanitizer (`.ci/run sanitize`) a block that reads or writes one further is caught.

use super::fours::{Lanes, Sixteens};
use super::packed::Linear;
use super::vectors::Dots;
use super::{Isa, LANES, Store};
use crate::ir::{Clamp, Requant, Vectors};
use crate::kernels::oracle::{Numbers, finish, hold, on_every_isa};
use proptest::prelude::*;
use std::prelude::v1::*;

/// Factors of sums of a few thousand: in three of four cases shifts that all are to the right, as nets have them.
fn factors(numbers: &mut Numbers, count: usize) -> Vec<Requant> {
    if numbers.below(4) == 0 {
        return (0..count).map(|_| numbers.requant()).collect();
    }
    // In half of these some are far to the right, as those of dead channels are.
    let far = [-23, -24 - numbers.below(8) as i32][numbers.below(2)];
    let mut one = || match numbers.below(16) {
        0 => Requant { multiplier: 0, shift: -1 },
        1 => Requant { multiplier: 1 << 30, shift: -1 - numbers.below(12) as i32 },
        2 => Requant { multiplier: i32::MAX, shift: far },
        _ => {
            let mantissa = (1 << 30) + (numbers.next() & 0x3fff_ffff) as i32;
            Requant { multiplier: mantissa, shift: -1 - numbers.below(12) as i32 }
        }
    };
    (0..count).map(|_| one()).collect()
}

/// Any zero point and clamp, ReLU's among them.
fn store(numbers: &mut Numbers) -> Store {
    let zero = numbers.int8();
    let clamp = if numbers.below(3) == 0 { Clamp::new(zero, 127) } else { numbers.clamp() };
    Store { zero, clamp }
}

/// An element as an instruction set with this offset reads it.
fn element(x: i8, offset: u8) -> i64 {
    if offset == 0 { x.into() } else { i64::from(x as u8) }
}

fn distances(numbers: &mut Numbers, count: usize) -> Vec<usize> {
    (0..count).map(|_| numbers.below(80)).collect()
}

fn sixteens<I: Isa>(isa: I) {
    let grids =
        prop_oneof![2 => (1..=4usize, 1..=9usize), 1 => (1..=2usize, 10..=40usize), 1 => Just((1, 1))];
    let units = prop_oneof![3 => 1..=40usize, 1 => 41..=150usize];
    let shapes = (grids, 1..=3usize, units, 1..=5usize, 1..=20usize, any::<u64>());
    hold(512, shapes, |(grid, samples, units, runs, quads, seed)| {
        let mut numbers = Numbers(seed);
        let runs = distances(&mut numbers, runs);
        let (grid, blocks) = ([samples, grid.0, grid.1], units.div_ceil(16));
        let pixels = grid.iter().product::<usize>();
        let steps = [numbers.below(99), numbers.below(60), numbers.below(20)];
        let y_step = units + numbers.below(2) * numbers.below(20);
        let bias_step = numbers.below(2) * 16 * blocks;
        let s = Sixteens {
            weights: &numbers.weights(blocks * runs.len() * quads * 64),
            requant: &factors(&mut numbers, 16 * blocks),
            bias: &numbers.biases(bias_step * (pixels - 1) + 16 * blocks),
            bias_step,
            units,
            runs: &runs,
            quads,
            grid,
            steps,
            y_step,
            store: store(&mut numbers),
        };
        let reach: usize = steps.iter().zip(grid).map(|(step, count)| step * (count - 1)).sum();
        let x = numbers.int8s(reach + runs.iter().max().unwrap() + 4 * quads);
        let mut y = vec![55; y_step * (pixels - 1) + units];
        prop_assert!(s.fits(x.len(), y.len()));
        prop_assert!(!s.fits(x.len() - 1, y.len()) && !s.fits(x.len(), y.len() - 1));
        isa.sixteens(&s, &x, &mut y);
        for (i, &got) in y.iter().enumerate() {
            let (pixel, unit) = (i / y_step, i % y_step);
            if unit >= units {
                prop_assert_eq!(got, 55, "between the units of two pixels");
                continue;
            }
            let [_, rows, columns] = grid;
            let window = pixel / (rows * columns) * steps[0]
                + pixel / columns % rows * steps[1]
                + pixel % columns * steps[2];
            let mut acc = i64::from(s.bias[pixel * bias_step + unit]);
            for (r, run) in runs.iter().enumerate() {
                for e in 0..4 * quads {
                    let four = ((unit / 16 * runs.len() + r) * quads + e / 4) * 16 + unit % 16;
                    acc += element(x[window + run + e], I::OFFSET) * i64::from(s.weights[4 * four + e % 4]);
                }
            }
            prop_assert_eq!(got, finish(acc, s.requant[unit], s.store), "pixel {}, unit {}", pixel, unit);
        }
        Ok(())
    });
}

fn lanes<I: Isa>(isa: I) {
    let shapes = (1..=3usize, 1..=5usize, 1..=150usize, 1..=4usize, 0..=4usize, any::<u64>());
    hold(512, shapes, |(rows, width, channels, quads, kernel, seed)| {
        let mut numbers = Numbers(seed);
        let blocks = channels.div_ceil(64);
        // A kernel of so many columns of so many fours each, or taps anywhere.
        let (columns, repeated) = (kernel.saturating_sub(1), kernel == 0);
        let kinds = if repeated { 1 } else { blocks };
        let column_step = 1 + numbers.below(3);
        let width = if columns > 0 { width * [1, 9][numbers.below(2)] } else { width };
        let mut taps = distances(&mut numbers, 4 * quads);
        let mut steps = [numbers.below(60), numbers.below(20)];
        if columns > 0 {
            let column = taps.clone();
            let further = |i: usize| column.iter().map(move |tap| tap + i * channels);
            taps = (0..columns).flat_map(further).collect();
            steps[1] = column_step * channels;
        }
        let l = Lanes {
            weights: &numbers.weights(kinds * taps.len() * 64),
            requant: &factors(&mut numbers, 64 * kinds),
            bias: &numbers.biases(64 * kinds),
            taps: &taps,
            columns,
            column_step,
            channels,
            repeated,
            grid: [rows, width],
            steps,
            store: store(&mut numbers),
        };
        equals_the_oracle(isa, &l, &mut numbers)
    });
}

/// Windows of three by three of neighbouring pixels, whose weights of a fourth tap are 0, or most of them.
fn stacked_lanes<I: Isa>(isa: I) {
    let rows = prop_oneof![3 => 1..=7usize, 1 => 8..=60usize];
    let widths = prop_oneof![6 => 1..=7usize, 1 => 20..=26usize, 1 => 120..=135usize];
    hold(512, (rows, widths, 1..=150usize, any::<u64>()), |(rows, width, channels, seed)| {
        let mut numbers = Numbers(seed);
        let blocks = channels.div_ceil(64);
        let pitch = (width + 2) * channels + numbers.below(70);
        let above = numbers.below(70);
        let column = [above, above + pitch, above + 2 * pitch, numbers.below(3 * pitch)];
        let taps: Vec<usize> = (0..3).flat_map(|i| column.map(|tap| tap + i * channels)).collect();
        let mut weights = numbers.weights(blocks * taps.len() * 64);
        weights.iter_mut().skip(3).step_by(4).for_each(|w| *w = 0);
        if numbers.below(4) == 0 {
            let any = numbers.below(weights.len());
            weights[any] = -1;
        }
        let l = Lanes {
            weights: &weights,
            requant: &factors(&mut numbers, 64 * blocks),
            bias: &numbers.biases(64 * blocks),
            taps: &taps,
            columns: 3,
            column_step: 1,
            channels,
            repeated: false,
            grid: [rows, width],
            steps: [pitch, channels],
            store: store(&mut numbers),
        };
        prop_assert!(l.stacks());
        equals_the_oracle(isa, &l, &mut numbers)
    });
}

/// Holds the channels of a depthwise convolution against their definition, on any image.
fn equals_the_oracle<I: Isa>(isa: I, l: &Lanes<'_>, numbers: &mut Numbers) -> Result<(), TestCaseError> {
    let (&Lanes { channels, steps, taps, .. }, [rows, width]) = (l, l.grid);
    let (blocks, quads) = (channels.div_ceil(64), taps.len() / 4);
    let reach = steps[0] * (rows - 1) + steps[1] * (width - 1) + taps.iter().max().unwrap();
    let x = numbers.int8s(reach + 64 * blocks);
    let mut y = vec![55; rows * width * channels];
    prop_assert!(l.fits(x.len(), y.len()));
    prop_assert!(!l.fits(x.len() - 1, y.len()) && !l.fits(x.len(), y.len() - 1));
    isa.lanes(l, &x, &mut y);
    for (i, &got) in y.iter().enumerate() {
        let (pixel, channel) = (i / channels, i % channels);
        let window = pixel / width * steps[0] + pixel % width * steps[1];
        let (place, inside) = (if l.repeated { 0 } else { channel / 64 }, channel % 64);
        // The lane of an element: see `FourTaps::channel`.
        let lane = 16 * (inside / 4 % 4) + 4 * (inside / 16) + inside % 4;
        let mut acc = i64::from(l.bias[64 * place + lane]);
        for (t, tap) in taps.iter().enumerate() {
            let four = (place * quads + t / 4) * 64 + lane;
            acc += element(x[window + tap + channel], I::OFFSET) * i64::from(l.weights[4 * four + t % 4]);
        }
        let want = finish(acc, l.requant[64 * place + lane], l.store);
        prop_assert_eq!(got, want, "pixel {}, channel {}", pixel, channel);
    }
    Ok(())
}

fn lay<I: Isa>(isa: I) {
    hold(
        512,
        (1..=4usize, 1..=150usize, 0..90usize, 0..70usize, any::<u64>()),
        |(rows, row, gap, after, seed)| {
            let mut numbers = Numbers(seed);
            let (x, border, pitch) = (numbers.int8s(rows * row), numbers.int8(), row + gap);
            let mut to = vec![55; pitch * (rows - 1) + row + after];
            isa.lay(&x, row, &mut to, pitch, border);
            for (i, &got) in to.iter().enumerate() {
                let (line, at) = ((i / pitch).min(rows - 1), i - (i / pitch).min(rows - 1) * pitch);
                let want = if at < row {
                    i16::from(x[line * row + at]) + i16::from(I::OFFSET)
                } else {
                    border.into()
                };
                prop_assert_eq!(got, want as i8, "row {}, {}", line, at);
            }
            Ok(())
        },
    );
}

fn dots<I: Isa>(isa: I) {
    let shapes = (1..=4usize, 1..=11usize, 1..=5usize, any::<bool>(), any::<u64>());
    hold(512, shapes, |(pixels, units, vectors, of_pixel, seed)| {
        let mut numbers = Numbers(seed);
        let (quads, k) = (units.div_ceil(4), 16 * vectors);
        let bias_step = if of_pixel { units } else { 0 };
        let mut factor = || Requant { shift: -1 - numbers.below(20) as i32, ..numbers.requant() };
        let requant: Vec<Requant> = (0..units).map(|_| factor()).collect();
        let y_step = units + numbers.below(2) * numbers.below(20);
        let d = Dots {
            requant: &requant,
            weights: &numbers.weights(4 * quads * k),
            bias: &numbers.biases(bias_step * (pixels - 1) + units),
            bias_step,
            units,
            vectors,
            pixels,
            y_step,
            store: store(&mut numbers),
        };
        let x = numbers.int8s(pixels * k);
        let mut y = vec![55; y_step * (pixels - 1) + units];
        isa.dots(&d, &x, &mut y);
        for (i, &got) in y.iter().enumerate() {
            let (pixel, unit) = (i / y_step, i % y_step);
            if unit >= units {
                prop_assert_eq!(got, 55, "between the units of two pixels");
                continue;
            }
            let mut acc = i64::from(d.bias[pixel * bias_step + unit]);
            for j in 0..k {
                // [quad][vector][4 units][16]
                let at = ((unit / 4 * vectors + j / 16) * 4 + unit % 4) * 16 + j % 16;
                acc += i64::from(x[pixel * k + j]) * i64::from(d.weights[at]);
            }
            prop_assert_eq!(got, finish(acc, d.requant[unit], d.store), "pixel {}, unit {}", pixel, unit);
        }
        Ok(())
    });
}

fn runs<I: Isa>(isa: I) {
    hold(256, (0..=9usize, 0..70usize, 0..20usize, any::<u64>()), |(count, len, between, seed)| {
        let mut numbers = Numbers(seed);
        let places: Vec<[usize; Vectors::PIXELS]> =
            (0..count).map(|_| core::array::from_fn(|_| numbers.below(80))).collect();
        let furthest = places.as_flattened().iter().max().copied().unwrap_or(0);
        let (x, pitch) = (numbers.int8s(furthest + len), count * len + between);
        let mut to = vec![55; 3 * pitch + count * len];
        isa.lay_runs(&x, &places, len, &mut to, pitch);
        for (i, &got) in to.iter().enumerate() {
            let (pixel, at) = (i / pitch, i % pitch);
            let want = if at < count * len { x[places[at / len][pixel] + at % len] } else { 55 };
            prop_assert_eq!(got, want, "element {} of window {}", at, pixel);
        }
        let mut copied = vec![55; x.len() + 1];
        isa.copy(&x, &mut copied);
        prop_assert_eq!(copied.split_last(), Some((&55, &x[..])));
        Ok(())
    });
}

fn stores<I: Isa>(isa: I) {
    hold(512, (1..=70usize, any::<u64>()), |(count, seed)| {
        let mut numbers = Numbers(seed);
        let (requant, store) = (factors(&mut numbers, count), store(&mut numbers));
        // Where the shift is to the left what it makes must fit.
        let sum = |q: &Requant| match numbers.below(4) {
            _ if q.shift > 0 => 0,
            0 => [i32::MIN, i32::MAX, -1, 0, 1][numbers.below(5)],
            1 => (numbers.next() << 1) as i32,
            _ => numbers.next() as i32 % (1 << 17) - (1 << 16),
        };
        let acc: Vec<i32> = requant.iter().map(sum).collect();
        let mut y = vec![55; count];
        isa.store(&acc, &requant, store, &mut y);
        for i in 0..count {
            prop_assert_eq!(y[i], finish(acc[i].into(), requant[i], store), "{} by {:?}", acc[i], requant[i]);
        }
        Ok(())
    });
}

fn sums_of_rows<I: Isa>(isa: I) {
    hold(512, (1..=LANES, 0..40usize, 1..=9usize, any::<u64>()), |(len, between, count, seed)| {
        let mut numbers = Numbers(seed);
        let step = len + between;
        let x = numbers.int8s(step * (count - 1) + len);
        let before = numbers.biases(len);
        let mut acc = before.clone();
        isa.sum_row(&mut acc, &x, step, count);
        for c in 0..len {
            let sum: i32 = (0..count).map(|tap| i32::from(x[tap * step + c])).sum();
            prop_assert_eq!(acc[c], before[c] + sum, "channel {}", c);
        }
        Ok(())
    });
}

fn linear_sums<I: Isa>(isa: I) {
    hold(512, (0..70usize, any::<bool>(), any::<u64>()), |(count, alone, seed)| {
        let mut numbers = Numbers(seed);
        let grain = [0, 255][numbers.below(2)];
        let mut factor = || (numbers.next() as i32 % (1 << 27) - (1 << 26)) & !grain;
        let linear = Linear { a: factor(), b: factor(), c: factor() };
        let (before, x) = (numbers.int8s(count), numbers.int8s(count));
        let mut y = before.clone();
        isa.add_linear(&mut y, (!alone).then_some(&x), &linear);
        for i in 0..count {
            let term = |factor: i32, x: i8| (i64::from(factor) * i64::from(x) * 256) >> 16;
            let other = if alone { before[i] } else { x[i] };
            let sum = term(linear.a, before[i]) + term(linear.b, other) + i64::from(linear.c);
            prop_assert_eq!(i64::from(y[i]), (sum >> 21).clamp(-128, 127), "{:?} of {}", linear.a, before[i]);
        }
        Ok(())
    });
}

#[test]
fn on_every_isa_sixteens_equal_the_oracle() {
    on_every_isa!(sixteens);
}

#[test]
fn on_every_isa_lanes_equal_the_oracle() {
    on_every_isa!(lanes);
}

#[test]
fn on_every_isa_stacked_lanes_equal_the_oracle() {
    on_every_isa!(stacked_lanes);
}

#[test]
fn on_every_isa_laid_rows_equal_the_oracle() {
    on_every_isa!(lay);
}

#[test]
fn on_every_isa_dots_equal_the_oracle() {
    on_every_isa!(dots);
}

#[test]
fn on_every_isa_runs_are_copied() {
    on_every_isa!(runs);
}

#[test]
fn on_every_isa_stores_equal_the_oracle() {
    on_every_isa!(stores);
}

#[test]
fn on_every_isa_sums_of_rows_equal_the_oracle() {
    on_every_isa!(sums_of_rows);
}

#[test]
fn on_every_isa_linear_sums_equal_the_oracle() {
    on_every_isa!(linear_sums);
}
