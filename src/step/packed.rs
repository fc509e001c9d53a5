//! Which kernel runs a packed node.

use super::{Linked, Step};
use crate::arch::Isa;
use crate::ir::{Chunk, Op, Packing};
use crate::kernels::{fours, halves, nibbles, packed, vectors};
use crate::place::Samples;

impl<L: Linked, S: Samples> Step<'_, '_, L, S> {
    /// Runs a node with packed weights; `false` where they are not packed.
    #[inline(always)]
    pub(super) fn packed<I: Isa>(&mut self, isa: I) -> bool {
        let (op, data) = (&self.node.op, &self.node.data);
        let linked = L::USES.packed;
        match data.packing {
            Packing::Plain => return false,
            Packing::DspPatch => {
                if linked[Packing::DspPatch.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::conv2d(isa, conv, data, flow, L::USES.rests));
                }
            }
            Packing::DspLongPatch => {
                if linked[Packing::DspLongPatch.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::long_conv2d(isa, conv, data, flow, L::USES.rests));
                }
            }
            Packing::DspPoint => {
                if linked[Packing::DspPoint.at()] {
                    self.run_in_flow(|flow| {
                        if let Some((conv, x)) = Chunk::point(op, flow.x.0) {
                            flow.x.0 = x;
                            packed::point_conv2d(isa, &conv, data, flow, L::USES.rests);
                        }
                    });
                }
            }
            Packing::DspRows => {
                if linked[Packing::DspRows.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| {
                        packed::rows_conv2d(isa, conv, data, flow, L::USES.rests, L::USES.strips);
                    });
                }
            }
            Packing::DspViews => {
                if linked[Packing::DspViews.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| {
                        packed::views_conv2d(isa, conv, data, flow, L::USES.rests, L::USES.strips);
                    });
                }
            }
            Packing::DspTaps => {
                if linked[Packing::DspTaps.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::taps_conv2d(isa, conv, data, flow, L::USES.rests));
                }
            }
            Packing::DspWinograd => {
                if linked[Packing::DspWinograd.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::winograd_conv2d(isa, conv, data, flow));
                }
            }
            Packing::DspSquares => {
                if linked[Packing::DspSquares.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::squares_conv2d(isa, conv, data, flow));
                }
            }
            Packing::DspDense => {
                if linked[Packing::DspDense.at()] {
                    self.run_with_scratch(|x, y, scratch| packed::dense(isa, data, x, y, scratch));
                }
            }
            Packing::DspLongDense => {
                if linked[Packing::DspLongDense.at()] {
                    self.run_with_scratch(|x, y, scratch| packed::long_dense(isa, data, x, y, scratch));
                }
            }
            Packing::DspDepthwise => {
                if linked[Packing::DspDepthwise.at()]
                    && let Op::DepthwiseConv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::depthwise_conv2d(isa, conv, data, flow));
                }
            }
            Packing::DspDepthwise3 => {
                if linked[Packing::DspDepthwise3.at()]
                    && let Op::DepthwiseConv2d(conv) = op
                {
                    self.run_in_flow(|flow| {
                        packed::depthwise_conv2d_3x3(isa, conv, data, flow, L::USES.dilated);
                    });
                }
            }
            Packing::DspFourChannels => {
                if linked[Packing::DspFourChannels.at()]
                    && let Op::DepthwiseConv2d(conv) = op
                {
                    self.run_in_flow(|flow| packed::four_channels(isa, conv, data, flow, L::USES.alone));
                }
            }
            Packing::Fours => {
                if linked[Packing::Fours.at()] {
                    self.run_with_scratch(|x, y, scratch| {
                        if let Op::Conv2d(conv) = op {
                            fours::conv2d(isa, conv, data, x, y, scratch);
                        } else if let Op::Dense(dense) = op {
                            fours::dense(isa, dense, data, x, y, scratch);
                        }
                    });
                }
            }
            Packing::FoursDepthwise => {
                if linked[Packing::FoursDepthwise.at()]
                    && let Op::DepthwiseConv2d(conv) = op
                {
                    self.run_with_scratch(|x, y, scratch| {
                        fours::depthwise_conv2d(isa, conv, data, x, y, scratch);
                    });
                }
            }
            Packing::Nibbles | Packing::NibblesShort => {
                if (linked[Packing::Nibbles.at()] || linked[Packing::NibblesShort.at()])
                    && let Op::Conv2d(conv) = op
                {
                    self.run_with_scratch(|x, y, scratch| nibbles::conv2d(isa, conv, data, x, y, scratch));
                }
            }
            Packing::NibblesDense => {
                if linked[Packing::NibblesDense.at()] {
                    self.run_apart(|x, y| nibbles::dense(isa, data, x, y));
                }
            }
            Packing::NibblesDepthwise => {
                if linked[Packing::NibblesDepthwise.at()]
                    && let Op::DepthwiseConv2d(conv) = op
                {
                    self.run_with_scratch(|x, y, scratch| {
                        nibbles::depthwise_conv2d(isa, conv, data, x, y, scratch);
                    });
                }
            }
            Packing::Halves => {
                if linked[Packing::Halves.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| halves::conv2d(isa, conv, data, flow));
                }
            }
            Packing::RingDepthwise => {
                if linked[Packing::RingDepthwise.at()]
                    && let Op::DepthwiseConv2d(conv) = op
                {
                    self.run_in_flow(|flow| halves::depthwise_conv2d(isa, conv, data, flow));
                }
            }
            Packing::Vectors => {
                if linked[Packing::Vectors.at()]
                    && let Op::Conv2d(conv) = op
                {
                    self.run_in_flow(|flow| vectors::conv2d(isa, conv, data, flow));
                }
            }
            Packing::DspAdd => {
                if linked[Packing::DspAdd.at()] {
                    self.operands(|held, _, x, y| packed::add(isa, data, held, x, y));
                }
            }
        }
        true
    }
}
