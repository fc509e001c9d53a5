//! Windows over rows and columns, and the pools.

use zipnet::ir::{Op, Pool2d, Shape, Window};

use super::super::model::{Kind, Operator, Padding};
use super::Lowering;
use crate::graph::IntStore;
use crate::quantise::factors;
use crate::{Error, Result};

/// A window as the file describes it, over an input of shape `x`.
pub(super) fn window(
    padding: Padding,
    kernel: [u16; 2],
    stride: [u32; 2],
    dilation: [u32; 2],
    x: Shape,
) -> Result<Window> {
    let narrow = |pair: [u32; 2], what: &str| match pair.map(u16::try_from) {
        [Ok(rows), Ok(columns)] => Ok([rows, columns]),
        _ => Err(Error::new(format!("a {what} of {}x{} is beyond 65535", pair[0], pair[1]))),
    };
    let (stride, dilation) = (narrow(stride, "stride")?, narrow(dilation, "dilation")?);
    let window = Window { kernel, stride, dilation, padding: zipnet::ir::Padding::NONE };
    Ok(match padding {
        Padding::Same => window.same(x.h, x.w),
        Padding::Valid => window,
    })
}

impl Lowering<'_> {
    pub(super) fn pool(&mut self, operator: &Operator) -> Result<()> {
        let (Kind::AveragePool2d { padding, stride, filter, activation }
        | Kind::MaxPool2d { padding, stride, filter, activation }) = operator.kind
        else {
            return Ok(());
        };
        let (input, output) = (self.input(operator, 0)?, operator.outputs[0]);
        let kernel = match filter.map(u16::try_from) {
            [Ok(rows), Ok(columns)] => [rows, columns],
            _ => return Err(Error::new("a filter beyond 65535")),
        };
        let window = window(padding, kernel, stride, [1, 1], self.shape(input)?)?;
        let clamp = factors::clamp(super::activation(activation)?, self.scale(output)?);
        let x = self.live(input)?;
        let op = match operator.kind {
            Kind::AveragePool2d { .. } => Op::AvgPool2d(Pool2d { window }),
            _ => Op::MaxPool2d(Pool2d { window }),
        };
        self.emit(op, &[x], output, IntStore { clamp, ..IntStore::default() })
    }
}
