//! A net beside the one it was made from.

use maud::{Markup, html};

use super::confusion::{MATRIX, matrix};
use super::number::{fixed, percent, thousands};
use super::terminal::columns;
use super::{Before, Layer, Report};

impl Before {
    /// Float accuracy of the old net minus that of the new one, in percentage points.
    pub fn lost_to_rewriting_pp(&self, new: &Report) -> f64 {
        100.0 * (self.float.accuracy - new.float.accuracy)
    }

    /// Float accuracy of the old net minus int8 accuracy of the new one, in percentage points.
    pub fn lost_in_all_pp(&self, new: &Report) -> f64 {
        100.0 * (self.float.accuracy - new.int8.accuracy)
    }

    /// What is told on the terminal: what became of the layers, then old beside new. Lines end in a newline.
    pub(super) fn terminal(&self, new: &Report) -> String {
        let mut rows = vec![["layer", "was", "became", "why"].map(str::to_owned).to_vec()];
        for change in &self.changes {
            let became = change.became.clone().unwrap_or_else(|| "left".to_owned());
            let why = change.why.clone().unwrap_or_default();
            rows.push(vec![change.layer.clone(), change.was.clone(), became, why]);
        }
        let mut text = columns(&rows, &[false; 4]);
        text.push('\n');
        let mut rows = vec![["", "old", "new", ""].map(str::to_owned).to_vec()];
        rows.extend(self.figures(new).map(Vec::from));
        text.push_str(&columns(&rows, &[false, true, true, true]));
        for (name, lost) in self.losses(new) {
            text.push_str(&format!("{name}: {}\n", fixed(lost, 2, " pp")));
        }
        text
    }

    /// Name, old, new, and how they compare.
    fn figures(&self, new: &Report) -> [[String; 4]; 6] {
        let size = |name: &str, old: u64, new: u64| {
            [name.to_owned(), thousands(old), thousands(new), fewer(old as f64, new as f64)]
        };
        let share = |name: &str, old: f64, new: f64| {
            [name.to_owned(), percent(old), percent(new), fixed(100.0 * (new - old), 2, " pp")]
        };
        [
            size("parameters", self.params as u64, new.params as u64),
            size("MACs", self.macs, new.macs),
            size("weight bytes", self.weight_bytes as u64, new.weight_bytes as u64),
            size("arena bytes", self.arena_bytes as u64, new.arena_bytes as u64),
            share("float accuracy", self.float.accuracy, new.float.accuracy),
            share("int8 accuracy", self.int8.accuracy, new.int8.accuracy),
        ]
    }

    fn losses(&self, new: &Report) -> [(&'static str, f64); 3] {
        [
            ("lost to the rewriting (old float - new float)", self.lost_to_rewriting_pp(new)),
            ("lost to quantising (new float - new int8)", new.accuracy_lost_pp()),
            ("lost in all (old float - new int8)", self.lost_in_all_pp(new)),
        ]
    }
}

/// How many times as much the old one has, or the new one.
fn fewer(old: f64, new: f64) -> String {
    if new > old { fixed(new / old, 2, "x more") } else { fixed(old / new, 2, "x less") }
}

/// The section; nothing for a net that was made from no other.
pub(super) fn section(report: &Report) -> Option<Markup> {
    let before = report.before.as_ref()?;
    let rows = by_layer(&before.layers, &report.layers);
    let most = |of: fn(&Row) -> [f64; 2]| rows.iter().flat_map(of).fold(1.0, f64::max);
    let (macs, bytes) = (most(|row| row.macs), most(|row| row.bytes));
    Some(html! {
        section {
            h2 { "Made from " (before.model) }
            p.note {
                @for (i, (name, lost)) in before.losses(report).into_iter().enumerate() {
                    @if i > 0 { "; " } (name) ": " b { (fixed(lost, 2, " pp").replace('-', "\u{2212}")) }
                }
                "."
            }
            div.scroll {
                table {
                    thead { tr { th {} th.n { "old" } th.n { "new" } th.n {} } }
                    tbody { @for [name, old, new, how] in before.figures(report) {
                        tr { td { (name) } td.n.first { (old) } td.n.second { (new) } td.n.soft { (how) } }
                    } }
                }
            }
            h3 { "Layer by layer" }
            p.legend { span.key.first { "old" } span.key.second { "new, all that the layer became" } }
            div.scroll {
                table.layers {
                    thead { tr {
                        th { "layer" } th.n { "MACs" } th.scale {} th.n { "weight bytes" } th.scale {}
                    } }
                    tbody { @for row in &rows { tr {
                        td { b { (row.name) } }
                        (bars(row.macs, macs)) (bars(row.bytes, bytes))
                    } } }
                }
            }
            h3 { "What became of what" }
            div.scroll {
                table {
                    thead { tr { th { "layer" } th { "was" } th { "became" } th { "why" } } }
                    tbody { @for change in &before.changes { tr {
                        td { b { (change.layer) } } td { (change.was) }
                        @match &change.became { Some(became) => td { (became) }, None => td.soft { "left" } }
                        td.soft { (change.why.as_deref().unwrap_or_default()) }
                    } } }
                }
            }
            @if (1..=MATRIX).contains(&before.confusion.len()) {
                h3 { "Confusion matrices" }
                div.pair {
                    figure { figcaption { b { "Old" } ", int8" } (matrix(report, &before.confusion)) }
                    figure { figcaption { b { "New" } ", int8" } (matrix(report, &report.confusion)) }
                }
            }
        }
    })
}

/// Two cells: figures, and bars over `most`.
fn bars(values: [f64; 2], most: f64) -> Markup {
    html! {
        td.n { @for (value, class) in values.iter().zip(["first", "second"]) {
            div class=(class) { (thousands(*value as u64)) }
        } }
        td.bar.twin { @for (value, class) in values.iter().zip(["first", "second"]) {
            span class=(class) style=(format!("width:{:.1}%", (100.0 * value / most).clamp(0.0, 100.0))) {}
        } }
    }
}

/// An old layer with what it cost, and what all that it became costs.
struct Row {
    name: String,
    macs: [f64; 2],
    bytes: [f64; 2],
}

/// A row for each layer with weights. A new layer belongs to the old one of its name, or of the longest name that
/// its own continues after an underscore.
fn by_layer(old: &[Layer], new: &[Layer]) -> Vec<Row> {
    let weighted = |layer: &&Layer| layer.weight_bytes > 0;
    let row = |layer: &Layer| Row {
        name: layer.name.clone(),
        macs: [layer.macs as f64, 0.0],
        bytes: [layer.weight_bytes as f64, 0.0],
    };
    let mut rows: Vec<Row> = old.iter().filter(weighted).map(row).collect();
    for layer in new.iter().filter(weighted) {
        let belongs = |row: &&mut Row| {
            layer.name.strip_prefix(&row.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        let (macs, bytes) = (layer.macs as f64, layer.weight_bytes as f64);
        match rows.iter_mut().filter(belongs).max_by_key(|row| row.name.len()) {
            Some(row) => {
                row.macs[1] += macs;
                row.bytes[1] += bytes;
            }
            None => rows.push(Row { name: layer.name.clone(), macs: [0.0, macs], bytes: [0.0, bytes] }),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Change, Score};

    fn layer(name: &str, macs: u64, weight_bytes: usize) -> Layer {
        Layer { name: name.into(), macs, weight_bytes, ..Layer::default() }
    }

    fn report() -> Report {
        let before = Before {
            model: "old<".into(),
            float: Score::new(75, 1_000),
            int8: Score::new(77, 1_000),
            macs: 4_000,
            weight_bytes: 900,
            layers: vec![layer("c1", 1_000, 100), layer("relu", 0, 0), layer("c12", 3_000, 800)],
            confusion: vec![vec![500, 40], vec![37, 423]],
            changes: vec![Change {
                layer: "c1".into(),
                was: "conv2d".into(),
                became: None,
                why: Some("reads 1 channel".into()),
            }],
            ..Before::default()
        };
        Report {
            float: Score::new(80, 1_000),
            int8: Score::new(81, 1_000),
            macs: 1_000,
            weight_bytes: 300,
            layers: vec![
                layer("c1", 1_000, 100),
                layer("c12_in", 200, 20),
                layer("c12", 300, 30),
                layer("new", 1, 1),
            ],
            confusion: vec![vec![500, 41], vec![40, 419]],
            before: Some(before),
            ..Report::default()
        }
    }

    #[test]
    fn a_layer_counts_with_all_that_it_became() {
        let report = report();
        let rows = by_layer(&report.before.as_ref().expect("made from another").layers, &report.layers);
        let told: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.macs, row.bytes)).collect();
        assert_eq!(
            told,
            [
                ("c1", [1_000.0, 1_000.0], [100.0, 100.0]),
                ("c12", [3_000.0, 500.0], [800.0, 50.0]),
                ("new", [0.0, 1.0], [0.0, 1.0])
            ]
        );
    }

    #[test]
    fn losses_are_told_apart_in_every_form() {
        let report = report();
        let text = report.terminal();
        for part in
            ["4.00x less", "3.00x less", "reads 1 channel", "new int8): 0.60 pp", "new float): 0.50 pp"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        let json: serde_json::Value = serde_json::from_str(&report.json()).expect("is JSON");
        let lost = |key: &str| json["before"][key].as_f64().expect("a number");
        assert!((lost("lost_to_rewriting_pp") - 0.5).abs() < 1e-9);
        assert!((lost("lost_in_all_pp") - 0.6).abs() < 1e-9);
        let page = report.html().expect("a page");
        assert!(page.contains("Made from old&lt;") && page.contains("width:16.7%"), "{page}");
        assert_eq!(page.matches("table class=\"confusion\"").count(), 3);
        let alone = Report { before: None, ..report };
        assert!(!alone.html().expect("a page").contains("Made from") && !alone.json().contains("before"));
    }
}
