//! Operators that only move elements: renaming extents, concatenation, slices, transposition, borders, resizing.

use zipnet::ir::{Axis, IntTensor, MAX_INPUTS, Op, Pad, Shape, Slice, TensorId};

use super::super::model::{Element, Kind, Operator, extents};
use super::{Lowering, Place};
use crate::graph::IntStore;
use crate::{Error, Result};

impl Lowering<'_> {
    /// RESHAPE, SQUEEZE, EXPAND_DIMS: the same bytes.
    pub(super) fn rename(&mut self, operator: &Operator) -> Result<()> {
        let id = self.live_any(self.input(operator, 0)?)?;
        self.alias(operator.outputs[0], id)
    }

    /// Lets a tensor of the file be one that is there already, whose bytes mean the same.
    pub(super) fn alias(&mut self, tensor: usize, id: TensorId) -> Result<()> {
        let (made, stated) = (self.net.shape(id).len(), self.count(tensor));
        if made != stated {
            return Err(Error::new(format!("{made} elements become {stated}")));
        }
        if self.model.tensors[tensor].element == Element::Int8 {
            self.kept(id, tensor)?;
        }
        self.places.insert(tensor, Place::Live(id));
        Ok(())
    }

    pub(super) fn concatenation(&mut self, operator: &Operator) -> Result<()> {
        let Kind::Concatenation { axis, activation } = operator.kind else { return Ok(()) };
        if super::activation(activation)? != crate::quantise::factors::Activation::None {
            return Err(Error::new("a fused activation is more than a concatenation does"));
        }
        let output = operator.outputs[0];
        let axis = match self.slot(output, axis)? {
            Some(0) => Axis::Rows,
            Some(1) => Axis::Columns,
            Some(_) => Axis::Channels,
            None => return Err(Error::new("concatenates a batch; export the model for a batch of 1")),
        };
        let inputs: Vec<_> =
            operator.inputs.iter().flatten().map(|&t| self.live_or_constant(t)).collect::<Result<_>>()?;
        let meta = self.net.tensors[inputs[0].at()].meta;
        let made = self.concat(inputs, axis, meta)?;
        self.same(made, output)
    }

    /// Tensors one after another: in one node, or in as many as it takes, where there are more than one may have. As few
    /// as can be are moved twice.
    pub(super) fn concat(&mut self, mut all: Vec<TensorId>, axis: Axis, meta: IntTensor) -> Result<TensorId> {
        while all.len() > 1 {
            let over = all.len().saturating_sub(MAX_INPUTS);
            let count = if over > 0 { (over + 1).min(MAX_INPUTS) } else { all.len() };
            let first: Vec<_> = all.drain(..count).collect();
            all.insert(0, self.node(Op::Concat { axis }, &first, meta, IntStore::default())?);
        }
        all.first().copied().ok_or_else(|| Error::new("concatenates nothing"))
    }

    pub(super) fn live_or_constant(&mut self, tensor: usize) -> Result<TensorId> {
        if self.is_constant(tensor) { self.materialise(tensor) } else { self.live(tensor) }
    }

    /// SPLIT, SPLIT_V: parts one after another.
    pub(super) fn split(&mut self, operator: &Operator) -> Result<()> {
        let (axis, input) = match operator.kind {
            Kind::SplitV { .. } => (self.input(operator, 2)?, self.input(operator, 0)?),
            _ => (self.input(operator, 0)?, self.input(operator, 1)?),
        };
        let &[axis] = &self.numbers(axis)?[..] else {
            return Err(Error::new("splits along more than one axis"));
        };
        let axis = self.slot(input, axis)?.ok_or_else(|| Error::new("splits a batch"))?;
        let mut begin = [0; 3];
        for &output in &operator.outputs {
            let shape = self.shape(output)?;
            self.part(input, begin, shape, output)?;
            let extent = [shape.h, shape.w, shape.c][axis];
            begin[axis] =
                extent.checked_add(begin[axis]).ok_or_else(|| Error::new("parts beyond the whole"))?;
        }
        Ok(())
    }

    /// UNPACK: parts of extent 1, which lose that.
    pub(super) fn unpack(&mut self, operator: &Operator, axis: i32) -> Result<()> {
        let input = self.input(operator, 0)?;
        let Some(axis) = self.slot(input, axis)? else {
            let id = self.live_any(input)?;
            return operator.outputs.iter().try_for_each(|&output| self.alias(output, id));
        };
        let Shape { h, w, c } = self.shape(input)?;
        let mut extents = [h, w, c];
        extents[axis] = 1;
        let [h, w, c] = extents;
        let mut begin = [0; 3];
        for (i, &output) in operator.outputs.iter().enumerate() {
            begin[axis] = u16::try_from(i).map_err(|_| Error::new("more than 65535 parts"))?;
            self.part(input, begin, Shape::new(h, w, c), output)?;
        }
        Ok(())
    }

    /// PACK: tensors of one shape along an axis of their own.
    pub(super) fn pack(&mut self, operator: &Operator, axis: i32) -> Result<()> {
        let output = operator.outputs[0];
        let Shape { h, w, c } = self.shape(output)?;
        let mut extents = [h, w, c];
        let axis = match self.slot(output, axis)? {
            Some(axis) => axis,
            None if operator.inputs.len() == 1 => 0,
            None => return Err(Error::new("makes a batch; export the model for a batch of 1")),
        };
        if operator.inputs.len() > 1 {
            extents[axis] = 1;
        }
        let [h, w, c] = extents;
        let mut parts = Vec::new();
        for &tensor in operator.inputs.iter().flatten() {
            let part = self.live_or_constant(tensor)?;
            parts.push(self.reshaped(part, Shape::new(h, w, c))?);
        }
        let meta = self.net.tensors[parts[0].at()].meta;
        let made = self.concat(parts, [Axis::Rows, Axis::Columns, Axis::Channels][axis], meta)?;
        self.same(made, output)
    }

    /// SLICE: from an element on, as many as are said; -1 for all that are left.
    pub(super) fn slice(&mut self, operator: &Operator) -> Result<()> {
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let begins = self.numbers(self.input(operator, 1)?)?;
        let rank = self.model.tensors[input].shape.len();
        if begins.len() != rank {
            return Err(Error::new(format!("{} first elements for {rank} axes", begins.len())));
        }
        let mut begin = [0; 3];
        for (axis, &first) in begins.iter().enumerate() {
            match ((axis + 3).checked_sub(rank), u16::try_from(first)) {
                (Some(slot), Ok(first)) => begin[slot] = first,
                (None, Ok(0)) => {}
                (_, Ok(_)) => return Err(Error::new("slices a batch; export the model for a batch of 1")),
                (_, Err(_)) => return Err(Error::new(format!("takes element {first} of axis {axis}"))),
            }
        }
        let shape = self.shape(output)?;
        self.part(input, begin, shape, output)
    }

    /// Elements of a tensor from `begin` on; the tensor itself where they are all.
    fn part(&mut self, input: usize, begin: [u16; 3], shape: Shape, output: usize) -> Result<()> {
        let x = self.live(input)?;
        if self.net.shape(x) == shape {
            return self.alias(output, x);
        }
        self.emit(Op::Slice(Slice { begin, stride: [1; 3], shape }), &[x], output, IntStore::default())
    }

    pub(super) fn strided_slice(&mut self, operator: &Operator) -> Result<()> {
        let Kind::StridedSlice(strided) = operator.kind else { return Ok(()) };
        if !strided.is_by_axis() {
            return Err(Error::new("an ellipsis or a new axis in a slice is not read; spell the slice out"));
        }
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let extents = self.model.tensors[input].shape.clone();
        let mut lists = [1, 2, 3].map(|i| self.input(operator, i).and_then(|t| self.numbers(t)));
        let mut list = |i: usize| std::mem::replace(&mut lists[i], Ok(Vec::new()));
        let (begins, ends, strides) = (list(0)?, list(1)?, list(2)?);
        if [&begins, &ends, &strides]
            .iter()
            .any(|list| list.len() > extents.len() || list.len() != begins.len())
        {
            return Err(Error::new("begin, end and strides do not fit the input's extents"));
        }
        let (mut begin, mut stride, mut shape) = ([0; 3], [1; 3], [1; 3]);
        for (axis, &extent) in extents.iter().enumerate() {
            let n = extent as i64;
            let (first, step, count) = match (begins.get(axis), ends.get(axis), strides.get(axis)) {
                (Some(&begin), Some(&end), Some(&step)) => {
                    strided.take(axis, n, [begin, end, step].map(i64::from))?
                }
                _ => (0, 1, n),
            };
            if count == 0 {
                return Err(Error::new(format!("takes nothing along axis {axis}")));
            }
            match (axis + 3).checked_sub(extents.len()) {
                Some(slot) => {
                    // In range of u16 and i16: within an extent below 65536, or a single element.
                    begin[slot] = first as u16;
                    stride[slot] = if count == 1 {
                        1
                    } else {
                        i16::try_from(step).map_err(|_| Error::new("a stride beyond 32767"))?
                    };
                    shape[slot] = count as u16;
                }
                None if count == n => {}
                None => return Err(Error::new("slices a batch; export the model for a batch of 1")),
            }
        }
        let [h, w, c] = shape;
        let (shape, x) = (Shape::new(h, w, c), self.live(input)?);
        if self.net.shape(x) == shape && stride == [1; 3] {
            return self.alias(output, x);
        }
        self.emit(Op::Slice(Slice { begin, stride, shape }), &[x], output, IntStore::default())
    }

    /// A transposition of any rank whose axes move in at most three pieces; the one that swaps the inner two of
    /// `[pixels][groups][channels]` is a channel shuffle.
    pub(super) fn transpose(&mut self, operator: &Operator) -> Result<()> {
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let order = self.numbers(self.input(operator, 1)?)?;
        let from = self.model.tensors[input].shape.clone();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..from.len() as i32) {
            return Err(Error::new(format!("{order:?} is no order of the axes of {}", extents(&from))));
        }
        let order: Vec<usize> =
            order.iter().map(|&axis| axis as usize).filter(|&axis| from[axis] > 1).collect();
        // Axes that stay neighbours are one piece.
        let moved: Vec<usize> = (0..from.len()).filter(|&axis| from[axis] > 1).collect();
        let place = |axis: usize| moved.iter().position(|&other| other == axis).unwrap_or(0);
        let mut pieces: Vec<Vec<usize>> = Vec::new();
        for &axis in &order {
            match pieces.last_mut() {
                Some(piece) if piece.last().is_some_and(|&last| place(last) + 1 == place(axis)) => {
                    piece.push(axis);
                }
                _ => pieces.push(vec![axis]),
            }
        }
        let mut at_home: Vec<usize> = (0..pieces.len()).collect();
        at_home.sort_by_key(|&i| pieces[i][0]);
        let extent = |piece: usize| pieces[piece].iter().map(|&axis| from[axis]).product::<usize>();
        let home: Vec<usize> = at_home.iter().map(|&piece| extent(piece)).collect();
        let goes: Vec<usize> =
            (0..pieces.len()).map(|piece| at_home.iter().position(|&p| p == piece).unwrap_or(0)).collect();
        let axis = |n: usize| u16::try_from(n).map_err(|_| Error::new("more than 65535 along an axis"));
        match (&home[..], &goes[..]) {
            ([] | [_], _) => {
                let id = self.live_any(input)?;
                self.alias(output, id)
            }
            (&[n, groups, each], [0, 2, 1]) => {
                let id = self.live_any(input)?;
                let shape = match self.net.shape(id) {
                    shape if usize::from(shape.c) == groups * each => shape,
                    _ => Shape::new(1, axis(n)?, axis(groups * each)?),
                };
                let x = self.live_as(input, shape)?;
                self.emit(Op::ChannelShuffle { groups: axis(groups)? }, &[x], output, IntStore::default())
            }
            (&[a, b], _) => {
                let x = self.live_as(input, Shape::new(1, axis(a)?, axis(b)?))?;
                self.emit(Op::Transpose { order: [0, 2, 1] }, &[x], output, IntStore::default())
            }
            (&[a, b, c], &[i, j, k]) => {
                let x = self.live_as(input, Shape::new(axis(a)?, axis(b)?, axis(c)?))?;
                let order = [i, j, k].map(|axis| axis as u8); // below 3
                self.emit(Op::Transpose { order }, &[x], output, IntStore::default())
            }
            _ => Err(Error::new(format!(
                "axes {} move in more than three pieces; reorder them in steps",
                extents(&from)
            ))),
        }
    }

    pub(super) fn pad(&mut self, operator: &Operator) -> Result<()> {
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let rank = self.model.tensors[input].shape.len();
        let pads = self.numbers(self.input(operator, 1)?)?;
        if pads.len() != 2 * rank {
            return Err(Error::new(format!("{} paddings for {rank} axes", pads.len())));
        }
        let mut pad = Pad { before: [0; 3], after: [0; 3] };
        for (axis, pair) in pads.chunks_exact(2).enumerate() {
            let [before, after] = match (u16::try_from(pair[0]), u16::try_from(pair[1])) {
                (Ok(before), Ok(after)) => [before, after],
                _ => {
                    return Err(Error::new(format!(
                        "a padding of {} and {} on axis {axis}",
                        pair[0], pair[1]
                    )));
                }
            };
            match (axis + 3).checked_sub(rank) {
                Some(slot) => (pad.before[slot], pad.after[slot]) = (before, after),
                None if before == 0 && after == 0 => {}
                None => return Err(Error::new("pads a batch; export the model for a batch of 1")),
            }
        }
        let value = match operator.inputs.get(2).copied().flatten() {
            Some(tensor) => match self.constant(tensor)?[..] {
                [value] => value,
                _ => return Err(self.about(tensor, "is no single value to pad with")),
            },
            None => self.scale(input)?.zero,
        };
        let x = self.live(input)?;
        if pad == (Pad { before: [0; 3], after: [0; 3] }) {
            return self.alias(output, x);
        }
        self.emit(Op::Pad(pad), &[x], output, IntStore { bias: vec![value.into()], ..IntStore::default() })
    }

    /// Where an axis of a tensor lies in `[h, w, c]`; `None` for one before the rows.
    pub(super) fn slot(&self, tensor: usize, axis: i32) -> Result<Option<usize>> {
        let rank = self.model.tensors[tensor].shape.len();
        let from_end = if axis < 0 {
            i64::from(axis).unsigned_abs() as usize
        } else {
            rank.saturating_sub(axis as usize)
        };
        if from_end == 0 || from_end > rank {
            return Err(Error::new(format!("axis {axis} of a tensor of {rank}")));
        }
        Ok(3usize.checked_sub(from_end))
    }
}
