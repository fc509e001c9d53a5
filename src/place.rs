//! Where tensors lie in an arena, that of one sample or of many; and lengths that must agree.

use crate::ir::{Graph, Int, Tensor, TensorId};
use core::ops::Range;

/// An input or output whose length is not the model's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WrongLength {
    /// Elements the model has there.
    pub expected: usize,
    /// Elements given.
    pub given: usize,
}

impl WrongLength {
    /// Whether as many were given as expected.
    pub(crate) const fn check(expected: usize, given: usize) -> Result<(), Self> {
        if given == expected { Ok(()) } else { Err(Self { expected, given }) }
    }
}

impl std::fmt::Display for WrongLength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {} elements, got {}", self.expected, self.given)
    }
}

impl core::error::Error for WrongLength {}

/// Copies between slices of one length.
pub(crate) fn copy(from: &[i8], to: &mut [i8]) -> Result<(), WrongLength> {
    WrongLength::check(to.len(), from.len())?;
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
    Ok(())
}

/// For which samples a step is taken, and where an arena holds what is theirs.
pub(crate) trait Samples: Copy {
    /// Where their part of a tensor lies that has `len` bytes a sample, and would begin at `offset` in an arena of one.
    fn place(self, offset: usize, len: usize) -> Range<usize>;

    /// Where scratch lies, likewise.
    fn scratch(self, offset: usize, len: usize) -> Range<usize>;
}

/// The only one.
#[derive(Clone, Copy)]
pub(crate) struct Only;

impl Samples for Only {
    #[inline(always)]
    fn place(self, offset: usize, len: usize) -> Range<usize> {
        offset..offset.wrapping_add(len)
    }

    #[inline(always)]
    fn scratch(self, offset: usize, len: usize) -> Range<usize> {
        self.place(offset, len)
    }
}

/// Some of many, whose arena is that of one with every byte as often as there are samples: a tensor's place begins so
/// many times further on and holds that of each sample, back to back. What lay apart lies apart, and what lay in one
/// place still does.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// Samples in the arena.
    pub(crate) all: usize,
    /// The first of these.
    pub(crate) first: usize,
    /// How many these are.
    pub(crate) count: usize,
}

impl Samples for Part {
    fn place(self, offset: usize, len: usize) -> Range<usize> {
        let from = offset * self.all + self.first * len;
        from..from + self.count * len
    }

    /// Not one's own: what a step leaves there serves no other.
    fn scratch(self, offset: usize, len: usize) -> Range<usize> {
        let from = offset * self.all;
        from..from + self.count * len
    }
}

/// The bytes of a tensor; none if the arena does not hold them.
pub(crate) fn bytes<'m>(graph: &Graph<'_, Int>, id: TensorId, arena: &'m [i8]) -> &'m [i8] {
    place(graph, id, Only).and_then(|(_, place)| arena.get(place)).unwrap_or_default()
}

/// The bytes of a tensor, to be written.
pub(crate) fn bytes_mut<'m>(graph: &Graph<'_, Int>, id: TensorId, arena: &'m mut [i8]) -> &'m mut [i8] {
    place(graph, id, Only).and_then(|(_, place)| arena.get_mut(place)).unwrap_or_default()
}

/// A tensor and where it lies.
#[inline(always)]
pub(crate) fn place<'a>(
    graph: &Graph<'a, Int>,
    id: TensorId,
    samples: impl Samples,
) -> Option<(&'a Tensor<Int>, Range<usize>)> {
    let tensor = graph.tensors.get(id.at())?;
    Some((tensor, samples.place(tensor.meta.offset as usize, tensor.shape.len())))
}

/// Whether two places have no byte in common.
pub(crate) const fn lie_apart(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.end <= b.start || b.end <= a.start
}
