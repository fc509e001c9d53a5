//! What is printed when a run is over: plain text, so that it reads the same on a terminal, in a log and in a file.

use super::number::{bytes, fixed, percent, seconds, thousands};
use super::{Report, Score, bits, layers};

/// Spaces between columns.
const GAP: &str = "  ";

impl Report {
    /// The summary for the terminal: the layers, then the figures, the last of which is the accuracy lost. Lines end in
    /// a newline; there are no colours.
    pub fn terminal(&self) -> String {
        let mut text = String::new();
        if let Some(before) = &self.before {
            text.push_str(&before.terminal(self));
            text.push('\n');
        }
        if let Some(told) = bits::terminal(self) {
            text.push_str(&told);
            text.push('\n');
        }
        if !self.layers.is_empty() {
            text.push_str(&self.layer_table());
            text.push('\n');
        }
        let name = |text: &str| text.to_owned();
        let score = |s: Score| {
            format!("{}  ({} of {} wrong)", percent(s.accuracy), thousands(s.errors), thousands(s.samples))
        };
        let rows = [
            [name("parameters"), thousands(self.params as u64)],
            [name("MACs"), thousands(self.macs)],
            [name("weights (flash)"), bytes(self.weight_bytes)],
            [name("arena (RAM)"), bytes(self.arena_bytes)],
            [name("training time"), seconds(self.train_seconds)],
            [name("float accuracy"), score(self.float)],
            [name("int8 accuracy"), score(self.int8)],
            [name("same answer"), percent(self.agreement)],
            [name("accuracy lost"), fixed(self.accuracy_lost_pp(), 2, " pp")],
        ];
        text.push_str(&columns(&rows.map(Vec::from), &[false, false]));
        text
    }

    fn layer_table(&self) -> String {
        let head = ["layer", "operator", "input", "output", "MACs", "bits", "bytes", "SQNR dB"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for layer in &self.layers {
            rows.push(vec![
                layer.name.clone(),
                layer.op.clone(),
                layer.input.clone(),
                layer.output.clone(),
                thousands(layer.macs),
                layer.bits.map(|bits| bits.to_string()).unwrap_or_default(),
                thousands(layer.weight_bytes as u64),
                layers::decibels(layer),
            ]);
        }
        columns(&rows, &[false, false, false, false, true, true, true, true])
    }
}

/// Rows as lines, each column as wide as its widest cell, those named `right` flush right.
pub(super) fn columns(rows: &[Vec<String>], right: &[bool]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..right.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .zip(right)
            .map(
                |((cell, width), right)| {
                    if *right { format!("{cell:>width$}") } else { format!("{cell:width$}") }
                },
            )
            .collect();
        text.push_str(cells.join(GAP).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Layer;

    #[test]
    fn columns_align_and_the_accuracy_lost_is_last() {
        let layer = |name: &str, macs, sqnr_db| Layer {
            name: name.into(),
            op: "conv2d".into(),
            macs,
            sqnr_db,
            ..Layer::default()
        };
        let report = Report {
            layers: vec![layer("h1", 19_200, Some(38.25)), layer("relu <1>", 0, None)],
            float: Score::new(20, 2_000),
            int8: Score::new(24, 2_000),
            ..Report::default()
        };
        let text = report.terminal();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.last(), Some(&"accuracy lost    0.20 pp"));
        assert!(
            lines[1].starts_with("h1        conv2d") && lines[2].starts_with("relu <1>  conv2d"),
            "{text}"
        );
        assert!(lines[1].ends_with("38.2") && lines[2].ends_with(" -"), "{text}");
        assert_eq!(lines[0].chars().count(), lines[1].chars().count());
        assert!(text.is_ascii() && !text.contains('\u{1b}'), "{text}");
    }
}
