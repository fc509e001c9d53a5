//! Where values lie along an axis, and which of them are written beside it.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// An axis of a plot, in the values that are drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    scale: Scale,
    /// Positions on the scale of the two ends; `low < high`.
    low: f64,
    high: f64,
    /// Values that are written, with what is written.
    ticks: Vec<(f64, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    Linear,
    /// Equal factors are equal distances.
    Log,
    /// For shares near 1: equal factors of what is missing are equal distances, so that 90, 99 and 99.9 % are evenly
    /// spaced. What misses less than this is drawn as if it missed this.
    Nines(f64),
}

impl Scale {
    fn at(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Log => value.log10(),
            Scale::Nines(least) => -(1.0 - value).max(least).log10(),
        }
    }

    /// The value at a position.
    fn value(self, at: f64) -> f64 {
        match self {
            Scale::Linear => at,
            Scale::Log => 10f64.powf(at),
            Scale::Nines(_) => 1.0 - 10f64.powf(-at),
        }
    }
}

impl Axis {
    /// Whole numbers from `low` to `high`.
    pub(super) fn whole(low: f64, high: f64, ticks: usize) -> Self {
        let step = nice((high - low) / ticks.max(1) as f64).max(1.0);
        Self::over(Scale::Linear, low, high, steps(step, low, high))
    }

    /// From 0 to a little above the greatest value.
    pub(super) fn from_zero(values: &[f64], ticks: usize) -> Self {
        let top = values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
        let top = if top > 0.0 { top * 1.05 } else { 1.0 };
        Self::over(Scale::Linear, 0.0, top, steps(nice(top / ticks.max(1) as f64), 0.0, top))
    }

    /// For values above 0 that span decades, as losses do; where they span little, or not all are above 0, from 0.
    pub(super) fn decades(values: &[f64], ticks: usize) -> Self {
        let (least, most) = ends(values.iter().copied().filter(|v| v.is_finite()));
        if least <= 0.0 || most < 5.0 * least {
            return Self::from_zero(values, ticks);
        }
        let marks = |factors: &[f64]| -> Vec<f64> {
            let decades = least.log10().floor() as i32..=most.log10().ceil() as i32;
            decades.flat_map(|d| factors.iter().map(move |f| f * 10f64.powi(d))).collect()
        };
        let inside = |marks: &[f64]| marks.iter().filter(|m| (least..=most).contains(*m)).count();
        let all = [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]].map(marks);
        let fits = all.iter().find(|marks| inside(marks) <= ticks).unwrap_or(&all[2]);
        Self::over(Scale::Log, least / 1.1, most * 1.1, fits.clone())
    }

    /// For values above 0, each of which is written, at equal distances for equal factors.
    pub(super) fn each(values: &[f64]) -> Self {
        let (least, most) = if values.is_empty() { (1.0, 1.0) } else { ends(values.iter().copied()) };
        Self::over(Scale::Log, least / 1.15, most * 1.15, values.to_vec())
    }

    /// For shares from 0 to 1 that lie close together, wherever that is.
    pub(super) fn shares(values: &[f64], ticks: usize) -> Self {
        let (least, most) = ends(values.iter().copied().filter(|v| (0.0..=1.0).contains(v)));
        let room = (0.06 * (most - least)).max(5e-4);
        let (low, high) = (least - room, most + room);
        let mut axis =
            Self::over(Scale::Linear, low, high, steps(nice((high - low) / ticks.max(1) as f64), low, high));
        axis.ticks.iter_mut().for_each(|(mark, text)| *text = format!("{} %", tidy(100.0 * *mark)));
        axis
    }

    /// For shares from 0 to 1 that come close to 1, as accuracies do.
    pub(super) fn nines(values: &[f64]) -> Self {
        const EVEN: f64 = 1e-9;
        let shares = values.iter().copied().filter(|v| (0.0..=1.0).contains(v));
        let (least, most) = ends(shares.clone());
        let missing = shares.map(|v| 1.0 - v).filter(|m| *m > EVEN).fold(f64::INFINITY, f64::min);
        // All right has no place on this axis: it gets one at half of what the best of the others misses.
        let floor = if !missing.is_finite() {
            1e-3
        } else if 1.0 - most > EVEN {
            missing
        } else {
            missing / 2.0
        };
        let scale = Scale::Nines(floor);
        let mut marks = vec![0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8];
        for nines in 1..=6 {
            let missing = 0.1f64.powi(nines);
            marks.extend([1.0 - missing, 1.0 - 0.5 * missing, 1.0 - 0.2 * missing]);
        }
        let reach = (scale.at(most) - scale.at(least)).max(0.2);
        let mut axis =
            Self { scale, low: scale.at(least), high: scale.at(least) + 1.04 * reach, ticks: Vec::new() };
        if 1.0 - most <= EVEN {
            axis.ticks.push((1.0, "100 %".to_owned()));
        }
        // The closest to the top matter most, so they are placed first, each a twelfth of the axis from the last.
        for mark in marks.into_iter().rev().filter(|m| 1.0 - m >= floor) {
            let at = scale.at(mark);
            let room = (axis.high - axis.low) / 12.0;
            let clear = axis.ticks.iter().all(|(other, _)| (at - scale.at(*other)).abs() > room);
            if clear && (axis.low..=axis.high).contains(&at) {
                axis.ticks.push((mark, format!("{} %", tidy(100.0 * mark))));
            }
        }
        axis
    }

    /// Addresses from 0 to `bytes`: round binary steps, and the end itself.
    pub(super) fn addresses(bytes: usize, ticks: usize) -> Self {
        let top = bytes.max(1);
        let step = top.div_ceil(ticks.max(1)).next_power_of_two();
        let mut marks: Vec<usize> =
            (0..top).step_by(step).filter(|at| top - at >= step / 2 || *at == 0).collect();
        marks.push(top);
        Self::over(Scale::Linear, 0.0, top as f64, marks.into_iter().map(|at| at as f64).collect())
    }

    fn over(scale: Scale, low: f64, high: f64, marks: Vec<f64>) -> Self {
        let (low, high) = (scale.at(low), scale.at(high));
        let inside = |mark: &f64| (low - 1e-9..=high + 1e-9).contains(&scale.at(*mark));
        let ticks = marks.into_iter().filter(inside).map(|mark| (mark, tidy(mark))).collect();
        Self { scale, low, high: if high > low { high } else { low + 1.0 }, ticks }
    }

    /// Whether `value` has a place: not what is not finite, and on a log axis only what is above 0.
    pub(super) fn holds(&self, value: f64) -> bool {
        value.is_finite() && self.scale.at(value).is_finite()
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let part = (self.scale.at(*value) - self.low) / (self.high - self.low);
        limit.0 + (f64::from(limit.1 - limit.0) * part).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(value, _)| *value).collect()
    }

    fn range(&self) -> Range<f64> {
        self.scale.value(self.low)..self.scale.value(self.high)
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks.iter().find(|(tick, _)| tick == value).map(|(_, text)| text.clone()).unwrap_or_default()
    }
}

/// Least and greatest; 0 and 0 of nothing.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .fold(None, |ends: Option<(f64, f64)>, v| {
            Some(ends.map_or((v, v), |(least, most)| (least.min(v), most.max(v))))
        })
        .unwrap_or_default()
}

/// The least of 1, 2 or 5 times a power of ten that is at least `step`.
fn nice(step: f64) -> f64 {
    if !step.is_finite() || step <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|f| f * power).into_iter().find(|s| *s >= step * (1.0 - 1e-9)).unwrap_or(step)
}

fn steps(step: f64, low: f64, high: f64) -> Vec<f64> {
    let count = ((high - low) / step).min(1e3) as u64 + 1;
    let start = (low / step).ceil();
    (0..=count).map(|i| (start + i as f64) * step).collect()
}

/// The shortest text of a round number.
fn tidy(value: f64) -> String {
    let rounded: f64 = format!("{value:.6e}").parse().unwrap_or(value);
    if rounded != 0.0 && rounded.abs() < 1e-3 {
        return format!("{rounded:e}");
    }
    let text = rounded.to_string();
    if rounded >= 1e3 { super::number::thousands(rounded as u64) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(texts(&Axis::whole(1.0, 330.0, 7)), ["50", "100", "150", "200", "250", "300"]);
        assert_eq!(texts(&Axis::whole(1.0, 3.0, 7)), ["1", "2", "3"]);
        assert_eq!(texts(&Axis::from_zero(&[0.008], 4)), ["0", "0.005"]);
        assert_eq!(texts(&Axis::decades(&[2.3, 0.01], 5)), ["0.01", "0.03", "0.1", "0.3", "1"]);
        assert_eq!(texts(&Axis::shares(&[0.852, 0.871], 5)), ["85.5 %", "86 %", "86.5 %", "87 %"]);
        assert_eq!(texts(&Axis::each(&[1.0, 3.0, 8.0])), ["1", "3", "8"]);
        assert_eq!(texts(&Axis::addresses(960, 5)), ["0", "256", "512", "768", "960"]);
    }

    #[test]
    fn nines_are_evenly_spaced() {
        let axis = Axis::nines(&[0.5, 0.999]);
        let [a, b, c] = [0.9, 0.99, 0.999].map(|v| axis.map(&v, (0, 10_000)));
        assert!((b - a).abs_diff(c - b) <= 1 && b - a > 3_000, "{a} {b} {c}");
        assert!(texts(&axis).contains(&"99.9 %") && texts(&axis).contains(&"60 %"), "{axis:?}");
        let perfect = Axis::nines(&[0.9, 1.0]);
        assert!(
            texts(&perfect).contains(&"100 %") && perfect.map(&1.0, (0, 100)) > perfect.map(&0.9, (0, 100)),
            "{perfect:?}"
        );
    }

    #[test]
    fn odd_values_still_make_an_axis() {
        let odd: [&[f64]; 6] = [&[], &[f64::NAN], &[0.0], &[1.0], &[-1.0, f64::INFINITY], &[1e-300, 1e300]];
        for values in odd {
            let positive: Vec<f64> = values.iter().copied().filter(|v| *v > 0.0 && v.is_finite()).collect();
            for axis in [
                Axis::each(&positive),
                Axis::shares(values, 5),
                Axis::from_zero(values, 5),
                Axis::decades(values, 5),
                Axis::nines(values),
                Axis::whole(1.0, 1.0, 5),
                Axis::addresses(0, 5),
            ] {
                assert!(
                    axis.low < axis.high && axis.low.is_finite() && axis.high.is_finite(),
                    "{values:?}: {axis:?}"
                );
                assert!(axis.ticks.len() < 2_000, "{values:?}");
            }
        }
        assert!(!Axis::decades(&[0.1, 10.0], 5).holds(0.0) && Axis::from_zero(&[1.0], 5).holds(0.0));
        assert!(!Axis::nines(&[0.5]).holds(f64::NAN) && Axis::nines(&[0.5]).holds(1.0));
    }
}
