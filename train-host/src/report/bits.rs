//! How the int8 net came by its weights: the bits of each layer, and what training on in int8 did.

use maud::{Markup, html};

use super::number::{fixed, percent, seconds, thousands};
use super::terminal::columns;
use super::{Qat, Report};
use crate::quantise::{Cost, MixedPlan};

/// Columns of the table of layers, and which of them are numbers.
const HEAD: [(&str, bool); 6] = [
    ("layer", false),
    ("bytes at 8", true),
    ("bytes at 4", true),
    ("SQNR alone, dB", true),
    ("wrong alone", true),
    ("bits", true),
];

/// What is told on the terminal; nothing where nothing was chosen or trained. Lines end in a newline.
pub(super) fn terminal(report: &Report) -> Option<String> {
    let mut text = String::new();
    if let Some(plan) = &report.mixed {
        let mut rows = vec![HEAD.map(|(head, _)| head.to_owned()).to_vec()];
        rows.extend(rows_of(plan));
        text.push_str(&columns(&rows, &HEAD.map(|(_, number)| number)));
        text.push_str(&format!("{}\n", sentence(plan)));
    }
    if let Some(qat) = &report.qat {
        text.push_str(&format!("{}\n", trained(qat, report)));
    }
    (!text.is_empty()).then_some(text)
}

/// The section; nothing where nothing was chosen or trained.
pub(super) fn section(report: &Report) -> Option<Markup> {
    if report.mixed.is_none() && report.qat.is_none() {
        return None;
    }
    Some(html! {
        section {
            h2 { "Quantisation" }
            @if let Some(qat) = &report.qat { p.note { (trained(qat, report)) } }
            @if let Some(plan) = &report.mixed {
                p.note {
                    "Each layer with weights was quantised to 4 bits alone, all others to 8. " (sentence(plan))
                }
                div.scroll {
                    table.layers {
                        thead { tr { @for (head, number) in HEAD { th.n[number] { (head) } } } }
                        tbody { @for row in rows_of(plan) {
                            tr { @for (cell, (_, number)) in row.iter().zip(HEAD) { td.n[number] { (cell) } } }
                        } }
                    }
                }
            }
        }
    })
}

fn rows_of(plan: &MixedPlan) -> Vec<Vec<String>> {
    let row = |layer: &crate::quantise::Sensitivity| {
        vec![
            layer.layer.clone(),
            thousands(layer.bytes_8 as u64),
            thousands(layer.bytes_4 as u64),
            decibels(layer.alone),
            thousands(layer.alone.errors as u64),
            layer.bits.to_string(),
        ]
    };
    plan.layers.iter().map(row).collect()
}

fn sentence(plan: &MixedPlan) -> String {
    format!(
        "Of {} training samples {} are wrong at 8 bits ({} dB), {} as planned ({} dB): {} bytes of the {} allowed.",
        thousands(plan.samples as u64),
        thousands(plan.all_8.errors as u64),
        decibels(plan.all_8),
        thousands(plan.planned.errors as u64),
        decibels(plan.planned),
        thousands(plan.weight_bytes as u64),
        thousands(plan.flash as u64),
    )
}

fn trained(qat: &Qat, report: &Report) -> String {
    format!(
        "Trained in int8 for {} epochs ({}): {} wrong as it was quantised, {} after ({}).",
        qat.epochs,
        seconds(qat.seconds),
        thousands(qat.before.errors),
        thousands(report.int8.errors),
        percent(report.int8.accuracy),
    )
}

fn decibels(cost: Cost) -> String {
    fixed(cost.sqnr_db.unwrap_or(f64::NAN), 1, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantise::Sensitivity;
    use crate::report::Score;

    #[test]
    fn every_form_tells_what_was_chosen_and_trained() {
        let layer = |name: &str, db, errors, bits| Sensitivity {
            layer: name.into(),
            bytes_8: 4_000,
            bytes_4: 2_100,
            alone: Cost { sqnr_db: Some(db), errors },
            bits,
        };
        let report = Report {
            int8: Score::new(27, 2_007),
            mixed: Some(MixedPlan {
                flash: 7_000,
                weight_bytes: 6_100,
                samples: 1_000,
                all_8: Cost { sqnr_db: Some(38.0), errors: 4 },
                planned: Cost { sqnr_db: Some(19.5), errors: 11 },
                layers: vec![layer("h<1>", 31.25, 5, 4), layer("h2", 17.0, 12, 8)],
            }),
            qat: Some(Qat { epochs: 12, seconds: 3.0, before: Score::new(44, 2_007), ..Qat::default() }),
            ..Report::default()
        };
        let text = report.terminal();
        for part in [
            "h<1>",
            "31.2",
            "6,100 bytes of the 7,000",
            "12 epochs",
            "44 wrong as it was quantised, 27 after",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let page = report.html().expect("a page");
        assert!(page.contains("h&lt;1&gt;") && page.contains("44 wrong"), "{page}");
        let json: serde_json::Value = serde_json::from_str(&report.json()).expect("is JSON");
        assert_eq!(json["qat"]["int8_before"]["errors"], 44);
        assert_eq!(json["mixed"]["layers"][1]["bits"], 8);
        assert_eq!(json["mixed"]["layers"][0]["errors"], 5);
        let plain = Report { mixed: None, qat: None, ..report };
        assert!(terminal(&plain).is_none() && section(&plain).is_none() && !plain.json().contains("qat"));
    }
}
