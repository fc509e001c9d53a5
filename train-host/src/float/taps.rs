//! Which source rows and columns each destination row and column reads, worked out once.
//!
//! A window that slides over an input, and the same window run backwards over the gradient of its output, are both
//! "every destination element sums over taps, each of which reads one source element". Along one axis that is a
//! list of `(tap, source)` for each destination; border taps are simply not in the list, so no kernel tests for
//! borders and none multiplies by them.

use zipnet::ir::Window;

/// One tap of one destination along an axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tap {
    /// Index in the kernel.
    pub(crate) tap: usize,
    /// Index of the source.
    pub(crate) source: usize,
}

/// The taps of each destination along an axis, in rising order.
pub(crate) type Axis = Vec<Vec<Tap>>;

/// One axis of a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slide {
    /// Length of the input.
    pub(crate) input: usize,
    /// Length of the output.
    pub(crate) output: usize,
    /// Taps.
    pub(crate) kernel: usize,
    /// From one output to the next.
    pub(crate) stride: usize,
    /// From one tap to the next.
    pub(crate) dilation: usize,
    /// Border before the input.
    pub(crate) before: usize,
}

impl Slide {
    /// The rows of a window over `input` rows.
    pub(crate) fn rows(window: &Window, input: u16, output: u16) -> Self {
        Self::axis(window, 0, window.padding.top, input, output)
    }

    /// The columns of a window over `input` columns.
    pub(crate) fn columns(window: &Window, input: u16, output: u16) -> Self {
        Self::axis(window, 1, window.padding.left, input, output)
    }

    fn axis(window: &Window, axis: usize, before: u16, input: u16, output: u16) -> Self {
        Self {
            input: input.into(),
            output: output.into(),
            kernel: window.kernel[axis].into(),
            stride: window.stride[axis].into(),
            dilation: window.dilation[axis].into(),
            before: before.into(),
        }
    }

    /// The input that tap `tap` of output `o` reads, unless it is border.
    fn input_of(&self, o: usize, tap: usize) -> Option<usize> {
        let i = (o * self.stride + tap * self.dilation).checked_sub(self.before)?;
        (i < self.input).then_some(i)
    }

    /// For each output, the inputs it reads.
    pub(crate) fn forward(&self) -> Axis {
        (0..self.output)
            .map(|o| {
                (0..self.kernel).filter_map(|tap| Some(Tap { tap, source: self.input_of(o, tap)? })).collect()
            })
            .collect()
    }

    /// For each input, the outputs that read it.
    pub(crate) fn backward(&self) -> Axis {
        let mut axis = vec![Vec::new(); self.input];
        for tap in 0..self.kernel {
            for o in 0..self.output {
                if let Some(i) = self.input_of(o, tap) {
                    axis[i].push(Tap { tap, source: o });
                }
            }
        }
        axis
    }

    /// The outputs for which a tap is not border.
    pub(crate) fn valid(&self, tap: usize) -> Valid {
        let inside = |o: &usize| self.input_of(*o, tap).is_some();
        let first = (0..self.output).find(inside).unwrap_or(self.output);
        let count = (first..self.output).take_while(inside).count();
        Valid { first, count, input: self.input_of(first, tap).unwrap_or(0) }
    }
}

/// Consecutive outputs for which a tap is not border.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Valid {
    /// The first output.
    pub(crate) first: usize,
    /// Their number.
    pub(crate) count: usize,
    /// The input that the first of them reads.
    pub(crate) input: usize,
}

/// Columns of the destination, `step` apart, that have the same taps; their sources move on by [`Columns::shift`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Columns {
    /// First column.
    pub(crate) first: usize,
    /// From one column to the next.
    pub(crate) step: usize,
    /// Number of columns; from 1 to [`Columns::MOST`].
    pub(crate) count: usize,
    /// Taps of the first column.
    pub(crate) taps: Vec<Tap>,
    /// Added to the sources from one column to the next.
    pub(crate) shift: usize,
}

impl Columns {
    /// The most columns of a list: so many that what is worked out for all of them costs little, so few that their
    /// elements stay near.
    pub(crate) const MOST: usize = 4;

    /// Groups the destinations of an axis. `step` and `shift` as in the fields: of a window run forward, 1 and its
    /// stride; run backward, its stride and 1 (exactly so when the dilation is 1; else blocks are single columns
    /// wherever the lists disagree).
    pub(crate) fn group(axis: &[Vec<Tap>], step: usize, shift: usize) -> Vec<Self> {
        let mut done = vec![false; axis.len()];
        let mut all = Vec::new();
        for first in 0..axis.len() {
            if done[first] {
                continue;
            }
            let follows = |n: usize| {
                let x = first + n * step;
                x < axis.len()
                    && !done[x]
                    && axis[x].len() == axis[first].len()
                    && axis[x]
                        .iter()
                        .zip(&axis[first])
                        .all(|(a, b)| a.tap == b.tap && a.source == b.source + n * shift)
            };
            let count = (1..Self::MOST).find(|&n| !follows(n)).unwrap_or(Self::MOST);
            for n in 0..count {
                done[first + n * step] = true;
            }
            all.push(Self { first, step, count, taps: axis[first].clone(), shift });
        }
        all
    }
}

/// A [`Columns`] of one row of the destination, with taps and pixels of the whole window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Patch {
    /// The first pixel of the destination.
    pub(crate) first: usize,
    /// From one pixel to the next.
    pub(crate) step: usize,
    /// Number of pixels; from 1 to [`Columns::MOST`].
    pub(crate) count: usize,
    /// Taps of the first pixel, each with a pixel of the source.
    pub(crate) taps: Vec<Tap>,
    /// Added to the sources from one pixel to the next.
    pub(crate) shift: usize,
}

impl Patch {
    /// The outputs of a window, and the inputs that they read.
    pub(crate) fn forward(rows: &Slide, columns: &Slide) -> Vec<Self> {
        let across = Columns::group(&columns.forward(), 1, columns.stride);
        Self::all(&rows.forward(), &across, columns.kernel, columns.input, columns.output)
    }

    /// The inputs of a window, and the outputs that read them.
    pub(crate) fn backward(rows: &Slide, columns: &Slide) -> Vec<Self> {
        let across = Columns::group(&columns.backward(), columns.stride, 1);
        Self::all(&rows.backward(), &across, columns.kernel, columns.output, columns.input)
    }

    /// Every row with every list of columns; `source` and `dest` are columns.
    fn all(rows: &[Vec<Tap>], across: &[Columns], row_taps: usize, source: usize, dest: usize) -> Vec<Self> {
        let pair =
            |r: &Tap, c: &Tap| Tap { tap: r.tap * row_taps + c.tap, source: r.source * source + c.source };
        let mut all = Vec::new();
        for (y, row) in rows.iter().enumerate() {
            for Columns { first, step, count, taps, shift } in across {
                all.push(Self {
                    first: y * dest + first,
                    step: *step,
                    count: *count,
                    taps: row.iter().flat_map(|r| taps.iter().map(move |c| pair(r, c))).collect(),
                    shift: *shift,
                });
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Slide = Slide { input: 8, output: 4, kernel: 5, stride: 2, dilation: 1, before: 2 };

    fn pairs(axis: &[Vec<Tap>]) -> Vec<Vec<(usize, usize)>> {
        axis.iter().map(|taps| taps.iter().map(|t| (t.tap, t.source)).collect()).collect()
    }

    #[test]
    fn border_taps_are_left_out() {
        let forward = pairs(&FIVE.forward());
        assert_eq!(forward[0], [(2, 0), (3, 1), (4, 2)]);
        assert_eq!(forward[3], [(0, 4), (1, 5), (2, 6), (3, 7)]);
        assert_eq!(FIVE.valid(0), Valid { first: 1, count: 3, input: 0 });
        assert_eq!(FIVE.valid(4), Valid { first: 0, count: 3, input: 2 });
    }

    #[test]
    fn backward_lists_the_same_pairs_the_other_way() {
        for dilation in [1, 2, 3] {
            let slide = Slide { dilation, input: 9, ..FIVE };
            let mut seen = Vec::new();
            for (o, taps) in slide.forward().iter().enumerate() {
                seen.extend(taps.iter().map(|t| (o, t.tap, t.source)));
            }
            let mut back = Vec::new();
            for (i, taps) in slide.backward().iter().enumerate() {
                back.extend(taps.iter().map(|t| (t.source, t.tap, i)));
            }
            back.sort_unstable();
            assert_eq!(seen, back);
        }
    }

    #[test]
    fn columns_cover_each_destination_once() {
        for (axis, step, shift) in [(FIVE.forward(), 1, 2), (FIVE.backward(), 2, 1)] {
            let groups = Columns::group(&axis, step, shift);
            assert!(groups.iter().any(|g| g.count > 1));
            let mut seen = vec![0; axis.len()];
            for g in &groups {
                for n in 0..g.count {
                    seen[g.first + n * g.step] += 1;
                    for (a, b) in axis[g.first + n * g.step].iter().zip(&g.taps) {
                        assert_eq!((a.tap, a.source), (b.tap, b.source + n * g.shift));
                    }
                }
            }
            assert_eq!(seen, vec![1; axis.len()]);
        }
    }
}
