//! Augmentation: a picture is never shown twice the same way.
//!
//! A recipe lists what may happen to a picture and during which share of the run:
//!
//! ```toml
//! [[train.augment]]
//! kind = "affine"
//! rotate = 12.0
//! scale = 0.12
//! until = 0.9
//!
//! [[train.augment]]
//! kind = "shift"
//! pixels = 1
//! from = 0.9
//! ```
//!
//! Everything active is composed into one map from the pixels of the result to places in the source, and the
//! source is read there once, bilinearly (see `warp`), so a picture is blurred once however long the list. What is
//! erased is painted over the result.

mod affine;
mod entry;
mod random;
mod warp;

use std::ops::Range;

use crate::{Error, Result};
use affine::Affine;
pub use entry::Augment;
use random::Random;
use warp::{MAX_PIXELS, Warp};

/// Changes pictures of one shape at random. Clone it for another thread: it holds scratch memory.
#[derive(Debug, Clone)]
pub struct Augmenter {
    list: Vec<Augment>,
    warp: Warp,
    /// Displacements in x and y of the nodes of a grid.
    nodes: [Vec<f32>; 2],
    /// What to paint over the result.
    patches: Vec<Patch>,
}

/// A rectangle of one grey.
#[derive(Debug, Clone, PartialEq)]
struct Patch {
    rows: Range<usize>,
    columns: Range<usize>,
    grey: f32,
}

impl Augmenter {
    /// For samples of `height` x `width` x `channels`.
    ///
    /// # Errors
    /// A negative or non-finite amount, a share of the run that is empty, an amount that the size of the picture
    /// does not allow (the entry is named by its number in the list, from 1), a picture of over four million pixels.
    ///
    /// # Panics
    /// A dimension is 0.
    pub fn new(list: &[Augment], height: usize, width: usize, channels: usize) -> Result<Self> {
        assert!(height * width * channels > 0, "a picture has pixels");
        if (height + 3).saturating_mul(width + 3) > MAX_PIXELS && !list.is_empty() {
            return Err(Error::new(format!(
                "augmentation: pictures of {height}x{width} are too large to augment"
            )));
        }
        for (i, entry) in list.iter().enumerate() {
            entry
                .check(height, width)
                .map_err(|what| Error::new(format!("augmentation {}: {what}", i + 1)))?;
        }
        Ok(Self {
            list: list.to_vec(),
            warp: Warp::new(height, width, channels),
            nodes: [Vec::new(), Vec::new()],
            patches: Vec::new(),
        })
    }

    /// Writes a random variation of `src` to `dst`: all that is active at `progress` (share of the run, 0 to 1), in
    /// the order of the list, except that elastic distortion comes after it and erasing last. The same `seed`, at the same progress,
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
        let [_, width, channels] = self.warp.shape();
        for Patch { rows, columns, grey } in &self.patches {
            for row in dst.chunks_exact_mut(width * channels).take(rows.end).skip(rows.start) {
                row[columns.start * channels..columns.end * channels].fill(*grey);
            }
        }
    }

    /// Draws a variation: the returned map, the displacements in `self.warp`, and `self.patches`.
    fn draw(&mut self, progress: f32, seed: u64) -> Affine {
        let mut random = Random::new(seed);
        let mut map = Affine::IDENTITY;
        let [height, width, _] = self.warp.shape();
        self.warp.clear_displacement();
        self.patches.clear();
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
                    let [x, y] = &mut self.nodes;
                    x.resize(grid * grid, 0.0);
                    y.resize(grid * grid, 0.0);
                    for (x, y) in x.iter_mut().zip(&mut *y) {
                        let (a, b) = random.normal_pair();
                        (*x, *y) = (sigma * a, sigma * b);
                    }
                    self.warp.displace(grid, x, y);
                }
                Augment::Flip { probability, .. } => {
                    if random.unit() < probability {
                        map = map.after(&Affine { xx: -1.0, ..Affine::IDENTITY });
                    }
                }
                Augment::Erase { probability, pixels, .. } => {
                    if random.unit() < probability {
                        let mut span = |side: usize| {
                            let len = 1 + random.below(pixels.into());
                            let start = random.below(side + 1 - len);
                            start..start + len
                        };
                        let (rows, columns) = (span(height), span(width));
                        self.patches.push(Patch { rows, columns, grey: random.either_way(1.0) });
                    }
                }
            }
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn affine(rotate: f32, scale: f32, shear: f32, shift: f32) -> Augment {
        Augment::Affine { rotate, scale, shear, shift, from: 0.0, until: 1.0 }
    }

    fn elastic(sigma: f32) -> Augment {
        Augment::Elastic { grid: 5, sigma, from: 0.0, until: 1.0 }
    }

    fn augmenter(list: &[Augment]) -> Augmenter {
        Augmenter::new(list, 16, 16, 1).unwrap()
    }

    /// A picture without symmetry.
    fn picture() -> Vec<f32> {
        (0..256).map(|i| (i * i * 7 % 256) as f32 / 127.5 - 1.0).collect()
    }

    fn apply(list: &[Augment], progress: f32, seed: u64) -> Vec<f32> {
        let mut dst = vec![f32::NAN; 256];
        augmenter(list).apply(progress, seed, &picture(), &mut dst);
        dst
    }

    #[test]
    fn amounts_of_zero_change_nothing() {
        let none = Augment::Flip { probability: 0.0, from: 0.0, until: 1.0 };
        let list = [affine(0.0, 0.0, 0.0, 0.0), elastic(0.0), none];
        for seed in 0..20 {
            assert_eq!(apply(&list, 0.5, seed), picture());
        }
    }

    #[test]
    fn entries_act_while_they_are_active() {
        let list = [
            Augment::Affine { rotate: 12.0, scale: 0.0, shear: 0.0, shift: 0.0, from: 0.1, until: 0.5 },
            Augment::Flip { probability: 1.0, from: 0.5, until: 0.9 },
        ];
        let mirrored: Vec<f32> = picture().chunks(16).flat_map(|row| row.iter().rev().copied()).collect();
        assert_eq!(apply(&list, 0.0, 1), picture());
        assert_ne!(apply(&list, 0.1, 1), picture());
        assert_eq!(apply(&list, 0.5, 1), mirrored);
        assert_eq!(apply(&list, 0.9, 1), picture());
    }

    #[test]
    fn a_seed_is_a_variation() {
        let list = [affine(12.0, 0.12, 0.1, 1.0), elastic(0.5)];
        assert_eq!(apply(&list, 0.5, 7), apply(&list, 0.5, 7));
        assert_ne!(apply(&list, 0.5, 7), apply(&list, 0.5, 8));
        // What an augmenter did before does not matter.
        let mut used = augmenter(&list);
        let mut dst = vec![0.0; 256];
        used.apply(0.5, 8, &[1.0; 256], &mut dst);
        used.apply(0.5, 7, &picture(), &mut dst);
        assert_eq!(dst, apply(&list, 0.5, 7));
    }

    #[test]
    fn variations_are_the_same_on_every_machine() {
        let list = [affine(12.0, 0.12, 0.1, 1.0), elastic(0.5)];
        let mut hash = Sha256::new();
        for seed in 0..100 {
            apply(&list, 0.5, seed).iter().for_each(|v| hash.update(v.to_bits().to_le_bytes()));
        }
        assert_eq!(
            crate::data::hex(&hash.finalize()),
            "6b0cb27188aac4e427706a4c7779ff0f13a3e5ac54f190b05b6e6ca552b8b903"
        );
    }

    #[test]
    fn affine_amounts_fill_their_ranges_and_no_more() {
        let (mut rotation, mut scale, mut shear, mut shift) = (vec![], vec![], vec![], vec![]);
        for seed in 0..2000 {
            let map = augmenter(&[affine(12.0, 0.0, 0.0, 0.0)]).draw(0.5, seed);
            rotation.push(map.xy.atan2(map.xx).to_degrees() / 12.0);
            let map = augmenter(&[affine(0.0, 0.12, 0.0, 0.0)]).draw(0.5, seed);
            scale.extend([(1.0 / map.xx - 1.0) / 0.12, (1.0 / map.yy - 1.0) / 0.12]);
            assert_ne!(map.xx, map.yy, "width and height are independent");
            shear.push(augmenter(&[affine(0.0, 0.0, 0.1, 0.0)]).draw(0.5, seed).xy / 0.1);
            let map = augmenter(&[affine(0.0, 0.0, 0.0, 1.0)]).draw(0.5, seed);
            shift.extend([map.tx, map.ty]);
            assert_ne!(map.tx, map.ty);
        }
        for all in [rotation, scale, shear, shift] {
            assert!(all.iter().all(|v| v.abs() <= 1.0 + 1e-5));
            assert!(all.iter().any(|&v| v < -0.98) && all.iter().any(|&v| v > 0.98));
            assert!((all.iter().sum::<f32>() / all.len() as f32).abs() < 0.05);
        }
    }

    #[test]
    fn whole_shifts_show_background_at_the_border() {
        let mut augmenter = augmenter(&[Augment::Shift { pixels: 2, from: 0.0, until: 1.0 }]);
        let mut seen = std::collections::BTreeSet::new();
        let mut dst = vec![0.0; 256];
        for seed in 0..500 {
            let map = augmenter.draw(0.5, seed);
            let (dx, dy) = map.whole_shift().unwrap();
            seen.insert((dx, dy));
            augmenter.apply(0.5, seed, &[1.0; 256], &mut dst);
            let hidden = 256 - (16 - dx.unsigned_abs()) * (16 - dy.unsigned_abs());
            assert_eq!(dst.iter().filter(|&&v| v == -1.0).count(), hidden);
            assert_eq!(dst.iter().filter(|&&v| v == 1.0).count(), 256 - hidden);
        }
        assert_eq!(seen.len(), 25, "all of -2 to 2 in both directions");
    }

    #[test]
    fn elastic_displacements_are_normal() {
        let mut augmenter = augmenter(&[elastic(0.5)]);
        let mut nodes = Vec::new();
        for seed in 0..400 {
            assert_eq!(augmenter.draw(0.5, seed), Affine::IDENTITY);
            nodes.extend(augmenter.nodes.iter().flatten().copied());
            let most = augmenter.nodes.iter().flatten().fold(0.0_f32, |m, n| m.max(n.abs()));
            let (dx, dy) = (&augmenter.warp.dx, &augmenter.warp.dy);
            assert!(
                dx.iter().chain(dy).all(|d| d.abs() <= most + 1e-6),
                "between nodes no more than at nodes"
            );
        }
        assert_eq!(nodes.len(), 400 * 50);
        let variance = nodes.iter().map(|n| n * n).sum::<f32>() / nodes.len() as f32;
        assert!((variance.sqrt() - 0.5).abs() < 0.01, "{variance}");
        assert!(nodes.iter().all(|n| n.abs() < 0.5 * 6.0));
    }

    #[test]
    fn one_rectangle_is_erased_and_no_more() {
        let erase = |pixels| Augment::Erase { probability: 1.0, pixels, from: 0.0, until: 1.0 };
        let mut augmenter = Augmenter::new(&[erase(5)], 12, 16, 2).expect("fits");
        let source = vec![9.0_f32; 12 * 16 * 2];
        let mut dst = source.clone();
        let mut seen = std::collections::BTreeSet::new();
        let (mut darkest, mut brightest) = (1.0_f32, -1.0_f32);
        for seed in 0..2000 {
            augmenter.apply(0.5, seed, &source, &mut dst);
            let erased = |row: usize, column: usize| dst[(row * 16 + column) * 2] != 9.0;
            let rows: Vec<usize> = (0..12).filter(|&r| (0..16).any(|c| erased(r, c))).collect();
            let columns: Vec<usize> = (0..16).filter(|&c| (0..12).any(|r| erased(r, c))).collect();
            let values: Vec<f32> = dst.iter().copied().filter(|v| *v != 9.0).collect();
            assert_eq!(values.len(), rows.len() * columns.len() * 2, "a rectangle, in both channels");
            assert!(values.iter().all(|v| *v == values[0] && v.abs() <= 1.0), "of one grey");
            (darkest, brightest) = (darkest.min(values[0]), brightest.max(values[0]));
            seen.insert((rows.len(), columns.len()));
            seen.extend([(100, rows[0]), (101, columns[0])]);
        }
        let sides = (1..=5).flat_map(|rows| (1..=5).map(move |columns| (rows, columns)));
        let starts = (0..12).map(|row| (100, row)).chain((0..16).map(|column| (101, column)));
        assert_eq!(seen, sides.chain(starts).collect(), "every size and every place");
        assert!(darkest < -0.98 && brightest > 0.98);
        let never = Augment::Erase { probability: 0.0, pixels: 5, from: 0.0, until: 1.0 };
        assert_eq!(apply(&[never], 0.5, 1), picture());
    }

    #[test]
    fn what_is_wrong_with_an_entry_names_it() {
        let fails = |list: &[Augment], part: &str| {
            let text = Augmenter::new(list, 16, 16, 1).unwrap_err().to_string();
            assert!(text.contains(part), "`{part}` in: {text}");
        };
        fails(&[elastic(0.5), affine(-1.0, 0.0, 0.0, 0.0)], "augmentation 2: rotate = -1");
        fails(&[elastic(f32::NAN)], "augmentation 1: sigma = NaN");
        let text = Augmenter::new(&[elastic(0.5)], 4096, 4096, 1).unwrap_err().to_string();
        assert!(text.contains("4096x4096 are too large"), "{text}");
    }
}
