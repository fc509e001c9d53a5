//! From the weights that train, in f32, to those of the int8 net, after every step of the optimiser.

use zipnet::ir::Float;

use super::grid::{Grid, Weights};
use super::kernels::round;
use crate::float::conv::pack;
use crate::float::gather::Quad;
use crate::float::plan::{Plan, Work};
use crate::float::simd::{Isa, Kernel, Simd};
use crate::graph::Net;
use crate::train::job::front;

/// Below this whole numbers are exact in f32, and so are their sums.
const EXACT: f32 = 16_777_216.0;

/// No bias has more steps of its accumulator.
const MOST_BIAS: f64 = (1 << 29) as f64;

/// The numbers of a node that change with every step of the optimiser.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    /// Weights in steps.
    pub(crate) whole: Vec<f32>,
    /// The real numbers that these stand for.
    pub(crate) real: Vec<f32>,
    /// Biases in steps of the accumulators.
    pub(crate) bias: Vec<i32>,
    /// The weights' digits, the lowest first, where sums of whole weights could leave 24 bits; else none.
    pub(crate) parts: Vec<Part>,
}

/// One digit of every weight, as the forward kernels read it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// What it counts.
    pub(crate) by: i32,
    /// Of a convolution.
    pub(crate) quads: Vec<Quad>,
    /// Of a depthwise convolution.
    pub(crate) weights: Vec<f32>,
}

impl Numbers {
    /// The numbers of the weights and biases that train; the weights are held within what steps can say. `by_channel` as
    /// in [`Snap`].
    pub(crate) fn new(weights: &Weights, by_channel: bool, master: &mut [f32], bias: &[f32]) -> Self {
        let mut this = Self {
            whole: vec![0.0; master.len()],
            real: vec![0.0; master.len()],
            bias: vec![0; bias.len()],
            parts: Vec::new(),
        };
        let (whole, real) = (&mut this.whole[..], &mut this.real[..]);
        let snap = &mut Snap::new(weights, by_channel, whole, real);
        // Divisions and roundings alone: every instruction set gives the same.
        Isa::best().run(Round { snap, master });
        round_biases(weights, bias, &mut this.bias);
        this
    }

    /// Makes digits of the weights where their sums could leave 24 bits.
    pub(crate) fn settle(&mut self, weights: &Weights, work: &Work) {
        self.parts.clear();
        let channels = weights.scales.len();
        if (self.whole.len() / channels) as f32 * weights.levels * weights.reach < EXACT {
            return;
        }
        let digits = |values: &[f32]| {
            let mut sums = vec![0.0; channels];
            for (i, w) in values.iter().enumerate() {
                sums[if by_channel(work) { i % channels } else { i * channels / values.len() }] += w.abs();
            }
            sums.into_iter().fold(0.0, f32::max) * weights.reach < EXACT
        };
        if digits(&self.whole) {
            return;
        }
        for bits in [4, 2, 1] {
            let base = (1 << bits) as f32;
            let mut rest = self.whole.clone();
            let mut by = 1;
            let mut exact = true;
            self.parts.clear();
            while rest.iter().any(|&w| w != 0.0) {
                let digit: Vec<f32> = rest.iter().map(|w| w % base).collect();
                rest.iter_mut().for_each(|w| *w = (*w / base).trunc());
                exact &= digits(&digit);
                self.parts.push(Part::new(work, by, digit));
                by <<= bits;
            }
            if exact {
                return;
            }
        }
    }
}

impl Part {
    fn new(work: &Work, by: i32, digit: Vec<f32>) -> Self {
        match work {
            Work::Conv(conv) => Self { by, quads: pack(conv, &digit), weights: Vec::new() },
            _ => Self { by, quads: Vec::new(), weights: digit },
        }
    }
}

/// The greatest fan-in whose sums can be made exactly, of whatever weights.
pub(crate) fn most_fan_in(weights: &Weights) -> usize {
    (EXACT / weights.reach) as usize
}

/// Whether neighbouring weights belong to neighbouring channels, not to the same.
fn by_channel(work: &Work) -> bool {
    matches!(work, Work::Depthwise(_))
}

/// Where some of the parameters of a node go as steps.
pub(crate) enum Rounds<'a> {
    /// Nowhere: the net stays a float net.
    Not,
    /// They are weights.
    Weights(Snap<'a>),
    /// They are all of the node's biases.
    Biases(&'a Weights, &'a mut [i32]),
}

/// Where some weights of a node go.
pub(crate) struct Snap<'a> {
    /// All of the node's.
    pub(crate) weights: &'a Weights,
    /// Of the channels that these weights belong to.
    scales: &'a [f32],
    /// Whether neighbours belong to neighbouring channels.
    by_channel: bool,
    /// In steps.
    pub(crate) whole: &'a mut [f32],
    /// What these stand for.
    pub(crate) real: &'a mut [f32],
}

impl<'a> Snap<'a> {
    /// Of all weights of a node.
    pub(crate) fn new(
        weights: &'a Weights,
        by_channel: bool,
        whole: &'a mut [f32],
        real: &'a mut [f32],
    ) -> Self {
        Self { weights, scales: &weights.scales, by_channel, whole, real }
    }
}

impl<'a> Rounds<'a> {
    /// Takes off the first `len` parameters: of weights, those of whole channels or of one of each channel.
    pub(crate) fn split(&mut self, len: usize) -> Rounds<'a> {
        match self {
            Rounds::Not => Rounds::Not,
            Rounds::Weights(snap) => {
                let mut scales = snap.scales;
                if !snap.by_channel && !snap.whole.is_empty() {
                    (scales, snap.scales) = snap.scales.split_at(len * snap.scales.len() / snap.whole.len());
                }
                let Snap { weights, by_channel, .. } = *snap;
                let (whole, real) = (front(&mut snap.whole, len), front(&mut snap.real, len));
                Rounds::Weights(Snap { weights, scales, by_channel, whole, real })
            }
            Rounds::Biases(weights, whole) => Rounds::Biases(weights, front(whole, len)),
        }
    }
}

/// Holds weights within what steps can say, and rounds them to steps.
pub(crate) struct Round<'a, 'b> {
    pub(crate) snap: &'b mut Snap<'a>,
    pub(crate) master: &'b mut [f32],
}

impl Kernel for Round<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Snap { weights, scales, by_channel, whole, real } = self.snap;
        let levels = weights.levels;
        let each = if *by_channel { scales.len() } else { whole.len() / scales.len() };
        let rows = whole.chunks_exact_mut(each).zip(real.chunks_exact_mut(each));
        for (row, (master, (whole, real))) in self.master.chunks_exact_mut(each).zip(rows).enumerate() {
            for i in 0..each {
                let scale = scales[if *by_channel { i } else { row }];
                let w = master[i].clamp(-levels * scale, levels * scale);
                // As the quantiser rounds: in f64, ties away from 0.
                let n = round(f64::from(w) / f64::from(scale)) as f32;
                (master[i], whole[i], real[i]) = (w, n, n * scale);
            }
        }
    }
}

/// Biases to steps of the accumulators.
pub(crate) fn round_biases(weights: &Weights, bias: &[f32], whole: &mut [i32]) {
    let channels = weights.scales.len();
    for (i, (&b, whole)) in bias.iter().zip(whole).enumerate() {
        *whole = (f64::from(b) / weights.step(i % channels)).round().clamp(-MOST_BIAS, MOST_BIAS) as i32;
    }
}

/// The numbers of every node of a net.
pub(crate) fn all(grid: &Grid, plan: &Plan, net: &mut Net<Float>) -> Vec<Numbers> {
    let mut numbers = vec![Numbers::default(); net.nodes.len()];
    for step in &plan.steps {
        if let Some(weights) = &grid.nodes[step.node].weights {
            let store = &mut net.nodes[step.node].store;
            let own = &mut numbers[step.node];
            *own = Numbers::new(weights, by_channel(&step.work), &mut store.weights, &store.bias);
            own.settle(weights, &step.work);
        }
    }
    numbers
}
