//! A convolution or dense layer, prepared: its [`Map`] run forward, and its weights in quads.
//!
//! Where a window has neither border nor dilation nor groups, the elements that the taps of a row read lie side by
//! side as their weights do, and the row is merged into a single tap; where the row is as wide as the input, so are
//! all rows. A dense layer is then one sum over a run of all its inputs.

use zipnet::ir::{Bias, Conv2d, Dense, Shape, Window};

use super::gather::{Gather, Group, Map, Quad, Run, Start, fours, wrapped};
use super::lanes::Lanes;
use super::taps::{Patch, Slide};

/// A convolution, or a dense layer as the convolution of a single pixel.
#[derive(Clone, Debug)]
pub(crate) struct Conv {
    /// Shape of the input, with its border where that is part of the tensor.
    pub(crate) x: Shape,
    /// Shape of the output.
    pub(crate) y: Shape,
    /// Rows and columns of the window.
    pub(crate) window: [Slide; 2],
    /// Rows of the window; one tap where all are merged.
    pub(crate) rows: Slide,
    /// Columns of the window; one tap where those of a row are merged.
    pub(crate) columns: Slide,
    /// Groups of output channels.
    pub(crate) groups: usize,
    /// Input channels a group reads, in runs of consecutive ones.
    pub(crate) runs: Vec<Vec<Run>>,
    /// Input channels that a group reads.
    pub(crate) span: usize,
    /// Weights of a unit for one tap.
    pub(crate) depth: usize,
    /// How the bias is shared.
    pub(crate) bias: Bias,
    /// Whether a relu follows.
    pub(crate) relu: bool,
    /// The forward map.
    pub(crate) map: Map,
}

impl Conv {
    /// A convolution over an input of `x`, whose border is part of it where the window has none.
    pub(crate) fn new(conv: &Conv2d, x: Shape, y: Shape, relu: bool) -> Self {
        let mut rows = Slide::rows(&conv.window, x.h, y.h);
        let mut columns = Slide::columns(&conv.window, x.w, y.w);
        let (channels, groups, span) = (usize::from(x.c), usize::from(conv.groups), usize::from(conv.span));
        let window = [rows, columns];
        let p = conv.window.padding;
        let merged = span == channels && groups == 1 && p.left + p.right == 0 && columns.dilation == 1;
        let (depth, runs) = if merged {
            let mut depth = columns.kernel * channels;
            if columns.kernel == columns.input && p.top + p.bottom == 0 && rows.dilation == 1 {
                depth *= rows.kernel;
                rows.kernel = 1;
            }
            columns.kernel = 1;
            (depth, vec![vec![Run { channel: 0, len: depth, first: 0 }]])
        } else {
            (span, (0..groups).map(|g| wrapped(g * (channels / groups), span, channels)).collect())
        };
        let each = usize::from(conv.units) / groups;
        let taps = rows.kernel * columns.kernel;
        let quads = each.div_ceil(4);
        let map = Map {
            patches: Patch::forward(&rows, &columns),
            source: channels,
            dest: y.c.into(),
            groups: runs
                .iter()
                .enumerate()
                .map(|(g, runs)| Group {
                    base: g * quads * taps * depth,
                    dest: fours((g * each..(g + 1) * each).collect()),
                    runs: runs.clone(),
                })
                .collect(),
            quad_step: taps * depth,
            tap_step: depth,
            channel_step: 1,
        };
        let bias = conv.bias;
        Self { x, y, window, rows, columns, groups, runs, span, depth, bias, relu, map }
    }

    /// A dense layer over the elements of an input of `x`.
    pub(crate) fn dense(dense: &Dense, x: Shape, y: Shape, relu: bool) -> Self {
        let x = u16::try_from(x.len()).map_or(x, Shape::flat);
        let window = Window::new(x.h, x.w);
        let conv = Conv2d { units: dense.units, window, groups: 1, span: x.c, bias: dense.bias };
        Self::new(&conv, x, y, relu)
    }

    /// Taps, a merged row counting as one.
    pub(crate) fn taps(&self) -> usize {
        self.rows.kernel * self.columns.kernel
    }

    /// Output channels of a group.
    pub(crate) fn each(&self) -> usize {
        usize::from(self.y.c) / self.groups
    }

    /// The units whose weights make a quad: the first, and how many they are.
    pub(crate) fn fours(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (groups, each) = (self.groups, self.each());
        (0..groups).flat_map(move |g| (0..each).step_by(4).map(move |u| (g * each + u, (each - u).min(4))))
    }

    /// Weights of a unit.
    pub(crate) fn fan_in(&self) -> usize {
        self.taps() * self.depth
    }

    /// Quads of weights.
    pub(crate) fn quads(&self) -> usize {
        self.groups * self.each().div_ceil(4) * self.fan_in()
    }

    /// What sums begin with.
    pub(crate) fn start<'a>(&self, bias: &'a [f32]) -> Start<'a> {
        match self.bias {
            Bias::None => Start::Zero,
            Bias::Channel => Start::Channel(bias),
            Bias::Unit => Start::Unit(bias),
        }
    }

    /// The kernel that computes the output.
    pub(crate) fn gather<'a>(
        &'a self,
        weights: &'a [Quad],
        bias: &'a [f32],
        source: &'a [Lanes],
        dest: &'a mut [Lanes],
    ) -> Gather<'a> {
        Gather { map: &self.map, weights, start: self.start(bias), relu: self.relu, source, dest }
    }
}

/// Weights `[units][fan in]` of up to four units side by side; the last stands in for those that miss.
pub(crate) fn pack_quad(weights: &[f32], fan_in: usize, quads: &mut [Quad]) {
    let last = weights.len() / fan_in - 1;
    let [a, b, c, d] = [0, 1, 2, 3].map(|j: usize| &weights[j.min(last) * fan_in..][..fan_in]);
    for ((((quad, a), b), c), d) in quads.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        *quad = [*a, *b, *c, *d];
    }
}

/// All weights of a convolution in quads.
pub(crate) fn pack(conv: &Conv, weights: &[f32]) -> Vec<Quad> {
    let fan_in = conv.fan_in();
    let mut quads = vec![[0.0; 4]; conv.quads()];
    let mut rest = &mut quads[..];
    for group in weights.chunks_exact(conv.each() * fan_in) {
        for four in group.chunks(4 * fan_in) {
            let (quad, after) = rest.split_at_mut(fan_in);
            pack_quad(four, fan_in, quad);
            rest = after;
        }
    }
    quads
}
