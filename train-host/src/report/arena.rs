//! The arena over time: which bytes hold which tensor while the net runs.

use maud::{Markup, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::axis::Axis;
use super::number::{bytes, percent, thousands};
use super::palette::{INK, RULE, SOFT, TURNS};
use super::plot::{Area, Drawn, FINE, TEXT, plot, text, text_width};
use super::{ArenaTensor, Report};
use crate::Result;

/// The drawing and what lies around its plane, in pixels.
const WIDTH: f64 = 1072.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 26.0;

/// Height of a label, in pixels.
const LABEL: f64 = 11.5;

/// A rectangle in pixels; y grows downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Frame {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Frame {
    /// A label's, around its middle.
    fn around(x: f64, y: f64, width: f64) -> Self {
        Self {
            left: x - width / 2.0,
            top: y - LABEL * 0.65,
            right: x + width / 2.0,
            bottom: y + LABEL * 0.65,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn holds(&self, other: &Self) -> bool {
        self.left <= other.left
            && other.right <= self.right
            && self.top <= other.top
            && other.bottom <= self.bottom
    }

    fn middle(&self) -> (f64, f64) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }
}

/// The section; nothing where the arena is not known.
pub(super) fn section(report: &Report) -> Result<Option<Markup>> {
    if report.arena.is_empty() {
        return Ok(None);
    }
    let steps = steps(report);
    let height = if report.arena.len() > 12 { 460 } else { 340 };
    let (fullest, live) = fullest(report, steps);
    let step_name =
        report.layers.get(fullest).map_or_else(|| fullest.to_string(), |l| format!("{fullest} ({})", l.name));
    Ok(Some(html! {
        section {
            h2 { "Memory" }
            p.note {
                "The arena while one inference runs, step by step: a rectangle is a tensor, as tall as its bytes, from "
                "the first step that needs it to the last. "
                @if report.arena_bytes > 0 {
                    "The fullest step is " (step_name) ": " (thousands(live as u64)) " of "
                    (thousands(report.arena_bytes as u64)) " bytes hold something ("
                    (percent(live as f64 / report.arena_bytes as f64)) ")."
                }
            }
            figure.wide {
                (plot("the arena over time", WIDTH as u32, height, |area| draw(area, report, steps, f64::from(height)))?)
            }
            details {
                summary { "The same as a table" }
                div.scroll {
                    table {
                        thead { tr {
                            th { "tensor" } th.n { "bytes" } th.n { "from address" } th.n { "to address" }
                            th.n { "first step" } th.n { "last step" }
                        } }
                        tbody { @for tensor in &report.arena { tr {
                            td { (tensor.name) }
                            td.n { (thousands(tensor.bytes as u64)) }
                            td.n { (thousands(tensor.offset as u64)) }
                            td.n { (thousands(tensor.offset.saturating_add(tensor.bytes) as u64)) }
                            td.n { (tensor.first) }
                            td.n { (tensor.last.min(steps - 1)) }
                        } } }
                    }
                }
            }
        }
    }))
}

/// How many steps the drawing has: one a layer, or as many as the tensors speak of.
fn steps(report: &Report) -> usize {
    let spoken = report.arena.iter().map(|t| t.last.saturating_add(1)).max().unwrap_or(1);
    if report.layers.is_empty() { spoken.min(1_000) } else { report.layers.len() }
}

/// The step at which most distinct bytes are held, and how many. Tensors may share bytes (in-place operators).
fn fullest(report: &Report, steps: usize) -> (usize, usize) {
    let held = |step: usize| {
        let live = report.arena.iter().filter(|t| t.first <= step && step <= t.last);
        let mut spans: Vec<(usize, usize)> =
            live.map(|t| (t.offset, t.offset.saturating_add(t.bytes))).collect();
        spans.sort_unstable();
        let (mut total, mut end) = (0, 0);
        for (from, to) in spans {
            total += to.saturating_sub(from.max(end));
            end = end.max(to);
        }
        total
    };
    // The first of equals.
    (0..steps).map(|step| (step, held(step))).rev().max_by_key(|(_, held)| *held).unwrap_or((0, 0))
}

fn draw(area: &Area<'_>, report: &Report, steps: usize, height: f64) -> Drawn {
    let top =
        report.arena.iter().map(|t| t.offset.saturating_add(t.bytes)).fold(report.arena_bytes, usize::max);
    let y = Axis::addresses(top, 8);
    let fine = |pixels: f64| (pixels * f64::from(FINE)).round() as i32;
    let mut chart = ChartBuilder::on(area)
        .margin_top(fine(TOP))
        .margin_right(fine(RIGHT))
        .x_label_area_size(fine(BOTTOM))
        .y_label_area_size(fine(LEFT))
        .build_cartesian_2d(Axis::whole(0.0, steps as f64, steps.min(50)), y)?;
    chart
        .configure_mesh()
        .bold_line_style(RULE.stroke_width(FINE as u32))
        .light_line_style(TRANSPARENT)
        .axis_style(RULE.stroke_width(FINE as u32))
        .x_label_formatter(&|_| String::new())
        .set_all_tick_mark_size(0)
        .set_tick_mark_size(LabelAreaPosition::Left, 4 * FINE)
        .y_label_style(text(TEXT, SOFT, HPos::Right, VPos::Center))
        .draw()?;

    let plane = Frame { left: LEFT, top: TOP, right: WIDTH - RIGHT, bottom: height - BOTTOM };
    let column = (plane.right - plane.left) / steps as f64;
    let across = |step: usize| plane.left + column * step as f64;
    let down =
        |address: usize| plane.bottom - (plane.bottom - plane.top) * address as f64 / top.max(1) as f64;
    let frame = |t: &ArenaTensor| {
        let last = t.last.min(steps - 1);
        let first = t.first.min(last);
        Frame {
            left: across(first) + 1.5,
            top: down(t.offset.saturating_add(t.bytes)) + 0.5,
            right: across(last + 1) - 1.5,
            bottom: down(t.offset) - 0.5,
        }
    };
    let frames: Vec<Frame> = report.arena.iter().map(frame).collect();
    for (i, f) in frames.iter().enumerate() {
        let colour = TURNS[i % TURNS.len()];
        let (a, b) = ((fine(f.left), fine(f.top)), (fine(f.right), fine(f.bottom).max(fine(f.top) + 1)));
        area.draw(&Rectangle::new([a, b], colour.mix(0.28).filled()))?;
        let outline = vec![a, (b.0, a.1), b, (a.0, b.1), a];
        area.draw(&PathElement::new(outline, colour.stroke_width(5)))?;
    }
    for (label, x, y) in labels(&report.arena, &frames, plane) {
        let style = text(LABEL, INK, HPos::Center, VPos::Center);
        area.draw(&Text::new(label, (fine(x), fine(y)), style))?;
    }
    for (label, step) in step_labels(report, steps, column) {
        let style = text(TEXT, SOFT, HPos::Center, VPos::Top);
        area.draw(&Text::new(label, (fine(across(step) + column / 2.0), fine(plane.bottom + 7.0)), style))?;
    }
    Ok(())
}

/// Names under the steps where there is room for all of them, else as many of their numbers as fit.
fn step_labels(report: &Report, steps: usize, column: f64) -> Vec<(String, usize)> {
    let name = |step: usize| {
        report.layers.get(step).map_or_else(|| step.to_string(), |layer| format!("{step} {}", layer.name))
    };
    let names: Vec<String> = (0..steps).map(name).collect();
    if names.iter().all(|name| text_width(TEXT, name) < column - 4.0) {
        return names.into_iter().zip(0..).collect();
    }
    let every = ((text_width(TEXT, &steps.to_string()) + 8.0) / column).ceil().max(1.0) as usize;
    (0..steps).step_by(every).map(|step| (step.to_string(), step)).collect()
}

/// Where each tensor's label goes, as its middle: inside its rectangle, else beside it where nothing else is; the few
/// that find no place go without, and stand in the table.
fn labels(tensors: &[ArenaTensor], frames: &[Frame], plane: Frame) -> Vec<(String, f64, f64)> {
    let mut placed: Vec<Frame> = Vec::new();
    let mut found = Vec::new();
    let size = |f: &Frame| (f.right - f.left) * (f.bottom - f.top);
    let mut order: Vec<usize> = (0..frames.len()).collect();
    order.sort_by(|a, b| size(&frames[*b]).total_cmp(&size(&frames[*a])));
    for i in order {
        let (tensor, f) = (&tensors[i], &frames[i]);
        let (x, y) = f.middle();
        let candidates = [format!("{} · {}", tensor.name, bytes(tensor.bytes)), tensor.name.clone()];
        let place = candidates.into_iter().find_map(|label| {
            let width = text_width(LABEL, &label);
            let free = |frame: &Frame| placed.iter().all(|other| !other.meets(frame));
            let inside = [(x, y), (x, f.top + LABEL), (x, f.bottom - LABEL)];
            let (above, below) = (f.top - LABEL * 0.8, f.bottom + LABEL * 0.8);
            let (start, end) = (f.left + width / 2.0, f.right - width / 2.0);
            let beside = [
                (f.right + width / 2.0 + 4.0, y),
                (f.left - width / 2.0 - 4.0, y),
                (x, above),
                (start, above),
                (end, above),
                (x, below),
                (start, below),
                (end, below),
            ];
            let fits = |at: &&(f64, f64)| {
                let frame = Frame::around(at.0, at.1, width);
                f.holds(&frame) && free(&frame)
            };
            let stands = |at: &&(f64, f64)| {
                let frame = Frame::around(at.0, at.1, width);
                plane.holds(&frame) && free(&frame) && frames.iter().all(|other| !other.meets(&frame))
            };
            let at = *inside.iter().find(fits).or_else(|| beside.iter().find(stands))?;
            Some((label, at.0, at.1, width))
        });
        if let Some((label, x, y, width)) = place {
            placed.push(Frame::around(x, y, width));
            found.push((label, x, y));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, offset: usize, bytes: usize, first: usize, last: usize) -> ArenaTensor {
        ArenaTensor { name: name.into(), offset, bytes, first, last }
    }

    #[test]
    fn shared_bytes_count_once() {
        let report = Report {
            arena: vec![tensor("a", 0, 100, 0, 1), tensor("b", 50, 100, 1, 2), tensor("c", 300, 10, 1, 1)],
            arena_bytes: 310,
            ..Report::default()
        };
        assert_eq!(steps(&report), 3);
        assert_eq!(fullest(&report, 3), (1, 160));
    }

    #[test]
    fn labels_never_cover_each_other() {
        let tensors: Vec<ArenaTensor> =
            (0..40).map(|i| tensor(&format!("tensor {i}"), 7 * i, 9, i / 4, i / 4 + 2)).collect();
        let plane = Frame { left: 0.0, top: 0.0, right: 900.0, bottom: 300.0 };
        let frames: Vec<Frame> = tensors
            .iter()
            .map(|t| Frame {
                left: 60.0 * t.first as f64,
                right: 60.0 * (t.last + 1) as f64,
                top: 300.0 - (t.offset + t.bytes) as f64,
                bottom: 300.0 - t.offset as f64,
            })
            .collect();
        let found = labels(&tensors, &frames, plane);
        assert!(!found.is_empty());
        let drawn: Vec<Frame> =
            found.iter().map(|(l, x, y)| Frame::around(*x, *y, text_width(LABEL, l))).collect();
        for (i, a) in drawn.iter().enumerate() {
            assert!(plane.holds(a), "{a:?}");
            assert!(drawn[..i].iter().all(|b| !a.meets(b)), "{a:?}");
        }
    }
}
