//! Gradients of the operators without weights: turned in place where the operator goes element by element, else added
//! to the gradient of the input.

use crate::float::lanes::{LANES, Lanes};
use crate::float::pointwise::Function;
use crate::float::pool::PoolMap;
use crate::float::simd::{Kernel, Simd};

/// `g *= derivative`, the derivative found from the output y.
pub(crate) struct Derive<'a> {
    /// The function.
    pub(crate) function: Function,
    /// Its output.
    pub(crate) y: &'a [Lanes],
    /// Gradient of the output, then of the input.
    pub(crate) g: &'a mut [Lanes],
}

impl Kernel for Derive<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let all = self.y.iter().zip(self.g);
        match self.function {
            Function::Relu => {
                for (y, g) in all {
                    for part in 0..S::PARTS {
                        s.store(s.where_positive(s.load(y, part), s.load(g, part)), g, part);
                    }
                }
            }
            Function::Relu6 => {
                for (y, g) in all {
                    for part in 0..S::PARTS {
                        let y = s.load(y, part);
                        let own = s.where_positive(y, s.load(g, part));
                        s.store(s.where_positive(s.sub(s.splat(6.0), y), own), g, part);
                    }
                }
            }
            Function::Tanh => {
                for (y, g) in all {
                    for part in 0..S::PARTS {
                        let y = s.load(y, part);
                        let slope = s.fma(s.sub(s.zero(), y), y, s.splat(1.0));
                        s.store(s.mul(slope, s.load(g, part)), g, part);
                    }
                }
            }
        }
    }
}

/// Softmax: `dest += y * (g - sum of y g over the channels)`.
pub(crate) struct SoftmaxBack<'a> {
    /// Channels of a pixel.
    pub(crate) channels: usize,
    /// The output.
    pub(crate) y: &'a [Lanes],
    /// Its gradient.
    pub(crate) g: &'a [Lanes],
    /// Gradient of the input.
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for SoftmaxBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let n = self.channels;
        let pixels = self.y.chunks_exact(n).zip(self.g.chunks_exact(n)).zip(self.dest.chunks_exact_mut(n));
        for ((y, g), dest) in pixels {
            let mut sum = Lanes::ZERO;
            for (y, g) in y.iter().zip(g) {
                for l in 0..LANES {
                    sum.0[l] = s.fma1(y.0[l], g.0[l], sum.0[l]);
                }
            }
            for ((y, g), dest) in y.iter().zip(g).zip(dest) {
                for l in 0..LANES {
                    dest.0[l] = s.fma1(y.0[l], g.0[l] - sum.0[l], dest.0[l]);
                }
            }
        }
    }
}

/// Max pooling: the gradient goes to the first element, row by row, that was the greatest.
pub(crate) struct MaxPoolBack<'a> {
    /// The windows.
    pub(crate) map: &'a PoolMap,
    /// The input.
    pub(crate) x: &'a [Lanes],
    /// The output.
    pub(crate) y: &'a [Lanes],
    /// Its gradient.
    pub(crate) g: &'a [Lanes],
    /// Gradient of the input.
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for MaxPoolBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { map, x, y, g, dest } = self;
        let n = map.channels;
        let mut pixels = y.chunks_exact(n).zip(g.chunks_exact(n));
        for row in &map.rows {
            for (column, (y, g)) in map.columns.iter().zip(&mut pixels) {
                for (c, (y, g)) in y.iter().zip(g).enumerate() {
                    let mut left = *g;
                    for r in row {
                        for t in column {
                            let at = (r.source * map.width + t.source) * n + c;
                            let (x, dest) = (&x[at], &mut dest[at]);
                            for l in 0..LANES {
                                let share = if x.0[l] == y.0[l] { left.0[l] } else { 0.0 };
                                dest.0[l] += share;
                                left.0[l] -= share;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Average pooling: each element of a window gets an equal share.
pub(crate) struct AvgPoolBack<'a> {
    /// The windows.
    pub(crate) map: &'a PoolMap,
    /// Gradient of the output.
    pub(crate) g: &'a [Lanes],
    /// Whether to add to what the gradient of the input holds.
    pub(crate) add: bool,
    /// Gradient of the input.
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for AvgPoolBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { map, g, add, dest } = self;
        let n = map.channels;
        let mut pixels = dest.chunks_exact_mut(n);
        for row in &map.rows_back {
            for (column, dest) in map.columns_back.iter().zip(&mut pixels) {
                if !add {
                    dest.fill(Lanes::ZERO);
                }
                for r in row {
                    for t in column {
                        let window = map.rows[r.source].len() * map.columns[t.source].len();
                        let share = s.splat(1.0 / window as f32);
                        let g = &g[(r.source * map.columns.len() + t.source) * n..][..n];
                        for c in 0..n {
                            for part in 0..S::PARTS {
                                let sum = s.fma(s.load(&g[c], part), share, s.load(&dest[c], part));
                                s.store(sum, &mut dest[c], part);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Some channels of a gradient.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    /// The gradient.
    pub(crate) g: &'a [Lanes],
    /// Its channels.
    pub(crate) all: usize,
    /// The first to take.
    pub(crate) first: usize,
    /// How many to take.
    pub(crate) channels: usize,
}

impl<'a> Part<'a> {
    /// All of it.
    pub(crate) fn whole(g: &'a [Lanes]) -> Self {
        Self { g, all: g.len(), first: 0, channels: g.len() }
    }
}

/// `dest = part`, or `dest += part`.
pub(crate) struct Accumulate<'a> {
    /// Of the gradient of the output.
    pub(crate) part: Part<'a>,
    /// Whether to add.
    pub(crate) add: bool,
    /// Gradient of the input.
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for Accumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Part { g, all, first, channels } = self.part;
        for (g, dest) in g.chunks_exact(all).zip(self.dest.chunks_exact_mut(channels)) {
            let g = &g[first..][..channels];
            if !self.add {
                dest.copy_from_slice(g);
                continue;
            }
            for (g, dest) in g.iter().zip(dest) {
                for part in 0..S::PARTS {
                    s.store(s.add(s.load(g, part), s.load(dest, part)), dest, part);
                }
            }
        }
    }
}

/// Channel shuffle: adds the gradient of the output to that of the input.
pub(crate) struct Unshuffle<'a> {
    /// Groups.
    pub(crate) groups: usize,
    /// Channels.
    pub(crate) channels: usize,
    /// Gradient of the output.
    pub(crate) g: &'a [Lanes],
    /// Gradient of the input.
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for Unshuffle<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let each = self.channels / self.groups;
        for (g, dest) in self.g.chunks_exact(self.channels).zip(self.dest.chunks_exact_mut(self.channels)) {
            for (i, g) in g.chunks_exact(self.groups).enumerate() {
                for (k, g) in g.iter().enumerate() {
                    let dest = &mut dest[k * each + i];
                    for part in 0..S::PARTS {
                        s.store(s.add(s.load(g, part), s.load(dest, part)), dest, part);
                    }
                }
            }
        }
    }
}
