//! Packings of depthwise convolution: a record of words for each channel.

use zipnet::ir::{DepthwiseConv2d, FourChannels, Joined, Packing, Scratch, Shape};

use super::numbers::packed_factors;
use crate::graph::IntStore;

/// A depthwise convolution by the kernel that is fastest for it, with more scratch than it needs as far as there is `room`.
pub(super) fn pack(conv: &DepthwiseConv2d, x: Shape, plain: &IntStore, room: usize) -> Option<IntStore> {
    if joins(conv, x) { None } else { four_channels(conv, x, plain, room) }
        .or_else(|| records(conv, x, plain))
}

/// Taps of a kernel at stride 1 from which on joined rows are faster, and joined columns of an image of one row.
const MANY: usize = 36;
const MANY_OF_LINE: usize = 12;

/// Cycles of another phase of a dilated kernel, whatever its size.
const PHASE: usize = 2500;

/// Whether a depthwise convolution is faster over joined rows than four channels at a time. For 3x3 at stride 1, and for fewer
/// channels, cycles of a Cortex-M4 decide, fitted to those that were measured.
fn joins(conv: &DepthwiseConv2d, x: Shape) -> bool {
    let (Some(joined), Some(four)) = (Joined::new(conv, x), FourChannels::new(conv, x)) else { return true };
    let [height, width] = joined.output.map(usize::from);
    if Joined::is_three(conv, x) && conv.window.taps() == 9 {
        let lanes = 4 * four.fours() + 2 * four.singles();
        return of_three(conv, x, x.c.into()) < 67 * height * width * lanes / 2;
    }
    if joined.line && (x.c < 4 || width >= 4) {
        return x.c < 4 || (conv.window.stride == [1, 1] && conv.window.taps() >= MANY_OF_LINE);
    }
    if x.c < 4 {
        return conv.window.kernel != [3, 3]
            || 15 * height * width >= 4 * usize::from(x.h) * usize::from(x.w) + 1000;
    }
    let near = conv.window.stride == [1, 1] && conv.window.dilation == [1, 1];
    near && width >= 4 && conv.window.taps() >= MANY
}

/// Cycles of so many channels of a kernel of up to 3x3 taps over joined rows, in phases where it is dilated.
pub(super) fn of_three(conv: &DepthwiseConv2d, x: Shape, channels: usize) -> usize {
    let [down, right] = conv.window.dilation;
    let phases = (0..down).flat_map(|row| (0..right).map(move |column| [row, column]));
    let cycles = |phase| Joined::three(conv, x, phase).map_or(0, |phase| two_rows(&phase));
    let channel: usize = phases.map(cycles).sum();
    channel * channels + (usize::from(down) * usize::from(right) - 1) * PHASE
}

/// Cycles of a channel, two rows of outputs at a time.
fn two_rows(joined: &Joined) -> usize {
    let [height, width] = joined.output.map(usize::from);
    let rows = height.div_ceil(2) * (76 * (width / 2) + 50 * (width % 2) + 22);
    rows + 3 * height * width + 85
}

/// A depthwise convolution as [`Packing::DspDepthwise3`] where that is for it, else as [`Packing::DspDepthwise`].
fn records(conv: &DepthwiseConv2d, x: Shape, plain: &IntStore) -> Option<IntStore> {
    let (joined, is_three) = (Joined::new(conv, x)?, Joined::is_three(conv, x));
    let channels = usize::from(x.c) * joined.multiplier;
    let mut words: Vec<i32> = Vec::new();
    for channel in 0..channels {
        let factor = plain.requant[channel].packed()?;
        words.extend([plain.bias[channel], factor.multiplier, factor.shift]);
        if is_three {
            let [rows, columns] = conv.window.kernel.map(usize::from);
            words.extend((0..3).map(|kx| {
                let tap = |ky: usize| match ky < rows && kx < columns {
                    true => plain.weights[(ky * columns + kx) * channels + channel] as u8,
                    false => 0,
                };
                i32::from_le_bytes([tap(0), tap(1), tap(2), 0])
            }));
        } else {
            words.extend(taps(&joined, channel, channels, &plain.weights));
        }
    }
    let packing = if is_three { Packing::DspDepthwise3 } else { Packing::DspDepthwise };
    Some(store(&words, packing, plain))
}

/// A depthwise convolution as [`Packing::DspFourChannels`] where that is for it.
fn four_channels(conv: &DepthwiseConv2d, x: Shape, plain: &IntStore, room: usize) -> Option<IntStore> {
    let four = FourChannels::new(conv, x)?;
    let (channels, taps) = (usize::from(x.c), conv.window.taps());
    let (pairs, odd) = (taps / 2, taps % 2 == 1);
    let tap = |tap: usize, channel: usize| match tap < taps {
        true => plain.weights[tap * channels + channel],
        false => 0,
    };
    let factors = packed_factors(plain)?;
    let mut words: Vec<i32> = Vec::new();
    for i in 0..four.fours() {
        let first = (4 * i).min(channels - 4);
        let lanes = || first..first + 4;
        words.extend(lanes().map(|channel| plain.bias[channel]));
        for pair in 0..pairs {
            words.extend(lanes().map(|channel| both(tap(2 * pair, channel), tap(2 * pair + 1, channel))));
        }
        if odd {
            let last = |lane: usize| tap(taps - 1, first + lane);
            words.extend([both(last(0), last(2)), both(last(1), last(3))]);
        }
        words.extend(lanes().map(|channel| factors[channel].multiplier));
        words.extend(lanes().map(|channel| factors[channel].shift));
    }
    for (channel, factor) in factors.iter().enumerate().skip(channels - four.singles()) {
        words.extend([plain.bias[channel], factor.multiplier, factor.shift]);
        let pairs = 0..taps.div_ceil(2);
        words.extend(pairs.map(|pair| both(tap(2 * pair, channel), tap(2 * pair + 1, channel))));
    }
    let scratch = Scratch { offset: 0, len: four.scratch_within(room) as u32 };
    Some(IntStore { scratch, ..store(&words, Packing::DspFourChannels, plain) })
}

/// What a node has whose weights are such words.
fn store(words: &[i32], packing: Packing, plain: &IntStore) -> IntStore {
    IntStore {
        weights: words.iter().flat_map(|word| word.to_le_bytes().map(|byte| byte as i8)).collect(),
        bias: Vec::new(),
        requant: Vec::new(),
        packing,
        ..plain.clone()
    }
}

/// `[parity][pair of rows][column]`, or pairs of columns.
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
    if joined.line {
        let column = |kx: usize| if kx < width { plain[kx * channels + channel] } else { 0 };
        return (0..width).step_by(2).map(|kx| both(column(kx), column(kx + 1))).collect();
    }
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
