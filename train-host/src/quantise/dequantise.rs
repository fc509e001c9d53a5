//! The way back: the float net that an int8 net stands for, for nets that were brought without one.

use zipnet::ir::{Clamp, Float, Int, IntTensor, Op, Packing, Real, TensorId};

use super::fold::{has_weights, weights_of};
use crate::graph::{FloatStore, Net, NetNode};
use crate::{Error, Result};

/// How far the greatest output of a relu6 may lie from 6, in steps of its scale.
const NEAR: f32 = 0.51;

/// The net whose weights and biases are the real numbers that those of `net` stand for, and whose relus are those that
/// its clamps do. It computes what `net` does but for rounding between operators.
///
/// # Errors
/// Names the node that has no float form: its operator, its clamp, or weights packed for another CPU.
pub fn dequantise(net: &Net<Int>) -> Result<Net<Float>> {
    let mut float = Net::<Float>::new(&net.name, net.input_shape(), Real::default());
    let mut ids = vec![None; net.tensors.len()];
    ids[net.input.at()] = Some(float.input);
    for node in &net.nodes {
        let refuse = |why: &str| Error::new(format!("{}: {why}", node.name));
        if node.store.packing != Packing::Plain {
            return Err(refuse("its weights are packed for another CPU"));
        }
        let inputs: Option<Vec<TensorId>> = node.inputs.iter().map(|id| ids[id.at()]).collect();
        let inputs = inputs.ok_or_else(|| refuse("it reads what is not written yet"))?;
        let store = if has_weights(&node.op) { numbers(net, node) } else { FloatStore::default() };
        let mut y = float.push(&node.name, node.op, &inputs, Real::default(), store)?;
        let output = net.tensors[node.output.at()].meta;
        if let Some(op) = activation(&node.op, node.store.clamp, output).map_err(refuse)? {
            let name = format!("{}_{}", node.name, op.name());
            y = float.push(&name, op, &[y], Real::default(), FloatStore::default())?;
        }
        ids[node.output.at()] = Some(y);
    }
    let output = ids[net.output.at()].ok_or_else(|| Error::new("nothing writes the output"))?;
    float.output = output;
    float.check(0)?;
    Ok(float)
}

/// Weights and biases of an operator that has some.
fn numbers(net: &Net<Int>, node: &NetNode<Int>) -> FloatStore {
    let [x, y] = [node.inputs[0], node.output].map(|id| net.tensors[id.at()].meta);
    let (channels, store) = (usize::from(net.shape(node.output).c), &node.store);
    let mut made = FloatStore {
        weights: vec![0.0; store.weights.len()],
        bias: vec![0.0; store.bias.len()],
        ..FloatStore::default()
    };
    for (c, q) in store.requant.iter().enumerate() {
        // One of an accumulator.
        let one = f64::from(q.multiplier) * libm::exp2(f64::from(q.shift - 31)) * f64::from(y.scale);
        let mut sum = 0;
        for i in weights_of(&node.op, c, channels, store.weights.len()) {
            sum += i64::from(store.weights[i]);
            made.weights[i] = (f64::from(store.weights[i]) * one / f64::from(x.scale)) as f32;
        }
        for i in (c..store.bias.len()).step_by(channels) {
            made.bias[i] = ((i64::from(store.bias[i]) + sum * i64::from(x.zero)) as f64 * one) as f32;
        }
    }
    made
}

/// What the clamp of an operator does beyond what int8 cannot hold.
fn activation(op: &Op, clamp: Clamp, y: IntTensor) -> std::result::Result<Option<Op>, &'static str> {
    let sums = has_weights(op) || matches!(op, Op::Add(_));
    let already = matches!(op, Op::Relu | Op::Relu6);
    if already || (clamp == Clamp::FULL && !(sums && y.zero == i8::MIN)) {
        return Ok(None);
    }
    let six = (6.0 - y.scale * (f32::from(clamp.high) - f32::from(y.zero))).abs() <= NEAR * y.scale;
    match clamp {
        Clamp { low, high: i8::MAX } if low == y.zero => Ok(Some(Op::Relu)),
        Clamp { low, .. } if low == y.zero && six => Ok(Some(Op::Relu6)),
        _ => Err("its clamp is neither a relu nor a relu6"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::quantise_input;
    use crate::float::Executor;
    use crate::quantise::naive::every_operator;
    use crate::quantise::quantise;
    use crate::recipe::Quantise;

    #[test]
    fn it_computes_what_the_int8_net_does() {
        for seed in 1..4 {
            let mut author = every_operator(seed);
            let samples: Vec<f32> = (0..32).flat_map(|_| author.sample()).collect();
            let int8 = quantise(&author.net, &Quantise::default(), &samples, 1).expect("quantises").net;
            let float = dequantise(&int8).expect("every operator has a float form");
            assert_eq!((float.macs(), float.input_shape()), (int8.macs(), int8.input_shape()));
            let codes = quantise_input(&int8, -1.0, &samples);
            let real = |meta: IntTensor, q: i8| meta.scale * (f32::from(q) - f32::from(meta.zero));
            let x = int8.tensors[int8.input.at()].meta;
            let inputs: Vec<f32> = codes.iter().map(|&q| real(x, q)).collect();
            let mut outputs = Vec::new();
            Executor::new(&float, 1).forward(&inputs, &mut outputs);
            let y = int8.tensors[int8.output.at()].meta;
            let (mut signal, mut noise) = (0.0, 0.0);
            for (q, want) in int8.run(&codes).expect("runs").into_iter().zip(outputs) {
                signal += f64::from(want).powi(2);
                noise += f64::from(real(y, q) - want).powi(2);
            }
            let db = 10.0 * (signal / noise).log10();
            assert!(db > 25.0, "seed {seed}: signal to noise {db:.1} dB");
        }
    }

    #[test]
    fn clamps_are_the_relus_they_stand_for() {
        let dense = Op::Dense(zipnet::ir::Dense { units: 1, bias: zipnet::ir::Bias::Channel });
        let of = |op: &Op, low, high, scale, zero| {
            activation(op, Clamp::new(low, high), IntTensor { scale, zero, offset: 0 })
        };
        assert_eq!(of(&dense, -128, 127, 0.1, 5), Ok(None));
        assert_eq!(of(&dense, -128, 127, 0.1, -128), Ok(Some(Op::Relu)));
        assert_eq!(of(&Op::Softmax, -128, 127, 1.0 / 256.0, -128), Ok(None));
        assert_eq!(of(&dense, 5, 127, 0.1, 5), Ok(Some(Op::Relu)));
        assert_eq!(of(&dense, 5, 65, 0.1, 5), Ok(Some(Op::Relu6)));
        assert!(of(&dense, 5, 66, 0.1, 5).is_err() && of(&dense, 6, 127, 0.1, 5).is_err());
    }
}
