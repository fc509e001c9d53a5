//! How often each value of a tensor occurs, to within a fraction of a step of the int8 grid.

use super::calibrate::Range;
use super::factors::Scale;

/// Bins of a histogram: 16 for each step of an int8 grid over the same range.
const BINS: usize = 4096;

/// Share of values that [`Histogram::percentile`] leaves out on each side.
const TAIL: f64 = 1e-4;

/// How finely, and how far, [`Histogram::least_error`] moves each end of a range: by 1/64 of it, at most by 3/4.
const CUTS: u32 = 64;

/// Values between two bounds, counted in bins of equal width. A bin knows the sum of its values too, so that values
/// that are all equal, such as the zeros of a relu, lose nothing.
pub(super) struct Histogram {
    range: Range,
    counts: Vec<u64>,
    sums: Vec<f64>,
}

impl Histogram {
    /// Empty, over a range; what lies outside counts into the bins at its ends.
    pub(super) fn new(range: Range) -> Self {
        Self { range, counts: vec![0; BINS], sums: vec![0.0; BINS] }
    }

    /// Counts values.
    pub(super) fn add(&mut self, values: &[f32]) {
        let per = BINS as f64 / (f64::from(self.range.high) - f64::from(self.range.low));
        for &value in values {
            let place = (f64::from(value) - f64::from(self.range.low)) * per;
            let bin = (place as usize).min(BINS - 1); // a negative place, or one that is no number, becomes 0
            self.counts[bin] += 1;
            self.sums[bin] += f64::from(value);
        }
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Mean value and count of each bin that holds any.
    fn bins(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let held = self.counts.iter().zip(&self.sums).filter(|(count, _)| **count > 0);
        held.map(|(&count, &sum)| (sum / count as f64, count as f64))
    }

    /// The range that leaves one value in ten thousand out on each side; it holds 0.
    pub(super) fn percentile(&self) -> Range {
        let most = self.total() as f64 * TAIL;
        let mut low = f64::from(self.range.low);
        let mut passed = 0.0;
        for (value, count) in self.bins() {
            low = value;
            passed += count;
            if passed > most {
                break;
            }
        }
        let mut high = f64::from(self.range.high);
        let mut passed = 0.0;
        for (value, count) in self.bins().collect::<Vec<_>>().into_iter().rev() {
            high = value;
            passed += count;
            if passed > most {
                break;
            }
        }
        Range { low: (low as f32).min(0.0), high: (high as f32).max(0.0) }
    }

    /// The range whose int8 grid lies nearest to the values, in the mean of the squared difference. Tries every pair
    /// of ends in steps of 1/64 of the range.
    pub(super) fn least_error(&self) -> Range {
        let bins: Vec<(f64, f64)> = self.bins().collect();
        let mut best = (f64::INFINITY, self.range);
        let cuts = |end: f32| 0..if end == 0.0 { 1 } else { CUTS * 3 / 4 };
        for i in cuts(self.range.low) {
            for j in cuts(self.range.high) {
                let left = |end: f32, cut: u32| end * (1.0 - cut as f32 / CUTS as f32);
                let range = Range { low: left(self.range.low, i), high: left(self.range.high, j) };
                let error = squared_error(&bins, Scale::over(range.low, range.high), best.0);
                if error < best.0 {
                    best = (error, range);
                }
            }
        }
        best.1
    }
}

/// Sum of the squared differences of values from their nearest steps; at least `enough` where it exceeds that.
fn squared_error(bins: &[(f64, f64)], grid: Scale, enough: f64) -> f64 {
    let (step, zero) = (f64::from(grid.scale), f64::from(grid.zero));
    let mut sum = 0.0;
    for &(value, count) in bins {
        let q = ((value / step).round() + zero).clamp(-128.0, 127.0);
        let error = value - (q - zero) * step;
        sum += count * error * error;
        if sum >= enough {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f32]) -> Histogram {
        let low = values.iter().fold(0.0f32, |a, &b| a.min(b));
        let high = values.iter().fold(0.0f32, |a, &b| a.max(b));
        let mut h = Histogram::new(Range { low, high });
        h.add(values);
        h
    }

    fn near(range: Range, low: f32, high: f32) {
        let tolerance = 0.01 * (high - low);
        let close = (range.low - low).abs() <= tolerance && (range.high - high).abs() <= tolerance;
        assert!(close, "{range:?} is not {low} to {high}");
    }

    #[test]
    fn a_percentile_leaves_rare_values_out() {
        let mut values: Vec<f32> = (0..100_000).map(|i| i as f32 / 50_000.0 - 1.0).collect();
        near(of(&values).percentile(), -1.0, 1.0);
        values.extend([4.0; 9]);
        values.extend([-3.0; 9]);
        near(of(&values).percentile(), -1.0, 1.0);
        values.extend([4.0; 9]);
        near(of(&values).percentile(), -1.0, 4.0);
    }

    #[test]
    fn a_percentile_holds_zero() {
        near(of(&[2.0; 1000]).percentile(), 0.0, 2.0);
        near(of(&[-2.0; 1000]).percentile(), -2.0, 0.0);
    }

    #[test]
    fn the_least_error_cuts_what_costs_more_than_it_gives() {
        // Uniform values keep their range; one far value among very many is not worth a coarser grid.
        let mut values: Vec<f32> = (0..100_000).map(|i| i as f32 / 50_000.0 - 1.0).collect();
        near(of(&values).least_error(), -1.0, 1.0);
        values.push(1.5);
        let cut = of(&values).least_error();
        assert!(cut.high < 1.3 && cut.low < -0.99, "{cut:?}");
        let grid = |r: Range| Scale::over(r.low, r.high);
        let error = |r: Range| {
            values.iter().map(|&v| f64::from(grid(r).real(grid(r).int8(v)) - v).powi(2)).sum::<f64>()
        };
        assert!(error(cut) < error(Range { low: -1.0, high: 1.5 }));
        assert!(error(cut) < error(Range { low: -1.0, high: 1.0 }));
    }

    #[test]
    fn zeros_are_exact_whatever_the_range() {
        let h = of(&[0.0, 0.0, 0.0, 2.0]);
        assert_eq!(h.least_error(), Range { low: 0.0, high: 2.0 });
    }
}
