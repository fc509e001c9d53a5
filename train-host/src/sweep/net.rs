//! The nets of a sweep: after ShuffleNet (Zhang et al. 2017, arXiv 1707.01083), of any number of groups at equal cost.
//!
//! ```text
//! 3x3 stride 2, 1 to 24, batch norm, relu; max pool 3x3 stride 2      28x28 -> 14x14 -> 7x7
//! branch a1, relu; units a2, a3                         C channels    7x7
//! branch b1 of stride 2, relu; units b2, b3             2C            7x7 -> 4x4
//! mean of each channel, dense
//!
//! branch: 1x1 in g groups to m -> norm, relu -> shuffle -> depthwise 3x3 -> norm -> 1x1 in g groups -> norm
//! unit: branch -> + what came in -> relu
//! ```
//!
//! With more groups the same multiplications buy more channels: [`Width::at`] finds them.
//!
//! 1. Most multiplications lie in 1x1 convolutions, which groups make cheaper. A quarter as many channels lie inside a
//!    branch as at its end, as in the paper.
//! 2. Where channels change in number nothing goes round the branch. The paper's concat there would hand channels from
//!    group to group even in a net without shuffles, and so blur what these do: here such a net is as many narrow nets
//!    side by side, which meet in the dense layer alone.

use zipnet::ir::Bias;

use crate::recipe::{
    Border, Course, Init, Kind, Layer, Loss, Optimiser, Pair, Quantise, Recipe, Schedule, Train,
};
use crate::train::augment::Augment;

/// Channels of the stem, which the first branch reads in groups.
const STEM: u16 = 24;

/// Channels of a net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Width {
    /// `C`: of the first stage; the second has twice as many.
    pub(super) channels: u16,
    /// `m` of the first stage's branches.
    pub(super) first: u16,
    /// `m` of the second stage's branches.
    pub(super) second: u16,
}

impl Width {
    /// The plain net's, with a quarter of the channels inside a branch.
    pub(super) fn plain(channels: u16) -> Self {
        Self { channels, first: (channels / 4).max(1), second: (channels / 2).max(1) }
    }

    /// Multiplications of a net of 28x28 inputs and 10 classes with `groups` groups.
    pub(super) fn macs(self, groups: u16) -> u64 {
        let Self { channels, first, second } = self;
        let [c, m, n, g] = [channels, first, second, groups].map(u64::from);
        let (large, small, wide) = (7 * 7, 4 * 4, 2 * c);
        let stem = 14 * 14 * 9 * u64::from(STEM);
        let a1 = large * (u64::from(STEM) * m / g + 9 * m + m * c / g);
        let a = large * (2 * c * m / g + 9 * m);
        let b1 = large * c * n / g + small * (9 * n + n * wide / g);
        let b = small * (2 * wide * n / g + 9 * n);
        stem + a1 + 2 * a + b1 + 2 * b + 10 * wide
    }

    /// The width with `groups` groups whose cost is nearest to `macs`; of near ones, that with nearest to a quarter of
    /// the channels inside a branch.
    pub(super) fn at(groups: u16, macs: u64) -> Self {
        let near = |n: u16, by: i32| {
            let steps = i32::from((n + groups / 2) / groups) + by;
            groups * steps.max(1) as u16 // positive, and below the channels
        };
        let mut best = (f64::INFINITY, Self::plain(groups));
        for channels in (1..=512 / groups).map(|k| k * groups) {
            for (i, j) in [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, -1), (-1, 1), (1, 1), (-1, -1)] {
                let width = Self { channels, first: near(channels / 4, i), second: near(channels / 2, j) };
                let off = (width.macs(groups) as f64 / macs as f64 - 1.0).abs();
                let bent = |m: u16, of: u16| (4.0 * f64::from(m) / f64::from(of)).ln().abs();
                let cost = off + 0.05 * (bent(width.first, channels) + bent(width.second, 2 * channels));
                if cost < best.0 {
                    best = (cost, width);
                }
            }
        }
        best.1
    }
}

/// The recipe of a net, named `name`.
pub(super) fn recipe(
    name: &str,
    data: &str,
    width: Width,
    groups: u16,
    shuffle: bool,
    epochs: u32,
    seed: u64,
) -> Recipe {
    let mut net = Author { layers: Vec::new(), groups, shuffle };
    let (c, m, n) = (width.channels, width.first, width.second);
    net.push("stem_conv", &[], conv(STEM, 3, 2, 1));
    net.push("stem_norm", &[], Kind::BatchNorm {});
    net.push("stem_relu", &[], Kind::Relu {});
    let pool =
        Kind::MaxPool2d { kernel: Some(Pair::Both(3)), stride: Some(Pair::Both(2)), padding: Border::All(1) };
    net.push("stem", &[], pool);
    net.branch("a1", "stem", m, c, 1);
    net.push("a1", &[], Kind::Relu {});
    net.unit("a2", "a1", m, c);
    net.unit("a3", "a2", m, c);
    net.branch("b1", "a3", n, 2 * c, 2);
    net.push("b1", &[], Kind::Relu {});
    net.unit("b2", "b1", n, 2 * c);
    net.unit("b3", "b2", n, 2 * c);
    net.push("mean", &[], Kind::AvgPool2d { kernel: None, stride: None, padding: Border::All(0) });
    net.push("out", &[], Kind::Dense { units: 10, bias: Bias::Channel, bits: None });
    Recipe {
        name: name.to_owned(),
        data: data.to_owned(),
        train: Train {
            epochs,
            batch: 64,
            seed,
            loss: Loss::CrossEntropy,
            label_smoothing: 0.0,
            batch_norm_momentum: 0.02,
            init: Init::He,
            optimiser: Optimiser::Adamw { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.02 },
            schedule: Schedule { kind: Course::Cosine, peak: 6e-3, end: 0.0, warm_up: 0.05 },
            augment: vec![Augment::Shift { pixels: 1, from: 0.0, until: 1.0 }],
            early_stop: None,
        },
        quantise: Quantise::default(),
        layers: net.layers,
    }
}

fn conv(units: u16, kernel: u16, stride: u16, groups: u16) -> Kind {
    Kind::Conv2d {
        units,
        kernel: Pair::Both(kernel),
        stride: Pair::Both(stride),
        dilation: Pair::Both(1),
        padding: Border::All(kernel / 2),
        groups,
        span: None,
        bias: Bias::None,
        bits: None,
    }
}

/// The layers on their way.
struct Author {
    layers: Vec<Layer>,
    groups: u16,
    shuffle: bool,
}

impl Author {
    fn push(&mut self, name: &str, from: &[&str], kind: Kind) {
        let from = from.iter().map(|&name| name.to_owned()).collect();
        self.layers.push(Layer { name: Some(name.to_owned()), from, kind });
    }

    /// 1x1, shuffle, depthwise, 1x1 from `from` by way of `inner` channels to `units`; its end is called `…_new`.
    fn branch(&mut self, name: &str, from: &str, inner: u16, units: u16, stride: u16) {
        let part = |part: &str| format!("{name}_{part}");
        let depthwise = Kind::DepthwiseConv2d {
            multiplier: 1,
            kernel: Pair::Both(3),
            stride: Pair::Both(stride),
            dilation: Pair::Both(1),
            padding: Border::All(1),
            bias: Bias::None,
            bits: None,
        };
        self.push(&part("in"), &[from], conv(inner, 1, 1, self.groups));
        self.push(&part("in_norm"), &[], Kind::BatchNorm {});
        self.push(&part("in_relu"), &[], Kind::Relu {});
        if self.shuffle && self.groups > 1 {
            self.push(&part("shuffle"), &[], Kind::ChannelShuffle { groups: self.groups });
        }
        self.push(&part("deep"), &[], depthwise);
        self.push(&part("deep_norm"), &[], Kind::BatchNorm {});
        self.push(&part("out"), &[], conv(units, 1, 1, self.groups));
        self.push(&part("new"), &[], Kind::BatchNorm {});
    }

    /// A unit of stride 1.
    fn unit(&mut self, name: &str, from: &str, inner: u16, units: u16) {
        self.branch(name, from, inner, units, 1);
        self.push(&format!("{name}_sum"), &[from, &format!("{name}_new")], Kind::Add {});
        self.push(name, &[], Kind::Relu {});
    }
}

#[cfg(test)]
mod tests {
    use zipnet::ir::Shape;

    use super::*;
    use crate::build::build;

    #[test]
    fn every_net_costs_what_was_asked() {
        for plain in [64, 40, 24] {
            let target = Width::plain(plain).macs(1);
            assert_eq!(Width::at(1, target), Width::plain(plain));
            for groups in [1, 2, 3, 4, 8] {
                let width = Width::at(groups, target);
                let recipe = recipe("net", "fashion-mnist", width, groups, groups > 1, 1, 1);
                let net = build(&recipe, Shape::new(28, 28, 1), 10, 1).expect("builds").net;
                assert_eq!(net.macs(), width.macs(groups), "{plain} {groups}");
                let off = net.macs() as f64 / target as f64 - 1.0;
                assert!(off.abs() < 0.03, "{plain} {groups}: {width:?} is off by {off}");
                assert!(
                    groups == 1 || width.channels > plain,
                    "groups buy channels: {plain} {groups} {width:?}"
                );
            }
        }
    }
}
