//! CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED.
//!
//! Weights are int8 (or int4, unpacked here) and symmetric, with one scale or one for each output channel; biases are
//! int32 at the scale of the accumulator.

use zipnet::ir::{Bias, Conv2d, Dense, DepthwiseConv2d, Op, Shape, Window};

use super::super::model::{Element, Kind, Operator};
use super::Lowering;
use crate::graph::{IntStore, show};
use crate::quantise::factors::{self, Scale};
use crate::{Error, Result};

/// The weights of an operator, and what they are worth.
pub(super) struct Weights {
    pub(super) values: Vec<i8>,
    pub(super) shape: Vec<usize>,
    /// One, or one for each output channel.
    pub(super) scales: Vec<f32>,
}

/// Which of the weights make an output channel.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// `[units][..]`.
    UnitFirst,
    /// `[..][units]`.
    UnitLast,
}

impl Lowering<'_> {
    pub(super) fn conv2d(&mut self, operator: &Operator) -> Result<()> {
        let Kind::Conv2d { padding, stride, dilation, activation } = operator.kind else { return Ok(()) };
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let weights = self.weights(operator, Order::UnitFirst)?;
        let [units, kh, kw, span] = weights.axes()?;
        let x = self.shape(input)?;
        if span == 0 || x.c % span != 0 {
            return Err(Error::new(format!(
                "weights over {span} channels do not fit an input of {}",
                show(x)
            )));
        }
        let window = super::window::window(padding, [kh, kw], stride, dilation, x)?;
        let op = Conv2d { units, window, groups: x.c / span, span, bias: Bias::Channel };
        let store = self.store(operator, &weights, (units, Order::UnitFirst), activation)?;
        let x = self.live(input)?;
        self.emit(Op::Conv2d(op), &[x], output, store)
    }

    pub(super) fn depthwise_conv2d(&mut self, operator: &Operator) -> Result<()> {
        let Kind::DepthwiseConv2d { padding, stride, dilation, multiplier: _, activation } = operator.kind
        else {
            return Ok(());
        };
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let mut weights = self.weights(operator, Order::UnitLast)?;
        let [one, kh, kw, channels] = weights.axes()?;
        let x = self.shape(input)?;
        // The option for the multiplier is what kernels ignore: the channel counts decide.
        if one != 1 || x.c == 0 || channels % x.c != 0 {
            return Err(Error::new(format!(
                "weights for {channels} channels do not fit an input of {}",
                show(x)
            )));
        }
        let window = super::window::window(padding, [kh, kw], stride, dilation, x)?;
        let mut store = self.store(operator, &weights, (channels, Order::UnitLast), activation)?;
        let op = if x.c == 1 && channels > 1 {
            // One channel seen by many filters is a convolution, whose kernels are the faster.
            store.weights = transposed(&std::mem::take(&mut weights.values), channels.into());
            Op::Conv2d(Conv2d { units: channels, window, groups: 1, span: 1, bias: Bias::Channel })
        } else {
            Op::DepthwiseConv2d(DepthwiseConv2d { multiplier: channels / x.c, window, bias: Bias::Channel })
        };
        let x = self.live(input)?;
        self.emit(op, &[x], output, store)
    }

    /// A dense layer; over several rows, a 1x1 convolution, which computes the same.
    pub(super) fn fully_connected(&mut self, operator: &Operator) -> Result<()> {
        let Kind::FullyConnected { activation, shuffled_weights, .. } = operator.kind else { return Ok(()) };
        if shuffled_weights {
            return Err(Error::new(
                "shuffled weights are not read; convert the model without that optimisation",
            ));
        }
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let weights = self.weights(operator, Order::UnitFirst)?;
        let Some((&each, units)) = weights.shape.split_last() else {
            return Err(Error::new("weights of no extent"));
        };
        let units: usize = units.iter().product();
        let units = u16::try_from(units).map_err(|_| Error::new("more than 65535 units"))?;
        let elements = self.count(input);
        let rows = elements / each.max(1);
        if each == 0 || rows * each != elements {
            return Err(Error::new(format!(
                "weights over {each} elements do not fit an input of {elements}"
            )));
        }
        let store = self.store(operator, &weights, (units, Order::UnitFirst), activation)?;
        if rows == 1 {
            let x = self.live_any(input)?;
            return self.emit(Op::Dense(Dense { units, bias: Bias::Channel }), &[x], output, store);
        }
        let axis = |n: usize| u16::try_from(n).map_err(|_| Error::new("more than 65535 along an axis"));
        let (rows, span) = (axis(rows)?, axis(each)?);
        let x = self.live_as(input, Shape::new(1, rows, span))?;
        let window = Window::new(1, 1);
        let op = Conv2d { units, window, groups: 1, span, bias: Bias::Channel };
        self.emit(Op::Conv2d(op), &[x], output, store)
    }

    /// Input 1, which must be constant.
    pub(super) fn weights(&self, operator: &Operator, order: Order) -> Result<Weights> {
        let tensor = self.input(operator, 1)?;
        let t = &self.model.tensors[tensor];
        let values = match t.element {
            Element::Int4 => unpack(self.bytes(tensor)?, t.shape.iter().product()),
            Element::Int8 => self.constant(tensor)?,
            Element::Float32 | Element::Float16 => {
                return Err(self.about(
                    tensor,
                    "is float: the model needs calibration, which import does not do; convert it with full integer \
                     quantisation (a representative data set, int8 inputs and outputs)",
                ));
            }
            other => {
                return Err(self.about(tensor, &format!("holds {}, not int8 weights", super::element(other))));
            }
        };
        let quantisation = t.quantisation.as_ref().ok_or_else(|| self.about(tensor, "has no scale"))?;
        if quantisation.zeros.iter().any(|&zero| zero != 0) {
            return Err(self.about(
                tensor,
                "has a zero point other than 0; int8 weights are symmetric: convert with a newer converter",
            ));
        }
        let axis = match order {
            Order::UnitFirst => 0,
            Order::UnitLast => t.shape.len().saturating_sub(1),
        };
        if quantisation.scales.len() > 1 && quantisation.axis != axis {
            return Err(self.about(
                tensor,
                &format!(
                    "has scales along axis {}, not along the output channels, {axis}",
                    quantisation.axis
                ),
            ));
        }
        Ok(Weights { values, shape: t.shape.clone(), scales: quantisation.scales.clone() })
    }

    /// The numbers of an operator with weights.
    fn store(
        &self,
        operator: &Operator,
        weights: &Weights,
        (units, order): (u16, Order),
        activation: super::Activation,
    ) -> Result<IntStore> {
        let scales = [self.scale(self.input(operator, 0)?)?, self.scale(operator.outputs[0])?];
        let bias = self.bias(operator, 2, units.into())?;
        numbers(scales, weights, bias.as_deref(), (units, order), activation)
    }

    /// Biases, one a unit, where there are any.
    pub(super) fn bias(&self, operator: &Operator, i: usize, units: usize) -> Result<Option<Vec<i32>>> {
        let Some(tensor) = operator.inputs.get(i).copied().flatten() else { return Ok(None) };
        if self.model.tensors[tensor].element != Element::Int32 {
            return Err(self.about(tensor, "is a bias that is not int32; int8 models have int32 biases"));
        }
        let bias = self.numbers(tensor)?;
        if bias.len() != units {
            return Err(self.about(tensor, &format!("is a bias for {} of {units} units", bias.len())));
        }
        Ok(Some(bias))
    }
}

/// The numbers of an operator with weights, between an input and an output of these scales.
pub(super) fn numbers(
    [x, y]: [Scale; 2],
    weights: &Weights,
    bias: Option<&[i32]>,
    (units, order): (u16, Order),
    activation: super::Activation,
) -> Result<IntStore> {
    let units = usize::from(units);
    let each = weights.values.len() / units;
    let mut store =
        IntStore { clamp: factors::clamp(super::activation(activation)?, y), ..IntStore::default() };
    for unit in 0..units {
        let at = |i: usize| match order {
            Order::UnitFirst => unit * each + i,
            Order::UnitLast => i * units + unit,
        };
        let own = || (0..each).map(|i| weights.values[at(i)]);
        let scale = if weights.scales.len() == 1 { weights.scales[0] } else { weights.scales[unit] };
        let Scale { scale: input, zero } = x;
        let requant = factors::weighted(input, scale, y.scale).map_err(|e| unit_error(unit, e))?;
        let bias = bias.map_or(0, |bias| i64::from(bias[unit]));
        let bias = factors::folded_bias(bias, zero, own()).map_err(|e| unit_error(unit, e))?;
        factors::prove_accumulator(bias, own(), requant).map_err(|e| unit_error(unit, e))?;
        store.bias.push(bias);
        store.requant.push(requant);
    }
    store.weights.clone_from(&weights.values);
    Ok(store)
}

fn unit_error(unit: usize, error: Error) -> Error {
    Error::new(format!("output channel {unit}: {error}"))
}

impl Weights {
    /// The four extents.
    pub(super) fn axes(&self) -> Result<[u16; 4]> {
        let axes: Option<Vec<u16>> = self.shape.iter().map(|&n| u16::try_from(n).ok()).collect();
        axes.and_then(|axes| axes.try_into().ok()).ok_or_else(|| {
            Error::new(format!(
                "weights of shape {} are no four extents below 65536",
                super::extents(&self.shape)
            ))
        })
    }
}

/// `[each][units]` as `[units][each]`.
fn transposed(values: &[i8], units: usize) -> Vec<i8> {
    (0..units).flat_map(|unit| values.iter().skip(unit).step_by(units).copied()).collect()
}

/// Int4, two a byte, the low half first.
fn unpack(bytes: &[u8], count: usize) -> Vec<i8> {
    let halves = bytes.iter().flat_map(|&b| [b.cast_signed() << 4 >> 4, b.cast_signed() >> 4]);
    halves.take(count).collect()
}
