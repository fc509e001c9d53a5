//! Quantisation-aware training: an int8 net that learns.
//!
//! The net runs forward in the engine's own arithmetic: weights, activations and biases are whole numbers, sums are exact,
//! and every requantisation rounds as the engine does it, so that each tensor is equal, byte for byte, to what the engine
//! makes of the same weights. Backward the rounding is passed straight through, as if it were not there (Bengio et al.
//! 2013, arXiv 1308.3432); an output at an end of its clamp passes nothing. The gradients move weights and biases in f32,
//! which are rounded anew after every step (Jacob et al. 2018, arXiv 1712.05877).
//!
//! | | forward | backward |
//! |---|---|---|
//! | tensor | steps from its zero point | gradient of the real value |
//! | weight | steps, -127 to 127 or -7 to 7 | real value of the steps |
//! | weights that train | rounded to steps, and held within them | gradient of the real weight |
//!
//! Scales and zero points are those that calibration found, and stay. Weights begin as the folded float ones, held within
//! the range of the steps chosen for them; biases as those of the int8 net, with what calibration corrected.

mod grid;
mod kernels;
#[cfg(test)]
mod tests;
mod weights;

use zipnet::ir::{Float, Real};

use self::grid::{Finish, Grid};
use self::kernels::{
    Cut, Enter, Gain, Hold, LookUp, Mean, Rescale, Softmax, Sum, TanhSlope, Times, Weighted, Whole,
};
pub(super) use self::weights::{Round, Rounds, Snap, round_biases};
use super::backward::{Back, View, pack_rows};
use super::model::Model;
use super::pullback::{Part, SoftmaxBack};
use crate::float::conv::pack;
use crate::float::depthwise::Depthwise;
use crate::float::gather::{Gather, Quad, Start};
use crate::float::lanes::Lanes;
use crate::float::plan::{Numbers, Step, Work};
use crate::float::pointwise::Function;
use crate::float::simd::Isa;
use crate::graph::{FloatStore, Net};
use crate::quantise::Quantised;
use crate::quantise::factors::{folded_bias, prove_accumulator};
use crate::quantise::fold::weights_of;
use crate::{Error, Result};

/// What makes a [`Model`] run as its int8 net.
#[derive(Debug)]
pub(super) struct Aware {
    grid: Grid,
    /// Weights in steps; one for each node.
    pub(super) nodes: Vec<weights::Numbers>,
    /// What depthwise convolutions read backward; one for each node.
    pub(super) back: Vec<Numbers>,
    /// Real value of a step of the outputs that the loss reads.
    pub(super) output: f32,
}

/// What a group of samples needs besides.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Sums made in parts.
    wide: Vec<Whole>,
    /// Outputs as real numbers.
    pub(super) real: Vec<Lanes>,
}

impl Aware {
    /// Makes `model`, whose net is [`master`]'s, run as an int8 net that begins as `start` over samples less `origin`.
    ///
    /// # Errors
    /// Names the operator whose sums cannot be made exactly.
    pub(super) fn begin(model: &mut Model, start: &Quantised, origin: f32) -> Result<()> {
        let grid = Grid::new(start, origin)?;
        for (node, of) in model.net.nodes.iter().zip(&grid.nodes) {
            if let Some(weights) = &of.weights {
                let (fan_in, most) =
                    (node.store.weights.len() / weights.scales.len(), weights::most_fan_in(weights));
                if fan_in > most {
                    return Err(Error::new(format!(
                        "layer {:?} ({}) sums {fan_in} products; training in int8 is exact up to {most}",
                        node.name,
                        node.op.name()
                    )));
                }
            }
        }
        let nodes = weights::all(&grid, &model.plan, &mut model.net);
        let mut back = vec![Numbers::default(); nodes.len()];
        for step in &model.plan.steps {
            let (own, numbers) = (&nodes[step.node], &mut model.numbers[step.node]);
            if let Work::Conv(conv) = &step.work {
                numbers.quads = pack(conv, &own.whole);
                pack_rows(conv, &own.real, &mut model.rows[step.node]);
            } else if let Work::Depthwise(_) = &step.work {
                numbers.weights.clone_from(&own.whole);
                back[step.node].weights.clone_from(&own.real);
            }
        }
        let output = grid.scale_of(&model.plan, model.outputs);
        model.aware = Some(Self { grid, nodes, back, output });
        Ok(())
    }

    /// Samples to steps.
    pub(super) fn enter(&self, isa: Isa, values: &mut [Lanes]) {
        isa.run(Enter { grid: self.grid.input, origin: self.grid.origin, values });
    }

    /// Outputs as the loss reads them.
    pub(super) fn leave(&self, isa: Isa, values: &[Lanes], scratch: &mut Scratch) {
        scratch.real.resize(values.len(), Lanes::ZERO);
        isa.run(Times(self.output, values, &mut scratch.real));
    }

    /// Computes the output of a step for a group of samples.
    pub(super) fn forward(
        &self,
        isa: Isa,
        step: &Step,
        numbers: &[Numbers],
        values: &mut [Vec<Lanes>],
        scratch: &mut Scratch,
    ) {
        let finish = &self.grid.nodes[step.node].finish;
        let mut dest = std::mem::take(&mut values[step.writes]);
        let (y, x) = (&mut dest[..], |i: usize| &values[step.reads[i]][..]);
        match (finish, &step.work) {
            (Finish::Weighted(requant, end), work) => {
                let own = &self.nodes[step.node];
                let Numbers { quads, weights, .. } = &numbers[step.node];
                scratch.wide.clear();
                if own.parts.is_empty() {
                    sums(isa, work, quads, weights, x(0), y);
                } else {
                    scratch.wide.resize(y.len(), [0; _]);
                    for part in &own.parts {
                        sums(isa, work, &part.quads, &part.weights, x(0), y);
                        isa.run(Gain { sums: y, by: part.by, wide: &mut scratch.wide });
                    }
                }
                isa.run(Weighted { wide: &scratch.wide, bias: &own.bias, requant, end: *end, values: y });
            }
            (Finish::Sum(requant, end), _) => {
                isa.run(Sum { requant: *requant, end: *end, a: x(0), b: x(1), dest: y });
            }
            (Finish::Mean(end), Work::AvgPool(map)) => {
                isa.run(Mean { map, end: *end, source: x(0), dest: y });
            }
            (Finish::Rescale(by, end), _) => {
                isa.run(Rescale { by: *by, end: *end, source: x(0), dest: y });
            }
            (Finish::Table(table, zero), _) => {
                isa.run(LookUp { table, zero: *zero, source: x(0), dest: y });
            }
            (Finish::Softmax(by), Work::Softmax(channels)) => {
                isa.run(Softmax { channels: *channels, by: *by, source: x(0), dest: y });
            }
            (Finish::Greatest(_) | Finish::Moved | Finish::Mean(_) | Finish::Softmax(_), _) => {
                values[step.writes] = dest;
                step.forward(isa, numbers, values);
                if let Finish::Greatest(end) = finish {
                    isa.run(Hold(end.steps(), &mut values[step.writes]));
                }
                return;
            }
        }
        values[step.writes] = dest;
    }

    /// As [`Step::backward`], straight through what rounds.
    pub(super) fn backward(
        &self,
        isa: Isa,
        step: &Step,
        back: &Back,
        rows: &[Vec<Quad>],
        mut view: View<'_>,
    ) {
        let node = &self.grid.nodes[step.node];
        let own = view.buffers[step.output];
        let y = &view.values[step.writes][..];
        if let Some(ends) = node.cut {
            isa.run(Cut { ends, y, g: &mut view.gradients[own] });
        }
        match &step.work {
            Work::Apply(function) => {
                let mut g = std::mem::take(&mut view.gradients[own]);
                if *function == Function::Tanh {
                    isa.run(TanhSlope { scale: node.scale, y, g: &mut g });
                }
                step.hand_on(isa, back, &mut view, 0, Part::whole(&g));
                view.gradients[own] = g;
            }
            Work::Softmax(channels) => {
                let g = std::mem::take(&mut view.gradients[own]);
                let mut real = vec![Lanes::ZERO; y.len()];
                isa.run(Times(node.scale, y, &mut real));
                if let Some(dest) = step.summed(back, &mut view) {
                    isa.run(SoftmaxBack { channels: *channels, y: &real, g: &g, dest });
                }
                view.gradients[own] = g;
            }
            Work::Conv(_) | Work::Depthwise(_) | Work::MaxPool(_) | Work::AvgPool(_) | Work::Add { .. } => {
                step.backward(isa, back, &self.back, rows, view);
            }
            Work::Concat(_) | Work::Shuffle { .. } | Work::BatchNorm { .. } => {
                step.backward(isa, back, &self.back, rows, view);
            }
            Work::Frame(_) | Work::Dropout { .. } => {} // of float nets in training
        }
    }

    /// Looks after sums that could leave 24 bits, after the weights have moved.
    pub(super) fn settle(&mut self, steps: &[Step]) {
        for step in steps {
            if let Some(weights) = &self.grid.nodes[step.node].weights {
                self.nodes[step.node].settle(weights, &step.work);
            }
        }
    }

    /// Where each node's weights and biases go as steps.
    pub(super) fn rounds(&mut self) -> Vec<[Rounds<'_>; 2]> {
        let Self { grid, nodes, back, .. } = self;
        let all = grid.nodes.iter().zip(nodes).zip(back);
        all.map(|((of, own), back)| {
            let Some(weights) = &of.weights else { return [Rounds::Not, Rounds::Not] };
            let by_channel = !back.weights.is_empty();
            let real = if by_channel { &mut back.weights } else { &mut own.real };
            let snap = Snap::new(weights, by_channel, &mut own.whole, real);
            [Rounds::Weights(snap), Rounds::Biases(weights, &mut own.bias)]
        })
        .collect()
    }
}

/// Sums of products alone.
fn sums(isa: Isa, work: &Work, quads: &[Quad], weights: &[f32], source: &[Lanes], dest: &mut [Lanes]) {
    let (start, relu) = (Start::Zero, false);
    if let Work::Conv(conv) = work {
        isa.run(Gather { map: &conv.map, weights: quads, start, relu, source, dest });
    } else if let Work::Depthwise(conv) = work {
        isa.run(Depthwise { map: &conv.map, weights, start, relu, source, dest });
    }
}

/// The float net whose weights train: one operator for each of the int8 net `start`.
pub(super) fn master(start: &Quantised) -> Result<Net<Float>> {
    let int = &start.net;
    let mut net = Net::<Float>::new(&int.name, int.input_shape(), Real::default());
    for (node, scales) in int.nodes.iter().zip(&start.scales) {
        let mut store = FloatStore::default();
        if let Some(folded) = start.folded.nodes.iter().find(|folded| folded.name == node.name)
            && !scales.is_empty()
        {
            let input = int.tensors[node.inputs[0].at()].meta;
            let (channels, int) = (scales.len(), &node.store);
            let sum = |c| {
                weights_of(&node.op, c, channels, int.weights.len()).map(|i| i64::from(int.weights[i])).sum()
            };
            let sums: Vec<i64> = (0..channels).map(sum).collect();
            store.weights.clone_from(&folded.store.weights);
            let bias = int.bias.iter().enumerate().map(|(i, &bias)| {
                let whole = i64::from(bias) + i64::from(input.zero) * sums[i % channels];
                (whole as f64 * f64::from(input.scale) * f64::from(scales[i % channels])) as f32
            });
            store.bias = bias.collect();
        }
        net.push(&node.name, node.op, &node.inputs, Real::default(), store)?;
        if node.output == int.output {
            net.output = node.output;
        }
    }
    net.output = int.output;
    Ok(net)
}

/// The int8 net of the weights of `master` after training: what [`Aware`] ran forward, as the engine reads it.
///
/// # Errors
/// Names the operator whose accumulators could overflow.
pub(super) fn finish(mut start: Quantised, origin: f32, master: &Net<Float>) -> Result<Quantised> {
    let grid = Grid::new(&start, origin)?;
    for ((node, of), float) in start.net.nodes.iter_mut().zip(&grid.nodes).zip(&master.nodes) {
        let Some(weights) = &of.weights else { continue };
        let (mut real, bias) = (float.store.weights.clone(), &float.store.bias);
        let by_channel = matches!(node.op, zipnet::ir::Op::DepthwiseConv2d(_));
        let numbers = weights::Numbers::new(weights, by_channel, &mut real, bias);
        let zero = start.net.tensors[node.inputs[0].at()].meta.zero;
        let (channels, store) = (weights.scales.len(), &mut node.store);
        store.weights = numbers.whole.iter().map(|&w| w as i8).collect();
        let at_fault = |e: Error| Error::new(format!("layer {:?} ({}): {e}", node.name, node.op.name()));
        for (i, &bias) in numbers.bias.iter().enumerate() {
            let of_channel = || weights_of(&node.op, i % channels, channels, store.weights.len());
            let weights = || of_channel().map(|i| store.weights[i]);
            let folded = folded_bias(bias.into(), zero, weights()).map_err(at_fault)?;
            prove_accumulator(folded, weights(), store.requant[i % channels]).map_err(at_fault)?;
            store.bias[i] = folded;
        }
        if let Some(folded) = start.folded.nodes.iter_mut().find(|folded| folded.name == node.name) {
            folded.store.weights.clone_from(&float.store.weights);
            folded.store.bias.clone_from(bias);
        }
    }
    Ok(start)
}
