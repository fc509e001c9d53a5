//! Any CPU: the default bodies, nothing more.

use super::Isa;
use crate::ir::Packing;

/// The token of every CPU there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar;

impl Isa for Scalar {
    const NAME: &'static str = "scalar";
    const PACKING: Packing = Packing::Plain;
    const PAIRS: bool = false;
}
