//! Affine maps of the plane.

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
    pub(super) fn whole_shift(&self) -> Option<(isize, isize)> {
        let (x, y) = (self.tx as isize, self.ty as isize);
        (*self == Self { tx: x as f32, ty: y as f32, ..Self::IDENTITY }).then_some((x, y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(map: &Affine, (x, y): (f32, f32)) -> (f32, f32) {
        (map.xx * x + map.xy * y + map.tx, map.yx * x + map.yy * y + map.ty)
    }

    fn assert_near(got: (f32, f32), want: (f32, f32)) {
        assert!(
            (got.0 - want.0).abs() < 1e-5 && (got.1 - want.1).abs() < 1e-5,
            "{got:?} instead of {want:?}"
        );
    }

    #[test]
    fn each_part_is_undone() {
        let quarter = std::f32::consts::FRAC_PI_2;
        // What stood right of the centre stands below it after a quarter turn clockwise.
        assert_near(at(&Affine::undo(quarter, (1.0, 1.0), 0.0, (0.0, 0.0)), (0.0, 2.0)), (2.0, 0.0));
        assert_near(at(&Affine::undo(0.0, (2.0, 4.0), 0.0, (0.0, 0.0)), (2.0, 4.0)), (1.0, 1.0));
        assert_near(at(&Affine::undo(0.0, (1.0, 1.0), 0.5, (0.0, 0.0)), (4.0, 2.0)), (3.0, 2.0));
        assert_near(at(&Affine::undo(0.0, (1.0, 1.0), 0.0, (3.0, -1.0)), (3.0, -1.0)), (0.0, 0.0));
        assert_eq!(Affine::undo(0.0, (1.0, 1.0), 0.0, (0.0, 0.0)), Affine::IDENTITY);
    }

    #[test]
    fn all_parts_are_undone_in_reverse_order() {
        let (angle, scale, shear, shift) = (0.3_f32, (0.9, 1.2), 0.2, (1.5, -0.5));
        let (x, y) = (3.0_f32 * scale.0, -4.0 * scale.1);
        let (x, y) = (x + shear * y, y);
        let (s, c) = angle.sin_cos();
        let (x, y) = (c * x - s * y + shift.0, s * x + c * y + shift.1);
        assert_near(at(&Affine::undo(angle, scale, shear, shift), (x, y)), (3.0, -4.0));
    }

    #[test]
    fn composition_is_application_in_turn() {
        let outer = Affine::undo(0.3, (0.9, 1.2), 0.2, (1.5, -0.5));
        let inner = Affine::undo(-0.7, (1.1, 0.8), -0.1, (-2.0, 0.25));
        let point = (2.0, -5.0);
        assert_near(at(&outer.after(&inner), point), at(&outer, at(&inner, point)));
    }

    #[test]
    fn only_whole_shifts_are_whole_shifts() {
        let shift = |tx, ty| Affine { tx, ty, ..Affine::IDENTITY };
        assert_eq!(shift(3.0, -1.0).whole_shift(), Some((3, -1)));
        assert_eq!(shift(-0.0, 0.0).whole_shift(), Some((0, 0)));
        assert_eq!(shift(3.0, 0.5).whole_shift(), None);
        assert_eq!(Affine { xx: -1.0, ..Affine::IDENTITY }.whole_shift(), None);
    }
}
