//! What has to lie in the arena, and when.

use zipnet::ir::{Graph, Int, Lead, TensorId};

/// Which input an operator that works in place shares with its output, where several could be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    FirstInput,
    LastInput,
    None,
}

/// Bytes that stay together, and when they are needed.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Tensors that lie in these very bytes, one after another in time.
    pub(super) tensors: Vec<TensorId>,
    /// The node whose scratch this is.
    pub(super) scratch: Option<usize>,
    pub(super) bytes: usize,
    /// First and last step, both of it; steps as in [`Graph::first`].
    pub(super) first: usize,
    pub(super) last: usize,
    /// The block that it may lie over, which is needed no more after `first`, and how far behind it that has to begin.
    pub(super) over: Option<(usize, Lead)>,
}

impl Block {
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Bytes that this one, which lies over `under`, need not have of its own.
    pub(super) fn spares(&self, under: &Self) -> usize {
        let Some((_, lead)) = self.over else { return 0 };
        let both = self.bytes.max(under.bytes + lead.behind());
        (self.bytes + under.bytes).saturating_sub(both)
    }
}

/// Bytes that blocks share at a step.
pub(super) fn shared(blocks: &[Block], step: usize) -> usize {
    let begin = blocks.iter().filter(|block| block.first == step);
    begin.map(|block| block.over.map_or(0, |(under, _)| block.spares(&blocks[under]))).sum()
}

/// The blocks of a net.
pub(super) fn blocks(graph: &Graph<'_, Int>, sharing: Sharing) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let alone = |id: TensorId| Block {
        tensors: vec![id],
        scratch: None,
        bytes: graph.tensor(id).shape.len(),
        first: graph.first(id).unwrap_or(0),
        last: graph.last(id),
        over: None,
    };
    blocks.push(alone(graph.input));
    for (i, node) in graph.nodes.iter().enumerate() {
        let mut shared = node.inputs.iter().enumerate().filter(|&(j, &id)| {
            graph.in_place(node, j)
                && graph.last(id) == i + 1
                && graph.tensor(id).shape.len() == graph.tensor(node.output).shape.len()
        });
        let input = match sharing {
            Sharing::FirstInput => shared.next(),
            Sharing::LastInput => shared.next_back(),
            Sharing::None => None,
        };
        let home = input.and_then(|(_, id)| blocks.iter_mut().find(|block| block.tensors.contains(id)));
        match home {
            Some(block) => {
                block.tensors.push(node.output);
                block.last = graph.last(node.output);
            }
            None => {
                let under =
                    blocks.iter().position(|b| b.tensors.contains(&node.inputs[0]) && b.last == i + 1);
                blocks.push(Block { over: under.zip(graph.lead(node)), ..alone(node.output) });
            }
        }
        let bytes = node.data.scratch.len as usize;
        if bytes > 0 {
            blocks.push(Block {
                tensors: vec![],
                scratch: Some(i),
                bytes,
                first: i + 1,
                last: i + 1,
                over: None,
            });
        }
    }
    blocks
}

/// The most bytes alive at one step, those shared once, each block but the one that gains most by it rounded up to the
/// alignment; blocks that share are not rounded.
pub(super) fn most_alive(blocks: &[Block], align: usize) -> usize {
    let alive = |step: usize| {
        let shared = shared(blocks, step);
        let align = if shared > 0 { 1 } else { align };
        let mut sizes = (0, 0);
        for block in blocks.iter().filter(|b| (b.first..=b.last).contains(&step)) {
            let rounded = block.bytes.next_multiple_of(align);
            sizes = (sizes.0 + rounded, sizes.1.max(rounded - block.bytes));
        }
        sizes.0 - sizes.1 - shared
    };
    blocks.iter().map(|b| alive(b.first)).max().unwrap_or(0)
}
