//! Convolution of an image that is seen on its side, or in the parts that a dilated kernel sees: each part by rows that lie
//! widened.

use super::activate;
use super::rows::{Part, part_conv2d};
use crate::arch::Isa;
use crate::ir::{Conv2d, IntData, Slide, Views};
use crate::kernels::Flow;

/// Convolution of `x` into `y`, weights packed as [`DspViews`](crate::ir::Packing::DspViews). `rests` tells how many units
/// there may be behind quads.
#[inline(never)]
pub(crate) fn views_conv2d<I: Isa>(
    isa: I,
    conv: &Conv2d,
    data: &IntData<'_>,
    flow: &mut Flow<'_>,
    rests: u8,
) {
    let x = flow.x.0;
    let (Some(views), Some(slides)) = (Views::new(conv, x), Slide::both(&conv.window, x)) else { return };
    let scratch = core::mem::take(&mut flow.scratch);
    let channels = usize::from(x.c);
    let [across, along] = conv.window.dilation.map(usize::from);
    let [row, pixel] = [slides[1].inputs * channels, channels];
    let [height, width] = views.parts;
    for oy in 0..height {
        for ox in 0..width {
            let ((rows, top), (columns, left)) = (slides[0].part(across, oy), slides[1].part(along, ox));
            let mut part = Part {
                rows,
                columns,
                from: top * row + left * pixel,
                steps: [across * row, along * pixel],
                to: oy * slides[1].outputs + ox,
                apart: [height * slides[1].outputs, width],
            };
            if views.turned {
                core::mem::swap(&mut part.rows, &mut part.columns);
                part.steps.reverse();
                part.apart.reverse();
            }
            part_conv2d(isa, conv, data, flow, (&views.lanes, &part, scratch), rests);
        }
    }
    activate(isa, flow.output(), data.clamp);
}
