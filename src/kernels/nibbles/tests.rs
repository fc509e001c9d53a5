//! The kernels against those of plain order over the same weights, a byte each, which oracles hold.

use crate::arch::Isa;
use crate::ir::{Bias, Dense, Int, IntData, Op, Packing, Phase, Scratch, Shape};
use crate::kernels::conv2d::tests::convs;
use crate::kernels::depthwise_conv2d::tests::convs as depthwise_convs;
use crate::kernels::oracle::{Numbers, hold, on_every_isa};
use crate::kernels::{self, Input, Output, nibbles};
use proptest::prelude::*;
use std::prelude::v1::*;

type Data<'a> = <Int as Phase>::Data<'a>;

/// Made-up numbers of an operator in both orders, and what its kernels make of them.
struct Case {
    op: Op,
    x: Shape,
    y: Shape,
    zeros: [i8; 2],
    input: Vec<i8>,
    weights: Vec<i8>,
    bias: Vec<i32>,
}

impl Case {
    fn new(op: Op, x: Shape, numbers: &mut Numbers) -> Self {
        let y = op.output(&[x]).unwrap();
        Self {
            op,
            x,
            y,
            zeros: [numbers.int8(), numbers.int8()],
            input: numbers.int8s(x.len()),
            weights: (0..op.weights(x)).map(|_| numbers.below(16) as i8 - 8).collect(),
            bias: numbers.biases(op.bias().len(y)),
        }
    }

    /// Rows of `row` weights, each from a byte on.
    fn halved(&self, row: usize) -> Vec<i8> {
        let mut bytes = Vec::new();
        for row in self.weights.chunks(row) {
            for pair in row.chunks(2) {
                // What fills an odd row up is never read.
                let second = pair.get(1).copied().unwrap_or(5);
                bytes.push(((second as u8) << 4 | (pair[0] as u8 & 15)) as i8);
            }
        }
        bytes
    }

    /// Both outputs must be the same. Scratch and what it holds are as long as the packing says, and full of leftovers.
    fn holds(
        &self,
        (packing, row, bias): (Packing, usize, &[i32]),
        numbers: &mut Numbers,
        plain: impl Fn(&Data<'_>, Input<'_>, Output<'_>),
        packed: impl Fn(&Data<'_>, Input<'_>, Output<'_>, &mut [i8]),
    ) -> Result<(), TestCaseError> {
        let lengths = packing.lengths(&self.op, self.x, self.y).unwrap();
        let (halved, mut requant) = (self.halved(row), numbers.requants(self.y.c.into()));
        if !packing.shares_factors(&self.op) {
            requant = (0..self.y.c).map(|_| numbers.requant()).collect();
        }
        assert_eq!((lengths.weights, lengths.bias), (halved.len(), bias.len()));
        let data = IntData {
            weights: &self.weights,
            bias: &self.bias,
            requant: &requant,
            clamp: numbers.clamp(),
            scratch: Scratch::default(),
            packing: Packing::Plain,
        };
        let [zero, out_zero] = self.zeros;
        let x = Input { shape: self.x, zero, data: &self.input };
        let mut want = vec![0; self.y.len()];
        plain(&data, x, Output { shape: self.y, zero: out_zero, data: &mut want });
        let mut got = vec![55; self.y.len()];
        let mut scratch = numbers.int8s(lengths.scratch);
        let data = IntData { weights: &halved, bias, packing, ..data };
        packed(&data, x, Output { shape: self.y, zero: out_zero, data: &mut got }, &mut scratch);
        prop_assert_eq!(got, want, "{:?}", packing);
        Ok(())
    }
}

fn conv2d<I: Isa>(isa: I) {
    hold(1024, convs(), |(conv, shape, seed)| {
        let mut numbers = Numbers(seed);
        let case = Case::new(Op::Conv2d(conv), shape, &mut numbers);
        let row = conv.window.taps() * usize::from(conv.span);
        let short = |pair: &[i32]| pair[0] & 0xffff | pair.get(1).unwrap_or(&0) << 16;
        let shorts: Vec<i32> = case.bias.chunks(2).map(short).collect();
        for packing in [(Packing::Nibbles, row, &case.bias[..]), (Packing::NibblesShort, row, &shorts)] {
            case.holds(
                packing,
                &mut numbers,
                |data, x, y| kernels::conv2d(isa, &conv, data, x, y),
                |data, x, y, scratch| nibbles::conv2d(isa, &conv, data, x, y, scratch),
            )?;
        }
        Ok(())
    });
}

fn dense<I: Isa>(isa: I) {
    hold(512, (1..=17u16, 1..=70u16, any::<u64>()), |(units, inputs, seed)| {
        let mut numbers = Numbers(seed);
        let op = Op::Dense(Dense { units, bias: Bias::Channel });
        let case = Case::new(op, Shape::flat(inputs), &mut numbers);
        case.holds(
            (Packing::NibblesDense, inputs.into(), &case.bias),
            &mut numbers,
            |data, x, y| kernels::dense(isa, data, x, y),
            |data, x, y, _| nibbles::dense(isa, data, x, y),
        )
    });
}

fn depthwise_conv2d<I: Isa>(isa: I) {
    hold(512, depthwise_convs(), |(conv, shape, seed)| {
        let mut numbers = Numbers(seed);
        let case = Case::new(Op::DepthwiseConv2d(conv), shape, &mut numbers);
        case.holds(
            (Packing::NibblesDepthwise, case.weights.len(), &case.bias),
            &mut numbers,
            |data, x, y| kernels::depthwise_conv2d(isa, &conv, data, x, y),
            |data, x, y, scratch| nibbles::depthwise_conv2d(isa, &conv, data, x, y, scratch),
        )
    });
}

#[test]
fn on_every_isa_conv2d_equals_that_of_plain_order() {
    on_every_isa!(conv2d);
}

#[test]
fn on_every_isa_dense_equals_that_of_plain_order() {
    on_every_isa!(dense);
}

#[test]
fn on_every_isa_depthwise_conv2d_equals_that_of_plain_order() {
    on_every_isa!(depthwise_conv2d);
}
