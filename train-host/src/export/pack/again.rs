//! Tensors computed again, where that saves memory.
//!
//! A tensor that is read early and late lies in the arena all the while between. If what it is made of is smaller, it can
//! be left to be overwritten, and be made again before it is read late: the same node runs twice. That costs its
//! multiplications once more and no weights, for the table holds those once.

use zipnet::ir::{Int, TensorId};

use crate::graph::{Net, NetNode};

/// The most nodes that are run again for one tensor.
const CHAIN: usize = 3;

/// A net changed so, and what it costs.
pub(super) struct Again {
    /// The changed net.
    pub(super) net: Net<Int>,
    /// Multiplications that are done once more.
    pub(super) macs: u64,
}

/// Every net that makes one tensor again, by itself or with up to two nodes before it; those that read the input of the
/// net only where that is `whole`.
pub(super) fn all(net: &Net<Int>, whole: bool) -> Vec<Again> {
    let mut found = Vec::new();
    for made in 0..net.nodes.len() {
        let tensor = net.nodes[made].output;
        let readers = (0..net.nodes.len()).filter(|&i| net.nodes[i].inputs.contains(&tensor));
        // The first reader has it just made; each other one could have it made for itself and those behind it.
        for reader in readers.skip(1) {
            found.extend((1..=CHAIN).map_while(|count| again(net, made, count, reader, whole)));
        }
    }
    found
}

/// The net with the last `count` nodes that make the output of node `made` run again before node `reader`, which reads their
/// output as do those behind it. `None` where there are not so many nodes in a row.
fn again(net: &Net<Int>, made: usize, count: usize, reader: usize, whole: bool) -> Option<Again> {
    let mut chain = vec![made];
    while chain.len() < count {
        let &[from] = net.nodes[*chain.last()?].inputs.as_slice() else { return None };
        chain.push(net.producer(from)?);
    }
    let first = &net.nodes[*chain.last()?];
    if !whole && first.inputs.contains(&net.input) {
        return None;
    }
    let mut changed = net.clone();
    let mut macs = 0;
    // What the copy of a node reads and writes in place of what the node does.
    let mut replaced: Option<(TensorId, TensorId)> = None;
    let mut copies = Vec::new();
    for &i in chain.iter().rev() {
        let node = &net.nodes[i];
        let id = TensorId(u16::try_from(changed.tensors.len()).ok()?);
        changed.tensors.push(net.tensors[node.output.at()]);
        let mut copy = NetNode { name: free_name(&changed, &copies, &node.name), output: id, ..node.clone() };
        replace(&mut copy.inputs, replaced);
        replaced = Some((node.output, id));
        macs += node.op.macs(net.shape(node.inputs[0]), net.shape(node.output));
        copies.push(copy);
    }
    for node in changed.nodes.get_mut(reader..)? {
        replace(&mut node.inputs, replaced);
    }
    if changed.output == net.nodes[made].output {
        return None;
    }
    changed.nodes.splice(reader..reader, copies);
    Some(Again { net: changed, macs })
}

fn replace(inputs: &mut [TensorId], replaced: Option<(TensorId, TensorId)>) {
    let Some((from, to)) = replaced else { return };
    inputs.iter_mut().filter(|id| **id == from).for_each(|id| *id = to);
}

/// A name for the copy of a node.
fn free_name(net: &Net<Int>, copies: &[NetNode<Int>], name: &str) -> String {
    let taken = |name: &str| net.nodes.iter().chain(copies).any(|node| node.name == name);
    let numbered = (2..).map(|i| format!("{name}_again{i}"));
    std::iter::once(format!("{name}_again")).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use zipnet::ir::{Bias, Conv2d, IntTensor, Op, Operands, Padding, Requant, Shape, Window};

    use super::*;
    use crate::export::{Target, pack};
    use crate::graph::IntStore;
    use crate::plan::plan;

    /// A residual block behind a layer that makes much of little: 12x12x1 to 12x12x16, twice 12x12x16, and their sum.
    fn residual() -> Net<Int> {
        let meta = IntTensor { scale: 1.0, zero: 3, offset: 0 };
        let mut net = Net::<Int>::new("residual", Shape::new(12, 12, 1), meta);
        let mut seed = 1u32;
        let mut next = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as i8
        };
        let mut conv = |net: &mut Net<Int>, name: &str, x, span: u16| {
            let window = Window::new(3, 3).padding(Padding::all(1));
            let op = Op::Conv2d(Conv2d { units: 16, window, groups: 1, span, bias: Bias::Channel });
            let store = IntStore {
                weights: (0..op.weights(net.shape(x))).map(|_| next()).collect(),
                bias: vec![5; 16],
                requant: vec![Requant::new(1 << 30, -8); 16],
                ..IntStore::default()
            };
            net.push(name, op, &[x], meta, store).expect("shapes meet")
        };
        let x = net.input;
        let a = conv(&mut net, "a", x, 1);
        let b = conv(&mut net, "b", a, 16);
        let c = conv(&mut net, "c", b, 16);
        let factors = [Requant::new(1 << 30, -1), Requant::new(1 << 30, -1), Requant::new(1 << 30, -18)];
        let store = IntStore { requant: factors.to_vec(), ..IntStore::default() };
        let sum = net.push("sum", Op::Add(Operands::Equal), &[a, c], meta, store).expect("shapes meet");
        conv(&mut net, "d", sum, 16);
        net
    }

    #[test]
    fn a_tensor_is_made_again_where_the_limit_asks_for_it() {
        let mut plain = residual();
        plan(&mut plain).expect("plans");
        let input: Vec<i8> = (0..144).map(|i| (i * 7 % 256 - 128) as i8).collect();
        let want = plain.run(&input).expect("runs");
        for target in [Target::CortexM4, Target::CortexM0] {
            let mut least = plain.clone();
            let arena = (0..)
                .map(|bytes| 128 * bytes)
                .find(|&limit| {
                    least = plain.clone();
                    pack(&mut least, target, Some(limit)).is_ok()
                })
                .expect("there is a limit that can be held");
            assert!(arena < 2 * 2304 + 2304 / 2, "{target:?}: {arena}");
            assert!(
                least.nodes.iter().any(|node| node.name == "a_again"),
                "{target:?}: nothing was made again"
            );
            assert_eq!(least.run(&input).expect("runs"), want);
            let mut roomy = plain.clone();
            pack(&mut roomy, target, None).expect("packs");
            assert_eq!(roomy.nodes.len(), plain.nodes.len(), "nothing is made again where there is room");
        }
    }

    #[test]
    fn the_input_is_read_again_only_where_it_is_there() {
        let net = residual();
        assert!(all(&net, true).iter().any(|again| again.net.nodes.len() == 6 && again.macs == 144 * 9 * 16));
        assert!(all(&net, false).is_empty());
    }
}
