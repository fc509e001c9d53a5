//! Any CPU: the default bodies, nothing more.

use super::Isa;

/// The token of every CPU there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Scalar;

impl Isa for Scalar {
    const NAME: &'static str = "scalar";
}
