//! A net's convolutions split into groups (Zhang et al. 2017, arXiv 1707.01083).
//!
//! A 1x1 convolution of `c` to `u` channels becomes one in `g` groups, with a `g`-th of its weights: the blocks of the old
//! matrix that lie within a group. Between consecutive grouped convolutions a channel shuffle lets every group see all
//! others. A wider window either becomes a grouped convolution of the same window, in the same way, or a unit:
//!
//! ```text
//! 1x1 in g groups, c to u -> batch norm, relu -> shuffle -> depthwise window -> batch norm -> 1x1 in g groups, u to u
//! ```
//!
//! whose products cost `c u / g + k u + u u / g` a pixel, for a window of `k` taps, where the old ones cost `k c u`. Its
//! weights are drawn afresh, for there is no linear map to take them from across a relu; all else keeps its own.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use zipnet::ir::{Bias, Conv2d, DepthwiseConv2d, Float, Op, Real, TensorId, Window};

use super::{Change, Regroup, Rewritten};
use crate::Result;
use crate::build::fresh;
use crate::graph::{FloatStore, Net, NetNode};
use crate::recipe::Init;

/// What becomes of a convolution whose window is more than one pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Unit {
    /// A grouped 1x1, a shuffle, the window depthwise, a grouped 1x1.
    #[default]
    Separable,
    /// The same window, grouped.
    Grouped,
}

/// The net with every convolution split that can be; no change's `was` is filled in.
pub(super) fn split(net: &Net<Float>, to: &Regroup, seed: u64) -> Result<Rewritten> {
    let input = net.tensors[net.input.at()].meta;
    let mut into = Splitter {
        net: Net::new(&net.name, net.input_shape(), input),
        mixed: vec![true],
        to: *to,
        rng: Xoshiro256PlusPlus::seed_from_u64(seed),
    };
    let mut ids = vec![into.net.input; net.tensors.len()];
    let mut changes = Vec::new();
    for node in &net.nodes {
        let inputs: Vec<TensorId> = node.inputs.iter().map(|id| ids[id.at()]).collect();
        let meta = net.tensors[node.output.at()].meta;
        let (made, change) = match fate(net, node, to) {
            Fate::Copy => (into.copy(node, &inputs, meta)?, None),
            Fate::Leave(why) => (into.copy(node, &inputs, meta)?, Some((None, Some(why)))),
            Fate::Group(conv) => (into.group(node, conv, inputs[0])?, Some((Some(grouped(&conv, to)), None))),
            Fate::Unit(conv) => (into.unit(node, conv, inputs[0])?, Some((Some(unit(&conv, to)), None))),
        };
        ids[node.output.at()] = made;
        changes.extend(change.map(|(became, why)| Change {
            layer: node.name.clone(),
            was: String::new(),
            became,
            why,
        }));
    }
    into.net.output = ids[net.output.at()];
    into.net.check(0)?;
    Ok(Rewritten { net: into.net, changes })
}

fn grouped(conv: &Conv2d, to: &Regroup) -> String {
    let [rows, columns] = conv.window.kernel;
    format!("{rows}x{columns} in {} groups, {} to {}", to.groups, conv.span, conv.units)
}

fn unit(conv: &Conv2d, to: &Regroup) -> String {
    let ([rows, columns], g, u) = (conv.window.kernel, to.groups, conv.units);
    let shuffle = if to.shuffle { "shuffle, " } else { "" };
    format!(
        "1x1 in {g} groups, {} to {u}; {shuffle}depthwise {rows}x{columns}; 1x1 in {g} groups, {u} to {u}",
        conv.span
    )
}

/// What becomes of a node.
enum Fate {
    /// No weights: as it is.
    Copy,
    /// Weights, but as it is, and why.
    Leave(String),
    /// The same in groups.
    Group(Conv2d),
    /// 1x1, depthwise, 1x1.
    Unit(Conv2d),
}

fn fate(net: &Net<Float>, node: &NetNode<Float>, to: &Regroup) -> Fate {
    let (x, y) = (net.shape(node.inputs[0]), net.shape(node.output));
    if node.op.weights(x) == 0 {
        return Fate::Copy;
    }
    let Op::Conv2d(conv) = node.op else {
        return Fate::Leave("is no convolution over channels".to_owned());
    };
    let g = to.groups;
    let leave = |why: &str| Fate::Leave(why.to_owned());
    if g == 1 {
        return leave("one group is what it has");
    }
    if conv.groups != 1 {
        return leave("lies in groups already");
    }
    if conv.bias == Bias::Unit {
        return leave("has a bias for each place of the picture");
    }
    for (channels, what) in [(x.c, "reads"), (conv.units, "makes")] {
        if !channels.is_multiple_of(g) {
            let plural = if channels == 1 { "" } else { "s" };
            return Fate::Leave(format!("{what} {channels} channel{plural}, which {g} groups do not divide"));
        }
    }
    if conv.window.taps() == 1 || to.unit == Unit::Grouped {
        return Fate::Group(conv);
    }
    let (c, u, g, taps) = (u64::from(x.c), u64::from(conv.units), u64::from(g), conv.window.taps() as u64);
    let (before, after) = (u64::from(x.h) * u64::from(x.w), u64::from(y.h) * u64::from(y.w));
    let unit = before * c * u / g + after * (taps * u + u * u / g);
    let plain = after * taps * c * u / g;
    if unit < plain { Fate::Unit(conv) } else { Fate::Group(conv) }
}

/// The new net on its way.
struct Splitter {
    net: Net<Float>,
    /// For each tensor, whether each of its channels has seen all those before: false from a grouped convolution to the
    /// next shuffle or whole convolution.
    mixed: Vec<bool>,
    to: Regroup,
    rng: Xoshiro256PlusPlus,
}

impl Splitter {
    fn push(
        &mut self,
        name: &str,
        op: Op,
        inputs: &[TensorId],
        meta: Real,
        store: FloatStore,
        mixed: bool,
    ) -> Result<TensorId> {
        self.mixed.push(mixed);
        self.net.push(name, op, inputs, meta, store)
    }

    fn copy(&mut self, node: &NetNode<Float>, inputs: &[TensorId], meta: Real) -> Result<TensorId> {
        let mixes = match &node.op {
            Op::Conv2d(conv) => conv.groups == 1,
            Op::Dense(_) | Op::ChannelShuffle { .. } => true,
            _ => inputs.iter().all(|id| self.mixed[id.at()]),
        };
        self.push(&node.name, node.op, inputs, meta, node.store.clone(), mixes)
    }

    /// A shuffle, where the channels come from a grouped convolution.
    fn shuffle(&mut self, name: &str, x: TensorId) -> Result<TensorId> {
        if self.mixed[x.at()] || !self.to.shuffle {
            return Ok(x);
        }
        let op = Op::ChannelShuffle { groups: self.to.groups };
        self.push(&format!("{name}_shuffle"), op, &[x], Real::default(), FloatStore::default(), true)
    }

    /// The same convolution in groups, with the old weights that lie within one.
    fn group(&mut self, node: &NetNode<Float>, conv: Conv2d, x: TensorId) -> Result<TensorId> {
        let x = self.shuffle(&node.name, x)?;
        let (channels, g) = (usize::from(conv.span), usize::from(self.to.groups));
        let (span, units) = (channels / g, usize::from(conv.units));
        let each = node.store.weights.len() / units;
        let unit = |(u, unit): (usize, &[f32])| {
            let first = u / (units / g) * span;
            unit.chunks_exact(channels).flat_map(|tap| tap[first..][..span].to_vec()).collect::<Vec<f32>>()
        };
        let weights = node.store.weights.chunks_exact(each).enumerate().flat_map(unit).collect();
        let op = Op::Conv2d(Conv2d { groups: self.to.groups, span: span as u16, ..conv });
        let store = FloatStore { weights, ..node.store.clone() };
        self.push(&node.name, op, &[x], Real::default(), store, false)
    }

    /// 1x1 in groups, depthwise, 1x1 in groups.
    fn unit(&mut self, node: &NetNode<Float>, conv: Conv2d, x: TensorId) -> Result<TensorId> {
        let name = |part: &str| format!("{}_{part}", node.name);
        let pixel = |inputs: u16, bias: Bias| {
            let (groups, span) = (self.to.groups, inputs / self.to.groups);
            Op::Conv2d(Conv2d { units: conv.units, window: Window::new(1, 1), groups, span, bias })
        };
        let (reduce, expand) = (pixel(conv.span, Bias::None), pixel(conv.units, conv.bias));
        let deep =
            Op::DepthwiseConv2d(DepthwiseConv2d { multiplier: 1, window: conv.window, bias: Bias::None });
        let x = self.shuffle(&name("in"), x)?;
        let x = self.fresh(&name("in"), reduce, x, false)?;
        let x = self.fresh(&name("in_norm"), Op::BatchNorm, x, false)?;
        let x = self.fresh(&name("in_relu"), Op::Relu, x, false)?;
        let x = self.shuffle(&name("mid"), x)?;
        let mixed = self.mixed[x.at()];
        let x = self.fresh(&name("deep"), deep, x, mixed)?;
        let x = self.fresh(&name("deep_norm"), Op::BatchNorm, x, mixed)?;
        let x = self.fresh(&node.name, expand, x, false)?;
        if let Some(last) = self.net.nodes.last_mut() {
            last.store.bias.clone_from(&node.store.bias);
        }
        Ok(x)
    }

    /// An operator with weights drawn as a recipe's are (He et al. 2015, arXiv 1502.01852).
    fn fresh(&mut self, name: &str, op: Op, x: TensorId, mixed: bool) -> Result<TensorId> {
        let output = self.push(name, op, &[x], Real::default(), FloatStore::default(), mixed)?;
        let (from, to) = (self.net.shape(x), self.net.shape(output));
        let draws = op.weights(from) > 0 || matches!(op, Op::BatchNorm);
        if let Some(node) = self.net.nodes.last_mut().filter(|_| draws) {
            node.store = fresh(op, from, to, Init::He, &mut self.rng);
        }
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use zipnet::ir::Shape;

    use super::super::{Change, regroup};
    use super::*;
    use crate::build::build;
    use crate::float::Executor;
    use crate::float::zoo;
    use crate::recipe::Recipe;

    fn shipped(name: &str) -> Net<Float> {
        let side = if name.starts_with("digits") { 16 } else { 28 };
        let recipe = Recipe::load(name).expect("shipped");
        build(&recipe, Shape::new(side, side, 1), 10, 4).expect("builds").net
    }

    fn outputs(net: &Net<Float>) -> Vec<f32> {
        let mut outputs = Vec::new();
        Executor::new(net, 1).forward(&zoo::noise(8, 3 * net.input_shape().len()), &mut outputs);
        outputs
    }

    const EVERY: [&str; 7] =
        ["plain-28", "separable-28", "residual-28", "shuffle-28", "digits", "digits-bn", "digits-1989"];

    #[test]
    fn one_group_is_the_net_itself() {
        for name in EVERY {
            let net = shipped(name);
            for unit in [Unit::Separable, Unit::Grouped] {
                let to = Regroup { groups: 1, shuffle: true, width: 1.0, unit };
                let made = regroup(&net, &to, 1).expect("rewrites");
                assert!(made.changes.iter().all(|change| change.became.is_none() && change.why.is_some()));
                assert_eq!(outputs(&made.net), outputs(&net), "{name}");
            }
        }
    }

    #[test]
    fn rewrites_keep_shapes_and_cost_less() {
        for name in EVERY {
            let net = shipped(name);
            for groups in [2, 3, 4, 8] {
                for unit in [Unit::Separable, Unit::Grouped] {
                    for shuffle in [true, false] {
                        let to = Regroup { groups, shuffle, width: 1.0, unit };
                        let made = regroup(&net, &to, 1).expect("rewrites");
                        let (old, new) = (&net, &made.net);
                        assert_eq!(old.output_shape(), new.output_shape());
                        assert_eq!(old.input_shape(), new.input_shape());
                        let split = made.changes.iter().filter(|change| change.became.is_some()).count();
                        assert_eq!(split > 0, new.macs() < old.macs(), "{name} {to:?}");
                        let shuffles = |net: &Net<Float>| {
                            net.nodes.iter().filter(|n| matches!(n.op, Op::ChannelShuffle { .. })).count()
                        };
                        assert!(shuffle || shuffles(new) == shuffles(old), "{name} {to:?}");
                        assert!(outputs(new).iter().all(|x| x.is_finite()));
                    }
                }
            }
        }
    }

    #[test]
    fn consecutive_groups_are_shuffled_and_others_are_not() {
        let to = Regroup { groups: 4, shuffle: true, width: 1.0, unit: Unit::Grouped };
        let made = regroup(&shipped("plain-28"), &to, 1).expect("rewrites");
        let names: Vec<&str> = made.net.nodes.iter().map(|node| node.name.as_str()).collect();
        // c1 reads the one channel of the picture; c2 is the first in groups, so nothing is to be mixed before it.
        assert!(!names.contains(&"c1_shuffle") && !names.contains(&"c2_shuffle"), "{names:?}");
        assert!(names.contains(&"c3_shuffle") && names.contains(&"c4_shuffle"), "{names:?}");
        let why = made.changes[0].why.as_deref().expect("a reason");
        assert_eq!(
            (made.changes[0].layer.as_str(), why),
            ("c1", "reads 1 channel, which 4 groups do not divide")
        );
        assert_eq!(made.changes[3].became.as_deref(), Some("3x3 in 4 groups, 72 to 72"));
        assert_eq!(made.changes[3].was, "conv2d 3x3, 72 to 72");
        let out = Change {
            layer: "out".into(),
            was: "dense, 72 to 10".into(),
            became: None,
            why: made.changes[4].why.clone(),
        };
        assert_eq!(made.changes[4], out);
    }

    #[test]
    fn weights_within_a_group_are_the_old_ones() {
        let mut net = Net::<Float>::new("one", Shape::new(4, 5, 6), Real::default());
        let conv = Conv2d { units: 4, window: Window::new(3, 2), groups: 1, span: 6, bias: Bias::Channel };
        let store =
            FloatStore { weights: zoo::noise(1, 4 * 6 * 6), bias: zoo::noise(2, 4), ..FloatStore::default() };
        let x = net.input;
        net.push("conv", Op::Conv2d(conv), &[x], Real::default(), store).expect("fits");
        let to = Regroup { groups: 2, shuffle: true, width: 1.0, unit: Unit::Grouped };
        let made = regroup(&net, &to, 1).expect("rewrites");
        // The old net without the weights that cross from one group to the other.
        let mut masked = net.clone();
        for (i, w) in masked.nodes[0].store.weights.iter_mut().enumerate() {
            let (unit, channel) = (i / 36, i % 6);
            *w *= if unit / 2 == channel / 3 { 1.0 } else { 0.0 };
        }
        let (a, b) = (outputs(&made.net), outputs(&masked));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
        assert_eq!(made.net.macs() * 2, net.macs());
    }

    #[test]
    fn width_multiplies_channels() {
        let net = shipped("plain-28");
        let to = Regroup { groups: 2, shuffle: true, width: 1.5, unit: Unit::Separable };
        let made = regroup(&net, &to, 1).expect("rewrites");
        assert!(
            made.changes[3]
                .became
                .as_deref()
                .is_some_and(|text| text.starts_with("1x1 in 2 groups, 108 to 108;"))
        );
        assert_eq!(made.changes[3].was, "conv2d 3x3, 72 to 72");
        let refused = |groups, width| {
            let to = Regroup { groups, shuffle: true, width, unit: Unit::Grouped };
            regroup(&net, &to, 1).expect_err("must be refused").to_string()
        };
        assert!(refused(0, 1.0).contains("groups is 0"));
        assert!(refused(2, -1.0).contains("width is -1") && refused(2, f64::NAN).contains("width is NaN"));
    }
}
