//! Operators that treat every element by itself, or the channels of a pixel together: activations, add, batch norm
//! once its statistics are known, softmax.

use super::lanes::{LANES, Lanes};
use super::math;
use super::simd::{Kernel, Simd};

/// A function of one element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Function {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// Hyperbolic tangent.
    Tanh,
}

/// `dest = function(source)`.
pub(crate) struct Apply<'a>(pub(crate) Function, pub(crate) &'a [Lanes], pub(crate) &'a mut [Lanes]);

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self(function, source, dest) = self;
        let pairs = source.iter().zip(dest);
        match function {
            Function::Relu => {
                for (x, y) in pairs {
                    for part in 0..S::PARTS {
                        s.store(s.max(s.load(x, part), s.zero()), y, part);
                    }
                }
            }
            Function::Relu6 => {
                for (x, y) in pairs {
                    for part in 0..S::PARTS {
                        let x = s.max(s.load(x, part), s.zero());
                        s.store(s.min(x, s.splat(6.0)), y, part);
                    }
                }
            }
            Function::Tanh => {
                for (x, y) in pairs {
                    for l in 0..LANES {
                        y.0[l] = math::tanh(s, x.0[l]);
                    }
                }
            }
        }
    }
}

/// `dest = a + b`, negative results replaced by 0 where `relu`.
pub(crate) struct Sum<'a> {
    /// One.
    pub(crate) a: &'a [Lanes],
    /// The other.
    pub(crate) b: &'a [Lanes],
    /// Scale and shift of each channel of b, before it is added.
    pub(crate) norm: Option<(&'a [f32], &'a [f32])>,
    /// Whether a relu follows.
    pub(crate) relu: bool,
    /// Their sum.
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let low = if self.relu { 0.0 } else { f32::NEG_INFINITY };
        let Some((scale, shift)) = self.norm else {
            let len = self.dest.len();
            let (a, b) = (&self.a[..len], &self.b[..len]);
            for i in 0..len {
                for part in 0..S::PARTS {
                    let sum = s.add(s.load(&a[i], part), s.load(&b[i], part));
                    s.store(s.max(sum, s.splat(low)), &mut self.dest[i], part);
                }
            }
            return;
        };
        let channels = scale.len();
        let shift = &shift[..channels];
        let pixels = self.a.chunks_exact(channels).zip(self.b.chunks_exact(channels));
        for ((a, b), y) in pixels.zip(self.dest.chunks_exact_mut(channels)) {
            for c in 0..channels {
                for part in 0..S::PARTS {
                    let b = s.fma(s.load(&b[c], part), s.splat(scale[c]), s.splat(shift[c]));
                    s.store(s.max(s.add(s.load(&a[c], part), b), s.splat(low)), &mut y[c], part);
                }
            }
        }
    }
}

/// `dest = scale * source + shift` by channel, negative results replaced by 0 where `relu`.
pub(crate) struct Affine<'a> {
    /// One a channel.
    pub(crate) scale: &'a [f32],
    /// One a channel.
    pub(crate) shift: &'a [f32],
    /// Whether a relu follows.
    pub(crate) relu: bool,
    /// `[pixels][channels]`.
    pub(crate) source: &'a [Lanes],
    /// `[pixels][channels]`.
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for Affine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let channels = self.scale.len();
        let low = if self.relu { 0.0 } else { f32::NEG_INFINITY };
        let (scale, shift) = (self.scale, &self.shift[..channels]);
        for (x, y) in self.source.chunks_exact(channels).zip(self.dest.chunks_exact_mut(channels)) {
            for c in 0..channels {
                for part in 0..S::PARTS {
                    let z = s.fma(s.load(&x[c], part), s.splat(scale[c]), s.splat(shift[c]));
                    s.store(s.max(z, s.splat(low)), &mut y[c], part);
                }
            }
        }
    }
}

/// `exp(x - max) / sum` over the channels of each pixel.
pub(crate) struct Softmax<'a> {
    /// Channels of a pixel.
    pub(crate) channels: usize,
    /// `[pixels][channels]`.
    pub(crate) source: &'a [Lanes],
    /// `[pixels][channels]`.
    pub(crate) dest: &'a mut [Lanes],
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let pixels = self.source.chunks_exact(self.channels).zip(self.dest.chunks_exact_mut(self.channels));
        for (x, y) in pixels {
            let most = greatest(x);
            let mut sum = Lanes::ZERO;
            for (x, y) in x.iter().zip(y.iter_mut()) {
                for l in 0..LANES {
                    y.0[l] = math::exp(s, x.0[l] - most.0[l]);
                    sum.0[l] += y.0[l];
                }
            }
            for y in y {
                for l in 0..LANES {
                    y.0[l] /= sum.0[l];
                }
            }
        }
    }
}

/// The greatest of several elements, lane by lane.
#[inline(always)]
pub(crate) fn greatest(x: &[Lanes]) -> Lanes {
    let mut most = Lanes::splat(f32::NEG_INFINITY);
    for x in x {
        for l in 0..LANES {
            most.0[l] = if x.0[l] > most.0[l] { x.0[l] } else { most.0[l] };
        }
    }
    most
}
