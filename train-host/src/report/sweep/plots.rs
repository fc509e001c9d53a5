//! The plots of a sweep, for its page and as a picture of their own.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{COSTS, Cost, Point, complexities, groups, mean, on_front};
use crate::Result;
use crate::report::axis::Axis;
use crate::report::palette::{FIRST, INK, RULE, SECOND, SOFT, TURNS};
use crate::report::plot::{Area, Drawn, FINE, TEXT, svg, text, text_width};

/// Width of the picture in pixels, and height of one of its rows of plots.
const WIDTH: u32 = 1080;
const ROW: u32 = 330;
/// Height of a line of text above plots.
const LINE: i32 = 24;

/// The text of `sweep.svg`: accuracy against each cost, and below, for each complexity, against the number of groups.
///
/// # Errors
/// Where it cannot be drawn.
pub fn picture(points: &[Point]) -> Result<String> {
    let complexities = complexities(points);
    let rows = 1 + complexities.len().div_ceil(COSTS.len()) as u32;
    svg("a sweep", WIDTH, rows * ROW, |area| {
        area.fill(&WHITE)?;
        let row = |at: u32| {
            area.clone().shrink((0, at * ROW * FINE as u32), (WIDTH * FINE as u32, ROW * FINE as u32))
        };
        let known = groups(points);
        let keys: Vec<(String, RGBColor)> = known
            .iter()
            .zip(TURNS.iter().cycle())
            .map(|(groups, colour)| {
                (format!("{groups} group{}", if *groups == 1 { "" } else { "s" }), *colour)
            })
            .collect();
        let costs = row(0);
        legend(&costs, &keys)?;
        for (panel, (name, cost)) in panels(&costs).iter().zip(COSTS) {
            caption(panel, &format!("int8 accuracy against {name}"))?;
            pareto(&panel.margin(LINE * FINE, 0, 0, 0), points, cost, 4)?;
        }
        let keys = [("with shuffle".to_owned(), SECOND), ("without".to_owned(), FIRST)];
        for (at, some) in complexities.chunks(COSTS.len()).enumerate() {
            let row = row(1 + at as u32);
            legend(&row, &keys)?;
            for (panel, channels) in panels(&row).iter().zip(some) {
                caption(panel, &format!("against groups, {channels} channels at one group"))?;
                by_groups(&panel.margin(LINE * FINE, 0, 0, 0), points, *channels)?;
            }
        }
        Ok(())
    })
}

/// The plots' places in a row, below its legend.
fn panels<'a>(row: &Area<'a>) -> Vec<Area<'a>> {
    row.margin(LINE * FINE, 0, 0, 0).split_evenly((1, COSTS.len()))
}

/// Dots and what they stand for, at the head of a row.
fn legend(row: &Area<'_>, keys: &[(String, RGBColor)]) -> Drawn {
    let mut x = 60 * FINE;
    for (name, colour) in keys {
        let middle = LINE / 2 * FINE;
        row.draw(&Circle::new((x, middle), 5 * FINE, colour.filled()))?;
        row.draw(&Text::new(
            name.clone(),
            (x + 10 * FINE, middle),
            text(TEXT, SOFT, HPos::Left, VPos::Center),
        ))?;
        x += (text_width(TEXT, name) as i32 + 32) * FINE;
    }
    Ok(())
}

fn caption(panel: &Area<'_>, what: &str) -> Drawn {
    let at = (60 * FINE, LINE / 2 * FINE);
    panel.draw(&Text::new(what.to_owned(), at, text(TEXT, INK, HPos::Left, VPos::Center)))
}

/// Mean accuracy of the int8 net less and plus one standard error.
fn ends(point: &Point) -> [f64; 2] {
    let (mean, error) = mean(&point.int8);
    [mean - error.unwrap_or(0.0), mean + error.unwrap_or(0.0)]
}

/// The axes, and what `series` draws on them.
fn chart<'a>(
    area: &Area<'a>,
    x: Axis,
    y: Axis,
) -> std::result::Result<
    ChartContext<'a, SVGBackend<'a>, Cartesian2d<Axis, Axis>>,
    DrawingAreaErrorKind<std::io::Error>,
> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(8 * FINE)
        .margin_right(12 * FINE)
        .x_label_area_size(22 * FINE)
        .y_label_area_size(60 * FINE)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .bold_line_style(RULE.stroke_width(FINE as u32))
        .light_line_style(TRANSPARENT)
        .axis_style(RULE.stroke_width(FINE as u32))
        .set_all_tick_mark_size(4 * FINE)
        .x_label_style(text(TEXT, SOFT, HPos::Center, VPos::Top))
        .y_label_style(text(TEXT, SOFT, HPos::Right, VPos::Center))
        .draw()?;
    Ok(chart)
}

/// Accuracy against a cost: every net, and a line through those that no other one beats.
pub(super) fn pareto(area: &Area<'_>, points: &[Point], cost: Cost, ticks: usize) -> Drawn {
    let costs: Vec<f64> = points.iter().map(cost).collect();
    let all: Vec<f64> = points.iter().flat_map(ends).collect();
    let mut chart = chart(area, Axis::decades(&costs, ticks), Axis::shares(&all, 5))?;
    let at = |i: usize| (cost(&points[i]), mean(&points[i].int8).0);
    let mut front: Vec<(f64, f64)> =
        (0..points.len()).filter(|&i| on_front(points, i, cost)).map(at).collect();
    front.sort_by(|a, b| a.0.total_cmp(&b.0));
    chart.draw_series(LineSeries::new(front, INK.stroke_width(5)))?;
    let known = groups(points);
    for (i, point) in points.iter().enumerate() {
        let turn = known.iter().position(|groups| *groups == point.groups).unwrap_or(0);
        let colour = TURNS[turn % TURNS.len()];
        let (x, y) = at(i);
        let [low, high] = ends(point);
        chart.draw_series([PathElement::new([(x, low), (x, high)], colour.stroke_width(5))])?;
        let style = if point.shuffle || point.groups == 1 { colour.filled() } else { colour.stroke_width(6) };
        chart.draw_series([Circle::new((x, y), 5 * FINE, style)])?;
    }
    Ok(())
}

/// Accuracy against the number of groups at one complexity, with shuffle and without; both begin at one group.
pub(super) fn by_groups(area: &Area<'_>, points: &[Point], channels: u16) -> Drawn {
    let own: Vec<&Point> = points.iter().filter(|point| point.channels == channels).collect();
    let all: Vec<f64> = own.iter().flat_map(|point| ends(point)).collect();
    let known: Vec<f64> = groups(points).into_iter().map(f64::from).collect();
    let mut chart = chart(area, Axis::each(&known), Axis::shares(&all, 5))?;
    // Beside each other, where bars would cover one another.
    for (shuffle, colour, aside) in [(false, FIRST, 0.99), (true, SECOND, 1.01)] {
        let line = own.iter().filter(|point| point.groups == 1 || point.shuffle == shuffle);
        let place = |point: &Point| (f64::from(point.groups) * aside, mean(&point.int8).0);
        chart.draw_series(LineSeries::new(line.clone().map(|point| place(point)), colour.stroke_width(6)))?;
        for point in line {
            let ((x, y), [low, high]) = (place(point), ends(point));
            chart.draw_series([PathElement::new([(x, low), (x, high)], colour.stroke_width(5))])?;
            chart.draw_series([Circle::new((x, y), 4 * FINE, colour.filled())])?;
        }
    }
    Ok(())
}
