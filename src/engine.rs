//! Runs a graph: which node, from where, to where.
//!
//! Nothing is computed here. A node's operator picks the kernel, its tensors pick the bytes of the arena. All that
//! could go wrong was settled by [`Graph::check`](crate::ir::Graph::check); what is left is total.

use crate::arch::{Cpu, Isa, Job, Store};
use crate::ir::{
    Chunk, Fault, Graph, Int, IntData, IntTensor, Node, Op, Operands, Packing, Scratch, Shape, Tensor,
    TensorId, Uses,
};
use crate::kernels::{self, Bytes, Flow, Input, Output, Pair, fours, halves, nibbles, packed, vectors};
use crate::stream::Rows;
use core::marker::PhantomData;
use core::ops::Range;

/// An input or output whose length is not the model's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WrongLength {
    /// Elements the model has there.
    pub expected: usize,
    /// Elements given.
    pub given: usize,
}

impl WrongLength {
    /// Whether as many were given as expected.
    pub(crate) const fn check(expected: usize, given: usize) -> Result<(), Self> {
        if given == expected { Ok(()) } else { Err(Self { expected, given }) }
    }
}

impl std::fmt::Display for WrongLength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {} elements, got {}", self.expected, self.given)
    }
}

impl core::error::Error for WrongLength {}

/// Which kernels are linked: the match arms in [`step`] are guarded by these constants.
pub(crate) trait Linked {
    const USES: Uses;
}

/// All of them, for graphs that are not known before they run.
pub(crate) enum Every {}

impl Linked for Every {
    const USES: Uses = Uses::ALL;
}

/// For which samples a step is taken, and where an arena holds what is theirs.
trait Samples: Copy {
    /// Where their part of a tensor lies that has `len` bytes a sample, and would begin at `offset` in an arena of one.
    fn place(self, offset: usize, len: usize) -> Range<usize>;

    /// Where scratch lies, likewise.
    fn scratch(self, offset: usize, len: usize) -> Range<usize>;
}

/// The only one.
#[derive(Clone, Copy)]
struct Only;

impl Samples for Only {
    #[inline(always)]
    fn place(self, offset: usize, len: usize) -> Range<usize> {
        offset..offset.wrapping_add(len)
    }

    #[inline(always)]
    fn scratch(self, offset: usize, len: usize) -> Range<usize> {
        self.place(offset, len)
    }
}

/// Some of many, whose arena is that of one with every byte as often as there are samples: a tensor's place begins so
/// many times further on and holds that of each sample, back to back. What lay apart lies apart, and what lay in one
/// place still does.
#[derive(Clone, Copy)]
struct Part {
    /// Samples in the arena.
    all: usize,
    /// The first of these.
    first: usize,
    /// How many these are.
    count: usize,
}

impl Samples for Part {
    fn place(self, offset: usize, len: usize) -> Range<usize> {
        let from = offset * self.all + self.first * len;
        from..from + self.count * len
    }

    /// Not one's own: what a step leaves there serves no other.
    fn scratch(self, offset: usize, len: usize) -> Range<usize> {
        let from = offset * self.all;
        from..from + self.count * len
    }
}

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
            inputs.all(|(_, x)| x == y || x.end <= y.start || y.end <= x.start)
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

/// Copies between slices of one length.
pub(crate) fn copy(from: &[i8], to: &mut [i8]) -> Result<(), WrongLength> {
    WrongLength::check(to.len(), from.len())?;
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
    Ok(())
}

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

/// The bytes of a tensor; none if the arena does not hold them.
pub(crate) fn bytes<'m>(graph: &Graph<'_, Int>, id: TensorId, arena: &'m [i8]) -> &'m [i8] {
    place(graph, id, Only).and_then(|(_, place)| arena.get(place)).unwrap_or_default()
}

/// The bytes of a tensor, to be written.
pub(crate) fn bytes_mut<'m>(graph: &Graph<'_, Int>, id: TensorId, arena: &'m mut [i8]) -> &'m mut [i8] {
    place(graph, id, Only).and_then(|(_, place)| arena.get_mut(place)).unwrap_or_default()
}

/// A tensor and where it lies.
#[inline(always)]
fn place<'a>(
    graph: &Graph<'a, Int>,
    id: TensorId,
    samples: impl Samples,
) -> Option<(&'a Tensor<Int>, Range<usize>)> {
    let tensor = graph.tensors.get(id.at())?;
    Some((tensor, samples.place(tensor.meta.offset as usize, tensor.shape.len())))
}

/// One node: a kernel, and its slices of the arena. A graph that has not passed its check may lack some; then
/// nothing happens.
pub(crate) fn step<'a, L: Linked>(cpu: Cpu, graph: &Graph<'a, Int>, node: &Node<'a, Int>, arena: &mut [i8]) {
    step_of::<L, _>(cpu, graph, node, Only, arena);
}

/// The same for some samples.
#[inline(always)]
fn step_of<'a, L: Linked, S: Samples>(
    cpu: Cpu,
    graph: &Graph<'a, Int>,
    node: &Node<'a, Int>,
    samples: S,
    arena: &mut [i8],
) {
    cpu.run(Step::<L, S> { graph, node, samples, arena, linked: PhantomData });
}

/// Whether the samples of a node may be given to its kernel all at once: those by fours look how many there are, and to
/// those that go element by element many samples are a long one.
fn takes_many(node: &Node<'_, Int>) -> bool {
    let elementwise = match &node.op {
        Op::Add(operands) => *operands == Operands::Equal,
        Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::Requantize => true,
        Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Tanh | Op::Reshape { .. } => true,
        Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) | Op::BatchNorm => false,
        Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Mean { .. } | Op::Softmax => false,
        Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } => false,
        Op::Concat { .. } | Op::ChannelShuffle { .. } | Op::Pad(_) | Op::Slice(_) => false,
        Op::Transpose { .. } | Op::ResizeNearest { .. } => false,
    };
    elementwise || matches!(node.data.packing, Packing::Fours | Packing::FoursDepthwise)
}

/// A node to run on whatever instruction set is chosen.
struct Step<'s, 'a, L, S> {
    graph: &'s Graph<'a, Int>,
    node: &'s Node<'a, Int>,
    samples: S,
    arena: &'s mut [i8],
    linked: PhantomData<L>,
}

impl<L: Linked, S: Samples> Job for Step<'_, '_, L, S> {
    #[inline(always)]
    fn on<I: Isa>(mut self, isa: I) {
        let (op, data) = (&self.node.op, &self.node.data);
        if self.packed(isa) {
            return;
        }
        match op {
            Op::Conv2d(conv) => {
                if L::USES.conv2d {
                    self.run_apart(|x, y| kernels::conv2d(isa, conv, data, x, y));
                }
            }
            Op::DepthwiseConv2d(conv) => {
                if L::USES.depthwise_conv2d {
                    self.run_apart(|x, y| kernels::depthwise_conv2d(isa, conv, data, x, y));
                }
            }
            Op::Dense(_) => {
                if L::USES.dense {
                    self.run_apart(|x, y| kernels::dense(isa, data, x, y));
                }
            }
            Op::MaxPool2d(pool) => {
                if L::USES.thin_max_pool2d && self.is_thin() {
                    self.run_apart(|x, y| kernels::thin_max_pool2d(isa, pool, data.clamp, x, y));
                } else if L::USES.max_pool2d {
                    self.run_apart(|x, y| kernels::max_pool2d(isa, pool, data.clamp, x, y));
                }
            }
            Op::AvgPool2d(pool) => {
                if L::USES.thin_avg_pool2d && self.is_thin() {
                    self.run_apart(|x, y| kernels::thin_avg_pool2d(isa, pool, data.clamp, x, y));
                } else if L::USES.avg_pool2d {
                    self.run_apart(|x, y| kernels::avg_pool2d(isa, pool, data.clamp, x, y));
                }
            }
            Op::Mean { axes } => {
                if L::USES.thin_mean && self.is_thin() {
                    self.run_apart(|x, y| kernels::thin_mean(isa, *axes, data, x, y));
                } else if L::USES.mean {
                    self.run_apart(|x, y| kernels::mean(isa, *axes, data, x, y));
                }
            }
            Op::Add(Operands::Equal) => {
                if L::USES.add {
                    self.add(isa);
                }
            }
            Op::Add(operands @ (Operands::Broadcast | Operands::Left(_) | Operands::Right(_))) => {
                if L::USES.add_broadcast {
                    self.pair(isa, *operands, kernels::add_broadcast);
                }
            }
            Op::Sub(operands) => {
                if L::USES.sub {
                    self.pair(isa, *operands, kernels::sub);
                }
            }
            Op::Mul(operands) => {
                if L::USES.mul {
                    self.pair(isa, *operands, kernels::mul);
                }
            }
            Op::Prelu { alpha } => {
                if L::USES.prelu {
                    self.pair(isa, Operands::Right(*alpha), kernels::prelu);
                }
            }
            Op::Concat { axis } => {
                if L::USES.concat {
                    let mut at = 0;
                    for i in 0..self.node.inputs.len() {
                        let Some((x, y)) = self.apart(i) else { return };
                        at = kernels::concat(isa, *axis, x, at, y);
                    }
                }
            }
            Op::ChannelShuffle { groups } => {
                if L::USES.channel_shuffle {
                    self.run_apart(|x, y| kernels::channel_shuffle(isa, *groups, x, y));
                }
            }
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::Requantize => {
                if L::USES.requantize
                    && let Some((zero, y)) = self.moved(0)
                {
                    let store = Store { zero: y.zero, clamp: data.clamp };
                    kernels::requantize(isa, data.requant, zero, store, y.data);
                }
            }
            Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Tanh => {
                if L::USES.table
                    && let Some((_, y)) = self.moved(0)
                {
                    kernels::look_up(isa, data.weights, y.data);
                }
            }
            Op::Softmax => {
                if L::USES.softmax {
                    self.run_apart(|x, y| kernels::softmax(data.requant, x, y));
                }
            }
            Op::Pad(pad) => {
                if L::USES.pad {
                    self.run_apart(|x, y| kernels::pad(isa, pad, data.bias, x, y));
                }
            }
            Op::Slice(slice) => {
                if L::USES.slice {
                    self.run_apart(|x, y| kernels::slice(isa, slice, x, y));
                }
            }
            Op::Transpose { order } => {
                if L::USES.transpose {
                    self.run_apart(|x, y| kernels::transpose(isa, *order, x, y));
                }
            }
            Op::ResizeNearest { .. } => {
                if L::USES.resize_nearest {
                    self.run_apart(|x, y| kernels::resize_nearest(isa, data.bias, x, y));
                }
            }
            Op::Reshape { .. } => {
                if L::USES.reshape {
                    self.moved(0);
                }
            }
            Op::BatchNorm => {} // folded before the integer phase; `check` refuses it
        }
    }
}

impl<L: Linked, S: Samples> Step<'_, '_, L, S> {
    /// Runs a node with packed weights; `false` where they are not packed.
    #[inline(always)]
    fn packed<I: Isa>(&mut self, isa: I) -> bool {
        let (op, data) = (&self.node.op, &self.node.data);
        let linked = L::USES.packed;
        match data.packing {
            Packing::Plain => return false,
            Packing::DspPatch => {
                if linked[Packing::DspPatch.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::conv2d(isa, conv, data, flow, L::USES.twos));
                }
            }
            Packing::DspPoint => {
                if linked[Packing::DspPoint.at()] {
                    self.run_in_flow(|flow| {
                        if let Some((conv, x)) = Chunk::point(op, flow.x.0) {
                            flow.x.0 = x;
                            packed::point_conv2d(isa, &conv, data, flow, L::USES.twos);
                        }
                    });
                }
            }
            Packing::DspRows => {
                if linked[Packing::DspRows.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::rows_conv2d(isa, conv, data, flow, L::USES.twos));
                }
            }
            Packing::DspWinograd => {
                if linked[Packing::DspWinograd.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::winograd_conv2d(isa, conv, data, flow));
                }
            }
            Packing::DspDense => {
                if linked[Packing::DspDense.at()] {
                    self.run_with_scratch(|x, y, scratch| packed::dense(isa, data, x, y, scratch));
                }
            }
            Packing::DspDepthwise => {
                if linked[Packing::DspDepthwise.at()]
                    && let Op::DepthwiseConv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::depthwise_conv2d(isa, conv, data, flow));
                }
            }
            Packing::DspDepthwise3 => {
                if linked[Packing::DspDepthwise3.at()]
                    && let Op::DepthwiseConv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::depthwise_conv2d_3x3(isa, conv, data, flow));
                }
            }
            Packing::DspFourChannels => {
                if linked[Packing::DspFourChannels.at()]
                    && let Op::DepthwiseConv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::four_channels(isa, conv, data, flow));
                }
            }
            Packing::Fours => {
                if linked[Packing::Fours.at()] {
                    self.run_with_scratch(|x, y, scratch| {
                        if let Op::Conv2d(conv) = op {
                            fours::conv2d(isa, conv, data, x, y, scratch);
                        } else if let Op::Dense(dense) = op {
                            fours::dense(isa, dense, data, x, y, scratch);
                        }
                    });
                }
            }
            Packing::FoursDepthwise => {
                if linked[Packing::FoursDepthwise.at()]
                    && let Op::DepthwiseConv2d(conv) = op
                {
                    self.run_with_scratch(|x, y, scratch| {
                        fours::depthwise_conv2d(isa, conv, data, x, y, scratch);
                    });
                }
            }
            Packing::Nibbles | Packing::NibblesShort => {
                if (linked[Packing::Nibbles.at()] || linked[Packing::NibblesShort.at()])
                    && let Op::Conv2d(conv) = op
                {
                    self.run_with_scratch(|x, y, scratch| nibbles::conv2d(isa, conv, data, x, y, scratch));
                }
            }
            Packing::NibblesDense => {
                if linked[Packing::NibblesDense.at()] {
                    self.run_apart(|x, y| nibbles::dense(isa, data, x, y));
                }
            }
            Packing::NibblesDepthwise => {
                if linked[Packing::NibblesDepthwise.at()]
                    && let Op::DepthwiseConv2d(conv) = op
                {
                    self.run_with_scratch(|x, y, scratch| {
                        nibbles::depthwise_conv2d(isa, conv, data, x, y, scratch);
                    });
                }
            }
            Packing::Halves => {
                if linked[Packing::Halves.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| halves::conv2d(isa, conv, data, flow));
                }
            }
            Packing::RingDepthwise => {
                if linked[Packing::RingDepthwise.at()]
                    && let Op::DepthwiseConv2d(conv) = op
                {
                    self.run_in_flow(|flow| halves::depthwise_conv2d(isa, conv, data, flow));
                }
            }
            Packing::Vectors => {
                if linked[Packing::Vectors.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| vectors::conv2d(isa, conv, data, flow));
                }
            }
            Packing::DspAdd => {
                if linked[Packing::DspAdd.at()] {
                    self.operands(|held, _, x, y| packed::add(isa, data, held, x, y));
                }
            }
        }
        true
    }

    fn input(&self, i: usize) -> Option<(&IntTensor, Shape, Range<usize>)> {
        let (tensor, place) = place(self.graph, *self.node.inputs.get(i)?, self.samples)?;
        Some((&tensor.meta, tensor.shape, place))
    }

    /// Runs a kernel over input 0 and the output, which lie apart. What the kernels that [`Step`] may run need of the stack
    /// is not kept for each of them at a time: here, and below.
    #[inline(never)]
    fn run_apart(&mut self, kernel: impl FnOnce(Input<'_>, Output<'_>)) {
        if let Some((x, y)) = self.apart(0) {
            kernel(x, y);
        }
    }

    /// The same with the scratch of the node.
    #[inline(never)]
    fn run_with_scratch(&mut self, kernel: impl FnOnce(Input<'_>, Output<'_>, &mut [i8])) {
        if let Some((x, y, scratch)) = self.apart_with_scratch(0) {
            kernel(x, y, scratch);
        }
    }

    /// Runs a kernel that may work in place.
    #[inline(never)]
    fn run_in_flow(&mut self, kernel: impl FnOnce(&mut Flow<'_>)) {
        if let Some(flow) = &mut self.flow() {
            kernel(flow);
        }
    }

    /// Whether the operator has a kernel of its own for so few channels.
    fn is_thin(&self) -> bool {
        self.input(0).is_some_and(|(_, shape, _)| self.node.op.is_thin(shape))
    }

    /// Input `i` and the output, which lie apart.
    fn apart(&mut self, i: usize) -> Option<(Input<'_>, Output<'_>)> {
        let (x, x_place) = place(self.graph, *self.node.inputs.get(i)?, self.samples)?;
        let (y, y_place) = place(self.graph, self.node.output, self.samples)?;
        let (x_data, y_data) = if x_place.end <= y_place.start {
            let (low, high) = self.arena.split_at_mut_checked(y_place.start)?;
            (low.get(x_place)?, high.get_mut(..y_place.len())?)
        } else {
            let (low, high) = self.arena.split_at_mut_checked(x_place.start)?;
            (high.get(..x_place.len())?, low.get_mut(y_place)?)
        };
        Some((
            Input { shape: x.shape, zero: x.meta.zero, data: x_data },
            Output { shape: y.shape, zero: y.meta.zero, data: y_data },
        ))
    }

    /// Input `i`, the output and the scratch of the node, which lie apart.
    fn apart_with_scratch(&mut self, i: usize) -> Option<(Input<'_>, Output<'_>, &mut [i8])> {
        let (x, x_place) = place(self.graph, *self.node.inputs.get(i)?, self.samples)?;
        let (y, y_place) = place(self.graph, self.node.output, self.samples)?;
        let Scratch { offset, len } = self.node.data.scratch;
        // An empty range within another would count as overlap.
        let from = if len == 0 { 0 } else { offset as usize };
        let places = [x_place, y_place, self.samples.scratch(from, len as usize)];
        let [x_data, y_data, scratch] = self.arena.get_disjoint_mut(places).ok()?;
        Some((
            Input { shape: x.shape, zero: x.meta.zero, data: x_data },
            Output { shape: y.shape, zero: y.meta.zero, data: y_data },
            scratch,
        ))
    }

    /// Input 0 and the output, which may share bytes, with the scratch of the node.
    fn flow(&mut self) -> Option<Flow<'_>> {
        let (x, x_place) = place(self.graph, *self.node.inputs.first()?, self.samples)?;
        let (y, y_place) = place(self.graph, self.node.output, self.samples)?;
        let tensors = ((x.shape, x.meta.zero), (y.shape, y.meta.zero));
        if x_place.end <= y_place.start || y_place.end <= x_place.start {
            let (x, y, scratch) = self.apart_with_scratch(0)?;
            let bytes = Bytes::Apart(x.data, y.data);
            return Some(Flow { x: tensors.0, y: tensors.1, bytes, scratch });
        }
        let Scratch { offset, len } = self.node.data.scratch;
        let from = if len == 0 { 0 } else { offset as usize };
        let begin = x_place.start.min(y_place.start);
        let places = [begin..x_place.end.max(y_place.end), self.samples.scratch(from, len as usize)];
        let [both, scratch] = self.arena.get_disjoint_mut(places).ok()?;
        let bytes = Bytes::Over(both, [x_place.start - begin, y_place.start - begin]);
        Some(Flow { x: tensors.0, y: tensors.1, bytes, scratch })
    }

    /// The output, filled with input `i`, and that input's zero point. Nothing moves where they are one place.
    fn moved(&mut self, i: usize) -> Option<(i8, Output<'_>)> {
        let (x, _, from) = self.input(i)?;
        let zero = x.zero;
        let (y, to) = place(self.graph, self.node.output, self.samples)?;
        if from != to {
            let (x, y) = self.apart(i)?;
            copy(x.data, y.data).ok()?;
        }
        Some((zero, Output { shape: y.shape, zero: y.meta.zero, data: self.arena.get_mut(to)? }))
    }

    /// Brings one operand to the output and adds the other.
    fn add<I: Isa>(&mut self, isa: I) {
        let data = &self.node.data;
        self.operands(|held, zero, x, y| kernels::add(isa, data, held, zero, x, y));
    }

    /// Brings one operand to the output: which, its zero point, the other one unless it is the same, and the output.
    #[inline(never)]
    fn operands(&mut self, kernel: impl FnOnce(usize, i8, Option<Input<'_>>, Output<'_>)) {
        let (Some((_, _, first)), Some((_, _, second))) = (self.input(0), self.input(1)) else { return };
        let Some((_, to)) = place(self.graph, self.node.output, self.samples) else { return };
        let held = usize::from(second == to && first != to);
        let Some((zero, y)) = self.moved(held) else { return };
        if first == second {
            kernel(held, zero, None, y);
        } else if let Some((x, y)) = self.apart(1 - held) {
            kernel(held, zero, Some(x), y);
        }
    }

    /// Brings one operand to the whole of the output and does the rest with the other.
    #[inline(always)]
    fn pair<I: Isa>(
        &mut self,
        isa: I,
        operands: Operands,
        kernel: impl FnOnce(&IntData<'_>, Pair<'_>, Output<'_>),
    ) {
        let data = &self.node.data;
        if let Some(shape) = operands.constant() {
            let held = usize::from(matches!(operands, Operands::Left(_)));
            let zero = data.bias.first().map_or(0, |&zero| zero as i8);
            let other = Some(Input { shape, zero, data: data.weights });
            if let Some((zero, y)) = self.repeated(isa, 0) {
                kernel(data, Pair { held, zero, other }, y);
            }
            return;
        }
        let (Some((_, _, first)), Some((_, _, second))) = (self.input(0), self.input(1)) else { return };
        let Some((_, to)) = place(self.graph, self.node.output, self.samples) else { return };
        let held = usize::from(second == to && first != to);
        let Some((zero, y)) = self.repeated(isa, held) else { return };
        if first == second {
            kernel(data, Pair { held, zero, other: None }, y);
        } else if let Some((x, y)) = self.apart(1 - held) {
            kernel(data, Pair { held, zero, other: Some(x) }, y);
        }
    }

    /// The output, filled with input `i` repeated to its shape, and that input's zero point.
    fn repeated<I: Isa>(&mut self, isa: I, i: usize) -> Option<(i8, Output<'_>)> {
        let (x, shape, _) = self.input(i)?;
        let zero = x.zero;
        let (y, to) = place(self.graph, self.node.output, self.samples)?;
        if shape.same(y.shape) {
            return self.moved(i);
        }
        let (x, y) = self.apart(i)?;
        kernels::repeat(isa, x, y);
        let (y, _) = place(self.graph, self.node.output, self.samples)?;
        Some((zero, Output { shape: y.shape, zero: y.meta.zero, data: self.arena.get_mut(to)? }))
    }
}
