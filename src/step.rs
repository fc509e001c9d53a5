//! One node: which kernel, over which bytes of the arena.
//!
//! Nothing is computed here. A node's operator, or how its weights are packed, picks the kernel, its tensors pick the bytes.

mod packed;

use crate::arch::{Cpu, Isa, Job, Store};
use crate::ir::{Axis, Graph, Int, IntData, IntTensor, Node, Op, Operands, Packing, Scratch, Shape, Uses};
use crate::kernels::{self, Bytes, Flow, Input, Output, Pair};
use crate::place::{Only, Samples, copy, lie_apart, place};
use core::marker::PhantomData;
use core::ops::Range;

/// Which kernels are linked: the match arms in [`step`] are guarded by these constants.
pub(crate) trait Linked {
    const USES: Uses;
}

/// All of them, for graphs that are not known before they run.
pub(crate) enum Every {}

impl Linked for Every {
    const USES: Uses = Uses::ALL;
}

/// One node: a kernel, and its slices of the arena. A graph that has not passed its check may lack some; then
/// nothing happens.
pub(crate) fn step<'a, L: Linked>(cpu: Cpu, graph: &Graph<'a, Int>, node: &Node<'a, Int>, arena: &mut [i8]) {
    step_of::<L, _>(cpu, graph, node, Only, arena);
}

/// The same for some samples.
#[inline(always)]
pub(crate) fn step_of<'a, L: Linked, S: Samples>(
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
pub(crate) fn takes_many(node: &Node<'_, Int>) -> bool {
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
                    self.pair(isa, *operands, |data, pair, y| kernels::mul(isa, data, pair, y));
                }
            }
            Op::Prelu { alpha } => {
                if L::USES.prelu {
                    self.pair(isa, Operands::Right(*alpha), kernels::prelu);
                }
            }
            Op::Concat { axis } => {
                if L::USES.concat {
                    self.concat(isa, *axis);
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

    /// Every input to its part of the output, which lies apart from all of them.
    #[inline(never)]
    fn concat<I: Isa>(&mut self, isa: I, axis: Axis) -> Option<()> {
        let (y, y_place) = place(self.graph, self.node.output, self.samples)?;
        let (low, rest) = self.arena.split_at_mut_checked(y_place.start)?;
        let (data, high) = rest.split_at_mut_checked(y_place.len())?;
        let mut joint = kernels::Joint::new(axis, Output { shape: y.shape, zero: y.meta.zero, data });
        for &id in self.node.inputs {
            let (_, x_place) = place(self.graph, id, self.samples)?;
            let data = if x_place.end <= y_place.start {
                low.get(x_place)?
            } else {
                high.get(x_place.start.checked_sub(y_place.end)?..)?.get(..x_place.len())?
            };
            joint.append(isa, data);
        }
        Some(())
    }

    /// Where the scratch of the node lies.
    #[inline(always)]
    fn scratch(&self) -> Range<usize> {
        let Scratch { offset, len } = self.node.data.scratch;
        // An empty range within another would count as overlap.
        self.samples.scratch(if len == 0 { 0 } else { offset as usize }, len as usize)
    }

    /// Input `i`, the output and the scratch of the node, which lie apart.
    fn apart_with_scratch(&mut self, i: usize) -> Option<(Input<'_>, Output<'_>, &mut [i8])> {
        let (x, x_place) = place(self.graph, *self.node.inputs.get(i)?, self.samples)?;
        let (y, y_place) = place(self.graph, self.node.output, self.samples)?;
        let places = [x_place, y_place, self.scratch()];
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
        let scratch = self.scratch();
        let (bytes, scratch) = if lie_apart(&x_place, &y_place) {
            let [x, y, scratch] = self.arena.get_disjoint_mut([x_place, y_place, scratch]).ok()?;
            (Bytes::Apart(x, y), scratch)
        } else {
            let begin = x_place.start.min(y_place.start);
            let begins = [x_place.start - begin, y_place.start - begin];
            let places = [begin..x_place.end.max(y_place.end), scratch];
            let [both, scratch] = self.arena.get_disjoint_mut(places).ok()?;
            (Bytes::Over(both, begins), scratch)
        };
        Some(Flow { x: (x.shape, x.meta.zero), y: (y.shape, y.meta.zero), bytes, scratch })
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
