//! Measures one inference of the model, layer by layer.
//!
//! Prints a line of heading, then a line a layer: name, operator, shape of the output, multiplications by a weight,
//! instructions (cycles on a board), and those per multiplication; above them what copying the input takes, or, where it
//! comes row by row, the first layer; below what is left, and the sum ([`firmware::laps`]).
#![no_std]
#![no_main]

use firmware::cost::{plausible, ratio};
use firmware::laps::{LAYERS, Laps};
use firmware::model::{LAYERS as NAMES, NAME, Net};
use firmware::{FAILURE, SUCCESS, board, exit, sample};
use zipnet::ir::Shape;
use zipnet::{Engine, Model};

/// A layer as it is told of.
#[derive(Clone, Copy)]
struct Layer {
    op: &'static str,
    output: Shape,
    macs: u32,
}

/// Multiplications by a weight in one inference.
const MACS: u32 = {
    let macs = Engine::<Net>::MACS;
    assert!(macs < 1 << 28, "the ratio is computed in 32 bits");
    macs as u32
};

/// What brings the input.
const INPUT: Layer = match Net::HEAD {
    None => Layer { op: "copy", output: Engine::<Net>::INPUT.shape, macs: 0 },
    Some(head) => {
        let y = head.tensor(head.output).shape;
        Layer { op: head.nodes[0].op.name(), output: y, macs: head.macs() as u32 }
    }
};

/// All other layers.
static TABLE: [Layer; LAYERS] = {
    let graph = Net::GRAPH;
    let mut table = [Layer { op: "", output: Shape::flat(0), macs: 0 }; LAYERS];
    let mut i = 0;
    while i < LAYERS {
        let node = &graph.nodes[i];
        let (x, y) = (graph.tensor(node.inputs[0]).shape, graph.tensor(node.output).shape);
        table[i] = Layer { op: node.op.name(), output: y, macs: node.op.macs(x, y) as u32 };
        i += 1;
    }
    table
};

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut ENGINE: Engine<Net> = Engine::new();
    board::take();

    if !plausible() {
        defmt::warn!("the counter is off (QEMU needs -icount shift=7)");
    }
    let Ok(laps) = Laps::of(ENGINE, sample()) else {
        defmt::error!("the first golden sample of {=str} is no input", NAME);
        exit(FAILURE)
    };
    defmt::info!("# layer operator output macs {=str} {=str}_per_mac", board::UNIT, board::UNIT);
    tell("input", INPUT, laps.input);
    for ((layer, name), &count) in TABLE.iter().zip(NAMES).zip(&laps.layers) {
        tell(name, *layer, count);
    }
    let whole = Layer { op: "return", output: Engine::<Net>::OUTPUT.shape, macs: 0 };
    tell("output", whole, laps.rest);
    tell(NAME, Layer { op: "sum", macs: MACS, ..whole }, laps.sum());
    exit(SUCCESS)
}

fn tell(name: &str, layer: Layer, count: u32) {
    let Layer { op, output: Shape { h, w, c }, macs } = layer;
    let (whole, thousandths) = ratio(count, macs);
    defmt::info!(
        "{=str} {=str} {=u16}x{=u16}x{=u16} {=u32} {=u32} {=u32}.{=u32:03}",
        name,
        op,
        h,
        w,
        c,
        macs,
        count,
        whole,
        thousandths
    );
}
