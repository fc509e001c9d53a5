//! Operators over weights packed for the DSP instructions. They compute what their namesakes one room up do; what
//! differs is the order of things, which is told at [`Packing`](crate::ir::Packing).

mod add;
mod conv2d;
mod dense;
mod depthwise_conv2d;

pub(crate) use add::add;
pub(crate) use conv2d::conv2d;
pub(crate) use dense::dense;
pub(crate) use depthwise_conv2d::{depthwise_conv2d, depthwise_conv2d_3x3};

use crate::arch::Isa;
use crate::ir::Clamp;

/// Applies an activation to what the blocks stored, which hold themselves within int8 only.
#[inline(always)]
fn activate<I: Isa>(isa: I, y: &mut [i8], clamp: Clamp) {
    if clamp != Clamp::FULL {
        isa.clamp(y, clamp);
    }
}
