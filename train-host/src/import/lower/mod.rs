//! From a [`Model`] to a net of the engine's operators, whose outputs equal those of TensorFlow Lite Micro's reference
//! kernels byte for byte, or of LiteRT's where [those](super) are told to count.
//!
//! A tensor's extents are aligned to the right: the last axis is the channels, the one before it the columns, then the
//! rows; further ones must be 1. Operators that only rename extents (RESHAPE, SQUEEZE, EXPAND_DIMS) leave no node where
//! the reader does not care; where it does, a reshape that moves nothing stands before it. Operators whose output
//! nothing reads, such as those that compute the shape a RESHAPE states anyway, leave nothing.

mod border;
mod constant;
mod elementwise;
mod extreme;
mod layout;
mod repeat;
mod transposed;
mod weighted;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use zipnet::ir::{Int, IntTensor, MAX_TENSORS, Op, Shape, TensorId};

pub use self::border::Border;
use super::model::{Activation, Element, Kind, Model, Operator, extents, listed, quoted};
use crate::graph::{IntStore, Net, show};
use crate::quantise::factors::{self, Scale};
use crate::{Error, Result};

/// A model as a net.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// The net; not planned yet.
    pub net: Net<Int>,
    /// What the file's caller writes.
    pub input: Border,
    /// What the file's caller reads.
    pub output: Border,
}

/// Lowers a model.
///
/// # Errors
/// Names the operator that has no int8 form here, by index, tensors and shapes, and says what to do.
pub fn lower(model: &Model, name: &str) -> Result<Lowered> {
    let operators = super::dilate::dilated(model);
    let (input, entry) = border::input(model)?;
    let (output, exit) = border::output(model)?;
    // An input of more extents than three takes the shape of its first reader.
    let extents = &model.tensors[entry].shape;
    let shape = match u16::try_from(extents.iter().product::<usize>()) {
        Ok(count) if extents.len() > 4 && extents[0] == 1 => Shape::flat(count),
        _ => shape_of(model, entry)?,
    };
    let net = Net::new(name, shape, input.meta());
    let needed = needed(&operators, exit);
    let mut lowering = Lowering {
        model,
        places: BTreeMap::from([(entry, Place::Live(net.input))]),
        net,
        views: BTreeMap::new(),
        at: 0,
    };
    for (i, operator) in operators.iter().enumerate().filter(|(i, _)| needed.contains(i)) {
        lowering.at = i;
        lowering.operator(operator).map_err(|e| lowering.locate(operator, e))?;
    }
    lowering.net.output = lowering.live_any(exit)?;
    Ok(Lowered { net: lowering.net, input, output })
}

/// The most elements of one activation, 4 MiB: more than a microcontroller has for it, and as much as samples can be
/// made and written for. A file claims a shape for nothing.
const MOST_ELEMENTS: usize = 1 << 22;

/// The extents of a tensor, aligned to the right.
fn shape_of(model: &Model, tensor: usize) -> Result<Shape> {
    let tensor = &model.tensors[tensor];
    let refuse = |why: &str| {
        Error::new(format!("tensor {} of shape {}: {why}", quoted(&tensor.name), extents(&tensor.shape)))
    };
    let (outer, inner) = tensor.shape.split_at(tensor.shape.len().saturating_sub(3));
    if outer.iter().any(|&n| n != 1) {
        return Err(refuse(
            "a batch or more than three extents above 1 cannot be run; export the model for a batch of 1",
        ));
    }
    if inner.iter().product::<usize>() > MOST_ELEMENTS {
        return Err(refuse(&format!("more than {MOST_ELEMENTS} bytes; shrink the input of the model")));
    }
    let axis = |back: usize| {
        let extent = inner.len().checked_sub(back).map_or(1, |at| inner[at]);
        u16::try_from(extent).map_err(|_| refuse("more than 65535 along an axis"))
    };
    Ok(Shape::new(axis(3)?, axis(2)?, axis(1)?))
}

/// The inputs of an operator through which values flow; the others only say how.
fn flows(operator: &Operator) -> impl Iterator<Item = usize> {
    let first_only = matches!(
        operator.kind,
        Kind::Reshape
            | Kind::Squeeze
            | Kind::ExpandDims
            | Kind::Transpose
            | Kind::Tile
            | Kind::Mean { .. }
            | Kind::ReduceMax { .. }
            | Kind::ReduceMin { .. }
            | Kind::Pad
            | Kind::PadV2
            | Kind::StridedSlice(_)
            | Kind::Slice
            | Kind::SplitV { .. }
            | Kind::ResizeNearestNeighbor { .. }
    );
    let second_only = matches!(operator.kind, Kind::Split { .. } | Kind::Fill);
    let third_only = matches!(operator.kind, Kind::TransposeConv { .. });
    let wanted = move |at: usize| !(first_only && at > 0 || second_only && at != 1 || third_only && at != 2);
    operator.inputs.iter().enumerate().filter(move |(at, _)| wanted(*at)).filter_map(|(_, &t)| t)
}

/// The operators on which a tensor depends.
fn needed(operators: &[Operator], tensor: usize) -> BTreeSet<usize> {
    let (mut tensors, mut needed) = (BTreeSet::from([tensor]), BTreeSet::new());
    for (i, operator) in operators.iter().enumerate().rev() {
        if operator.outputs.iter().any(|t| tensors.contains(t)) {
            needed.insert(i);
            tensors.extend(flows(operator));
        }
    }
    needed
}

/// Where the value of a tensor of the file is.
#[derive(Clone, Debug)]
enum Place {
    /// In a tensor of the net, of as many elements; its shape there may be another.
    Live(TensorId),
    /// Known already.
    Constant(Vec<i8>),
}

/// A net in the making.
struct Lowering<'a> {
    model: &'a Model,
    net: Net<Int>,
    places: BTreeMap<usize, Place>,
    /// Reshapes made so far, by source and shape.
    views: BTreeMap<(TensorId, [u16; 3]), TensorId>,
    /// The operator in hand.
    at: usize,
}

impl Lowering<'_> {
    fn operator(&mut self, operator: &Operator) -> Result<()> {
        if let Some(flowing) = self.foldable(operator) {
            return self.fold(operator, flowing);
        }
        match operator.kind {
            Kind::Conv2d { .. } => self.conv2d(operator),
            Kind::DepthwiseConv2d { .. } => self.depthwise_conv2d(operator),
            Kind::TransposeConv { .. } => self.transpose_conv(operator),
            Kind::FullyConnected { .. } => self.fully_connected(operator),
            Kind::Add { .. } | Kind::Sub { .. } | Kind::Mul { .. } => self.binary(operator),
            Kind::AveragePool2d { .. } | Kind::MaxPool2d { .. } => self.pool(operator),
            Kind::Maximum | Kind::Minimum => self.extreme(operator),
            Kind::Mean { .. } => self.mean(operator),
            Kind::ReduceMax { .. } | Kind::ReduceMin { .. } => self.reduce(operator),
            Kind::Pad | Kind::PadV2 => self.pad(operator),
            Kind::Reshape | Kind::Squeeze | Kind::ExpandDims => self.rename(operator),
            Kind::Concatenation { .. } => self.concatenation(operator),
            Kind::Split { .. } | Kind::SplitV { .. } => self.split(operator),
            Kind::Pack { axis } => self.pack(operator, axis),
            Kind::Unpack { axis, .. } => self.unpack(operator, axis),
            Kind::Slice => self.slice(operator),
            Kind::Fill => self.filled(operator),
            Kind::StridedSlice(_) => self.strided_slice(operator),
            Kind::Transpose => self.transpose(operator),
            Kind::Tile => self.tile(operator),
            Kind::ResizeNearestNeighbor { .. } => self.resize(operator),
            Kind::Softmax { .. } => self.softmax(operator),
            Kind::Logistic | Kind::Tanh | Kind::HardSwish | Kind::LeakyRelu { .. } => self.table(operator),
            Kind::Relu | Kind::Relu6 | Kind::ReluN1To1 | Kind::Quantize => self.rescale(operator),
            Kind::Prelu => self.prelu(operator),
            Kind::Dequantize => Err(self.float(operator.outputs[0])),
            Kind::Other(_) => Err(Error::new(
                "zipnet has no such operator; replace it in the model by those it has (docs of `import` list them), \
                 or cut the model before it",
            )),
        }
    }

    /// Why a float tensor is refused: by whom it is read.
    fn float(&self, tensor: usize) -> Error {
        let reads = |operator: &&Operator| operator.inputs.contains(&Some(tensor));
        let reader =
            self.model.operators.iter().find(reads).map_or("the caller", |reader| reader.kind.name());
        Error::new(format!(
            "its output is float, and {reader} reads it so: the converter has no int8 form of that, or was not asked for \
             it; replace it in the model, and quantise the whole (full integer quantisation with int8 inputs and outputs)"
        ))
    }

    /// Says which operator an error is about.
    fn locate(&self, operator: &Operator, error: Error) -> Error {
        let list = |tensors: Vec<usize>| {
            listed(tensors.into_iter().map(|t| {
                let tensor = &self.model.tensors[t];
                format!("{} {} {}", quoted(&tensor.name), element(tensor.element), extents(&tensor.shape))
            }))
        };
        Error::new(format!(
            "operator {} ({}; reads {}; writes {}): {error}",
            self.at,
            operator.kind.name(),
            list(operator.inputs.iter().flatten().copied().collect()),
            list(operator.outputs.clone()),
        ))
    }

    /// The tensor of input `i`, which must be there.
    fn input(&self, operator: &Operator, i: usize) -> Result<usize> {
        operator.inputs.get(i).copied().flatten().ok_or_else(|| Error::new(format!("input {i} is missing")))
    }

    fn shape(&self, tensor: usize) -> Result<Shape> {
        shape_of(self.model, tensor)
    }

    /// Elements of a tensor.
    fn count(&self, tensor: usize) -> usize {
        self.model.tensors[tensor].shape.iter().product()
    }

    /// Scale and zero point of a tensor of int8 with one scale.
    fn scale(&self, tensor: usize) -> Result<Scale> {
        scale_of(self.model, tensor)
    }

    /// A tensor in the shape that the file gives it.
    fn live(&mut self, tensor: usize) -> Result<TensorId> {
        let shape = self.shape(tensor)?;
        self.live_as(tensor, shape)
    }

    /// A tensor in another shape of as many elements. The net's input takes the shape of its first reader.
    fn live_as(&mut self, tensor: usize, shape: Shape) -> Result<TensorId> {
        let id = self.live_any(tensor)?;
        self.reshaped(id, shape)
    }

    /// A tensor of the net in another shape, which takes a node but where the input has no reader yet.
    fn reshaped(&mut self, id: TensorId, shape: Shape) -> Result<TensorId> {
        if self.net.shape(id) == shape {
            return Ok(id);
        }
        if id == self.net.input && self.net.readers(id).next().is_none() {
            self.net.tensors[id.at()].shape = shape;
            return Ok(id);
        }
        let key = (id, [shape.h, shape.w, shape.c]);
        if let Some(&made) = self.views.get(&key) {
            return Ok(made);
        }
        let meta = self.net.tensors[id.at()].meta;
        let made = self.node(Op::Reshape { shape }, &[id], meta, IntStore::default())?;
        self.views.insert(key, made);
        Ok(made)
    }

    /// A tensor in whatever shape it has.
    fn live_any(&self, tensor: usize) -> Result<TensorId> {
        match self.places.get(&tensor) {
            Some(Place::Live(id)) => Ok(*id),
            Some(Place::Constant(_)) => {
                Err(self.about(tensor, "is constant where a computed tensor is needed"))
            }
            None if self.model.tensors[tensor].data.is_some() => {
                Err(self.about(tensor, "is constant where a computed tensor is needed"))
            }
            None => Err(self.about(tensor, "is computed in no way that import follows")),
        }
    }

    /// An error about a tensor.
    fn about(&self, tensor: usize, what: &str) -> Error {
        let t = &self.model.tensors[tensor];
        Error::new(format!("tensor {} of shape {} {what}", quoted(&t.name), extents(&t.shape)))
    }

    /// Appends a node that makes a tensor of the file.
    fn emit(&mut self, op: Op, inputs: &[TensorId], output: usize, store: IntStore) -> Result<()> {
        let meta = if op.keeps_quantisation() {
            self.kept(inputs[0], output)?
        } else {
            let Scale { scale, zero } = border::shifted(self.model, output)?;
            IntTensor { scale, zero, offset: 0 }
        };
        let id = self.node(op, inputs, meta, store)?;
        self.place(id, output)
    }

    /// Lets a tensor of the net be one of the file, whose bytes mean the same.
    fn same(&mut self, id: TensorId, output: usize) -> Result<()> {
        self.kept(id, output)?;
        self.place(id, output)
    }

    /// Scale and zero point of a tensor of the net, which one of the file must have too.
    fn kept(&self, id: TensorId, output: usize) -> Result<IntTensor> {
        let (from, to) = (self.net.tensors[id.at()].meta, self.scale(output)?);
        if from.zero != to.zero || (from.scale - to.scale).abs() > 1e-6 * from.scale.abs() {
            return Err(Error::new(format!(
                "input and output must have one scale and zero point, and have {:e}, {} and {:e}, {}",
                from.scale, from.zero, to.scale, to.zero
            )));
        }
        Ok(from)
    }

    fn place(&mut self, id: TensorId, output: usize) -> Result<()> {
        let (made, stated) = (self.net.shape(id), &self.model.tensors[output].shape);
        if made.len() != stated.iter().product::<usize>() {
            return Err(Error::new(format!("makes {}, but the file says {}", show(made), extents(stated))));
        }
        self.places.insert(output, Place::Live(id));
        Ok(())
    }

    /// Appends a node under a name of its own.
    fn node(&mut self, op: Op, inputs: &[TensorId], meta: IntTensor, store: IntStore) -> Result<TensorId> {
        let first = format!("{}_{}", op.name(), self.at);
        let free = |name: &String| self.net.nodes.iter().all(|node| node.name != *name);
        let mut names = std::iter::once(first.clone()).chain((2..).map(|n| format!("{first}_{n}")));
        let Some(name) = names.find(free) else { return Err(Error::new("has no name left")) };
        if self.net.tensors.len() == MAX_TENSORS {
            return Err(Error::new(format!(
                "makes more than {MAX_TENSORS} tensors, the most that a net may have"
            )));
        }
        let id = self.net.push(&name, op, inputs, meta, store)?;
        match self.net.shape(id).len() {
            0..=MOST_ELEMENTS => Ok(id),
            bytes => Err(Error::new(format!("makes {bytes} bytes; {MOST_ELEMENTS} at most"))),
        }
    }
}

/// Scale and zero point of a tensor of int8 with one scale.
fn scale_of(model: &Model, tensor: usize) -> Result<Scale> {
    let t = &model.tensors[tensor];
    let refuse =
        |what: &str| Error::new(format!("tensor {} of shape {} {what}", quoted(&t.name), extents(&t.shape)));
    match t.element {
        Element::Int8 => {}
        Element::Float32 | Element::Float16 => {
            return Err(refuse(
                "is float: the model needs calibration, which import does not do; convert it with full integer \
                 quantisation (a representative data set, int8 inputs and outputs)",
            ));
        }
        other => {
            return Err(refuse(&format!(
                "holds {}; import takes int8 activations: convert with full integer quantisation",
                element(other)
            )));
        }
    }
    let quantisation = t.quantisation.as_ref().ok_or_else(|| refuse("has no scale"))?;
    match (&quantisation.scales[..], &quantisation.zeros[..]) {
        (&[scale], &[zero]) => {
            let zero = i8::try_from(zero).map_err(|_| refuse("has a zero point beyond int8"))?;
            Ok(Scale { scale, zero })
        }
        _ => Err(refuse("has a scale for each index of an axis where one for all is needed")),
    }
}

/// The name of an element type.
fn element(element: Element) -> String {
    match element {
        Element::Other(name) => name.to_lowercase(),
        known => format!("{known:?}").to_lowercase(),
    }
}

/// An activation that int8 kernels apply by a clamp.
fn activation(activation: Activation) -> Result<factors::Activation> {
    match activation {
        Activation::None => Ok(factors::Activation::None),
        Activation::Relu => Ok(factors::Activation::Relu),
        Activation::Relu6 => Ok(factors::Activation::Relu6),
        Activation::ReluN1To1 => Ok(factors::Activation::ReluN1To1),
        Activation::Other(name) => Err(Error::new(format!(
            "a fused activation {name} has no int8 form; make it an operator of its own"
        ))),
    }
}
