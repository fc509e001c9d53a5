//! Operators element by element, and the reductions.

use zipnet::ir::{Op, Operands, TensorId};

use super::super::model::{Element, Kind, Operator};
use super::{Lowering, Place, border};
use crate::graph::IntStore;
use crate::quantise::factors::{self, Scale};
use crate::quantise::tables;
use crate::{Error, Result};

impl Lowering<'_> {
    /// ADD, SUB, MUL.
    pub(super) fn binary(&mut self, operator: &Operator) -> Result<()> {
        let (Kind::Add { activation } | Kind::Sub { activation } | Kind::Mul { activation }) = operator.kind
        else {
            return Ok(());
        };
        let [a, b] = [self.input(operator, 0)?, self.input(operator, 1)?];
        let output = operator.outputs[0];
        let (za, zb, y) = (self.scale(a)?, self.scale(b)?, self.scale(output)?);
        let requant = match operator.kind {
            Kind::Add { .. } | Kind::Sub { .. } => factors::add(za.scale, zb.scale, y.scale)?.to_vec(),
            _ => vec![factors::mul(za.scale, zb.scale, y.scale)?],
        };
        let clamp = factors::clamp(super::activation(activation)?, y);
        let mut store = IntStore { requant, clamp, ..IntStore::default() };
        let shapes = [self.shape(a)?, self.shape(b)?];
        let (operands, inputs) = match [self.is_constant(a), self.is_constant(b)] {
            [false, false] if shapes[0] == shapes[1] => (Operands::Equal, vec![self.live(a)?, self.live(b)?]),
            [false, false] => (Operands::Broadcast, vec![self.live(a)?, self.live(b)?]),
            [true, _] => {
                (store.weights, store.bias) = (self.constant(a)?, vec![za.zero.into()]);
                (Operands::Left(shapes[0]), vec![self.live(b)?])
            }
            [false, true] => {
                (store.weights, store.bias) = (self.constant(b)?, vec![zb.zero.into()]);
                (Operands::Right(shapes[1]), vec![self.live(a)?])
            }
        };
        let op = match operator.kind {
            Kind::Add { .. } => Op::Add(operands),
            Kind::Sub { .. } => Op::Sub(operands),
            _ => Op::Mul(operands),
        };
        self.emit(op, &inputs, output, store)
    }

    /// Rows, columns and channels over which a reduction runs.
    pub(super) fn axes(&self, operator: &Operator) -> Result<[bool; 3]> {
        let input = self.input(operator, 0)?;
        let mut axes = [false; 3];
        for axis in self.numbers(self.input(operator, 1)?)? {
            match self.slot(input, axis)? {
                Some(slot) => axes[slot] = true,
                // A batch of 1 is its own mean.
                None => axes[0] |= self.shape(input)?.h == 1,
            }
        }
        Ok(axes)
    }

    pub(super) fn mean(&mut self, operator: &Operator) -> Result<()> {
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let axes = self.axes(operator)?;
        let (from, to) = (self.scale(input)?, self.scale(output)?);
        let shape = self.shape(input)?;
        let count = (0..3).filter(|&i| axes[i]).map(|i| u32::from([shape.h, shape.w, shape.c][i])).product();
        let requant = vec![factors::mean(from.scale, to.scale, count)?];
        let x = self.live(input)?;
        self.emit(Op::Mean { axes }, &[x], output, IntStore { requant, ..IntStore::default() })
    }

    pub(super) fn softmax(&mut self, operator: &Operator) -> Result<()> {
        let Kind::Softmax { beta } = operator.kind else { return Ok(()) };
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        self.expects(output, Scale::SOFTMAX)?;
        let requant = vec![factors::softmax(self.scale(input)?.scale, beta)?];
        let x = self.live(input)?;
        self.emit(Op::Softmax, &[x], output, IntStore { requant, ..IntStore::default() })
    }

    /// LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU.
    pub(super) fn table(&mut self, operator: &Operator) -> Result<()> {
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let (from, to) = (self.scale(input)?, self.scale(output)?);
        let (op, table) = match operator.kind {
            Kind::Logistic => {
                self.expects(output, Scale::LOGISTIC)?;
                (Op::Logistic, tables::logistic(from)?)
            }
            Kind::Tanh => {
                self.expects(output, Scale::TANH)?;
                (Op::Tanh, tables::tanh(from)?)
            }
            Kind::LeakyRelu { alpha } => (Op::LeakyRelu, tables::leaky_relu(from, alpha, to)?),
            _ => (Op::HardSwish, tables::hard_swish(from, to)?),
        };
        let x = self.live_any(input)?;
        self.emit(op, &[x], output, IntStore { weights: table.to_vec(), ..IntStore::default() })
    }

    /// RELU, RELU6, RELU_N1_TO_1, and QUANTIZE from int8 (or uint8 at the border) to int8.
    pub(super) fn rescale(&mut self, operator: &Operator) -> Result<()> {
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let x = self.live_any(input)?;
        if operator.kind == Kind::Quantize {
            return self.quantize(input, x, output);
        }
        let (from, to) = (self.scale(input)?, self.scale(output)?);
        let (op, activation, factor) = match operator.kind {
            Kind::Relu => (Op::Relu, factors::Activation::Relu, factors::requantize(from.scale, to.scale)?),
            Kind::ReluN1To1 => {
                let factor = factors::relu_n1_to_1(from.scale, to.scale)?;
                (Op::ReluN1To1, factors::Activation::ReluN1To1, factor)
            }
            _ => {
                // TensorFlow Lite Micro's clamps the bytes and knows but the input's scale
                // (`Relu6Quantized`, `micro/kernels/activations_common.cc`).
                let clamp = factors::clamp(factors::Activation::Relu6, from);
                return self.emit(Op::Relu6, &[x], output, IntStore { clamp, ..IntStore::default() });
            }
        };
        let store =
            IntStore { requant: vec![factor], clamp: factors::clamp(activation, to), ..IntStore::default() };
        self.emit(op, &[x], output, store)
    }

    fn quantize(&mut self, input: usize, x: TensorId, output: usize) -> Result<()> {
        let to = border::shifted(self.model, output)?;
        let from = match self.model.tensors[input].element {
            Element::Float32 if x == self.net.input => {
                let meta = self.net.tensors[x.at()].meta;
                let from = Scale { scale: meta.scale, zero: meta.zero };
                if from != to {
                    return Err(Error::new("the model quantises its input twice, to different scales"));
                }
                from
            }
            _ => border::shifted(self.model, input)?,
        };
        if from == to {
            self.places.insert(output, Place::Live(x));
            return Ok(());
        }
        let store =
            IntStore { requant: vec![factors::requantize(from.scale, to.scale)?], ..IntStore::default() };
        self.emit(Op::Requantize, &[x], output, store)
    }

    pub(super) fn prelu(&mut self, operator: &Operator) -> Result<()> {
        let (input, alpha, output) =
            (self.input(operator, 0)?, self.input(operator, 1)?, operator.outputs[0]);
        let (from, by, to) = (self.scale(input)?, self.scale(alpha)?, self.scale(output)?);
        let store = IntStore {
            weights: self.constant(alpha)?,
            bias: vec![by.zero.into()],
            requant: factors::prelu(from.scale, by.scale, to.scale)?.to_vec(),
            ..IntStore::default()
        };
        let op = Op::Prelu { alpha: self.shape(alpha)? };
        let x = self.live(input)?;
        self.emit(op, &[x], output, store)
    }

    pub(super) fn resize(&mut self, operator: &Operator) -> Result<()> {
        let Kind::ResizeNearestNeighbor { align_corners, half_pixel_centers } = operator.kind else {
            return Ok(());
        };
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let (x, y) = (self.shape(input)?, self.shape(output)?);
        let map = |from, to| tables::nearest(from, to, align_corners, half_pixel_centers);
        let bias = [map(x.h, y.h), map(x.w, y.w)].concat();
        let id = self.live(input)?;
        let op = Op::ResizeNearest { height: y.h, width: y.w };
        self.emit(op, &[id], output, IntStore { bias, ..IntStore::default() })
    }

    /// Refuses an output that does not have the one scale its operator writes.
    fn expects(&self, output: usize, scale: Scale) -> Result<()> {
        let stated = self.scale(output)?;
        if stated == scale {
            return Ok(());
        }
        Err(self.about(
            output,
            &format!(
                "has scale {:e} and zero point {}, where int8 kernels write {:e} and {}",
                stated.scale, stated.zero, scale.scale, scale.zero
            ),
        ))
    }
}
