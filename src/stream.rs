//! An input that comes row by row.
//!
//! A [`Model`] may have a head: its first layer, as a graph of its own ([`crate::ir::Strip`]). Rows are then kept only
//! until every row of the head's output that sees them is made, at the front of a place for as many as a window spans;
//! each time a row of the output is done, those that the next one still sees move up. The input as a whole lies
//! nowhere.

use crate::arch::{Cpu, run};
use crate::ir::{Bias, Graph, Int, IntData, IntTensor, Node, Shape, Strip, Tensor, TensorId};
use crate::model::{Engine, Model};
use crate::place::WrongLength;
use crate::step::{Linked, step};

/// How far an input has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rows {
    /// Rows of the input that have come.
    seen: usize,
    /// Rows of the head's output that are made.
    made: usize,
}

impl Rows {
    /// Takes the next row, and makes each row of the head's output that has been waiting for it.
    ///
    /// # Errors
    /// When the row has not as many elements as the input's; none are expected after the last.
    #[inline(always)]
    pub(crate) fn push<L: Linked>(
        &mut self,
        cpu: Cpu,
        head: &Graph<'_, Int>,
        arena: &mut [i8],
        row: &[i8],
    ) -> Result<(), WrongLength> {
        let Some(layer) = Layer::new(head) else { return Ok(()) };
        let new = self.next(layer.x.shape, row)?;
        let (len, at) = (row.len(), layer.x.meta.offset as usize);
        let Some(mut strip) = layer.strip(self.made) else { return Ok(()) };
        // Rows between two windows are nobody's.
        let Some(behind) = new.checked_sub(strip.first) else { return Ok(()) };
        keep(arena.get_mut(at..).unwrap_or_default(), behind, row);
        while strip.end() <= self.seen {
            layer.make::<L>(cpu, &strip, self.made, arena);
            self.made += 1;
            let Some(next) = layer.strip(self.made) else { break };
            let kept = arena.get_mut(at..).and_then(|kept| kept.get_mut(..strip.input.len()));
            move_up(kept.unwrap_or_default(), (next.first - strip.first) * len);
            strip = next;
        }
        Ok(())
    }

    /// Takes the next row of an input that is kept whole.
    ///
    /// # Errors
    /// As [`Rows::push`].
    pub(crate) fn keep(&mut self, shape: Shape, input: &mut [i8], row: &[i8]) -> Result<(), WrongLength> {
        let at = self.next(shape, row)?;
        keep(input, at, row);
        Ok(())
    }

    /// Counts a row that has come; which it is.
    fn next(&mut self, shape: Shape, row: &[i8]) -> Result<usize, WrongLength> {
        let expected = if self.seen < usize::from(shape.h) { shape.row() } else { 0 };
        if expected == 0 || row.len() != expected {
            return Err(WrongLength { expected, given: row.len() });
        }
        self.seen += 1;
        Ok(self.seen - 1)
    }
}

/// Copies a row to its place among others of its length.
fn keep(rows: &mut [i8], at: usize, row: &[i8]) {
    let place = rows.get_mut(at * row.len()..).unwrap_or_default();
    place.iter_mut().zip(row).for_each(|(to, &x)| *to = x);
}

/// The layer of a head.
struct Layer<'g, 'a> {
    node: &'g Node<'a, Int>,
    x: &'g Tensor<Int>,
    y: &'g Tensor<Int>,
}

impl<'g, 'a> Layer<'g, 'a> {
    fn new(head: &'g Graph<'a, Int>) -> Option<Self> {
        let [node] = head.nodes else { return None };
        Some(Self { node, x: head.tensors.get(head.input.at())?, y: head.tensors.get(head.output.at())? })
    }

    fn strip(&self, row: usize) -> Option<Strip> {
        self.node.op.strip(self.x.shape, self.y.shape, row)
    }

    /// Makes a row of the output by running its strip.
    #[inline(always)]
    fn make<L: Linked>(&self, cpu: Cpu, strip: &Strip, row: usize, arena: &mut [i8]) {
        let data = &self.node.data;
        let each = data.bias.len().checked_div(self.y.shape.h.into()).unwrap_or(0);
        let bias =
            if self.node.op.bias() == Bias::Unit { run(data.bias, row * each, each) } else { data.bias };
        let offset = self.y.meta.offset + (row * strip.output.len()) as u32;
        let tensors = [
            Tensor { shape: strip.input, meta: self.x.meta },
            Tensor { shape: strip.output, meta: IntTensor { offset, ..self.y.meta } },
        ];
        let (input, output) = (TensorId(0), TensorId(1));
        let node = Node { op: strip.op, inputs: &[input], output, data: IntData { bias, ..*data } };
        let graph = Graph { name: "strip", tensors: &tensors, nodes: &[], input, output };
        step::<L>(cpu, &graph, &node, arena);
    }
}

/// Moves all but the first `by` elements to the front.
fn move_up(elements: &mut [i8], by: usize) {
    let mut to = 0;
    while let Some(&x) = elements.get(to + by) {
        if let Some(place) = elements.get_mut(to) {
            *place = x;
        }
        to += 1;
    }
}

/// One inference whose input comes row by row; begun by [`Engine::stream`].
///
/// ```
/// # mod model {
/// # use zipnet::{ir::*, Arena, Model};
/// # const fn at(shape: Shape, offset: u32) -> Tensor<Int> {
/// #     Tensor { shape, meta: IntTensor { scale: 1.0, zero: 0, offset } }
/// # }
/// # static HEAD: Graph<'static, Int> = Graph {
/// #     name: "greatest of 2x2",
/// #     tensors: &[at(Shape::new(4, 4, 1), 4), at(Shape::new(2, 2, 1), 0)],
/// #     nodes: &[Node {
/// #         op: Op::MaxPool2d(Pool2d { window: Window::new(2, 2).stride(2) }),
/// #         inputs: &[TensorId(0)],
/// #         output: TensorId(1),
/// #         data: IntData::NONE,
/// #     }],
/// #     input: TensorId(0),
/// #     output: TensorId(1),
/// # };
/// # static GRAPH: Graph<'static, Int> = Graph {
/// #     name: "greatest",
/// #     tensors: &[at(Shape::new(2, 2, 1), 0), at(Shape::new(1, 1, 1), 4)],
/// #     nodes: &[Node {
/// #         op: Op::MaxPool2d(Pool2d { window: Window::new(2, 2) }),
/// #         inputs: &[TensorId(0)],
/// #         output: TensorId(1),
/// #         data: IntData::NONE,
/// #     }],
/// #     input: TensorId(0),
/// #     output: TensorId(1),
/// # };
/// # #[derive(Debug)]
/// # pub struct Net;
/// # impl Model for Net {
/// #     type Arena = Arena<12>;
/// #     const GRAPH: &'static Graph<'static, Int> = &GRAPH;
/// #     const HEAD: Option<&'static Graph<'static, Int>> = Some(&HEAD);
/// # }
/// # }
/// // A net over an image of 4 by 4, exported with `--stream`: 12 bytes, two rows among them.
/// let mut engine = zipnet::Engine::<model::Net>::new();
/// let mut stream = engine.stream();
/// for row in [[1, 2, 3, 4], [4, 3, 2, 1], [0, 9, 0, 0], [5, 0, 0, 1]] {
///     stream.push_row(&row)?; // as the sensor brings it
/// }
/// assert_eq!(stream.finish()?, [9]);
/// # Ok::<(), zipnet::WrongLength>(())
/// ```
#[allow(missing_debug_implementations)] // an arena need not have one
pub struct Stream<'m, M: Model> {
    engine: &'m mut Engine<M>,
    rows: Rows,
}

impl<'m, M: Model> Stream<'m, M> {
    pub(crate) fn new(engine: &'m mut Engine<M>) -> Self {
        Self { engine, rows: Rows::default() }
    }

    /// Takes the next row of the input, `[w][c]`, and computes what of the first layer it completes.
    ///
    /// # Errors
    /// When the row has not as many elements as the model's, or all rows were there already. The row then counts for
    /// nothing.
    pub fn push_row(&mut self, row: &[i8]) -> Result<(), WrongLength> {
        self.engine.push_row(&mut self.rows, row)
    }

    /// The scores, once all rows are there.
    ///
    /// # Errors
    /// When rows are missing; tells of elements.
    pub fn finish(self) -> Result<&'m [i8], WrongLength> {
        let shape = Engine::<M>::INPUT.shape;
        WrongLength::check(shape.len(), self.rows.seen * shape.row())?;
        Ok(self.engine.infer())
    }
}
