//! The unit of work of the last turn: some parameters, their gradient and their update.

use super::backward::{Learns, pack_rows};
use super::group::Group;
use super::optimiser::{Rule, Update};
use super::qat::{Round, Rounds, round_biases};
use super::weight_gradient::{Biases, ConvWeights, DepthWeights, Sight};
use crate::float::conv::{Conv, pack_quad};
use crate::float::gather::Quad;
use crate::float::plan::{Depth, Step};
use crate::float::simd::Isa;

/// Some parameters with all that belongs to them.
pub(crate) struct Share<'a> {
    /// Which of the node's weights or biases the first is.
    first: usize,
    parameters: &'a mut [f32],
    gradient: &'a mut [f32],
    state: [&'a mut [f32]; 2],
    rounds: Rounds<'a>,
}

impl<'a> Share<'a> {
    /// All parameters of a kind.
    pub(crate) fn new(
        parameters: &'a mut [f32],
        gradient: &'a mut [f32],
        state: &'a mut [Vec<f32>; 2],
        rounds: Rounds<'a>,
    ) -> Self {
        let [first, second] = state;
        Self { first: 0, parameters, gradient, state: [first, second], rounds }
    }

    /// Takes off the first `len`.
    pub(crate) fn split(&mut self, len: usize) -> Share<'a> {
        let first = self.first;
        self.first += len;
        Share {
            first,
            parameters: front(&mut self.parameters, len),
            gradient: front(&mut self.gradient, len),
            state: [front(&mut self.state[0], len), front(&mut self.state[1], len)],
            rounds: self.rounds.split(len),
        }
    }
}

/// Takes off the first `len`.
pub(crate) fn front<'a, T>(all: &mut &'a mut [T], len: usize) -> &'a mut [T] {
    let (front, rest) = std::mem::take(all).split_at_mut(len);
    *all = rest;
    front
}

/// Which parameters, and where kernels read them.
pub(crate) enum Part<'a> {
    /// Weights of up to four units of a convolution.
    Units {
        /// The convolution.
        conv: &'a Conv,
        /// The first unit.
        unit: usize,
        /// What the forward kernel reads.
        quads: &'a mut [Quad],
        /// What the backward kernel reads.
        rows: &'a mut [Quad],
    },
    /// Weights of a row of taps of a depthwise convolution.
    Row {
        /// The convolution.
        conv: &'a Depth,
        /// The row.
        row: usize,
        /// What kernels read.
        copy: &'a mut [f32],
    },
    /// Biases, and what kernels read.
    Bias(&'a mut [f32]),
    /// Gamma or beta, whose gradient is known.
    Known,
}

/// Some parameters, their gradient and their update.
pub(crate) struct Job<'a> {
    /// The node that they belong to.
    pub(crate) node: usize,
    pub(crate) learns: Learns,
    pub(crate) groups: &'a [Group],
    /// What the node's step saw, where it learns late.
    pub(crate) sights: &'a [Sight<'a>],
    pub(crate) part: Part<'a>,
    pub(crate) share: Share<'a>,
}

impl Job<'_> {
    /// Finds the gradient; applies a rule where one is given.
    pub(crate) fn run(&mut self, isa: Isa, rule: Option<Rule>) {
        let Self { sights, part, .. } = self;
        let Share { first, parameters, gradient, state: [one, two], rounds } = &mut self.share;
        if parameters.is_empty() {
            return;
        }
        match part {
            _ if self.learns == Learns::Early => {
                let kind = usize::from(matches!(part, Part::Bias(_)));
                gradient.fill(0.0);
                for group in self.groups {
                    let own = &group.shares[self.node][kind][*first..];
                    gradient.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
                }
            }
            Part::Units { conv, unit, .. } => {
                isa.run(ConvWeights { conv, sights, unit: *unit, gradient });
            }
            Part::Row { conv, row, .. } => isa.run(DepthWeights { conv, sights, row: *row, gradient }),
            Part::Bias(_) => isa.run(Biases { sights, gradient }),
            Part::Known => {}
        }
        if let Rounds::Weights(snap) = rounds {
            // What the operator read was steps of the input.
            gradient.iter_mut().for_each(|g| *g *= snap.weights.input);
        }
        let Some(rule) = rule else { return };
        isa.run(Update { rule, gradient, state: [one, two], parameters });
        let (ahead, back) = match rounds {
            Rounds::Not => (&**parameters, &**parameters),
            Rounds::Weights(snap) => {
                isa.run(Round { snap, master: parameters });
                (&*snap.whole, &*snap.real)
            }
            Rounds::Biases(weights, whole) => {
                round_biases(weights, parameters, whole);
                (&**parameters, &**parameters)
            }
        };
        match part {
            Part::Units { conv, quads, rows, .. } => {
                pack_quad(ahead, conv.fan_in(), quads);
                pack_rows(conv, back, rows);
            }
            Part::Row { copy, .. } | Part::Bias(copy) => copy.copy_from_slice(ahead),
            Part::Known => {}
        }
    }
}

/// What a step that learns late read in each group, and the gradient of what it wrote.
pub(crate) fn sights<'a>(
    step: Option<(&Step, Learns)>,
    groups: &'a [Group],
    buffers: &[usize],
) -> Vec<Sight<'a>> {
    let Some((step, Learns::Late)) = step else { return Vec::new() };
    let sight = |group: &'a Group| Sight {
        x: &group.values[step.reads[0]],
        g: &group.gradients[buffers[step.output]],
    };
    groups.iter().map(sight).collect()
}
