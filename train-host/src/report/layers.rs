//! The layers, and how much of each one's signal int8 keeps.

use maud::{Markup, html};

use super::number::{fixed, percent, thousands};
use super::{Layer, Report};

/// The section; nothing where no layer is known.
pub(super) fn section(report: &Report) -> Option<Markup> {
    if report.layers.is_empty() {
        return None;
    }
    let full = full_scale(&report.layers);
    let macs: u64 = report.layers.iter().map(|l| l.macs).sum();
    let weights: usize = report.layers.iter().map(|l| l.weight_bytes).sum();
    Some(html! {
        section {
            h2 { "Layers" }
            p.note {
                "SQNR is the power of the float net's output over that of what int8 adds to it: 6 dB more is half the "
                "noise, one bit more."
                @if let Some(layer) = weakest(&report.layers) {
                    " Least: " b { (layer.name) } ", " (decibels(layer)) " dB."
                }
            }
            div.scroll {
                table.layers {
                    thead { tr {
                        th.n { "step" } th { "layer" } th { "operator" } th { "input" } th { "output" }
                        th.n { "MACs" } th.n { "share" } th.n { "bits" } th.n { "weight bytes" }
                        th.n { "SQNR, dB" } th.scale { span { "0" } span { (fixed(full, 0, "")) } }
                    } }
                    tbody { @for (step, layer) in report.layers.iter().enumerate() { tr {
                        td.n.soft { (step) }
                        td { b { (layer.name) } }
                        td { (layer.op) }
                        td { (layer.input) }
                        td { (layer.output) }
                        td.n { (thousands(layer.macs)) }
                        td.n.soft { @if layer.macs > 0 { (percent(layer.macs as f64 / macs as f64)) } }
                        td.n { @if let Some(bits) = layer.bits { (bits) } }
                        td.n { (thousands(layer.weight_bytes as u64)) }
                        td.n { (decibels(layer)) }
                        td.bar { @if let Some(db) = measured(layer) {
                            span style=(format!("width:{:.1}%", (100.0 * db / full).clamp(0.0, 100.0))) {}
                        } }
                    } } }
                    tfoot { tr {
                        td {} td { "all" } td {} td {} td {}
                        td.n { (thousands(macs)) } td {} td {} td.n { (thousands(weights as u64)) } td {} td {}
                    } }
                }
            }
        }
    })
}

fn measured(layer: &Layer) -> Option<f64> {
    layer.sqnr_db.filter(|db| db.is_finite())
}

/// A layer's SQNR as text; a dash where there is none.
pub(super) fn decibels(layer: &Layer) -> String {
    fixed(measured(layer).unwrap_or(f64::NAN), 1, "")
}

fn weakest(layers: &[Layer]) -> Option<&Layer> {
    let known = layers.iter().filter_map(|layer| Some((measured(layer)?, layer)));
    known.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, layer)| layer)
}

/// What a full bar stands for: the next ten decibels above all.
fn full_scale(layers: &[Layer]) -> f64 {
    let most = layers.iter().filter_map(measured).fold(0.0, f64::max);
    (most / 10.0).ceil().max(1.0) * 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weakest_is_the_least_finite_one() {
        let layer = |name: &str, sqnr_db| Layer { name: name.into(), sqnr_db, ..Layer::default() };
        let layers = [
            layer("a", Some(41.2)),
            layer("b", None),
            layer("c", Some(f64::NEG_INFINITY)),
            layer("d", Some(31.0)),
        ];
        assert_eq!(weakest(&layers).map(|l| l.name.as_str()), Some("d"));
        assert_eq!(full_scale(&layers), 50.0);
        assert_eq!(full_scale(&[]), 10.0);
    }
}
