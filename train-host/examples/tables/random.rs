//! Random nets of the operators that have a packed form, and of those that come between.

use train_host::Result;
use train_host::graph::{IntStore, Net};
use train_host::plan::plan;
use zipnet::ir::{
    Bias, Clamp, Conv2d, Dense, DepthwiseConv2d, Int, IntTensor, Op, Operands, Padding, Pool2d, Requant,
    Shape, TensorId, Window,
};

/// Numbers that need not be good: Knuth's linear congruences.
pub(crate) struct Numbers(u64);

impl Numbers {
    /// Of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut numbers = Self(seed);
        for _ in 0..4 {
            numbers.next(); // seeds that lie close part
        }
        numbers
    }

    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    /// From 0 to below `n`.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        self.next() % n
    }

    /// From `low` to `high`.
    fn within(&mut self, low: u16, high: u16) -> u16 {
        low + self.below(u32::from(high - low) + 1) as u16
    }

    /// Of all values alike, or mostly the extremes.
    pub(crate) fn int8s(&mut self, count: usize) -> Vec<i8> {
        let extreme = self.below(4) == 0;
        let mut one = || match self.next() {
            x if extreme && x & 3 != 0 => [i8::MIN, i8::MAX][(x >> 4 & 1) as usize],
            x => (x >> 8) as i8,
        };
        (0..count).map(|_| one()).collect()
    }

    fn meta(&mut self) -> IntTensor {
        IntTensor { scale: 1.0, zero: self.next() as i8, offset: 0 }
    }

    fn factor(&mut self, shift: i32) -> Requant {
        Requant::new((1 << 30) + (self.next() & 0x3fff_ffff) as i32, shift)
    }

    /// Any window that fits a shape, none dilated by more than 2.
    fn window(&mut self, x: Shape) -> Window {
        let mut axis = |extent: u16| {
            let kernel = self.within(1, 5).min(extent);
            let dilation = if (kernel - 1) * 2 < extent { self.within(1, 2) } else { 1 };
            let most = (kernel - 1) * dilation;
            let [before, after] = [(); 2].map(|()| if most == 0 { 0 } else { self.within(0, most) });
            (kernel, self.within(1, 3), dilation, before, after)
        };
        let (rows, columns) = (axis(x.h), axis(x.w));
        Window {
            kernel: [rows.0, columns.0],
            stride: [rows.1, columns.1],
            dilation: [rows.2, columns.2],
            padding: Padding { top: rows.3, bottom: rows.4, left: columns.3, right: columns.4 },
        }
    }

    /// The 3x3 window that keeps the rows and columns of an image of at least 2 by 2.
    fn three(&mut self) -> Window {
        Window::new(3, 3).padding(Padding::all(1))
    }

    /// The same, now and then dilated.
    fn dilated(&mut self) -> Window {
        let apart = 1 + self.below(4) as u16 / 3;
        Window { dilation: [apart; 2], ..Window::new(3, 3).padding(Padding::all(apart)) }
    }
}

/// A net of up to five operators, its tensors placed; now and then, by `number`, after a convolution for minimal filtering or a
/// dilated one of few channels.
///
/// # Errors
/// Where shapes do not meet.
pub(crate) fn net(name: &str, number: u64, numbers: &mut Numbers) -> Result<Net<Int>> {
    let (filters, thin) = (number.is_multiple_of(5), number % 10 == 3);
    let shape = match numbers.below(4) {
        _ if filters => Shape::new(numbers.within(7, 12), numbers.within(7, 20), 4 * numbers.within(2, 6)),
        _ if thin => Shape::new(numbers.within(6, 16), numbers.within(6, 16), numbers.within(1, 4)),
        0 => Shape::flat(numbers.within(1, 150)),
        1 => Shape::new(numbers.within(2, 24), numbers.within(1, 2), numbers.within(1, 24)),
        2 => Shape::new(numbers.within(6, 12), numbers.within(6, 20), 4 * numbers.within(1, 5)),
        _ => Shape::new(numbers.within(2, 12), numbers.within(2, 12), numbers.within(1, 24)),
    };
    let mut net = Net::<Int>::new(name, shape, numbers.meta());
    if filters {
        filtered(&mut net, number.is_multiple_of(10), numbers)?;
    }
    if thin {
        let (window, units, at) = (numbers.dilated(), numbers.within(1, 24), net.output);
        let conv = Conv2d { units, window, groups: 1, span: shape.c, bias: Bias::Channel };
        push(&mut net, Op::Conv2d(conv), &[at], numbers)?;
    }
    for _ in 0..numbers.within(1, 5) {
        layer(&mut net, numbers)?;
    }
    plan(&mut net)?;
    Ok(net)
}

/// Appends what a small net might go on with.
fn layer(net: &mut Net<Int>, numbers: &mut Numbers) -> Result<()> {
    let (x, at) = (net.output_shape(), net.output);
    let units = numbers.within(1, 24);
    let conv =
        |units, window, groups, span| Op::Conv2d(Conv2d { units, window, groups, span, bias: Bias::Channel });
    match numbers.below(10) {
        0 => {
            let window = numbers.window(x);
            push(net, conv(units, window, 1, x.c), &[at], numbers)
        }
        1 => push(net, conv(units, Window::new(1, 1), 1, x.c), &[at], numbers),
        // A unit of a residual net, its sum in place.
        2 if x.h > 1 && x.w > 1 => {
            let window = numbers.three();
            push(net, conv(x.c, window, 1, x.c), &[at], numbers)?;
            let other = net.output;
            push(net, Op::Add(Operands::Equal), &[at, other], numbers)
        }
        // As in the net of 1989: groups that overlap, each unit with a bias of its own.
        9 if x.c.is_multiple_of(3) => {
            let window = numbers.window(x);
            let (each, span) = (1 + units / 3, x.c / 3 * 2);
            let op = Op::Conv2d(Conv2d { units: 3 * each, window, groups: 3, span, bias: Bias::Unit });
            push(net, op, &[at], numbers)
        }
        // For minimal filtering.
        3 if x.h >= 4 && x.w >= 4 && x.c.is_multiple_of(4) => {
            let both = numbers.below(2) == 0;
            filtered(net, both, numbers)
        }
        // A unit of a ShuffleNet: grouped 1x1, shuffle, depthwise, grouped 1x1.
        4 | 5 if x.c > 1 => {
            let groups = (2..=x.c).find(|groups| x.c.is_multiple_of(*groups)).unwrap_or(1);
            push(
                net,
                conv(groups * (1 + units / groups), Window::new(1, 1), groups, x.c / groups),
                &[at],
                numbers,
            )?;
            let at = net.output;
            push(net, Op::ChannelShuffle { groups }, &[at], numbers)?;
            depthwise(net, numbers)?;
            let (x, at) = (net.output_shape(), net.output);
            push(
                net,
                conv(groups * (1 + units / groups), Window::new(1, 1), groups, x.c / groups),
                &[at],
                numbers,
            )
        }
        6 | 7 => depthwise(net, numbers),
        8 => {
            let window = Window::new(x.h.min(2), x.w.min(2)).stride(x.h.min(2).min(x.w));
            let pool = Pool2d { window };
            let op = if units.is_multiple_of(2) { Op::MaxPool2d(pool) } else { Op::AvgPool2d(pool) };
            push(net, op, &[at], numbers)
        }
        // As many multiplications as sums of 16 bits would hold, or a few more.
        _ if x.len() <= 300 => push(net, Op::Dense(Dense { units, bias: Bias::Channel }), &[at], numbers),
        _ if x.len() <= 1500 && units < 10 => {
            push(net, Op::Dense(Dense { units, bias: Bias::Channel }), &[at], numbers)
        }
        _ => push(net, Op::AvgPool2d(Pool2d { window: Window::new(x.h, x.w) }), &[at], numbers),
    }
}

/// For minimal filtering: in both directions, where there are units enough to transform the image for, or along rows.
fn filtered(net: &mut Net<Int>, both: bool, numbers: &mut Numbers) -> Result<()> {
    let (x, at) = (net.output_shape(), net.output);
    let (units, window) = if both {
        (2 * numbers.within(8, 14), numbers.three())
    } else {
        (4 * numbers.within(3, 6), Window::new(numbers.within(2, 4), 3).padding(Padding::all(1)))
    };
    let op = Op::Conv2d(Conv2d { units, window, groups: 1, span: x.c, bias: Bias::Channel });
    push(net, op, &[at], numbers)
}

fn depthwise(net: &mut Net<Int>, numbers: &mut Numbers) -> Result<()> {
    let (x, at) = (net.output_shape(), net.output);
    let window =
        if x.h > 1 && x.w > 1 && numbers.below(2) == 0 { numbers.dilated() } else { numbers.window(x) };
    let multiplier = if x.c < 8 && numbers.below(2) == 0 { 1 + numbers.below(4) as u16 } else { 1 };
    let op = DepthwiseConv2d { multiplier, window, bias: Bias::Channel };
    push(net, Op::DepthwiseConv2d(op), &[at], numbers)
}

/// Appends an operator with made-up numbers.
fn push(net: &mut Net<Int>, op: Op, inputs: &[TensorId], numbers: &mut Numbers) -> Result<()> {
    let shapes: Vec<Shape> = inputs.iter().map(|&id| net.shape(id)).collect();
    let weights = op.weights(shapes[0]);
    let y = op.output(&shapes).unwrap_or(shapes[0]); // the net refuses what does not meet
    let k = (weights / usize::from(y.c)).max(1);
    let bits = if weights > 0 && numbers.below(3) == 0 { 4 } else { 8 };
    // Now and then sums that 24 bits do not hold.
    let long = numbers.below(6) == 0;
    let requant = if let Op::Add(_) = op {
        vec![numbers.factor(-2), Requant::new(1 << 30, 0), numbers.factor(-20)]
    } else if weights > 0 {
        // What leaves something of a sum of k products, and nothing now and then.
        let least = bits - 2 + k.ilog2() as i32 / 2;
        let one = |numbers: &mut Numbers| match numbers.below(16) {
            0 => Requant::new(0, 0),
            1..4 if long => numbers.factor(-18),
            _ => {
                let less = numbers.below(3) as i32;
                numbers.factor(-least - less)
            }
        };
        (0..y.c).map(|_| one(numbers)).collect()
    } else {
        Vec::new()
    };
    let ends = numbers.int8s(2);
    let clamp = match numbers.below(4) {
        0 if weights > 0 => Clamp::new(ends[0].min(ends[1]), ends[0].max(ends[1])),
        _ => Clamp::FULL,
    };
    let levels = if bits == 4 { 7 } else { 127 };
    // Now and then more than 16 bits hold.
    let most = if long {
        1 << 26
    } else if numbers.below(8) == 0 {
        1 << 17
    } else {
        1 << 14
    };
    let store = IntStore {
        weights: numbers.int8s(weights).into_iter().map(|w| w.clamp(-levels, levels)).collect(),
        bias: (0..op.bias().len(y)).map(|_| numbers.below(most) as i32 - (most / 2) as i32).collect(),
        requant,
        clamp,
        bits: bits as u8,
        ..IntStore::default()
    };
    let meta = if op.keeps_quantisation() { net.tensors[inputs[0].at()].meta } else { numbers.meta() };
    let name = format!("{} {}", net.nodes.len(), op.name());
    net.push(&name, op, inputs, meta, store)?;
    Ok(())
}
