//! The numbers of one int8 operator, from those of the float one and the scales around it.

use zipnet::ir::{Fault, Float, Op, Operands, Real, Shape};

use super::factors::{self, Activation, Scale};
use super::fold::{has_weights, weights_of};
use super::tables;
use crate::float::Executor;
use crate::graph::{FloatStore, IntStore, Net};
use crate::{Error, Result};

/// Bits that the bias of an accumulator may take, besides its sign. Two bits are left to the products: with fewer
/// than 2^15 of them they cannot overflow.
const BIAS_BITS: i32 = 29;

/// The tensors around an operator.
pub(super) struct Around<'a> {
    /// Scale of each input.
    pub(super) inputs: &'a [Scale],
    /// Scale of the output.
    pub(super) output: Scale,
    /// Shape of the first input and of the output.
    pub(super) shapes: (Shape, Shape),
    /// Mean of each element of the first input over the calibration samples.
    pub(super) mean: &'a [f32],
    /// What the operator's clamp does.
    pub(super) activation: Activation,
    /// Bits of a weight, 8 or 4.
    pub(super) bits: u8,
}

/// The int8 numbers of an operator that [`fold`](super::fold::fold) left in a net.
///
/// # Errors
/// Where a weight is not finite, scales lie too far apart, or an accumulator could overflow.
pub(super) fn store(op: &Op, float: &FloatStore, around: &Around<'_>) -> Result<IntStore> {
    let clamp = factors::clamp(around.activation, around.output);
    let input = around.inputs[0];
    let requant = match op {
        Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) => return weighted(op, float, around),
        Op::MaxPool2d(_) | Op::AvgPool2d(_) => vec![],
        Op::Add(Operands::Equal) => {
            factors::add(input.scale, around.inputs[1].scale, around.output.scale)?.to_vec()
        }
        Op::Relu | Op::Relu6 => vec![factors::requantize(input.scale, around.output.scale)?],
        Op::Softmax => vec![factors::softmax(input.scale, 1.0)?],
        Op::Tanh => {
            return Ok(IntStore { weights: tables::tanh(input)?.to_vec(), ..IntStore::default() });
        }
        Op::Concat { .. } | Op::ChannelShuffle { .. } | Op::Reshape { .. } => vec![],
        Op::Add(Operands::Broadcast | Operands::Left(_) | Operands::Right(_)) => return Err(no_float_form()),
        Op::Sub(_) | Op::Mul(_) | Op::Prelu { .. } | Op::Mean { .. } => return Err(no_float_form()),
        Op::ReluN1To1 | Op::LeakyRelu | Op::HardSwish | Op::Logistic | Op::Requantize => {
            return Err(no_float_form());
        }
        Op::Pad(_) | Op::Slice(_) | Op::Transpose { .. } | Op::ResizeNearest { .. } => {
            return Err(no_float_form());
        }
        Op::BatchNorm => return Err(Error::new("a batch norm has no int8 form; fold the net first")),
    };
    Ok(IntStore { requant, clamp, ..IntStore::default() })
}

fn no_float_form() -> Error {
    Error::new(Fault::NotFloat)
}

/// Weights symmetric about 0 with a scale for each output channel; biases at the scale of the accumulator, with what
/// rounding the weights takes from the output in the mean, and the input's zero point folded in.
fn weighted(op: &Op, float: &FloatStore, around: &Around<'_>) -> Result<IntStore> {
    let (input, channels) = (around.inputs[0], usize::from(around.shapes.1.c));
    let levels = levels(around.bits);
    if !float.weights.iter().chain(&float.bias).all(|w| w.is_finite()) {
        return Err(Error::new("a weight or bias is not finite"));
    }
    let weights_of = |c| weights_of(op, c, channels, float.weights.len());
    let biases_of = |c| (c..float.bias.len()).step_by(channels); // of the channel, or of each of its units
    let scales = scales(op, float, around);
    let mut made = IntStore {
        weights: vec![0; float.weights.len()],
        bias: vec![0; float.bias.len()],
        clamp: factors::clamp(around.activation, around.output),
        bits: around.bits,
        ..IntStore::default()
    };
    let mut lost = float.weights.clone();
    for (c, &scale) in scales.iter().enumerate() {
        for i in weights_of(c) {
            let q = (f64::from(float.weights[i]) / f64::from(scale)).round().clamp(-levels, levels);
            made.weights[i] = q as i8;
            lost[i] = (f64::from(float.weights[i]) - q * f64::from(scale)) as f32;
        }
    }
    let lost = mean_output(op, lost, float.bias.len(), around)?;
    for (c, &scale) in scales.iter().enumerate() {
        let weights = || weights_of(c).map(|i| made.weights[i]);
        let factor = factors::weighted(input.scale, scale, around.output.scale)?;
        let step = f64::from(input.scale) * f64::from(scale);
        for i in biases_of(c) {
            let bias = ((f64::from(float.bias[i]) + lost[i]) / step).round() as i64;
            made.bias[i] = factors::folded_bias(bias, input.zero, weights())?;
            factors::prove_accumulator(made.bias[i], weights(), factor)?;
        }
        made.requant.push(factor);
    }
    Ok(made)
}

/// The real value of a step of the weights of each output channel; none for an operator without weights.
pub(super) fn scales(op: &Op, float: &FloatStore, around: &Around<'_>) -> Vec<f32> {
    let channels = if has_weights(op) { usize::from(around.shapes.1.c) } else { 0 };
    let scale_of = |c| {
        let weights: Vec<f32> =
            weights_of(op, c, channels, float.weights.len()).map(|i| float.weights[i]).collect();
        let bias = (c..float.bias.len()).step_by(channels).map(|i| float.bias[i].abs()).fold(0.0, f32::max);
        weight_scale(step(&weights, levels(around.bits)), bias, around.inputs[0].scale)
    };
    (0..channels).map(scale_of).collect()
}

/// What an operator of these weights and no bias makes of the mean input, averaged over the outputs that share each
/// of `biases` biases. As the operator is linear, that is its mean output.
fn mean_output(op: &Op, weights: Vec<f32>, biases: usize, around: &Around<'_>) -> Result<Vec<f64>> {
    let store = FloatStore { weights, bias: vec![0.0; biases], ..FloatStore::default() };
    let mut net = Net::<Float>::new("mean", around.shapes.0, Real::default());
    let input = net.input;
    net.push("mean", *op, &[input], Real::default(), store)?;
    let mut outputs = Vec::new();
    Executor::new(&net, 1).forward(around.mean, &mut outputs);
    let mut means = vec![0.0; biases];
    for (i, &output) in outputs.iter().enumerate() {
        means[i % biases] += f64::from(output) * biases as f64 / outputs.len() as f64;
    }
    Ok(means)
}

/// The greatest weight of so many bits; the least is its negative.
fn levels(bits: u8) -> f64 {
    if bits == 4 { 7.0 } else { 127.0 }
}

/// Steps that are tried for weights of few levels, as fractions of the one by which the greatest weight just fits.
const TRIES: [f64; 41] = {
    let mut tries = [0.0; 41];
    let mut i = 0;
    while i < tries.len() {
        tries[i] = 1.0 - i as f64 / 80.0;
        i += 1;
    }
    tries
};

/// The step of a channel's weights. Of 8 bits the greatest weight becomes 127: clipping it would gain nothing. Of 4 bits
/// it is the step of [`TRIES`] that makes the sum of the squared errors least, greater weights being clipped.
fn step(weights: &[f32], levels: f64) -> f64 {
    let most = weights.iter().map(|w| f64::from(w.abs())).fold(0.0, f64::max) / levels;
    if levels == 127.0 || most == 0.0 {
        return most;
    }
    let error = |step: f64| {
        let error = |&w: &f32| {
            let q = (f64::from(w) / step).round().clamp(-levels, levels);
            (f64::from(w) - q * step).powi(2)
        };
        weights.iter().map(error).sum::<f64>()
    };
    let tried = TRIES.map(|share| (error(share * most), share * most));
    tried.into_iter().fold((f64::INFINITY, most), |least, next| if next.0 < least.0 { next } else { least }).1
}

/// The scale of a channel's weights: their [`step`]. Where the weights are so small, or all 0, that the bias would not
/// fit the accumulator, the bias decides; where that is 0 too, any scale will do.
fn weight_scale(by_weight: f64, bias: f32, input: f32) -> f32 {
    let by_bias = f64::from(bias) / (f64::from(input) * libm::exp2(f64::from(BIAS_BITS)));
    let scale = by_weight.max(by_bias) as f32;
    if scale.is_normal() { scale } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use zipnet::ir::{Bias, Dense, Requant};

    use super::super::naive;
    use super::*;

    fn around<'a>(inputs: &'a [Scale], output: Scale, shapes: (Shape, Shape), mean: &'a [f32]) -> Around<'a> {
        Around { inputs, output, shapes, mean, activation: Activation::None, bits: 8 }
    }

    /// A dense layer whose inputs are 0 in the mean.
    fn dense(weights: &[f32], bias: &[f32], x: Scale, y: Scale) -> Result<IntStore> {
        let op = Op::Dense(Dense { units: bias.len() as u16, bias: Bias::Channel });
        let float = FloatStore { weights: weights.to_vec(), bias: bias.to_vec(), ..FloatStore::default() };
        let inputs = weights.len() / bias.len();
        let shapes = (Shape::flat(inputs as u16), Shape::flat(bias.len() as u16));
        store(&op, &float, &around(&[x], y, shapes, &vec![0.0; inputs]))
    }

    const X: Scale = Scale { scale: 0.5, zero: -3 };
    const Y: Scale = Scale { scale: 0.25, zero: 7 };

    #[test]
    fn each_channel_fills_its_weights() {
        let made = dense(&[1.0, -2.0, 0.5, 0.25, 0.0, -0.125], &[3.0, -0.1], X, Y).expect("fits");
        assert_eq!(made.weights, [64, -127, 32, 127, 0, -64]);
        // 3 / (0.5 * 2 / 127) = 381, and 3 times the sum of the weights is added.
        assert_eq!(made.bias[0], 381 + 3 * (64 - 127 + 32));
        assert_eq!(made.bias[1], -102 + 3 * (127 - 64));
        assert_eq!(made.requant.len(), 2);
    }

    #[test]
    fn four_bits_clip_where_that_errs_less() {
        assert_eq!(step(&[0.0, -14.0, 2.0, 4.0], 7.0), 2.0);
        assert_eq!(step(&[0.0, 0.0], 7.0), 0.0);
        assert_eq!(step(&[1.0, -3.0], 127.0), 3.0 / 127.0);
        // One great weight among many small ones: finer steps for those are worth its clipping.
        let weights: Vec<f32> = (0..200).map(|i| 0.01 * i as f32 - 1.0).chain([1.5]).collect();
        let error = |step: f64| -> f64 {
            let error = |&w: &f32| f64::from(w) - step * (f64::from(w) / step).round().clamp(-7.0, 7.0);
            weights.iter().map(|w| error(w).powi(2)).sum()
        };
        let (chosen, fitting) = (step(&weights, 7.0), 1.5 / 7.0);
        assert!(chosen < fitting && error(chosen) < 0.9 * error(fitting), "{chosen} of {fitting}");

        let op = Op::Dense(Dense { units: 2, bias: Bias::Channel });
        let float =
            FloatStore { weights: vec![0.7, -0.1, 0.0, -7.0], bias: vec![0.0; 2], ..FloatStore::default() };
        let (inputs, shapes) = ([X], (Shape::flat(2), Shape::flat(2)));
        let around = Around { bits: 4, ..around(&inputs, Y, shapes, &[0.0; 2]) };
        let made = store(&op, &float, &around).expect("fits");
        assert_eq!((made.weights.as_slice(), made.bits), ([7, -1, 0, -7].as_slice(), 4));
    }

    #[test]
    fn a_channel_without_weights_keeps_its_bias() {
        let made = dense(&[0.0, 0.0, 0.0, 0.0], &[3.0, 0.0], X, Y).expect("fits");
        let (bias, factor) = (f64::from(made.bias[0]), made.requant[0]);
        let output = bias * f64::from(factor.multiplier) * libm::exp2(f64::from(factor.shift - 31));
        assert!((output * f64::from(Y.scale) - 3.0).abs() < 1e-6, "{output}");
        assert_eq!((made.bias[1], made.weights.as_slice()), (0, [0; 4].as_slice()));
        assert!(made.requant.iter().all(|r| r.is_legal()));
        // Weights too small for a normal number are 0.
        let made = dense(&[1e-44, -1e-44], &[1e-45], X, Y).expect("fits");
        assert_eq!((made.weights.as_slice(), made.bias.as_slice()), ([0; 2].as_slice(), [0].as_slice()));
    }

    #[test]
    fn a_great_bias_coarsens_the_weights() {
        let made = dense(&[1e-6, -1e-6], &[1e6], X, Scale { scale: 1e4, zero: 0 }).expect("fits");
        assert!(made.bias[0].abs_diff(1 << BIAS_BITS) < 256, "{}", made.bias[0]);
        assert_eq!(made.weights, [0, 0]);
    }

    #[test]
    fn an_output_too_fine_is_refused() {
        let weights = vec![1.0; 10_000];
        assert!(dense(&weights, &[0.0], X, Scale { scale: 1e-3, zero: 0 }).is_ok());
        let error = dense(&weights, &[0.0], X, Scale { scale: 1e-7, zero: 0 }).expect_err("overflows");
        assert!(error.to_string().contains("accumulators reach"), "{error}");
        assert!(dense(&[f32::NAN], &[0.0], X, Y).is_err());
        assert!(dense(&[1.0], &[f32::INFINITY], X, Y).is_err());
    }

    #[test]
    fn a_bias_makes_up_for_what_rounding_weights_takes_in_the_mean() {
        for (op, bias) in [
            (naive::conv(6, 3, 3, Bias::Unit), 150),
            (naive::conv(6, 1, 3, Bias::Channel), 6),
            (naive::depthwise(2, 2, Bias::Channel), 6),
            (naive::dense(5, Bias::Channel), 5),
        ] {
            let mut a = naive::Author::new(Shape::new(5, 5, 3), 0.0, 4);
            let input = a.net.input;
            a.push(op, &[input]);
            let mean: Vec<f32> = a.sample().iter().map(|x| x + 1.0).collect();
            let (node, shape) = (a.net.nodes[0].clone(), a.net.output_shape());
            assert_eq!(node.store.bias.len(), bias);
            let made = store(&op, &node.store, &around(&[X], Y, (a.net.input_shape(), shape), &mean));
            let made = made.expect("fits");

            // The float operator, and the int8 one's weights and biases read as floats, over the mean.
            let channels = usize::from(shape.c);
            let count = made.weights.len();
            let float = naive::evaluate(&a.net, &mean).swap_remove(1);
            let mut steps = vec![0.0; channels];
            for (c, step) in steps.iter_mut().enumerate() {
                let most = weights_of(&op, c, channels, count)
                    .map(|i| node.store.weights[i].abs())
                    .fold(0.0, f32::max);
                *step = most / 127.0;
                let sum: i32 = weights_of(&op, c, channels, count).map(|i| i32::from(made.weights[i])).sum();
                let store = &mut a.net.nodes[0].store;
                for i in weights_of(&op, c, channels, count) {
                    store.weights[i] = f32::from(made.weights[i]) * *step;
                }
                for i in (c..bias).step_by(channels) {
                    store.bias[i] = (made.bias[i] + i32::from(X.zero) * sum) as f32 * *step * X.scale;
                }
            }
            let int8 = naive::evaluate(&a.net, &mean).swap_remove(1);
            let mut error = vec![0.0; bias];
            for (i, (f, q)) in float.iter().zip(&int8).enumerate() {
                error[i % bias] += (f - q) * bias as f64 / float.len() as f64;
            }
            for (i, error) in error.iter().enumerate() {
                let step = f64::from(X.scale * steps[i % channels]);
                assert!(error.abs() <= 0.51 * step, "{op:?}, bias {i}: {error} with steps of {step}");
            }
        }
    }

    #[test]
    fn a_batch_norm_is_refused() {
        let around = around(&[X], Y, (Shape::flat(1), Shape::flat(1)), &[0.0]);
        assert!(store(&Op::BatchNorm, &FloatStore::default(), &around).is_err());
        let relu = store(&Op::Relu, &FloatStore::default(), &around).expect("has a form");
        assert_eq!(relu.requant, [Requant::new(1 << 30, 2)]);
    }
}
