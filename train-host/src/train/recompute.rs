//! Which values need not be kept from forward to backward.
//!
//! Once the activations of a batch leave the cache, memory sets the pace. What a batch norm or a channel shuffle
//! writes is cheap to compute again, so it lies in memory that several tensors share, and is computed again just
//! before the gradient of the weights that read it is found. A batch norm that only an addition reads writes nothing
//! at all: the addition reads what the batch norm would have read.

use super::backward::{Backward, Learns};
use crate::float::plan::{Plan, Work};

/// Lets slots that can be computed again share places. Returns for each step the steps to run again, in order, so
/// that its input is there when its weights learn.
pub(crate) fn share(plan: &mut Plan, backward: &Backward, outputs: usize) -> Vec<Vec<usize>> {
    let passing: Vec<bool> =
        (0..plan.slots.len()).map(|slot| passes(plan, backward, slot, outputs)).collect();
    let merged = merge(plan, &passing);
    let place_of = places(plan, &passing);
    for step in &mut plan.steps {
        step.reads = step.inputs.iter().map(|&slot| place_of[slot]).collect();
        step.writes = place_of[step.output];
    }
    for (norm, add, input) in merged {
        let from = plan.steps[norm].reads[0];
        let add = &mut plan.steps[add];
        add.reads = vec![add.reads[1 - input], from];
    }
    let writer = |slot| plan.steps.iter().position(|step| step.output == slot);
    let chain = |input: usize| {
        let mut again = Vec::new();
        let mut slot = input;
        while let Some(at) = writer(slot).filter(|_| passing[slot]) {
            again.push(at);
            slot = plan.steps[at].inputs[0];
        }
        again.reverse();
        again
    };
    plan.steps.iter().map(|step| chain(step.inputs[0])).collect()
}

/// Whether the values of a slot need not be kept.
fn passes(plan: &Plan, backward: &Backward, slot: usize, outputs: usize) -> bool {
    let mut writers = plan.steps.iter().filter(|step| step.output == slot);
    let cheap = match (writers.next(), writers.next()) {
        (Some(writer), None) => matches!(writer.work, Work::BatchNorm { .. } | Work::Shuffle { .. }),
        _ => false,
    };
    let mut readers = plan.steps.iter().zip(&backward.steps).filter(|(step, _)| step.inputs.contains(&slot));
    cheap
        && slot != outputs
        && slot != plan.output
        && readers.all(|(step, back)| match &step.work {
            Work::Conv(_) | Work::Depthwise(_) => back.learns == Learns::Early,
            Work::BatchNorm { .. } | Work::MaxPool(_) => false, // which read their input when running backward
            Work::AvgPool(_) | Work::Add { .. } | Work::Concat(_) | Work::Shuffle { .. } => true,
            Work::Apply(_) | Work::Softmax(_) | Work::Dropout { .. } => true,
            Work::Frame(_) => false, // of the net's input, which no step writes
        })
}

/// Leaves batch norms to the additions that alone read them. For each: its step, that of the addition, and which
/// input of it.
fn merge(plan: &mut Plan, passing: &[bool]) -> Vec<(usize, usize, usize)> {
    let mut merged = Vec::new();
    for at in 0..plan.steps.len() {
        let (slot, node) = (plan.steps[at].output, plan.steps[at].node);
        let reads = |add: usize| plan.steps[add].inputs.iter().filter(|&&i| i == slot).count();
        let readers: Vec<usize> = (0..plan.steps.len()).filter(|&add| reads(add) > 0).collect();
        let [add] = readers[..] else { continue };
        if !passing[slot] || reads(add) > 1 {
            continue;
        }
        let Some(input) = plan.steps[add].inputs.iter().position(|&i| i == slot) else { continue };
        let (norms, adds) = plan.steps.split_at_mut(add);
        if let (Work::BatchNorm { relu: false, left, .. }, Work::Add { norm: norm @ None, .. }) =
            (&mut norms[at].work, &mut adds[0].work)
        {
            *left = true;
            *norm = Some(node);
            plan.places[slot].len = 0; // nobody lies there
            merged.push((at, add, input));
        }
    }
    merged
}

/// The place of each slot: its own, unless it only passes; then any of its length that is free while it is needed.
fn places(plan: &mut Plan, passing: &[bool]) -> Vec<usize> {
    let mut place_of: Vec<usize> = (0..plan.slots.len()).collect();
    let mut free: Vec<usize> = Vec::new();
    for at in 0..plan.steps.len() {
        let output = plan.steps[at].output;
        let left = matches!(plan.steps[at].work, Work::BatchNorm { left: true, .. });
        if passing[output] && !left {
            let len = plan.slots[output].len;
            if let Some(i) = free.iter().rposition(|&place| plan.places[place].len == len) {
                place_of[output] = free.remove(i);
                plan.places[output].len = 0; // nobody lies there
            }
        }
        let last =
            |slot: &usize| plan.steps.iter().rposition(|s| s.inputs.contains(slot) || s.output == *slot);
        let over = (0..plan.slots.len()).filter(|slot| passing[*slot] && last(slot) == Some(at));
        free.extend(over.map(|slot| place_of[slot]).filter(|&place| plan.places[place].len > 0));
    }
    place_of
}
