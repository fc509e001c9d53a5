//! Packings of depthwise convolution: a record of words for each channel.

use zipnet::ir::{DepthwiseConv2d, Joined, Packing, Shape};

use crate::graph::IntStore;

/// A depthwise convolution as [`Packing::DspDepthwise3`] where that is for it, else as [`Packing::DspDepthwise`].
pub(super) fn records(conv: &DepthwiseConv2d, x: Shape, plain: &IntStore) -> Option<IntStore> {
    let joined = Joined::new(conv, x)?;
    let channels = usize::from(x.c) * joined.multiplier;
    let mut words: Vec<i32> = Vec::new();
    for channel in 0..channels {
        let factor = plain.requant[channel].packed()?;
        words.extend([plain.bias[channel], factor.multiplier, factor.shift]);
        if joined.is_three() {
            words.extend((0..3).map(|kx| {
                let tap = |ky: usize| plain.weights[(ky * 3 + kx) * channels + channel] as u8;
                i32::from_le_bytes([tap(0), tap(1), tap(2), 0])
            }));
        } else {
            words.extend(taps(&joined, channel, channels, &plain.weights));
        }
    }
    Some(IntStore {
        weights: words.iter().flat_map(|word| word.to_le_bytes().map(|byte| byte as i8)).collect(),
        bias: Vec::new(),
        requant: Vec::new(),
        packing: if joined.is_three() { Packing::DspDepthwise3 } else { Packing::DspDepthwise },
        ..plain.clone()
    })
}

/// `[parity][pair of rows][column]`.
fn taps(joined: &Joined, channel: usize, channels: usize, plain: &[i8]) -> Vec<i32> {
    let [height, width] = joined.window.kernel.map(usize::from);
    let dilation = usize::from(joined.window.dilation[0]);
    // The tap that falls on row `row` of the window, if one does.
    let tap = |row: Option<usize>, kx: usize| match row {
        Some(row) if row % dilation == 0 && row / dilation < height => {
            plain[(row / dilation * width + kx) * channels + channel]
        }
        _ => 0,
    };
    let parities = if joined.window.stride[0] % 2 == 1 { 2 } else { 1 };
    let mut words = Vec::new();
    for parity in 0..parities {
        for pair in 0..joined.pairs(parity) {
            let row = |i: usize| (2 * pair + i).checked_sub(parity);
            words.extend((0..width).map(|kx| both(tap(row(0), kx), tap(row(1), kx))));
        }
    }
    words
}

/// Two taps in the halves of a word.
fn both(low: i8, high: i8) -> i32 {
    (i32::from(low) & 0xffff) | i32::from(high) << 16
}
