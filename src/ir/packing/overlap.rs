//! How far the output of a packed operator may lie over its input.
//!
//! Kernels that widen or copy rows, or pixels, before they compute need no input that they have read. With `read` bytes of
//! it read before `written` bytes of the output are there, at most, both may share bytes while
//!
//! ```text
//! output + written <= input + read
//! ```
//!
//! holds at all times until everything is read. So the input has to begin behind the output by the most that `written - read`
//! comes to: its lead.

use super::{Chunk, FourChannels, Joined, Lanes, Packing, Ring, Views};
use crate::ir::{Op, Shape, Window};

/// How far behind its output an input has to begin where they share bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lead {
    /// Bytes, at least; where they are negative, the input may begin that much before its output.
    pub least: isize,
    /// What the distance is a multiple of, in bytes; 1 where any will do. Kernels that take some channels after others write a
    /// channel to nothing but what they have read of the same one.
    pub step: usize,
}

impl Lead {
    /// Of a kernel that takes all channels at once.
    const fn any(least: isize) -> Self {
        Self { least, step: 1 }
    }

    /// Whether an input that begins so far behind its output, or before it, may share bytes with it.
    pub const fn allows(self, distance: isize) -> bool {
        distance >= self.least && distance.unsigned_abs().is_multiple_of(self.step)
    }

    /// The least distance that is not negative.
    pub const fn behind(self) -> usize {
        if self.least > 0 { self.least.unsigned_abs().next_multiple_of(self.step) } else { 0 }
    }
}

impl Packing {
    /// How the input of a packed `op`, an image of shape `x`, may share bytes with its output; `None` where they have to lie
    /// apart.
    pub const fn lead(self, op: &Op, x: Shape) -> Option<Lead> {
        let Ok(y) = op.output(&[x]) else { return None };
        match self {
            Packing::Plain | Packing::DspDense | Packing::DspAdd => None,
            Packing::DspLongPatch | Packing::DspLongDense => None,
            Packing::Fours | Packing::FoursDepthwise => None,
            Packing::Nibbles | Packing::NibblesShort => None,
            Packing::NibblesDense | Packing::NibblesDepthwise => None,
            Packing::DspPatch => None,
            Packing::DspDepthwise | Packing::DspDepthwise3 => {
                let Op::DepthwiseConv2d(conv) = op else { return None };
                if conv.multiplier != 1 {
                    return None;
                }
                let [down, right] = conv.window.dilation;
                if matches!(self, Packing::DspDepthwise3) && (down > 1 || right > 1) {
                    // Phase after phase: in the very same bytes only.
                    return if x.same(y) { Some(Lead { least: 0, step: x.len() }) } else { None };
                }
                let joined = if matches!(self, Packing::DspDepthwise3) {
                    Joined::three_into(conv, x, [y.h, y.w])
                } else {
                    Joined::new(conv, x)
                };
                let Some(joined) = joined else { return None };
                // Of one row all columns are joined at first.
                let least = if joined.line { -(x.len() as isize) } else { by_rows(&conv.window, x, y) };
                let step = if joined.channels < x.c as usize { x.c as usize } else { 1 };
                Some(Lead { least, step })
            }
            Packing::DspFourChannels => {
                let Op::DepthwiseConv2d(conv) = op else { return None };
                let Some(four) = FourChannels::new(conv, x) else { return None };
                let step = if four.from(0) < x.c as usize { x.c as usize } else { 1 };
                Some(Lead { least: by_rows(&conv.window, x, y), step })
            }
            Packing::DspPoint => {
                let Some((conv, x)) = Chunk::point(op, x) else { return None };
                if conv.groups == 1 {
                    return Some(Lead::any(by_pixels(x, y)));
                }
                // Groups of channels one after another, each of some pixels after others.
                if x.c == y.c { Some(Lead { least: by_pixels(x, y), step: x.c as usize }) } else { None }
            }
            Packing::DspRows => {
                let Op::Conv2d(conv) = op else { return None };
                let Some(lanes) = Lanes::new(conv, x) else { return None };
                if lanes.groups > 1 {
                    return None;
                }
                Some(Lead::any(by_rows(&conv.window, x, y)))
            }
            Packing::DspViews => {
                let Op::Conv2d(conv) = op else { return None };
                match Views::new(conv, x) {
                    Some(views) if views.at_once() => Some(Lead::any(-(x.len() as isize))),
                    _ => None,
                }
            }
            Packing::DspWinograd | Packing::DspSquares | Packing::DspTaps => {
                let Op::Conv2d(conv) = op else { return None };
                Some(Lead::any(by_rows(&conv.window, x, y)))
            }
            Packing::Halves | Packing::Vectors => {
                let Op::Conv2d(conv) = op else { return None };
                if conv.groups == 1 && conv.span == x.c && conv.window.is_point() {
                    return Some(Lead::any(by_pixels(x, y)));
                }
                Ring::new(&conv.window, x).lead(&conv.window, x, y)
            }
            Packing::RingDepthwise => {
                let Op::DepthwiseConv2d(conv) = op else { return None };
                Ring::new(&conv.window, x).lead(&conv.window, x, y)
            }
        }
    }

    /// Whether a packed `op` may write its output to the very bytes of its input, an image of shape `x` and one of as
    /// many bytes.
    pub const fn in_place(self, op: &Op, x: Shape) -> bool {
        let Ok(y) = op.output(&[x]) else { return false };
        match self.lead(op, x) {
            Some(lead) => lead.allows(0) && x.len() == y.len(),
            None => false,
        }
    }
}

impl Ring {
    const fn lead(&self, window: &Window, x: Shape, y: Shape) -> Option<Lead> {
        if self.direct { None } else { Some(Lead::any(by_rows(window, x, y))) }
    }
}

/// The lead where some pixels are read, one at least, then their outputs written: output pixel `p` is that of input pixel
/// `p`, or of a later one.
const fn by_pixels(x: Shape, y: Shape) -> isize {
    let before_last = y.h as isize * y.w as isize - 1;
    let more = y.c as isize - x.c as isize;
    if more > 0 { before_last * more } else { 0 }
}

/// The lead where all rows that a row of the output sees are read before it is written.
const fn by_rows(window: &Window, x: Shape, y: Shape) -> isize {
    let reach = (window.kernel[0] as usize - 1) * window.dilation[0] as usize + 1;
    let (mut most, mut oy) = (-(x.len() as isize), 0);
    while oy < y.h as usize {
        let read = (oy * window.stride[0] as usize + reach).saturating_sub(window.padding.top as usize);
        if read >= x.h as usize {
            break;
        }
        let lead = ((oy + 1) * y.row()) as isize - (read * x.row()) as isize;
        most = if lead > most { lead } else { most };
        oy += 1;
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Bias, Conv2d, Padding};

    fn conv(units: u16, span: u16, window: Window) -> Op {
        Op::Conv2d(Conv2d { units, window, groups: 1, span, bias: Bias::Channel })
    }

    #[test]
    fn pixels_that_grow_end_with_the_output() {
        let op = conv(16, 8, Window::new(1, 1));
        let x = Shape::new(6, 5, 8);
        // The last pixel is read before its output is written, so the input may end 8 bytes behind the output.
        assert_eq!(Packing::DspPoint.lead(&op, x), Some(Lead::any(29 * 8)));
        assert!(!Packing::DspPoint.in_place(&op, x));
        let fewer = conv(4, 8, Window::new(1, 1));
        assert_eq!(Packing::DspPoint.lead(&fewer, x), Some(Lead::any(0)));
        assert_eq!(Packing::Halves.lead(&op, x), Some(Lead::any(29 * 8)));
    }

    #[test]
    fn rows_are_read_before_the_output_that_sees_them() {
        let x = Shape::new(6, 4, 2);
        let same = conv(2, 2, Window::new(3, 3).padding(Padding::all(1)));
        // Row 0 is written when two are read, ... row 4 when all are.
        assert_eq!(Packing::DspRows.lead(&same, x), Some(Lead::any(-8)));
        assert!(Packing::DspRows.in_place(&same, x));
        let twice = conv(4, 2, Window::new(3, 3).padding(Padding::all(1)));
        // Before row 4: 4 rows of 16 bytes written, 5 of 8 bytes read.
        assert_eq!(Packing::DspRows.lead(&twice, x), Some(Lead::any(4 * 16 - 5 * 8)));
        let half = conv(4, 2, Window::new(3, 3).stride(2).padding(Padding::all(1)));
        assert_eq!(Packing::DspRows.lead(&half, x), Some(Lead::any(8 - 16)));
        let all = conv(9, 2, Window::new(6, 1));
        assert_eq!(Packing::DspRows.lead(&all, x), Some(Lead::any(-48)));
    }
}
