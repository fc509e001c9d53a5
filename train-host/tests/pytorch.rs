//! Training against PyTorch: `tests/golden/training.json` holds small nets trained in float64 by another
//! implementation; README.md beside it says how they were made.

use std::collections::HashMap;

use serde_json::Value;
use train_host::build::Blueprint;
use train_host::float::Executor;
use train_host::graph::{FloatStore, Net};
use train_host::recipe::Train;
use train_host::train::{Samples, Trained, train};
use zipnet::ir::{
    Axis, Bias, Conv2d, Dense, DepthwiseConv2d, Float, Op, Operands, Padding, Pool2d, Real, Shape, TensorId,
    Window,
};

fn nets() -> Vec<Value> {
    let text = include_str!("../../tests/golden/training.json");
    let file: Value = serde_json::from_str(text).expect("is JSON");
    file["nets"].as_array().expect("has nets").clone()
}

fn int(value: &Value) -> u16 {
    value.as_u64().and_then(|n| n.try_into().ok()).unwrap_or_else(|| panic!("{value} is no small number"))
}

fn ints<const N: usize>(value: &Value) -> [u16; N] {
    std::array::from_fn(|i| int(&value[i]))
}

/// All numbers of a nest of lists.
fn floats(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(floats).collect(),
        Value::Null => Vec::new(),
        _ => vec![value.as_f64().expect("a number")],
    }
}

fn narrow(value: &Value) -> Vec<f32> {
    floats(value).into_iter().map(|x| x as f32).collect()
}

fn operator(layer: &Value, x: Shape) -> Op {
    let border = &layer["padding"];
    let [top, bottom, left, right] = if border.is_null() { [0; 4] } else { ints(border) };
    let pair = |key: &str| if layer[key].is_null() { [1, 1] } else { ints(&layer[key]) };
    let window = Window {
        kernel: pair("kernel"),
        stride: pair("stride"),
        dilation: pair("dilation"),
        padding: Padding { top, bottom, left, right },
    };
    let bias = match layer["bias"].as_str() {
        Some("channel") => Bias::Channel,
        Some("unit") => Bias::Unit,
        _ => Bias::None,
    };
    match layer["op"].as_str().expect("an operator") {
        "conv2d" => Op::Conv2d(Conv2d {
            units: int(&layer["units"]),
            window,
            groups: int(&layer["groups"]),
            span: int(&layer["span"]),
            bias,
        }),
        "depthwise_conv2d" => {
            Op::DepthwiseConv2d(DepthwiseConv2d { multiplier: int(&layer["units"]) / x.c, window, bias })
        }
        "dense" => Op::Dense(Dense { units: int(&layer["units"]), bias }),
        "max_pool2d" => Op::MaxPool2d(Pool2d { window }),
        "avg_pool2d" => Op::AvgPool2d(Pool2d { window }),
        "add" => Op::Add(Operands::Equal),
        "concat" => Op::Concat { axis: Axis::Channels },
        "channel_shuffle" => Op::ChannelShuffle { groups: int(&layer["groups"]) },
        "relu" => Op::Relu,
        "relu6" => Op::Relu6,
        "tanh" => Op::Tanh,
        "softmax" => Op::Softmax,
        "batch_norm" => Op::BatchNorm,
        "reshape" => {
            let [h, w, c] = ints(&layer["shape"]);
            Op::Reshape { shape: Shape::new(h, w, c) }
        }
        other => panic!("{other}"),
    }
}

fn blueprint(golden: &Value) -> Blueprint {
    let [h, w, c] = ints(&golden["input"]);
    let origin = golden["origin"].as_f64().expect("a number") as f32;
    let mut net: Net<Float> =
        Net::new(golden["name"].as_str().expect("a name"), Shape::new(h, w, c), Real { origin });
    let mut names = HashMap::from([("input".to_owned(), net.input)]);
    for layer in golden["layers"].as_array().expect("layers") {
        let name = layer["name"].as_str().expect("a name");
        let sources = layer["inputs"].as_array().expect("inputs");
        let inputs: Vec<TensorId> =
            sources.iter().map(|from| names[from.as_str().expect("a name")]).collect();
        let own = &golden["initial"][name];
        let store = FloatStore {
            weights: narrow(&own["weights"]),
            bias: narrow(&own["bias"]),
            mean: narrow(&own["mean"]),
            variance: narrow(&own["variance"]),
        };
        let op = operator(layer, net.shape(inputs[0]));
        let id = net.push(name, op, &inputs, Real::default(), store).expect("shapes meet");
        names.insert(name.to_owned(), id);
    }
    net.check(0).expect("legal");
    Blueprint { net, dropout: Vec::new() }
}

/// Trains for so many steps, each of the one batch, with the optimiser given (or the golden's).
fn trained(golden: &Value, steps: u32, optimiser: Option<&str>) -> Trained {
    let o = &golden["optimizer"];
    let own = match o["kind"].as_str() {
        Some("sgd") => {
            format!("kind = 'sgd'\nmomentum = {}\nweight_decay = {}", o["momentum"], o["weight_decay"])
        }
        _ => format!(
            "kind = 'adamw'\nbeta1 = {}\nbeta2 = {}\nepsilon = {}\nweight_decay = {}",
            o["beta1"], o["beta2"], o["epsilon"], o["weight_decay"]
        ),
    };
    let rate = if optimiser.is_some() { "1.0".to_owned() } else { o["learning_rate"].to_string() };
    let loss = &golden["loss"];
    let kind = if loss["kind"] == "mean_squared_error" { "mse" } else { "cross_entropy" };
    let inputs = narrow(&golden["inputs"]);
    let labels: Vec<u16> = golden["labels"].as_array().expect("labels").iter().map(int).collect();
    let text = format!(
        "epochs = {steps}\nbatch = {}\nloss = '{kind}'\nlabel_smoothing = {}\n[schedule]\nkind = 'constant'\npeak = {rate}\n\
         [optimiser]\n{}",
        labels.len(),
        loss["label_smoothing"].as_f64().unwrap_or(0.0),
        optimiser.unwrap_or(&own),
    );
    let spec: Train = toml::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let samples = Samples { inputs: &inputs, labels: &labels };
    train(blueprint(golden), &spec, samples, None, 2, &mut |_| {}).expect("trains")
}

/// Every difference is at most `relative` of the greatest number, and the greatest is reported where not.
fn close(what: &str, own: &[f32], theirs: &[f64], relative: f64) {
    assert_eq!(own.len(), theirs.len(), "{what}");
    let scale = theirs.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let off = own.iter().zip(theirs).map(|(&a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
    assert!(off <= relative * scale, "{what}: {off:e} off, of numbers up to {scale}");
}

fn logits(net: &Net<Float>, golden: &Value) -> Vec<f32> {
    let mut outputs = Vec::new();
    Executor::new(net, 1).forward(&narrow(&golden["inputs"]), &mut outputs);
    outputs
}

#[test]
fn outputs_are_those_of_pytorch_before_and_after_training() {
    for golden in nets() {
        let name = golden["name"].as_str().expect("a name");
        let before = logits(&blueprint(&golden).net, &golden);
        close(&format!("{name} before"), &before, &floats(&golden["evaluated"][0]), 1e-6);
        let after = logits(&trained(&golden, 5, None).net, &golden);
        close(&format!("{name} after"), &after, &floats(&golden["evaluated"][1]), 2e-5);
    }
}

#[test]
fn losses_of_every_step_are_those_of_pytorch() {
    for golden in nets() {
        let own: Vec<f32> = trained(&golden, 5, None).history.iter().map(|stats| stats.loss).collect();
        let name = golden["name"].as_str().expect("a name");
        close(name, &own, &floats(&golden["step_losses"]), 2e-6);
    }
}

#[test]
fn gradients_are_those_of_pytorch() {
    for golden in nets() {
        // A step of plain descent at rate 1 takes off the gradient itself.
        let after = trained(&golden, 1, Some("kind = 'sgd'")).net;
        for (before, after) in blueprint(&golden).net.nodes.iter().zip(&after.nodes) {
            let theirs = &golden["gradients"][&before.name];
            let moved = |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
            let name = format!("{} {}", golden["name"], before.name);
            // The weights, up to 4, round at 2e-7.
            let weights = moved(&before.store.weights, &after.store.weights);
            close(&format!("{name} weights"), &weights, &floats(&theirs["weights"]), 2e-5);
            close(&name, &moved(&before.store.bias, &after.store.bias), &floats(&theirs["bias"]), 2e-5);
        }
    }
}

#[test]
fn parameters_are_those_of_pytorch_after_one_step_and_five() {
    for golden in nets() {
        for (steps, relative) in [(1, 2e-6), (5, 2e-5)] {
            let net = trained(&golden, steps, None).net;
            for node in &net.nodes {
                let theirs = &golden["after"][steps.to_string()][&node.name];
                let store = &node.store;
                for (part, own) in [
                    ("weights", &store.weights),
                    ("bias", &store.bias),
                    ("mean", &store.mean),
                    ("variance", &store.variance),
                ] {
                    let what = format!("{} {} {part} after {steps}", golden["name"], node.name);
                    close(&what, own, &floats(&theirs[part]), relative);
                }
            }
        }
    }
}
