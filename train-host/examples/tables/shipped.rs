//! The nets that the tree itself makes: the trained digits, and the recipes with fresh weights.

use train_host::build::build;
use train_host::export::{Origin, Source, Stored};
use train_host::graph::{IntStore, Net, NetNode};
use train_host::plan::plan;
use train_host::quantise::quantise;
use train_host::recipe::{Recipe, SHIPPED};
use train_host::{Error, Result};
use zipnet::Model;
use zipnet::ir::{Graph, Int, Shape};

use crate::random::Numbers;

/// The shipped table.
#[allow(dead_code, unreachable_pub)]
mod digits {
    include!("../../../models/digits.rs");
}

/// The names of all of them.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|&(name, _)| name)
}

/// One of them, weights in plain order, its tensors placed: `digits` as it was trained, the net of any other recipe with
/// fresh weights, its ranges taken from noise.
///
/// # Errors
/// For a name that is none.
pub(crate) fn stored(name: &str) -> Result<Stored> {
    let (net, data) = if name == "digits" {
        (owned(digits::Net::GRAPH, &digits::LAYERS), "digits")
    } else {
        (fresh(name)?, "noise")
    };
    let mut net = net;
    let arena = plan(&mut net)?;
    let source = Source::Trained { data: data.to_owned(), seed: 1 };
    Ok(Stored { net, arena, origin: Origin { source, low: 0.0, high: 255.0, classes: Vec::new() } })
}

/// A recipe's net with fresh weights.
fn fresh(name: &str) -> Result<Net<Int>> {
    if !names().any(|shipped| shipped == name) {
        let names: Vec<&str> = names().collect();
        return Err(Error::new(format!("no net {name:?}; there are {}", names.join(", "))));
    }
    let recipe = Recipe::load(name)?;
    let side = if recipe.data == "digits" { 16 } else { 28 };
    let shape = Shape::new(side, side, 1);
    let net = build(&recipe, shape, 10, 1)?.net;
    let mut numbers = Numbers::new(1);
    let noise: Vec<f32> = numbers.int8s(32 * shape.len()).into_iter().map(|x| f32::from(x) / 128.0).collect();
    Ok(quantise(&net, &recipe.quantise, &noise, 1)?.net)
}

/// A graph as a net that owns its numbers.
fn owned(graph: &Graph<'_, Int>, names: &[&str]) -> Net<Int> {
    let node = |(node, name): (&zipnet::ir::Node<'_, Int>, &&str)| {
        let data = node.data;
        NetNode {
            name: (*name).to_owned(),
            op: node.op,
            inputs: node.inputs.to_vec(),
            output: node.output,
            store: IntStore {
                weights: data.weights.to_vec(),
                bias: data.bias.to_vec(),
                requant: data.requant.to_vec(),
                clamp: data.clamp,
                scratch: data.scratch,
                packing: data.packing,
                ..IntStore::default()
            },
        }
    };
    Net {
        name: graph.name.to_owned(),
        tensors: graph.tensors.to_vec(),
        nodes: graph.nodes.iter().zip(names).map(node).collect(),
        input: graph.input,
        output: graph.output,
    }
}
