//! `inspect`: what a net is made of, and where its tensors live when.

use std::fmt::Write;
use std::ops::{Range, RangeInclusive};

use zipnet::ir::{Graph, Int, TensorId};

use crate::Result;
use crate::cli::InspectArgs;
use crate::export::{Source, Stored, Streamed};
use crate::graph::{Net, NetNode, show};
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
    text.push_str(&by_rows(stored));
    text
}

/// Bytes of the arena that something takes for some steps.
struct Place {
    name: String,
    bytes: Range<usize>,
    steps: RangeInclusive<usize>,
}

/// Every tensor and every scratch; step 0 is the caller filling the input.
fn places(net: &Net<Int>, graph: &Graph<'_, Int>) -> Vec<Place> {
    let tensor = |id: TensorId| {
        let (from, to) = graph.bytes(id);
        let first = graph.first(id).unwrap_or(0);
        let name = first.checked_sub(1).map_or("input", |i| &net.nodes[i].name);
        Place { name: name.to_owned(), bytes: from..to, steps: first..=graph.last(id) }
    };
    let scratch = |(i, node): (usize, &NetNode<Int>)| {
        let at = node.store.scratch;
        let bytes = at.offset as usize..at.end();
        (at.len > 0).then(|| Place { name: format!("scratch of {}", node.name), bytes, steps: i + 1..=i + 1 })
    };
    let tensors = (0..net.tensors.len()).map(|i| tensor(TensorId(i as u16)));
    let mut places: Vec<Place> = tensors.chain(net.nodes.iter().enumerate().filter_map(scratch)).collect();
    places.sort_by_key(|place| (place.bytes.start, *place.steps.start()));
    places
}

/// A row for each tensor and each scratch, a column for each step; then the step that needs most.
fn arena(net: &Net<Int>, graph: &Graph<'_, Int>, size: usize) -> String {
    let steps = net.nodes.len() + 1;
    let places = places(net, graph);
    let mut rows = vec![vec!["bytes".to_owned(), "tensor".to_owned(), "live, step by step".to_owned()]];
    for Place { name, bytes, steps: live } in &places {
        let bar = (0..steps).map(|step| if live.contains(&step) { '#' } else { '.' }).collect();
        rows.push(vec![format!("{}..{}", bytes.start, bytes.end), name.clone(), bar]);
    }
    let mut text = format!("arena: {size} bytes\n");
    text.push_str(&align(&rows));
    let peak = (0..steps).max_by_key(|&step| (alive(&places, step).0, std::cmp::Reverse(step))).unwrap_or(0);
    let (bytes, parts) = alive(&places, peak);
    let name = peak.checked_sub(1).map_or("filling the input", |i| &net.nodes[i].name);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "peak: {bytes} bytes, at {name}: {}", parts.join(", "));
    text
}

/// The bytes that are taken at a step, those that are shared once, and by what. Places lie in the order of their first
/// bytes.
fn alive(places: &[Place], step: usize) -> (usize, Vec<String>) {
    let (mut bytes, mut end, mut parts) = (0, 0, Vec::new());
    for place in places.iter().filter(|place| place.steps.contains(&step)) {
        bytes += place.bytes.end.saturating_sub(place.bytes.start.max(end));
        end = end.max(place.bytes.end);
        parts.push(format!("{} {}", place.name, place.bytes.len()));
    }
    (bytes, parts)
}

/// What it would save to bring the input row by row, or why that cannot be.
fn by_rows(stored: &Stored) -> String {
    match Streamed::new(&stored.net) {
        Ok(cut) => {
            let (rows, of) = (cut.rows(), stored.net.input_shape().h);
            let whole = stored.net.with(|graph| graph.arena_len());
            let saved = match whole.saturating_sub(cut.arena) {
                0 => "no fewer, for the peak is not at the first layer".to_owned(),
                fewer => format!("{fewer} fewer"),
            };
            format!(
                "input row by row (--stream): {rows} of {of} rows are kept; {} bytes of arena, {saved}\n",
                cut.arena
            )
        }
        Err(e) => format!("{e}\n"),
    }
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
