//! Operators that only move elements: channel shuffle, concat, and the border around a net's input.

use super::lanes::Lanes;

/// Output channel `i * groups + g` of each pixel is input channel `g * (c / groups) + i`. Its inverse is the shuffle
/// by `c / groups`.
pub(crate) fn shuffle(groups: usize, channels: usize, source: &[Lanes], dest: &mut [Lanes]) {
    let each = channels / groups;
    for (x, y) in source.chunks_exact(channels).zip(dest.chunks_exact_mut(channels)) {
        for g in 0..groups {
            for i in 0..each {
                y[i * groups + g] = x[g * each + i];
            }
        }
    }
}

/// Copies all channels of `source` into those of `dest` from `first` on.
pub(crate) fn join(source: &[Lanes], channels: usize, dest: &mut [Lanes], all: usize, first: usize) {
    for (x, y) in source.chunks_exact(channels).zip(dest.chunks_exact_mut(all)) {
        y[first..first + channels].copy_from_slice(x);
    }
}

/// Copies `source`, rows of `width` elements, into `dest`, rows of `wide` elements, from row `top` and element
/// `left` on; what lies around it stays.
pub(crate) fn frame(
    source: &[Lanes],
    width: usize,
    dest: &mut [Lanes],
    wide: usize,
    top: usize,
    left: usize,
) {
    for (x, y) in source.chunks_exact(width).zip(dest.chunks_exact_mut(wide).skip(top)) {
        y[left..left + width].copy_from_slice(x);
    }
}
