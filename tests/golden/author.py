"""Authors small int8 TFLite models as flatbuffers, and describes them for `operators.json`.

A `Model` gathers tensors and operators of one subgraph. `Model.pack()` gives the bytes of a `.tflite` file, `Model.record()` the same
content as plain lists. Shapes here are TFLite's, batch included; the batch is always 1 and `record()` drops it from activations.

Schema classes come from the `tflite_micro` package, the format itself is TensorFlow Lite's `schema.fbs` version 3.
"""

import flatbuffers
import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

ACTIVATIONS = {
    "NONE": schema.ActivationFunctionType.NONE,
    "RELU": schema.ActivationFunctionType.RELU,
    "RELU6": schema.ActivationFunctionType.RELU6,
    "RELU_N1_TO_1": schema.ActivationFunctionType.RELU_N1_TO_1,
}
PADDINGS = {"SAME": schema.Padding.SAME, "VALID": schema.Padding.VALID}

# `operator_codes` keeps a second, 8 bit field for readers older than the 32 bit one; larger codes are written there as this value.
LAST_DEPRECATED_CODE = 127


class AlignedBuffer(schema.BufferT):
    """A data buffer aligned to 16 bytes, as `force_align: 16` in the schema asks and the generated Python code does not do."""

    def Pack(self, builder):
        data = None
        if self.data is not None:
            raw = bytes(self.data)
            builder.StartVector(1, len(raw), 16)
            builder.head = builder.head - len(raw)
            builder.Bytes[builder.head : builder.head + len(raw)] = raw
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def float32(x):
    """`x` rounded to the nearest float32, as a Python float: what a `.tflite` file stores as a scale."""
    return float(np.float32(x))


class Tensor:
    """One tensor. `scale` is a list (one value, or one a channel of `axis`), or None where the tensor is not quantised.

    `data` is a numpy array for constants, None for activations.
    """

    def __init__(self, index, name, shape, kind, scale, zero, axis, data):
        self.index, self.name, self.shape, self.kind = index, name, list(shape), kind
        self.scale, self.zero, self.axis, self.data = scale, zero, axis, data

    def real(self, q):
        """Real values of the integers `q`."""
        return self.scale[0] * (np.asarray(q, np.float64) - self.zero)

    def record(self):
        out = {"name": self.name, "shape": self.shape if self.data is not None else self.shape[1:], "type": self.kind}
        if self.scale is not None:
            out["scale"], out["zero_point"] = self.scale, self.zero
            if len(self.scale) > 1:
                out["quantized_dimension"] = self.axis
        if self.data is not None:
            out["data"] = self.data.reshape(-1).tolist()
        return out


class Model:
    """A subgraph under construction."""

    TYPES = {"int8": schema.TensorType.INT8, "int32": schema.TensorType.INT32}

    def __init__(self, name):
        self.name, self.tensors, self.operators = name, [], []
        self.inputs, self.outputs = [], []

    def _tensor(self, name, shape, kind, scale=None, zero=0, axis=0, data=None):
        if data is not None:
            data = np.ascontiguousarray(data, dtype=kind)
            assert data.size == int(np.prod(shape)), (name, shape, data.shape)
        if scale is not None:
            scale = [float32(s) for s in np.atleast_1d(scale)]
        assert -128 <= zero <= 127
        self.tensors.append(Tensor(len(self.tensors), name, shape, kind, scale, int(zero), axis, data))
        return self.tensors[-1]

    def activation(self, name, shape, scale, zero):
        """An int8 activation; `shape` starts with the batch, 1."""
        assert shape[0] == 1, shape
        return self._tensor(name, shape, "int8", scale, zero)

    def input(self, name, shape, scale, zero):
        """An activation the caller fills."""
        t = self.activation(name, shape, scale, zero)
        self.inputs.append(t)
        return t

    def output(self, name, shape, scale, zero):
        """An activation the caller reads."""
        t = self.activation(name, shape, scale, zero)
        self.outputs.append(t)
        return t

    def constant(self, name, values, scale=None, zero=0, axis=0, kind="int8"):
        """A quantised constant: weights (`axis` is the dimension that `scale` runs along), a bias with kind int32."""
        values = np.asarray(values)
        return self._tensor(name, values.shape, kind, scale, zero, axis, values)

    def parameter(self, name, values):
        """An int32 constant that is not quantised: an axis, a shape, a permutation."""
        values = np.asarray(values, np.int32)
        return self._tensor(name, values.shape, "int32", data=values)

    def operator(self, name, version, options, inputs, outputs, attributes):
        """Appends an operator. `options` is its schema object or None; `attributes` is its description, of activations without batch.

        A None among `inputs` is an optional tensor left out (index -1 in the file).
        """
        self.operators.append((name, version, options, inputs, outputs, attributes))

    def pack(self):
        """The bytes of the `.tflite` file."""
        model = schema.ModelT()
        model.version, model.description = 3, self.name
        model.buffers, graph = [AlignedBuffer()], schema.SubGraphT()
        graph.name, graph.tensors, graph.operators = "main", [], []
        for t in self.tensors:
            out = schema.TensorT()
            out.name, out.shape, out.type, out.buffer, out.hasRank = t.name, t.shape, self.TYPES[t.kind], 0, True
            if t.scale is not None:
                out.quantization = schema.QuantizationParametersT()
                out.quantization.scale, out.quantization.zeroPoint = t.scale, [t.zero] * len(t.scale)
                out.quantization.quantizedDimension = t.axis
            if t.data is not None:
                out.buffer = len(model.buffers)
                model.buffers.append(AlignedBuffer(data=t.data.astype(t.data.dtype.newbyteorder("<")).tobytes()))
            graph.tensors.append(out)
        graph.inputs, graph.outputs = [t.index for t in self.inputs], [t.index for t in self.outputs]
        codes = []
        for name, version, options, inputs, outputs, _ in self.operators:
            if (name, version) not in codes:
                codes.append((name, version))
            op = schema.OperatorT()
            op.opcodeIndex = codes.index((name, version))
            op.inputs, op.outputs = [-1 if t is None else t.index for t in inputs], [t.index for t in outputs]
            if options is not None:
                op.builtinOptions = options
                op.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
            graph.operators.append(op)
        model.operatorCodes = []
        for name, version in codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.version = getattr(schema.BuiltinOperator, name), version
            code.deprecatedBuiltinCode = min(code.builtinCode, LAST_DEPRECATED_CODE)
            model.operatorCodes.append(code)
        model.subgraphs = [graph]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def record(self):
        """Tensors and operators as plain lists; an operator names its tensors by index, None where one is left out."""
        return {
            "operators": [
                {
                    "operator": name,
                    "version": version,
                    "inputs": [None if t is None else t.index for t in inputs],
                    "outputs": [t.index for t in outputs],
                    "attributes": attributes,
                }
                for name, version, _, inputs, outputs, attributes in self.operators
            ],
            "tensors": [t.record() for t in self.tensors],
            "inputs": [t.index for t in self.inputs],
            "outputs": [t.index for t in self.outputs],
        }
