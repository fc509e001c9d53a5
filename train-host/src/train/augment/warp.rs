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

use super::affine::Affine;

/// What lies outside the picture.
const BACKGROUND: f32 = -1.0;
/// Pixels in a block.
const BLOCK: usize = 64;
/// Pixels of the largest picture with its border: the range of [`floor`] and [`to_index`].
pub(super) const MAX_PIXELS: usize = 1 << 22;

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

/// The vectors that the loops are compiled for. The same code each time; AVX-512 takes two thirds of the time of
/// the portable one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Vectors {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Vectors {
    /// What this CPU has, the best last.
    fn all() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                all.push(Self::Avx2);
            }
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
            {
                all.push(Self::Avx512);
            }
        }
        all
    }
}

/// Resamples pictures of one shape, with the scratch memory that takes.
#[derive(Debug, Clone)]
pub(super) struct Warp {
    vectors: Vectors,
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
    planes: Vec<f32>,
    /// The rows of a displacement grid, stretched to the width of the picture.
    stretched: Vec<f32>,
}

impl Warp {
    /// For pictures of at most [`MAX_PIXELS`] with a border of three more rows and columns.
    pub(super) fn new(height: usize, width: usize, channels: usize) -> Self {
        let pixels = height * width;
        let padded = pixels.next_multiple_of(BLOCK);
        let centre = |side: usize| (side - 1) as f32 / 2.0;
        let mut x: Vec<f32> = (0..pixels).map(|i| (i % width) as f32 - centre(width)).collect();
        let mut y: Vec<f32> = (0..pixels).map(|i| (i / width) as f32 - centre(height)).collect();
        x.resize(padded, 0.0);
        y.resize(padded, 0.0);
        Self {
            vectors: Vectors::all().pop().unwrap_or(Vectors::Portable),
            height,
            width,
            channels,
            x,
            y,
            dx: vec![0.0; padded],
            dy: vec![0.0; padded],
            displaced: false,
            planes: vec![BACKGROUND; (height + 3) * (width + 3) * channels],
            stretched: Vec::new(),
        }
    }

    /// Rows, columns, channels.
    pub(super) fn shape(&self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    /// Forgets all displacements.
    pub(super) fn clear_displacement(&mut self) {
        if self.displaced {
            self.dx.fill(0.0);
            self.dy.fill(0.0);
            self.displaced = false;
        }
    }

    /// Adds the displacement of a square grid of nodes, given row by row, bilinear between them.
    pub(super) fn displace(&mut self, grid: usize, nodes_x: &[f32], nodes_y: &[f32]) {
        self.displaced = true;
        let (height, width) = (self.height, self.width);
        add_stretched(grid, nodes_x, &mut self.stretched, height, width, &mut self.dx);
        add_stretched(grid, nodes_y, &mut self.stretched, height, width, &mut self.dy);
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
        match self.vectors {
            Vectors::Portable => self.resample_inlined(map, src, dst),
            // SAFETY: `Vectors` holds this value only where the CPU was seen to have AVX2.
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx2 => unsafe { self.resample_avx2(map, src, dst) },
            // SAFETY: `Vectors` holds this value only where the CPU was seen to have these parts of AVX-512.
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx512 => unsafe { self.resample_avx512(map, src, dst) },
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn resample_avx2(&mut self, map: &Affine, src: &[f32], dst: &mut [f32]) {
        self.resample_inlined(map, src, dst);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
    fn resample_avx512(&mut self, map: &Affine, src: &[f32], dst: &mut [f32]) {
        self.resample_inlined(map, src, dst);
    }

    #[inline(always)]
    fn resample_inlined(&mut self, map: &Affine, src: &[f32], dst: &mut [f32]) {
        let (height, width, channels) = (self.height, self.width, self.channels);
        let stride = width + 3;
        let plane_len = stride * (height + 3);
        for (c, plane) in self.planes.chunks_exact_mut(plane_len).enumerate() {
            for (line, bordered) in
                src.chunks_exact(width * channels).zip(plane[stride..].chunks_exact_mut(stride))
            {
                if channels == 1 {
                    bordered[1..=width].copy_from_slice(line);
                } else {
                    for (value, to) in line[c..].iter().step_by(channels).zip(&mut bordered[1..=width]) {
                        *to = *value;
                    }
                }
            }
        }
        // From the centre of the picture to indices of the bordered plane.
        let (tx, ty) = (map.tx + (width as f32 + 1.0) / 2.0, map.ty + (height as f32 + 1.0) / 2.0);
        let (most_x, most_y) = ((width + 1) as f32, (height + 1) as f32);
        let pixels = height * width;
        for start in (0..pixels).step_by(BLOCK) {
            let (x, y) = (block(&self.x, start), block(&self.y, start));
            let (dx, dy) = (block(&self.dx, start), block(&self.dy, start));
            let (mut right, mut down) = ([0.0_f32; BLOCK], [0.0_f32; BLOCK]);
            let mut at = [0_u32; BLOCK];
            for i in 0..BLOCK {
                let (x, y) = (x[i] + dx[i], y[i] + dy[i]);
                let from_x = (map.xx * x + map.xy * y + tx).clamp(0.0, most_x);
                let from_y = (map.yx * x + map.yy * y + ty).clamp(0.0, most_y);
                let (left, top) = (floor(from_x), floor(from_y));
                (right[i], down[i]) = (from_x - left, from_y - top);
                at[i] = to_index(top * stride as f32 + left);
            }
            let count = BLOCK.min(pixels - start);
            for (c, plane) in self.planes.chunks_exact(plane_len).enumerate() {
                let mut near = [[0.0_f32; 4]; BLOCK];
                for (near, &at) in near.iter_mut().zip(&at) {
                    let p = &plane[at as usize..][..stride + 2];
                    *near = [p[0], p[1], p[stride], p[stride + 1]];
                }
                let mut out = [0.0_f32; BLOCK];
                for i in 0..BLOCK {
                    let [a, b, c, d] = near[i];
                    let (upper, lower) = (a + (b - a) * right[i], c + (d - c) * right[i]);
                    out[i] = upper + (lower - upper) * down[i];
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

/// One block of a plane.
#[inline(always)]
fn block(plane: &[f32], start: usize) -> &[f32; BLOCK] {
    plane[start..start + BLOCK].try_into().expect("a block is as long as a block")
}

/// Adds a grid, stretched so that its outermost nodes lie on the outermost pixels, to a plane of `height` x `width`.
fn add_stretched(
    grid: usize,
    nodes: &[f32],
    rows: &mut Vec<f32>,
    height: usize,
    width: usize,
    plane: &mut [f32],
) {
    // Where a pixel lies among the nodes: the one before it, and how far it is to the next.
    let place = |pixel: usize, side: usize| {
        let at = pixel as f32 * ((grid - 1) as f32 / (side.max(2) - 1) as f32);
        let node = (at as usize).min(grid - 2);
        (node, at - node as f32)
    };
    rows.resize(grid * width, 0.0);
    for x in 0..width {
        let (node, f) = place(x, width);
        for (row, out) in nodes.chunks_exact(grid).zip(rows[x..].iter_mut().step_by(width)) {
            *out = row[node] + (row[node + 1] - row[node]) * f;
        }
    }
    for (y, out) in plane.chunks_exact_mut(width).take(height).enumerate() {
        let (node, f) = place(y, height);
        let (above, below) = rows[node * width..][..2 * width].split_at(width);
        for ((out, a), b) in out.iter_mut().zip(above).zip(below) {
            *out += a + (b - a) * f;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::augment::random::Random;

    const SHAPES: [(usize, usize, usize); 6] =
        [(16, 16, 1), (28, 28, 1), (7, 13, 3), (1, 1, 1), (1, 9, 2), (10, 3, 1)];

    /// A random map, displacement and source.
    fn scene(random: &mut Random, warp: &mut Warp) -> (Affine, Vec<f32>) {
        let mut of = |most| random.either_way(most);
        let map = Affine::undo(of(3.0), (1.0 + of(0.5), 1.0 + of(0.5)), of(0.5), (of(5.0), of(5.0)));
        let nodes: Vec<f32> = (0..18).map(|_| of(1.5)).collect();
        warp.clear_displacement();
        warp.displace(3, &nodes[..9], &nodes[9..]);
        (map, (0..warp.height * warp.width * warp.channels).map(|_| of(1.0)).collect())
    }

    /// One pixel of the result, from the definition.
    fn reference(warp: &Warp, map: &Affine, src: &[f32], (y, x, c): (usize, usize, usize)) -> f64 {
        let (height, width) = (warp.height as f64, warp.width as f64);
        let i = y * warp.width + x;
        let px = x as f64 - (width - 1.0) / 2.0 + f64::from(warp.dx[i]);
        let py = y as f64 - (height - 1.0) / 2.0 + f64::from(warp.dy[i]);
        let [xx, xy, yx, yy, tx, ty] = [map.xx, map.xy, map.yx, map.yy, map.tx, map.ty].map(f64::from);
        let from_x = xx * px + xy * py + tx + (width - 1.0) / 2.0;
        let from_y = yx * px + yy * py + ty + (height - 1.0) / 2.0;
        let pixel = |y: f64, x: f64| {
            if x < 0.0 || y < 0.0 || x >= width || y >= height {
                return f64::from(BACKGROUND);
            }
            f64::from(src[(y as usize * warp.width + x as usize) * warp.channels + c])
        };
        let (left, top) = (from_x.floor(), from_y.floor());
        let (fx, fy) = (from_x - left, from_y - top);
        (1.0 - fy) * ((1.0 - fx) * pixel(top, left) + fx * pixel(top, left + 1.0))
            + fy * ((1.0 - fx) * pixel(top + 1.0, left) + fx * pixel(top + 1.0, left + 1.0))
    }

    fn apply(warp: &mut Warp, map: &Affine, src: &[f32]) -> Vec<f32> {
        let mut dst = vec![f32::NAN; src.len()];
        warp.apply(map, src, &mut dst);
        dst
    }

    #[test]
    fn every_pixel_is_near_the_reference_and_equal_on_all_vectors() {
        println!("vectors on this machine: {:?}", Vectors::all());
        let mut random = Random::new(1);
        for (height, width, channels) in SHAPES {
            let mut warp = Warp::new(height, width, channels);
            for _ in 0..50 {
                let (map, src) = scene(&mut random, &mut warp);
                warp.vectors = Vectors::Portable;
                let portable = apply(&mut warp, &map, &src);
                for (i, got) in portable.iter().enumerate() {
                    let at = (i / channels / width, i / channels % width, i % channels);
                    let want = reference(&warp, &map, &src, at);
                    assert!((f64::from(*got) - want).abs() < 1e-4, "{got} instead of {want} at {at:?}");
                }
                for vectors in Vectors::all() {
                    warp.vectors = vectors;
                    assert!(apply(&mut warp, &map, &src) == portable, "{vectors:?} differs");
                }
            }
        }
    }

    #[test]
    fn identity_whole_shifts_and_mirrors_are_exact_on_both_ways() {
        let mut random = Random::new(2);
        for (height, width, channels) in SHAPES {
            let mut warp = Warp::new(height, width, channels);
            let src: Vec<f32> = (0..height * width * channels).map(|_| random.either_way(1.0)).collect();
            for (dx, dy) in [(0, 0), (1, 0), (0, -1), (-1, 2), (40, 0), (0, -40), (-13, 3)] {
                for xx in [1.0, -1.0] {
                    let map = Affine { xx, tx: dx as f32, ty: dy as f32, ..Affine::IDENTITY };
                    let want: Vec<f32> = (0..src.len())
                        .map(|i| {
                            let (y, x, c) = (i / channels / width, i / channels % width, i % channels);
                            let x = if xx > 0.0 { x } else { width - 1 - x };
                            let (y, x) = (y as isize + dy, x as isize + dx);
                            let inside =
                                (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
                            if inside {
                                src[(y as usize * width + x as usize) * channels + c]
                            } else {
                                BACKGROUND
                            }
                        })
                        .collect();
                    assert!(apply(&mut warp, &map, &src) == want, "{dx} {dy} {xx}");
                    let mut resampled = vec![f32::NAN; src.len()];
                    warp.resample(&map, &src, &mut resampled);
                    assert!(resampled == want, "resampled {dx} {dy} {xx}");
                }
            }
        }
    }

    #[test]
    fn a_grid_is_met_at_its_nodes_and_linear_between() {
        let mut warp = Warp::new(9, 5, 1);
        let nodes: Vec<f32> = (0..9).map(|i| (i * i) as f32).collect();
        warp.displace(3, &nodes, &[2.0; 9]);
        let dx = |y: usize, x: usize| warp.dx[y * 5 + x];
        for (node, &displacement) in nodes.iter().enumerate() {
            assert_eq!(dx(node / 3 * 4, node % 3 * 2), displacement);
        }
        assert_eq!(dx(0, 1), 0.5);
        assert_eq!(dx(1, 0), 9.0 / 4.0);
        assert_eq!(dx(6, 3), (16.0 + 25.0 + 49.0 + 64.0) / 4.0);
        assert_eq!(warp.dy[..45], [2.0; 45]);
        warp.displace(2, &[1.0; 4], &[1.0; 4]);
        assert_eq!((warp.dx[0], warp.dy[44]), (1.0, 3.0), "displacements add up");
        warp.clear_displacement();
        assert!(warp.dx.iter().chain(&warp.dy).all(|&d| d == 0.0));
    }

    #[test]
    fn floor_and_index_are_exact_over_their_range() {
        for v in [0.0_f32, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 1000.999, 65_535.5, 4_194_303.5, 4_194_304.0] {
            assert_eq!(floor(v), v.floor());
            assert_eq!(to_index(v.floor()), v as u32);
        }
    }
}
