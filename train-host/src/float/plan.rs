//! A float net made ready to run: which kernel each node takes, and where tensors lie.

use zipnet::ir::{
    Axis, Conv2d, DepthwiseConv2d, Fault, Float, Op, Operands, Padding, Pool2d, Shape, TensorId, Window,
};

use super::conv::{Conv, pack};
use super::depthwise::{DepthMap, Depthwise};
use super::gather::{Quad, Start};
use super::lanes::Lanes;
use super::moves;
use super::pointwise::{Affine, Apply, Function, Softmax, Sum};
use super::pool::{AvgPool, MaxPool, PoolMap};
use super::simd::Isa;
use super::taps::{Patch, Slide};
use crate::graph::{FloatStore, Net, NetNode};

/// A net made ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Every tensor that is computed.
    pub(crate) slots: Vec<Slot>,
    /// Memory of a group of samples: where the values of slots lie.
    pub(crate) places: Vec<Slot>,
    /// What to do, in order.
    pub(crate) steps: Vec<Step>,
    /// The slot of each tensor.
    pub(crate) slot_of: Vec<usize>,
    /// The slot that the caller fills.
    pub(crate) input: usize,
    /// The slot that the caller reads.
    pub(crate) output: usize,
}

/// A tensor of a group of samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// Elements.
    pub(crate) len: usize,
    /// What it holds before the first run; a frame keeps this around what is copied into it.
    pub(crate) fill: f32,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// What.
    pub(crate) work: Work,
    /// The node whose numbers it uses.
    pub(crate) node: usize,
    /// Slots it reads.
    pub(crate) inputs: Vec<usize>,
    /// The slot it writes.
    pub(crate) output: usize,
    /// The places of its inputs.
    pub(crate) reads: Vec<usize>,
    /// The place of its output.
    pub(crate) writes: usize,
}

/// The kernel of a step.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// A convolution or a dense layer, perhaps with its relu.
    Conv(Box<Conv>),
    /// A depthwise convolution, perhaps with its relu.
    Depthwise(Box<Depth>),
    /// Greatest of each window.
    MaxPool(PoolMap),
    /// Mean of each window.
    AvgPool(PoolMap),
    /// Sum of two tensors, perhaps with its relu.
    Add {
        /// Whether a relu follows.
        relu: bool,
        /// The node of the batch norm that the second is still to go through, where there is one.
        norm: Option<usize>,
    },
    /// Channels one after another; the channels of each input.
    Concat(Vec<usize>),
    /// Channels transposed.
    Shuffle {
        /// Groups.
        groups: usize,
        /// Channels.
        channels: usize,
    },
    /// A function of each element.
    Apply(Function),
    /// Softmax over this many channels.
    Softmax(usize),
    /// Scale and shift of each channel, perhaps with its relu.
    BatchNorm {
        /// Channels.
        channels: usize,
        /// Whether a relu follows.
        relu: bool,
        /// Whether it is left to the addition that alone reads it.
        left: bool,
    },
    /// Copies a tensor into the middle of a larger one, whose border stays.
    Frame(Frame),
    /// While training: zeroes elements in place or on the way.
    Dropout {
        /// Probability.
        rate: f32,
        /// Which of the net's dropouts, so that no two draw the same.
        index: usize,
    },
}

/// A depthwise convolution.
#[derive(Clone, Debug)]
pub(crate) struct Depth {
    /// Shape of the input, with its border where that is part of the tensor.
    pub(crate) x: Shape,
    /// Shape of the output.
    pub(crate) y: Shape,
    /// Rows of the window.
    pub(crate) rows: Slide,
    /// Columns of the window.
    pub(crate) columns: Slide,
    /// Output channels of an input channel.
    pub(crate) multiplier: usize,
    /// How the bias is shared.
    pub(crate) bias: zipnet::ir::Bias,
    /// Whether a relu follows.
    pub(crate) relu: bool,
    /// The forward map.
    pub(crate) map: DepthMap,
}

/// Where a frame copies to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// Elements of a row of the input.
    pub(crate) width: usize,
    /// Elements of a row of the output.
    pub(crate) wide: usize,
    /// Rows above.
    pub(crate) top: usize,
    /// Elements to the left.
    pub(crate) left: usize,
}

/// Numbers of a node as kernels read them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    /// Of a convolution, see [`pack`].
    pub(crate) quads: Vec<Quad>,
    /// Of a depthwise convolution.
    pub(crate) weights: Vec<f32>,
    /// Of either.
    pub(crate) bias: Vec<f32>,
    /// Of a batch norm.
    pub(crate) scale: Vec<f32>,
    /// Of a batch norm.
    pub(crate) shift: Vec<f32>,
}

/// Where an operator without a float form ends; [`Net::check`] refuses such a net in words.
fn no_float_form(node: &NetNode<Float>) -> ! {
    panic!("layer {:?} ({}): {}", node.name, node.op.name(), Fault::NotFloat.text())
}

impl Plan {
    /// The plan of a net.
    ///
    /// With `training` given, a relu that alone reads the output of an operator with weights is made part of it, so
    /// that the tensor between the two is not to be seen, and the tensors listed are dropped out.
    pub(crate) fn new(net: &Net<Float>, training: Option<&[(TensorId, f32)]>) -> Self {
        let mut plan = Self {
            slots: Vec::new(),
            places: Vec::new(),
            steps: Vec::new(),
            slot_of: vec![usize::MAX; net.tensors.len()],
            input: 0,
            output: 0,
        };
        let dropout = training.unwrap_or_default();
        let readers = |id: TensorId| net.nodes.iter().filter(move |n| n.inputs.contains(&id));
        plan.slot_of[net.input.at()] = plan.slot(net.input_shape().len(), 0.0);
        plan.drop_out(net.input, dropout);
        for (i, node) in net.nodes.iter().enumerate() {
            let inputs: Vec<usize> = node.inputs.iter().map(|id| plan.slot_of[id.at()]).collect();
            let (x, y) = (net.shape(node.inputs[0]), net.shape(node.output));
            let alone = training.is_some()
                && node.output != net.output
                && dropout.iter().all(|(id, _)| *id != node.output)
                && readers(node.output).count() == 1
                && readers(node.output).all(|n| matches!(n.op, Op::Relu));
            let origin = net.tensors[node.inputs[0].at()].meta.origin;
            let (work, inputs) = match &node.op {
                Op::Conv2d(conv) => {
                    let (x, window, inputs) = plan.framed(&conv.window, x, origin, inputs);
                    (Work::Conv(Box::new(Conv::new(&Conv2d { window, ..*conv }, x, y, alone))), inputs)
                }
                Op::Dense(dense) => (Work::Conv(Box::new(Conv::dense(dense, x, y, alone))), inputs),
                Op::DepthwiseConv2d(conv) => {
                    let (x, window, inputs) = plan.framed(&conv.window, x, origin, inputs);
                    let depth = Depth::new(&DepthwiseConv2d { window, ..*conv }, x, y, alone);
                    (Work::Depthwise(Box::new(depth)), inputs)
                }
                Op::MaxPool2d(pool) => (Work::MaxPool(PoolMap::new(pool, x, y)), inputs),
                Op::AvgPool2d(pool) => (Work::AvgPool(PoolMap::new(pool, x, y)), inputs),
                Op::Add(Operands::Equal) => (Work::Add { relu: alone, norm: None }, inputs),
                Op::Concat { axis: Axis::Channels } => {
                    (Work::Concat(node.inputs.iter().map(|&id| net.shape(id).c.into()).collect()), inputs)
                }
                Op::ChannelShuffle { groups } => {
                    (Work::Shuffle { groups: (*groups).into(), channels: x.c.into() }, inputs)
                }
                Op::Relu => {
                    if plan.steps.iter().any(|step| step.output == inputs[0] && step.work.has_relu()) {
                        plan.slot_of[node.output.at()] = inputs[0];
                        plan.drop_out(node.output, dropout);
                        continue;
                    }
                    (Work::Apply(Function::Relu), inputs)
                }
                Op::Relu6 => (Work::Apply(Function::Relu6), inputs),
                Op::Tanh => (Work::Apply(Function::Tanh), inputs),
                Op::Softmax => (Work::Softmax(x.c.into()), inputs),
                Op::Reshape { .. } => {
                    plan.slot_of[node.output.at()] = inputs[0];
                    plan.drop_out(node.output, dropout);
                    continue;
                }
                Op::Add(Operands::Broadcast | Operands::Left(_) | Operands::Right(_))
                | Op::Concat { axis: Axis::Rows | Axis::Columns } => no_float_form(node),
                Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => no_float_form(node),
                Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Requantize => {
                    no_float_form(node)
                }
                Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => {
                    no_float_form(node)
                }
                Op::BatchNorm => (Work::BatchNorm { channels: x.c.into(), relu: alone, left: false }, inputs),
            };
            let output = plan.slot(y.len(), 0.0);
            plan.slot_of[node.output.at()] = output;
            plan.push(work, i, inputs, output);
            plan.drop_out(node.output, dropout);
        }
        plan.input = plan.slot_of[net.input.at()];
        plan.output = plan.slot_of[net.output.at()];
        plan
    }

    fn push(&mut self, work: Work, node: usize, inputs: Vec<usize>, output: usize) {
        let reads = inputs.clone();
        self.steps.push(Step { work, node, inputs, output, reads, writes: output });
    }

    /// A new slot, with a place of its own.
    fn slot(&mut self, len: usize, fill: f32) -> usize {
        self.slots.push(Slot { len, fill });
        self.places.push(Slot { len, fill });
        self.slots.len() - 1
    }

    /// A window over an input whose border is not 0: the input in a frame of that border, and a window without.
    fn framed(
        &mut self,
        window: &Window,
        x: Shape,
        origin: f32,
        inputs: Vec<usize>,
    ) -> (Shape, Window, Vec<usize>) {
        let p = window.padding;
        if origin == 0.0 || p == Padding::NONE {
            return (x, *window, inputs);
        }
        let wide = Shape::new(x.h + p.top + p.bottom, x.w + p.left + p.right, x.c);
        let output = self.slot(wide.len(), origin);
        let (columns, c) = (usize::from(wide.w), usize::from(x.c));
        let frame = Frame {
            width: usize::from(x.w) * c,
            wide: columns * c,
            top: p.top.into(),
            left: usize::from(p.left) * c,
        };
        self.push(Work::Frame(frame), usize::MAX, inputs, output);
        (wide, window.padding(Padding::NONE), vec![output])
    }

    /// The dropouts of a tensor just written. In place where whoever wrote it does not need to know what it wrote.
    fn drop_out(&mut self, id: TensorId, dropout: &[(TensorId, f32)]) {
        for (index, &(_, rate)) in dropout.iter().enumerate().filter(|(_, (tensor, _))| *tensor == id) {
            let input = self.slot_of[id.at()];
            let writer = self.steps.iter().rev().find(|step| step.output == input);
            let output = if writer.is_none_or(|step| step.work.forgets_output()) {
                input
            } else {
                self.slot(self.slots[input].len, 0.0)
            };
            self.slot_of[id.at()] = output;
            self.push(Work::Dropout { rate, index }, usize::MAX, vec![input], output);
        }
    }

    /// Memory for one group of samples.
    pub(crate) fn memory(&self) -> Vec<Vec<Lanes>> {
        self.places.iter().map(|place| vec![Lanes::splat(place.fill); place.len]).collect()
    }

    /// The numbers of each node as kernels read them.
    pub(crate) fn numbers(&self, net: &Net<Float>) -> Vec<Numbers> {
        let mut numbers = vec![Numbers::default(); net.nodes.len()];
        for step in self.steps.iter().filter(|step| step.node != usize::MAX) {
            step.work.read(&net.nodes[step.node].store, &mut numbers[step.node]);
        }
        numbers
    }
}

impl Work {
    /// Whether a relu is part of the step.
    pub(crate) fn has_relu(&self) -> bool {
        match self {
            Work::Conv(conv) => conv.relu,
            Work::Depthwise(conv) => conv.relu,
            Work::BatchNorm { relu, .. } | Work::Add { relu, .. } => *relu,
            Work::MaxPool(_) | Work::AvgPool(_) | Work::Concat(_) | Work::Shuffle { .. } => false,
            Work::Apply(_) | Work::Softmax(_) | Work::Frame(_) | Work::Dropout { .. } => false,
        }
    }

    /// Whether the gradient is found without the output, or with no more of it than where it is above 0.
    fn forgets_output(&self) -> bool {
        match self {
            Work::Conv(_) | Work::Depthwise(_) | Work::BatchNorm { .. } | Work::Apply(Function::Relu) => true,
            Work::Add { .. } | Work::Concat(_) | Work::Shuffle { .. } | Work::AvgPool(_) | Work::Frame(_) => {
                true
            }
            Work::Dropout { .. } => true,
            Work::MaxPool(_) | Work::Softmax(_) | Work::Apply(Function::Relu6 | Function::Tanh) => false,
        }
    }

    /// Turns a node's numbers into what the kernel reads.
    fn read(&self, store: &FloatStore, numbers: &mut Numbers) {
        match self {
            Work::Conv(conv) => {
                numbers.quads = pack(conv, &store.weights);
                numbers.bias.clone_from(&store.bias);
            }
            Work::Depthwise(_) => {
                numbers.weights.clone_from(&store.weights);
                numbers.bias.clone_from(&store.bias);
            }
            Work::BatchNorm { .. } => {
                (numbers.scale, numbers.shift) =
                    scale_and_shift(&store.weights, &store.bias, &store.mean, &store.variance);
            }
            Work::MaxPool(_) | Work::AvgPool(_) | Work::Add { .. } | Work::Concat(_) => {}
            Work::Shuffle { .. } | Work::Apply(_) | Work::Softmax(_) => {}
            Work::Frame(_) | Work::Dropout { .. } => {}
        }
    }
}

/// A batch norm as `scale * x + shift`.
pub(crate) fn scale_and_shift(
    gamma: &[f32],
    beta: &[f32],
    mean: &[f32],
    variance: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let scale: Vec<f32> =
        gamma.iter().zip(variance).map(|(g, v)| g / (v + zipnet::ir::FloatData::EPSILON).sqrt()).collect();
    let shift = beta.iter().zip(mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
    (scale, shift)
}

impl Depth {
    /// A depthwise convolution over an input of `x`.
    fn new(conv: &DepthwiseConv2d, x: Shape, y: Shape, relu: bool) -> Self {
        let (rows, columns) = (Slide::rows(&conv.window, x.h, y.h), Slide::columns(&conv.window, x.w, y.w));
        let map = DepthMap {
            patches: Patch::forward(&rows, &columns),
            source: x.c.into(),
            dest: y.c.into(),
            inner: 1,
            outer: conv.multiplier.into(),
        };
        Self { x, y, rows, columns, multiplier: conv.multiplier.into(), bias: conv.bias, relu, map }
    }

    fn start<'a>(&self, bias: &'a [f32]) -> Start<'a> {
        match self.bias {
            zipnet::ir::Bias::None => Start::Zero,
            zipnet::ir::Bias::Channel => Start::Channel(bias),
            zipnet::ir::Bias::Unit => Start::Unit(bias),
        }
    }
}

impl PoolMap {
    fn new(pool: &Pool2d, x: Shape, y: Shape) -> Self {
        let (rows, columns) = (Slide::rows(&pool.window, x.h, y.h), Slide::columns(&pool.window, x.w, y.w));
        Self {
            rows: rows.forward(),
            columns: columns.forward(),
            rows_back: rows.backward(),
            columns_back: columns.backward(),
            width: x.w.into(),
            channels: x.c.into(),
        }
    }
}

impl Step {
    /// Computes the output of a group of samples. A dropout copies: dropping out is the trainer's.
    pub(crate) fn forward(&self, isa: Isa, numbers: &[Numbers], values: &mut [Vec<Lanes>]) {
        let mut dest = std::mem::take(&mut values[self.writes]);
        let (y, x) = (&mut dest[..], |i: usize| &values[self.reads[i]][..]);
        match &self.work {
            Work::Conv(conv) => {
                let Numbers { quads, bias, .. } = &numbers[self.node];
                isa.run(conv.gather(quads, bias, x(0), y));
            }
            Work::Depthwise(conv) => {
                let Numbers { weights, bias, .. } = &numbers[self.node];
                let start = conv.start(bias);
                isa.run(Depthwise { map: &conv.map, weights, start, relu: conv.relu, source: x(0), dest: y });
            }
            Work::MaxPool(map) => isa.run(MaxPool(map, x(0), y)),
            Work::AvgPool(map) => isa.run(AvgPool(map, x(0), y)),
            Work::Add { relu, norm } => {
                let norm = norm.map(|node| (&numbers[node].scale[..], &numbers[node].shift[..]));
                isa.run(Sum { a: x(0), b: x(1), norm, relu: *relu, dest: y });
            }
            Work::Concat(parts) => {
                let all = parts.iter().sum();
                let mut first = 0;
                for (i, &channels) in parts.iter().enumerate() {
                    moves::join(x(i), channels, y, all, first);
                    first += channels;
                }
            }
            Work::Shuffle { groups, channels } => moves::shuffle(*groups, *channels, x(0), y),
            Work::Apply(function) => isa.run(Apply(*function, x(0), y)),
            Work::Softmax(channels) => isa.run(Softmax { channels: *channels, source: x(0), dest: y }),
            Work::BatchNorm { left: true, .. } => {}
            Work::BatchNorm { relu, .. } => {
                let Numbers { scale, shift, .. } = &numbers[self.node];
                isa.run(Affine { scale, shift, relu: *relu, source: x(0), dest: y });
            }
            Work::Frame(frame) => moves::frame(x(0), frame.width, y, frame.wide, frame.top, frame.left),
            Work::Dropout { .. } => {
                if self.writes != self.reads[0] {
                    y.copy_from_slice(x(0));
                }
            }
        }
        values[self.writes] = dest;
    }
}
