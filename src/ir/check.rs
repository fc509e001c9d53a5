//! What makes a graph legal, proved once so that running needs no proof.
//!
//! Everything here is `const`: an exported table says `const _: () = GRAPH.check();` and a wrong shape, an illegal
//! factor or two live tensors that share bytes become compile errors.

use super::{Axis, Float, Graph, Halves, Int, Node, Op, Operands, Packing, Phase, Requant, Shape, TensorId};

/// The most inputs a node may have.
pub const MAX_INPUTS: usize = 8;

/// Why a graph is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fault {
    /// A node has too few or too many inputs.
    Arity,
    /// A shape, or a number of outputs, is 0.
    Empty,
    /// Groups do not divide the channels, or a group's span is out of range.
    Groups,
    /// A window does not fit its input.
    Window,
    /// A slice leaves its input, a transposition names an axis twice, or a mean runs over none.
    Axes,
    /// Inputs that must have equal shapes, or a reshape's sides, differ.
    Unequal,
    /// A shape exceeds 65,535 along an axis, a softmax has more than 4,095 channels or a mean more than 2^23 elements,
    /// whose sum may not fit, or the graph has more than [`MAX_TENSORS`](super::MAX_TENSORS) tensors.
    TooLarge,
    /// A tensor's shape is not what its operator makes.
    Shape,
    /// A tensor id is out of range.
    Dangling,
    /// A tensor is read before it is written, or written twice.
    Order,
    /// The number of weights is not what the operator needs.
    Weights,
    /// The number of biases, or the kind of bias, is not what the operator needs.
    Bias,
    /// A constant's zero point or a padding's value is no int8, or a map names a row or column that is not there.
    Constant,
    /// The number of factors is wrong, or one is out of range.
    Requant,
    /// The least output lies above the greatest.
    Clamp,
    /// Input and output of an operator that moves bytes differ in scale or zero point, or a softmax's output is not
    /// of scale 1/256 and zero point -128.
    Scale,
    /// An operator that the integer phase does not have.
    NotInteger,
    /// An operator that the float phase does not have.
    NotFloat,
    /// A packing that is none for the operator, or whose factors or weights it does not hold.
    Packing,
    /// Less scratch than the packing's kernels ask for, or not at a multiple of 4.
    Scratch,
    /// A tensor or scratch lies outside the arena.
    Arena,
    /// Two live tensors, or a live tensor and scratch, share bytes of the arena.
    Overlap,
    /// A first layer that cannot read its input row by row: it slides no window, or its packing asks for the whole.
    Stream,
}

impl Fault {
    /// The fault in words.
    pub const fn text(self) -> &'static str {
        match self {
            Fault::Arity => "wrong number of inputs",
            Fault::Empty => "an empty shape",
            Fault::Groups => "groups do not divide the channels, or a group's span is out of range",
            Fault::Window => "the window does not fit the input",
            Fault::Axes => "a slice leaves its input, a transposition repeats an axis, or a mean has none",
            Fault::Unequal => "shapes that must agree differ",
            Fault::TooLarge => {
                "more than 65535 along an axis, 4095 channels of a softmax, 2^23 elements of a mean, or 1024 tensors"
            }
            Fault::Shape => "an output's shape is not what its operator makes",
            Fault::Dangling => "a tensor id is out of range",
            Fault::Order => "a tensor is read before it is written, or written twice",
            Fault::Weights => "the number of weights does not fit the operator",
            Fault::Bias => "the bias does not fit the operator",
            Fault::Constant => "a zero point or value is no int8, or a map leaves its input",
            Fault::Requant => "requantisation factors are missing or out of range",
            Fault::Clamp => "the least output lies above the greatest",
            Fault::Scale => "scale or zero point does not fit the operator",
            Fault::NotInteger => "the operator has no integer form; fold it first",
            Fault::NotFloat => "the operator has no float form: it is imported as int8",
            Fault::Packing => {
                "the packing does not fit the operator, or does not hold its factors or weights"
            }
            Fault::Scratch => "less scratch than the packing's kernels ask for, or not at a multiple of 4",
            Fault::Arena => "a tensor lies outside the arena",
            Fault::Overlap => "two live tensors overlap in the arena",
            Fault::Stream => "the first layer cannot read its input row by row",
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for Fault {}

macro_rules! check {
    ($e:expr) => {
        match $e {
            Ok(value) => value,
            Err(fault) => return Err(fault),
        }
    };
}

impl<P: Phase> Graph<'_, P> {
    /// Ids in range, every tensor written once and before it is read, every shape as its operator makes it.
    ///
    /// # Errors
    /// The first [`Fault`] found, with the index of its node.
    pub const fn structure(&self) -> Result<(), (usize, Fault)> {
        let count = self.tensors.len();
        if self.input.at() >= count || self.output.at() >= count {
            return Err((0, Fault::Dangling));
        }
        let mut i = 0;
        while i < self.nodes.len() {
            if let Err(fault) = self.node_structure(i) {
                return Err((i, fault));
            }
            i += 1;
        }
        if self.first(self.output).is_none() { Err((self.nodes.len(), Fault::Order)) } else { Ok(()) }
    }

    const fn node_structure(&self, i: usize) -> Result<(), Fault> {
        let node = &self.nodes[i];
        let arity = node.inputs.len();
        if arity == 0 || arity > MAX_INPUTS {
            return Err(Fault::Arity);
        }
        let mut shapes = [Shape::new(0, 0, 0); MAX_INPUTS];
        let mut j = 0;
        while j < arity {
            let id = node.inputs[j];
            if id.at() >= self.tensors.len() {
                return Err(Fault::Dangling);
            }
            match self.first(id) {
                Some(step) if step <= i => {}
                _ => return Err(Fault::Order),
            }
            shapes[j] = self.tensor(id).shape;
            j += 1;
        }
        if node.output.at() >= self.tensors.len() {
            return Err(Fault::Dangling);
        }
        match self.first(node.output) {
            Some(step) if step == i + 1 => {}
            _ => return Err(Fault::Order), // the graph's input, or written by an earlier node
        }
        let made = check!(node.op.output(shapes.split_at(arity).0));
        if made.same(self.tensor(node.output).shape) { Ok(()) } else { Err(Fault::Shape) }
    }

    /// When a tensor comes to life: 0 for the graph's input, `i + 1` for what node `i` writes, `None` for a tensor
    /// that nothing writes.
    pub const fn first(&self, id: TensorId) -> Option<usize> {
        if id.0 == self.input.0 {
            return Some(0);
        }
        let mut i = 0;
        while i < self.nodes.len() {
            if self.nodes[i].output.0 == id.0 {
                return Some(i + 1);
            }
            i += 1;
        }
        None
    }

    /// The last step that needs a tensor, counted as in [`Graph::first`]: past the end for the graph's output; for
    /// a tensor that nothing reads, the step that writes it.
    pub const fn last(&self, id: TensorId) -> usize {
        if id.0 == self.output.0 {
            return self.nodes.len() + 1;
        }
        let mut i = self.nodes.len();
        while i > 0 {
            if reads(&self.nodes[i - 1], id) {
                return i;
            }
            i -= 1;
        }
        match self.first(id) {
            Some(step) => step,
            None => 0,
        }
    }
}

/// Whether a node reads a tensor.
const fn reads<P: Phase>(node: &Node<'_, P>, id: TensorId) -> bool {
    let mut j = 0;
    while j < node.inputs.len() {
        if node.inputs[j].0 == id.0 {
            return true;
        }
        j += 1;
    }
    false
}

impl Graph<'_, Float> {
    /// [`Graph::structure`], and as many weights and biases as the operators need.
    ///
    /// # Errors
    /// The first [`Fault`] found, with the index of its node.
    pub const fn fault(&self) -> Result<(), (usize, Fault)> {
        check!(self.structure());
        let mut i = 0;
        while i < self.nodes.len() {
            let node = &self.nodes[i];
            if !has_float_form(&node.op) {
                return Err((i, Fault::NotFloat));
            }
            let x = self.tensor(node.inputs[0]).shape;
            let (weights, bias, moments) = if matches!(node.op, Op::BatchNorm) {
                (x.c as usize, x.c as usize, x.c as usize)
            } else {
                (node.op.weights(x), node.op.bias().len(self.tensor(node.output).shape), 0)
            };
            let data = &node.data;
            if data.weights.len() != weights || data.mean.len() != moments || data.variance.len() != moments {
                return Err((i, Fault::Weights));
            }
            if data.bias.len() != bias {
                return Err((i, Fault::Bias));
            }
            i += 1;
        }
        Ok(())
    }
}

/// Whether the numbers that an operator keeps in place of biases are in range: a zero point, a value, a map.
const fn constants(op: &Op, numbers: &[i32], x: Shape) -> Result<(), Fault> {
    let mut i = 0;
    while i < numbers.len() {
        let (least, greatest) = match op {
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) => (i32::MIN, i32::MAX),
            Op::Add(Operands::Equal) => (i32::MIN, i32::MAX), // none, or those of a linear form
            Op::ResizeNearest { height, .. } => {
                (0, if i < *height as usize { x.h as i32 - 1 } else { x.w as i32 - 1 })
            }
            Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Pad(_) => (-128, 127),
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Mean { .. } | Op::Concat { .. } => (0, 0),
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish => (0, 0),
            Op::Logistic | Op::Tanh | Op::Softmax | Op::Requantize | Op::BatchNorm => (0, 0),
            Op::Slice(_) | Op::Transpose { .. } => (0, 0),
            Op::ChannelShuffle { .. } | Op::Reshape { .. } => (0, 0),
        };
        if numbers[i] < least || numbers[i] > greatest {
            return Err(Fault::Constant);
        }
        i += 1;
    }
    Ok(())
}

/// Whether a weight is -128.
const fn has_least(weights: &[i8]) -> bool {
    let mut i = 0;
    while i < weights.len() {
        if weights[i] == i8::MIN {
            return true;
        }
        i += 1;
    }
    false
}

/// Whether the host can run and train an operator in f32.
const fn has_float_form(op: &Op) -> bool {
    match op {
        Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) | Op::BatchNorm => true,
        Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::ChannelShuffle { .. } | Op::Reshape { .. } => true,
        Op::Relu | Op::Relu6 | Op::Tanh | Op::Softmax => true,
        Op::Add(operands) => matches!(operands, Operands::Equal),
        Op::Concat { axis } => matches!(axis, Axis::Channels),
        Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => false,
        Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Requantize => false,
        Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => false,
    }
}

impl Graph<'_, Int> {
    /// Proves the graph legal where it is compiled.
    ///
    /// ```compile_fail,E0080
    /// # use zipnet::ir::*;
    /// # const fn at(offset: u32) -> Tensor<Int> {
    /// #     Tensor { shape: Shape::flat(8), meta: IntTensor { scale: 1.0, zero: 0, offset } }
    /// # }
    /// static TENSORS: [Tensor<Int>; 2] = [at(0), at(7)]; // eight bytes each: they share one
    /// # static NODES: [Node<'static, Int>; 1] = [Node {
    /// #     op: Op::Relu,
    /// #     inputs: &[TensorId(0)],
    /// #     output: TensorId(1),
    /// #     data: IntData { requant: &[Requant::new(1 << 30, 1)], ..IntData::NONE },
    /// # }];
    /// static GRAPH: Graph<'static, Int> =
    ///     Graph { name: "overlap", tensors: &TENSORS, nodes: &NODES, input: TensorId(0), output: TensorId(1) };
    /// const _: () = GRAPH.check(16); // error: two live tensors overlap in the arena
    /// ```
    ///
    /// # Panics
    /// With the fault in words; in a `const` that is a compile error.
    pub const fn check(&self, arena: usize) {
        if let Err((_, fault)) = self.fault(arena) {
            panic!("{}", fault.text());
        }
    }

    /// Everything the engine relies on, for an arena of `arena` bytes: [`Graph::structure`], the lengths and ranges
    /// that [`IntData`](super::IntData) tells, scales that agree, and no two live tensors on the same bytes.
    ///
    /// # Errors
    /// The first [`Fault`] found, with the index of its node.
    pub const fn fault(&self, arena: usize) -> Result<(), (usize, Fault)> {
        check!(self.structure());
        let mut i = 0;
        while i < self.nodes.len() {
            if let Err(fault) = self.node_fault(i, arena) {
                return Err((i, fault));
            }
            i += 1;
        }
        self.memory_fault(arena)
    }

    pub(super) const fn node_fault(&self, i: usize, arena: usize) -> Result<(), Fault> {
        let node = &self.nodes[i];
        let (x, y) = (self.tensor(node.inputs[0]), self.tensor(node.output));
        let data = &node.data;
        let (weights, bias, requant) = match &node.op {
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) => {
                let bias = node.op.bias();
                if bias.is_empty() {
                    return Err(Fault::Bias);
                }
                (node.op.weights(x.shape), bias.len(y.shape), y.shape.c as usize)
            }
            Op::Add(operands) | Op::Sub(operands) | Op::Mul(operands) => {
                let factors = if matches!(node.op, Op::Mul(_)) { 1 } else { 3 };
                (node.op.weights(x.shape), operands.constant().is_some() as usize, factors)
            }
            Op::Prelu { .. } => (node.op.weights(x.shape), 1, 2),
            Op::Softmax => (0, 0, 1),
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::Requantize => {
                (0, 0, !data.requant.is_empty() as usize)
            }
            Op::Mean { .. } => (0, 0, 1),
            Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Tanh => (256, 0, 0),
            Op::Pad(_) => (0, 1, 0),
            Op::ResizeNearest { height, width } => (0, *height as usize + *width as usize, 0),
            Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::Concat { .. } | Op::Slice(_) => (0, 0, 0),
            Op::ChannelShuffle { .. } | Op::Transpose { .. } | Op::Reshape { .. } => (0, 0, 0),
            Op::BatchNorm => return Err(Fault::NotInteger),
        };
        let packed = !matches!(data.packing, Packing::Plain);
        let (weights, bias, requant, needed) = match data.packing.lengths(&node.op, x.shape, y.shape) {
            Some(lengths) => (lengths.weights, lengths.bias, lengths.requant, lengths.scratch),
            None if packed => return Err(Fault::Packing),
            None => (weights, bias, requant, 0),
        };
        if (matches!(node.op, Op::Softmax) && x.shape.c > 4095)
            || (matches!(node.op, Op::Mean { .. }) && x.shape.len() > 1 << 23)
        {
            return Err(Fault::TooLarge);
        }
        if data.weights.len() != weights {
            return Err(Fault::Weights);
        }
        if data.packing.lacks_least() && has_least(data.weights) {
            return Err(Fault::Packing);
        }
        if data.bias.len() != bias {
            return Err(Fault::Bias);
        }
        if data.requant.len() != requant && !data.shares_factors(&node.op) {
            return Err(Fault::Requant);
        }
        let mut j = 0;
        while j < data.requant.len() {
            let factor = data.requant[j];
            // A mean divides its mantissa by the number of elements.
            let divided =
                matches!(node.op, Op::Mean { .. }) && 0 <= factor.multiplier && factor.multiplier < 1 << 30;
            let mantissa = if divided { 1 << 30 } else { factor.multiplier };
            let packs = data.packing.packs_factors();
            if data.packing.narrows_factors() && !Halves::takes(factor) {
                return Err(Fault::Packing);
            }
            if packs && !factor.is_packed() {
                return Err(Fault::Packing);
            }
            if !packs && !Requant::new(mantissa, factor.shift).is_legal() {
                return Err(Fault::Requant);
            }
            j += 1;
        }
        check!(constants(&node.op, data.bias, x.shape));
        if data.clamp.low > data.clamp.high {
            return Err(Fault::Clamp);
        }
        let mut j = 0;
        while node.op.keeps_quantisation() && j < node.inputs.len() {
            let input = &self.tensor(node.inputs[j]).meta;
            if input.zero != y.meta.zero || input.scale != y.meta.scale {
                return Err(Fault::Scale);
            }
            j += 1;
        }
        if matches!(node.op, Op::Softmax) && (y.meta.zero != i8::MIN || y.meta.scale != 1.0 / 256.0) {
            return Err(Fault::Scale);
        }
        let scratch = &data.scratch;
        let unaligned = packed && !scratch.offset.is_multiple_of(4);
        if unaligned || (scratch.len as usize) < needed {
            return Err(Fault::Scratch);
        }
        if scratch.len > 0 && scratch.end() > arena {
            return Err(Fault::Arena);
        }
        Ok(())
    }
}
