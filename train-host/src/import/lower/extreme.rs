//! The greatest and the least: MAXIMUM, MINIMUM, REDUCE_MAX, REDUCE_MIN.
//!
//! ```text
//! max(x, bound)     a clamp
//! max(a, b)         a pool of two rows, over both one after another
//! max over axes     a pool of one window
//! min               -max(-x)
//! ```
//!
//! A tensor is negated by a depthwise convolution with weights of -1 into the zero point that lies as far from the other
//! end of int8: `-1 - q` has no element that does not fit.

use zipnet::ir::{
    Axis, Bias, Clamp, DepthwiseConv2d, IntTensor, Op, Pool2d, Requant, Shape, TensorId, Window,
};

use super::super::model::{Kind, Operator};
use super::Lowering;
use crate::graph::IntStore;
use crate::quantise::factors;
use crate::{Error, Result};

impl Lowering<'_> {
    /// MAXIMUM, MINIMUM.
    pub(super) fn extreme(&mut self, operator: &Operator) -> Result<()> {
        let [a, b] = [self.input(operator, 0)?, self.input(operator, 1)?];
        let output = operator.outputs[0];
        let scale = self.scale(output)?;
        for tensor in [a, b] {
            if self.scale(tensor)? != scale {
                return Err(self.about(tensor, "has not the scale and zero point of the output"));
            }
        }
        let bound = |tensor: usize| match self.is_constant(tensor) && self.count(tensor) == 1 {
            true => self.constant(tensor).map(|values| values.first().copied()),
            false => Ok(None),
        };
        let (x, bound) = match [bound(a)?, bound(b)?] {
            [None, None] => return self.of_two(operator, [a, b]),
            [Some(bound), _] => (b, bound),
            [None, Some(bound)] => (a, bound),
        };
        let clamp = match operator.kind {
            Kind::Minimum => Clamp::new(i8::MIN, bound),
            _ => Clamp::new(bound, i8::MAX),
        };
        let store = IntStore { requant: vec![one()?], clamp, ..IntStore::default() };
        let x = self.live_any(x)?;
        self.emit(Op::Requantize, &[x], output, store)
    }

    fn of_two(&mut self, operator: &Operator, [a, b]: [usize; 2]) -> Result<()> {
        let shape = self.shape(a)?;
        if shape != self.shape(b)? {
            return Err(Error::new("compares two tensors that differ in shape; make them equal before"));
        }
        let Shape { h, w, c } = shape;
        let row = match (h.checked_mul(w), w.checked_mul(c)) {
            (Some(pixels), _) => Shape::new(1, pixels, c),
            (None, Some(columns)) => Shape::new(1, h, columns),
            (None, None) => return Err(Error::new("more than 65535 along an axis")),
        };
        let mut rows = [self.live_or_constant(a)?, self.live_or_constant(b)?];
        for x in &mut rows {
            *x = self.reshaped(*x, row)?;
        }
        let meta = self.net.tensors[rows[0].at()].meta;
        let both = self.node(Op::Concat { axis: Axis::Rows }, &rows, meta, IntStore::default())?;
        self.greatest(both, &[[2, 1]], operator)
    }

    /// REDUCE_MAX, REDUCE_MIN: over rows and columns in one window; over channels in another, which sees them as columns.
    pub(super) fn reduce(&mut self, operator: &Operator) -> Result<()> {
        let input = self.input(operator, 0)?;
        let [rows, columns, channels] = self.axes(operator)?;
        let shape = self.shape(input)?;
        let mut windows = vec![[if rows { shape.h } else { 1 }, if columns { shape.w } else { 1 }]];
        if channels {
            windows.push([1, shape.c]);
        }
        let x = self.live(input)?;
        self.greatest(x, &windows, operator)
    }

    /// What an operator makes of `x`, a pool a window, the second over channels; of `-x`, where it asks for the least.
    fn greatest(&mut self, x: TensorId, windows: &[[u16; 2]], operator: &Operator) -> Result<()> {
        let least = matches!(operator.kind, Kind::Minimum | Kind::ReduceMin { .. });
        let mut x = if least { self.negated(x)? } else { x };
        for (i, &[h, w]) in windows.iter().enumerate() {
            let meta = self.net.tensors[x.at()].meta;
            if i > 0 {
                let Shape { h, w, c } = self.net.shape(x);
                let pixels = h.checked_mul(w).ok_or_else(|| Error::new("more than 65535 pixels"))?;
                x = self.reshaped(x, Shape::new(pixels, c, 1))?;
            }
            let window = Window { stride: [h, w], ..Window::new(h, w) };
            if !window.is_point() {
                x = self.node(Op::MaxPool2d(Pool2d { window }), &[x], meta, IntStore::default())?;
            }
        }
        if least {
            x = self.negated(x)?;
        }
        self.same(x, operator.outputs[0])
    }

    /// `-x`.
    fn negated(&mut self, x: TensorId) -> Result<TensorId> {
        let IntTensor { scale, zero, offset } = self.net.tensors[x.at()].meta;
        let channels = usize::from(self.net.shape(x).c);
        let store = IntStore {
            weights: vec![-1; channels],
            bias: vec![zero.into(); channels],
            requant: vec![one()?; channels],
            ..IntStore::default()
        };
        let op = DepthwiseConv2d { multiplier: 1, window: Window::new(1, 1), bias: Bias::Channel };
        self.node(Op::DepthwiseConv2d(op), &[x], IntTensor { scale, zero: !zero, offset }, store)
    }
}

/// The factor that changes nothing.
fn one() -> Result<Requant> {
    factors::requant(1.0)
}
