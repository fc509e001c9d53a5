//! Runs a graph, node after node.
//!
//! Nothing is computed here. All that could go wrong was settled by [`Graph::check`](crate::ir::Graph::check); what is left
//! is total.

use crate::arch::Cpu;
use crate::ir::{Fault, Graph, Int};
use crate::place::{Only, Part, WrongLength, bytes, bytes_mut, copy, lie_apart, place};
use crate::step::{Every, Linked, step, step_of, takes_many};
use crate::stream::Rows;

/// A graph that has been checked, ready to run on any host memory; the firmware's counterpart, checked at compile
/// time, is [`Engine`](crate::Engine).
#[derive(Clone, Copy, Debug)]
pub struct Runner<'a> {
    graph: Graph<'a, Int>,
    arena: usize,
    cpu: Cpu,
}

impl<'a> Runner<'a> {
    /// Checks the graph for the arena it needs.
    ///
    /// # Errors
    /// What [`Graph::fault`] finds, with the index of the node.
    pub fn new(graph: &Graph<'a, Int>) -> Result<Self, (usize, Fault)> {
        let arena = graph.arena_len();
        graph.fault(arena)?;
        Ok(Self { graph: *graph, arena, cpu: Cpu::fastest() })
    }

    /// The same on another instruction set than the fastest.
    pub const fn on(mut self, cpu: Cpu) -> Self {
        self.cpu = cpu;
        self
    }

    /// Bytes of memory that [`Runner::run`] asks for.
    pub const fn arena_len(&self) -> usize {
        self.arena
    }

    /// One inference.
    ///
    /// # Errors
    /// When input, output or arena has the wrong length; an arena may be longer than needed.
    pub fn run(&self, arena: &mut [i8], input: &[i8], output: &mut [i8]) -> Result<(), WrongLength> {
        let result = self.observe(arena, input, |_, _| {})?;
        WrongLength::check(result.len(), output.len())?;
        copy(result, output)
    }

    /// Many inferences at once, over inputs back to back; outputs back to back. The bytes are those of
    /// [`Runner::run`], one after another. The arena must have [`Runner::arena_len`] bytes for each.
    ///
    /// Layer after layer is done for all samples, so that weights are read once for many where their CPU's kernels can
    /// do that.
    ///
    /// # Errors
    /// When inputs are no whole number of inputs, or outputs or arena have the wrong length; an arena may be longer than
    /// needed.
    pub fn run_many(&self, arena: &mut [i8], inputs: &[i8], outputs: &mut [i8]) -> Result<(), WrongLength> {
        let [x, y] = [self.graph.input, self.graph.output].map(|id| self.graph.tensor(id).shape.len());
        let all = inputs.len().checked_div(x).unwrap_or(0);
        WrongLength::check(all * x, inputs.len())?;
        WrongLength::check(all * y, outputs.len())?;
        if arena.len() < all * self.arena {
            return Err(WrongLength { expected: all * self.arena, given: arena.len() });
        }
        if !self.layers_lie_apart() {
            let mut samples = inputs.chunks(x).zip(outputs.chunks_mut(y));
            return samples.try_for_each(|(input, output)| self.run(arena, input, output));
        }
        let whole = Part { all, first: 0, count: all };
        let entry = place(&self.graph, self.graph.input, whole).and_then(|(_, at)| arena.get_mut(at));
        copy(inputs, entry.unwrap_or_default())?;
        for node in self.graph.nodes {
            if takes_many(node) {
                step_of::<Every, _>(self.cpu, &self.graph, node, whole, arena);
                continue;
            }
            for first in 0..all {
                step_of::<Every, _>(self.cpu, &self.graph, node, Part { all, first, count: 1 }, arena);
            }
        }
        let made = place(&self.graph, self.graph.output, whole).and_then(|(_, at)| arena.get(at));
        copy(made.unwrap_or_default(), outputs)
    }

    /// Whether the output of each node lies where an input does, or apart from all of them. An output that reaches into its
    /// input follows what has been read of it, which holds for one sample only.
    fn layers_lie_apart(&self) -> bool {
        self.graph.nodes.iter().all(|node| {
            let Some((_, y)) = place(&self.graph, node.output, Only) else { return false };
            let mut inputs = node.inputs.iter().filter_map(|&id| place(&self.graph, id, Only));
            inputs.all(|(_, x)| x == y || lie_apart(&x, &y))
        })
    }

    /// One inference that shows the output of every node, by index, as soon as it is there; returns the output of
    /// the graph.
    ///
    /// # Errors
    /// When input or arena has the wrong length.
    pub fn observe<'m>(
        &self,
        arena: &'m mut [i8],
        input: &[i8],
        see: impl FnMut(usize, &[i8]),
    ) -> Result<&'m [i8], WrongLength> {
        if arena.len() < self.arena {
            return Err(WrongLength { expected: self.arena, given: arena.len() });
        }
        copy(input, bytes_mut(&self.graph, self.graph.input, arena))?;
        run::<Every>(self.cpu, &self.graph, arena, see);
        Ok(bytes(&self.graph, self.graph.output, arena))
    }
}

/// One inference of any graph: [`Runner::new`] and [`Runner::run`].
///
/// # Errors
/// The fault of the graph, with the index of the node, or the slice that has the wrong length.
pub fn run_graph(
    graph: &Graph<'_, Int>,
    arena: &mut [i8],
    input: &[i8],
    output: &mut [i8],
) -> Result<(), RunError> {
    let runner = Runner::new(graph).map_err(|(node, fault)| RunError::Graph { node, fault })?;
    runner.run(arena, input, output).map_err(RunError::Length)
}

/// One inference of any graph whose input a head makes ([`Graph::head_fault`]), row by row.
///
/// # Errors
/// The fault of the head, with index 0, or of the graph, or the slice that has the wrong length; the arena may be longer
/// than needed.
pub fn run_streamed(
    cpu: Cpu,
    (head, graph): (&Graph<'_, Int>, &Graph<'_, Int>),
    arena: &mut [i8],
    input: &[i8],
    output: &mut [i8],
) -> Result<(), RunError> {
    let length = RunError::Length;
    head.head_fault(graph, arena.len()).map_err(|fault| RunError::Graph { node: 0, fault })?;
    graph.fault(arena.len()).map_err(|(node, fault)| RunError::Graph { node, fault })?;
    let shape = head.tensor(head.input).shape;
    WrongLength::check(shape.len(), input.len()).map_err(length)?;
    let mut rows = Rows::default();
    for row in input.chunks(shape.row()) {
        rows.push::<Every>(cpu, head, arena, row).map_err(length)?;
    }
    run::<Every>(cpu, graph, arena, |_, _| {});
    copy(bytes(graph, graph.output, arena), output).map_err(length)
}

/// Why [`run_graph`] or [`run_streamed`] refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RunError {
    /// The graph is not legal.
    Graph {
        /// Index of the node.
        node: usize,
        /// What is wrong with it.
        fault: Fault,
    },
    /// Input, output or arena has the wrong length.
    Length(WrongLength),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RunError::Graph { node, fault } => write!(f, "node {node}: {fault}"),
            RunError::Length(wrong) => wrong.fmt(f),
        }
    }
}

impl core::error::Error for RunError {}

/// All nodes in order; shows the output of each, by index.
#[inline(always)]
pub(crate) fn run<L: Linked>(
    cpu: Cpu,
    graph: &Graph<'_, Int>,
    arena: &mut [i8],
    mut see: impl FnMut(usize, &[i8]),
) {
    for (i, node) in graph.nodes.iter().enumerate() {
        step::<L>(cpu, graph, node, arena);
        see(i, bytes(graph, node.output, arena));
    }
}
