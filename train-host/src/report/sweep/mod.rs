//! A sweep in pictures and tables: accuracy against what a net costs, the nets that no other beats, and what the shuffle
//! does.

mod plots;

use maud::{Markup, html};

pub use self::plots::picture;
use self::plots::{by_groups, pareto};
use super::html::document;
use super::number::{fixed, percent, thousands};
use super::palette::TURNS;
use super::plot::plot;
use crate::Result;

/// A net of a sweep, all its seeds together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Its complexity: channels of the net of one group that costs as much.
    pub channels: u16,
    /// Groups.
    pub groups: u16,
    /// Whether it has channel shuffles.
    pub shuffle: bool,
    /// Multiplications of one inference.
    pub macs: u64,
    /// Bytes of weights and biases.
    pub weight_bytes: usize,
    /// Bytes of its arena.
    pub arena_bytes: usize,
    /// Accuracy of the float net of each seed, 0 to 1.
    pub float: Vec<f64>,
    /// Accuracy of the int8 net of each seed, 0 to 1.
    pub int8: Vec<f64>,
}

/// Mean, and standard error of the mean where there are two values or more.
fn mean(values: &[f64]) -> (f64, Option<f64>) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
    (mean, (values.len() > 1).then(|| (square / (count - 1.0) / count).sqrt()))
}

/// One of the things that a net costs.
type Cost = fn(&Point) -> f64;

/// What a net may cost.
const COSTS: [(&str, Cost); 3] = [
    ("MACs", |point| point.macs as f64),
    ("weight bytes", |point| point.weight_bytes as f64),
    ("arena bytes", |point| point.arena_bytes as f64),
];

/// Whether no other point is at least as accurate at no greater cost, and better in one of the two.
fn on_front(points: &[Point], at: usize, cost: Cost) -> bool {
    let of = |point: &Point| (mean(&point.int8).0, cost(point));
    let (own, paid) = of(&points[at]);
    !points.iter().any(|other| {
        let (accuracy, price) = of(other);
        accuracy >= own && price <= paid && (accuracy > own || price < paid)
    })
}

/// The text of `sweep.html`; `done` trials of `all` are in it.
///
/// # Errors
/// Where a plot cannot be drawn.
pub fn page(points: &[Point], data: &str, done: usize, all: usize) -> Result<String> {
    let body = html! {
        main {
            header {
                h1 { "Groups and channel shuffle" }
                p.soft { "dataset " b { (data) } " · " (done) " of " (all) " trials" }
            }
            @if !points.is_empty() {
                section {
                    h2 { "Accuracy against cost" }
                    p.note {
                        "The int8 net on the test samples: mean over seeds, bars of one standard error. Filled: with "
                        "shuffle, or of one group; hollow: grouped without. The line joins the nets that no other one beats: "
                        "none is as accurate for less."
                    }
                    p.legend { @for (i, groups) in groups(points).iter().enumerate() {
                        span style=(format!("color:var(--turn-{})", i % TURNS.len())) { "\u{25cf} " }
                        (groups) @if *groups == 1 { " group" } @else { " groups" } "\u{2003}"
                    } }
                    @for (name, cost) in COSTS {
                        figure.wide {
                            figcaption { b { "Accuracy against " (name) } }
                            (plot(&format!("int8 accuracy against {name}"), 1072, 340, |area| pareto(area, points, cost, 8))?)
                        }
                    }
                }
                section {
                    h2 { "What the shuffle does" }
                    p.note {
                        "Each complexity by itself: the nets of a row cost the same multiplications, for more groups buy more "
                        "channels."
                    }
                    p.legend { span.key.second { "with shuffle" } span.key.first { "without" } }
                    div.pair { @for channels in complexities(points) {
                        figure {
                            figcaption { b { "Accuracy against groups" } ", " (channels) " channels at one group" }
                            @let label = format!("int8 accuracy against groups, {channels} channels at one group");
                            (plot(&label, 520, 260, |area| by_groups(area, points, channels))?)
                        }
                    } }
                    (shuffles(points))
                }
                section { h2 { "Every net" } (table(points)) }
            }
        }
    };
    Ok(document("sweep", &body))
}

/// The complexities there are, the costliest first.
fn complexities(points: &[Point]) -> Vec<u16> {
    let mut all: Vec<u16> = points.iter().map(|point| point.channels).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    all.dedup();
    all
}

/// The numbers of groups there are, in order.
fn groups(points: &[Point]) -> Vec<u16> {
    let mut groups: Vec<u16> = points.iter().map(|point| point.groups).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// `92.31 % ± 0.05`.
fn spread(values: &[f64]) -> String {
    let (mean, error) = mean(values);
    match error {
        Some(error) => format!("{} \u{b1} {}", percent(mean), fixed(100.0 * error, 2, "")),
        None => percent(mean),
    }
}

/// For each complexity and number of groups, without and with shuffle.
fn shuffles(points: &[Point]) -> Markup {
    let find = |of: &Point, shuffle: bool| {
        points.iter().find(|p| (p.channels, p.groups, p.shuffle) == (of.channels, of.groups, shuffle))
    };
    let pairs: Vec<(&Point, Option<&Point>)> =
        points.iter().filter(|point| !point.shuffle).map(|plain| (plain, find(plain, true))).collect();
    html! {
        div.scroll { table {
            thead { tr {
                th { "complexity" } th.n { "groups" } th.n { "MACs" } th.n { "without shuffle" } th.n { "with shuffle" }
                th.n { "gain, pp" }
            } }
            tbody { @for (plain, shuffled) in pairs { tr {
                td { (plain.channels) " channels at one group" } td.n { (plain.groups) } td.n { (thousands(plain.macs)) }
                td.n { (spread(&plain.int8)) }
                @match shuffled {
                    Some(shuffled) => {
                        td.n { (spread(&shuffled.int8)) }
                        td.n { b { (fixed(100.0 * (mean(&shuffled.int8).0 - mean(&plain.int8).0), 2, "")) } }
                    }
                    None => { td.n.soft { "-" } td.n.soft { "-" } }
                }
            } } }
        } }
    }
}

fn table(points: &[Point]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th.n { "complexity" } th.n { "groups" } th { "shuffle" } th.n { "MACs" } th.n { "weight bytes" }
                th.n { "arena bytes" } th.n { "seeds" } th.n { "float" } th.n { "int8" } th { "on the front of" }
            } }
            tbody { @for (i, point) in points.iter().enumerate() { tr {
                td.n { (point.channels) } td.n { (point.groups) } td { @if point.shuffle { "yes" } @else { "no" } }
                td.n { (thousands(point.macs)) } td.n { (thousands(point.weight_bytes as u64)) }
                td.n { (thousands(point.arena_bytes as u64)) } td.n { (point.int8.len()) }
                td.n { (spread(&point.float)) } td.n { b { (spread(&point.int8)) } }
                @let fronts: Vec<&str> = COSTS.iter().filter(|(_, cost)| on_front(points, i, *cost)).map(|(n, _)| *n).collect();
                td { (fronts.join(", ")) }
            } } }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(groups: u16, shuffle: bool, macs: u64, int8: &[f64]) -> Point {
        Point {
            channels: 20,
            groups,
            shuffle,
            macs,
            weight_bytes: 5,
            int8: int8.to_vec(),
            float: int8.to_vec(),
            ..Point::default()
        }
    }

    #[test]
    fn the_front_holds_what_nothing_beats() {
        let points = [
            point(1, false, 100, &[0.90, 0.92]),
            point(3, true, 90, &[0.93]),
            point(3, false, 80, &[0.85]),
            point(8, true, 85, &[0.84]),
        ];
        let front = |cost| (0..4).map(|i| on_front(&points, i, cost)).collect::<Vec<_>>();
        assert_eq!(front(COSTS[0].1), [false, true, true, false]);
        assert_eq!(front(COSTS[1].1), [false, true, false, false], "at one cost the best alone");
        let (mean, error) = mean(&points[0].int8);
        assert!((mean - 0.91).abs() < 1e-12 && (error.expect("two seeds") - 0.01).abs() < 1e-12);
    }

    #[test]
    fn the_page_shows_gains_and_draws_in_known_colours() {
        let points = [
            point(1, false, 100, &[0.9]),
            point(3, false, 95, &[0.85, 0.86]),
            point(3, true, 95, &[0.91, 0.92]),
        ];
        let page = page(&points, "a & b", 5, 9).expect("draws");
        assert!(page.contains("a &amp; b") && page.contains("5 of 9 trials") && page.contains("<b>6.00</b>"));
        assert_eq!(page.matches("<svg").count(), 4, "a plot for each cost, and one for the only complexity");
        let picture = picture(&points).expect("draws");
        assert!(picture.starts_with("<svg width=\"1080\"") && picture.trim_end().ends_with("</svg>"));
        for part in ["3 groups", "weight bytes", "20 channels at one group", "with shuffle"] {
            assert!(picture.contains(part), "{part}");
        }
        assert!(super::page(&[], "none", 0, 9).expect("draws").contains("0 of 9"));
        assert!(super::picture(&[]).expect("draws").contains("<svg"));
    }
}
