//! Which kernels a graph needs, so that no other is linked.

use super::packing::FourChannels;
use super::{Op, Operands, Packing, Shape};

/// Which kernels a graph needs. The engine guards each arm by one of these, so that a kernel that no operator of
/// the model calls is not linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // one flag a kernel, named like it
pub struct Uses {
    pub conv2d: bool,
    pub depthwise_conv2d: bool,
    pub dense: bool,
    pub max_pool2d: bool,
    pub thin_max_pool2d: bool,
    pub avg_pool2d: bool,
    pub thin_avg_pool2d: bool,
    pub mean: bool,
    pub thin_mean: bool,
    pub add: bool,
    pub add_broadcast: bool,
    pub sub: bool,
    pub mul: bool,
    pub concat: bool,
    pub channel_shuffle: bool,
    pub requantize: bool,
    pub prelu: bool,
    pub table: bool,
    pub softmax: bool,
    pub pad: bool,
    pub slice: bool,
    pub transpose: bool,
    pub resize_nearest: bool,
    pub reshape: bool,
    /// Blocks of one to three units, for packed convolutions whose units are no multiple of four: bit `n` for `n` units.
    pub rests: u8,
    /// Several rows of outputs at a time of packed convolutions.
    pub strips: bool,
    /// Packed depthwise convolutions of dilated kernels of up to 3x3 taps.
    pub dilated: bool,
    /// Channels by themselves of depthwise convolutions that take four at a time.
    pub alone: bool,
    /// Kernels of packings, by [`Packing::at`].
    pub packed: [bool; Packing::COUNT],
}

impl Uses {
    /// No kernel.
    pub const NONE: Self = Self::every(false);
    /// All kernels: what a host needs that runs graphs it has not seen.
    pub const ALL: Self = Self::every(true);

    const fn every(on: bool) -> Self {
        Self {
            conv2d: on,
            depthwise_conv2d: on,
            dense: on,
            max_pool2d: on,
            thin_max_pool2d: on,
            avg_pool2d: on,
            thin_avg_pool2d: on,
            mean: on,
            thin_mean: on,
            add: on,
            add_broadcast: on,
            sub: on,
            mul: on,
            concat: on,
            channel_shuffle: on,
            requantize: on,
            prelu: on,
            table: on,
            softmax: on,
            pad: on,
            slice: on,
            transpose: on,
            resize_nearest: on,
            reshape: on,
            rests: if on { 0b1111 } else { 0 },
            strips: on,
            dilated: on,
            alone: on,
            packed: [on; Packing::COUNT],
        }
    }

    /// Whether every kernel of `other` is among these.
    pub const fn covers(&self, other: Self) -> bool {
        let mut i = 0;
        while i < Packing::COUNT {
            if other.packed[i] && !self.packed[i] {
                return false;
            }
            i += 1;
        }
        (self.conv2d || !other.conv2d)
            && (self.depthwise_conv2d || !other.depthwise_conv2d)
            && (self.dense || !other.dense)
            && (self.max_pool2d || !other.max_pool2d)
            && (self.thin_max_pool2d || !other.thin_max_pool2d)
            && (self.avg_pool2d || !other.avg_pool2d)
            && (self.thin_avg_pool2d || !other.thin_avg_pool2d)
            && (self.mean || !other.mean)
            && (self.thin_mean || !other.thin_mean)
            && (self.add || !other.add)
            && (self.add_broadcast || !other.add_broadcast)
            && (self.sub || !other.sub)
            && (self.mul || !other.mul)
            && (self.concat || !other.concat)
            && (self.channel_shuffle || !other.channel_shuffle)
            && (self.requantize || !other.requantize)
            && (self.prelu || !other.prelu)
            && (self.table || !other.table)
            && (self.softmax || !other.softmax)
            && (self.pad || !other.pad)
            && (self.slice || !other.slice)
            && (self.transpose || !other.transpose)
            && (self.resize_nearest || !other.resize_nearest)
            && (self.reshape || !other.reshape)
            && other.rests & !self.rests == 0
            && (self.strips || !other.strips)
            && (self.dilated || !other.dilated)
            && (self.alone || !other.alone)
    }

    /// These and the kernel of `op` over an input `x` and weights packed so, with so much scratch.
    pub const fn with(mut self, op: &Op, x: Shape, packing: Packing, scratch: usize) -> Self {
        if !matches!(packing, Packing::Plain) {
            self.packed[packing.at()] = true;
            if let Some(units) = packing.in_quads(op, x) {
                self.rests |= 1 << (units % 4);
            }
            self.strips |= packing.strips(op, x, scratch);
            if matches!(packing, Packing::DspFourChannels) {
                self.alone |= FourChannels::parts(x.c as usize)[1] > 0;
            }
            if let (Packing::DspDepthwise3, Op::DepthwiseConv2d(conv)) = (packing, op) {
                let [rows, columns] = conv.window.dilation;
                self.dilated |= rows > 1 || columns > 1;
            }
            return self;
        }
        match op {
            Op::Conv2d(_) => self.conv2d = true,
            Op::DepthwiseConv2d(_) => self.depthwise_conv2d = true,
            Op::Dense(_) => self.dense = true,
            Op::MaxPool2d(_) if op.is_thin(x) => self.thin_max_pool2d = true,
            Op::MaxPool2d(_) => self.max_pool2d = true,
            Op::AvgPool2d(_) if op.is_thin(x) => self.thin_avg_pool2d = true,
            Op::AvgPool2d(_) => self.avg_pool2d = true,
            Op::Mean { .. } if op.is_thin(x) => self.thin_mean = true,
            Op::Mean { .. } => self.mean = true,
            Op::Add(Operands::Equal) => self.add = true,
            Op::Add(Operands::Broadcast | Operands::Left(_) | Operands::Right(_)) => {
                self.add_broadcast = true;
            }
            Op::Sub(_) => self.sub = true,
            Op::Mul(_) => self.mul = true,
            Op::Concat { .. } => self.concat = true,
            Op::ChannelShuffle { .. } => self.channel_shuffle = true,
            Op::Relu | Op::Relu6 | Op::ReluN1To1 | Op::Requantize => self.requantize = true,
            Op::Prelu { .. } => self.prelu = true,
            Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Tanh => self.table = true,
            Op::Softmax => self.softmax = true,
            Op::Pad(_) => self.pad = true,
            Op::Slice(_) => self.slice = true,
            Op::Transpose { .. } => self.transpose = true,
            Op::ResizeNearest { .. } => self.resize_nearest = true,
            Op::Reshape { .. } => self.reshape = true,
            Op::BatchNorm => {} // folded before the integer phase
        }
        self
    }
}
