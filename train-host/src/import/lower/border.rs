//! Where the file's caller and the net meet: float and uint8 borders become part of the scale and zero point that the
//! caller applies.

use zipnet::ir::IntTensor;

use super::super::model::{Element, Kind, Model, Operator, extents, listed, quoted};
use super::{element, scale_of};
use crate::quantise::factors::Scale;
use crate::{Error, Result};

/// What the file has at its border, and the int8 that the net has there.
#[derive(Clone, Debug, PartialEq)]
pub struct Border {
    /// The tensor's name in the file.
    pub name: String,
    /// Its element type there.
    pub element: Element,
    /// Its extents there.
    pub shape: Vec<usize>,
    /// The net's scale and zero point.
    pub int8: Scale,
}

impl Border {
    /// What the net's tensor carries.
    pub(super) const fn meta(&self) -> IntTensor {
        IntTensor { scale: self.int8.scale, zero: self.int8.zero, offset: 0 }
    }

    /// What the caller has to know, in a line.
    pub fn describe(&self) -> String {
        let Scale { scale, zero } = self.int8;
        let what = match self.element {
            Element::Int8 => "int8 as in the file".to_owned(),
            Element::UInt8 => format!("uint8 in the file, int8 here: int8 = uint8 - 128 (zero point {zero})"),
            _ => format!(
                "{} in the file, int8 here: int8 = round(real / {scale:e}) + {zero}",
                element(self.element)
            ),
        };
        format!("{} {}: {what}; scale {scale:e}, zero point {zero}", quoted(&self.name), extents(&self.shape))
    }
}

/// What enters, and the tensor it enters by.
pub(super) fn input(model: &Model) -> Result<(Border, usize)> {
    let &[tensor] = &model.inputs[..] else {
        return Err(several(model, &model.inputs, "inputs"));
    };
    let int8 = match model.tensors[tensor].element {
        Element::Float32 => {
            let quantised = |operator: &&Operator| {
                operator.kind == Kind::Quantize && operator.inputs.contains(&Some(tensor))
            };
            let operator = model.operators.iter().find(quantised).ok_or_else(|| float(model, tensor))?;
            scale_of(model, operator.outputs[0])?
        }
        _ => shifted(model, tensor)?,
    };
    Ok((border(model, tensor, int8), tensor))
}

/// What leaves, and the tensor it leaves by.
pub(super) fn output(model: &Model) -> Result<(Border, usize)> {
    let &[tensor] = &model.outputs[..] else {
        return Err(several(model, &model.outputs, "outputs"));
    };
    let made_by = |operator: &&Operator| operator.outputs.contains(&tensor);
    let (int8, exit) = match (model.tensors[tensor].element, model.operators.iter().find(made_by)) {
        (Element::Float32, Some(Operator { kind: Kind::Dequantize, inputs, .. })) => {
            let Some(&Some(inner)) = inputs.first() else { return Err(float(model, tensor)) };
            (scale_of(model, inner)?, inner)
        }
        (Element::Float32, _) => return Err(float(model, tensor)),
        _ => (shifted(model, tensor)?, tensor),
    };
    Ok((border(model, tensor, int8), exit))
}

/// Scale and zero point of an int8 tensor, or of a uint8 tensor as int8: 128 less.
pub(super) fn shifted(model: &Model, tensor: usize) -> Result<Scale> {
    let t = &model.tensors[tensor];
    match (t.element, &t.quantisation) {
        (Element::UInt8, Some(q)) => match (&q.scales[..], &q.zeros[..]) {
            (&[scale], &[zero]) => {
                let zero = i8::try_from(zero - 128)
                    .map_err(|_| Error::new(format!("tensor {}: a zero point of {zero}", quoted(&t.name))))?;
                Ok(Scale { scale, zero })
            }
            _ => Err(Error::new(format!("tensor {}: uint8 needs one scale", quoted(&t.name)))),
        },
        _ => scale_of(model, tensor),
    }
}

fn border(model: &Model, tensor: usize, int8: Scale) -> Border {
    let t = &model.tensors[tensor];
    Border { name: t.name.clone(), element: t.element, shape: t.shape.clone(), int8 }
}

fn several(model: &Model, tensors: &[usize], what: &str) -> Error {
    Error::new(format!(
        "the model has {} {what} ({}); zipnet's nets have one: export a model of one, or split it",
        tensors.len(),
        listed(tensors.iter().map(|&t| quoted(&model.tensors[t].name)))
    ))
}

fn float(model: &Model, tensor: usize) -> Error {
    let t = &model.tensors[tensor];
    Error::new(format!(
        "tensor {} of shape {} is float, and nothing quantises it: the model needs calibration, which import does not \
         do; convert it with full integer quantisation (a representative data set, int8 inputs and outputs)",
        quoted(&t.name),
        extents(&t.shape)
    ))
}
