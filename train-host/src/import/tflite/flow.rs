//! Who writes and who reads: every tensor is written at most once, and before it is read.

use super::named;
use crate::import::model::{Kind, Model, Operator, Strided};
use crate::{Error, Result};

/// Where a tensor's values come from.
#[derive(Clone, Copy)]
enum Source {
    Nothing,
    Caller,
    File,
    Operator(usize),
}

/// Holds a model to what [`Model`] promises of its order and of what its operators refer to by number.
///
/// # Errors
///
/// Names the first operator, input or output that breaks it.
pub(super) fn check(model: &Model) -> Result<()> {
    let sources = sources(model)?;
    for (index, operator) in model.operators.iter().enumerate() {
        let error = |text: String| Error::new(format!("operator {index} ({}): {text}", operator.kind.name()));
        for (i, tensor) in operator.inputs.iter().enumerate().filter_map(|(i, t)| Some((i, (*t)?))) {
            let label = || named("tensor", tensor, &model.tensors[tensor].name);
            match sources[tensor] {
                Source::Nothing => {
                    return Err(error(format!("input {i} is {}, which nothing writes", label())));
                }
                Source::Operator(writer) if writer >= index => {
                    let by = format!("operator {writer} ({})", model.operators[writer].kind.name());
                    return Err(error(format!("input {i} is {}, which only {by} writes", label())));
                }
                Source::Operator(_) | Source::Caller | Source::File => {}
            }
        }
        masks(model, operator).map_err(|e| error(e.to_string()))?;
    }
    for (i, &tensor) in model.outputs.iter().enumerate() {
        if !matches!(sources[tensor], Source::Operator(_)) {
            let label = named("tensor", tensor, &model.tensors[tensor].name);
            return Err(Error::new(format!("output {i}: is {label}, which no operator writes")));
        }
    }
    Ok(())
}

/// Where each tensor comes from, which is one place at most.
fn sources(model: &Model) -> Result<Vec<Source>> {
    let mut sources: Vec<Source> =
        model.tensors.iter().map(|t| if t.data.is_some() { Source::File } else { Source::Nothing }).collect();
    let mut claim = |tensor: usize, source: Source, place: String| {
        let label = named("tensor", tensor, &model.tensors[tensor].name);
        let other = match sources[tensor] {
            Source::Nothing => {
                sources[tensor] = source;
                return Ok(());
            }
            Source::Caller => "is an input of the model".to_string(),
            Source::File => "is a constant".to_string(),
            Source::Operator(i) => format!("operator {i} ({}) writes", model.operators[i].kind.name()),
        };
        Err(Error::new(format!("{place}: is {label}, which {other}")))
    };
    for (i, &tensor) in model.inputs.iter().enumerate() {
        claim(tensor, Source::Caller, format!("input {i}"))?;
    }
    for (index, operator) in model.operators.iter().enumerate() {
        for (i, &tensor) in operator.outputs.iter().enumerate() {
            let name = operator.kind.name();
            claim(tensor, Source::Operator(index), format!("operator {index} ({name}): output {i}"))?;
        }
    }
    Ok(sources)
}

/// Holds masks to the number of elements they speak of, and axes to the rank.
fn masks(model: &Model, operator: &Operator) -> Result<()> {
    match operator.kind {
        Kind::StridedSlice(Strided {
            begin_mask,
            end_mask,
            ellipsis_mask,
            new_axis_mask,
            shrink_axis_mask,
            offset: _,
        }) => {
            let Some(begin) = operator.inputs[1] else { return Ok(()) };
            let bits: usize = model.tensors[begin].shape.iter().product();
            let all = begin_mask | end_mask | ellipsis_mask | new_axis_mask | shrink_axis_mask;
            if bits < 32 && all >> bits != 0 {
                return Err(Error::new(format!("a mask with bits beyond the {bits} elements of begin")));
            }
            if ellipsis_mask.count_ones() > 1 {
                return Err(Error::new("ellipsis_mask with more than one bit"));
            }
            Ok(())
        }
        Kind::Concatenation { axis, .. } => {
            let rank =
                operator.inputs.iter().flatten().map(|&t| model.tensors[t].shape.len()).min().unwrap_or(0);
            let rank = i32::try_from(rank).unwrap_or(i32::MAX);
            if (-rank..rank).contains(&axis) {
                return Ok(());
            }
            Err(Error::new(format!("axis {axis} of tensors of rank {rank}")))
        }
        _ => Ok(()),
    }
}
