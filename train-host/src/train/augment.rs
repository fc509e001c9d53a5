//! Augmentation: a picture is never shown twice the same way.
//!
//! A recipe lists what may happen to a picture and during which share of the run:
//!
//! ```toml
//! [[augment]]
//! kind = "affine"
//! rotate = 12.0
//! scale = 0.12
//! until = 0.9
//!
//! [[augment]]
//! kind = "shift"
//! pixels = 1
//! from = 0.9
//! ```
//!
//! Everything active is composed into one map from the pixels of the result to places in the source, and the
//! source is read there once, bilinearly (see `warp`), so a picture is blurred once however long the list.

mod warp;

use crate::{Error, Result};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use warp::{Affine, Warp};

/// One entry of the list. `from` and `until` are shares of the run, 0 to 1, and default to the whole of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Augment {
    /// Scaled, then sheared, then rotated, all about the centre, then shifted. Each amount is drawn uniformly.
    Affine {
        /// Degrees, either way.
        #[serde(default)]
        rotate: f32,
        /// Factor of 1 ± this, for width and height independently. Below 1.
        #[serde(default)]
        scale: f32,
        /// Columns by which a row is moved for each row it lies off the centre, either way.
        #[serde(default)]
        shear: f32,
        /// Pixels, either way, in x and y independently; need not be whole.
        #[serde(default)]
        shift: f32,
        /// Active from this share of the run.
        #[serde(default)]
        from: f32,
        /// Active until this share of the run.
        #[serde(default = "one")]
        until: f32,
    },
    /// Moved by a whole number of pixels in x and y independently, each number as likely.
    Shift {
        /// Greatest distance, either way.
        pixels: u16,
        /// Active from this share of the run.
        #[serde(default)]
        from: f32,
        /// Active until this share of the run.
        #[serde(default = "one")]
        until: f32,
    },
    /// Distorted by a random displacement on each node of a grid, bilinear between nodes.
    Elastic {
        /// Nodes in each direction, the outermost on the outermost pixels. At least 2.
        grid: u16,
        /// Standard deviation of the displacement of a node, in pixels, in x and y independently (normal).
        sigma: f32,
        /// Active from this share of the run.
        #[serde(default)]
        from: f32,
        /// Active until this share of the run.
        #[serde(default = "one")]
        until: f32,
    },
    /// Mirrored, left to right.
    Flip {
        /// How often, 0 to 1.
        probability: f32,
        /// Active from this share of the run.
        #[serde(default)]
        from: f32,
        /// Active until this share of the run.
        #[serde(default = "one")]
        until: f32,
    },
}

fn one() -> f32 {
    1.0
}

impl Augment {
    /// The share of the run during which this is active.
    fn span(&self) -> (f32, f32) {
        match *self {
            Self::Affine { from, until, .. }
            | Self::Shift { from, until, .. }
            | Self::Elastic { from, until, .. }
            | Self::Flip { from, until, .. } => (from, until),
        }
    }

    /// Whether this is active at `progress`; what lasts until the end includes the end.
    fn is_active(&self, progress: f32) -> bool {
        let (from, until) = self.span();
        from <= progress && (progress < until || until >= 1.0)
    }

    /// What is wrong with this for pictures of `height` x `width`.
    fn check(&self, height: usize, width: usize) -> Result<(), String> {
        let at_least_zero = |name: &str, value: f32| {
            if value.is_finite() && value >= 0.0 {
                Ok(())
            } else {
                Err(format!("{name} = {value} must be a number of at least 0"))
            }
        };
        let side = height.max(width);
        match *self {
            Self::Affine { rotate, scale, shear, shift, .. } => {
                at_least_zero("rotate", rotate)?;
                at_least_zero("scale", scale)?;
                at_least_zero("shear", shear)?;
                at_least_zero("shift", shift)?;
                if scale >= 1.0 {
                    return Err(format!("scale = {scale} must be below 1"));
                }
                if shift > side as f32 {
                    return Err(format!("shift = {shift} leaves nothing of a picture of {height}x{width}"));
                }
            }
            Self::Shift { pixels, .. } => {
                if usize::from(pixels) >= side {
                    return Err(format!("pixels = {pixels} leaves nothing of a picture of {height}x{width}"));
                }
            }
            Self::Elastic { grid, sigma, .. } => {
                at_least_zero("sigma", sigma)?;
                if grid < 2 || usize::from(grid) > side.max(2) {
                    return Err(format!("grid = {grid} must be from 2 to the {side} pixels of the picture"));
                }
            }
            Self::Flip { probability, .. } => {
                if !(0.0..=1.0).contains(&probability) {
                    return Err(format!("probability = {probability} must be from 0 to 1"));
                }
            }
        }
        let (from, until) = self.span();
        if !(0.0 <= from && from < until && until <= 1.0) {
            return Err(format!("from = {from}, until = {until}: 0 <= from < until <= 1 must hold"));
        }
        Ok(())
    }
}

/// Changes pictures of one shape at random. Clone it for another thread: it holds scratch memory.
#[derive(Debug, Clone)]
pub struct Augmenter {
    list: Vec<Augment>,
    warp: Warp,
    nodes: Vec<(f32, f32)>,
}

impl Augmenter {
    /// For samples of `height` x `width` x `channels`.
    ///
    /// # Errors
    /// A negative or non-finite amount, a share of the run that is empty, an amount that the size of the picture
    /// does not allow. The entry is named by its number in the list, from 1.
    ///
    /// # Panics
    /// A dimension is 0.
    pub fn new(list: &[Augment], height: usize, width: usize, channels: usize) -> Result<Self> {
        assert!(height * width * channels > 0, "a picture has pixels");
        for (i, entry) in list.iter().enumerate() {
            entry
                .check(height, width)
                .map_err(|what| Error::new(format!("[[augment]] {}: {what}", i + 1)))?;
        }
        Ok(Self { list: list.to_vec(), warp: Warp::new(height, width, channels), nodes: Vec::new() })
    }

    /// Writes a random variation of `src` to `dst`: all that is active at `progress` (share of the run, 0 to 1), in
    /// the order of the list, except that elastic distortion comes last. The same `seed`, at the same progress,
    /// gives the same variation on every machine; give each example of each epoch of each run its own.
    ///
    /// # Shapes
    /// Both slices hold one sample, HWC.
    ///
    /// # Ranges
    /// Values as [`Dataset::normalised`](crate::data::Dataset::normalised) gives them: what comes from outside the
    /// picture is -1, the background.
    ///
    /// # Panics
    /// A slice is not one sample long.
    pub fn apply(&mut self, progress: f32, seed: u64, src: &[f32], dst: &mut [f32]) {
        let map = self.draw(progress, seed);
        self.warp.apply(&map, src, dst);
    }

    /// Draws a variation: the returned map, and the displacements in `self.warp`.
    fn draw(&mut self, progress: f32, seed: u64) -> Affine {
        let mut random = Random(Xoshiro256PlusPlus::seed_from_u64(seed));
        let mut map = Affine::IDENTITY;
        self.warp.clear_displacement();
        for entry in self.list.iter().filter(|entry| entry.is_active(progress)) {
            match *entry {
                Augment::Affine { rotate, scale, shear, shift, .. } => {
                    let angle = random.either_way(rotate).to_radians();
                    let (sx, sy) = (1.0 + random.either_way(scale), 1.0 + random.either_way(scale));
                    let shear = random.either_way(shear);
                    let (tx, ty) = (random.either_way(shift), random.either_way(shift));
                    map = map.after(&Affine::undo(angle, (sx, sy), shear, (tx, ty)));
                }
                Augment::Shift { pixels, .. } => {
                    let (dx, dy) = (random.whole(pixels), random.whole(pixels));
                    map = map.after(&Affine { tx: -dx, ty: -dy, ..Affine::IDENTITY });
                }
                Augment::Elastic { grid, sigma, .. } => {
                    let grid = usize::from(grid);
                    self.nodes.clear();
                    self.nodes.extend((0..grid * grid).map(|_| {
                        let (a, b) = random.normal_pair();
                        (sigma * a, sigma * b)
                    }));
                    self.warp.displace(grid, &self.nodes);
                }
                Augment::Flip { probability, .. } => {
                    if random.unit() < probability {
                        map = map.after(&Affine { xx: -1.0, ..Affine::IDENTITY });
                    }
                }
            }
        }
        map
    }
}

/// Random numbers, the same on every machine.
struct Random(Xoshiro256PlusPlus);

impl Random {
    /// Uniform from 0 up to but without 1, in steps of 2^-24.
    fn unit(&mut self) -> f32 {
        (self.0.next_u64() >> 40) as f32 * (1.0 / (1 << 24) as f32)
    }

    /// Uniform within `most` of 0.
    fn either_way(&mut self, most: f32) -> f32 {
        (2.0 * self.unit() - 1.0) * most
    }

    /// A whole number from `-most` to `most`, each as likely (to within 2^-32).
    fn whole(&mut self, most: u16) -> f32 {
        let count = 2 * u64::from(most) + 1;
        let step = ((self.0.next_u64() >> 32) * count) >> 32;
        step as f32 - f32::from(most)
    }

    /// Two independent numbers of the standard normal distribution (G. Marsaglia's polar method, 1964).
    fn normal_pair(&mut self) -> (f32, f32) {
        loop {
            let (u, v) = (self.either_way(1.0), self.either_way(1.0));
            let square = u * u + v * v;
            if square > 0.0 && square < 1.0 {
                let stretch = (-2.0 * libm::logf(square) / square).sqrt();
                return (u * stretch, v * stretch);
            }
        }
    }
}
