//! A first layer whose input comes row by row, so that only the rows that its window spans need lie in memory.
//!
//! Such a layer is a graph of its own, the head, whose output is the input of the graph that goes on from there. A row of
//! its output is the output of the same operator over fewer rows, with less of a border: a strip. So whatever runs the
//! operator runs the strip, and nothing is computed otherwise.
//!
//! ```text
//! row oy sees rows  oy * stride - top  ..  oy * stride - top + (kernel - 1) * dilation + 1
//! ```

use super::{Bias, Fault, Graph, Int, Op, Packing, Shape, Window};

/// What a row of the output of a layer is made of.
#[derive(Clone, Copy, Debug)]
pub struct Strip {
    /// The operator over the strip alone: its border above and below is as much of it as the row sees.
    pub op: Op,
    /// First row of the input that is read.
    pub first: usize,
    /// The rows that are read.
    pub input: Shape,
    /// One row.
    pub output: Shape,
}

impl Strip {
    /// The row after the last that is read.
    pub const fn end(&self) -> usize {
        self.first + self.input.h as usize
    }
}

impl Op {
    /// The strip of row `oy` of an output `y`, for an input `x`; `None` where there is no such row, and for operators
    /// that slide no window.
    pub const fn strip(&self, x: Shape, y: Shape, oy: usize) -> Option<Strip> {
        let mut op = *self;
        let window = match &mut op {
            Op::Conv2d(conv) => &mut conv.window,
            Op::DepthwiseConv2d(conv) => &mut conv.window,
            Op::MaxPool2d(pool) | Op::AvgPool2d(pool) => &mut pool.window,
            Op::Dense(_) | Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } => return None,
            Op::Mean { .. } | Op::Concat { .. } | Op::ChannelShuffle { .. } | Op::BatchNorm => return None,
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish => return None,
            Op::Logistic | Op::Tanh | Op::Softmax | Op::Requantize | Op::Pad(_) => return None,
            Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => return None,
            Op::Reshape { .. } => return None,
        };
        if oy >= y.h as usize {
            return None;
        }
        let (top, h) = (window.padding.top as usize, x.h as usize);
        let from = oy * window.stride[0] as usize;
        let to = from + rows(window);
        let (first, below) = (from.saturating_sub(top), to.saturating_sub(top));
        let end = if below < h { below } else { h };
        window.padding.top = top.saturating_sub(from) as u16;
        window.padding.bottom = (below - end) as u16;
        let input = Shape::new(end.saturating_sub(first) as u16, x.w, x.c);
        Some(Strip { op, first, input, output: Shape::new(1, y.w, y.c) })
    }
}

/// Rows that a window spans.
const fn rows(window: &Window) -> usize {
    (window.kernel[0] as usize - 1) * window.dilation[0] as usize + 1
}

impl Graph<'_, Int> {
    /// Bytes of the rows of the input that a head keeps: as many as one of its strips has at most.
    pub const fn kept(&self) -> usize {
        let (x, y) = (self.tensor(self.input).shape, self.tensor(self.output).shape);
        let (mut most, mut oy) = (0, 0);
        while let Some(strip) = self.nodes[0].op.strip(x, y, oy) {
            most = if strip.input.len() > most { strip.input.len() } else { most };
            oy += 1;
        }
        most
    }

    /// Proves, where it is compiled, that this graph is a head of `body`.
    ///
    /// # Panics
    /// With the fault in words; in a `const` that is a compile error.
    pub const fn check_head(&self, body: &Graph<'_, Int>, arena: usize) {
        if let Err(fault) = self.head_fault(body, arena) {
            panic!("{}", fault.text());
        }
    }

    /// Whether this graph is a head of `body`, in an arena of `arena` bytes: a single node that makes the input of `body`
    /// where it lies, whose strips are legal in its packing, and whose rows of input, scratch and output lie apart. The
    /// offset of its input is that of the rows that are kept.
    ///
    /// # Errors
    /// The first [`Fault`] found.
    pub const fn head_fault(&self, body: &Graph<'_, Int>, arena: usize) -> Result<(), Fault> {
        if let Err((_, fault)) = self.structure() {
            return Err(fault);
        }
        if self.nodes.len() != 1 || self.nodes[0].output.0 != self.output.0 {
            return Err(Fault::Arity);
        }
        if let Err(fault) = self.node_fault(0, arena) {
            return Err(fault);
        }
        let (x, y, made) = (self.tensor(self.input), self.tensor(self.output), body.tensor(body.input));
        let same = y.meta.zero == made.meta.zero && y.meta.scale == made.meta.scale;
        if !y.shape.same(made.shape) || !same || y.meta.offset != made.meta.offset {
            return Err(Fault::Unequal);
        }
        let mut oy = 0;
        while oy < y.shape.h as usize {
            let Some(strip) = self.nodes[0].op.strip(x.shape, y.shape, oy) else { return Err(Fault::Stream) };
            if let Err(fault) = self.strip_fault(&strip) {
                return Err(fault);
            }
            oy += 1;
        }
        self.apart(arena)
    }

    /// Whether the numbers of the node are those of a strip, and its scratch suffices.
    const fn strip_fault(&self, strip: &Strip) -> Result<(), Fault> {
        let data = &self.nodes[0].data;
        match data.packing {
            Packing::Plain => return Ok(()),
            Packing::DspPatch | Packing::DspPoint | Packing::DspRows | Packing::DspTaps => {}
            Packing::DspLongPatch | Packing::DspLongDense => {}
            Packing::DspWinograd | Packing::DspSquares | Packing::DspDense => {}
            Packing::DspDepthwise | Packing::DspDepthwise3 => {}
            Packing::DspFourChannels | Packing::DspAdd => {}
            // Short biases must be such that those of a row begin at a word; their number tells.
            Packing::Nibbles | Packing::NibblesShort => {}
            Packing::NibblesDense | Packing::NibblesDepthwise => {}
            Packing::Halves => {
                // Biases of each pixel are filled up to whole fours of pixels, which a row then has to be.
                let whole = strip.output.w.is_multiple_of(4);
                if matches!(strip.op.bias(), Bias::Unit) && !whole {
                    return Err(Fault::Stream);
                }
            }
            Packing::RingDepthwise | Packing::Vectors => {}
            // The image lies with its border, or is no longer read row by row.
            Packing::Fours | Packing::FoursDepthwise | Packing::DspViews => return Err(Fault::Stream),
        }
        let Some(lengths) = data.packing.lengths(&strip.op, strip.input, strip.output) else {
            return Err(Fault::Stream);
        };
        let rows =
            if matches!(strip.op.bias(), Bias::Unit) { self.tensor(self.output).shape.h as usize } else { 1 };
        if data.weights.len() != lengths.weights
            || data.bias.len() != lengths.bias * rows
            || (data.requant.len() != lengths.requant && !data.shares_factors(&strip.op))
        {
            return Err(Fault::Stream);
        }
        if (data.scratch.len as usize) < lengths.scratch { Err(Fault::Scratch) } else { Ok(()) }
    }

    /// Whether the rows that a head keeps, its scratch and its output lie in an arena, apart.
    const fn apart(&self, arena: usize) -> Result<(), Fault> {
        let at = self.tensor(self.input).meta.offset as usize;
        let scratch = &self.nodes[0].data.scratch;
        let places = [
            (at, at.saturating_add(self.kept())),
            self.bytes(self.output),
            if scratch.len == 0 { (0, 0) } else { (scratch.offset as usize, scratch.end()) },
        ];
        let mut i = 0;
        while i < places.len() {
            if places[i].1 > arena {
                return Err(Fault::Arena);
            }
            let mut j = 0;
            while j < i {
                if places[i].0 < places[j].1 && places[j].0 < places[i].1 {
                    return Err(Fault::Overlap);
                }
                j += 1;
            }
            i += 1;
        }
        Ok(())
    }
}
