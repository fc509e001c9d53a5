//! Which layers get 4 bits: the plan that costs the outputs least among those that fit a budget of flash.
//!
//! What a layer costs is measured, not guessed: the net is quantised with 4 bits in that layer alone, the engine runs it
//! over some samples, and its outputs are compared with the float net's. Noise that layers add to the outputs is taken to
//! sum up, so that a plan's noise is the sum of its layers'; the plan of least noise is a knapsack, solved exactly for
//! few layers. Bytes are those of the table that the net ends in.

use serde::Serialize;
use zipnet::ir::{Float, Int};

use super::{Quantised, Scale, quantise};
use crate::eval::{Labelled, int8, quantise_input};
use crate::export::{Target, pack};
use crate::float::Executor;
use crate::graph::Net;
use crate::recipe::Quantise;
use crate::{Error, Result};

/// Samples that outputs are compared on, spread evenly over those given.
const SAMPLES: usize = 1000;

/// Layers up to which every plan is tried.
const EXACT: usize = 20;

/// What a net comes to on the samples of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Signal to quantisation noise of the net's outputs, in decibels; `None` where there is no noise.
    pub sqnr_db: Option<f64>,
    /// Samples put into a wrong class.
    pub errors: usize,
}

/// What a layer would cost and save at 4 bits, and what the plan makes of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sensitivity {
    /// Its name.
    pub layer: String,
    /// Bytes of its weights and biases at 8 bits.
    pub bytes_8: usize,
    /// The same at 4 bits.
    pub bytes_4: usize,
    /// The net's cost with 4 bits in this layer alone.
    #[serde(flatten)]
    pub alone: Cost,
    /// Bits that the plan gives it.
    pub bits: u8,
}

/// Bits for each layer under a budget.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MixedPlan {
    /// Bytes that weights and biases may take.
    pub flash: usize,
    /// Bytes that they take.
    pub weight_bytes: usize,
    /// Samples that costs were measured on; those of the training.
    pub samples: usize,
    /// With 8 bits everywhere.
    pub all_8: Cost,
    /// The plan as it is quantised, before any training on.
    pub planned: Cost,
    /// Every layer with weights.
    pub layers: Vec<Sensitivity>,
}

impl MixedPlan {
    /// `spec` with the bits of the plan.
    pub fn apply(&self, spec: &Quantise) -> Quantise {
        let layers = self.layers.iter().map(|layer| (layer.layer.clone(), layer.bits)).collect();
        Quantise { bits: 8, flash: None, layers, ..spec.clone() }
    }
}

/// Plans the bits of each layer so that weights and biases take `flash` bytes at most in a table for `target`. `data` is
/// what the net was trained on; `told` is told how many layers are measured, of how many.
///
/// # Errors
/// Where 4 bits everywhere take more than that, or the net cannot be quantised.
pub fn plan(
    net: &Net<Float>,
    spec: &Quantise,
    flash: usize,
    target: Target,
    data: Labelled<'_>,
    threads: usize,
    told: &mut dyn FnMut(usize, usize),
) -> Result<MixedPlan> {
    let all = |bits| Quantise { bits, flash: None, layers: Default::default(), ..spec.clone() };
    let with = |spec: &Quantise| quantise(net, spec, data.samples, threads);
    let wide = with(&all(8))?;
    let (at_8, at_4) = (table_of(&wide, target)?, table_of(&with(&all(4))?, target)?);
    let least = at_4.weight_bytes();
    if least > flash {
        return Err(Error::new(format!(
            "weights and biases take {least} bytes with 4 bits in every layer; the budget is {flash}"
        )));
    }
    let judge = Judge::new(net, data, threads);
    let all_8 = judge.cost(&wide)?;
    let (mut layers, mut noises) = (Vec::new(), Vec::new());
    let weighted: Vec<usize> =
        (0..wide.net.nodes.len()).filter(|&i| wide.net.nodes[i].bits().is_some()).collect();
    for (done, &i) in weighted.iter().enumerate() {
        told(done, weighted.len());
        let node = &wide.net.nodes[i];
        let mut alone = all(8);
        alone.layers.insert(node.name.clone(), 4);
        let (cost, noise) = judge.noise(&with(&alone)?)?;
        noises.push(noise);
        layers.push(Sensitivity {
            layer: node.name.clone(),
            bytes_8: at_8.nodes[i].weight_bytes(),
            bytes_4: at_4.nodes[i].weight_bytes(),
            alone: cost,
            bits: 8,
        });
    }
    told(weighted.len(), weighted.len());
    let base = judge.noise(&wide)?.1;
    let items: Vec<Item> = (layers.iter().zip(&noises))
        .map(|(layer, noise)| Item {
            saving: layer.bytes_8.saturating_sub(layer.bytes_4),
            cost: (noise - base).max(0.0),
        })
        .collect();
    for (layer, chosen) in layers.iter_mut().zip(choose(&items, at_8.weight_bytes().saturating_sub(flash))) {
        layer.bits = if chosen { 4 } else { 8 };
    }
    let mut plan = MixedPlan { flash, samples: judge.labels.len(), all_8, layers, ..MixedPlan::default() };
    let planned = with(&plan.apply(spec))?;
    plan.weight_bytes = table_of(&planned, target)?.weight_bytes();
    plan.planned = judge.cost(&planned)?;
    Ok(plan)
}

/// A net as its table has it.
fn table_of(int: &Quantised, target: Target) -> Result<Net<Int>> {
    let mut net = int.net.clone();
    pack(&mut net, target, None)?;
    Ok(net)
}

/// Compares int8 nets with the float net on the same samples.
struct Judge {
    origin: f32,
    threads: usize,
    samples: Vec<f32>,
    labels: Vec<u16>,
    /// The float net's outputs.
    outputs: Vec<f32>,
}

impl Judge {
    fn new(net: &Net<Float>, data: Labelled<'_>, threads: usize) -> Self {
        let size = net.input_shape().len();
        let count = data.labels.len();
        let taken = count.min(SAMPLES);
        let spread = || (0..taken).map(|i| i * count / taken);
        let samples: Vec<f32> = spread().flat_map(|i| &data.samples[i * size..][..size]).copied().collect();
        let mut outputs = Vec::new();
        Executor::new(net, threads).forward(&samples, &mut outputs);
        let origin = net.tensors[net.input.at()].meta.origin;
        Self { origin, threads, samples, labels: spread().map(|i| data.labels[i]).collect(), outputs }
    }

    fn cost(&self, int: &Quantised) -> Result<Cost> {
        Ok(self.noise(int)?.0)
    }

    /// The cost, and the noise as a share of the signal.
    fn noise(&self, int: &Quantised) -> Result<(Cost, f64)> {
        let data = Labelled { samples: &self.samples, labels: &self.labels };
        let errors = int8(&int.net, self.origin, data, self.threads)?.errors;
        let meta = int.net.tensors[int.net.output.at()].meta;
        let grid = Scale { scale: meta.scale, zero: meta.zero };
        let made = int.net.run(&quantise_input(&int.net, self.origin, &self.samples))?;
        let (mut signal, mut noise) = (0.0, 0.0);
        for (&float, &q) in self.outputs.iter().zip(&made) {
            signal += f64::from(float).powi(2);
            noise += f64::from(float - grid.real(q)).powi(2);
        }
        let share = noise / signal;
        let sqnr_db = (signal > 0.0 && noise > 0.0).then(|| -10.0 * libm::log10(share));
        Ok((Cost { sqnr_db, errors }, if signal > 0.0 { share } else { 0.0 }))
    }
}

/// A layer that may be chosen for 4 bits.
#[derive(Clone, Copy, Debug)]
struct Item {
    /// Bytes that it saves.
    saving: usize,
    /// Noise that it adds.
    cost: f64,
}

/// The items that save `need` bytes at least and cost least; those that save most of equal ones. Every choice is tried
/// of up to [`EXACT`] items; of more, the cheapest a byte are taken until they save enough, and those that turn out not to
/// be needed put back, dearest first.
fn choose(items: &[Item], need: usize) -> Vec<bool> {
    if items.len() <= EXACT {
        let total = |set: u32| {
            let chosen = items.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).map(|(_, item)| item);
            chosen.fold((0, 0.0), |(saving, cost), item| (saving + item.saving, cost + item.cost))
        };
        let mut best: Option<(u32, f64, usize)> = None;
        for set in 0..1u32 << items.len() {
            let (saving, cost) = total(set);
            let better = best.is_none_or(|(_, least, most)| cost < least || cost == least && saving > most);
            if saving >= need && better {
                best = Some((set, cost, saving));
            }
        }
        let set = best.map_or(u32::MAX, |(set, ..)| set);
        return (0..items.len()).map(|i| set >> i & 1 == 1).collect();
    }
    let dear = |i: &usize| items[*i].cost / (items[*i].saving as f64).max(f64::MIN_POSITIVE);
    let mut order: Vec<usize> = (0..items.len()).filter(|&i| items[i].saving > 0).collect();
    order.sort_by(|a, b| dear(a).total_cmp(&dear(b)));
    let mut chosen = vec![false; items.len()];
    let mut saved = 0;
    for &i in &order {
        if saved >= need {
            break;
        }
        chosen[i] = true;
        saved += items[i].saving;
    }
    order.sort_by(|a, b| items[*b].cost.total_cmp(&items[*a].cost));
    for i in order {
        if chosen[i] && saved - items[i].saving >= need {
            chosen[i] = false;
            saved -= items[i].saving;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::super::naive::every_operator;
    use super::*;

    fn items(list: &[(usize, f64)]) -> Vec<Item> {
        list.iter().map(|&(saving, cost)| Item { saving, cost }).collect()
    }

    #[test]
    fn the_cheapest_choice_that_saves_enough_is_taken() {
        let few = items(&[(100, 5.0), (60, 2.0), (50, 2.0), (10, 0.1)]);
        assert_eq!(choose(&few, 0), [false; 4]);
        assert_eq!(choose(&few, 5), [false, false, false, true]);
        assert_eq!(choose(&few, 100), [false, true, true, false]);
        assert_eq!(choose(&few, 150), [true, true, false, false], "of equal ones, that which saves most");
        assert_eq!(choose(&few, 220), [true; 4]);
        let free = items(&[(10, 0.0), (20, 1.0)]);
        assert_eq!(choose(&free, 0), [true, false], "what costs nothing is taken");
    }

    #[test]
    fn many_items_are_chosen_greedily_and_none_in_vain() {
        let list: Vec<(usize, f64)> = (1..=30).map(|i| (i, (i * i) as f64)).collect();
        let many = items(&list);
        for need in [0, 1, 7, 100, 465] {
            let chosen = choose(&many, need);
            let saved: usize = (0..30).filter(|&i| chosen[i]).map(|i| many[i].saving).sum();
            assert!(saved >= need);
            assert!((0..30).all(|i| !chosen[i] || saved - many[i].saving < need), "{need}: {chosen:?}");
        }
        assert!(choose(&many, 10)[..4].iter().all(|&c| c), "the cheapest a byte come first");
    }

    #[test]
    fn a_plan_fits_its_budget_and_measures_every_layer() {
        let mut author = every_operator(2);
        let samples: Vec<f32> = (0..80).flat_map(|_| author.sample()).collect();
        let labels: Vec<u16> = (0..80).map(|i| i % 7).collect();
        let net = author.net;
        let data = Labelled { samples: &samples, labels: &labels };
        let spec = Quantise::default();
        let target = Target::Portable;
        let bytes = |bits| {
            let made = quantise(&net, &Quantise { bits, ..spec.clone() }, &samples, 1).expect("quantises");
            table_of(&made, target).expect("packs").weight_bytes()
        };
        let budget = (bytes(8) + bytes(4)) / 2;
        let mut told = Vec::new();
        let made = plan(&net, &spec, budget, target, data, 1, &mut |done, all| told.push((done, all)))
            .expect("plans");
        assert!(made.weight_bytes <= budget && made.weight_bytes > bytes(4), "{made:?}");
        assert_eq!(told.len(), made.layers.len() + 1);
        let db = |cost: Cost| cost.sqnr_db.expect("has noise");
        assert!(db(made.planned) < db(made.all_8));
        assert!(made.layers.iter().all(|layer| db(layer.alone) < db(made.all_8) + 1.0));
        let saved: usize =
            made.layers.iter().filter(|l| l.bits == 4).map(|layer| layer.bytes_8 - layer.bytes_4).sum();
        assert_eq!(bytes(8) - saved, made.weight_bytes);
        let error = plan(&net, &spec, bytes(4) - 1, target, data, 1, &mut |_, _| {}).expect_err("too little");
        assert!(error.to_string().contains(&bytes(4).to_string()), "{error}");
    }
}
