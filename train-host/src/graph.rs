//! A network that owns its numbers, and lends itself as the engine's [`Graph`].

use serde::{Deserialize, Serialize};
use zipnet::ir::{
    Clamp, Fault, Float, FloatData, Graph, Int, IntData, Node, Op, Packing, Phase, Requant, Scratch, Shape,
    Tensor, TensorId,
};
use zipnet::{Cpu, Runner};

use crate::{Error, Result};

/// A phase whose numbers a host can own.
pub trait Owned: Phase {
    /// Owned counterpart of [`Phase::Data`].
    type Store: Clone + std::fmt::Debug;

    /// Lends a net as a graph. Written once a phase: only where the phase is known does the compiler see that
    /// [`Phase::Data`] is covariant, so that nodes may be borrowed for less long than the net.
    fn lend<R>(net: &Net<Self>, f: impl FnOnce(&Graph<'_, Self>) -> R) -> R;

    /// Whether the graph is legal in its phase, with an arena of `arena` bytes where that matters.
    fn fault(graph: &Graph<'_, Self>, arena: usize) -> std::result::Result<(), (usize, Fault)>;
}

/// Numbers of a float node; fields as in [`FloatData`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FloatStore {
    /// See [`FloatData::weights`].
    pub weights: Vec<f32>,
    /// See [`FloatData::bias`].
    pub bias: Vec<f32>,
    /// See [`FloatData::mean`].
    pub mean: Vec<f32>,
    /// See [`FloatData::variance`].
    pub variance: Vec<f32>,
}

/// Numbers of an int8 node; fields as in [`IntData`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntStore {
    /// See [`IntData::weights`].
    pub weights: Vec<i8>,
    /// See [`IntData::bias`].
    pub bias: Vec<i32>,
    /// See [`IntData::requant`].
    pub requant: Vec<Requant>,
    /// See [`IntData::clamp`].
    pub clamp: Clamp,
    /// See [`IntData::scratch`].
    pub scratch: Scratch,
    /// See [`IntData::packing`].
    pub packing: Packing,
    /// Bits of a weight in the table, 8 or 4: weights of 4 bits lie from -7 to 7. They take a byte each here as long as
    /// they are in plain order.
    #[serde(default = "eight")]
    pub bits: u8,
}

fn eight() -> u8 {
    8
}

impl Default for IntStore {
    fn default() -> Self {
        Self {
            weights: Vec::new(),
            bias: Vec::new(),
            requant: Vec::new(),
            clamp: Clamp::FULL,
            scratch: Scratch::default(),
            packing: Packing::Plain,
            bits: eight(),
        }
    }
}

impl FloatStore {
    fn data(&self) -> FloatData<'_> {
        let Self { weights, bias, mean, variance } = self;
        FloatData { weights, bias, mean, variance }
    }
}

impl IntStore {
    /// The factor of a unit, its own or that of all.
    pub fn factor(&self, unit: usize) -> Requant {
        self.requant[if self.requant.len() == 1 { 0 } else { unit }]
    }

    fn data(&self) -> IntData<'_> {
        let Self { weights, bias, requant, clamp, scratch, packing, bits: _ } = self;
        IntData { weights, bias, requant, clamp: *clamp, scratch: *scratch, packing: *packing }
    }
}

impl Owned for Float {
    type Store = FloatStore;

    fn lend<R>(net: &Net<Self>, f: impl FnOnce(&Graph<'_, Self>) -> R) -> R {
        let nodes: Vec<Node<'_, Self>> = net.nodes.iter().map(|n| n.lend(n.store.data())).collect();
        f(&net.graph(&nodes))
    }

    fn fault(graph: &Graph<'_, Self>, _arena: usize) -> std::result::Result<(), (usize, Fault)> {
        graph.fault()
    }
}

impl Owned for Int {
    type Store = IntStore;

    fn lend<R>(net: &Net<Self>, f: impl FnOnce(&Graph<'_, Self>) -> R) -> R {
        let nodes: Vec<Node<'_, Self>> = net.nodes.iter().map(|n| n.lend(n.store.data())).collect();
        f(&net.graph(&nodes))
    }

    fn fault(graph: &Graph<'_, Self>, arena: usize) -> std::result::Result<(), (usize, Fault)> {
        graph.fault(arena)
    }
}

/// One operator of a [`Net`].
#[derive(Clone, Debug)]
pub struct NetNode<P: Owned> {
    /// What people call it; unique in its net.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// The tensors it reads.
    pub inputs: Vec<TensorId>,
    /// The tensor it writes.
    pub output: TensorId,
    /// Its numbers.
    pub store: P::Store,
}

impl<P: Owned> NetNode<P> {
    fn lend<'a>(&'a self, data: P::Data<'a>) -> Node<'a, P> {
        Node { op: self.op, inputs: &self.inputs, output: self.output, data }
    }
}

impl NetNode<Int> {
    /// Bytes of weights and biases in the table.
    pub fn weight_bytes(&self) -> usize {
        let IntStore { weights, bias, packing, bits, .. } = &self.store;
        let halved = *packing == Packing::Plain && *bits == 4;
        let weights = if halved { weights.len().div_ceil(2) } else { weights.len() };
        weights + 4 * bias.len()
    }

    /// Bits of a weight; `None` for an operator without weights.
    pub fn bits(&self) -> Option<u8> {
        match &self.op {
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) => Some(self.store.bits),
            Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } => None,
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Mean { .. } | Op::Concat { .. } => None,
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish => None,
            Op::Logistic | Op::Tanh | Op::Softmax | Op::Requantize | Op::BatchNorm => None,
            Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => None,
            Op::ChannelShuffle { .. } | Op::Reshape { .. } => None,
        }
    }
}

/// A network that owns its numbers. Fields mean what they do in [`Graph`].
#[derive(Clone, Debug)]
pub struct Net<P: Owned> {
    /// A name for reports and files.
    pub name: String,
    /// Every tensor.
    pub tensors: Vec<Tensor<P>>,
    /// Every operator, in execution order.
    pub nodes: Vec<NetNode<P>>,
    /// The tensor the caller fills.
    pub input: TensorId,
    /// The tensor the caller reads.
    pub output: TensorId,
}

impl<P: Owned> Net<P> {
    /// A net without operators, whose output is its input.
    pub fn new(name: &str, input: Shape, meta: P::Tensor) -> Self {
        let tensors = vec![Tensor { shape: input, meta }];
        Self { name: name.to_owned(), tensors, nodes: Vec::new(), input: TensorId(0), output: TensorId(0) }
    }

    /// Appends an operator, whose output becomes the net's.
    ///
    /// # Errors
    /// Where the operator and its inputs do not meet, naming the node and the shapes.
    pub fn push(
        &mut self,
        name: &str,
        op: Op,
        inputs: &[TensorId],
        meta: P::Tensor,
        store: P::Store,
    ) -> Result<TensorId> {
        let shapes: Vec<Shape> = inputs.iter().map(|&id| self.shape(id)).collect();
        let shape = op.output(&shapes).map_err(|fault| {
            let shapes: Vec<String> = shapes.iter().map(|&s| show(s)).collect();
            Error::new(format!("layer {name:?} ({}) over {}: {fault}", op.name(), shapes.join(" and ")))
        })?;
        let id = u16::try_from(self.tensors.len()).map_err(|_| Error::new("more than 65535 tensors"))?;
        let output = TensorId(id);
        self.tensors.push(Tensor { shape, meta });
        self.nodes.push(NetNode { name: name.to_owned(), op, inputs: inputs.to_vec(), output, store });
        self.output = output;
        Ok(output)
    }

    /// Shape of a tensor.
    pub fn shape(&self, id: TensorId) -> Shape {
        self.tensors[id.at()].shape
    }

    /// Shape of the net's input.
    pub fn input_shape(&self) -> Shape {
        self.shape(self.input)
    }

    /// Shape of the net's output.
    pub fn output_shape(&self) -> Shape {
        self.shape(self.output)
    }

    /// Indices of the nodes that read a tensor.
    pub fn readers(&self, id: TensorId) -> impl Iterator<Item = usize> {
        let reads = move |(i, node): (usize, &NetNode<P>)| node.inputs.contains(&id).then_some(i);
        self.nodes.iter().enumerate().filter_map(reads)
    }

    /// Index of the node that writes a tensor; `None` for the net's input.
    pub fn producer(&self, id: TensorId) -> Option<usize> {
        self.nodes.iter().position(|node| node.output == id)
    }

    /// Lends the net as a graph.
    pub fn with<R>(&self, f: impl FnOnce(&Graph<'_, P>) -> R) -> R {
        P::lend(self, f)
    }

    fn graph<'a>(&'a self, nodes: &'a [Node<'a, P>]) -> Graph<'a, P> {
        Graph { name: &self.name, tensors: &self.tensors, nodes, input: self.input, output: self.output }
    }

    /// Multiplications by a weight in one inference.
    pub fn macs(&self) -> u64 {
        self.with(|graph| graph.macs())
    }

    /// Proves the net legal in its phase, with an arena of `arena` bytes where that matters.
    ///
    /// # Errors
    /// The fault in words, with the name of the node.
    pub fn check(&self, arena: usize) -> Result<()> {
        self.with(|graph| P::fault(graph, arena)).map_err(|(i, fault)| self.at_fault(i, fault))
    }

    /// A fault in words, with the name of the node.
    pub(crate) fn at_fault(&self, i: usize, fault: Fault) -> Error {
        let name = self.nodes.get(i).map_or("the output", |node| &node.name);
        Error::new(format!("net {:?}, {name}: {fault}", self.name))
    }
}

impl Net<Float> {
    /// Number of trainable parameters: weights, biases, and the gamma and beta of batch norms.
    pub fn params(&self) -> usize {
        self.nodes.iter().map(|n| n.store.weights.len() + n.store.bias.len()).sum()
    }
}

impl Net<Int> {
    /// The engine over inputs back to back; outputs back to back. The net must have passed its check.
    ///
    /// # Errors
    /// When `inputs` is no whole number of inputs, or the net is not legal.
    pub fn run(&self, inputs: &[i8]) -> Result<Vec<i8>> {
        self.run_on(Cpu::fastest(), inputs)
    }

    /// The same on one of the instruction sets that this machine has.
    ///
    /// # Errors
    /// As [`Net::run`].
    pub fn run_on(&self, cpu: Cpu, inputs: &[i8]) -> Result<Vec<i8>> {
        self.with_runner(|runner| run_all(runner.on(cpu), self, inputs))
    }

    /// Lends the net, checked, to the engine.
    ///
    /// # Errors
    /// What `f` refuses, or the fault of the net in words, with the name of the node.
    pub fn with_runner<R>(&self, f: impl FnOnce(Runner<'_>) -> Result<R>) -> Result<R> {
        self.with(|graph| f(Runner::new(graph).map_err(|(i, fault)| self.at_fault(i, fault))?))
    }

    /// Bytes of weights and biases in the table.
    pub fn weight_bytes(&self) -> usize {
        let own = |i: usize| match (self.numbers_of(i) == i, self.weights_of(i) == i) {
            (false, _) => 0,
            (true, true) => self.nodes[i].weight_bytes(),
            (true, false) => 4 * self.nodes[i].store.bias.len(),
        };
        (0..self.nodes.len()).map(own).sum()
    }

    /// The node whose weights those of node `i` are in the table, which holds those of convolutions and dense layers once:
    /// the first one with the same bytes; mostly `i` itself. The steps of a recurrent layer that is unrolled share theirs,
    /// and nothing else.
    pub fn weights_of(&self, i: usize) -> usize {
        let node = &self.nodes[i];
        let alike = |other: &NetNode<Int>| {
            let (a, b) = (&other.store, &node.store);
            let plain = [a, b].map(|store| store.packing == Packing::Plain);
            plain[0] == plain[1] && a.bits == b.bits && a.weights == b.weights
        };
        if !matches!(node.op, Op::Conv2d(_) | Op::Dense(_)) {
            return i;
        }
        self.nodes[..i].iter().position(alike).unwrap_or(i)
    }

    /// The node whose numbers those of node `i` are in the table, which holds them once: the first one of the same operator
    /// over the same shape with weights, biases and factors like these; mostly `i` itself. A node that makes a tensor again
    /// has those of the one that made it first.
    pub fn numbers_of(&self, i: usize) -> usize {
        let node = &self.nodes[i];
        let alike = |other: &NetNode<Int>| {
            let (a, b) = (&other.store, &node.store);
            let shapes = [other, node].map(|node| self.shape(node.inputs[0]));
            other.op == node.op
                && shapes[0].same(shapes[1])
                && a.packing == b.packing
                && a.bits == b.bits
                && a.requant == b.requant
                && a.bias == b.bias
                && a.weights == b.weights
        };
        if node.store.weights.is_empty() {
            return i;
        }
        self.nodes[..i].iter().position(alike).unwrap_or(i)
    }
}

/// `net` as `runner` runs it, over inputs back to back; outputs back to back.
pub(crate) fn run_all(runner: Runner<'_>, net: &Net<Int>, inputs: &[i8]) -> Result<Vec<i8>> {
    let (size, made) = (net.input_shape().len(), net.output_shape().len());
    let mut outputs = vec![0; inputs.len() / size * made];
    let mut arena = vec![0; runner.arena_len()];
    for (input, output) in inputs.chunks(size).zip(outputs.chunks_mut(made)) {
        runner.run(&mut arena, input, output).map_err(Error::new)?;
    }
    Ok(outputs)
}

/// A shape for people: `16x16x1`.
pub fn show(shape: Shape) -> String {
    format!("{}x{}x{}", shape.h, shape.w, shape.c)
}
