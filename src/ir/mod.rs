//! What a network is: operators, shapes, tensors, and the order in which they run.
//!
//! A [`Graph`] is plain borrowed data that a `const` can hold: the host owns `Vec`s and lends them, the
//! firmware owns flash and lends that. Its phase `P` says what the numbers are: [`Float`] while a net is
//! trained, [`Int`] once it is quantised. Operators, shapes and the shape rule ([`Op::output`]) are the same in
//! both, so the network is defined once; a float table given to the engine does not type-check.
//!
//! This room knows shapes and names. It computes nothing on data and reads no file format.

mod attributes;
mod check;
mod memory;
mod op;
mod packing;
mod quant;
mod shape;
mod stream;
mod uses;

pub use attributes::{Axis, Bias, Conv2d, Dense, DepthwiseConv2d, Operands, Pad, Pool2d, Slice};
pub use check::{Fault, MAX_INPUTS};
pub use memory::MAX_TENSORS;
pub use op::Op;
pub use packing::{
    Aligned, Bordered, Bunches, Chunk, FourChannels, FourTaps, Fours, Halves, Joined, Lanes, Lead, Nibbles,
    Packed, Packing, Parts, Portion, Ring, Sections, Slide, Squares, Taps, Vectors, Views, Winograd,
};
pub use quant::Float;
pub use quant::{Clamp, FloatData, Int, IntData, IntTensor, Real, Requant, Scratch};
pub use shape::{Padding, Shape, Window};
pub use stream::Strip;
pub use uses::Uses;

/// Index of a tensor in [`Graph::tensors`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TensorId(pub u16);

impl TensorId {
    /// The index as the type that indexes.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// What the numbers of a graph are; implemented by [`Float`] and [`Int`] only.
pub trait Phase: Sized {
    /// What a tensor carries besides its shape.
    type Tensor: Copy + core::fmt::Debug;
    /// What a node carries besides its operator: weights and their kin.
    type Data<'a>: Copy + core::fmt::Debug;
}

/// A value that flows between operators; one sample, the batch is dropped.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<P: Phase> {
    /// Rows, columns, channels.
    pub shape: Shape,
    /// What its numbers mean and, in the integer phase, where they lie.
    pub meta: P::Tensor,
}

/// One operator at work.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a, P: Phase> {
    /// What it computes.
    pub op: Op,
    /// The tensors it reads, in the operator's order; at most [`MAX_INPUTS`].
    pub inputs: &'a [TensorId],
    /// The tensor it writes.
    pub output: TensorId,
    /// Its weights; which fields an operator uses is told at [`IntData`] and [`FloatData`].
    pub data: P::Data<'a>,
}

/// A network: tensors, and the nodes that compute them in execution order.
#[derive(Clone, Copy, Debug)]
pub struct Graph<'a, P: Phase> {
    /// A name for reports.
    pub name: &'a str,
    /// Every tensor, in no particular order.
    pub tensors: &'a [Tensor<P>],
    /// Every operator, each after those whose outputs it reads.
    pub nodes: &'a [Node<'a, P>],
    /// The tensor the caller fills.
    pub input: TensorId,
    /// The tensor the caller reads.
    pub output: TensorId,
}

impl<'a, P: Phase> Graph<'a, P> {
    /// The tensor of an id that [`Graph::fault`] has accepted.
    ///
    /// # Panics
    /// When the id is out of range; the engine itself uses `tensors.get`.
    pub const fn tensor(&self, id: TensorId) -> &'a Tensor<P> {
        &self.tensors[id.at()]
    }

    /// Multiplications by a weight in one inference.
    pub const fn macs(&self) -> u64 {
        let (mut total, mut i) = (0, 0);
        while i < self.nodes.len() {
            let node = &self.nodes[i];
            let input = self.tensor(node.inputs[0]).shape;
            total += node.op.macs(input, self.tensor(node.output).shape);
            i += 1;
        }
        total
    }
}

impl Graph<'_, Int> {
    /// Which kernels the graph needs.
    pub const fn uses(&self) -> Uses {
        let (mut uses, mut i) = (Uses::NONE, 0);
        while i < self.nodes.len() {
            let node = &self.nodes[i];
            let (x, data) = (self.tensor(node.inputs[0]).shape, &node.data);
            uses = uses.with(&node.op, x, data.packing, data.scratch.len as usize);
            i += 1;
        }
        uses
    }
}
