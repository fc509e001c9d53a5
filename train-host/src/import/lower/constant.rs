//! Constants: reading them, and running operators on them ahead of time.

use std::collections::BTreeMap;

use zipnet::ir::{Bias, Dense, IntTensor, Op, Shape, Slice, TensorId};

use super::super::model::{Element, Kind, Operator};
use super::{Lowering, Place, flows};
use crate::graph::{IntStore, Net};
use crate::quantise::factors::{self, Scale};
use crate::{Error, Result};

/// The most elements of all constants that are made here, 16 MiB: more than a microcontroller has for them.
const MOST_KNOWN: usize = 1 << 24;

impl Lowering<'_> {
    /// Whether a tensor's value is known.
    pub(super) fn is_constant(&self, tensor: usize) -> bool {
        match self.places.get(&tensor) {
            Some(Place::Constant(_)) => true,
            Some(Place::Live(_)) => false,
            None => self.model.tensors[tensor].data.is_some(),
        }
    }

    /// The bytes of a constant of the file.
    pub(super) fn bytes(&self, tensor: usize) -> Result<&[u8]> {
        self.model.tensors[tensor].data.as_deref().ok_or_else(|| self.about(tensor, "must be constant"))
    }

    /// The int8 elements of a constant.
    pub(super) fn constant(&self, tensor: usize) -> Result<Vec<i8>> {
        if let Some(Place::Constant(values)) = self.places.get(&tensor) {
            return Ok(values.clone());
        }
        if self.model.tensors[tensor].element != Element::Int8 {
            return Err(self.about(tensor, "is constant, but not int8"));
        }
        Ok(self.bytes(tensor)?.iter().map(|b| b.cast_signed()).collect())
    }

    /// The elements of a constant of int32 or int64: an axis, extents, biases.
    pub(super) fn numbers(&self, tensor: usize) -> Result<Vec<i32>> {
        let bytes = self.bytes(tensor)?;
        match self.model.tensors[tensor].element {
            Element::Int32 => Ok(bytes.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b)).collect()),
            Element::Int64 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|&b| {
                    i32::try_from(i64::from_le_bytes(b))
                        .map_err(|_| self.about(tensor, "holds numbers beyond 32 bits"))
                })
                .collect(),
            _ => Err(self.about(tensor, "must hold int32")),
        }
    }

    /// The first input through which values flow, if all of them are constant: the operator can run here and now.
    pub(super) fn foldable(&self, operator: &Operator) -> Option<usize> {
        if matches!(operator.kind, Kind::Dequantize | Kind::Fill | Kind::Other(_)) {
            return None;
        }
        let first = flows(operator).next()?;
        let all = flows(operator).all(|t| self.is_constant(t));
        (all && self.model.tensors[first].element == Element::Int8).then_some(first)
    }

    /// FILL: a constant of one value.
    pub(super) fn filled(&mut self, operator: &Operator) -> Result<()> {
        let (value, output) = (self.input(operator, 1)?, operator.outputs[0]);
        self.shape(output)?; // no larger than can be held
        if self.scale(value)? != self.scale(output)? {
            return Err(self.about(value, "has not the scale and zero point of the output"));
        }
        let &[value] = &self.constant(value)?[..] else {
            return Err(self.about(value, "is no single value to fill with"));
        };
        self.room(self.count(output))?;
        self.places.insert(output, Place::Constant(vec![value; self.count(output)]));
        Ok(())
    }

    /// Sees to it that so many elements more may be known. A file asks for a constant in a few bytes.
    fn room(&self, more: usize) -> Result<()> {
        let known = self.places.values().map(|place| match place {
            Place::Constant(values) => values.len(),
            Place::Live(_) => 0,
        });
        if known.sum::<usize>() + more > MOST_KNOWN {
            return Err(Error::new(format!("makes constants of more than {MOST_KNOWN} bytes in all")));
        }
        Ok(())
    }

    /// A constant as a tensor of the net: a dense layer of one element of the net's input that weighs it with 0, so that
    /// only the biases are left.
    pub(super) fn materialise(&mut self, tensor: usize) -> Result<TensorId> {
        let (values, shape) = (self.constant(tensor)?, self.shape(tensor)?);
        let Scale { scale, zero } = self.scale(tensor)?;
        let units = u16::try_from(values.len())
            .map_err(|_| self.about(tensor, "is a constant of more than 65535 elements"))?;
        let input = self.net.input;
        let one = Slice { begin: [0; 3], stride: [1; 3], shape: Shape::flat(1) };
        let meta = self.net.tensors[input.at()].meta;
        let x = self.node(Op::Slice(one), &[input], meta, IntStore::default())?;
        let store = IntStore {
            weights: vec![0; values.len()],
            bias: values.iter().map(|&q| i32::from(q) - i32::from(zero)).collect(),
            requant: vec![factors::requant(1.0)?; values.len()],
            ..IntStore::default()
        };
        let meta = IntTensor { scale, zero, offset: 0 };
        let dense = self.node(Op::Dense(Dense { units, bias: Bias::Channel }), &[x], meta, store)?;
        if shape == Shape::flat(units) {
            return Ok(dense);
        }
        self.node(Op::Reshape { shape }, &[dense], meta, IntStore::default())
    }

    /// Runs an operator whose inputs are constant: in a net of its own, fed with the first of them.
    pub(super) fn fold(&mut self, operator: &Operator, first: usize) -> Result<()> {
        let values = self.constant(first)?;
        let Scale { scale, zero } = self.scale(first)?;
        let net = Net::new("constant", self.shape(first)?, IntTensor { scale, zero, offset: 0 });
        let mut places = self.places.clone();
        places.insert(first, Place::Live(TensorId(0)));
        let mut alone = Lowering { model: self.model, net, places, views: BTreeMap::new(), at: self.at };
        alone.operator(operator)?;
        for &output in &operator.outputs {
            let Some(Place::Live(id)) = alone.places.get(&output) else {
                return Err(Error::new("cannot be run ahead of time"));
            };
            alone.net.output = *id;
            let mut net = alone.net.clone();
            crate::plan::plan(&mut net)?;
            let made = net.run(&values)?;
            self.room(made.len())?;
            self.places.insert(output, Place::Constant(made));
        }
        Ok(())
    }
}
