//! TRANSPOSE_CONV as plain convolutions.
//!
//! ```text
//! y[o] = sum over i, t with i * stride + t - before = o of w[t] x[i]
//! ```
//!
//! Of the outputs `o = stride * q + phase` along an axis each phase sees few taps,
//! `t = (phase + before) mod stride + stride * m` at `x[q + (phase + before) / stride - m]`: it is a convolution, in turned
//! order. The phases of a row are units of one convolution, which lie in the output as columns do; the phases of rows are
//! one convolution each, whose rows are put beside each other. What the last phases make beyond the output is sliced off.

use std::ops::Range;

use zipnet::ir::{Axis, Bias, Conv2d, IntTensor, Op, Padding, Shape, Slice, Window};

use super::super::model::{self, Kind, Operator};
use super::Lowering;
use super::weighted::{Order, Weights, numbers};
use crate::graph::IntStore;
use crate::{Error, Result};

impl Lowering<'_> {
    pub(super) fn transpose_conv(&mut self, operator: &Operator) -> Result<()> {
        let Kind::TransposeConv { padding, stride, activation } = operator.kind else { return Ok(()) };
        let (input, output) = (self.input(operator, 2)?, operator.outputs[0]);
        let weights = self.weights(operator, Order::UnitFirst)?;
        let extents @ [units, kh, kw, channels] = weights.axes()?;
        let (x, y) = (self.shape(input)?, self.shape(output)?);
        if channels != x.c || units != y.c {
            return Err(Error::new(format!("weights of {units} units over {channels} channels do not fit")));
        }
        let axis = |n: [u16; 2], kernel: u16, stride: u32| Phases::new(n, kernel, stride, padding);
        let rows = axis([x.h, y.h], kh, stride[0])?;
        let columns = axis([x.w, y.w], kw, stride[1])?;
        let wide = units.checked_mul(columns.stride as u16);
        let wide = wide.ok_or_else(|| Error::new("makes more than 65535 units"))?;
        let row = Shape::new(narrow(rows.each)?, narrow(columns.each * columns.stride)?, units);

        let scales = [self.scale(input)?, self.scale(output)?];
        let bias = self.bias(operator, 3, units.into())?;
        let repeated = bias.map(|bias| bias.repeat(columns.stride as usize));
        let meta = IntTensor { scale: scales[1].scale, zero: scales[1].zero, offset: 0 };
        let live = self.live(input)?;
        let across = columns.span(0..columns.stride);
        let mut phases = Vec::new();
        for phase in 0..rows.stride {
            let down = rows.span(phase..phase + 1);
            let taken = weights.taken(extents, [&rows, &columns], phase, [&down, &across]);
            let store = numbers(scales, &taken, repeated.as_deref(), (wide, Order::UnitFirst), activation)?;
            let [_, kh, kw, _] = taken.axes()?;
            let padding = Padding {
                top: narrow(-down.low)?,
                bottom: narrow(down.after)?,
                left: narrow(-across.low)?,
                right: narrow(across.after)?,
            };
            let window = Window::new(kh, kw).padding(padding);
            let op = Conv2d { units: wide, window, groups: 1, span: channels, bias: Bias::Channel };
            let made = self.node(Op::Conv2d(op), &[live], meta, store)?;
            phases.push(self.reshaped(made, row)?);
        }
        let made = self.concat(phases, Axis::Columns, meta)?;
        let [h, w] = [&rows, &columns].map(|axis| narrow(axis.each * axis.stride));
        let whole = Shape::new(h?, w?, units);
        let made = self.reshaped(made, whole)?;
        if whole == y {
            return self.same(made, output);
        }
        let part = Op::Slice(Slice { begin: [0; 3], stride: [1; 3], shape: y });
        self.emit(part, &[made], output, IntStore::default())
    }
}

fn narrow(n: i64) -> Result<u16> {
    u16::try_from(n).map_err(|_| Error::new("makes more than 65535 along an axis"))
}

/// The phases of the outputs along an axis.
struct Phases {
    /// Inputs there are.
    inputs: i64,
    kernel: i64,
    /// Phases there are.
    stride: i64,
    /// Rows or columns of the whole that lie before the output.
    before: i64,
    /// Outputs of each phase.
    each: i64,
}

/// The inputs that a window sees around `q`: from `low`, which is not above 0, to `low + taps - 1`.
struct Span {
    low: i64,
    taps: i64,
    /// Elements of border after the input.
    after: i64,
}

impl Phases {
    fn new([inputs, outputs]: [u16; 2], kernel: u16, stride: u32, padding: model::Padding) -> Result<Self> {
        let [inputs, outputs, kernel, stride] =
            [inputs.into(), outputs.into(), kernel.into(), i64::from(stride)];
        let whole = (inputs - 1) * stride + kernel;
        let due = match padding {
            model::Padding::Same => (outputs - 1) / stride + 1,
            model::Padding::Valid => (outputs - kernel).div_euclid(stride) + 1,
        };
        if due != inputs {
            return Err(Error::new(format!(
                "{outputs} outputs along an axis do not come of {inputs} inputs"
            )));
        }
        if stride > kernel {
            return Err(Error::new(format!("a stride of {stride} leaves gaps between kernels of {kernel}")));
        }
        let before = match padding {
            model::Padding::Same => (whole - outputs).max(0) / 2,
            model::Padding::Valid => 0,
        };
        Ok(Self { inputs, kernel, stride, before, each: (outputs - 1) / stride + 1 })
    }

    /// The tap of a phase that sees the input `offset` after `q`.
    fn tap(&self, phase: i64, offset: i64) -> Option<i64> {
        let at = phase + self.before;
        let tap = at % self.stride + self.stride * (at / self.stride - offset);
        (0..self.kernel).contains(&tap).then_some(tap)
    }

    /// What a window over all taps of some phases sees; wide enough for its border.
    fn span(&self, phases: Range<i64>) -> Span {
        let beyond = (self.each - self.inputs).max(0);
        let (mut low, mut high) = (-beyond, 0);
        for phase in phases {
            let reach = self.kernel / self.stride + 1;
            let last = (phase + self.before) / self.stride;
            for offset in (last - reach..=last).filter(|&offset| self.tap(phase, offset).is_some()) {
                (low, high) = (low.min(offset), high.max(offset));
            }
        }
        Span { low, taps: high - low + 1, after: self.each - self.inputs + high }
    }
}

impl Weights {
    /// Of weights `[units][kh][kw][channels]` those of one phase of rows, and of all phases of columns, one after another;
    /// 0 where a phase has no tap.
    fn taken(
        &self,
        extents: [u16; 4],
        [rows, columns]: [&Phases; 2],
        phase: i64,
        [down, across]: [&Span; 2],
    ) -> Self {
        let [units, _, kw, channels] = extents.map(usize::from);
        let each = self.values.len() / units;
        let mut values = Vec::new();
        for unit in 0..columns.stride as usize * units {
            let own = &self.values[unit % units * each..][..each];
            for offset in (down.low..).take(down.taps as usize) {
                let row = rows.tap(phase, offset);
                for offset in (across.low..).take(across.taps as usize) {
                    match (row, columns.tap((unit / units) as i64, offset)) {
                        (Some(row), Some(column)) => {
                            let at = (row as usize * kw + column as usize) * channels;
                            values.extend_from_slice(&own[at..at + channels]);
                        }
                        _ => values.extend(std::iter::repeat_n(0, channels)),
                    }
                }
            }
        }
        let repeated = if self.scales.len() == 1 { 1 } else { columns.stride as usize };
        let shape = vec![columns.stride as usize * units, down.taps as usize, across.taps as usize, channels];
        Self { values, shape, scales: self.scales.repeat(repeated) }
    }
}
