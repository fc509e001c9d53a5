//! What an operator computes, over int8 tensors laid out `[h][w][c]`; one file an operator.
//!
//! A kernel is loops over pixels and channels around the inner blocks of an [`Isa`](crate::arch::Isa). It assumes a
//! checked graph, yet is total: on data that does not fit it reads nothing and leaves outputs as they are. Outputs
//! are equal, bit for bit, to those of TensorFlow Lite Micro's reference kernels.

mod activation;
mod add;
mod concat;
mod conv2d;
mod dense;
mod depthwise_conv2d;
pub(crate) mod fours;
pub(crate) mod halves;
mod mean;
pub(crate) mod nibbles;
#[cfg(test)]
pub(crate) mod oracle;
pub(crate) mod packed;
mod pad;
mod pairs;
mod pool;
mod resize;
mod ring;
mod shuffle;
mod softmax;
mod strided;
pub(crate) mod vectors;
mod window;

pub(crate) use activation::{look_up, requantize};
pub(crate) use add::add;
pub(crate) use concat::Joint;
pub(crate) use conv2d::conv2d;
pub(crate) use dense::dense;
pub(crate) use depthwise_conv2d::depthwise_conv2d;
pub(crate) use mean::{mean, thin_mean};
pub(crate) use pad::pad;
pub(crate) use pairs::{Pair, add_broadcast, mul, prelu, sub};
pub(crate) use pool::{avg_pool2d, max_pool2d, thin_avg_pool2d, thin_max_pool2d};
pub(crate) use resize::resize_nearest;
pub(crate) use shuffle::channel_shuffle;
pub(crate) use softmax::softmax;
use strided::repeated;
pub(crate) use strided::{repeat, slice, transpose};

use crate::arch::{Isa, Store, run};
use crate::ir::{Clamp, Shape, Window};

/// A tensor to read.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    /// Rows, columns, channels.
    pub(crate) shape: Shape,
    /// The int8 that stands for 0.
    pub(crate) zero: i8,
    /// Its elements.
    pub(crate) data: &'a [i8],
}

impl Input<'_> {
    /// Place of the first channel of a pixel.
    #[inline(always)]
    fn at(&self, row: usize, column: usize) -> usize {
        (row * usize::from(self.shape.w) + column) * usize::from(self.shape.c)
    }
}

/// A tensor to write.
pub(crate) struct Output<'a> {
    /// Rows, columns, channels.
    pub(crate) shape: Shape,
    /// The int8 that stands for 0.
    pub(crate) zero: i8,
    /// Its elements.
    pub(crate) data: &'a mut [i8],
}

impl<'a> Output<'a> {
    /// How its elements are stored.
    const fn store(&self, clamp: Clamp) -> Store {
        Store { zero: self.zero, clamp }
    }

    /// The next `count` elements, which are given away.
    #[inline(always)]
    fn next(&mut self, count: usize) -> &'a mut [i8] {
        self.data.split_off_mut(..count).unwrap_or_default()
    }
}

/// Input and output of an operator that may work in place.
pub(crate) struct Flow<'a> {
    /// Shape and zero point of the input.
    pub(crate) x: (Shape, i8),
    /// Shape and zero point of the output.
    pub(crate) y: (Shape, i8),
    /// Their elements.
    pub(crate) bytes: Bytes<'a>,
    /// Memory for the kernel alone, which takes it from here.
    pub(crate) scratch: &'a mut [i8],
}

/// Where the elements of an input and an output lie.
pub(crate) enum Bytes<'a> {
    /// Apart.
    Apart(&'a [i8], &'a mut [i8]),
    /// Both in these bytes, and where the input and the output begin.
    Over(&'a mut [i8], [usize; 2]),
}

impl Flow<'_> {
    /// The input, as far as no output has been written over it.
    #[inline(always)]
    fn input(&self) -> Input<'_> {
        let data = match &self.bytes {
            Bytes::Apart(x, _) => x,
            Bytes::Over(both, [x, _]) => run(both, *x, self.x.0.len()),
        };
        Input { shape: self.x.0, zero: self.x.1, data }
    }

    /// Input and output, where they lie apart.
    #[inline(always)]
    fn apart(&mut self) -> Option<(Input<'_>, &mut [i8])> {
        let Bytes::Apart(data, y) = &mut self.bytes else { return None };
        Some((Input { shape: self.x.0, zero: self.x.1, data }, y))
    }

    /// How outputs are stored.
    const fn store(&self, clamp: Clamp) -> Store {
        Store { zero: self.y.1, clamp }
    }

    /// The output.
    #[inline(always)]
    fn output(&mut self) -> &mut [i8] {
        match &mut self.bytes {
            Bytes::Apart(_, y) => y,
            Bytes::Over(both, [_, y]) => {
                let len = self.y.0.len();
                both.get_mut(*y..).and_then(|both| both.get_mut(..len)).unwrap_or_default()
            }
        }
    }
}

/// Applies an activation to outputs that were held within int8 only.
#[inline(always)]
fn activate<I: Isa>(isa: I, y: &mut [i8], clamp: Clamp) {
    if clamp != Clamp::FULL {
        isa.clamp(y, clamp);
    }
}

/// Both as `usize`; as a loop over so few it would be longer and slower.
#[inline(always)]
const fn both([a, b]: [u16; 2]) -> [usize; 2] {
    [a as usize, b as usize]
}

/// One axis of a window that slides over an image.
#[derive(Clone, Copy)]
struct Axis {
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    extent: usize,
}

/// The taps of a window that lie inside the image, along one axis.
#[derive(Clone, Copy)]
struct Taps {
    /// The first.
    first: usize,
    /// The one after the last.
    end: usize,
    /// Row or column that tap `first` reads.
    at: usize,
}

impl Axis {
    fn rows(window: &Window, shape: Shape) -> Self {
        let ([kernel, _], [stride, _], [dilation, _]) = (window.kernel, window.stride, window.dilation);
        Self::new(kernel, stride, dilation, window.padding.top, shape.h)
    }

    fn columns(window: &Window, shape: Shape) -> Self {
        let ([_, kernel], [_, stride], [_, dilation]) = (window.kernel, window.stride, window.dilation);
        Self::new(kernel, stride, dilation, window.padding.left, shape.w)
    }

    fn new(kernel: u16, stride: u16, dilation: u16, before: u16, extent: u16) -> Self {
        Self {
            kernel: kernel.into(),
            stride: stride.into(),
            dilation: dilation.into(),
            before: before.into(),
            extent: extent.into(),
        }
    }

    /// The taps inside for output `o`. Tap `t` reads place `o * stride + t * dilation - before`.
    #[inline]
    fn taps(&self, o: usize) -> Taps {
        let from = o * self.stride;
        let first = self.steps(self.before.saturating_sub(from)).min(self.kernel);
        let end = self.steps((self.extent + self.before).saturating_sub(from)).min(self.kernel);
        Taps { first, end, at: (from + first * self.dilation).saturating_sub(self.before) }
    }

    /// How many outputs from `o` on have all their taps inside; 1 where `o` itself does not.
    #[inline]
    fn alike(&self, o: usize) -> usize {
        let (from, reach) = (o * self.stride, (self.kernel.saturating_sub(1)) * self.dilation);
        match (self.extent + self.before).checked_sub(from + reach + 1) {
            Some(room) if from >= self.before => room.checked_div(self.stride).unwrap_or(0) + 1,
            _ => 1,
        }
    }

    /// Dilated steps that it takes to cover `distance`.
    #[inline]
    fn steps(&self, distance: usize) -> usize {
        if self.dilation == 1 {
            return distance;
        }
        (distance + self.dilation).saturating_sub(1).checked_div(self.dilation).unwrap_or(0)
    }
}

impl Taps {
    /// Whether all `kernel` taps lie inside.
    #[inline(always)]
    const fn whole(&self, kernel: usize) -> bool {
        self.first == 0 && self.end == kernel
    }

    /// How many of `kernel` taps lie before, inside and behind the image.
    #[inline(always)]
    const fn thirds(&self, kernel: usize) -> [usize; 3] {
        let end = if self.end > self.first { self.end } else { self.first };
        [self.first, end - self.first, kernel.saturating_sub(end)]
    }

    /// The row or column that tap `t` reads; `None` on the border.
    #[inline(always)]
    const fn place(&self, t: usize, dilation: usize) -> Option<usize> {
        if t < self.first || t >= self.end { None } else { Some(self.at + (t - self.first) * dilation) }
    }
}
