//! A model of a firmware: a table known when it is compiled, an arena, and the calls a user makes.

use crate::arch::Cpu;
use crate::engine::run;
use crate::ir::{Graph, Int, Tensor, Uses};
use crate::place::{WrongLength, bytes, bytes_mut, copy};
use crate::step::Linked;
use crate::stream::{Rows, Stream};
use core::marker::PhantomData;

/// A network that an [`Engine`] runs. The exporter writes the implementation; it names two things.
pub trait Model {
    /// Memory for what flows between operators.
    type Arena: Memory;
    /// The network.
    const GRAPH: &'static Graph<'static, Int>;
    /// A first layer that reads the input row by row ([`Stream`]), as a graph of its own whose output is the input of
    /// [`Model::GRAPH`]; none where the whole input lies in memory.
    const HEAD: Option<&'static Graph<'static, Int>> = None;
    /// The kernels it needs; no others are linked. To leave one out that the graph needs does not compile:
    ///
    /// ```compile_fail,E0080
    /// # use zipnet::{ir::*, Arena, Engine, Model};
    /// # static TENSORS: [Tensor<Int>; 2] =
    /// #     [Tensor { shape: Shape::flat(8), meta: IntTensor { scale: 1.0, zero: 0, offset: 0 } }; 2];
    /// # static NODES: [Node<'static, Int>; 1] = [Node {
    /// #     op: Op::Relu,
    /// #     inputs: &[TensorId(0)],
    /// #     output: TensorId(1),
    /// #     data: IntData { requant: &[Requant::new(1 << 30, 1)], ..IntData::NONE },
    /// # }];
    /// # static GRAPH: Graph<'static, Int> =
    /// #     Graph { name: "relu", tensors: &TENSORS, nodes: &NODES, input: TensorId(0), output: TensorId(1) };
    /// struct Positive;
    /// impl Model for Positive {
    ///     type Arena = Arena<8>;
    ///     const GRAPH: &'static Graph<'static, Int> = &GRAPH; // a relu
    ///     const USES: Uses = Uses::NONE;
    /// }
    /// let engine = Engine::<Positive>::new();
    /// ```
    const USES: Uses = uses(Self::GRAPH, Self::HEAD);
}

/// The kernels of a graph and its head.
const fn uses(graph: &Graph<'_, Int>, head: Option<&Graph<'_, Int>>) -> Uses {
    match head {
        Some(head) => {
            let (x, node) = (head.tensor(head.input).shape, &head.nodes[0]);
            graph.uses().with(&node.op, x, node.data.packing, node.data.scratch.len as usize)
        }
        None => graph.uses(),
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Memory an engine can work in; implemented by [`Arena`].
pub trait Memory: sealed::Sealed {
    /// Number of bytes.
    const LEN: usize;
    /// All zeros.
    const ZEROED: Self;
    /// The bytes.
    fn bytes(&self) -> &[i8];
    /// The bytes, to be written.
    fn bytes_mut(&mut self) -> &mut [i8];
}

/// `N` bytes, aligned to 16.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Arena<const N: usize>([i8; N]);

impl<const N: usize> sealed::Sealed for Arena<N> {}

impl<const N: usize> Memory for Arena<N> {
    const LEN: usize = N;
    const ZEROED: Self = Self([0; N]);

    fn bytes(&self) -> &[i8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> &mut [i8] {
        &mut self.0
    }
}

/// A model and its memory.
///
/// ```compile_fail,E0080
/// # use zipnet::{ir::*, Arena, Engine, Model};
/// # static TENSORS: [Tensor<Int>; 1] =
/// #     [Tensor { shape: Shape::flat(8), meta: IntTensor { scale: 1.0, zero: 0, offset: 0 } }];
/// static GRAPH: Graph<'static, Int> =
///     Graph { name: "eight bytes", tensors: &TENSORS, nodes: &[], input: TensorId(0), output: TensorId(0) };
/// struct Tiny;
/// impl Model for Tiny {
///     type Arena = Arena<4>; // too small: does not compile
///     const GRAPH: &'static Graph<'static, Int> = &GRAPH;
/// }
/// let engine = Engine::<Tiny>::new();
/// ```
#[derive(Debug)]
pub struct Engine<M: Model> {
    arena: M::Arena,
}

/// The kernels of a model.
struct Of<M>(PhantomData<M>);

impl<M: Model> Linked for Of<M> {
    const USES: Uses = M::USES;
}

impl<M: Model> Engine<M> {
    /// Shape, scale and zero point of the input.
    pub const INPUT: Tensor<Int> = match M::HEAD {
        Some(head) => *head.tensor(head.input),
        None => *M::GRAPH.tensor(M::GRAPH.input),
    };
    /// Shape, scale and zero point of the output.
    pub const OUTPUT: Tensor<Int> = *M::GRAPH.tensor(M::GRAPH.output);
    /// Multiplications by a weight in one inference.
    pub const MACS: u64 = match M::HEAD {
        Some(head) => head.macs() + M::GRAPH.macs(),
        None => M::GRAPH.macs(),
    };

    /// Memory set to zero. `const`, so that an engine can be a `static`.
    ///
    /// A graph that is not legal in its arena, or whose `USES` leave out a kernel, does not compile.
    pub const fn new() -> Self {
        const {
            M::GRAPH.check(M::Arena::LEN);
            if let Some(head) = M::HEAD {
                head.check_head(M::GRAPH, M::Arena::LEN);
            }
            assert!(M::USES.covers(uses(M::GRAPH, M::HEAD)), "USES leaves out a kernel that the graph needs");
        }
        Self { arena: M::Arena::ZEROED }
    }

    /// Where the next input goes, `[h][w][c]`. [`Engine::infer`] may overwrite it. A model that reads its input row by row
    /// has no such place: then this does not compile.
    pub fn input_mut(&mut self) -> &mut [i8] {
        const { assert!(M::HEAD.is_none(), "the model reads its input row by row: see Engine::stream") };
        self.entry_mut()
    }

    /// The input of the graph.
    fn entry_mut(&mut self) -> &mut [i8] {
        bytes_mut(M::GRAPH, M::GRAPH.input, self.arena.bytes_mut())
    }

    /// One inference over what was loaded; returns the scores.
    pub fn infer(&mut self) -> &[i8] {
        self.observe(|_, _| {})
    }

    /// The same, and shows the output of every node, by index, as soon as it is there.
    #[inline(always)]
    pub fn observe(&mut self, see: impl FnMut(usize, &[i8])) -> &[i8] {
        run::<Of<M>>(Cpu::fastest(), M::GRAPH, self.arena.bytes_mut(), see);
        bytes(M::GRAPH, M::GRAPH.output, self.arena.bytes())
    }

    /// One inference over `input`; returns the scores.
    ///
    /// # Errors
    /// When the input has not as many elements as the model's.
    pub fn run(&mut self, input: &[i8]) -> Result<&[i8], WrongLength> {
        self.load(input)?;
        Ok(self.infer())
    }

    /// Brings an input to where [`Engine::infer`] expects it; of a model that reads its input row by row, runs the first
    /// layer.
    ///
    /// # Errors
    /// When the input has not as many elements as the model's.
    pub fn load(&mut self, input: &[i8]) -> Result<(), WrongLength> {
        if M::HEAD.is_none() {
            return copy(input, self.entry_mut());
        }
        WrongLength::check(Self::INPUT.shape.len(), input.len())?;
        let mut rows = Rows::default();
        input.chunks(Self::INPUT.shape.row().max(1)).try_for_each(|row| self.push_row(&mut rows, row))
    }

    /// Begins an inference whose input comes row by row. Any model takes it so; one exported for it (`--stream`) keeps
    /// no more of the rows than it needs, and computes while they come.
    pub fn stream(&mut self) -> Stream<'_, M> {
        Stream::new(self)
    }

    pub(crate) fn push_row(&mut self, rows: &mut Rows, row: &[i8]) -> Result<(), WrongLength> {
        match M::HEAD {
            Some(head) => rows.push::<Of<M>>(Cpu::fastest(), head, self.arena.bytes_mut(), row),
            None => rows.keep(Self::INPUT.shape, self.entry_mut(), row),
        }
    }

    /// One inference over `input`; returns the class with the greatest score.
    ///
    /// # Errors
    /// When the input has not as many elements as the model's.
    pub fn classify(&mut self, input: &[i8]) -> Result<Class, WrongLength> {
        self.run(input).map(Class::best)
    }
}

impl<M: Model> Default for Engine<M> {
    fn default() -> Self {
        Self::new()
    }
}

/// An input and what the network must make of it, byte for byte; made where the table was exported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Golden {
    /// As for [`Engine::run`].
    pub input: &'static [i8],
    /// What it must return.
    pub output: &'static [i8],
    /// The class the input belongs to, whatever the network makes of it.
    pub label: u16,
}

/// An answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Class {
    /// Which output.
    pub index: usize,
    /// Its score, at the scale and zero point of the output.
    pub score: i8,
}

impl Class {
    /// The greatest score, the first of equals; index 0 and score -128 for no scores.
    pub fn best(scores: &[i8]) -> Self {
        let mut best = Self { index: 0, score: i8::MIN };
        for (index, &score) in scores.iter().enumerate() {
            if score > best.score {
                best = Self { index, score };
            }
        }
        best
    }
}

/// Index of the greatest score, the first of equals; 0 for no scores.
pub fn argmax(scores: &[i8]) -> usize {
    Class::best(scores).index
}

/// The `N` greatest scores, greatest first, equals in the order of their index; fewer where there are fewer.
pub fn top<const N: usize>(scores: &[i8]) -> heapless::Vec<Class, N> {
    let mut top = heapless::Vec::<Class, N>::new();
    for (index, &score) in scores.iter().enumerate() {
        let rank = top.iter().take_while(|class| class.score >= score).count();
        if top.is_full() && rank < N {
            top.pop();
        }
        // Refused when it ranks behind a full list.
        let _ = top.insert(rank, Class { index, score });
    }
    top
}

/// Bytes of an image as int8: each less 128. Scale stays, the zero point goes down by 128 too, so that black at zero
/// point 0 becomes -128 at zero point -128.
///
/// # Errors
/// When the slices differ in length.
pub fn from_u8(pixels: &[u8], to: &mut [i8]) -> Result<(), WrongLength> {
    WrongLength::check(to.len(), pixels.len())?;
    to.iter_mut().zip(pixels).for_each(|(to, &pixel)| *to = (pixel ^ 0x80) as i8);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::prelude::v1::*;

    #[test]
    fn the_best_is_the_first_of_equals() {
        assert_eq!(argmax(&[-128, -128]), 0);
        assert_eq!(argmax(&[1, 5, 5, 2]), 1);
        assert_eq!(Class::best(&[-3, -2]), Class { index: 1, score: -2 });
        assert_eq!(argmax(&[]), 0);
    }

    #[test]
    fn the_top_are_those_of_a_stable_sort() {
        for seed in 0..200u32 {
            let scores: Vec<i8> = (0..seed % 9).map(|i| (seed.wrapping_mul(i + 7) % 5) as i8 - 2).collect();
            let mut sorted: Vec<Class> =
                scores.iter().enumerate().map(|(index, &score)| Class { index, score }).collect();
            sorted.sort_by_key(|class| std::cmp::Reverse(class.score));
            sorted.truncate(3);
            assert_eq!(top::<3>(&scores).as_slice(), sorted, "{scores:?}");
            assert!(top::<0>(&scores).is_empty());
        }
    }

    #[test]
    fn bytes_become_int8_in_order() {
        let pixels: Vec<u8> = (0..=255).collect();
        let mut got = vec![0; 256];
        from_u8(&pixels, &mut got).unwrap();
        assert!(got.iter().copied().eq(i8::MIN..=i8::MAX));
        assert_eq!(from_u8(&pixels[1..], &mut got), Err(WrongLength { expected: 256, given: 255 }));
    }
}
