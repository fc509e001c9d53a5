//! The float net as a safetensors file: weights as tensors, the graph as JSON in the file's metadata.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use zipnet::ir::{Float, Op, Real, Shape, Tensor, TensorId};

use crate::graph::{FloatStore, Net, NetNode};
use crate::{Error, Result};

/// The name of the file in an output folder.
pub const CHECKPOINT: &str = "float.safetensors";

/// The key of the graph in the file's metadata.
const KEY: &str = "zipnet_graph";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Structure {
    name: String,
    input: TensorId,
    output: TensorId,
    tensors: Vec<(Shape, Real)>,
    nodes: Vec<Layer>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    name: String,
    op: Op,
    inputs: Vec<TensorId>,
    output: TensorId,
}

/// The parts of a node's store, by the names they have in the file.
fn parts(store: &FloatStore) -> [(&'static str, &Vec<f32>); 4] {
    let FloatStore { weights, bias, mean, variance } = store;
    [("weights", weights), ("bias", bias), ("mean", mean), ("variance", variance)]
}

/// The file's bytes.
///
/// # Errors
/// Where the format refuses the tensors, for two nodes of one name.
pub fn write_checkpoint(net: &Net<Float>) -> Result<Vec<u8>> {
    let structure = Structure {
        name: net.name.clone(),
        input: net.input,
        output: net.output,
        tensors: net.tensors.iter().map(|t| (t.shape, t.meta)).collect(),
        nodes: net
            .nodes
            .iter()
            .map(|n| Layer { name: n.name.clone(), op: n.op, inputs: n.inputs.clone(), output: n.output })
            .collect(),
    };
    let json = serde_json::to_string(&structure).expect("plain data has a JSON form");
    let mut tensors: Vec<(String, Vec<u8>)> = Vec::new();
    for node in &net.nodes {
        for (part, values) in parts(&node.store).into_iter().filter(|(_, values)| !values.is_empty()) {
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            tensors.push((format!("{}.{part}", node.name), bytes));
        }
    }
    let views: Vec<(&str, TensorView<'_>)> = tensors
        .iter()
        .map(|(name, bytes)| {
            let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).map_err(Error::new)?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<_>>()?;
    safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), json)]))).map_err(Error::new)
}

/// Reads a checkpoint.
///
/// # Errors
/// Names the file that is missing, no safetensors file, or holds no legal net.
pub fn read_checkpoint(path: &Path) -> Result<Net<Float>> {
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, e))?;
    parse(&bytes).map_err(|e| Error::file(path, e))
}

fn parse(bytes: &[u8]) -> Result<Net<Float>> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(Error::new)?;
    let json =
        metadata.metadata().as_ref().and_then(|map| map.get(KEY)).ok_or_else(|| {
            Error::new(format!("has no {KEY:?} in its metadata: not written by train-host"))
        })?;
    let structure: Structure = serde_json::from_str(json).map_err(Error::new)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(Error::new)?;
    let read = |node: &str, part: &str| -> Result<Vec<f32>> {
        let name = format!("{node}.{part}");
        let Ok(view) = tensors.tensor(&name) else { return Ok(Vec::new()) };
        if view.dtype() != Dtype::F32 {
            return Err(Error::new(format!("tensor {name:?} is not F32")));
        }
        let values: Vec<f32> =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        match values.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(Error::new(format!("tensor {name:?}: value {i} is not finite"))),
            None => Ok(values),
        }
    };
    let nodes = structure
        .nodes
        .into_iter()
        .map(|n| {
            let store = FloatStore {
                weights: read(&n.name, "weights")?,
                bias: read(&n.name, "bias")?,
                mean: read(&n.name, "mean")?,
                variance: read(&n.name, "variance")?,
            };
            Ok(NetNode { name: n.name, op: n.op, inputs: n.inputs, output: n.output, store })
        })
        .collect::<Result<_>>()?;
    let net = Net {
        name: structure.name,
        tensors: structure.tensors.into_iter().map(|(shape, meta)| Tensor { shape, meta }).collect(),
        nodes,
        input: structure.input,
        output: structure.output,
    };
    net.check(0)?;
    Ok(net)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::build;
    use crate::recipe::Recipe;

    #[test]
    fn a_checkpoint_comes_back_the_same() {
        let recipe = Recipe::load("digits").expect("shipped");
        let net = build(&recipe, Shape::new(16, 16, 1), 10, 3).expect("builds").net;
        let bytes = write_checkpoint(&net).expect("writes");
        let back = parse(&bytes).expect("reads back");
        assert_eq!(write_checkpoint(&back).expect("writes"), bytes);
        assert_eq!(back.tensors[0].meta, net.tensors[0].meta);
        for (a, b) in back.nodes.iter().zip(&net.nodes) {
            assert_eq!((&a.name, a.op, &a.store), (&b.name, b.op, &b.store));
        }
    }

    #[test]
    fn damage_is_refused() {
        let recipe = Recipe::load("digits").expect("shipped");
        let mut net = build(&recipe, Shape::new(16, 16, 1), 10, 3).expect("builds").net;
        let bytes = write_checkpoint(&net).expect("writes");
        assert!(parse(&bytes[..bytes.len() - 1]).is_err(), "truncated");
        assert!(parse(b"not a checkpoint").is_err());
        net.nodes[0].store.weights[5] = f32::NAN;
        let error = parse(&write_checkpoint(&net).expect("writes")).expect_err("NaN").to_string();
        assert!(error.contains("h1.weights") && error.contains("value 5"), "{error}");
        net.nodes[0].store.weights.pop();
        net.nodes[0].store.weights[5] = 0.0;
        let error = parse(&write_checkpoint(&net).expect("writes")).expect_err("one short").to_string();
        assert!(error.contains("h1") && error.contains("weights"), "{error}");
    }
}
