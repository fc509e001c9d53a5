//! The first layer's weights as pictures.

use maud::{Markup, html};

use super::number::{compact, counted};
use super::picture::Picture;
use super::{Filters, Report};
use crate::{Error, Result};

/// Pictures beyond which the rest is only counted.
const MOST: usize = 128;

/// Pixels of the longer side of a picture, about.
const SIDE: usize = 70;

/// The same of a picture that stands alone.
const LONE_SIDE: usize = 640;

/// The section; nothing where there are no weights to look at.
///
/// # Errors
/// Where the weights are not as many as their shape says.
pub(super) fn section(report: &Report) -> Result<Option<Markup>> {
    let Some(filters) = &report.filters else { return Ok(None) };
    let Filters { count, height, width, channels, values } = filters;
    let needed = [*height, *width, *channels].iter().try_fold(*count, |n, side| n.checked_mul(*side));
    if needed != Some(values.len()) {
        let has = values.len();
        return Err(Error::new(format!(
            "filters of {count}x{height}x{width}x{channels} cannot hold {has} numbers"
        )));
    }
    let greatest = values.iter().filter(|v| v.is_finite()).fold(0.0, |most: f32, v| most.max(v.abs()));
    if values.is_empty() || greatest == 0.0 {
        return Ok(None);
    }
    let pictures = pictures(filters, greatest)?;
    let side = if pictures.len() == 1 { LONE_SIDE } else { SIDE };
    Ok(Some(html! {
        section {
            h2 { "First-layer filters" }
            p.note {
                (counted(*count as u64, "filter")) " of " (height) "x" (width) "x" (channels)
                @if *height * *width == 1 { ", one a row" }
                "; all share one scale, ±" (compact(f64::from(greatest))) "."
            }
            p.legend {
                @if *channels == 3 && *height > 1 && *width > 1 {
                    "Red, green and blue are the input's; a weight of 0 is mid grey."
                } @else {
                    span.key.negative { "negative" } span.key.zero { "zero" } span.key.positive { "positive" }
                }
            }
            div.tiles {
                @for (label, picture) in pictures.iter().take(MOST) { (picture.element(side, label)?) }
            }
            @if pictures.len() > MOST { p.note { (counted((pictures.len() - MOST) as u64, "more picture")) " not shown." } }
        }
    }))
}

/// One picture a filter where it has 1 or 3 channels, else one a channel; filters that are a row (or a column) of
/// several channels make a picture of position by channel, and those of a single point one picture of all.
fn pictures(filters: &Filters, greatest: f32) -> Result<Vec<(String, Picture)>> {
    let &Filters { count, height, width, channels, ref values } = filters;
    let each = height * width * channels;
    if height * width == 1 {
        let all = Picture::new(count, channels, 3, signed(values, greatest))?;
        return Ok(vec![("all filters, one a row".to_owned(), all)]);
    }
    let mut pictures = Vec::new();
    for (i, filter) in values.chunks(each).enumerate() {
        let label = format!("filter {i}");
        if channels == 1 {
            pictures.push((label, Picture::new(height, width, 3, signed(filter, greatest))?));
        } else if height == 1 || width == 1 {
            pictures.push((label, Picture::new(height * width, channels, 3, signed(filter, greatest))?));
        } else if channels == 3 {
            let samples = filter.iter().map(|v| (127.5 + 127.5 * v / greatest).round() as u8).collect();
            pictures.push((label, Picture::new(height, width, 3, samples)?));
        } else {
            for c in 0..channels {
                let plane: Vec<f32> = filter.iter().skip(c).step_by(channels).copied().collect();
                let picture = Picture::new(height, width, 3, signed(&plane, greatest))?;
                pictures.push((format!("filter {i}, channel {c}"), picture));
            }
        }
    }
    Ok(pictures)
}

/// Red, green and blue a value: zero near white, positive orange, negative blue.
fn signed(values: &[f32], greatest: f32) -> Vec<u8> {
    const ZERO: [f32; 3] = [244.0, 243.0, 240.0];
    const POSITIVE: [f32; 3] = [176.0, 72.0, 8.0];
    const NEGATIVE: [f32; 3] = [20.0, 78.0, 146.0];
    let mut samples = Vec::with_capacity(3 * values.len());
    for value in values {
        let end = if *value < 0.0 { NEGATIVE } else { POSITIVE };
        let part = (value / greatest).abs().min(1.0);
        // A cast of what is not a number gives 0.
        samples.extend((0..3).map(|c| (ZERO[c] + (end[c] - ZERO[c]) * part).round() as u8));
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(count: usize, height: usize, width: usize, channels: usize) -> Filters {
        let values = (0..count * height * width * channels).map(|i| i as f32 - 3.0).collect();
        Filters { count, height, width, channels, values }
    }

    #[test]
    fn every_shape_makes_pictures() {
        let shapes = [
            ((12, 5, 5, 1), 12),
            ((8, 3, 3, 3), 8),
            ((4, 3, 3, 2), 8),
            ((6, 1, 1, 9), 1),
            ((6, 1, 7, 9), 6),
            ((6, 7, 1, 3), 6),
        ];
        for ((n, h, w, c), expected) in shapes {
            assert_eq!(
                pictures(&filters(n, h, w, c), 100.0).expect("pictures").len(),
                expected,
                "{n}x{h}x{w}x{c}"
            );
        }
    }

    #[test]
    fn sign_is_colour() {
        let [p, z, n] = [1.0, 0.0, -1.0].map(|v| signed(&[v], 1.0));
        assert!(p[0] > p[2] && n[2] > n[0] && z.iter().all(|s| *s > 230), "{p:?} {z:?} {n:?}");
    }

    #[test]
    fn a_wrong_count_is_refused() {
        let mut wrong = filters(2, 3, 3, 1);
        wrong.values.pop();
        let report = Report { filters: Some(wrong), ..Report::default() };
        let error = section(&report).expect_err("must be refused").to_string();
        assert!(error.contains("2x3x3x1") && error.contains("17"), "{error}");
    }
}
