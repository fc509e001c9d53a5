//! A net and what clean-up leaves of it answer alike, byte for byte.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use zipnet::ir::{
    Bias, Clamp, Conv2d, Dense, DepthwiseConv2d, IntTensor, Op, Operands, Pad, Padding, Pool2d, Requant,
    Shape, Window,
};

use super::*;
use crate::graph::IntStore;
use crate::plan::plan;

/// Draws numbers for nets.
struct Draw(Xoshiro256PlusPlus);

impl Draw {
    fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n as u64) as usize
    }

    fn int8(&mut self) -> i8 {
        (self.0.next_u64() >> 56) as u8 as i8
    }

    fn meta(&mut self) -> IntTensor {
        let zero = [-128, 127, 0, self.int8()][self.below(4)];
        IntTensor { scale: 0.1, zero, offset: 0 }
    }

    /// Numbers for an operator with weights. A channel in three is dead: without weights, or held at one end of its
    /// range by its bias.
    fn store(&mut self, op: &Op, x: Shape, zero: i8) -> IntStore {
        let y = op.output(&[x]).expect("shapes meet");
        let units = usize::from(y.c);
        let mut weights: Vec<i8> = (0..op.weights(x)).map(|_| self.int8().max(-127)).collect();
        let last = matches!(op, Op::DepthwiseConv2d(_));
        let each = weights.len() / units;
        let mut bias: Vec<i32> = (0..op.bias().len(y)).map(|_| self.below(4001) as i32 - 2000).collect();
        for unit in 0..units {
            let of = |i: usize| if last { i * units + unit } else { unit * each + i };
            match self.below(6) {
                0 => (0..each).for_each(|i| weights[of(i)] = 0),
                1 => bias
                    .iter_mut()
                    .skip(unit)
                    .step_by(units)
                    .for_each(|b| *b = [-9_000_000, 9_000_000][unit % 2]),
                _ => {}
            }
        }
        if !last && self.below(2) == 0 {
            // An input channel that nobody weighs.
            let (channels, dead) = (usize::from(x.c), self.below(x.c.into()));
            weights.iter_mut().skip(dead).step_by(channels).for_each(|w| *w = 0);
        }
        let low = [i8::MIN, zero, -100][self.below(3)];
        let requant = (0..units).map(|_| Requant::new((1 << 30) + self.below(1 << 29) as i32, -9)).collect();
        IntStore { weights, bias, requant, clamp: Clamp::new(low, i8::MAX), ..IntStore::default() }
    }

    fn weighted(&mut self, net: &mut Net<Int>, op: Op) {
        let (x, y) = (net.output, self.meta());
        let store = self.store(&op, net.shape(x), y.zero);
        net.push(&format!("n{}", net.nodes.len()), op, &[x], y, store).expect("shapes meet");
    }

    /// An operator that keeps what its input means.
    fn moving(&mut self, net: &mut Net<Int>, op: Op, store: IntStore) {
        let x = net.output;
        let meta = net.tensors[x.at()].meta;
        net.push(&format!("n{}", net.nodes.len()), op, &[x], meta, store).expect("shapes meet");
    }

    /// A chain of whatever clean-up looks at, dense at its end.
    fn net(&mut self) -> Net<Int> {
        let meta = self.meta();
        let mut net = Net::new("drawn", Shape::new(6, 5, 1 + self.below(3) as u16), meta);
        for _ in 0..2 + self.below(4) {
            let shape = net.shape(net.output);
            let padding = Padding::all(self.below(2) as u16);
            let window = Window::new(3, 3).padding(padding);
            if window.output(shape.h, shape.w).is_none() {
                break;
            }
            let bias = if self.below(3) == 0 { Bias::Unit } else { Bias::Channel };
            match self.below(7) {
                0 => {
                    let units = 1 + self.below(8) as u16;
                    let conv = Conv2d { units, window, groups: 1, span: shape.c, bias };
                    let conv = match self.below(8) {
                        0 | 1 => {
                            Conv2d { units: shape.c * (1 + units % 3), groups: shape.c, span: 1, ..conv }
                        }
                        2 => Conv2d { window: Window::new(shape.h, shape.w), ..conv },
                        _ => conv,
                    };
                    self.weighted(&mut net, Op::Conv2d(conv));
                }
                1 => {
                    let (multiplier, window) = match self.below(4) {
                        0 => (4, Window::new(1, 1)),
                        n => (1 + (n % 2) as u16, window),
                    };
                    self.weighted(
                        &mut net,
                        Op::DepthwiseConv2d(DepthwiseConv2d { multiplier, window, bias }),
                    );
                }
                2 => {
                    let window = Window::new(shape.h.min(2), shape.w.min(2));
                    let pool = Pool2d { window };
                    let op = [Op::MaxPool2d(pool), Op::AvgPool2d(pool)][self.below(2)];
                    self.moving(&mut net, op, IntStore::default());
                }
                3 => {
                    let zero = net.tensors[net.output.at()].meta.zero;
                    let value = if self.below(3) == 0 { self.int8() } else { zero };
                    let pad = Pad { before: [1, 0, 0], after: [0, 1, 0] };
                    self.moving(
                        &mut net,
                        Op::Pad(pad),
                        IntStore { bias: vec![value.into()], ..IntStore::default() },
                    );
                }
                4 => {
                    let requant = vec![Requant::new(1 << 30, 1)];
                    let zero = net.tensors[net.output.at()].meta.zero;
                    let clamp = Clamp::new(zero, zero.saturating_add(self.below(120) as i8));
                    self.moving(&mut net, Op::Relu6, IntStore { requant, clamp, ..IntStore::default() });
                }
                5 => {
                    for _ in 0..1 + self.below(3) {
                        let Shape { h, w, .. } = net.shape(net.output);
                        let [height, width] = [h, w].map(|_| 3 + self.below(5) as u16);
                        let mut map: Vec<i32> = (0..height).map(|_| self.below(h.into()) as i32).collect();
                        map.extend((0..width).map(|_| self.below(w.into()) as i32));
                        let op = Op::ResizeNearest { height, width };
                        self.moving(&mut net, op, IntStore { bias: map, ..IntStore::default() });
                    }
                }
                _ => {
                    let (x, meta) = (net.output, net.tensors[net.output.at()].meta);
                    let requant =
                        vec![Requant::new(1 << 30, 0), Requant::new(1 << 30, 0), Requant::new(1 << 30, -18)];
                    let store = IntStore { requant, ..IntStore::default() };
                    let op = Op::Add(Operands::Equal);
                    net.push(&format!("n{}", net.nodes.len()), op, &[x, x], meta, store)
                        .expect("shapes meet");
                }
            }
        }
        let units = 1 + self.below(6) as u16;
        self.weighted(&mut net, Op::Dense(Dense { units, bias: Bias::Channel }));
        self.weighted(&mut net, Op::Dense(Dense { units: 5, bias: Bias::Channel }));
        net
    }
}

#[test]
fn no_byte_of_any_output_changes() {
    let (mut notes, mut bytes, mut simpler) = (Vec::new(), [0, 0], [0; 3]);
    for seed in 0..500 {
        let mut draw = Draw::new(seed);
        let mut net = draw.net();
        plan(&mut net).unwrap_or_else(|e| panic!("{seed}: {e}"));
        let mut inputs: Vec<i8> = (0..12 * net.input_shape().len()).map(|_| draw.int8()).collect();
        let size = net.input_shape().len();
        inputs[..size].fill(i8::MIN);
        inputs[size..2 * size].fill(i8::MAX);
        let before = net.run(&inputs).expect("runs");
        bytes[0] += net.weight_bytes();
        let kinds = |net: &Net<Int>| {
            let depthwise = net.nodes.iter().filter(|node| matches!(node.op, Op::DepthwiseConv2d(_)));
            let dense = net.nodes.iter().filter(|node| matches!(node.op, Op::Dense(_)));
            let grouped = net.nodes.iter().filter(|node| {
                matches!(node.op, Op::Conv2d(Conv2d { groups, window, .. }) if groups > 1 && window.taps() == 1)
            });
            [depthwise.count(), dense.count(), grouped.count()]
        };
        let were = kinds(&net);
        notes.extend(clean(&mut net).unwrap_or_else(|e| panic!("{seed}: {e}")));
        let are = kinds(&net);
        (0..3).for_each(|i| simpler[i] += usize::from(are[i] > were[i]));
        bytes[1] += net.weight_bytes();
        plan(&mut net).unwrap_or_else(|e| panic!("{seed}, cleaned: {e}"));
        assert_eq!(net.run(&inputs).expect("runs"), before, "{seed}");
    }
    // All passes have had their say.
    for part in ["into the border", "into the clamp", "into the map", "channels of"] {
        let found = notes.iter().filter(|note| note.contains(part)).count();
        assert!(found >= 20, "{part}: {found}");
    }
    assert!(bytes[1] < bytes[0] * 9 / 10, "{bytes:?}");
    assert!(simpler.iter().all(|&count| count >= 10), "depthwise, dense and in groups: {simpler:?}");
}

#[test]
fn a_constant_channel_beside_a_border_stays_unless_it_is_what_the_border_reads() {
    for (value, goes) in [(0, true), (5, false)] {
        // Two channels: the second is always 5 or, where its bias says so, the zero point.
        let meta = IntTensor { scale: 0.1, zero: 0, offset: 0 };
        let mut net = Net::<Int>::new("border", Shape::new(4, 4, 1), meta);
        let conv = |units, span, window: Window| {
            Op::Conv2d(Conv2d { units, window, groups: 1, span, bias: Bias::Channel })
        };
        let requant = vec![Requant::new(1 << 30, 1); 2];
        let store = IntStore { weights: vec![1, 0], bias: vec![0, value], requant, ..IntStore::default() };
        let input = net.input;
        let first =
            net.push("first", conv(2, 1, Window::new(1, 1)), &[input], meta, store).expect("shapes meet");
        let store = IntStore {
            weights: (1..=18).collect(),
            bias: vec![0],
            requant: vec![Requant::new(1 << 30, -4)],
            ..IntStore::default()
        };
        let window = Window::new(3, 3).padding(Padding::all(1));
        net.push("second", conv(1, 2, window), &[first], meta, store).expect("shapes meet");
        plan(&mut net).expect("plans");
        let inputs: Vec<i8> = (-80..80).collect();
        let before = net.run(&inputs).expect("runs");
        clean(&mut net).expect("cleans");
        assert_eq!(net.shape(net.nodes[0].output).c, if goes { 1 } else { 2 });
        plan(&mut net).expect("plans");
        assert_eq!(net.run(&inputs).expect("runs"), before);
    }
}
