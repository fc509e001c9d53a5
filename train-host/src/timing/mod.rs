//! How long an inference takes on this host, in int8 and in float, measured side by side.
//!
//! A machine that others use is now faster, now slower, by more than what is to be measured. So all contenders take
//! turns, round after round, in an order that changes; each round gives ratios of times that were taken within a
//! fraction of a second, and what is told is their median and spread, and the ratio of the least times.
//!
//! All run on one thread over the same samples. The float engine computes [`LANES`] samples at once: a call with one
//! sample takes what a call with all takes. The int8 engine reads its weights once for several samples of a call. Calls with
//! one sample and with many are both measured, for both occur: a sensor brings one sample at a time, an archive many.

mod contenders;
mod layers;
#[cfg(feature = "peers")]
pub mod tract;

pub use layers::LayerTime;

use std::fmt::Display;
use std::time::Duration;

use serde::Serialize;
use zipnet::Cpu;
use zipnet::ir::{Float, Int};

use crate::eval::quantise_input;
use crate::export::for_host;
use crate::float::LANES;
use crate::graph::{Net, show};
use crate::quantise::{dequantise, fold::fold};
use crate::{Error, Result};
use contenders::{MANY, contenders};

/// How long to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Rounds in which each contender has one turn; at least 1.
    pub rounds: usize,
    /// What a round should take; as many samples are taken as fit, [`LANES`] at least.
    pub round: Duration,
}

impl Default for Effort {
    /// Several seconds. Of many short rounds some fall between the turns of whatever else the machine runs.
    fn default() -> Self {
        Self { rounds: 101, round: Duration::from_millis(20) }
    }
}

/// What was measured. Times are nanoseconds an inference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// Name of the net.
    pub model: String,
    /// Multiplications by a weight in one inference.
    pub macs: u64,
    /// Samples in a round, of each contender.
    pub samples: usize,
    /// Layers packed for microcontrollers, which a host computes slower than those of a portable table.
    pub layers_of_boards: usize,
    /// Why there is no float net to compare with, where there is none.
    pub without_float: Option<String>,
    /// The int8 engine on the fastest instruction set, then all others.
    pub contenders: Vec<Time>,
    /// The time of float over that of int8 on the fastest instruction set in the same round, both with [`LANES`] samples a
    /// call.
    pub many: Option<Spread>,
    /// The layers of int8 on the fastest instruction set, in runs of their own: the clock is read between any two,
    /// which takes some time itself.
    pub layers: Vec<LayerTime>,
}

/// One contender.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Time {
    /// Number format, engine, instruction set.
    pub name: String,
    /// Its time.
    pub ns: Spread,
    /// Its time over that of the first contender in the same round: above 1, the first is faster.
    pub ratio: Spread,
    /// Its least time over the least time of the first contender.
    pub least_ratio: f64,
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

/// A net in both number formats, with inputs for both.
pub struct Nets {
    int8: Net<Int>,
    /// Without batch norms, with an input whose origin is 0.
    float: std::result::Result<Net<Float>, Error>,
    /// At least [`LANES`] inputs of the int8 net, back to back.
    codes: Vec<i8>,
    /// The same for the float net.
    samples: Vec<f32>,
}

impl Nets {
    /// An int8 net and the float net that it was made from, on `samples`: normalised to -1 to 1, `[h][w][c]`, back to
    /// back.
    ///
    /// # Errors
    /// Where the nets differ in shape, there is no whole number of samples, or the float net is not legal.
    pub fn trained(int8: &Net<Int>, float: &Net<Float>, samples: &[f32]) -> Result<Self> {
        let (x, y) = (int8.input_shape(), int8.output_shape());
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
            let (count, len) = (samples.len(), x.len());
            return Err(Error::new(format!(
                "{count} values to time on are not one or more samples of {len}"
            )));
        }
        float.check(0)?;
        let origin = float.tensors[float.input.at()].meta.origin;
        let count = samples.len().next_multiple_of(LANES * x.len());
        let samples: Vec<f32> = samples.iter().copied().cycle().take(count).collect();
        Ok(Self {
            codes: quantise_input(int8, origin, &samples),
            samples: samples.iter().map(|x| x - origin).collect(),
            float: Ok(fold(float)?),
            int8: int8.clone(),
        })
    }

    /// An int8 net that came alone, on samples of every byte in turn; its float net is made of its numbers, where every
    /// node has a float form.
    pub fn imported(int8: &Net<Int>) -> Self {
        let count = LANES * int8.input_shape().len();
        let codes: Vec<i8> = (0..count).map(|i| (i * 37 % 256) as u8 as i8).collect();
        let x = int8.tensors[int8.input.at()].meta;
        Self {
            samples: codes.iter().map(|&q| x.scale * (f32::from(q) - f32::from(x.zero))).collect(),
            codes,
            float: dequantise(int8),
            int8: int8.clone(),
        }
    }
}

/// Times every contender. Quantising samples and packing nets come before the clock starts.
///
/// # Errors
/// Where there are 0 rounds, or one of the nets is not legal.
pub fn measure(nets: &Nets, effort: Effort) -> Result<Timing> {
    if effort.rounds == 0 {
        return Err(Error::new("0 rounds to time; at least 1 is needed"));
    }
    let packed = for_host(&nets.int8)?;
    let (times, samples) = packed.with_runner(|runner| {
        let mut all = contenders(runner, nets)?;
        let mut once = 0.0;
        for contender in &mut all {
            (contender.turn)(1)?; // warms caches and clock
            once += (contender.turn)(1)? * LANES as f64;
        }
        let batches = ((effort.round.as_nanos() as f64 / once) as usize).max(1);
        let mut times: Vec<(String, Vec<f64>)> = all.iter().map(|c| (c.name.clone(), Vec::new())).collect();
        for round in 0..effort.rounds {
            for i in 0..all.len() {
                let i = (i + round) % all.len();
                times[i].1.push((all[i].turn)(batches)?);
            }
        }
        Ok((times, batches * LANES))
    })?;
    let many: Vec<&Vec<f64>> =
        times.iter().filter(|(name, _)| name.ends_with(MANY)).map(|(_, times)| times).collect();
    let many = match (many.first(), many.last()) {
        (Some(int8), Some(float)) if nets.float.is_ok() => {
            Some(Spread::of(float.iter().zip(*int8).map(|(f, q)| f / q).collect()))
        }
        _ => None,
    };
    let first = times[0].1.clone();
    let least = Spread::of(first.clone()).min;
    let contenders = times.into_iter().map(|(name, times)| {
        let ratio = Spread::of(times.iter().zip(&first).map(|(a, b)| a / b).collect());
        let ns = Spread::of(times);
        Time { name, ns, ratio, least_ratio: ns.min / least }
    });
    Ok(Timing {
        model: nets.int8.name.clone(),
        macs: nets.int8.macs(),
        samples,
        layers_of_boards: nets.int8.nodes.iter().filter(|node| node.store.packing.is_of_boards()).count(),
        without_float: nets.float.as_ref().err().map(Error::to_string),
        contenders: contenders.collect(),
        many,
        layers: layers::layers(&nets.int8, &packed, Cpu::fastest(), &nets.codes, effort)?,
    })
}

impl Timing {
    /// For a terminal.
    pub fn text(&self) -> String {
        let Self { model, macs, samples, .. } = self;
        let mut text = format!("{model}: {macs} MACs; one thread, {samples} samples a round\n\n");
        text.push_str(&row("microseconds an inference", ["median", "quartiles", "least and greatest"]));
        for Time { name, ns, .. } in &self.contenders {
            text.push_str(&row(name, ns.cells(1e-3)));
        }
        if self.contenders.len() > 1 {
            text.push_str(&format!("\n{:<28}{:>8}", "times as long as the first", "least"));
            text.push_str(&format!("{:>8}   {:<20}{}\n", "median", "quartiles", "least and greatest"));
        }
        for Time { name, ratio, least_ratio, .. } in &self.contenders[1..] {
            let [median, quartiles, ends] = ratio.cells(1.0);
            let least = figures(*least_ratio);
            text.push_str(&format!("{name:<28}{least:>8}{median:>8}   {quartiles:<20}{ends}\n"));
        }
        if self.layers_of_boards > 0 {
            text.push_str(&format!(
                "\nSlow here: {} of {} layers are packed for a microcontroller. To time this host, import the net\n\
                 with --target portable.\n",
                self.layers_of_boards,
                self.layers.len()
            ));
        }
        match &self.without_float {
            Some(why) => text.push_str(&format!("\nNo float net to compare with: {why}\n")),
            None => text.push_str(&format!(
                "\nOur float engine computes {LANES} samples at once: a call with one takes what a call with {LANES} takes.\n"
            )),
        }
        if let Some(many) = self.many {
            let [median, quartiles, _] = many.cells(1.0);
            text.push_str(&format!(
                "With {LANES} samples a call it takes {median} ({quartiles}) times as long as int8.\n"
            ));
        }
        text.push_str(&layers::text(&self.layers));
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
    use crate::graph::FloatStore;
    use crate::quantise::quantise;
    use crate::recipe::Quantise;

    /// A float net of one dense layer, its int8 form, and three samples.
    fn dense(inputs: u16, units: u16) -> (Net<Int>, Net<Float>, Vec<f32>) {
        let mut net = Net::new("dense", Shape::flat(inputs), Real { origin: -1.0 });
        let op = Op::Dense(Dense { units, bias: Bias::Channel });
        let wave = |n: usize| (0..n).map(|i| (i as f32).sin()).collect::<Vec<_>>();
        let (inputs, units) = (usize::from(inputs), usize::from(units));
        let store = FloatStore { weights: wave(inputs * units), bias: wave(units), ..FloatStore::default() };
        net.push("dense", op, &[net.input], Real::default(), store).expect("shapes meet");
        let samples = wave(3 * inputs);
        let made = quantise(&net, &Quantise::default(), &samples, 1).expect("quantises");
        (made.net, net, samples)
    }

    fn time(nets: &Nets, rounds: usize) -> Timing {
        measure(nets, Effort { rounds, round: Duration::from_millis(1) }).expect("times")
    }

    #[test]
    fn a_timing_tells_of_every_round() {
        let (int8, float, samples) = dense(256, 64);
        let timing = time(&Nets::trained(&int8, &float, &samples).expect("fit"), 9);
        assert_eq!((timing.macs, timing.samples % LANES), (256 * 64, 0));
        for Time { name, ns, ratio, least_ratio } in &timing.contenders {
            for s in [ns, ratio] {
                assert!(0.0 < s.min && s.min <= s.lower && s.lower <= s.median, "{name}: {s:?}");
                assert!(s.median <= s.upper && s.upper <= s.max, "{name}: {s:?}");
            }
            assert_eq!(*least_ratio, ns.min / timing.contenders[0].ns.min);
        }
        assert_eq!(timing.contenders[0].name, format!("int8, {}", Cpu::fastest().name()));
        let named = |name: &str| timing.contenders.iter().find(|c| c.name.starts_with(name)).expect("there");
        let (single, batch) = (named("f32, one"), named("f32, 16"));
        let many = timing.many.expect("both take many");
        assert!(many.min > 0.0 && many.min <= many.median && many.median <= many.max, "{timing:?}");
        // Empty lanes are not cheaper than full ones.
        assert!(single.ns.min > 2.0 * batch.ns.min, "{timing:?}");
        let json = serde_json::to_value(&timing).expect("plain data");
        assert_eq!(json["contenders"][0]["ns"]["min"].as_f64(), Some(timing.contenders[0].ns.min));
        let text = timing.text();
        assert!(timing.contenders.iter().all(|c| text.contains(&c.name)), "{text}");
        assert!(text.lines().all(|line| line.len() <= 100 && line == line.trim_end()), "{text}");
    }

    #[test]
    fn more_work_takes_longer() {
        let [small, large] = [8, 512].map(|units| {
            let (int8, float, samples) = dense(512, units);
            time(&Nets::trained(&int8, &float, &samples).expect("fit"), 9).contenders
        });
        for (small, large) in small.iter().zip(&large) {
            assert!(large.ns.min > 4.0 * small.ns.min, "{small:?} {large:?}");
        }
    }

    #[test]
    fn an_int8_net_that_came_alone_meets_its_own_float_net() {
        let (int8, _, _) = dense(64, 16);
        let timing = time(&Nets::imported(&int8), 3);
        assert!(timing.without_float.is_none() && timing.contenders.len() >= 3, "{timing:?}");

        let mut alone = int8;
        alone.nodes[0].store.clamp = zipnet::ir::Clamp::new(-3, 3);
        let timing = time(&Nets::imported(&alone), 3);
        assert!(timing.contenders.iter().all(|c| c.name.starts_with("int8")), "{timing:?}");
        assert_eq!(timing.many, None);
        assert!(
            timing.text().contains("No float net to compare with: dense: its clamp"),
            "{}",
            timing.text()
        );
    }

    #[test]
    fn a_net_packed_for_a_board_is_told_from_others() {
        let (mut int8, _, _) = dense(64, 16);
        let timing = time(&Nets::imported(&int8), 3);
        assert!(timing.layers_of_boards == 0 && !timing.text().contains("Slow here"), "{}", timing.text());
        crate::export::pack(&mut int8, crate::export::Target::CortexM4, None).expect("packs");
        let text = time(&Nets::imported(&int8), 3).text();
        assert!(text.contains("Slow here: 1 of 1 layers are packed for a microcontroller"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    }

    #[test]
    fn nets_and_samples_that_do_not_fit_are_refused() {
        let (int8, float, samples) = dense(6, 3);
        let (_, other, _) = dense(6, 4);
        let refused = |float: &Net<Float>, samples: &[f32]| {
            Nets::trained(&int8, float, samples).err().expect("must be refused").to_string()
        };
        assert!(refused(&other, &samples).contains("1x1x3 of 1x1x6, the float net 1x1x4 of 1x1x6"));
        assert!(refused(&float, &[]).contains("0 values"));
        assert!(refused(&float, &samples[1..]).contains("17 values"));
        let nets = Nets::imported(&int8);
        let none = measure(&nets, Effort { rounds: 0, ..Effort::default() }).expect_err("must be refused");
        assert!(none.to_string().contains("0 rounds"));
    }

    #[test]
    fn a_spread_interpolates_between_neighbours() {
        let spread = Spread::of(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!(spread, Spread { min: 1.0, lower: 1.75, median: 2.5, upper: 3.25, max: 4.0 });
        let one = Spread::of(vec![7.0]);
        assert_eq!(one, Spread { min: 7.0, lower: 7.0, median: 7.0, upper: 7.0, max: 7.0 });
        assert_eq!([0.012345, 1.2345, 123.45, 12345.0].map(figures), ["0.0123", "1.23", "123", "12345"]);
    }
}
