//! Post-training quantisation: from a float net and samples to an int8 net in TensorFlow Lite's arithmetic.
//!
//! [`fold`](fold::fold) rewrites the net into operators that have an int8 form; [`calibrate`] sees what range each
//! tensor takes over the samples; from the ranges follow the scales, and from the scales ([`factors`]) the integers of
//! each operator. Weights are symmetric with a scale for each output channel, tensors have one scale and zero point
//! (the specification is TensorFlow Lite's, "8-bit quantization specification").

mod activation;
mod calibrate;
pub mod factors;
pub mod fold;
mod histogram;
#[cfg(test)]
pub(crate) mod naive;
mod node;
mod origin;
mod scales;
mod separate;
#[cfg(test)]
mod tests;

use zipnet::ir::{Float, Int, IntTensor, Tensor, TensorId};

pub use self::calibrate::Range;
use self::calibrate::{Observe, ranges};
pub use self::factors::Scale;
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
    mut replay: impl FnMut(&Net<Float>, &mut Observe<'_>) -> Result<()>,
) -> Result<Quantised> {
    let folded = fold::fold(net)?;
    let steps = activation::fuse(&folded);
    let ranges = ranges(&folded, spec.calibrate, |observe| replay(&folded, observe))?;
    let mut sums: Vec<Vec<f64>> = folded.tensors.iter().map(|t| vec![0.0; t.shape.len()]).collect();
    let mut seen = 0usize;
    replay(&folded, &mut |id, values| {
        let sum = &mut sums[id.at()];
        if id == folded.input {
            seen += values.len() / sum.len();
        }
        for sample in values.chunks_exact(sum.len()) {
            for (s, v) in sum.iter_mut().zip(sample) {
                *s += f64::from(*v);
            }
        }
    })?;
    let origin = net.tensors[net.input.at()].meta.origin;
    let input = Range { low: DATA.low - origin, high: DATA.high - origin };
    let scales = scales::assign(&folded, &steps, &ranges, input);

    let meta = |id: TensorId| {
        let Scale { scale, zero } = scales[id.at()];
        IntTensor { scale, zero, offset: 0 }
    };
    let mut int = Net::<Int>::new(&folded.name, folded.input_shape(), meta(folded.input));
    let mut tensors = vec![folded.input];
    for step in &steps {
        let node = &folded.nodes[step.node];
        let place = |id: &TensorId| tensors.iter().position(|t| t == id).map(|at| TensorId(at as u16));
        let inputs: Option<Vec<TensorId>> = node.inputs.iter().map(place).collect();
        let inputs =
            inputs.ok_or_else(|| Error::new(format!("layer {:?} reads a fused tensor", node.name)))?;
        let around = node::Around {
            inputs: &node.inputs.iter().map(|id| scales[id.at()]).collect::<Vec<_>>(),
            output: scales[step.output.at()],
            shape: folded.shape(step.output),
            activation: step.activation,
        };
        let store = node::store(&node.op, &node.store, &around)
            .map_err(|e| Error::new(format!("layer {:?} ({}): {e}", node.name, node.op.name())))?;
        let store = if fold::has_weights(&node.op) && std::env::var("BC").is_ok() {
            let channels = usize::from(folded.shape(step.output).c);
            let x = around.inputs[0];
            let mut float = node.store.clone();
            let mut scales = vec![];
            for c in 0..channels {
                let idx = fold::weights_of(&node.op, c, channels, float.weights.len());
                let most = idx.clone().map(|i| float.weights[i].abs()).fold(0.0, f32::max);
                scales.push(most / 127.0);
                for i in idx {
                    float.weights[i] -= f32::from(store.weights[i]) * most / 127.0;
                }
            }
            float.bias.fill(0.0);
            let mut one = Net::<Float>::new("one", folded.shape(node.inputs[0]), Default::default());
            let i = one.input;
            one.push("n", node.op, &[i], Default::default(), float)?;
            let mean: Vec<f32> = sums[node.inputs[0].at()].iter().map(|v| (v / seen as f64) as f32).collect();
            let mut out = vec![];
            Executor::new(&one, 1).forward(&mean, &mut out);
            let mut store = store;
            let n = store.bias.len();
            let per = out.len() / n;
            let mut add = vec![0.0f64; n];
            for (j, v) in out.iter().enumerate() {
                add[j % n] += f64::from(*v) / per as f64;
            }
            for (j, b) in store.bias.iter_mut().enumerate() {
                *b += (add[j] / (f64::from(x.scale) * f64::from(scales[j % channels]))).round() as i32;
            }
            store
        } else {
            store
        };
        let output = TensorId(tensors.len() as u16);
        int.tensors.push(Tensor { shape: around.shape, meta: meta(step.output) });
        int.nodes.push(NetNode { name: node.name.clone(), op: node.op, inputs, output, store });
        tensors.push(step.output);
        int.output = if step.output == folded.output { output } else { int.output };
    }
    let arena = plan(&mut int)?;
    Ok(Quantised { net: int, arena, folded, tensors })
}
