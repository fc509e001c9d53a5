//! Weights of 4 bits, two a byte.

use super::Packed;
use crate::ir::{Bias, Conv2d, Dense, DepthwiseConv2d, Shape};

/// How weights of 4 bits lie: two's complement from -8 to 7, the first of a byte in its low half. Of an odd number the
/// last byte's high half is never read. Every byte is legal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nibbles {}

impl Nibbles {
    /// Most channels of a depthwise convolution whose weights are unpacked at once.
    pub const CHANNELS: usize = 32;

    /// Bytes of so many weights.
    pub const fn bytes(weights: usize) -> usize {
        weights.div_ceil(2)
    }

    /// The byte of two weights, of which the first one's low bits count and the second one's.
    pub const fn byte(first: i8, second: i8) -> i8 {
        first & 15 | second << 4
    }

    /// Both weights of a byte.
    #[inline(always)]
    pub const fn both(byte: i8) -> [i8; 2] {
        [byte << 4 >> 4, byte >> 4]
    }

    /// Elements that a group's units see of a window.
    pub const fn window(conv: &Conv2d) -> usize {
        conv.window.taps() * conv.span as usize
    }

    /// Rows of weights begin at a byte; the scratch takes a window, unless windows are pixels and are read in place.
    pub(super) const fn conv2d(conv: &Conv2d, x: Shape, y: Shape, halves: bool) -> Packed {
        let (units, window) = (conv.units as usize, Self::window(conv));
        let bias = if matches!(conv.bias, Bias::Unit) { y.len() } else { units };
        let in_place = conv.groups == 1 && conv.span == x.c && conv.window.is_point();
        Packed {
            weights: units * Self::bytes(window),
            bias: if halves { bias.div_ceil(2) } else { bias },
            requant: units,
            scratch: if in_place { 0 } else { window },
        }
    }

    pub(super) const fn dense(dense: &Dense, x: Shape) -> Packed {
        let units = dense.units as usize;
        Packed { weights: units * Self::bytes(x.len()), bias: units, requant: units, scratch: 0 }
    }

    /// The scratch takes the weights of [`Nibbles::CHANNELS`] channels, a byte each.
    pub(super) const fn depthwise(conv: &DepthwiseConv2d, y: Shape) -> Packed {
        let (channels, taps) = (y.c as usize, conv.window.taps());
        let bias = if matches!(conv.bias, Bias::Unit) { y.len() } else { channels };
        let at_once = if channels < Self::CHANNELS { channels } else { Self::CHANNELS };
        Packed { weights: Self::bytes(taps * channels), bias, requant: channels, scratch: taps * at_once }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_keeps_both_weights() {
        for first in -8..8 {
            for second in -8..8 {
                assert_eq!(Nibbles::both(Nibbles::byte(first, second)), [first, second]);
            }
        }
        assert_eq!(Nibbles::byte(-1, 2), 0x2f);
        assert_eq!((Nibbles::bytes(0), Nibbles::bytes(7), Nibbles::bytes(8)), (0, 4, 4));
    }
}
