//! How well a net classifies, in float and in int8, and where the two part.

use serde::Serialize;
use zipnet::ir::{Float, Int, TensorId};

use crate::batch;
use crate::float::Executor;
use crate::graph::Net;
use crate::quantise::{Quantised, Scale};
use crate::report::Layer;
use crate::{Error, Result};

/// Samples that the signal-to-noise ratios of the layers are taken over, spread evenly over those given.
const OBSERVED: usize = 256;

/// Samples whose tensors are held at once while they are compared.
const CHUNK: usize = 16;

/// Labelled samples.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// Normalised to -1 to 1, `[h][w][c]`, back to back.
    pub samples: &'a [f32],
    /// The class of each, an output of the net.
    pub labels: &'a [u16],
}

/// What a net makes of labelled samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// How many samples.
    pub samples: usize,
    /// How many the net puts into a wrong class.
    pub errors: usize,
    /// Share of the samples in the right class, 0 to 1.
    pub accuracy: f64,
    /// Samples by class (row) and by the class the net gives (column).
    pub confusion: Vec<Vec<u32>>,
    /// The class the net gives each sample: its greatest output, the first of equal ones.
    pub predictions: Vec<u16>,
}

impl Evaluation {
    fn new(predictions: Vec<u16>, labels: &[u16], classes: usize) -> Self {
        let mut confusion = vec![vec![0; classes]; classes];
        for (&label, &made) in labels.iter().zip(&predictions) {
            confusion[usize::from(label)][usize::from(made)] += 1;
        }
        let errors = labels.iter().zip(&predictions).filter(|(label, made)| label != made).count();
        let samples = labels.len();
        let accuracy = 1.0 - errors as f64 / samples as f64;
        Self { samples, errors, accuracy, confusion, predictions }
    }

    /// Indices of the samples put into a wrong class.
    pub fn misclassified<'a>(&'a self, labels: &'a [u16]) -> impl Iterator<Item = usize> + 'a {
        let pairs = labels.iter().zip(&self.predictions).enumerate();
        pairs.filter_map(|(i, (label, made))| (label != made).then_some(i))
    }
}

/// A float net beside its int8 form, on the same samples.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The float net as it was trained.
    pub float: Evaluation,
    /// The int8 net, run by the engine.
    pub int8: Evaluation,
    /// Share of the samples that both put into the same class, 0 to 1.
    pub agreement: f64,
    /// Float accuracy minus int8 accuracy, in percentage points.
    pub accuracy_lost_pp: f64,
    /// The layers of the int8 net, in the order they run.
    pub layers: Vec<Layer>,
}
/// The float net on labelled samples.
///
/// # Errors
/// Where samples and labels do not fit each other or the net.
pub fn float(net: &Net<Float>, data: Labelled<'_>, threads: usize) -> Result<Evaluation> {
    let classes = classes(net.input_shape().len(), net.output_shape().len(), data)?;
    let mut outputs = Vec::new();
    Executor::new(net, threads).forward(data.samples, &mut outputs);
    let predictions = outputs.chunks_exact(classes).map(|scores| argmax(scores) as u16).collect();
    Ok(Evaluation::new(predictions, data.labels, classes))
}

/// The int8 net on labelled samples. `origin` is that of the input of the float net it was made from.
///
/// # Errors
/// Where samples and labels do not fit each other or the net, or the net is not legal.
pub fn int8(net: &Net<Int>, origin: f32, data: Labelled<'_>, threads: usize) -> Result<Evaluation> {
    let size = net.input_shape().len();
    let classes = classes(size, net.output_shape().len(), data)?;
    let inputs = quantise_input(net, origin, data.samples);
    let outputs = batch::run(net, &inputs, threads)?;
    let predictions = outputs.chunks_exact(classes).map(|scores| zipnet::argmax(scores) as u16).collect();
    Ok(Evaluation::new(predictions, data.labels, classes))
}

/// Both nets on labelled samples, and how near each int8 layer is to its float one.
///
/// # Errors
/// As [`float()`] and [`int8`].
pub fn compare(
    net: &Net<Float>,
    quantised: &Quantised,
    data: Labelled<'_>,
    threads: usize,
) -> Result<Comparison> {
    let origin = net.tensors[net.input.at()].meta.origin;
    let float = float(net, data, threads)?;
    let int8 = int8(&quantised.net, origin, data, threads)?;
    let same = float.predictions.iter().zip(&int8.predictions).filter(|(a, b)| a == b).count();
    Ok(Comparison {
        agreement: same as f64 / float.samples as f64,
        accuracy_lost_pp: 100.0 * (float.accuracy - int8.accuracy),
        layers: layers(quantised, origin, data.samples, threads)?,
        float,
        int8,
    })
}

/// Normalised samples as the int8 net takes them: `(x - origin)` on the grid of its input. An image of 8-bit pixels
/// comes out as `pixel - 128`.
pub fn quantise_input(net: &Net<Int>, origin: f32, samples: &[f32]) -> Vec<i8> {
    let grid = scale(net, net.input);
    samples.iter().map(|x| grid.int8(x - origin)).collect()
}

fn scale(net: &Net<Int>, id: TensorId) -> Scale {
    let meta = net.tensors[id.at()].meta;
    Scale { scale: meta.scale, zero: meta.zero }
}

/// The first of the greatest.
fn argmax(scores: &[f32]) -> usize {
    let better = |best: usize, i: usize| if scores[i] > scores[best] { i } else { best };
    (0..scores.len()).fold(0, better)
}

/// The number of classes, where samples and labels fit each other and a net of that many inputs and outputs.
fn classes(inputs: usize, outputs: usize, data: Labelled<'_>) -> Result<usize> {
    if data.labels.is_empty() {
        return Err(Error::new("no samples to evaluate on"));
    }
    if data.samples.len() != data.labels.len() * inputs {
        let (values, labels) = (data.samples.len(), data.labels.len());
        return Err(Error::new(format!(
            "{values} values and {labels} labels are given; the net reads {inputs} values a sample"
        )));
    }
    match data.labels.iter().find(|&&label| usize::from(label) >= outputs) {
        Some(label) => Err(Error::new(format!("a label is {label}; the net has {outputs} outputs"))),
        None => Ok(outputs),
    }
}

/// The layers of the int8 net and their signal-to-noise ratios over some of the samples.
fn layers(quantised: &Quantised, origin: f32, samples: &[f32], threads: usize) -> Result<Vec<Layer>> {
    let net = &quantised.net;
    let energies = energies(quantised, origin, samples, threads)?;
    let mut layers = Layer::all(net);
    for (layer, node) in layers.iter_mut().zip(&net.nodes) {
        let (signal, noise) = energies[node.output.at()];
        layer.sqnr_db = (signal > 0.0 && noise > 0.0).then(|| 10.0 * (signal / noise).log10());
    }
    Ok(layers)
}

/// For each int8 tensor, the energy of the float tensor it stands for, and that of the difference.
fn energies(quantised: &Quantised, origin: f32, samples: &[f32], threads: usize) -> Result<Vec<(f64, f64)>> {
    let (net, folded) = (&quantised.net, &quantised.folded);
    let size = net.input_shape().len();
    let count = samples.len() / size;
    let taken = count.min(OBSERVED);
    let spread: Vec<f32> =
        (0..taken).flat_map(|i| &samples[i * count / taken * size..][..size]).map(|x| x - origin).collect();
    let mut stands_for = vec![None; folded.tensors.len()];
    for (int, float) in quantised.tensors.iter().enumerate() {
        stands_for[float.at()] = Some(int);
    }
    let mut executor = Executor::new(folded, threads);
    let mut energies = vec![(0.0, 0.0); net.tensors.len()];
    net.with_runner(|runner| {
        let mut arena = vec![0; runner.arena_len()];
        for chunk in spread.chunks(CHUNK * size) {
            let mut held: Vec<Vec<f32>> = vec![Vec::new(); net.tensors.len()];
            executor.observe(chunk, &mut |id, values| {
                if let Some(int) = stands_for[id.at()] {
                    held[int].extend_from_slice(values);
                }
            });
            for (i, sample) in chunk.chunks_exact(size).enumerate() {
                let input: Vec<i8> = sample.iter().map(|&x| scale(net, net.input).int8(x)).collect();
                let see = |node: usize, values: &[i8]| {
                    let id = net.nodes[node].output;
                    let (grid, float) = (scale(net, id), &held[id.at()][i * values.len()..]);
                    let (signal, noise) = &mut energies[id.at()];
                    for (&f, &q) in float.iter().zip(values) {
                        *signal += f64::from(f) * f64::from(f);
                        *noise += f64::from(f - grid.real(q)).powi(2);
                    }
                };
                runner.observe(&mut arena, &input, see).map_err(Error::new)?;
            }
        }
        Ok(energies)
    })
}

#[cfg(test)]
mod tests {
    use zipnet::ir::{Bias, Op, Shape};

    use super::*;
    use crate::quantise::naive::{Author, dense, evaluate, every_operator};
    use crate::quantise::quantise;
    use crate::recipe::Quantise;

    /// A net that classifies a sample by the greatest of its three values.
    fn identity() -> Net<Float> {
        let mut a = Author::new(Shape::flat(3), -1.0, 1);
        let input = a.net.input;
        a.push(dense(3, Bias::None), &[input]);
        a.net.nodes[0].store.weights = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        a.net
    }

    #[test]
    fn errors_are_counted_by_class() {
        let net = identity();
        let samples = [0.9, 0.1, 0.2, -0.5, 0.3, -0.1, 0.0, 0.2, 0.7, 0.4, 0.4, -1.0];
        let data = Labelled { samples: &samples, labels: &[0, 1, 1, 2] };
        let q = quantise(&net, &Quantise::default(), &samples, 1).expect("quantises");
        for threads in [1, 3, 9] {
            let float = float(&net, data, threads).expect("evaluates");
            assert_eq!(float.predictions, [0, 1, 2, 0], "the first of equal ones");
            assert_eq!((float.samples, float.errors, float.accuracy), (4, 2, 0.5));
            assert_eq!(float.confusion, [[1, 0, 0], [0, 1, 1], [1, 0, 0]]);
            assert_eq!(float.misclassified(data.labels).collect::<Vec<_>>(), [2, 3]);
            assert_eq!(int8(&q.net, -1.0, data, threads).expect("evaluates"), float);
        }
    }

    #[test]
    fn samples_that_do_not_fit_are_refused() {
        let net = identity();
        let refused = |samples: &[f32], labels: &[u16]| {
            float(&net, Labelled { samples, labels }, 1).expect_err("must be refused").to_string()
        };
        assert!(refused(&[], &[]).contains("no samples"));
        assert!(refused(&[0.0; 7], &[0, 1]).contains("7 values and 2 labels"));
        assert!(refused(&[0.0; 6], &[0, 3]).contains("a label is 3"));
        assert!(quantise(&net, &Quantise::default(), &[], 1).is_err());
        assert!(quantise(&net, &Quantise::default(), &[0.0; 4], 1).is_err());
    }

    #[test]
    fn a_comparison_tells_of_every_layer() {
        let mut author = every_operator(1);
        let samples: Vec<Vec<f32>> = (0..100).map(|_| author.sample()).collect();
        let net = author.net;
        let labels: Vec<u16> = (0..100).map(|i| i % 7).collect();
        let flat = samples.concat();
        let q = quantise(&net, &Quantise::default(), &flat, 2).expect("quantises");
        let made = compare(&net, &q, Labelled { samples: &flat, labels: &labels }, 2).expect("compares");
        assert_eq!(made.layers.len(), q.net.nodes.len());
        assert_eq!(made.layers.iter().map(|l| l.macs).sum::<u64>(), q.net.macs());
        assert_eq!(made.layers.iter().map(|l| l.weight_bytes).sum::<usize>(), q.net.weight_bytes());
        assert_eq!((made.layers[0].op.as_str(), made.layers[0].input.as_str()), ("conv2d", "8x8x2"));
        assert!(made.layers.iter().all(|l| l.sqnr_db.is_some_and(|db| db > 20.0)), "{:?}", made.layers);
        let differ =
            made.float.predictions.iter().zip(&made.int8.predictions).filter(|(a, b)| a != b).count();
        assert_eq!(made.agreement, 1.0 - differ as f64 / 100.0);
        assert!(made.agreement > 0.9, "{}", made.agreement);
        let errors = made.int8.errors as f64 - made.float.errors as f64;
        assert!((made.accuracy_lost_pp - errors).abs() < 1e-9);

        // The ratio of one layer, from scratch.
        let node = q.net.nodes.len() - 1;
        let id = q.net.nodes[node].output;
        let (mut signal, mut noise) = (0.0, 0.0);
        for sample in &samples {
            let shifted: Vec<f32> = sample.iter().map(|x| x + 1.0).collect();
            let float = evaluate(&q.folded, &shifted).swap_remove(q.tensors[id.at()].at());
            let input = quantise_input(&q.net, -1.0, sample);
            let mut scores = vec![0; q.net.output_shape().len()];
            q.net.with(|g| zipnet::run_graph(g, &mut vec![0; q.arena], &input, &mut scores)).expect("runs");
            for (f, &s) in float.iter().zip(&scores) {
                signal += f * f;
                noise += (f - f64::from(scale(&q.net, id).real(s))).powi(2);
            }
        }
        let db = made.layers[node].sqnr_db.expect("a ratio");
        assert!((db - 10.0 * (signal / noise).log10()).abs() < 1e-3, "{db}");
    }

    #[test]
    fn an_exact_layer_has_no_ratio() {
        let mut a = Author::new(Shape::flat(2), 0.0, 1);
        let input = a.net.input;
        a.push(Op::Reshape { shape: Shape::new(2, 1, 1) }, &[input]);
        let samples = [0.0, 2.0 / 255.0 * 3.0];
        let q = quantise(&a.net, &Quantise::default(), &samples, 1).expect("quantises");
        let made = compare(&a.net, &q, Labelled { samples: &samples, labels: &[1] }, 1).expect("compares");
        assert_eq!(made.layers[0].sqnr_db, None);
        assert_eq!(made.accuracy_lost_pp, 0.0);
    }
}
