//! What a shape may cost: as comma-separated values, and what is too much, on the standard error output.
//!
//! # Norm
//! Shapes differ in size, so costs are compared with what an operator of such a size would take at an even pace, its *norm*:
//!
//! ```text
//! norm = a * MACs + b * outputs + c * inputs + d + e * MACs / units
//! ```
//!
//! `b` is what any kernel pays for an output (a bias, a requantisation, a store), `c` for an input (one load, one
//! widening), `d` for a call, `e` for an element of a window, which all units of its group share. The *pace* of a shape is its
//! cost divided by its norm.
//!
//! # Neighbours
//! Two shapes of one operator are neighbours where they differ in one coordinate only, and no shape of the grid lies between
//! them. A shape falls off a cliff where its pace is more than 1.3 times that of its slowest neighbour but one: those on
//! both sides of it are faster by as much. Where it has one neighbour only, that one counts.
//!
//! # Bar
//! What TensorFlow Lite Micro with CMSIS-NN's kernels takes for a shape of the kind on this core, by a line of the same form
//! that lies at or below each whole layer that was measured. In cycles a MAC those are: 3x3 convolution 2.2 to 3.0, over 3
//! channels 6.4, 10x4 over one 4.6; 1x1 of 64 channels 2.5, of 32 and 16 4.0 and 5.3; depthwise 3x3 8.3 to 10.6, k x 1 14 to
//! 30; dense 2.5 to 2.9, with few inputs or outputs 3.6 to 11; and 101 cycles an element of a sum, 10.5 an element of a window of
//! a mean, 222 to 540 an element of a softmax.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use train_host::export::{Target, pack};
use train_host::{Error, Result};
use zipnet::ir::Packing;

use super::made::plain;
use super::shapes::{Kind, Point, grid};

/// How much slower than its neighbours a shape may be.
const CLIFF: f64 = 1.3;

/// A shape and what it took.
struct Row {
    point: Point,
    macs: f64,
    outputs: f64,
    inputs: f64,
    instructions: u64,
    cycles: Option<u64>,
    /// How its weights lie, and the bytes of scratch that its kernel was given.
    packing: Packing,
    scratch: u32,
}

impl Row {
    /// Cycles, or instructions where nobody estimated those.
    fn cost(&self) -> f64 {
        self.cycles.unwrap_or(self.instructions) as f64
    }

    fn norm(&self) -> f64 {
        let taps = f64::from(self.point.kernel[0]) * f64::from(self.point.kernel[1]);
        let [a, b, c, d, e] = match self.point.kind {
            Kind::Conv => [1.0, 14.0, 3.0, 900.0, 1.5],
            Kind::Depthwise => [1.5, 14.0, 5.0, 900.0, 0.0],
            Kind::Dense => [1.2, 14.0, 3.0, 500.0, 0.0],
            Kind::MaxPool => [0.0, 10.0 + 2.5 * taps, 0.0, 500.0, 0.0],
            Kind::AvgPool => [0.0, 20.0 + 3.0 * taps, 0.0, 500.0, 0.0],
            Kind::Add => [0.0, 8.0, 0.0, 300.0, 0.0],
            Kind::Mul => [0.0, 14.0, 0.0, 300.0, 0.0],
            Kind::Mean => [0.0, 60.0, 3.0, 300.0, 0.0],
            Kind::Concat => [0.0, 4.0, 0.0, 300.0, 0.0],
            Kind::Softmax => [0.0, 150.0, 0.0, 300.0, 0.0],
            Kind::Table | Kind::Requantize => [0.0, 10.0, 0.0, 300.0, 0.0],
        };
        self.line([a, b, c, d, e])
    }

    fn pace(&self) -> f64 {
        self.cost() / self.norm()
    }

    /// What CMSIS-NN would take, where that is known.
    fn bar(&self) -> Option<f64> {
        let point = &self.point;
        let taps = f64::from(point.kernel[0]) * f64::from(point.kernel[1]);
        let single = point.kernel == [1, 1] && point.stride == [1, 1] && point.groups == 1;
        let [a, b, c, d, e] = match point.kind {
            Kind::Conv if single => [1.62, 50.0, 0.0, 1000.0, 5.0],
            Kind::Conv => [2.0, 40.0, 0.0, 1000.0, 9.8],
            // One row or column of taps goes the general way there.
            Kind::Depthwise if point.kernel.contains(&1) => {
                [14.0f64.max(3.5 + 43.0 / taps), 0.0, 0.0, 600.0, 0.0]
            }
            Kind::Depthwise => [3.5, 43.0, 0.0, 600.0, 0.0],
            Kind::Dense => [2.38, 68.0, 0.0, 740.0, 0.0],
            Kind::Add => [0.0, 101.0, 0.0, 600.0, 0.0],
            Kind::AvgPool => [0.0, 10.5 * taps, 0.0, 600.0, 0.0],
            Kind::Softmax => [0.0, 540.0, 0.0, 600.0, 0.0],
            Kind::Mul | Kind::MaxPool | Kind::Mean | Kind::Concat | Kind::Table | Kind::Requantize => {
                return None;
            }
        };
        Some(self.line([a, b, c, d, e]))
    }

    /// `a * MACs + b * outputs + c * inputs + d + e * MACs / units`.
    fn line(&self, [a, b, c, d, e]: [f64; 5]) -> f64 {
        let windows = self.macs / f64::from(self.point.units);
        a * self.macs + b * self.outputs + c * self.inputs + d + e * windows
    }
}

/// Prints the table of what the firmware logged, with the cycles of a counter if there are any.
///
/// # Errors
/// Where a file cannot be read, or does not hold what it should.
pub(super) fn report(log: &Path, cycles: Option<&Path>) -> Result<()> {
    let text = fs::read_to_string(log).map_err(|e| Error::file(log, e))?;
    let cycles = cycles.map(intervals).transpose()?;
    let points: BTreeMap<String, Point> = grid().into_iter().map(|p| (p.name(), p)).collect();
    let mut rows = Vec::new();
    for (i, line) in text.lines().filter(|line| !line.starts_with('#')).enumerate() {
        let bad = || Error::new(format!("{}: not a shape and a count: {line:?}", log.display()));
        let (name, count) = line.split_once(' ').ok_or_else(bad)?;
        let point = *points.get(name).ok_or_else(bad)?;
        let instructions: u64 = count.parse().map_err(|_| bad())?;
        let cycles = match &cycles {
            None => None,
            Some(all) => {
                let (counted, cycles) = *all.get(i).ok_or_else(|| Error::new("too few counts of cycles"))?;
                if counted != instructions {
                    return Err(Error::new(format!("{name}: {instructions} instructions, or {counted}?")));
                }
                Some(cycles)
            }
        };
        let (op, x) = (point.op(), point.input());
        let inputs: &[_] =
            if matches!(point.kind, Kind::Add | Kind::Mul | Kind::Concat) { &[x, x] } else { &[x] };
        let y = op.output(inputs).map_err(Error::new)?;
        let mut net = plain(&point)?;
        pack(&mut net, Target::CortexM4, point.limit())?;
        let store = net.nodes.last().map(|node| (node.store.packing, node.store.scratch.len));
        let (packing, scratch) = store.unwrap_or_default();
        rows.push(Row {
            packing,
            scratch,
            macs: op.macs(x, y) as f64,
            outputs: y.len() as f64,
            inputs: x.len() as f64,
            point,
            instructions,
            cycles,
        });
    }
    print(&rows);
    Ok(())
}

/// Instructions and cycles of each interval, in order.
fn intervals(path: &Path) -> Result<Vec<(u64, u64)>> {
    let text = fs::read_to_string(path).map_err(|e| Error::file(path, e))?;
    let file: Value = serde_json::from_str(&text).map_err(|e| Error::file(path, e))?;
    let number = |value: &Value| value.as_u64().ok_or_else(|| Error::file(path, "not an interval"));
    let list = file["intervals"].as_array().ok_or_else(|| Error::file(path, "no intervals"))?;
    list.iter().map(|i| Ok((number(&i["instructions"])?, number(&i["cycles"])?))).collect()
}

/// Neighbours of a shape among the others.
fn neighbours<'a>(rows: &'a [Row], row: &Row) -> Vec<&'a Row> {
    let here = row.point.coordinates();
    // By coordinate and side the nearest.
    let mut nearest: BTreeMap<(usize, bool), (u16, &Row)> = BTreeMap::new();
    for other in rows.iter().filter(|other| other.point.kind == row.point.kind) {
        let there = other.point.coordinates();
        let mut differ = (0..here.len()).filter(|&i| here[i] != there[i]);
        if let (Some(i), None) = (differ.next(), differ.next()) {
            let (above, distance) = (there[i] > here[i], there[i].abs_diff(here[i]));
            let entry = nearest.entry((i, above)).or_insert((distance, other));
            if distance < entry.0 {
                *entry = (distance, other);
            }
        }
    }
    nearest.into_values().map(|(_, row)| row).collect()
}

fn print(rows: &[Row]) {
    println!("shape,packing,scratch,macs,inputs,outputs,instructions,cycles,per_mac,bar,pace,neighbours");
    let (mut over, mut cliffs) = (Vec::new(), Vec::new());
    for row in rows {
        let mut paces: Vec<f64> = neighbours(rows, row).iter().map(|row| row.pace()).collect();
        paces.sort_by(f64::total_cmp);
        let beside = match paces[..] {
            [] => row.pace(),
            [one] => one,
            [.., next, _] => next,
        };
        let name = row.point.name();
        let cycles = row.cycles.map_or(String::new(), |cycles| cycles.to_string());
        let per_mac = |cost: f64| if row.macs > 0.0 { cost / row.macs } else { cost / row.outputs };
        let bar = row.bar().map_or(String::new(), |bar| format!("{:.2}", per_mac(bar)));
        println!(
            "{name},{:?},{},{},{},{},{},{cycles},{:.2},{bar},{:.2},{:.2}",
            row.packing,
            row.scratch,
            row.macs,
            row.inputs,
            row.outputs,
            row.instructions,
            per_mac(row.cost()),
            row.pace(),
            row.pace() / beside,
        );
        if row.bar().is_some_and(|bar| row.cost() > bar) {
            over.push(name.clone());
        }
        if row.pace() > CLIFF * beside {
            cliffs.push(name);
        }
    }
    eprintln!("{} shapes, {} over their bar, {} cliffs", rows.len(), over.len(), cliffs.len());
    for (what, names) in [("over its bar", over), ("a cliff", cliffs)] {
        names.iter().for_each(|name| eprintln!("{what}: {name}"));
    }
}
