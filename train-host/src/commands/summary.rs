//! From what a run came to, to its [`Report`].

use zipnet::ir::{Float, Op, TensorId};

use crate::data::Dataset;
use crate::eval::{Comparison, Evaluation};
use crate::graph::Net;
use crate::quantise::Quantised;
use crate::recipe::Recipe;
use crate::report::{ArenaTensor, Epoch, Filters, Miss, Report, Score};
use crate::train::{EpochStats, Trained};

pub(super) fn report(
    recipe: &Recipe,
    data: &Dataset,
    trained: &Trained,
    quantised: &Quantised,
    comparison: &Comparison,
) -> Report {
    Report {
        model: recipe.name.clone(),
        dataset: data.name.clone(),
        seed: recipe.train.seed,
        classes: data.classes.clone(),
        float: score(&comparison.float),
        int8: score(&comparison.int8),
        agreement: comparison.agreement,
        params: trained.net.params(),
        macs: quantised.net.macs(),
        weight_bytes: quantised.net.weight_bytes(),
        arena_bytes: quantised.arena,
        train_seconds: trained.seconds,
        layers: comparison.layers.clone(),
        history: trained.history.iter().map(epoch).collect(),
        confusion: comparison.int8.confusion.clone(),
        arena: arena(quantised),
        filters: filters(&trained.net),
        misses: misses(data, comparison),
        before: None,
        mixed: None,
        qat: None,
    }
}

pub(super) fn score(evaluation: &Evaluation) -> Score {
    Score::new(evaluation.errors as u64, evaluation.samples as u64)
}

pub(super) fn epoch(stats: &EpochStats) -> Epoch {
    Epoch {
        epoch: stats.epoch,
        loss: stats.loss.into(),
        train_accuracy: stats.train_accuracy.into(),
        test_loss: stats.test_loss.map(f64::from),
        test_accuracy: stats.test_accuracy.map(f64::from),
        rate: stats.rate.into(),
    }
}

/// Tensors and scratch with the steps at which they must be there.
fn arena(quantised: &Quantised) -> Vec<ArenaTensor> {
    let net = &quantised.net;
    let last_step = net.nodes.len() - 1;
    let mut tensors: Vec<ArenaTensor> = net.with(|graph| {
        (0..net.tensors.len())
            .map(|i| {
                let id = TensorId(i as u16);
                let first = graph.first(id).unwrap_or(0);
                let (from, to) = graph.bytes(id);
                let name = if first == 0 { "input" } else { &net.nodes[first - 1].name };
                ArenaTensor {
                    name: name.to_owned(),
                    offset: from,
                    bytes: to - from,
                    first: first.saturating_sub(1),
                    last: graph.last(id).saturating_sub(1).min(last_step),
                }
            })
            .collect()
    });
    for (step, node) in net.nodes.iter().enumerate().filter(|(_, node)| node.store.scratch.len > 0) {
        tensors.push(ArenaTensor {
            name: format!("{}, scratch", node.name),
            offset: node.store.scratch.offset as usize,
            bytes: node.store.scratch.len as usize,
            first: step,
            last: step,
        });
    }
    tensors
}

/// The weights of the first layer, where it is a convolution that looks at pictures.
fn filters(net: &Net<Float>) -> Option<Filters> {
    let node = net.nodes.iter().find(|node| node.inputs.contains(&net.input))?;
    let Op::Conv2d(conv) = node.op else { return None };
    let [height, width] = conv.window.kernel.map(usize::from);
    let values = node.store.weights.clone();
    Some(Filters { count: conv.units.into(), height, width, channels: conv.span.into(), values })
}

/// Test samples that one of the two nets got wrong.
fn misses(data: &Dataset, comparison: &Comparison) -> Vec<Miss> {
    let size = data.len_of_sample();
    let answers = comparison.float.predictions.iter().zip(&comparison.int8.predictions);
    let wrong = data.test.labels.iter().zip(answers).enumerate().filter(|(_, (t, (f, i)))| t != f || t != i);
    wrong
        .map(|(index, (&truth, (&float, &int8)))| Miss {
            index,
            pixels: data.test.pixels[index * size..][..size].to_vec(),
            height: data.height,
            width: data.width,
            channels: data.channels,
            truth: truth.into(),
            float: float.into(),
            int8: int8.into(),
        })
        .collect()
}
