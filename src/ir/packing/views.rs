//! Images that a convolution sees in another way than row by row: on their side, and of a dilated one each in parts.
//!
//! Taps that are `d` rows apart read every `d`-th row only. With outputs `s` rows apart, those that read the same rows are
//! `n = d / gcd(s, d)` outputs apart: along either axis a dilated convolution is `n` undilated ones, each over every `d`-th
//! row, whose outputs are `s / gcd(s, d)` such rows apart. A row of the image that is seen on its side is a column.

use super::Lanes;
use crate::ir::{Conv2d, Shape, Window};

/// A window that slides along one axis of an image, or of a part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slide {
    /// Taps.
    pub taps: usize,
    /// Places from one output to the next.
    pub step: usize,
    /// Places of the border before the first one of the image.
    pub before: usize,
    /// Places of the image.
    pub inputs: usize,
    /// Outputs.
    pub outputs: usize,
}

impl Slide {
    /// Along rows and along columns of an image, taps side by side; `None` where there is no output.
    pub const fn both(window: &Window, x: Shape) -> Option<[Self; 2]> {
        let Some([height, width]) = window.output(x.h, x.w) else { return None };
        let padding = window.padding;
        Some([
            Self::along(window.kernel[0], window.stride[0], padding.top, x.h, height),
            Self::along(window.kernel[1], window.stride[1], padding.left, x.w, width),
        ])
    }

    const fn along(taps: u16, step: u16, before: u16, inputs: u16, outputs: u16) -> Self {
        Self {
            taps: taps as usize,
            step: step as usize,
            before: before as usize,
            inputs: inputs as usize,
            outputs: outputs as usize,
        }
    }

    /// Into how many parts taps that are `dilation` places apart make it fall.
    const fn parts(&self, dilation: usize) -> usize {
        let parts = self.apart(dilation, dilation);
        if parts < self.outputs { parts } else { self.outputs }
    }

    /// A multiple of `of` over the greatest common divisor of the step and the dilation; 0 where the dilation is.
    const fn apart(&self, of: usize, dilation: usize) -> usize {
        let (mut a, mut b) = (dilation, self.step);
        while let Some(rest) = a.checked_rem(b) {
            (a, b) = (b, rest);
        }
        match of.checked_div(a) {
            Some(apart) => apart,
            None => 0,
        }
    }

    /// One of those parts, and its first place in the image. Its outputs are every so many, from that of its number on.
    pub const fn part(&self, dilation: usize, part: usize) -> (Self, usize) {
        let from = part * self.step;
        let before = steps(self.before.saturating_sub(from), dilation);
        let first = (from + before * dilation).saturating_sub(self.before);
        let part = Self {
            taps: self.taps,
            step: self.apart(self.step, dilation),
            before,
            inputs: steps(self.inputs.saturating_sub(first), dilation),
            outputs: steps(self.outputs.saturating_sub(part), self.apart(dilation, dilation)),
        };
        (part, first)
    }
}

/// Steps that it takes to cover a distance; 0 where they lead nowhere.
const fn steps(distance: usize, step: usize) -> usize {
    match (distance + step).saturating_sub(1).checked_div(step) {
        Some(steps) => steps,
        None => 0,
    }
}

/// How a convolution sees an image on its side or in parts, whichever takes less time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Views {
    /// Rows of the largest part, widened.
    pub lanes: Lanes,
    /// Whether each part lies on its side: its rows are columns of the image.
    pub turned: bool,
    /// Parts along rows and along columns of the image.
    pub parts: [usize; 2],
    /// About so many cycles it takes.
    pub cycles: usize,
    /// Whether all is read before an output is written.
    pub at_once: bool,
}

impl Views {
    /// `None` where groups share channels, or a kernel is of one element, or too high, or rows are too long.
    pub const fn new(conv: &Conv2d, x: Shape) -> Option<Self> {
        let upright = Self::seen(conv, x, false);
        let turned = Self::seen(conv, x, true);
        match (upright, turned) {
            (Some(a), Some(b)) => Some(if a.cycles <= b.cycles { a } else { b }),
            (None, other) | (other, None) => other,
        }
    }

    /// One way or the other; `None` also where it is to be seen as it lies.
    const fn seen(conv: &Conv2d, x: Shape, turned: bool) -> Option<Self> {
        let [across, along] = [conv.window.dilation[0] as usize, conv.window.dilation[1] as usize];
        let Some([rows, columns]) = Slide::both(&conv.window, x) else { return None };
        let parts = [rows.parts(across), columns.parts(along)];
        if !turned && across == 1 && along == 1 {
            return None;
        }
        let ((rows, _), (columns, _)) = (rows.part(across, 0), columns.part(along, 0));
        let (far, near) = if turned { ([columns, rows], parts[0]) } else { ([rows, columns], parts[1]) };
        let [rows, columns] = far;
        let odd = near > 1 || columns.outputs % 2 == 1;
        let Some(lanes) = Lanes::over(conv, x, &rows, &columns, odd) else { return None };
        let joined = lanes.channels == x.c as usize
            && if turned { across == 1 && x.w == 1 } else { along == 1 };
        let all = parts[0] * parts[1];
        let cycles = all * lanes.cycles(rows.outputs, joined);
        let at_once = all == 1 && lanes.groups == 1 && rows.outputs == 1;
        Some(Self { lanes, turned, parts, cycles, at_once })
    }
}
