//! One entry of a recipe's list of augmentations.

use serde::{Deserialize, Serialize};

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
    /// A rectangle anywhere in the result painted over with one grey, drawn uniformly from black to white (after
    /// Zhong et al., arXiv 1708.04896).
    Erase {
        /// How often, 0 to 1.
        probability: f32,
        /// Greatest side; both sides are drawn independently from 1 to this, each number as likely. At least 1, at most
        /// the smaller side of the picture.
        pixels: u16,
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
            | Self::Flip { from, until, .. }
            | Self::Erase { from, until, .. } => (from, until),
        }
    }

    /// Whether this is active at `progress`; what lasts until the end includes the end.
    pub(super) fn is_active(&self, progress: f32) -> bool {
        let (from, until) = self.span();
        from <= progress && (progress < until || until >= 1.0)
    }

    /// What is wrong with this for pictures of `height` x `width`.
    pub(super) fn check(&self, height: usize, width: usize) -> Result<(), String> {
        let at_least_zero = |name: &str, value: f32| {
            if value.is_finite() && value >= 0.0 {
                Ok(())
            } else {
                Err(format!("{name} = {value} must be a number of at least 0"))
            }
        };
        let share = |probability: f32| {
            if (0.0..=1.0).contains(&probability) {
                Ok(())
            } else {
                Err(format!("probability = {probability} must be from 0 to 1"))
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
            Self::Flip { probability, .. } => share(probability)?,
            Self::Erase { probability, pixels, .. } => {
                share(probability)?;
                let least = height.min(width);
                if !(1..=least).contains(&usize::from(pixels)) {
                    return Err(format!(
                        "pixels = {pixels} must be from 1 to {least} in a picture of {height}x{width}"
                    ));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Recipe {
        augment: Vec<Augment>,
    }

    fn parse(text: &str) -> Result<Vec<Augment>, String> {
        toml::from_str::<Recipe>(text).map(|recipe| recipe.augment).map_err(|e| e.to_string())
    }

    #[test]
    fn a_recipe_is_read() {
        let list = parse(
            r#"
            [[augment]]
            kind = "affine"
            rotate = 12.0
            shift = 1
            until = 0.9
            [[augment]]
            kind = "shift"
            pixels = 1
            from = 0.9
            [[augment]]
            kind = "elastic"
            grid = 5
            sigma = 0.5
            [[augment]]
            kind = "flip"
            probability = 0.5
            [[augment]]
            kind = "erase"
            probability = 0.25
            pixels = 9
            "#,
        );
        let want = [
            Augment::Affine { rotate: 12.0, scale: 0.0, shear: 0.0, shift: 1.0, from: 0.0, until: 0.9 },
            Augment::Shift { pixels: 1, from: 0.9, until: 1.0 },
            Augment::Elastic { grid: 5, sigma: 0.5, from: 0.0, until: 1.0 },
            Augment::Flip { probability: 0.5, from: 0.0, until: 1.0 },
            Augment::Erase { probability: 0.25, pixels: 9, from: 0.0, until: 1.0 },
        ];
        assert_eq!(list.unwrap(), want);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let fails = |entry: &str, part: &str| {
            let text = parse(&format!("[[augment]]\n{entry}")).unwrap_err();
            assert!(text.contains(part), "`{part}` in: {text}");
        };
        fails("kind = \"shift\"\npixels = 1\nangle = 3", "unknown field `angle`");
        fails("kind = \"cutout\"", "unknown variant `cutout`");
        fails("kind = \"shift\"", "missing field `pixels`");
        fails("kind = \"shift\"\npixels = -1", "-1");
        fails("pixels = 1", "kind");
    }

    #[test]
    fn amounts_are_checked() {
        let fails = |entry: &str, part: &str| {
            let list = parse(&format!("[[augment]]\n{entry}")).unwrap();
            let text = list[0].check(16, 12).unwrap_err();
            assert!(text.contains(part), "`{part}` in: {text}");
        };
        for name in ["rotate", "scale", "shear", "shift"] {
            fails(&format!("kind = \"affine\"\n{name} = -0.1"), &format!("{name} = -0.1 must be"));
            fails(&format!("kind = \"affine\"\n{name} = nan"), &format!("{name} = NaN must be"));
            fails(&format!("kind = \"affine\"\n{name} = inf"), &format!("{name} = inf must be"));
        }
        fails("kind = \"affine\"\nscale = 1", "scale = 1 must be below 1");
        fails("kind = \"affine\"\nshift = 17", "nothing of a picture of 16x12");
        fails("kind = \"shift\"\npixels = 16", "nothing of a picture of 16x12");
        fails("kind = \"elastic\"\ngrid = 5\nsigma = -1", "sigma = -1 must be");
        fails("kind = \"elastic\"\ngrid = 1\nsigma = 1", "grid = 1 must be");
        fails("kind = \"elastic\"\ngrid = 17\nsigma = 1", "grid = 17 must be");
        fails("kind = \"flip\"\nprobability = 1.5", "probability = 1.5 must be");
        fails("kind = \"erase\"\npixels = 3\nprobability = -1", "probability = -1 must be");
        fails("kind = \"erase\"\npixels = 0\nprobability = 1", "pixels = 0 must be from 1 to 12");
        fails("kind = \"erase\"\npixels = 13\nprobability = 1", "pixels = 13 must be from 1 to 12");
        for span in
            ["from = 0.5\nuntil = 0.5", "from = 0.9\nuntil = 0.1", "from = -0.1", "until = 1.1", "from = nan"]
        {
            fails(&format!("kind = \"shift\"\npixels = 1\n{span}"), "0 <= from < until <= 1");
        }
    }

    #[test]
    fn a_span_includes_its_start_and_the_end_of_the_run() {
        let early = Augment::Shift { pixels: 1, from: 0.0, until: 0.9 };
        let late = Augment::Shift { pixels: 1, from: 0.9, until: 1.0 };
        let active = |progress| (early.is_active(progress), late.is_active(progress));
        assert_eq!(active(0.0), (true, false));
        assert_eq!(active(0.89), (true, false));
        assert_eq!(active(0.9), (false, true));
        assert_eq!(active(1.0), (false, true));
    }
}
