//! Post-training quantisation: from a float net and samples to an int8 net in TensorFlow Lite's arithmetic.
//!
//! [`fold`](fold::fold) rewrites the net into operators that have an int8 form; calibration sees what range each
//! tensor takes over the samples; from the ranges follow the scales, and from the scales ([`factors`]) the integers of
//! each operator. What the rounding of its weights adds to an output in the mean over the samples is taken off its
//! bias (Nagel et al. 2019, arXiv 1906.04721). Weights are symmetric with a scale for each output channel, tensors have
//! one scale and zero point (TensorFlow Lite's "8-bit quantization specification"). Weights of 4 bits are whole numbers
//! from -7 to 7 on the same terms.

mod activation;
mod calibrate;
mod dequantise;
pub mod factors;
pub mod fold;
mod histogram;
mod mixed;
#[cfg(test)]
pub(crate) mod naive;
mod node;
mod origin;
mod scales;
mod separate;
mod shuffle;
pub mod tables;
#[cfg(test)]
mod tests;

use zipnet::ir::{Float, Int, IntTensor, Tensor, TensorId};

pub use self::calibrate::Range;
use self::calibrate::{Observe, calibrate};
pub use self::dequantise::dequantise;
pub use self::factors::Scale;
pub use self::mixed::{Cost, MixedPlan, Sensitivity, plan as plan_mixed};
use crate::float::Executor;
use crate::graph::{Net, NetNode};
use crate::plan::plan;
use crate::recipe::Quantise;
use crate::{Error, Result};

/// Samples that calibration looks at, spread evenly over those it is given.
pub const CALIBRATION_SAMPLES: usize = 1000;

/// Data reaches a net normalised to this range, whatever the calibration samples show.
pub const DATA: Range = Range { low: -1.0, high: 1.0 };

/// A quantised net and where it comes from.
#[derive(Clone, Debug)]
pub struct Quantised {
    /// The int8 net, its tensors placed.
    pub net: Net<Int>,
    /// Bytes of the arena it runs in.
    pub arena: usize,
    /// The float net it stands for: folded, over `x - origin`.
    pub folded: Net<Float>,
    /// For each tensor of `net`, by id, the tensor of `folded` whose values it stands for.
    pub tensors: Vec<TensorId>,
    /// For each node of `net`, the real value of a step of the weights of each output channel.
    pub scales: Vec<Vec<f32>>,
}

/// Quantises `net`, its ranges calibrated over `samples`: normalised to -1 to 1, `[h][w][c]`, back to back. Of more
/// than [`CALIBRATION_SAMPLES`] that many are taken, spread evenly.
///
/// # Errors
/// Names the layer that cannot be quantised, and why.
pub fn quantise(net: &Net<Float>, spec: &Quantise, samples: &[f32], threads: usize) -> Result<Quantised> {
    let size = net.input_shape().len();
    let count = samples.len() / size;
    if count == 0 || samples.len() != count * size {
        return Err(Error::new(format!(
            "{} values to calibrate on are not one or more samples of {size}",
            samples.len()
        )));
    }
    let origin = net.tensors[net.input.at()].meta.origin;
    let taken = count.min(CALIBRATION_SAMPLES);
    let spread = (0..taken).flat_map(|i| &samples[i * count / taken * size..][..size]);
    let shifted: Vec<f32> = spread.map(|x| x - origin).collect();
    quantise_with(net, spec, |folded, observe| {
        Executor::new(folded, threads).observe(&shifted, observe);
        Ok(())
    })
}

/// Quantises `net`; `replay` runs calibration samples, given over `x - origin`, through the folded net it is handed,
/// the same ones each time, and shows every tensor.
///
/// # Errors
/// Names the layer that cannot be quantised, and why.
fn quantise_with(
    net: &Net<Float>,
    spec: &Quantise,
    replay: impl FnMut(&Net<Float>, &mut Observe<'_>) -> Result<()>,
) -> Result<Quantised> {
    quantise_folded(net, fold::fold(net)?, spec, replay)
}

/// As [`quantise_with`], `folded` being what [`fold`](fold::fold) made of `net`.
fn quantise_folded(
    net: &Net<Float>,
    folded: Net<Float>,
    spec: &Quantise,
    mut replay: impl FnMut(&Net<Float>, &mut Observe<'_>) -> Result<()>,
) -> Result<Quantised> {
    let steps = activation::fuse(&folded);
    let calibration = calibrate(&folded, spec.calibrate, |observe| replay(&folded, observe))?;
    let origin = net.tensors[net.input.at()].meta.origin;
    let input = Range { low: DATA.low - origin, high: DATA.high - origin };
    let scales = scales::assign(&folded, &steps, &calibration.ranges, input);

    let meta = |id: TensorId| {
        let Scale { scale, zero } = scales[id.at()];
        IntTensor { scale, zero, offset: 0 }
    };
    let mut int = Net::<Int>::new(&folded.name, folded.input_shape(), meta(folded.input));
    let mut tensors = vec![folded.input];
    let mut weight_scales = Vec::new();
    for step in &steps {
        let node = &folded.nodes[step.node];
        let place = |id: &TensorId| tensors.iter().position(|t| t == id).map(|at| TensorId(at as u16));
        let inputs: Option<Vec<TensorId>> = node.inputs.iter().map(place).collect();
        let inputs =
            inputs.ok_or_else(|| Error::new(format!("layer {:?} reads a fused tensor", node.name)))?;
        let around = node::Around {
            inputs: &node.inputs.iter().map(|id| scales[id.at()]).collect::<Vec<_>>(),
            output: scales[step.output.at()],
            shapes: (folded.shape(node.inputs[0]), folded.shape(step.output)),
            mean: &calibration.means[node.inputs[0].at()],
            activation: step.activation,
            bits: spec.bits_of(&node.name),
        };
        let store = node::store(&node.op, &node.store, &around)
            .map_err(|e| Error::new(format!("layer {:?} ({}): {e}", node.name, node.op.name())))?;
        weight_scales.push(node::scales(&node.op, &node.store, &around));
        let output = TensorId(tensors.len() as u16);
        int.tensors.push(Tensor { shape: around.shapes.1, meta: meta(step.output) });
        int.nodes.push(NetNode { name: node.name.clone(), op: node.op, inputs, output, store });
        tensors.push(step.output);
        int.output = if step.output == folded.output { output } else { int.output };
    }
    let arena = plan(&mut int)?;
    Ok(Quantised { net: int, arena, folded, tensors, scales: weight_scales })
}
