//! Resampling a picture: pixel `p` of the result is the source at `map(p + displacement(p))`, bilinearly.
//!
//! 1. The source is copied into a plane with a border of background, one pixel above and left, two below and
//!    right. Places are clamped to that border, so each has four neighbours and needs no test of its own.
//! 2. Pixels go in blocks of constant length through three loops: places and weights, the four neighbours,
//!    interpolation. The first and the last compile to vector code.
//! 3. Weights of 0 and 1 reproduce a pixel exactly, so the identity and whole shifts and mirrorings do too.
//!
//! No fused multiply-add is used and every loop rounds in the same order whatever the width of its vectors, so the
//! results are the same to the bit on every machine.

/// What lies outside the picture.
const BACKGROUND: f32 = -1.0;
/// Pixels in a block.
const BLOCK: usize = 64;

/// Added to a number from 0 to 2^23 this leaves its nearest integer, in the low bits of the sum.
const MAGIC: f32 = (1 << 23) as f32;

/// Rounds down, for 0 to 2^22. Conversions of Rust saturate, which costs a branch or two where vectors of a CPU do
/// not; this is four plain instructions everywhere.
#[inline(always)]
fn floor(v: f32) -> f32 {
    let nearest = (v + MAGIC) - MAGIC;
    if nearest > v { nearest - 1.0 } else { nearest }
}

/// A whole number from 0 to 2^22 as an integer.
#[inline(always)]
fn to_index(v: f32) -> u32 {
    (v + MAGIC).to_bits() & 0x7f_ffff
}

/// A map of the plane: `x' = xx x + xy y + tx`, `y' = yx x + yy y + ty`, in pixels from the centre of the picture,
/// y downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    pub(super) xx: f32,
    pub(super) xy: f32,
    pub(super) yx: f32,
    pub(super) yy: f32,
    pub(super) tx: f32,
    pub(super) ty: f32,
}

impl Affine {
    pub(super) const IDENTITY: Self = Self { xx: 1.0, xy: 0.0, yx: 0.0, yy: 1.0, tx: 0.0, ty: 0.0 };

    /// The map from the result back to the source, where the source was scaled, then sheared along x, then rotated
    /// by `angle` (radians, clockwise as y points down), then shifted.
    ///
    /// Forwards `q = R K S p + t` with `R = [c -s; s c]`, `K = [1 k; 0 1]`, `S = diag(scale)`; so
    /// `p = S^-1 K^-1 R^-1 (q - t)`.
    pub(super) fn undo(angle: f32, scale: (f32, f32), shear: f32, shift: (f32, f32)) -> Self {
        let (s, c) = libm::sincosf(angle);
        let (xx, xy) = ((c + shear * s) / scale.0, (s - shear * c) / scale.0);
        let (yx, yy) = (-s / scale.1, c / scale.1);
        let (tx, ty) = (-(xx * shift.0 + xy * shift.1), -(yx * shift.0 + yy * shift.1));
        Self { xx, xy, yx, yy, tx, ty }
    }

    /// First `inner`, then this.
    pub(super) fn after(&self, inner: &Self) -> Self {
        Self {
            xx: self.xx * inner.xx + self.xy * inner.yx,
            xy: self.xx * inner.xy + self.xy * inner.yy,
            yx: self.yx * inner.xx + self.yy * inner.yx,
            yy: self.yx * inner.xy + self.yy * inner.yy,
            tx: self.xx * inner.tx + self.xy * inner.ty + self.tx,
            ty: self.yx * inner.tx + self.yy * inner.ty + self.ty,
        }
    }

    /// The shift, if this is nothing but a shift by whole pixels.
    fn whole_shift(&self) -> Option<(isize, isize)> {
        let (x, y) = (self.tx as isize, self.ty as isize);
        (*self == Self { tx: x as f32, ty: y as f32, ..Self::IDENTITY }).then_some((x, y))
    }
}

/// Resamples pictures of one shape, with the scratch memory that takes.
#[derive(Debug, Clone)]
pub(super) struct Warp {
    height: usize,
    width: usize,
    channels: usize,
    /// Coordinates of each pixel from the centre, filled up to whole blocks.
    x: Vec<f32>,
    y: Vec<f32>,
    /// Displacement of each pixel, as long as `x`; all zero unless `displaced`.
    pub(super) dx: Vec<f32>,
    pub(super) dy: Vec<f32>,
    displaced: bool,
    /// One bordered plane a channel; the border is background and is never written again.
    planes: Vec<[f32; 2]>,
    /// The rows of a displacement grid, stretched to the width of the picture.
    stretched: Vec<(f32, f32)>,
}

impl Warp {
    pub(super) fn new(height: usize, width: usize, channels: usize) -> Self {
        let pixels = height * width;
        let padded = pixels.next_multiple_of(BLOCK);
        let centre = |side: usize| (side - 1) as f32 / 2.0;
        let mut x: Vec<f32> = (0..pixels).map(|i| (i % width) as f32 - centre(width)).collect();
        let mut y: Vec<f32> = (0..pixels).map(|i| (i / width) as f32 - centre(height)).collect();
        x.resize(padded, 0.0);
        y.resize(padded, 0.0);
        Self {
            height,
            width,
            channels,
            x,
            y,
            dx: vec![0.0; padded],
            dy: vec![0.0; padded],
            displaced: false,
            planes: vec![[BACKGROUND; 2]; (height + 2) * (width + 3) * channels],
            stretched: Vec::new(),
        }
    }

    /// Forgets all displacements.
    pub(super) fn clear_displacement(&mut self) {
        if self.displaced {
            self.dx.fill(0.0);
            self.dy.fill(0.0);
            self.displaced = false;
        }
    }

    /// Adds the displacement of a square grid of nodes (row by row, x and y of each), bilinear between them.
    pub(super) fn displace(&mut self, grid: usize, nodes: &[(f32, f32)]) {
        self.displaced = true;
        // Where a pixel lies among the nodes: the one before it, and how far it is to the next.
        let place = |pixel: usize, side: usize| {
            let at = pixel as f32 * (grid - 1) as f32 / (side.max(2) - 1) as f32;
            let node = (at as usize).min(grid - 2);
            (node, at - node as f32)
        };
        let between = |a: (f32, f32), b: (f32, f32), f: f32| (a.0 + (b.0 - a.0) * f, a.1 + (b.1 - a.1) * f);
        self.stretched.clear();
        for row in nodes.chunks_exact(grid) {
            self.stretched.extend((0..self.width).map(|x| {
                let (node, f) = place(x, self.width);
                between(row[node], row[node + 1], f)
            }));
        }
        for y in 0..self.height {
            let (node, f) = place(y, self.height);
            let above = &self.stretched[node * self.width..][..self.width];
            let below = &self.stretched[(node + 1) * self.width..][..self.width];
            let (dx, dy) = (&mut self.dx[y * self.width..], &mut self.dy[y * self.width..]);
            for (((dx, dy), above), below) in dx.iter_mut().zip(dy).zip(above).zip(below) {
                let (x, y) = between(*above, *below, f);
                *dx += x;
                *dy += y;
            }
        }
    }

    /// Writes `src`, seen through `map` and the displacements, to `dst`.
    pub(super) fn apply(&mut self, map: &Affine, src: &[f32], dst: &mut [f32]) {
        let len = self.height * self.width * self.channels;
        assert_eq!((src.len(), dst.len()), (len, len), "one sample each");
        match map.whole_shift() {
            Some((0, 0)) if !self.displaced => dst.copy_from_slice(src),
            Some((x, y)) if !self.displaced => self.shift(x, y, src, dst),
            _ => self.resample(map, src, dst),
        }
    }

    /// `dst` at `(x, y)` is `src` at `(x + dx, y + dy)`.
    fn shift(&self, dx: isize, dy: isize, src: &[f32], dst: &mut [f32]) {
        let (height, row) = (self.height as isize, self.width * self.channels);
        let off = (dx.unsigned_abs() * self.channels).min(row);
        for (y, out) in (0..height).zip(dst.chunks_exact_mut(row)) {
            out.fill(BACKGROUND);
            if (0..height).contains(&(y + dy)) {
                let line = &src[(y + dy) as usize * row..][..row];
                if dx >= 0 {
                    out[..row - off].copy_from_slice(&line[off..]);
                } else {
                    out[off..].copy_from_slice(&line[..row - off]);
                }
            }
        }
    }

    fn resample(&mut self, map: &Affine, src: &[f32], dst: &mut [f32]) {
        match std::env::var("V").as_deref() {
            Ok("2") => unsafe { self.avx2(map, src, dst) },
            Ok("4") => unsafe { self.avx512(map, src, dst) },
            _ => self.portable(map, src, dst),
        }
    }
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    fn avx2(&mut self, map: &Affine, src: &[f32], dst: &mut [f32]) {
        self.portable(map, src, dst)
    }
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn avx512(&mut self, map: &Affine, src: &[f32], dst: &mut [f32]) {
        self.portable(map, src, dst)
    }
    #[inline(always)]
    fn portable(&mut self, map: &Affine, src: &[f32], dst: &mut [f32]) {
        let (height, width, channels) = (self.height, self.width, self.channels);
        let stride = width + 3;
        let plane_len = stride * (height + 2);
        let row = width * channels;
        for (c, plane) in self.planes.chunks_exact_mut(plane_len).enumerate() {
            for (y, pairs) in (0..=height).zip(plane.chunks_exact_mut(stride)) {
                let pairs = &mut pairs[1..=width];
                if y == 0 {
                    for (to, below) in pairs.iter_mut().zip(src[c..].iter().step_by(channels)) {
                        *to = [BACKGROUND, *below];
                    }
                } else if y == height {
                    for (to, above) in pairs.iter_mut().zip(src[(y - 1) * row + c..].iter().step_by(channels))
                    {
                        *to = [*above, BACKGROUND];
                    }
                } else if channels == 1 {
                    let (above, below) = src[(y - 1) * row..(y + 1) * row].split_at(row);
                    for ((to, above), below) in pairs.iter_mut().zip(above).zip(below) {
                        *to = [*above, *below];
                    }
                } else {
                    let (above, below) = src[(y - 1) * row..(y + 1) * row].split_at(row);
                    for ((to, above), below) in pairs
                        .iter_mut()
                        .zip(above[c..].iter().step_by(channels))
                        .zip(below[c..].iter().step_by(channels))
                    {
                        *to = [*above, *below];
                    }
                }
            }
        }
        // From the centre of the picture to indices of the bordered plane.
        let (tx, ty) = (map.tx + (width as f32 + 1.0) / 2.0, map.ty + (height as f32 + 1.0) / 2.0);
        let (most_x, most_y) = ((width + 1) as f32, (height + 1) as f32);
        let pixels = height * width;
        for start in (0..pixels).step_by(BLOCK) {
            let block =
                |all: &[f32]| -> [f32; BLOCK] { all[start..start + BLOCK].try_into().expect("whole blocks") };
            let (mut x, mut y) = (block(&self.x), block(&self.y));
            if self.displaced {
                let (dx, dy) = (block(&self.dx), block(&self.dy));
                for i in 0..BLOCK {
                    x[i] += dx[i];
                    y[i] += dy[i];
                }
            }
            let mut at = [0_u32; BLOCK];
            for i in 0..BLOCK {
                let from_x = (map.xx * x[i] + map.xy * y[i] + tx).clamp(0.0, most_x);
                let from_y = (map.yx * x[i] + map.yy * y[i] + ty).clamp(0.0, most_y);
                let (left, top) = (floor(from_x), floor(from_y));
                (x[i], y[i]) = (from_x - left, from_y - top);
                at[i] = to_index(top * stride as f32 + left);
            }
            let count = BLOCK.min(pixels - start);
            for (c, plane) in self.planes.chunks_exact(plane_len).enumerate() {
                let mut near = [[0.0_f32; 4]; BLOCK];
                for (near, &at) in near.iter_mut().zip(&at) {
                    let p = &plane[at as usize..][..2];
                    *near = [p[0][0], p[0][1], p[1][0], p[1][1]];
                }
                let mut out = [0.0_f32; BLOCK];
                for i in 0..BLOCK {
                    let [a, c, b, d] = near[i];
                    let (upper, lower) = (a + (b - a) * x[i], c + (d - c) * x[i]);
                    out[i] = upper + (lower - upper) * y[i];
                }
                if channels == 1 {
                    dst[start..start + count].copy_from_slice(&out[..count]);
                } else {
                    for (to, value) in
                        dst[start * channels + c..].iter_mut().step_by(channels).zip(&out[..count])
                    {
                        *to = *value;
                    }
                }
            }
        }
    }
}
