//! Loss, accuracy and learning rate over the epochs.

use maud::{Markup, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::axis::Axis;
use super::number::{compact, percent};
use super::palette::{FIRST, RULE, SECOND, SOFT};
use super::plot::{Drawn, FINE, TEXT, plot, text};
use super::{Epoch, Report};
use crate::Result;

/// What is known of a quantity: epoch and value.
type Points = Vec<(f64, f64)>;

/// The section; nothing where nothing was recorded.
pub(super) fn section(report: &Report) -> Result<Option<Markup>> {
    let history = &report.history;
    let (Some(first), Some(last)) = (history.first(), history.last()) else { return Ok(None) };
    let (from, to) = (f64::from(first.epoch), f64::from(last.epoch));
    let of = |value: fn(&Epoch) -> Option<f64>| -> Points {
        let known = |e: &Epoch| value(e).filter(|v| v.is_finite()).map(|v| (f64::from(e.epoch), v));
        history.iter().filter_map(known).collect()
    };
    let loss = [of(|e| Some(e.loss)), of(|e| e.test_loss)];
    let accuracy = [of(|e| Some(e.train_accuracy)), of(|e| e.test_accuracy)];
    let rate = [of(|e| Some(e.rate)), Points::new()];

    let loss_axis = Axis::decades(&values(&loss), 6);
    let accuracy_axis = Axis::nines(&values(&accuracy));
    let rate_axis = Axis::from_zero(&values(&rate), 5);
    let narrow = Axis::whole(from, to, 6);
    let wide = Axis::whole(from, to, 12);
    Ok(Some(html! {
        section {
            h2 { "Training" }
            p.note {
                "After each epoch. The training samples count as the net was shown them, with dropout and distortion "
                "where the recipe has any, so they can be harder than those of the test."
            }
            p.legend {
                span.key.first { "training samples" }
                @if !loss[1].is_empty() || !accuracy[1].is_empty() { span.key.second { "test samples" } }
            }
            div.pair {
                figure {
                    figcaption { b { "Loss" } (ends(&loss, compact)) }
                    (plot("loss over the epochs", 520, 290, |area| lines(area, &loss, &narrow, &loss_axis))?)
                }
                figure {
                    figcaption { b { "Accuracy" } (ends(&accuracy, percent)) }
                    (plot("accuracy over the epochs", 520, 290, |area| lines(area, &accuracy, &narrow, &accuracy_axis))?)
                }
            }
            figure.wide {
                figcaption { b { "Learning rate" } }
                (plot("learning rate over the epochs", 1072, 120, |area| lines(area, &rate, &wide, &rate_axis))?)
            }
        }
    }))
}

fn values(series: &[Points; 2]) -> Vec<f64> {
    series.iter().flatten().map(|(_, value)| *value).collect()
}

/// What each series ended at.
fn ends(series: &[Points; 2], show: fn(f64) -> String) -> Markup {
    html! {
        " at the end "
        @for (points, class) in series.iter().zip(["first", "second"]) {
            @if let Some((_, value)) = points.last() { span class=(class) { (show(*value)) } " " }
        }
    }
}

/// Draws both series; a series of few points also shows where they are.
fn lines(area: &super::plot::Area<'_>, series: &[Points; 2], x: &Axis, y: &Axis) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .margin_top(8 * FINE)
        .margin_right(12 * FINE)
        .x_label_area_size(22 * FINE)
        .y_label_area_size(52 * FINE)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(RULE.stroke_width(FINE as u32))
        .light_line_style(TRANSPARENT)
        .axis_style(RULE.stroke_width(FINE as u32))
        .set_all_tick_mark_size(4 * FINE)
        .x_label_style(text(TEXT, SOFT, HPos::Center, VPos::Top))
        .y_label_style(text(TEXT, SOFT, HPos::Right, VPos::Center))
        .draw()?;
    for (points, colour) in series.iter().zip([FIRST, SECOND]) {
        let placed: Points = points.iter().copied().filter(|(_, value)| y.holds(*value)).collect();
        let style = colour.stroke_width(7);
        if placed.len() <= 40 {
            chart.draw_series(placed.iter().map(|at| Circle::new(*at, 3 * FINE, colour.filled())))?;
        }
        chart.draw_series(LineSeries::new(placed, style))?;
    }
    Ok(())
}
