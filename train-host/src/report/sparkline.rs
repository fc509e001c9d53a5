//! A sample that is no picture, as a line of its values.

use maud::Markup;
use plotters::prelude::*;

use super::palette::{FIRST, RULE};
use super::plot::{FINE, plot};
use crate::Result;

/// Points beyond which neighbours are averaged.
const POINTS: usize = 96;

/// Draws `values` in a row, `width` x `height` pixels, from the least to the greatest; what is not finite leaves a hole
/// that the line jumps.
///
/// # Errors
/// As [`plot`].
pub(super) fn sparkline(values: &[f32], width: u32, height: u32, label: &str) -> Result<Markup> {
    let chunk = values.len().div_ceil(POINTS).max(1);
    let means: Vec<(f64, f64)> = values
        .chunks(chunk)
        .enumerate()
        .map(|(i, part)| (i as f64, part.iter().map(|v| f64::from(*v)).sum::<f64>() / part.len() as f64))
        .filter(|(_, mean)| mean.is_finite())
        .collect();
    let least = means.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let most = means.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
    let last = values.len().div_ceil(chunk).saturating_sub(1).max(1) as f64;
    let spread = if most > least { most - least } else { 1.0 };
    let place = |(x, y): (f64, f64)| {
        let right = f64::from(FINE) * (3.0 + f64::from(width - 6) * x / last);
        let up = f64::from(FINE) * (3.0 + f64::from(height - 6) * (1.0 - (y - least) / spread));
        (right.round() as i32, up.round() as i32)
    };
    plot(label, width, height, |area| {
        let (w, h) = (width as i32 * FINE, height as i32 * FINE);
        area.draw(&PathElement::new(vec![(0, h - FINE), (w, h - FINE)], RULE.stroke_width(FINE as u32)))?;
        let line: Vec<(i32, i32)> = means.iter().copied().map(place).collect();
        area.draw(&PathElement::new(line, FIRST.stroke_width(5)))
    })
}
