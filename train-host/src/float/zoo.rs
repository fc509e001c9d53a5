//! Small nets for tests, between them every operator in odd shapes.

use zipnet::ir::{
    Axis, Bias, Conv2d, Dense, DepthwiseConv2d, Float, Op, Operands, Padding, Pool2d, Real, Shape, TensorId,
    Window,
};

use crate::graph::{FloatStore, Net};

/// Numbers from -1 to 1 that depend on a seed only.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

struct Maker(Net<Float>);

impl Maker {
    fn new(name: &str, input: Shape, origin: f32) -> Self {
        Self(Net::new(name, input, Real { origin }))
    }

    fn add(&mut self, op: Op, inputs: &[TensorId]) -> TensorId {
        let net = &mut self.0;
        let x = net.shape(inputs[0]);
        let seed = net.nodes.len() as u64 + 11;
        let name = format!("{}_{}", net.nodes.len(), op.name());
        let meta =
            if matches!(op, Op::Reshape { .. }) { net.tensors[inputs[0].at()].meta } else { Real::default() };
        let id = net.push(&name, op, inputs, meta, FloatStore::default()).expect("shapes meet");
        let y = net.shape(id);
        let store = if matches!(op, Op::BatchNorm) {
            let c = usize::from(x.c);
            FloatStore {
                weights: noise(seed, c).iter().map(|x| 1.0 + 0.5 * x).collect(),
                bias: noise(seed + 100, c),
                mean: noise(seed + 200, c),
                variance: noise(seed + 300, c).iter().map(|x| 1.0 + 0.5 * x).collect(),
            }
        } else {
            let fan_in = (op.weights(x) / usize::from(y.c)).max(1) as f32;
            let weights = noise(seed, op.weights(x)).iter().map(|w| 1.7 * w / fan_in.sqrt()).collect();
            let bias = noise(seed + 100, op.bias().len(y)).iter().map(|b| 0.3 * b).collect();
            FloatStore { weights, bias, ..FloatStore::default() }
        };
        if let Some(node) = net.nodes.last_mut() {
            node.store = store;
        }
        id
    }

    fn then(&mut self, op: Op) -> TensorId {
        self.add(op, &[self.0.output])
    }
}

fn conv(units: u16, window: Window, groups: u16, span: u16, bias: Bias) -> Op {
    Op::Conv2d(Conv2d { units, window, groups, span, bias })
}

fn window(kernel: [u16; 2], stride: [u16; 2], dilation: [u16; 2], sides: [u16; 4]) -> Window {
    let [top, bottom, left, right] = sides;
    Window { kernel, stride, dilation, padding: Padding { top, bottom, left, right } }
}

fn pool(kernel: [u16; 2], stride: [u16; 2], sides: [u16; 4]) -> Pool2d {
    Pool2d { window: window(kernel, stride, [1, 1], sides) }
}

/// Overlapping groups that wrap round, a bias for each unit, a border that is not 0, borders that differ.
pub(crate) fn overlapping() -> Net<Float> {
    let mut m = Maker::new("overlapping", Shape::new(9, 8, 2), -1.0);
    m.then(conv(6, window([5, 4], [2, 1], [1, 1], [2, 1, 0, 3]), 1, 2, Bias::Unit));
    m.then(Op::Relu);
    m.then(conv(9, window([3, 2], [1, 2], [2, 3], [1, 4, 2, 1]), 3, 5, Bias::Unit));
    m.then(Op::Tanh);
    m.then(conv(5, window([1, 1], [1, 1], [1, 1], [0; 4]), 1, 9, Bias::None));
    m.then(Op::Relu);
    m.then(Op::Dense(Dense { units: 7, bias: Bias::Channel }));
    m.then(Op::Relu6);
    m.then(Op::Dense(Dense { units: 3, bias: Bias::None }));
    m.0
}

/// Depthwise convolutions, batch norms, a shuffle unit with its shortcut, pools, concat.
pub(crate) fn branching() -> Net<Float> {
    let mut m = Maker::new("branching", Shape::new(8, 7, 3), -1.0);
    let depthwise =
        |multiplier, window, bias| Op::DepthwiseConv2d(DepthwiseConv2d { multiplier, window, bias });
    let x = m.0.input;
    let a = m.add(depthwise(2, window([3, 3], [2, 1], [1, 1], [1; 4]), Bias::Unit), &[x]);
    let a = m.add(Op::BatchNorm, &[a]);
    let a = m.add(Op::Relu, &[a]);
    let b = m.add(Op::AvgPool2d(pool([3, 2], [2, 1], [1, 0, 1, 0])), &[x]);
    let c = m.add(Op::Concat { axis: Axis::Channels }, &[b, a]);
    let d = m.add(conv(9, window([1, 1], [1, 1], [1, 1], [0; 4]), 3, 3, Bias::None), &[c]);
    let d = m.add(Op::BatchNorm, &[d]);
    let d = m.add(Op::Relu, &[d]);
    let d = m.add(Op::ChannelShuffle { groups: 3 }, &[d]);
    let d = m.add(depthwise(1, window([3, 2], [1, 1], [1, 2], [1, 1, 2, 0]), Bias::Channel), &[d]);
    let d = m.add(Op::BatchNorm, &[d]);
    let e = m.add(Op::Add(Operands::Equal), &[d, c]);
    let f = m.add(Op::Relu6, &[e]);
    let g = m.add(Op::Add(Operands::Equal), &[f, f]);
    let h = m.add(Op::MaxPool2d(pool([2, 3], [2, 2], [0, 1, 1, 2])), &[g]);
    let i = m.add(Op::Softmax, &[h]);
    let j = m.add(Op::Reshape { shape: Shape::new(1, m.0.shape(i).h * m.0.shape(i).w, 9) }, &[i]);
    let k = m.add(depthwise(3, window([1, 2], [1, 2], [1, 1], [0; 4]), Bias::Channel), &[j]);
    let l = m.add(conv(14, window([1, 2], [1, 1], [1, 1], [0; 4]), 1, 27, Bias::Channel), &[k]);
    let l = m.add(Op::Tanh, &[l]);
    let l = m.add(Op::ChannelShuffle { groups: 7 }, &[l]);
    let n = m.add(Op::Add(Operands::Equal), &[l, l]);
    m.add(Op::Dense(Dense { units: 4, bias: Bias::Channel }), &[n]);
    m.0
}

/// Blocks of every width: 1 to 5 quads of channels, columns in runs, several rows.
pub(crate) fn wide() -> Net<Float> {
    let mut m = Maker::new("wide", Shape::new(6, 11, 4), 0.0);
    m.then(conv(4, window([3, 3], [1, 1], [1, 1], [1; 4]), 1, 4, Bias::Channel));
    m.then(Op::Relu);
    m.then(conv(17, window([2, 3], [1, 2], [1, 1], [0; 4]), 1, 4, Bias::Channel));
    m.then(conv(8, window([1, 1], [1, 1], [1, 1], [0; 4]), 1, 17, Bias::None));
    m.then(Op::Relu);
    m.then(conv(12, window([3, 3], [1, 1], [1, 1], [1; 4]), 2, 4, Bias::None));
    m.then(Op::AvgPool2d(pool([5, 5], [1, 1], [0; 4])));
    m.then(Op::Dense(Dense { units: 5, bias: Bias::Channel }));
    m.0
}

/// All of them.
pub(crate) fn all() -> Vec<Net<Float>> {
    vec![overlapping(), branching(), wide()]
}
