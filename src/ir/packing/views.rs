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
}

/// The parts into which an axis falls where a dilated window slides along it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parts {
    /// The window.
    pub slide: Slide,
    /// Places from one tap to the next, and so from one place of a part to the next.
    pub dilation: usize,
    /// Outputs from one of a part to the next.
    pub apart: usize,
    /// Places of a part from one output to the next.
    pub step: usize,
}

impl Parts {
    pub(super) const fn of(slide: &Slide, dilation: u16) -> Self {
        let dilation = dilation as usize;
        let (mut common, mut b) = (slide.step, dilation);
        while let Some(rest) = common.checked_rem(b) {
            (common, b) = (b, rest);
        }
        let (apart, step) = match (dilation.checked_div(common), slide.step.checked_div(common)) {
            (Some(apart), Some(step)) => (apart, step),
            _ => (1, 1),
        };
        Self { slide: *slide, dilation, apart, step }
    }

    /// How many parts have outputs.
    pub const fn count(&self) -> usize {
        if self.apart < self.slide.outputs { self.apart } else { self.slide.outputs }
    }

    /// The window over one of them, and the first of its places. Its outputs are every so many, from that of its number on.
    pub const fn part(&self, part: usize) -> (Slide, usize) {
        let (slide, from) = (&self.slide, part * self.slide.step);
        let before = steps(slide.before.saturating_sub(from), self.dilation);
        let first = (from + before * self.dilation).saturating_sub(slide.before);
        let inputs = steps(slide.inputs.saturating_sub(first), self.dilation);
        let outputs = steps(slide.outputs.saturating_sub(part), self.apart);
        (Slide { taps: slide.taps, step: self.step, before, inputs, outputs }, first)
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
    pub parts: [Parts; 2],
    /// Whether neighbouring pixels of a part are one run.
    joined: bool,
}

impl Views {
    /// `None` where groups share channels, or a kernel is of one element, or too high, or rows are too long.
    pub const fn new(conv: &Conv2d, x: Shape) -> Option<Self> {
        let Some([rows, columns]) = Slide::both(&conv.window, x) else { return None };
        let [across, along] = conv.window.dilation;
        let parts = [Parts::of(&rows, across), Parts::of(&columns, along)];
        let turned = Self::seen(conv, x, parts, true);
        if across == 1 && along == 1 {
            return turned;
        }
        match (Self::seen(conv, x, parts, false), turned) {
            (Some(upright), Some(turned)) => {
                Some(if upright.cycles() <= turned.cycles() { upright } else { turned })
            }
            (None, other) | (other, None) => other,
        }
    }

    /// On its side or not.
    const fn seen(conv: &Conv2d, x: Shape, parts: [Parts; 2], turned: bool) -> Option<Self> {
        let ([across, along], [(rows, _), (columns, _)]) = (parts, [parts[0].part(0), parts[1].part(0)]);
        let (slides, beside) = if turned { ([columns, rows], &across) } else { ([rows, columns], &along) };
        let odd = beside.count() > 1 || slides[1].outputs % 2 == 1;
        let Some(lanes) = Lanes::over(conv, x, &slides[0], &slides[1], odd) else { return None };
        let touch = beside.dilation == 1 && (!turned || x.w == 1);
        let joined = lanes.channels == x.c as usize && touch;
        Some(Self { lanes, turned, parts, joined })
    }

    /// About so many cycles it takes.
    pub const fn cycles(&self) -> usize {
        self.parts[0].count() * self.parts[1].count() * (700 + self.lanes.cycles(self.joined))
    }

    /// Whether all is read before an output is written.
    pub const fn at_once(&self) -> bool {
        self.parts[0].count() * self.parts[1].count() * self.lanes.groups * self.lanes.height == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Bias, Padding};

    #[test]
    fn parts_are_what_the_taps_read() {
        for (stride, dilation, before, extent) in (1..=4).flat_map(|s| {
            (1..=5).flat_map(move |d| (0..=6).flat_map(move |p| (9..=14).map(move |n| (s, d, p, n))))
        }) {
            let mut window =
                Window::new(3, 1).dilation(dilation).padding(Padding { top: before, ..Padding::all(0) });
            window.stride[0] = stride;
            let Some([rows, _]) = Slide::both(&window, Shape::new(extent, 1, 1)) else { continue };
            let parts = Parts::of(&rows, dilation);
            let mut outputs = [0; 20];
            for number in 0..parts.count() {
                let (part, first) = parts.part(number);
                for i in 0..part.outputs {
                    let output = number + i * parts.apart;
                    outputs[output] += 1;
                    for tap in 0..3 {
                        let place = (output * rows.step + tap * parts.dilation).checked_sub(rows.before);
                        let seen =
                            (i * part.step + tap).checked_sub(part.before).filter(|&j| j < part.inputs);
                        assert_eq!(
                            place.filter(|&place| place < rows.inputs),
                            seen.map(|j| first + j * parts.dilation),
                            "output {output}, tap {tap} of {window:?} over {extent}"
                        );
                    }
                }
            }
            assert!(outputs[..rows.outputs].iter().all(|&times| times == 1), "{window:?} over {extent}");
        }
    }

    #[test]
    fn images_are_seen_in_the_cheaper_way() {
        let seen = |window: Window, x: Shape| {
            let conv = Conv2d { units: 16, window, groups: 1, span: x.c, bias: Bias::Channel };
            Views::new(&conv, x).map(|views| (views.turned, [0, 1].map(|axis| views.parts[axis].count())))
        };
        let image = Shape::new(12, 12, 4);
        assert_eq!(seen(Window::new(10, 1), image), Some((true, [1, 1])));
        let three = Window::new(3, 3).padding(Padding::all(2)).dilation(2);
        assert_eq!(seen(three, image), Some((false, [2, 2])));
        let mut strided = three;
        strided.stride = [2, 1];
        assert_eq!(seen(strided, image).map(|(_, parts)| parts), Some([1, 2]));
        assert_eq!(seen(Window::new(1, 1), image), None);
    }
}
