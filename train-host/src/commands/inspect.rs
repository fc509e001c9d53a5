//! `inspect`: what a net is made of, and where its tensors live when.

use std::fmt::Write;

use zipnet::ir::{Graph, Int, TensorId};

use crate::Result;
use crate::cli::InspectArgs;
use crate::export::{Source, Stored};
use crate::graph::{Net, show};
use crate::report::Layer;

pub(super) fn run(args: &InspectArgs) -> Result<()> {
    let stored = Stored::load(&args.dir)?;
    super::print(&describe(&stored))
}

/// Where the net comes from, layers, totals, and the arena over time.
pub(super) fn describe(stored: &Stored) -> String {
    let net = &stored.net;
    let mut text = format!(
        "{}: {} in, {} out; {}\n",
        net.name,
        show(net.input_shape()),
        show(net.output_shape()),
        stored.origin.source
    );
    if let Source::Imported { notes, .. } = &stored.origin.source {
        for note in notes {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "- {note}");
        }
    }
    text.push('\n');
    let mut rows = vec![
        ["layer", "operator", "input", "output", "MACs", "bits", "weight bytes"].map(str::to_owned).to_vec(),
    ];
    for layer in Layer::all(net) {
        let (macs, bytes) = (layer.macs.to_string(), layer.weight_bytes.to_string());
        let bits = layer.bits.map(|bits| bits.to_string()).unwrap_or_default();
        let input = layer.input.replace(", ", " + ");
        rows.push(vec![layer.name, layer.op, input, layer.output, macs, bits, bytes]);
    }
    let total = ["total", "", "", ""].map(str::to_owned).into_iter();
    rows.push(total.chain([net.macs().to_string(), String::new(), net.weight_bytes().to_string()]).collect());
    text.push_str(&align(&rows));
    text.push('\n');
    text.push_str(&net.with(|graph| arena(net, graph, stored.arena)));
    text
}

/// A row for each tensor, a column for each step; then the bytes live at each step.
fn arena(net: &Net<Int>, graph: &Graph<'_, Int>, size: usize) -> String {
    let steps = net.nodes.len() + 1; // step 0 is the caller filling the input
    let mut rows = vec![vec!["bytes".to_owned(), "tensor".to_owned(), "live, step by step".to_owned()]];
    let mut live = vec![0; steps];
    let mut ids: Vec<TensorId> = (0..net.tensors.len()).map(|i| TensorId(i as u16)).collect();
    ids.sort_by_key(|&id| (graph.bytes(id).0, graph.first(id)));
    for id in ids {
        let (from, to) = graph.bytes(id);
        let (first, last) = (graph.first(id).unwrap_or(0), graph.last(id));
        let mut bar = String::new();
        for (step, bytes) in live.iter_mut().enumerate() {
            let on = (first..=last).contains(&step);
            bar.push(if on { '#' } else { '.' });
            *bytes += if on { to - from } else { 0 };
        }
        let name = match first {
            0 => "input",
            step => &net.nodes[step - 1].name,
        };
        rows.push(vec![format!("{from}..{to}"), name.to_owned(), bar]);
    }
    let mut text = format!("arena: {size} bytes\n");
    text.push_str(&align(&rows));
    if let Some((step, bytes)) =
        live.iter().enumerate().max_by_key(|&(step, bytes)| (bytes, std::cmp::Reverse(step)))
    {
        let name = if step == 0 { "filling the input" } else { &net.nodes[step - 1].name };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "most live at once: {bytes} bytes, at {name} (tensors that share bytes count twice)"
        );
    }
    text
}

/// Columns as wide as their widest cell; cells that are numbers stand to the right.
fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|row| row.get(c)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            let number = cell.bytes().all(|b| b.is_ascii_digit());
            let _ = if number { write!(line, "{cell:>width$}  ") } else { write!(line, "{cell:<width$}  ") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
