//! What every tensor takes for values over the calibration samples: its range, and the mean of each element.

use zipnet::ir::{Float, TensorId};

use super::histogram::Histogram;
use crate::graph::Net;
use crate::recipe::Calibrate;
use crate::{Error, Result};

/// Least and greatest real value a tensor's int8 must stand for; holds 0.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Range {
    /// At most 0.
    pub low: f32,
    /// At least 0.
    pub high: f32,
}

impl Range {
    /// The least range that holds both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// From end to end.
    pub fn width(self) -> f32 {
        self.high - self.low
    }
}

/// Called with the values of one tensor, for every tensor of every sample.
pub(super) type Observe<'a> = dyn FnMut(TensorId, &[f32]) + 'a;

/// What calibration found, by the id of the tensor.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Calibration {
    /// The range of each tensor.
    pub(super) ranges: Vec<Range>,
    /// The mean of each element of each tensor; 0 where nothing was shown.
    pub(super) means: Vec<Vec<f32>>,
}

/// Calibrates from what `replay` shows: it runs the calibration samples, the same ones each time it is called. Ranges
/// are chosen by `method`; that of the net's output holds its least and greatest value whatever the method, for a
/// class is told by the order of its elements and cut ones are equal.
///
/// # Errors
/// Where a value is not finite, naming the layer that makes it, or `replay` fails.
pub(super) fn calibrate(
    net: &Net<Float>,
    method: Calibrate,
    mut replay: impl FnMut(&mut Observe<'_>) -> Result<()>,
) -> Result<Calibration> {
    let mut extremes = vec![Range::default(); net.tensors.len()];
    let mut sums: Vec<(Vec<f64>, f64)> =
        net.tensors.iter().map(|t| (vec![0.0; t.shape.len()], 0.0)).collect();
    let mut broken: Option<TensorId> = None;
    replay(&mut |id, values| {
        let (sum, count) = &mut sums[id.at()];
        for sample in values.chunks_exact(sum.len()) {
            sum.iter_mut().zip(sample).for_each(|(sum, &value)| *sum += f64::from(value));
            *count += 1.0;
        }
        let range = &mut extremes[id.at()];
        for &value in values {
            if value.is_finite() {
                *range = Range { low: range.low.min(value), high: range.high.max(value) };
            } else {
                broken = broken.or(Some(id));
            }
        }
        if !range.width().is_finite() {
            broken = broken.or(Some(id));
        }
    })?;
    if let Some(id) = broken {
        let what = match net.producer(id) {
            Some(i) => format!("layer {:?} ({})", net.nodes[i].name, net.nodes[i].op.name()),
            None => "the input".to_owned(),
        };
        return Err(Error::new(format!("{what}: a value is not finite on a calibration sample")));
    }
    let mean = |(sum, count): &(Vec<f64>, f64)| sum.iter().map(|s| (s / count.max(1.0)) as f32).collect();
    let means = sums.iter().map(mean).collect();
    if method == Calibrate::MinMax {
        return Ok(Calibration { ranges: extremes, means });
    }
    let mut histograms: Vec<Option<Histogram>> =
        extremes.iter().map(|&range| (range.width() > 0.0).then(|| Histogram::new(range))).collect();
    histograms[net.output.at()] = None;
    replay(&mut |id, values| {
        if let Some(histogram) = &mut histograms[id.at()] {
            histogram.add(values);
        }
    })?;
    let chosen = extremes.iter().zip(&histograms).map(|(&extreme, histogram)| {
        let range = match (histogram, method) {
            (None, _) | (Some(_), Calibrate::MinMax) => extreme,
            (Some(h), Calibrate::Percentile) => h.percentile(),
            (Some(h), Calibrate::Mse) => h.least_error(),
        };
        if range.width() > 0.0 { range } else { extreme } // fewer than one value in ten thousand is not 0
    });
    Ok(Calibration { ranges: chosen.collect(), means })
}

#[cfg(test)]
mod tests {
    use zipnet::ir::{Bias, Op, Shape};

    use super::super::naive::{Author, dense};
    use super::*;

    fn net() -> Net<Float> {
        let mut a = Author::new(Shape::flat(4), 0.0, 1);
        let input = a.net.input;
        let t = a.push(dense(4, Bias::Channel), &[input]);
        a.push(Op::Relu, &[t]);
        a.net
    }

    /// Shows `values` for the middle tensor, `-1` and `2` for the output.
    fn over(method: Calibrate, values: &[f32]) -> Result<Vec<Range>> {
        let calibration = calibrate(&net(), method, |observe| {
            observe(TensorId(0), &[0.0; 4]);
            observe(TensorId(1), values);
            observe(TensorId(2), &[-1.0, 2.0, 0.0, 0.0]);
            Ok(())
        });
        calibration.map(|c| c.ranges)
    }

    #[test]
    fn means_are_taken_element_by_element() {
        let shown = calibrate(&net(), Calibrate::Mse, |observe| {
            observe(TensorId(0), &[1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
            observe(TensorId(0), &[2.0, 2.0, 2.0, -1.0]);
            Ok(())
        });
        let means = shown.expect("calibrates").means;
        assert_eq!(
            (means[0].as_slice(), means[1].as_slice()),
            ([2.0, 2.0, 2.0, 1.0].as_slice(), [0.0; 4].as_slice())
        );
    }

    #[test]
    fn each_method_chooses_its_range() {
        let mut values: Vec<f32> = (0..=200_000).map(|i| i as f32 / 100_000.0 - 1.0).collect();
        values.push(1.25);
        let high = |method| over(method, &values).expect("ranges")[1].high;
        assert_eq!(high(Calibrate::MinMax), 1.25);
        assert!((high(Calibrate::Percentile) - 1.0).abs() < 0.002);
        assert!(high(Calibrate::Mse) < 1.1);
    }

    #[test]
    fn the_output_keeps_its_extremes_and_every_range_holds_zero() {
        for method in [Calibrate::MinMax, Calibrate::Percentile, Calibrate::Mse] {
            let ranges = over(method, &[3.0; 50]).expect("ranges");
            assert_eq!(ranges[0], Range::default());
            assert_eq!(ranges[1], Range { low: 0.0, high: 3.0 });
            assert_eq!(ranges[2], Range { low: -1.0, high: 2.0 });
        }
    }

    #[test]
    fn a_range_of_rare_values_is_not_lost() {
        let mut values = vec![0.0; 100_000];
        values[5] = 1.0;
        assert_eq!(over(Calibrate::Percentile, &values).expect("ranges")[1], Range { low: 0.0, high: 1.0 });
    }

    #[test]
    fn what_is_not_finite_names_its_layer() {
        for bad in [f32::NAN, f32::INFINITY] {
            let error = over(Calibrate::MinMax, &[0.0, bad]).expect_err("must be refused").to_string();
            assert!(error.contains("\"n0\"") && error.contains("finite"), "{error}");
        }
        assert!(over(Calibrate::MinMax, &[f32::MAX, f32::MIN]).is_err());
    }
}
