//! Where tensors lie in the arena, from when until when, and the proof that no two live ones share bytes.
//!
//! Time is counted in steps: 0 when the caller fills the input, `i + 1` while node `i` runs.

use super::{Fault, Graph, Int, Lead, Node, Scratch, TensorId};

/// The most tensors a graph of the integer phase may have.
pub const MAX_TENSORS: usize = 1024;

/// A tensor's first and last step.
#[derive(Clone, Copy)]
struct Life {
    first: usize,
    last: usize,
}

impl Scratch {
    /// The byte after the last; 0 when there is none.
    pub const fn end(&self) -> usize {
        if self.len == 0 { 0 } else { (self.offset as usize).saturating_add(self.len as usize) }
    }
}

impl Graph<'_, Int> {
    /// First byte of a tensor in the arena, and the one after its last.
    pub const fn bytes(&self, id: TensorId) -> (usize, usize) {
        let tensor = self.tensor(id);
        let at = tensor.meta.offset as usize;
        (at, at.saturating_add(tensor.shape.len()))
    }

    /// Bytes of the shortest arena that holds every tensor and all scratch.
    pub const fn arena_len(&self) -> usize {
        let (mut len, mut i) = (0, 0);
        while i < self.tensors.len() {
            let (_, end) = self.bytes(TensorId(i as u16));
            len = if end > len { end } else { len };
            i += 1;
        }
        let mut i = 0;
        while i < self.nodes.len() {
            let end = self.nodes[i].data.scratch.end();
            len = if end > len { end } else { len };
            i += 1;
        }
        len
    }

    /// Whether all tensors and all scratch lie in an arena of `arena` bytes, apart while they live. Asks for a graph
    /// whose [`structure`](Graph::structure) is sound.
    pub(super) const fn memory_fault(&self, arena: usize) -> Result<(), (usize, Fault)> {
        if self.tensors.len() > MAX_TENSORS {
            return Err((0, Fault::TooLarge));
        }
        let lives = self.lives();
        let mut a = 0;
        while a < self.tensors.len() {
            let Some(life) = lives[a] else { return Err((0, Fault::Order)) };
            let (at, end) = self.bytes(TensorId(a as u16));
            if end > arena {
                return Err((life.first.saturating_sub(1), Fault::Arena));
            }
            let mut b = 0;
            while b < a {
                let (other_at, other_end) = self.bytes(TensorId(b as u16));
                if let (true, Some(other)) = (at < other_end && other_at < end, lives[b]) {
                    let together = life.first <= other.last && other.first <= life.last;
                    if together && !self.shared(b, other, a, life) && !self.shared(a, life, b, other) {
                        let later = if life.first > other.first { life.first } else { other.first };
                        return Err((later.saturating_sub(1), Fault::Overlap));
                    }
                }
                b += 1;
            }
            let mut i = 0;
            while i < self.nodes.len() {
                let scratch = &self.nodes[i].data.scratch;
                let touch = at < scratch.end() && (scratch.offset as usize) < end;
                if touch && life.first <= i + 1 && i < life.last {
                    return Err((i, Fault::Overlap));
                }
                i += 1;
            }
            a += 1;
        }
        Ok(())
    }

    /// The life of every tensor, by id; as [`Graph::first`] and [`Graph::last`] tell, for all at once.
    const fn lives(&self) -> [Option<Life>; MAX_TENSORS] {
        let mut lives = [None; MAX_TENSORS];
        lives[self.input.at()] = Some(Life { first: 0, last: 0 });
        let mut i = 0;
        while i < self.nodes.len() {
            let node = &self.nodes[i];
            let mut j = 0;
            while j < node.inputs.len() {
                if let Some(life) = &mut lives[node.inputs[j].at()] {
                    life.last = i + 1;
                }
                j += 1;
            }
            lives[node.output.at()] = Some(Life { first: i + 1, last: i + 1 });
            i += 1;
        }
        if let Some(life) = &mut lives[self.output.at()] {
            life.last = self.nodes.len() + 1;
        }
        lives
    }

    /// Whether a node may write its output to the very bytes of input `j`, where that has as many.
    pub const fn in_place(&self, node: &Node<'_, Int>, j: usize) -> bool {
        let x = self.tensor(node.inputs[j]).shape;
        node.op.in_place(j) || (j == 0 && node.data.packing.in_place(&node.op, x))
    }

    /// How input 0 of a node may share bytes with its output: [`Packing::lead`](super::Packing::lead).
    pub const fn lead(&self, node: &Node<'_, Int>) -> Option<Lead> {
        node.data.packing.lead(&node.op, self.tensor(node.inputs[0]).shape)
    }

    /// Whether tensor `y` may lie in bytes of `x`: the node that writes `y` works in place, or lets `x` begin where it
    /// does, and the node is the last to need `x`.
    const fn shared(&self, x: usize, x_life: Life, y: usize, y_life: Life) -> bool {
        let (x_bytes, y_bytes) = (self.bytes(TensorId(x as u16)), self.bytes(TensorId(y as u16)));
        let same = x_bytes.0 == y_bytes.0 && x_bytes.1 == y_bytes.1;
        if y_life.first == 0 || x_life.last != y_life.first {
            return false;
        }
        let node = &self.nodes[y_life.first - 1];
        if node.inputs[0].at() == x
            && let Some(lead) = self.lead(node)
            && lead.allows(x_bytes.0 as isize - y_bytes.0 as isize)
        {
            return true;
        }
        let mut j = 0;
        while j < node.inputs.len() {
            if same && node.inputs[j].at() == x && self.in_place(node, j) {
                return true;
            }
            j += 1;
        }
        false
    }
}
