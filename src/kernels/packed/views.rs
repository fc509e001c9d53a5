//! Convolution of an image that is seen on its side, or in the parts that a dilated kernel sees: each part by rows that lie
//! widened.

use super::activate_all;
use super::rows::{Part, part_conv2d};
use crate::arch::Isa;
use crate::ir::{Conv2d, IntData, Views};
use crate::kernels::Flow;

/// Convolution of `x` into `y`, weights packed as [`DspViews`](crate::ir::Packing::DspViews). `rests` tells how many units
/// there may be behind quads, `strips` whether several rows of outputs may be computed at a time.
#[inline(never)]
pub(crate) fn views_conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
    rests: u8,
    strips: bool,
) {
    let x = flow.x.0;
    let Some(views) = &Views::new(conv, x) else { return };
    let scratch = core::mem::take(&mut flow.scratch);
    let [across, along] = &views.parts;
    let pixel = usize::from(x.c);
    let row = along.slide.inputs * pixel;
    for oy in 0..across.count() {
        let (rows, top) = across.part(oy);
        for ox in 0..along.count() {
            let (columns, left) = along.part(ox);
            let mut part = Part {
                rows,
                columns,
                from: top * row + left * pixel,
                steps: [across.dilation * row, along.dilation * pixel],
                to: oy * along.slide.outputs + ox,
                apart: [across.apart * along.slide.outputs, along.apart],
            };
            if views.turned {
                core::mem::swap(&mut part.rows, &mut part.columns);
                part.steps.reverse();
                part.apart.reverse();
            }
            part_conv2d(isa, conv, data, flow, (&views.lanes, &part, scratch), rests, strips);
        }
    }
    activate_all(isa, flow, data.clamp);
}
