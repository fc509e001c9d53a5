//! A float net in tract (`tract-core`), operator by operator.
//!
//! tract gets what it would get from an ONNX file of the net, and optimises that in its own way:
//! 1. Tensors are `[batch][c][h][w]`, so weights, unit biases and samples are brought into that order beforehand; with
//!    `[h][w][c]` it takes up to a fifth longer.
//! 2. A bias per unit is a constant added after the convolution.
//! 3. Groups that overlap become one group over all channels, with weights of 0 where a group does not look: for the
//!    1989 net that takes two thirds of the time of slices, a convolution for each group, and a concatenation.
//!
//! Where nothing runs in between, time everything else before tract. Its AVX kernels return without clearing the upper halves of
//! the vector registers, and from then on SSE code, as the portable kernels are compiled to, takes up to twice as long
//! (measured on an AMD EPYC with AVX-512; one `vzeroupper` after tract undoes it).

use tract_core::internal::*;
use tract_core::ops::array::TypedConcat;
use tract_core::ops::cnn::{Conv, KernelFormat, MaxPool, PaddingSpec, PoolSpec, SumPool};
use tract_core::ops::einsum::EinSum;
use tract_core::ops::math;
use tract_core::ops::nn::{DataFormat, Softmax, SoftmaxKind};
use zipnet::ir::{Axis, Bias, Conv2d, Float, Op, Operands, Shape, Window};

use crate::float::Executor;
use crate::graph::{Net, NetNode};

/// How far outputs of tract may lie from those of the trainer's engine, as a share of the greatest output. Both sum
/// in f32, each in its own order, and each has its own approximation of exp and tanh.
pub const TOLERANCE: f32 = 1e-5;

/// A net that tract runs, one sample at a time.
pub struct Peer {
    state: TypedSimpleState,
    input: Shape,
    output: Shape,
}

impl Peer {
    /// Hands a net to tract, and checks that it computes what the trainer's engine does: no output of any of `samples`,
    /// back to back, may differ by more than [`TOLERANCE`].
    ///
    /// # Errors
    /// Names the output that differs; what tract says; a net with batch norms or an origin other than 0.
    pub fn new(net: &Net<Float>, samples: &[f32]) -> TractResult<Self> {
        ensure!(net.tensors[net.input.at()].meta.origin == 0.0, "fold the net first");
        let mut model = TypedModel::default();
        let mut outlets = vec![None; net.tensors.len()];
        outlets[net.input.at()] = Some(model.add_source("input", f32::fact(dims(net.input_shape())))?);
        for node in &net.nodes {
            let inputs: Option<TVec<OutletId>> = node.inputs.iter().map(|id| outlets[id.at()]).collect();
            let inputs = inputs.context("a tensor is read before it is written")?;
            let (x, y) = (net.shape(node.inputs[0]), net.shape(node.output));
            outlets[node.output.at()] = Some(Wire { model: &mut model, node, x, y }.wire(&inputs)?);
        }
        let output = outlets[net.output.at()].context("nothing writes the output")?;
        model.select_output_outlets(&[output])?;
        let state = model.into_optimized()?.into_runnable()?.spawn()?;
        let mut peer = Self { state, input: net.input_shape(), output: net.output_shape() };
        peer.check(net, samples)?;
        Ok(peer)
    }

    fn check(&mut self, net: &Net<Float>, samples: &[f32]) -> TractResult<()> {
        let mut want = Vec::new();
        Executor::new(net, 1).forward(samples, &mut want);
        let greatest = want.iter().fold(0f32, |greatest, y| greatest.max(y.abs()));
        for (sample, want) in samples.chunks(self.input.len()).zip(want.chunks(self.output.len())) {
            let input = self.input(sample)?;
            let output = self.run(&input)?;
            let got = output.try_as_plain_ram()?.as_slice::<f32>()?;
            ensure!(got.len() == want.len(), "{}: {} outputs, not {}", net.name, got.len(), want.len());
            for (i, (got, want)) in got.iter().zip(chw(self.output, want)).enumerate() {
                let near = (got - want).abs() <= TOLERANCE * greatest;
                ensure!(near, "{}: output {i} is {got}, not {want}", net.name);
            }
        }
        Ok(())
    }

    /// A sample, `[h][w][c]`, as an input.
    ///
    /// # Errors
    /// When it is not one sample.
    pub fn input(&self, sample: &[f32]) -> TractResult<TValue> {
        Ok(Tensor::from_shape(&dims(self.input), &chw(self.input, sample))?.into_tvalue())
    }

    /// One inference.
    ///
    /// # Errors
    /// What tract says.
    pub fn run(&mut self, input: &TValue) -> TractResult<TValue> {
        self.state.run(tvec!(input.clone()))?.pop().context("no output")
    }
}

/// A tensor's shape in tract.
fn dims(shape: Shape) -> [usize; 4] {
    [1, shape.c.into(), shape.h.into(), shape.w.into()]
}

/// The same without the batch.
fn axes(shape: Shape) -> TVec<TDim> {
    dims(shape)[1..].iter().map(|n| n.to_dim()).collect()
}

/// `[h][w][c]` as `[c][h][w]`.
fn chw(shape: Shape, values: &[f32]) -> Vec<f32> {
    let c = usize::from(shape.c);
    (0..c).flat_map(|k| values.iter().skip(k).step_by(c).copied()).collect()
}

/// A node on its way into the model, with the shapes of its first input and of its output.
struct Wire<'a> {
    model: &'a mut TypedModel,
    node: &'a NetNode<Float>,
    x: Shape,
    y: Shape,
}

impl Wire<'_> {
    fn wire(mut self, inputs: &[OutletId]) -> TractResult<OutletId> {
        let (x, y) = (self.x, self.y);
        let channels = usize::from(x.c);
        match &self.node.op {
            Op::Conv2d(conv) => {
                let (weights, groups) = grouped(conv, &self.node.store.weights, channels);
                let [kh, kw] = conv.window.kernel;
                let of_unit = Shape::new(kh, kw, x.c / groups);
                let weights: Vec<f32> = weights.chunks(of_unit.len()).flat_map(|w| chw(of_unit, w)).collect();
                self.convolution(&conv.window, groups, &weights, inputs[0])
            }
            Op::DepthwiseConv2d(conv) => {
                let [kh, kw] = conv.window.kernel;
                let weights = chw(Shape::new(kh, kw, y.c), &self.node.store.weights);
                self.convolution(&conv.window, x.c, &weights, inputs[0])
            }
            Op::Dense(_) => self.dense(inputs[0]),
            Op::MaxPool2d(pool) => self.add("", MaxPool::new(self.pool(&pool.window), None), inputs),
            Op::AvgPool2d(pool) => self.add("", SumPool::new(self.pool(&pool.window), false, true), inputs),
            Op::Add(Operands::Equal) => self.add("", math::add(), inputs),
            Op::Concat { axis: Axis::Channels } => self.add("", TypedConcat::new(1), inputs),
            Op::ChannelShuffle { groups } => {
                let g = usize::from(*groups);
                let [c, own, g] = [channels, channels / g, g].map(|n| n.to_dim());
                let apart = AxisOp::Reshape(1, tvec!(c.clone()), tvec!(g.clone(), own.clone()));
                let x = self.add("apart", apart, inputs)?;
                let x = self.add("turned", AxisOp::Move(1, 2), &[x])?;
                self.add("", AxisOp::Reshape(1, tvec!(own, g), tvec!(c)), &[x])
            }
            Op::Relu => self.bound("", math::max(), 0.0, inputs[0]),
            Op::Relu6 => {
                let x = self.bound("low", math::max(), 0.0, inputs[0])?;
                self.bound("", math::min(), 6.0, x)
            }
            Op::Tanh => self.add("", math::tanh(), inputs),
            Op::Softmax => self.add("", Softmax::new(tvec!(1), None, SoftmaxKind::default()), inputs),
            Op::Reshape { shape } => {
                // Elements keep their order as rows, columns, channels.
                let turned = self.add("turned", AxisOp::Move(1, 3), inputs)?;
                let hwc = |s: Shape| [s.h, s.w, s.c].iter().map(|&n| usize::from(n).to_dim()).collect();
                let (from, to) = (hwc(x), hwc(*shape));
                let reshaped = self.add("reshaped", AxisOp::Reshape(1, from, to), &[turned])?;
                self.add("", AxisOp::Move(3, 1), &[reshaped])
            }
            Op::Add(_) | Op::Concat { .. } => bail!("{}: tract is not told of it here", self.node.name),
            Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => {
                bail!("{}: tract is not told of it here", self.node.name)
            }
            Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Requantize => {
                bail!("{}: tract is not told of it here", self.node.name)
            }
            Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => {
                bail!("{}: tract is not told of it here", self.node.name)
            }
            Op::BatchNorm => bail!("{}: fold the net first", self.node.name),
        }
    }

    /// Adds an operator under the node's name, `part` appended.
    fn add(
        &mut self,
        part: &str,
        op: impl Into<Box<dyn TypedOp>>,
        inputs: &[OutletId],
    ) -> TractResult<OutletId> {
        let name = self.name(part);
        Ok(self.model.wire_node(name, op, inputs)?[0])
    }

    /// Adds a constant likewise.
    fn constant(&mut self, part: &str, value: Tensor) -> TractResult<OutletId> {
        let name = self.name(part);
        self.model.add_const(name, value)
    }

    fn name(&self, part: &str) -> String {
        let name = &self.node.name;
        if part.is_empty() { name.clone() } else { format!("{name}.{part}") }
    }

    fn pool(&self, window: &Window) -> PoolSpec {
        let sizes = |pair: [u16; 2]| pair.iter().map(|&n| usize::from(n)).collect::<TVec<_>>();
        let p = window.padding;
        PoolSpec::new(
            DataFormat::NCHW,
            sizes(window.kernel),
            PaddingSpec::Explicit(sizes([p.top, p.left]), sizes([p.bottom, p.right])),
            Some(sizes(window.dilation)),
            Some(sizes(window.stride)),
            self.x.c.into(),
            self.y.c.into(),
        )
    }

    /// A convolution with weights `[units][channels a group reads][kh][kw]`, and its bias.
    fn convolution(
        &mut self,
        window: &Window,
        groups: u16,
        weights: &[f32],
        x: OutletId,
    ) -> TractResult<OutletId> {
        let groups = usize::from(groups);
        let [kh, kw] = window.kernel.map(usize::from);
        let shape = [self.y.c.into(), usize::from(self.x.c) / groups, kh, kw];
        let kernel = self.constant("weights", Tensor::from_shape(&shape, weights)?)?;
        let op = Conv::new(self.pool(window), KernelFormat::OIHW, groups, None);
        let bias = &self.node.store.bias;
        match self.node.op.bias() {
            Bias::None | Bias::Channel => {
                let bias = if bias.is_empty() { tensor0(0f32) } else { tensor1(bias) };
                let bias = self.constant("bias", bias)?;
                self.add("", op, &[x, kernel, bias])
            }
            Bias::Unit => {
                let zero = self.constant("zero", tensor0(0f32))?;
                let product = self.add("product", op, &[x, kernel, zero])?;
                let bias = Tensor::from_shape(&dims(self.y), &chw(self.y, bias))?;
                let bias = self.constant("bias", bias)?;
                self.add("", math::add(), &[product, bias])
            }
        }
    }

    /// A matrix times the flattened input, and a bias.
    fn dense(&mut self, x: OutletId) -> TractResult<OutletId> {
        let (len, units) = (self.x.len(), usize::from(self.y.c));
        let rows: Vec<f32> = self.node.store.weights.chunks(len).flat_map(|row| chw(self.x, row)).collect();
        let weights = self.constant("weights", Tensor::from_shape(&[units, len], &rows)?)?;
        let flat = self.add("flat", AxisOp::Reshape(1, axes(self.x), tvec!(len.to_dim())), &[x])?;
        let product = EinSum::new("nk,ok->no".parse()?, f32::datum_type());
        let mut y = self.add("product", product, &[flat, weights])?;
        if !self.node.store.bias.is_empty() {
            let bias = self.constant("bias", Tensor::from_shape(&[1, units], &self.node.store.bias)?)?;
            y = self.add("sum", math::add(), &[y, bias])?;
        }
        self.add("", AxisOp::Reshape(1, tvec!(units.to_dim()), axes(self.y)), &[y])
    }

    /// The greater or lesser of each element and a constant.
    fn bound(
        &mut self,
        part: &str,
        op: impl Into<Box<dyn TypedOp>>,
        to: f32,
        x: OutletId,
    ) -> TractResult<OutletId> {
        let to = self.constant(&format!("{part}.to"), Tensor::from_shape(&[1, 1, 1, 1], &[to])?)?;
        self.add(part, op, &[x, to])
    }
}

/// Weights `[units][kh][kw][channels a group reads]` and the number of groups. Groups that overlap become one.
fn grouped(conv: &Conv2d, weights: &[f32], channels: usize) -> (Vec<f32>, u16) {
    let [groups, span, units] = [conv.groups, conv.span, conv.units].map(usize::from);
    let (own, taps) = (channels / groups, conv.window.taps());
    if span == own {
        return (weights.to_vec(), conv.groups);
    }
    let mut all = vec![0.0; units * taps * channels];
    for (at, (from, to)) in weights.chunks(span).zip(all.chunks_mut(channels)).enumerate() {
        let group = at / taps / (units / groups);
        for (k, &weight) in from.iter().enumerate() {
            to[(group * own + k) % channels] = weight;
        }
    }
    (all, 1)
}
