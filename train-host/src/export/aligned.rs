//! A net for wide loads: one that crosses the end of a cache line takes twice as long.

use std::ops::Deref;

use zipnet::ir::{Bordered, Graph, Int, IntData, Node};
use zipnet::{Cpu, Runner};

use crate::Result;
use crate::graph::{Net, run_all};

/// A net whose weights lie at addresses that are multiples of [`Bordered::ALIGN`] whenever it is run.
#[derive(Debug)]
pub struct Aligned {
    net: Net<Int>,
    /// The weights of each node, as they are run.
    weights: Vec<Line>,
}

/// Bytes at such an address.
#[derive(Debug)]
struct Line {
    /// They, and what lies before and after them.
    all: Vec<i8>,
    from: usize,
    len: usize,
}

impl Line {
    fn new(bytes: &[i8]) -> Self {
        let mut all = vec![0; bytes.len() + Bordered::ALIGN];
        let from = all.as_ptr().align_offset(Bordered::ALIGN).min(Bordered::ALIGN);
        all[from..from + bytes.len()].copy_from_slice(bytes);
        Self { all, from, len: bytes.len() }
    }

    fn bytes(&self) -> &[i8] {
        &self.all[self.from..self.from + self.len]
    }
}

/// A node with its weights elsewhere.
fn placed<'a>((node, line): (&'a Node<'_, Int>, &'a Line)) -> Node<'a, Int> {
    let data = IntData { weights: line.bytes(), ..node.data };
    Node { op: node.op, inputs: node.inputs, output: node.output, data }
}

impl Aligned {
    /// The net with its weights moved.
    pub fn new(net: Net<Int>) -> Self {
        let weights = net.nodes.iter().map(|node| Line::new(&node.store.weights)).collect();
        Self { net, weights }
    }

    /// Lends the net, checked, to the engine.
    ///
    /// # Errors
    /// As [`Net::with_runner`].
    pub fn with_runner<R>(&self, f: impl FnOnce(Runner<'_>) -> Result<R>) -> Result<R> {
        self.net.with(|graph| {
            let nodes: Vec<Node<'_, Int>> = graph.nodes.iter().zip(&self.weights).map(placed).collect();
            let runner = Runner::new(&Graph {
                name: graph.name,
                tensors: graph.tensors,
                nodes: &nodes,
                input: graph.input,
                output: graph.output,
            });
            f(runner.map_err(|(i, fault)| self.net.at_fault(i, fault))?)
        })
    }

    /// The engine over inputs back to back, on one of the instruction sets that this machine has.
    ///
    /// # Errors
    /// As [`Net::run_on`].
    pub fn run_on(&self, cpu: Cpu, inputs: &[i8]) -> Result<Vec<i8>> {
        self.with_runner(|runner| run_all(runner.on(cpu), &self.net, inputs))
    }
}

impl Deref for Aligned {
    type Target = Net<Int>;

    fn deref(&self) -> &Net<Int> {
        &self.net
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_what_they_are_wherever_they_lie() {
        for len in [0, 1, 63, 64, 1000] {
            let bytes: Vec<i8> = (0..len).map(|i| i as i8).collect();
            let line = Line::new(&bytes);
            assert_eq!(line.bytes(), bytes);
            assert!(line.bytes().as_ptr().addr().is_multiple_of(Bordered::ALIGN));
        }
    }
}
