//! How long an inference takes on this host, in int8 and in float, measured side by side.
//!
//! A machine that others use is now faster, now slower, by more than what is to be measured. So int8 and float take
//! turns, round after round, in an order that changes; each round gives ratios of times that were taken within a
//! fraction of a second, and what is told is their median and spread.
//!
//! All run on one thread over the same samples. The float engine computes [`LANES`] samples at once: a call with one
//! sample takes what a call with all takes. Both are measured, for both occur: a sensor brings one sample at a time,
//! an archive many.

mod alone;

pub use alone::{Alone, LayerTime, alone};

use std::fmt::Display;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;
use zipnet::ir::Float;

use crate::eval::quantise_input;
use crate::export::{Stored, for_host};
use crate::float::{Executor, LANES};
use crate::graph::{Net, show};
use crate::quantise::fold::fold;
use crate::{Error, Result};

/// How long to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Rounds in which each contender has one turn; at least 1.
    pub rounds: usize,
    /// What a round should take; as many samples are taken as fit, at least [`LANES`].
    pub round: Duration,
}

impl Default for Effort {
    /// About three seconds.
    fn default() -> Self {
        Self { rounds: 31, round: Duration::from_millis(100) }
    }
}

/// What was measured. Times are nanoseconds an inference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// Name of the net.
    pub model: String,
    /// Multiplications by a weight in one inference.
    pub macs: u64,
    /// Samples in a round.
    pub samples: usize,
    /// Samples in a batch of the float engine.
    pub batch: usize,
    /// The int8 engine, sample after sample.
    pub int8_ns: Spread,
    /// The float engine, one sample a call.
    pub float_single_ns: Spread,
    /// The float engine, a full batch a call.
    pub float_batch_ns: Spread,
    /// Time of float over that of int8, one sample a call: above 1, int8 is faster.
    pub single_ratio: Spread,
    /// Time of float in full batches over that of int8.
    pub batch_ratio: Spread,
}

/// Where the numbers of all rounds lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Least.
    pub min: f64,
    /// A quarter lies below.
    pub lower: f64,
    /// Half lies below.
    pub median: f64,
    /// Three quarters lie below.
    pub upper: f64,
    /// Greatest.
    pub max: f64,
}

impl Spread {
    /// Of at least one number. Between two numbers, quantiles are interpolated linearly.
    fn of(mut numbers: Vec<f64>) -> Self {
        numbers.sort_by(f64::total_cmp);
        let last = numbers.len() - 1;
        let quantile = |share: f64| {
            let place = share * last as f64;
            let (below, above) = (numbers[place.floor() as usize], numbers[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Self {
            min: numbers[0],
            lower: quantile(0.25),
            median: quantile(0.5),
            upper: quantile(0.75),
            max: numbers[last],
        }
    }
}

/// Times `int8` against `float` on `samples`: normalised to -1 to 1, `[h][w][c]`, back to back. Quantising the
/// samples, and folding batch norms in the float net, come before the clock starts.
///
/// # Errors
/// Where the nets differ in shape, there is no whole number of samples, or one of the nets is not legal.
pub fn compare(int8: &Stored, float: &Net<Float>, samples: &[f32], effort: Effort) -> Result<Timing> {
    let net = &int8.net;
    let (x, y) = (net.input_shape(), net.output_shape());
    if (x, y) != (float.input_shape(), float.output_shape()) {
        return Err(Error::new(format!(
            "the int8 net makes {} of {}, the float net {} of {}: they are not of one training",
            show(y),
            show(x),
            show(float.output_shape()),
            show(float.input_shape())
        )));
    }
    if samples.is_empty() || !samples.len().is_multiple_of(x.len()) {
        let len = x.len();
        return Err(Error::new(format!(
            "{} values to time on are not one or more samples of {len}",
            samples.len()
        )));
    }
    if effort.rounds == 0 {
        return Err(Error::new("0 rounds to time; at least 1 is needed"));
    }
    float.check(0)?;
    let origin = float.tensors[float.input.at()].meta.origin;
    let mut executor = Executor::new(&fold(float)?, 1);
    let mut outputs = Vec::new();

    for_host(net)?.with_runner(|runner| {
        let mut arena = vec![0; runner.arena_len()];
        let mut output = vec![0; y.len()];
        let mut turn = |who: usize, codes: &[i8], samples: &[f32]| -> Result<f64> {
            let start = Instant::now();
            match who {
                0 => {
                    for input in codes.chunks(x.len()) {
                        runner.run(&mut arena, black_box(input), &mut output).map_err(Error::new)?;
                        black_box(&output);
                    }
                }
                _ => {
                    let count = if who == 1 { 1 } else { LANES };
                    for inputs in samples.chunks(count * x.len()) {
                        executor.forward(black_box(inputs), &mut outputs);
                        black_box(&outputs);
                    }
                }
            }
            Ok(start.elapsed().as_nanos() as f64 / (samples.len() / x.len()) as f64)
        };

        let (codes, shifted) = repeated(int8, samples, origin, LANES);
        for who in 0..3 {
            turn(who, &codes, &shifted)?; // warms caches and clock
        }
        let mut once = 0.0;
        for who in 0..3 {
            once += turn(who, &codes, &shifted)? * LANES as f64;
        }
        let batches = (effort.round.as_nanos() as f64 / once) as usize;
        let most = (samples.len() / x.len()).div_ceil(LANES);
        let count = batches.clamp(1, most) * LANES;

        let (codes, shifted) = repeated(int8, samples, origin, count);
        let mut times: [Vec<f64>; 3] = Default::default();
        for round in 0..effort.rounds {
            for who in 0..3 {
                let who = (who + round) % 3;
                times[who].push(turn(who, &codes, &shifted)?);
            }
        }
        let [int8, single, batch] = times;
        let ratio = |float: &[f64]| Spread::of(float.iter().zip(&int8).map(|(f, i)| f / i).collect());
        Ok(Timing {
            model: net.name.clone(),
            macs: net.macs(),
            samples: count,
            batch: LANES,
            single_ratio: ratio(&single),
            batch_ratio: ratio(&batch),
            int8_ns: Spread::of(int8),
            float_single_ns: Spread::of(single),
            float_batch_ns: Spread::of(batch),
        })
    })
}

/// `count` samples, from the first on and round again, as int8 and as float over `x - origin`.
fn repeated(int8: &Stored, samples: &[f32], origin: f32, count: usize) -> (Vec<i8>, Vec<f32>) {
    let taken = count * int8.net.input_shape().len();
    let samples: Vec<f32> = samples.iter().copied().cycle().take(taken).collect();
    let codes = quantise_input(&int8.net, origin, &samples);
    (codes, samples.iter().map(|x| x - origin).collect())
}

impl Timing {
    /// For a terminal.
    pub fn text(&self) -> String {
        let Self { model, macs, samples, batch, .. } = self;
        let batched = format!("float, {batch} samples a call");
        let mut text = format!("{model}: {macs} MACs; one thread, {samples} samples a round\n\n");
        text.push_str(&row("microseconds an inference", ["median", "quartiles", "least and greatest"]));
        text.push_str(&row("int8, one sample a call", self.int8_ns.cells(1e-3)));
        text.push_str(&row("float, one sample a call", self.float_single_ns.cells(1e-3)));
        text.push_str(&row(&batched, self.float_batch_ns.cells(1e-3)));
        text.push('\n');
        text.push_str(&row("times as long as int8", ["median", "quartiles", "least and greatest"]));
        text.push_str(&row("float, one sample a call", self.single_ratio.cells(1.0)));
        text.push_str(&row(&batched, self.batch_ratio.cells(1.0)));
        text.push_str(&format!(
            "\nThe float engine computes {batch} samples at once: a call with one takes what a call with {batch} takes.\n"
        ));
        text
    }
}

impl Spread {
    /// Median, quartiles and ends for people, each number times `unit`.
    fn cells(&self, unit: f64) -> [String; 3] {
        let [min, lower, median, upper, max] =
            [self.min, self.lower, self.median, self.upper, self.max].map(|n| figures(n * unit));
        [median, format!("{lower} to {upper}"), format!("{min} to {max}")]
    }
}

fn row(name: &str, [median, quartiles, ends]: [impl Display; 3]) -> String {
    let line = format!("{name:<28}{median:>8}   {quartiles:<20}{ends}");
    format!("{}\n", line.trim_end())
}

/// Three figures, more before the point where there are more.
fn figures(number: f64) -> String {
    let places = (2 - number.abs().max(1e-6).log10().floor() as i32).max(0);
    format!("{number:.*}", places as usize)
}

#[cfg(test)]
mod tests {
    use zipnet::ir::{Bias, Dense, Op, Real, Shape};

    use super::*;
    use crate::export::{Origin, Source};
    use crate::graph::FloatStore;
    use crate::quantise::quantise;
    use crate::recipe::Quantise;

    /// A float net of one dense layer, its int8 form, and three samples.
    fn dense(inputs: u16, units: u16) -> (Stored, Net<Float>, Vec<f32>) {
        let mut net = Net::new("dense", Shape::flat(inputs), Real { origin: -1.0 });
        let op = Op::Dense(Dense { units, bias: Bias::Channel });
        let wave = |n: usize| (0..n).map(|i| (i as f32).sin()).collect::<Vec<_>>();
        let (inputs, units) = (usize::from(inputs), usize::from(units));
        let store = FloatStore { weights: wave(inputs * units), bias: wave(units), ..FloatStore::default() };
        net.push("dense", op, &[net.input], Real::default(), store).expect("shapes meet");
        let samples = wave(3 * inputs);
        let made = quantise(&net, &Quantise::default(), &samples, 1).expect("quantises");
        let classes = (0..units).map(|i| i.to_string()).collect();
        let origin = Origin {
            source: Source::Trained { data: "made up".to_owned(), seed: 1 },
            low: 0.0,
            high: 255.0,
            classes,
        };
        (Stored { net: made.net, arena: made.arena, origin }, net, samples)
    }

    #[test]
    fn a_timing_tells_of_every_round() {
        let (int8, float, samples) = dense(256, 64);
        let effort = Effort { rounds: 9, round: Duration::from_millis(1) };
        let timing = compare(&int8, &float, &samples, effort).expect("times");
        assert_eq!((timing.macs, timing.batch), (256 * 64, LANES));
        assert_eq!(timing.samples, LANES, "no more batches than the samples fill");
        let Timing { int8_ns, float_single_ns, float_batch_ns, single_ratio, batch_ratio, .. } =
            timing.clone();
        for s in [int8_ns, float_single_ns, float_batch_ns, single_ratio, batch_ratio] {
            assert!(0.0 < s.min && s.min <= s.lower && s.lower <= s.median, "{s:?}");
            assert!(s.median <= s.upper && s.upper <= s.max, "{s:?}");
        }
        // Empty lanes are not cheaper than full ones.
        assert!(float_single_ns.median > 2.0 * float_batch_ns.median, "{timing:?}");
        assert!(single_ratio.max >= float_single_ns.min / int8_ns.max, "{timing:?}");
        assert!(single_ratio.min <= float_single_ns.max / int8_ns.min, "{timing:?}");
        let json = serde_json::to_value(&timing).expect("plain data");
        assert_eq!(json["single_ratio"]["median"].as_f64(), Some(single_ratio.median));
    }

    #[test]
    fn more_work_takes_longer() {
        let effort = Effort { rounds: 5, round: Duration::from_millis(1) };
        let [small, large] = [8, 512].map(|units| {
            let (int8, float, samples) = dense(512, units);
            compare(&int8, &float, &samples, effort).expect("times")
        });
        assert!(large.int8_ns.median > 4.0 * small.int8_ns.median, "{small:?} {large:?}");
        assert!(large.float_batch_ns.median > 4.0 * small.float_batch_ns.median, "{small:?} {large:?}");
    }

    #[test]
    fn nets_and_samples_that_do_not_fit_are_refused() {
        let (int8, float, samples) = dense(6, 3);
        let (_, other, _) = dense(6, 4);
        let refused = |float: &Net<Float>, samples: &[f32], rounds| {
            let effort = Effort { rounds, ..Effort::default() };
            compare(&int8, float, samples, effort).expect_err("must be refused").to_string()
        };
        assert!(refused(&other, &samples, 1).contains("1x1x3 of 1x1x6, the float net 1x1x4 of 1x1x6"));
        assert!(refused(&float, &[], 1).contains("0 values"));
        assert!(refused(&float, &samples[1..], 1).contains("17 values"));
        assert!(refused(&float, &samples, 0).contains("0 rounds"));
    }

    #[test]
    fn a_spread_interpolates_between_neighbours() {
        let spread = Spread::of(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!(spread, Spread { min: 1.0, lower: 1.75, median: 2.5, upper: 3.25, max: 4.0 });
        let one = Spread::of(vec![7.0]);
        assert_eq!(one, Spread { min: 7.0, lower: 7.0, median: 7.0, upper: 7.0, max: 7.0 });
        assert_eq!([0.012345, 1.2345, 123.45, 12345.0].map(figures), ["0.0123", "1.23", "123", "12345"]);
    }

    #[test]
    fn the_text_tells_medians_and_ratios() {
        let spread =
            |median| Spread { min: median / 2.0, lower: median, median, upper: median, max: 2.0 * median };
        let timing = Timing {
            model: "net".to_owned(),
            macs: 99,
            samples: 32,
            batch: LANES,
            int8_ns: spread(4000.0),
            float_single_ns: spread(8000.0),
            float_batch_ns: spread(500.0),
            single_ratio: spread(2.0),
            batch_ratio: spread(0.125),
        };
        let text = timing.text();
        let line = |start: &str| text.lines().filter(|l| l.starts_with(start)).collect::<Vec<_>>();
        assert!(line("int8")[0].contains("4.00   4.00 to 4.00        2.00 to 8.00"), "{text}");
        assert!(
            line("float, one")[0].contains(" 8.00 ") && line("float, one")[1].contains(" 2.00 "),
            "{text}"
        );
        assert!(line("float, 16")[1].contains("0.125   0.125 to 0.125      0.0625 to 0.250"), "{text}");
        assert!(text.lines().all(|l| l.len() <= 100 && l == l.trim_end()), "{text}");
    }
}
