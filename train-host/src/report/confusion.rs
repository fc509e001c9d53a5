//! Which class the int8 net takes for which.

use maud::{Markup, html};

use super::Report;
use super::number::{counted, fixed, thousands};

/// Beyond so many classes a matrix is no longer readable, and the pairs most often confused are listed alone.
pub(super) const MATRIX: usize = 40;

/// Pairs in the list: beside a matrix, and instead of one.
const PAIRS: (usize, usize) = (5, 40);

/// The section; nothing where nothing was counted.
pub(super) fn section(report: &Report) -> Option<Markup> {
    let counts = &report.confusion;
    if counts.is_empty() {
        return None;
    }
    let whole = counts.len() <= MATRIX;
    let pairs = confused(counts, if whole { PAIRS.0 } else { PAIRS.1 });
    Some(html! {
        section {
            h2 { "Confusion matrix" }
            p.note {
                "Test samples by their true class (rows) and the int8 net's answer (columns). "
                @if pairs.is_empty() { "It confuses no two classes." }
                @else if whole && pairs[0].2 == 1 { "It confuses no two classes more than once." }
                @else if whole {
                    "Most often confused: "
                    @for (i, (truth, answer, count)) in pairs.iter().filter(|pair| pair.2 > 1).enumerate() {
                        @if i > 0 { "; " }
                        b { (report.class(*truth)) } " taken for " b { (report.class(*answer)) } ", "
                        (counted(u64::from(*count), "time"))
                    }
                    "."
                }
            }
            @if whole { (matrix(report, counts)) } @else { (list(report, &pairs)) }
        }
    })
}

/// Counts as a table, the classes named as in the report.
pub(super) fn matrix(report: &Report, counts: &[Vec<u32>]) -> Markup {
    let columns = counts.iter().map(Vec::len).max().unwrap_or(0);
    let worst = confused(counts, 1).first().map_or(1, |(.., count)| *count);
    let column = |c: usize| counts.iter().map(|row| u64::from(row.get(c).copied().unwrap_or(0))).sum::<u64>();
    html! {
        div.scroll {
            table.confusion {
                thead { tr {
                    th { "true class" }
                    @for c in 0..columns { th.n { (report.class(c)) } }
                    th.n.edge { "samples" } th.n { "recall, %" }
                } }
                tbody { @for (r, row) in counts.iter().enumerate() {
                    @let total: u64 = row.iter().map(|n| u64::from(*n)).sum();
                    tr {
                        th { (report.class(r)) }
                        @for (c, count) in row.iter().enumerate() {
                            (cell(*count, c == r, if c == r { total } else { u64::from(worst) }))
                        }
                        td.n.edge { (thousands(total)) }
                        @let right = row.get(r).copied().map_or(0.0, f64::from);
                        td.n { (fixed(100.0 * right / total as f64, 2, "")) }
                    }
                } }
                tfoot { tr {
                    th { "precision, %" }
                    @for c in 0..columns {
                        @let right = counts.get(c).and_then(|row| row.get(c)).copied().map_or(0.0, f64::from);
                        td.n { (fixed(100.0 * right / column(c) as f64, 2, "")) }
                    }
                    td.n.edge { (thousands((0..columns).map(column).sum())) } td {}
                } }
            }
        }
    }
}

/// A count on a ground that is the darker the more of `most` it is.
fn cell(count: u32, right: bool, most: u64) -> Markup {
    let shade = if most == 0 { 0.0 } else { f64::from(count) / most as f64 };
    let shade = if right { 0.25 * shade } else { 0.12 + 0.43 * shade };
    let class = if right { "right" } else { "off" };
    html! {
        @if count == 0 { td.n.zero { "0" } }
        @else { td.n.(class) style=(format!("--shade:{shade:.2}")) { (thousands(u64::from(count))) } }
    }
}

fn list(report: &Report, pairs: &[(usize, usize, u32)]) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th { "true class" } th { "taken for" } th.n { "times" } } }
                tbody { @for (truth, answer, count) in pairs { tr {
                    td { (report.class(*truth)) } td { (report.class(*answer)) } td.n { (thousands(u64::from(*count))) }
                } } }
            }
        }
    }
}

/// The pairs of classes most often confused: truth, answer, count; at most `most`, the greatest counts first.
fn confused(counts: &[Vec<u32>], most: usize) -> Vec<(usize, usize, u32)> {
    let mut pairs = Vec::new();
    for (truth, row) in counts.iter().enumerate() {
        let off = row.iter().enumerate().filter(|(answer, count)| *answer != truth && **count > 0);
        pairs.extend(off.map(|(answer, count)| (truth, answer, *count)));
    }
    pairs.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
    pairs.truncate(most);
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_confused_come_first_and_the_diagonal_never() {
        let counts = vec![vec![90, 1, 0], vec![4, 80, 2], vec![0, 0, 0]];
        assert_eq!(confused(&counts, 2), [(1, 0, 4), (1, 2, 2)]);
    }
}
