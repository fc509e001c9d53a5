//! Writes TensorFlow Lite models, wrong ones in particular: whatever a [`File`] says goes into the bytes as it stands.

use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, VOffsetT, WIPOffset};

/// The root table. Fields are those of the schema.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) version: u32,
    pub(crate) codes: Vec<Code>,
    pub(crate) subgraphs: usize,
    pub(crate) tensors: Vec<Tensor>,
    /// How many times more the last tensor is listed.
    pub(crate) repeated: usize,
    pub(crate) operators: Vec<Operator>,
    pub(crate) inputs: Vec<i32>,
    pub(crate) outputs: Vec<i32>,
    pub(crate) buffers: Vec<Buffer>,
    /// Bytes after the flatbuffer.
    pub(crate) appended: Vec<u8>,
}

#[derive(Clone)]
pub(crate) struct Code {
    pub(crate) deprecated: i8,
    pub(crate) builtin: i32,
    pub(crate) custom: &'static str,
    pub(crate) version: i32,
}

#[derive(Clone, Default)]
pub(crate) struct Buffer {
    pub(crate) data: Vec<u8>,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    /// Absent where empty.
    pub(crate) shape: Vec<i32>,
    /// The shape with -1 for what is open; absent where empty.
    pub(crate) signature: Vec<i32>,
    pub(crate) element: i8,
    pub(crate) buffer: u32,
    pub(crate) scales: Vec<f32>,
    pub(crate) zeros: Vec<i64>,
    pub(crate) dimension: i32,
    pub(crate) details: u8,
    pub(crate) variable: u8,
    pub(crate) sparse: bool,
    pub(crate) external: u32,
}

#[derive(Clone)]
pub(crate) struct Operator {
    pub(crate) code: u32,
    pub(crate) inputs: Vec<i32>,
    pub(crate) outputs: Vec<i32>,
    /// Type of the options; no table where 0.
    pub(crate) options: u8,
    /// Fields of the options by number.
    pub(crate) fields: Vec<(VOffsetT, Value)>,
}

#[derive(Clone, Copy)]
pub(crate) enum Value {
    I8(i8),
    I32(i32),
    F32(f32),
}

pub(crate) const FLOAT32: i8 = 0;
pub(crate) const INT32: i8 = 2;
pub(crate) const UINT8: i8 = 3;
pub(crate) const INT64: i8 = 4;
pub(crate) const STRING: i8 = 5;
pub(crate) const INT16: i8 = 7;
pub(crate) const INT8: i8 = 9;
pub(crate) const INT4: i8 = 17;

impl Tensor {
    /// An int8 activation of scale 0.5 and zero point 3.
    pub(crate) fn activation(name: &str, shape: &[i32]) -> Self {
        Self {
            name: name.to_string(),
            shape: shape.to_vec(),
            signature: vec![],
            element: INT8,
            buffer: 0,
            scales: vec![0.5],
            zeros: vec![3],
            dimension: 0,
            details: 0,
            variable: 0,
            sparse: false,
            external: 0,
        }
    }

    /// A tensor that `buffer` holds, not quantised.
    pub(crate) fn constant(name: &str, shape: &[i32], element: i8, buffer: u32) -> Self {
        Self { element, buffer, scales: vec![], zeros: vec![], ..Self::activation(name, shape) }
    }
}

impl File {
    /// A legal model: CONV_2D of `input` 1x4x4x2 by `weights` 3x1x1x2, scaled along axis 0, with `bias`, to `output`.
    pub(crate) fn convolution() -> Self {
        let weights = Tensor {
            scales: vec![0.25, 0.5, 0.75],
            zeros: vec![0; 3],
            ..Tensor::constant("weights", &[3, 1, 1, 2], INT8, 1)
        };
        let bias = Tensor {
            scales: vec![0.125, 0.25, 0.375],
            zeros: vec![0; 3],
            ..Tensor::constant("bias", &[3], INT32, 2)
        };
        Self {
            version: 3,
            codes: vec![Code { deprecated: 3, builtin: 3, custom: "", version: 1 }],
            subgraphs: 1,
            repeated: 0,
            tensors: vec![
                Tensor::activation("input", &[1, 4, 4, 2]),
                weights,
                bias,
                Tensor::activation("output", &[1, 4, 4, 3]),
            ],
            operators: vec![Operator {
                code: 0,
                inputs: vec![0, 1, 2],
                outputs: vec![3],
                options: 1,
                fields: vec![(1, Value::I32(1)), (2, Value::I32(1))],
            }],
            inputs: vec![0],
            outputs: vec![3],
            buffers: vec![
                Buffer::default(),
                Buffer { data: vec![1, 2, 3, 4, 5, 6], ..Buffer::default() },
                Buffer { data: vec![7; 12], ..Buffer::default() },
            ],
            appended: vec![],
        }
    }

    /// A model of one operator with as many inputs and outputs, all of them of shape 1x4x4x2.
    pub(crate) fn operator(
        code: i32,
        inputs: i32,
        outputs: i32,
        options: u8,
        fields: &[(VOffsetT, Value)],
    ) -> Self {
        let tensors = (0..inputs + outputs).map(|i| Tensor::activation(&format!("t{i}"), &[1, 4, 4, 2]));
        Self {
            codes: vec![Code { deprecated: code.min(127) as i8, builtin: code, custom: "", version: 1 }],
            tensors: tensors.collect(),
            operators: vec![Operator {
                code: 0,
                inputs: (0..inputs).collect(),
                outputs: (inputs..inputs + outputs).collect(),
                options,
                fields: fields.to_vec(),
            }],
            inputs: (0..inputs).collect(),
            outputs: (inputs..inputs + outputs).collect(),
            buffers: vec![Buffer::default()],
            ..Self::convolution()
        }
    }

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut b = FlatBufferBuilder::new();
        let buffers: Vec<_> = self.buffers.iter().map(|buffer| buffer.write(&mut b)).collect();
        let codes: Vec<_> = self.codes.iter().map(|code| code.write(&mut b)).collect();
        let mut tensors: Vec<_> = self.tensors.iter().map(|tensor| tensor.write(&mut b)).collect();
        tensors.extend(tensors.last().copied().into_iter().cycle().take(self.repeated));
        let operators: Vec<_> = self.operators.iter().map(|operator| operator.write(&mut b)).collect();
        let (tensors, operators) = (b.create_vector(&tensors), b.create_vector(&operators));
        let (inputs, outputs) = (b.create_vector(&self.inputs), b.create_vector(&self.outputs));
        let start = b.start_table();
        b.push_slot_always(slot(0), tensors);
        b.push_slot_always(slot(1), inputs);
        b.push_slot_always(slot(2), outputs);
        b.push_slot_always(slot(3), operators);
        let subgraph = b.end_table(start);
        let subgraphs = b.create_vector(&vec![subgraph; self.subgraphs]);
        let (codes, buffers) = (b.create_vector(&codes), b.create_vector(&buffers));
        let description = b.create_string("written by a test");
        let start = b.start_table();
        b.push_slot_always(slot(0), self.version);
        b.push_slot_always(slot(1), codes);
        b.push_slot_always(slot(2), subgraphs);
        b.push_slot_always(slot(3), description);
        b.push_slot_always(slot(4), buffers);
        let model = b.end_table(start);
        b.finish(model, Some("TFL3"));
        [b.finished_data(), &self.appended].concat()
    }
}

/// Where a vtable holds the field of a number.
fn slot(id: VOffsetT) -> VOffsetT {
    4 + 2 * id
}

type Builder = FlatBufferBuilder<'static>;
type Offset = WIPOffset<flatbuffers::TableFinishedWIPOffset>;

impl Buffer {
    fn write(&self, b: &mut Builder) -> Offset {
        let data = (!self.data.is_empty()).then(|| b.create_vector(&self.data));
        let start = b.start_table();
        if let Some(data) = data {
            b.push_slot_always(slot(0), data);
        }
        b.push_slot(slot(1), self.offset, 0);
        b.push_slot(slot(2), self.size, 0);
        b.end_table(start)
    }
}

impl Code {
    fn write(&self, b: &mut Builder) -> Offset {
        let custom = (!self.custom.is_empty()).then(|| b.create_string(self.custom));
        let start = b.start_table();
        b.push_slot(slot(0), self.deprecated, 0);
        if let Some(custom) = custom {
            b.push_slot_always(slot(1), custom);
        }
        b.push_slot(slot(2), self.version, 1);
        b.push_slot(slot(3), self.builtin, 0);
        b.end_table(start)
    }
}

impl Tensor {
    fn write(&self, b: &mut Builder) -> Offset {
        let name = b.create_string(&self.name);
        let shape = (!self.shape.is_empty()).then(|| b.create_vector(&self.shape));
        let signature = (!self.signature.is_empty()).then(|| b.create_vector(&self.signature));
        let (scales, zeros) = (b.create_vector(&self.scales), b.create_vector(&self.zeros));
        let start = b.start_table();
        b.push_slot_always(slot(2), scales);
        b.push_slot_always(slot(3), zeros);
        b.push_slot(slot(4), self.details, 0);
        b.push_slot(slot(6), self.dimension, 0);
        let quantization = b.end_table(start);
        let start = b.start_table();
        let sparsity = b.end_table(start);
        let start = b.start_table();
        if let Some(shape) = shape {
            b.push_slot_always(slot(0), shape);
        }
        b.push_slot(slot(1), self.element, 0);
        b.push_slot(slot(2), self.buffer, 0);
        b.push_slot_always(slot(3), name);
        b.push_slot_always(slot(4), quantization);
        b.push_slot(slot(5), self.variable, 0);
        if self.sparse {
            b.push_slot_always(slot(6), sparsity);
        }
        if let Some(signature) = signature {
            b.push_slot_always(slot(7), signature);
        }
        b.push_slot(slot(10), self.external, 0);
        b.end_table(start)
    }
}

impl Operator {
    fn write(&self, b: &mut Builder) -> Offset {
        let (inputs, outputs) = (b.create_vector(&self.inputs), b.create_vector(&self.outputs));
        let start = b.start_table();
        for &(id, value) in &self.fields {
            match value {
                Value::I8(v) => b.push_slot_always(slot(id), v),
                Value::I32(v) => b.push_slot_always(slot(id), v),
                Value::F32(v) => b.push_slot_always(slot(id), v),
            }
        }
        let options: WIPOffset<UnionWIPOffset> = b.end_table(start).as_union_value();
        let start = b.start_table();
        b.push_slot(slot(0), self.code, 0);
        b.push_slot_always(slot(1), inputs);
        b.push_slot_always(slot(2), outputs);
        if self.options != 0 {
            b.push_slot_always(slot(3), self.options);
            b.push_slot_always(slot(4), options);
        }
        b.end_table(start)
    }
}
