//! Integers in the lanes: what an operator of the int8 net does besides sums of products.
//!
//! A tensor is kept as steps from its zero point, `q - zero`, whole numbers in f32. Then the border is 0, sums of
//! products are those of the engine without the zero point folded into its bias, and the kernels of the float net make
//! them exactly as long as no partial sum leaves 24 bits. Everything after the sums is done here in i32, by the functions
//! of [`zipnet::fixed`], rounding included.

use zipnet::fixed::{
    EXP_INTEGER_BITS, divide_by_power, exp_on_negatives, input_radius, multiply_high, narrow,
    one_over_one_plus, requantise,
};
use zipnet::ir::Requant;

use super::grid::End;
use crate::float::lanes::{LANES, Lanes};
use crate::float::pool::PoolMap;
use crate::float::simd::{Kernel, Simd};
use crate::quantise::Scale;

/// Whole numbers, one for each lane.
pub(crate) type Whole = [i32; LANES];

#[inline(always)]
fn whole(x: &Lanes) -> Whole {
    let mut y = [0; LANES];
    for l in 0..LANES {
        y[l] = x.0[l] as i32;
    }
    y
}

#[inline(always)]
fn scaled(x: &Whole, by: Requant) -> Whole {
    let mut y = [0; LANES];
    for l in 0..LANES {
        y[l] = requantise(x[l], by.multiplier, by.shift);
    }
    y
}

#[inline(always)]
fn end(x: &Whole, end: &End) -> Lanes {
    let mut y = Lanes::ZERO;
    for l in 0..LANES {
        y.0[l] = end.narrow(x[l]);
    }
    y
}

/// To the nearest whole number, ties away from 0, as [`f64::round`], which is a call on some CPUs.
#[inline(always)]
pub(crate) fn round(x: f64) -> f64 {
    let whole = x.trunc();
    if (x - whole).abs() < 0.5 { whole } else { whole + 1f64.copysign(x) }
}

/// Samples to steps: `x - origin` on the grid of the net's input.
pub(crate) struct Enter<'a> {
    pub(crate) grid: Scale,
    pub(crate) origin: f32,
    pub(crate) values: &'a mut [Lanes],
}

impl Kernel for Enter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (scale, zero) = (f64::from(self.grid.scale), f64::from(self.grid.zero));
        for x in self.values {
            for l in 0..LANES {
                let q = round(f64::from(x.0[l] - self.origin) / scale) + zero;
                x.0[l] = (q.clamp(-128.0, 127.0) - zero) as f32;
            }
        }
    }
}

/// `wide += by * sums`: sums that were made in parts of the weights' digits.
pub(crate) struct Gain<'a> {
    pub(crate) sums: &'a [Lanes],
    pub(crate) by: i32,
    pub(crate) wide: &'a mut [Whole],
}

impl Kernel for Gain<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (sum, wide) in self.sums.iter().zip(self.wide) {
            for l in 0..LANES {
                wide[l] += self.by * sum.0[l] as i32;
            }
        }
    }
}

/// Sums of products to steps of the output: bias, factor of the channel, clamp.
pub(crate) struct Weighted<'a> {
    /// The sums where they were made in parts, else empty.
    pub(crate) wide: &'a [Whole],
    /// One a channel, or one an element.
    pub(crate) bias: &'a [i32],
    /// One a channel.
    pub(crate) requant: &'a [Requant],
    pub(crate) end: End,
    /// The sums, then the steps; `[pixels][channels]`.
    pub(crate) values: &'a mut [Lanes],
}

impl Kernel for Weighted<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let channels = self.requant.len();
        for (p, pixel) in self.values.chunks_exact_mut(channels).enumerate() {
            let bias = &self.bias[p * channels % self.bias.len()..][..channels];
            for (c, ((y, &bias), &by)) in pixel.iter_mut().zip(bias).zip(self.requant).enumerate() {
                let mut sum = if self.wide.is_empty() { whole(y) } else { self.wide[p * channels + c] };
                for l in 0..LANES {
                    sum[l] = sum[l].wrapping_add(bias);
                }
                *y = end(&scaled(&sum, by), &self.end);
            }
        }
    }
}

/// The sum of two tensors; see `src/kernels/add.rs` of the engine.
pub(crate) struct Sum<'a> {
    pub(crate) requant: [Requant; 3],
    pub(crate) end: End,
    pub(crate) a: &'a [Lanes],
    pub(crate) b: &'a [Lanes],
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let [first, second, both] = self.requant;
        for ((a, b), y) in self.a.iter().zip(self.b).zip(self.dest) {
            let (mut a, mut b) = (whole(a), whole(b));
            for l in 0..LANES {
                (a[l], b[l]) = (a[l] << 20, b[l] << 20);
            }
            let (a, mut sum) = (scaled(&a, first), scaled(&b, second));
            for l in 0..LANES {
                sum[l] += a[l];
            }
            *y = end(&scaled(&sum, both), &self.end);
        }
    }
}

/// Held between two bounds where it lies.
pub(crate) struct Hold<'a>(pub(crate) [f32; 2], pub(crate) &'a mut [Lanes]);

impl Kernel for Hold<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self([low, high], values) = self;
        for y in values {
            for part in 0..S::PARTS {
                s.store(s.min(s.max(s.load(y, part), s.splat(low)), s.splat(high)), y, part);
            }
        }
    }
}

/// The mean of each window, rounded to nearest, ties away from the int8 0.
pub(crate) struct Mean<'a> {
    pub(crate) map: &'a PoolMap,
    pub(crate) end: End,
    pub(crate) source: &'a [Lanes],
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for Mean<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { map, end, source, dest } = self;
        let mut pixels = dest.chunks_exact_mut(map.channels);
        for row in &map.rows {
            for (column, y) in map.columns.iter().zip(&mut pixels) {
                let taps = (row.len() * column.len()) as i32;
                for (c, y) in y.iter_mut().enumerate() {
                    let mut sum = [taps * end.zero; LANES];
                    for r in row {
                        for t in column {
                            let x = &source[(r.source * map.width + t.source) * map.channels + c];
                            for l in 0..LANES {
                                sum[l] += x.0[l] as i32;
                            }
                        }
                    }
                    for l in 0..LANES {
                        // The floor of a quotient of whole numbers below 2^32 is exact in f64.
                        let above = f64::from(sum[l].abs() + taps / 2);
                        let mean = (above / f64::from(taps)) as i32;
                        let mean = if sum[l] < 0 { -mean } else { mean };
                        y.0[l] = (mean.clamp(end.low, end.high) - end.zero) as f32;
                    }
                }
            }
        }
    }
}

/// Each element by a factor.
pub(crate) struct Rescale<'a> {
    pub(crate) by: Requant,
    pub(crate) end: End,
    pub(crate) source: &'a [Lanes],
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for Rescale<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (x, y) in self.source.iter().zip(self.dest) {
            *y = end(&scaled(&whole(x), self.by), &self.end);
        }
    }
}

/// Each element looked up.
pub(crate) struct LookUp<'a> {
    pub(crate) table: &'a [f32],
    /// Zero point of the source.
    pub(crate) zero: i32,
    pub(crate) source: &'a [Lanes],
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for LookUp<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (x, y) in self.source.iter().zip(self.dest) {
            for l in 0..LANES {
                y.0[l] = self.table[(x.0[l] as i32 + self.zero + 128) as usize];
            }
        }
    }
}

/// Softmax over the channels of each pixel; see `src/kernels/softmax.rs` of the engine.
pub(crate) struct Softmax<'a> {
    pub(crate) channels: usize,
    pub(crate) by: Requant,
    pub(crate) source: &'a [Lanes],
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let least = -input_radius(EXP_INTEGER_BITS, self.by.shift);
        let pixels = self.source.chunks_exact(self.channels).zip(self.dest.chunks_exact_mut(self.channels));
        for (x, y) in pixels {
            for l in 0..LANES {
                let most = x.iter().fold(i32::MIN, |most, x| most.max(x.0[l] as i32));
                let exp = |x: &Lanes| {
                    let difference = x.0[l] as i32 - most;
                    (difference >= least)
                        .then(|| exp_on_negatives(requantise(difference, self.by.multiplier, self.by.shift)))
                };
                let sum = x
                    .iter()
                    .filter_map(exp)
                    .fold(0u32, |sum, e| sum.wrapping_add(divide_by_power(e, 12) as u32));
                let headroom = sum.leading_zeros();
                let mantissa = sum.wrapping_shl(headroom).wrapping_sub(1 << 31) as i32;
                let reciprocal = one_over_one_plus(mantissa);
                let exponent = (12u32 + 31 - 8).wrapping_sub(headroom);
                for (x, y) in x.iter().zip(y.iter_mut()) {
                    let share = exp(x).map_or(i8::MIN, |e| {
                        let share = multiply_high(reciprocal, e);
                        let share = if exponent > 31 { 0 } else { divide_by_power(share, exponent) };
                        narrow(share, i8::MIN, i8::MIN, i8::MAX)
                    });
                    y.0[l] = f32::from(share) + 128.0;
                }
            }
        }
    }
}

/// `dest = by * source`.
pub(crate) struct Times<'a>(pub(crate) f32, pub(crate) &'a [Lanes], pub(crate) &'a mut [Lanes]);

impl Kernel for Times<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self(by, source, dest) = self;
        for (x, y) in source.iter().zip(dest) {
            for part in 0..S::PARTS {
                s.store(s.mul(s.load(x, part), s.splat(by)), y, part);
            }
        }
    }
}

/// Straight through the rounding, but not through the clamp: the gradient of an output at an end of it is 0.
pub(crate) struct Cut<'a> {
    /// The ends.
    pub(crate) ends: [f32; 2],
    /// The output.
    pub(crate) y: &'a [Lanes],
    /// Its gradient.
    pub(crate) g: &'a mut [Lanes],
}

impl Kernel for Cut<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let [low, high] = self.ends;
        for (y, g) in self.y.iter().zip(self.g) {
            for part in 0..S::PARTS {
                let y = s.load(y, part);
                let above = s.where_positive(s.sub(y, s.splat(low)), s.load(g, part));
                s.store(s.where_positive(s.sub(s.splat(high), y), above), g, part);
            }
        }
    }
}

/// Straight through a tanh's table: the gradient times `1 - t^2`, with `t` what was looked up.
pub(crate) struct TanhSlope<'a> {
    /// Real value of a step of the output.
    pub(crate) scale: f32,
    /// The output.
    pub(crate) y: &'a [Lanes],
    /// Its gradient, then the input's.
    pub(crate) g: &'a mut [Lanes],
}

impl Kernel for TanhSlope<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (y, g) in self.y.iter().zip(self.g) {
            for part in 0..S::PARTS {
                let t = s.mul(s.load(y, part), s.splat(self.scale));
                let slope = s.fma(s.sub(s.zero(), t), t, s.splat(1.0));
                s.store(s.mul(slope, s.load(g, part)), g, part);
            }
        }
    }
}
