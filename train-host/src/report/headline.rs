//! The figures that matter first.

use maud::{Markup, html};

use super::number::{bytes, fixed, kibibytes, percent, seconds, thousands};
use super::{Report, Score};

/// What the page opens with.
pub(super) fn section(report: &Report) -> Markup {
    let lost = report.accuracy_lost_pp();
    let facts = [
        ("agreement", percent(report.agreement), "same class".to_owned()),
        ("parameters", thousands(report.params as u64), "weights and biases".to_owned()),
        ("MACs", thousands(report.macs), "for one inference".to_owned()),
        ("weights", bytes(report.weight_bytes), format!("{} of flash", kibibytes(report.weight_bytes))),
        ("arena", bytes(report.arena_bytes), format!("{} of RAM", kibibytes(report.arena_bytes))),
        ("training", seconds(report.train_seconds), "on the host".to_owned()),
    ];
    html! {
        header {
            h1 { (report.model) }
            p.soft { "dataset " b { (report.dataset) } " · " (report.classes.len()) " classes · seed " b { (report.seed) } }
        }
        section.headline {
            div.scores {
                (score("float", "first", report.float))
                (score("int8", "second", report.int8))
                div.score {
                    h2 { "accuracy lost" }
                    p.figure { (pp(lost)) }
                    p.soft { (verdict(lost)) }
                }
            }
            dl.facts {
                @for (name, figure, meaning) in facts {
                    div { dt { (name) } dd.figure { (figure) } dd.soft { (meaning) } }
                }
            }
        }
    }
}

fn score(name: &str, class: &str, score: Score) -> Markup {
    html! {
        div.score.(class) {
            h2 { (name) " accuracy" }
            p.figure { (percent(score.accuracy)) }
            p.soft { (thousands(score.errors)) " of " (thousands(score.samples)) " wrong" }
        }
    }
}

/// Percentage points, with a true minus sign.
fn pp(lost: f64) -> String {
    fixed(lost, 2, " pp").replace('-', "\u{2212}")
}

fn verdict(lost: f64) -> &'static str {
    match lost {
        _ if lost.is_nan() => "not measured",
        _ if lost > 0.0 => "float does better",
        _ if lost < 0.0 => "int8 does better",
        _ => "both do equally well",
    }
}
